package wechatv3

import (
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// Whatever a body holds, it is read into what payments take or refused as the
// caller's fault, and no error quotes a payment code.
func FuzzOrder(f *testing.F) {
	const who = `"appid":"wx1","mchid":"1900000001",`
	for _, text := range []string{
		`{` + who + `"description":"x","out_trade_no":"A1","payer":{"auth_code":"131234567890123456"},"amount":{"total":1},"scene_info":{"store_info":{}}}`,
		`{` + who + `"description":"x","out_trade_no":"A1","notify_url":"https://example.com/n","time_expire":"2026-01-01T00:00:00+08:00","amount":{"total":1,"currency":"CNY"}}`,
		`{` + who + `"out_trade_no":"","amount":{"total":-1}}`, `[]`, `null`, `{"amount":{"total":1e30}}`, `{"appid":1}`, "{}\n", `{} {}`,
	} {
		f.Add([]byte(text))
	}
	c := &wechat.Caller{Identity: wechat.Identity{AppID: "wx1", MchID: "1900000001"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in orderIn
		err := decode(text, &in)
		var n wechat.NewOrder
		if err == nil {
			n, err = in.order(c)
		}
		if err != nil {
			if code := in.Payer.AuthCode; len(code) == 18 && strings.Contains(err.Error(), code) {
				t.Errorf("an error quotes a payment code: %v", err)
			}
			if p := problemOf(mianmi.EN, err); p.status != 400 || p.Code == "" || p.Message == "" {
				t.Errorf("%q is answered with %+v", text, p)
			}
			return
		}
		if n.No == "" || len(n.No) > 32 || n.Amount.Minor() < 1 || n.Amount.Minor() > amountMax || !n.Amount.Currency().Valid() || in.Description == "" {
			t.Errorf("%q was read as %+v", text, n)
		}
	})
}

// Whatever a body holds that asks for a contract, it is read into names that are
// bounded, or refused as the caller's fault.
func FuzzContract(f *testing.F) {
	const who = `"appid":"wx1","out_contract_code":"A1","contract_display_account":"x",`
	for _, text := range []string{
		`{` + who + `"service_id":12535,"notify_url":"https://example.com/n","openid":"oUpF8uMuAJO"}`,
		`{` + who + `"plan_id":"12535","contract_notify_url":"https://example.com/n","out_user_code":"u","device_info":{"device_ip":[]}}`,
		`{` + who + `"service_id":1e3}`, `{` + who + `"service_id":[1]}`, `{` + who + `"service_id":-1,"openid":"a b"}`, `{}`, `[]`, `{"service_id":`,
	} {
		f.Add([]byte(text))
	}
	c := &wechat.Caller{Identity: wechat.Identity{AppID: "wx1", MchID: "1900000001"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in contractIn
		err := decode(text, &in)
		var n wechat.NewContract
		if err == nil {
			n, err = in.contract(c)
		}
		if err == nil {
			if n.Service, err = serviceOf("service_id", in.Service); err != nil {
				n.Service, err = serviceOf("plan_id", in.Plan)
			}
		}
		if err != nil {
			if p := problemOf(mianmi.EN, err); p.status != 400 || p.Code == "" || p.Message == "" {
				t.Errorf("%q is answered with %+v", text, p)
			}
			return
		}
		if n.Code == "" || len(n.Code) > 32 || n.Service == "" || len(n.Service) > 19 || n.Shown == "" || len(n.OpenID) > 128 {
			t.Errorf("%q was read as %+v", text, n)
		}
	})
}

// Whatever a body holds that asks for a charge under a contract, it is read into
// what payments take, or refused as the caller's fault.
func FuzzDebit(f *testing.F) {
	const who = `"appid":"wx1","out_trade_no":"A1","description":"x","transaction_notify_url":"https://example.com/n",`
	for _, text := range []string{
		`{` + who + `"contract_id":"00112233445566778899AABBCCDDEEFF","amount":{"total":1,"currency":"CNY"},"attach":"a"}`,
		`{` + who + `"contract_id":1,"amount":{"total":1}}`, `{` + who + `"contract_id":"x","amount":{"total":1.5}}`, `{}`, `null`, `{"amount":`,
	} {
		f.Add([]byte(text))
	}
	c := &wechat.Caller{Identity: wechat.Identity{AppID: "wx1", MchID: "1900000001"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in debitIn
		err := decode(text, &in)
		var n wechat.NewDebit
		if err == nil {
			n, err = in.debit(c)
		}
		if err != nil {
			if p := problemOf(mianmi.EN, err); p.status != 400 || p.Code == "" || p.Message == "" {
				t.Errorf("%q is answered with %+v", text, p)
			}
			return
		}
		if n.No == "" || len(n.No) > 32 || n.Contract == "" || n.NotifyURL == "" || n.Amount.Minor() < 1 || n.Amount.Minor() > amountMax {
			t.Errorf("%q was read as %+v", text, n)
		}
	})
}

// Every code that errors are put into has a status and words in both languages.
func TestCodesHaveWords(t *testing.T) {
	t.Parallel()
	list := append([]string{"APPID_MCHID_NOT_MATCH", "MCH_NOT_EXISTS", "RESOURCE_NOT_EXISTS", "NOT_FOUND", "RULE_LIMIT", "NOT_ENOUGH", "TRADE_ERROR"}, byKind[:]...)
	for _, code := range byCode {
		list = append(list, code)
	}
	for _, code := range list {
		if k := codes[code]; k.status < 400 || k.text.ZH == "" || k.text.EN == "" {
			t.Errorf("code %s has %+v", code, k)
		}
	}
	for kind := mianmi.Internal; kind <= mianmi.Unavailable; kind++ {
		if p := problemOf(mianmi.ZH, &mianmi.Error{Kind: kind, Msg: "secret of ours"}); kind == mianmi.Internal && p.Detail != nil || p.Code == "" {
			t.Errorf("kind %v is answered with %+v", kind, p)
		}
	}
}
