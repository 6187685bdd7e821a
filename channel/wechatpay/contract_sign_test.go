package wechatpay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

func families(f wechatpay.Family) string {
	return map[wechatpay.Family]string{wechatpay.PasswordExempt: "password-exempt", wechatpay.Papay: "papay", wechatpay.PayScore: "payscore"}[f]
}

func signOrder(f wechatpay.Family, code string) wechatpay.SignOrder {
	return wechatpay.SignOrder{ContractRef: wechatpay.ContractRef{Merchant: shop, Family: f, Service: "12535", Code: code}, Payer: wechatpaytest.OpenID,
		Shown: "会员 7", OutUser: "u7", Device: wechatpay.Device{Type: "DEVICE_TYPE_PHONE", ByQR: true}}
}

// A contract of each family is signed by the payer, is what WeChat Pay says it
// is, and once it was ended, by the payer or by us, is ended for good.
func TestContracts(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for _, f := range []wechatpay.Family{wechatpay.PasswordExempt, wechatpay.Papay, wechatpay.PayScore} {
			t.Run(form.name+", "+families(f), func(t *testing.T) {
				t.Parallel()
				s := wechatpaytest.Start(t, nil)
				c := connection(t, s.URL)
				form.set(c)
				ch := open(t, c)
				one, two := signOrder(f, "code1"), signOrder(f, "code2")
				a := ch.PreSign(t.Context(), one)
				if f == wechatpay.Papay && c.SubMchID != "" {
					if a.Session != "" || !strings.Contains(a.Fault, "direct") {
						t.Errorf("a service provider's papay: %+v", a)
					}
					return
				}
				if a.Session == "" || a.Fault != "" {
					t.Fatalf("pre-sign: %+v", a)
				}
				contractIs(t, ch, one.ContractRef, wechatpay.ContractOpen)
				s.SignContract("code1")
				if k := contractIs(t, ch, one.ContractRef, wechatpay.ContractSigned); k.Payer != wechatpaytest.OpenID {
					t.Errorf("signed by %q", k.Payer)
				}
				s.EndContract("code1")
				if k := contractIs(t, ch, one.ContractRef, wechatpay.ContractEnded); k.EndedAt.IsZero() || f != wechatpay.PayScore && k.EndedBy != "USER_TERMINATE" {
					t.Errorf("ended: %+v", k)
				}
				if again := ch.PreSign(t.Context(), one); again.Session != "" || again.Fault == "" {
					t.Errorf("a code that was used: %+v", again)
				}
				ch.PreSign(t.Context(), two)
				if k := ch.TerminateContract(t.Context(), two.ContractRef, "x"); k.State != wechatpay.ContractOpen || k.Fault == "" {
					t.Errorf("ended before it was signed: %+v", k)
				}
				s.SignContract("code2")
				for range 2 {
					if k := ch.TerminateContract(t.Context(), two.ContractRef, "顾客关闭"); k.State != wechatpay.ContractEnded {
						t.Errorf("ended by us: %+v", k)
					}
				}
				if s.Remark("code2") != "顾客关闭" {
					t.Errorf("remark %q", s.Remark("code2"))
				}
			})
		}
	}
}

func contractIs(t *testing.T, ch *wechatpay.Channel, ref wechatpay.ContractRef, want wechatpay.ContractState) wechatpay.Contract {
	t.Helper()
	k := ch.QueryContract(t.Context(), ref)
	if k.State != want || k.Fault != "" {
		t.Errorf("%+v, want state %d", k, want)
	}
	return k
}

// What is no name of a contract is not asked about, and what WeChat Pay says of
// another contract, account or service is not believed.
func TestContractsThatAreNotClear(t *testing.T) {
	t.Parallel()
	said := ""
	s := wechatpaytest.Start(t, nil)
	other := wechatpaytest.Start(t, between(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, v := range s.Sign(wechatpaytest.PublicKeyID, []byte(said)) {
			w.Header()[name] = v
		}
		_, _ = io.WriteString(w, said)
	}))
	ch := open(t, connection(t, other.URL))
	ref := signOrder(wechatpay.PasswordExempt, "code1").ContractRef
	const whole = `{"mchid":"1900000109","service_id":12535,"out_contract_code":"code1","contract_state":"SIGNED"}`
	for _, tt := range []struct {
		name, old, with string
		want            wechatpay.ContractState
	}{
		{"as it should be", "", "", wechatpay.ContractSigned},
		{"a number in quotes", "12535", `"12535"`, wechatpay.ContractSigned},
		{"another code", "code1", "code2", wechatpay.ContractUnclear},
		{"another account", "1900000109", "1900000199", wechatpay.ContractUnclear},
		{"another service", "12535", "12536", wechatpay.ContractUnclear},
		{"a number that is none", "12535", "[]", wechatpay.ContractUnclear},
		{"a state that nobody knows", "SIGNED", "MAYBE", wechatpay.ContractUnclear},
		{"signed and ended", `"SIGNED"`, `"SIGNED","contract_terminate_info":{"contract_termination_mode":"EXPIRED"}`, wechatpay.ContractEnded},
		{"nothing", whole, "", wechatpay.ContractUnclear},
	} {
		said = strings.Replace(whole, tt.old, tt.with, 1)
		if k := ch.QueryContract(t.Context(), ref); k.State != tt.want || (k.Fault == "") != (tt.want != wechatpay.ContractUnclear) {
			t.Errorf("%s: %+v", tt.name, k)
		}
	}
	for _, bad := range []wechatpay.ContractRef{
		{}, {Merchant: shop}, {Merchant: shop, Family: 4, Service: "1", Code: "a"}, {Merchant: "mc0", Family: 1, Service: "1", Code: "a"},
		{Merchant: shop, Family: 1, Service: "1/..", Code: "a"}, {Merchant: shop, Family: 1, Service: "1", Code: "a/b"}, {Merchant: shop, Family: 1, Service: "1"},
	} {
		if k := ch.QueryContract(t.Context(), bad); k.State != wechatpay.ContractUnclear || k.Fault == "" {
			t.Errorf("%+v: %+v", bad, k)
		}
	}
}

// The session of one contract is not given out for another, whoever repeats an
// old answer.
func TestSessionsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	said := `{"apply_permissions_token":"one"}`
	s := wechatpaytest.Start(t, nil)
	at := wechatpaytest.Start(t, between(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, v := range s.Sign(wechatpaytest.PublicKeyID, []byte(said)) {
			w.Header()[name] = v
		}
		_, _ = io.WriteString(w, said)
	}))
	ch := open(t, connection(t, at.URL))
	if a := ch.PreSign(t.Context(), signOrder(wechatpay.PayScore, "code1")); a.Session != "one" {
		t.Errorf("%+v", a)
	}
	if a := ch.PreSign(t.Context(), signOrder(wechatpay.PayScore, "code2")); a.Session != "" || !strings.Contains(a.Fault, "ALARM") {
		t.Errorf("the session of another contract: %+v", a)
	}
}

// A notification of a contract makes somebody ask for it, whatever its event is
// called, and says itself nothing.
func TestContractNotifications(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	c := connection(t, s.URL)
	ch := open(t, c)
	to := &asker{}
	h := handler(t, c, to, io.Discard)
	var want []wechatpay.Hint
	for f, event := range map[wechatpay.Family]string{wechatpay.PasswordExempt: "WHO.KNOWS", wechatpay.Papay: "PAPAY.TERMINATE", wechatpay.PayScore: "PAYSCORE.USER_CLOSE_SERVICE"} {
		o := signOrder(f, "code"+string('0'+rune(f)))
		ch.PreSign(t.Context(), o)
		body := wechatpaytest.Notification(event, s.ContractNote(o.Code, f == wechatpay.Papay))
		if got := send(t, h, http.MethodPost, "/v3-notify/shop/contract", body, s.Sign(wechatpaytest.PublicKeyID, body)); got.Code != http.StatusNoContent {
			t.Errorf("%s: answered %d", families(f), got.Code)
		}
		want = append(want, wechatpay.Hint{Contract: o.ContractRef})
	}
	if d := cmp.Diff(want, to.hints); d != "" {
		t.Errorf("hints (-want +got):\n%s", d)
	}
}
