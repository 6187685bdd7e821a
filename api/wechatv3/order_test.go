package wechatv3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store/storetest"
)

// waiting is the payer's payment that waits for the password.
func (w *world) waiting(p storetest.Person) mianmi.PaymentID {
	w.t.Helper()
	list := must(w.node.Payments.StepUps(w.t.Context(), p.Actor(), p.ID))(w.t)
	if len(list) != 1 {
		w.t.Fatalf("%d payments wait for a password, want 1", len(list))
	}
	return list[0].ID
}

// A payer who has switched PIN-free off is asked for the password on the phone:
// USERPAYING until it is typed, then SUCCESS. Called off by the merchant it is
// REVOKED, by the payer PAYERROR, and each stays so.
func TestPasswordOnThePhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	must(w.node.Payers.Close(t.Context(), who.Actor(), who.ID, payer.Basis{}))(t)
	ask := func() string {
		no := s.order()
		if got := s.signed("POST", "/v3/pay/transactions/codepay", s.scanned(no, w.code(who), 1_00)).transaction(t); got.TradeState != "USERPAYING" || got.Payer != nil {
			t.Fatalf("a payment that needs the password: %+v", got)
		}
		return no
	}
	paid, revoked, refused := ask(), "", ""
	must(w.node.Payments.Confirm(t.Context(), who.Actor(), w.waiting(who), storetest.PaymentPassword))(t)
	revoked = ask()
	for range 2 {
		if a := s.signed("POST", "/v3/pay/transactions/out-trade-no/"+revoked+"/reverse", s.ids()); a.status != http.StatusOK {
			t.Errorf("reversing: %d %s", a.status, a.body)
		}
	}
	refused = ask()
	must(w.node.Payments.Cancel(t.Context(), who.Actor(), w.waiting(who)))(t)
	for no, want := range map[string]string{paid: "SUCCESS", revoked: "REVOKED", refused: "PAYERROR"} {
		if got := s.query(no).transaction(t); got.TradeState != want || (want == "SUCCESS") != (got.SuccessTime != "") {
			t.Errorf("the order is %+v, want %s", got, want)
		}
	}
	if got := must(w.node.DB.Payer(t.Context(), who.ID))(t).Balance.Minor(); got != 9_999_00 {
		t.Errorf("the payer has %d left, want one payment of 100 taken", got)
	}
}

// ids is the body of reverse and close.
func (s *shop) ids() map[string]string { return map[string]string{"appid": s.AppID, "mchid": s.MchID} }

// What a request may not do is refused with WeChat Pay's own codes, and the
// payment code is in no answer and in no log.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, other, who := w.shop(), w.shop(), w.person()
	poor := must(w.node.NewPerson(t.Context(), 1_00))(t)
	const codepay = "/v3/pay/transactions/codepay"
	paid, used := s.order(), w.code(who)
	s.signed("POST", codepay, s.scanned(paid, used, 1_00)).transaction(t)
	with := func(change func(map[string]any)) map[string]any {
		b := s.scanned(s.order(), w.code(who), 1_00)
		change(b)
		return b
	}
	tests := []struct {
		name string
		body map[string]any
		want int
		code string
	}{
		{"a code that was used", s.scanned(s.order(), used, 1_00), 400, "AUTH_CODE_INVALID"},
		{"a code that is none", s.scanned(s.order(), "12345", 1_00), 400, "PARAM_ERROR"},
		{"an order number with another amount", s.scanned(paid, w.code(who), 2_00), 403, "OUT_TRADE_NO_USED"},
		{"an order number with another code", s.scanned(paid, w.code(who), 1_00), 403, "OUT_TRADE_NO_USED"},
		{"not enough money", s.scanned(s.order(), w.code(poor), 1_01), 403, "NOT_ENOUGH"},
		{"another merchant's appid", with(func(b map[string]any) { b["appid"] = other.AppID }), 400, "APPID_MCHID_NOT_MATCH"},
		{"another merchant's mchid", with(func(b map[string]any) { b["mchid"] = other.MchID }), 400, "MCH_NOT_EXISTS"},
		{"no description", with(func(b map[string]any) { delete(b, "description") }), 400, "PARAM_ERROR"},
		{"a description that is too long", with(func(b map[string]any) { b["description"] = strings.Repeat("奶", 128) }), 400, "PARAM_ERROR"},
		{"no store_info", with(func(b map[string]any) { b["scene_info"] = map[string]any{"device_id": "7"} }), 400, "PARAM_ERROR"},
		{"no amount", with(func(b map[string]any) { b["amount"] = map[string]any{"total": 0} }), 400, "PARAM_ERROR"},
		{"an amount that is text", with(func(b map[string]any) { b["amount"] = map[string]any{"total": "100"} }), 400, "PARAM_ERROR"},
		{"an attach that is a card number", with(func(b map[string]any) { b["attach"] = "4111111111111111" }), 400, "PARAM_ERROR"},
	}
	for _, tt := range tests {
		a := s.signed("POST", codepay, tt.body)
		if a.status != tt.want || a.code(t) != tt.code || a.header.Get("Wechatpay-Signature") != "" {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.status, a.body, tt.want, tt.code)
		}
		if strings.Contains(string(a.body), used) {
			t.Errorf("%s: the answer quotes a payment code: %s", tt.name, a.body)
		}
	}
	for path, body := range map[string]any{
		"/v3/pay/transactions/native":                                map[string]any{"appid": s.AppID, "mchid": s.MchID, "description": "x", "out_trade_no": s.order(), "notify_url": "https://10.0.0.1/n", "amount": map[string]any{"total": 1}},
		"/v3/pay/transactions/out-trade-no/" + paid + "/close":       s.ids(),
		"/v3/refund/domestic/refunds":                                map[string]any{"out_trade_no": paid, "out_refund_no": "r1", "amount": map[string]any{"refund": 2_00, "total": 1_00, "currency": "CNY"}},
		"/v3/pay/transactions/out-trade-no/" + s.order() + "/close/": s.ids(),
	} {
		if a := s.signed("POST", path, body); a.status < 400 || a.status > 404 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if log := w.logged.String(); strings.Contains(log, used) || strings.Contains(log, "WECHATPAY2") || strings.Contains(log, s.APIKey) || !strings.Contains(log, "wechat.codepay") {
		t.Error("the log holds a payment code, a signature or a key, or not the requests")
	}
}

// A repeat of the same request is the same payment; one that never arrived is
// ended by its reversal, and a request that arrives afterwards charges nobody.
func TestReversalOfWhatNeverCame(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{engine: engine})
			s, who := w.shop(), w.person()
			body := s.scanned(s.order(), w.code(who), 1_00)
			first := s.signed("POST", "/v3/pay/transactions/codepay", body).transaction(t)
			if again := s.signed("POST", "/v3/pay/transactions/codepay", body).transaction(t); again.TransactionID != first.TransactionID {
				t.Errorf("a repeat is %+v, want %+v", again, first)
			}
			late := s.scanned(s.order(), w.code(who), 1_00)
			no, _ := late["out_trade_no"].(string)
			if a := s.query(no); a.status != http.StatusNotFound || a.code(t) != "ORDER_NOT_EXIST" {
				t.Errorf("an order that never came: %d %s", a.status, a.body)
			}
			s.signed("POST", "/v3/pay/transactions/out-trade-no/"+no+"/reverse", s.ids()).wantOK(t)
			if a := s.signed("POST", "/v3/pay/transactions/codepay", late); a.status != http.StatusBadRequest || a.code(t) != "ORDER_REVERSED" {
				t.Errorf("a request after its reversal: %d %s", a.status, a.body)
			}
			if got := s.state(no); got != "REVOKED" {
				t.Errorf("the reversed order is %s", got)
			}
			// Many at once: whatever the order is in the end, the money agrees with it.
			race := s.scanned(s.order(), w.code(who), 5_00)
			no, _ = race["out_trade_no"].(string)
			var all sync.WaitGroup
			for i := range 6 {
				all.Go(func() {
					if i%2 == 0 {
						s.signed("POST", "/v3/pay/transactions/codepay", race)
					} else {
						s.signed("POST", "/v3/pay/transactions/out-trade-no/"+no+"/reverse", s.ids())
					}
				})
			}
			all.Wait()
			s.signed("POST", "/v3/pay/transactions/out-trade-no/"+no+"/reverse", s.ids()).wantOK(t)
			if got := s.state(no); got != "REVOKED" {
				t.Errorf("after an acknowledged reversal the order is %s", got)
			}
			if got := must(w.node.DB.Payer(t.Context(), who.ID))(t).Balance.Minor(); got != 9_999_00 {
				t.Errorf("the payer has %d left, want the first payment of 100 taken alone", got)
			}
		})
	}
}

// Scenarios of WeChat Pay's test environment: the password is asked for, the
// payer gives up, the answer is lost and the order was paid.
func TestNegativeTests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, who := w.shop(), w.person()
	const codepay = "/v3/pay/transactions/codepay"
	for scenario, want := range map[string]string{"MICROPAY_USERPAYING": "USERPAYING", "MICROPAY_PAYERROR": "PAYERROR", "MICROPAY_TIMEOUT": "SUCCESS"} {
		no := s.order()
		r := s.request("POST", codepay, s.scanned(no, w.code(who), 1_00))
		r.Header.Set("Wechatpay-Negative-Test", scenario)
		res, err := http.DefaultTransport.RoundTrip(r)
		switch {
		case scenario == "MICROPAY_TIMEOUT" && !errors.Is(err, io.EOF):
			t.Errorf("%s: %v, want a lost answer", scenario, err)
		case scenario == "MICROPAY_TIMEOUT":
		case err != nil:
			t.Fatal(err)
		default:
			if (res.StatusCode == http.StatusOK) != (scenario == "MICROPAY_USERPAYING") {
				t.Errorf("%s: %d", scenario, res.StatusCode)
			}
			check(t, res.Body.Close())
		}
		if got := s.state(no); got != want {
			t.Errorf("after %s the order is %s, want %s", scenario, got, want)
		}
	}
}

// Another merchant's orders and refunds are as if they were not there, and
// cannot be ended either.
func TestMerchantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s, other, who := w.shop(), w.shop(), w.person()
	no := s.order()
	tx := s.signed("POST", "/v3/pay/transactions/codepay", s.scanned(no, w.code(who), 1_00)).transaction(t)
	s.signed("POST", "/v3/refund/domestic/refunds", map[string]any{"transaction_id": tx.TransactionID, "out_refund_no": "r1",
		"amount": map[string]any{"refund": 1, "total": 1_00, "currency": "CNY"}}).wantOK(t)
	for path, code := range map[string]string{
		"/v3/pay/transactions/out-trade-no/" + no + "?mchid=" + other.MchID:     "ORDER_NOT_EXIST",
		"/v3/pay/transactions/id/" + tx.TransactionID + "?mchid=" + other.MchID: "ORDER_NOT_EXIST",
		"/v3/pay/transactions/id/" + tx.TransactionID + "?mchid=" + s.MchID:     "MCH_NOT_EXISTS",
		"/v3/refund/domestic/refunds/r1":                                        "RESOURCE_NOT_EXISTS",
	} {
		if a := other.signed("GET", path, nil); a.code(t) != code {
			t.Errorf("%s by another merchant: %d %s, want %s", path, a.status, a.body, code)
		}
	}
	other.signed("POST", "/v3/pay/transactions/out-trade-no/"+no+"/reverse", other.ids()).wantOK(t) // of a number of its own
	if a := other.signed("POST", "/v3/refund/domestic/refunds", map[string]any{"transaction_id": tx.TransactionID, "out_refund_no": "r2",
		"amount": map[string]any{"refund": 1, "total": 1_00, "currency": "CNY"}}); a.code(t) != "RESOURCE_NOT_EXISTS" {
		t.Errorf("a refund of another merchant's payment: %d %s", a.status, a.body)
	}
	if got := s.state(no); got != "REFUND" {
		t.Errorf("another merchant has made the order %s", got)
	}
	mine := s.query(no).transaction(t)
	theirs := other.signed("POST", "/v3/pay/transactions/codepay", other.scanned(other.order(), w.code(who), 1_00)).transaction(t)
	if mine.Payer.OpenID == theirs.Payer.OpenID {
		t.Error("two merchants can tell that a payer is the same")
	}
}

// An order that ran out of time is not paid, whatever its states are called in
// a version to come.
func TestStatesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{engine: "sqlite"})
	s := w.shop()
	o, id := s.order(), w.front
	for state, want := range map[payment.State]string{payment.Expired: "REVOKED", 99: "USERPAYING", 0: "USERPAYING"} {
		p := &payment.Payment{OrderNo: o, State: state, StateAt: time.Now()}
		if got := id.Transaction(&s.Identity, orderOf(o), p, 0); got.TradeState != want || got.SuccessTime != "" {
			t.Errorf("state %d is %+v, want %s", state, got, want)
		}
	}
}
