package wechatpay_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/money"
)

const shop mianmi.MerchantID = "mc0000000000000000000000shop"

var clock = mianmi.ClockFunc(time.Now)

// connection is one to a server of the test's own.
func connection(t testing.TB, address string) *wechatpay.Connection {
	t.Helper()
	private, public := wechatpaytest.Merchant(t)
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &wechatpay.Connection{
		Name: "shop", Merchants: []mianmi.MerchantID{shop}, MchID: wechatpaytest.MchID, AppID: wechatpaytest.AppID,
		Serial: wechatpaytest.Serial, PrivateKey: private, APIv3Key: wechatpaytest.APIv3Key,
		PublicKeyID: wechatpaytest.PublicKeyID, PublicKey: public, Base: base, Notify: base, ClientIP: "192.0.2.7",
	}
}

func open(t testing.TB, c *wechatpay.Connection) *wechatpay.Channel {
	t.Helper()
	ch, err := wechatpay.New(t.Context(), []*wechatpay.Connection{c}, clock)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// order makes an order of its own; n tells it from others.
func order(t testing.TB, n int, w channel.Way) channel.Order {
	t.Helper()
	id, err := mianmi.NewBucketID("pm", 7, time.Now(), bytes.NewReader([]byte(fmt.Sprintf("%010d", n))))
	if err != nil {
		t.Fatal(err)
	}
	return channel.Order{Ref: channel.Ref{Payment: mianmi.PaymentID(id), Merchant: shop, Way: w}, Store: "st0000000000000000000000000a",
		Terminal: "tm0000000000000000000000000b", OrderNo: "A-1", Amount: money.Of(1250, "CNY"), About: "早餐店 <1 & 2>",
		ExpiresAt: time.Now().Add(5 * time.Minute)}
}

func refundOf(o channel.Order, minor int64) channel.RefundOrder {
	return channel.RefundOrder{Ref: o.Ref, Refund: mianmi.RefundID("rf" + string(o.Payment)[2:]), Amount: money.Of(minor, "CNY"), Total: o.Amount, Reason: "退货"}
}

// forms are the ways in which an account may be connected.
var forms = []struct {
	name string
	set  func(*wechatpay.Connection)
}{
	{"direct, public key", func(*wechatpay.Connection) {}},
	{"direct, certificates", func(c *wechatpay.Connection) { c.PublicKey, c.PublicKeyID, c.Certificates = nil, "", true }},
	{"partner, public key", func(c *wechatpay.Connection) { c.SubMchID = wechatpaytest.SubMchID }},
	{"partner, both", func(c *wechatpay.Connection) { c.SubMchID, c.Certificates = wechatpaytest.SubMchID, true }},
}

// A payment by code, one by QR code and their ends come out as they stand at
// WeChat Pay, whoever signs for whom and with which keys.
func TestLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := wechatpaytest.Start(t, nil)
			c := connection(t, s.URL)
			f.set(c)
			ch := open(t, c)
			byCode(t, s, ch)
			byQR(t, s, ch)
		})
	}
}

func byCode(t *testing.T, s *wechatpaytest.Server, ch *wechatpay.Channel) {
	t.Helper()
	ctx := t.Context()
	paid, typed := order(t, 1, channel.ByCode), order(t, 2, channel.ByCode)
	a := ch.Charge(ctx, paid, wechatpaytest.CodePaid)
	at := s.Order(string(paid.Payment))
	want := channel.Answer{Standing: channel.Paid, Transaction: at.Transaction, Payer: wechatpaytest.OpenID, Amount: paid.Amount, PaidAt: at.PaidAt.UTC().Truncate(time.Second)}
	if d := cmp.Diff(want, a, cmp.AllowUnexported(money.Amount{})); d != "" {
		t.Errorf("charge (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, ch.Query(ctx, paid.Ref), cmp.AllowUnexported(money.Amount{})); d != "" {
		t.Errorf("query (-want +got):\n%s", d)
	}
	stands(t, "a password is typed", ch.Charge(ctx, typed, wechatpaytest.CodePassword), channel.Waiting)
	stands(t, "still typed", ch.Query(ctx, typed.Ref), channel.Waiting)
	s.Confirm(string(typed.Payment))
	stands(t, "typed", ch.Query(ctx, typed.Ref), channel.Paid)
	stands(t, "paid and undone", ch.Undo(ctx, typed.Ref), channel.GivenBack)
	stands(t, "undone twice", ch.Undo(ctx, typed.Ref), channel.GivenBack)

	stopped := order(t, 3, channel.ByCode)
	ch.Charge(ctx, stopped, wechatpaytest.CodePassword)
	stands(t, "undone while it waits", ch.Undo(ctx, stopped.Ref), channel.Unpaid)
	stands(t, "and asked again", ch.Query(ctx, stopped.Ref), channel.Unpaid)

	r := ch.Refund(ctx, refundOf(paid, 500))
	if r.Standing != channel.Waiting || r.Transaction == "" {
		t.Errorf("refund: %+v", r)
	}
	s.EndRefund(string(refundOf(paid, 500).Refund), "SUCCESS")
	if r = ch.QueryRefund(ctx, refundOf(paid, 500)); r.Standing != channel.Paid || r.At.IsZero() {
		t.Errorf("refund asked for: %+v", r)
	}
	if r = ch.Refund(ctx, refundOf(paid, 500)); r.Standing != channel.Paid || s.Order(string(paid.Payment)).Back != 500 {
		t.Errorf("refund repeated: %+v, %d given back", r, s.Order(string(paid.Payment)).Back)
	}
	stands(t, "a part was refunded", ch.Query(ctx, paid.Ref), channel.Paid)
}

func byQR(t *testing.T, s *wechatpaytest.Server, ch *wechatpay.Channel) {
	t.Helper()
	ctx := t.Context()
	paid, closed := order(t, 11, channel.ByQR), order(t, 12, channel.ByQR)
	a := ch.Prepay(ctx, paid)
	stands(t, "shown", a, channel.Waiting)
	if !strings.HasPrefix(a.QR, "weixin://") || ch.Prepay(ctx, paid).QR != a.QR {
		t.Errorf("QR code %q", a.QR)
	}
	stands(t, "not scanned", ch.Query(ctx, paid.Ref), channel.Waiting)
	s.Confirm(string(paid.Payment))
	stands(t, "paid", ch.Query(ctx, paid.Ref), channel.Paid)
	stands(t, "too late to close", ch.Undo(ctx, paid.Ref), channel.Paid)
	ch.Prepay(ctx, closed)
	stands(t, "closed", ch.Undo(ctx, closed.Ref), channel.Unpaid)
	stands(t, "closed twice", ch.Undo(ctx, closed.Ref), channel.Unpaid)
}

func stands(t *testing.T, when string, a channel.Answer, want channel.Standing) {
	t.Helper()
	if a.Standing != want {
		t.Errorf("%s: %v (%s), want %v", when, a.Standing, a.Fault, want)
	}
}

// What WeChat Pay refuses is never final, whatever it says, and is a hint for
// the till; undone, the order has a signed end even where WeChat Pay never had
// it, and its number is used up.
func TestRefusalsAreHints(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	ch := open(t, connection(t, s.URL))
	for i, tt := range []struct {
		code string
		want channel.Failure
	}{{wechatpaytest.CodePoor, channel.InsufficientFunds}, {wechatpaytest.CodeUsed, channel.CodeRefused}} {
		o := order(t, 20+i, channel.ByCode)
		a := ch.Charge(t.Context(), o, tt.code)
		if a.Standing != channel.Unclear || a.Failure != tt.want {
			t.Errorf("code %s: %+v, want a hint of %v", tt.code, a, tt.want)
		}
		stands(t, "undone", ch.Undo(t.Context(), o.Ref), channel.Unpaid)
		stands(t, "late", ch.Charge(t.Context(), o, wechatpaytest.CodePaid), channel.Unclear)
		if got := s.Order(string(o.Payment)); got.Charged != 0 {
			t.Errorf("a late request was charged: %+v", got)
		}
	}
	o := order(t, 30, channel.ByCode)
	if a := ch.Charge(t.Context(), o, wechatpaytest.CodeFails); a.Standing != channel.Unpaid || a.Failure != channel.ChannelRefused {
		t.Errorf("a payment that failed: %+v", a)
	}
	never := order(t, 31, channel.ByQR)
	stands(t, "asked for, never opened", ch.Query(t.Context(), never.Ref), channel.Unclear)
	stands(t, "closed, never opened", ch.Undo(t.Context(), never.Ref), channel.Unpaid)
}

// Nothing is asked for a merchant whom no connection serves, nor in a currency
// that WeChat Pay does not have here.
func TestNothingIsAskedForStrangers(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	ch := open(t, connection(t, s.URL))
	o := order(t, 40, channel.ByCode)
	o.Merchant = "mc00000000000000000000000two"
	refund := refundOf(o, 1)
	for what, got := range map[string]channel.Standing{
		"charge": ch.Charge(t.Context(), o, wechatpaytest.CodePaid).Standing, "prepay": ch.Prepay(t.Context(), o).Standing,
		"query": ch.Query(t.Context(), o.Ref).Standing, "undo": ch.Undo(t.Context(), o.Ref).Standing,
		"refund": ch.Refund(t.Context(), refund).Standing, "refund query": ch.QueryRefund(t.Context(), refund).Standing,
	} {
		if got != channel.Unclear {
			t.Errorf("%s of a stranger: %v", what, got)
		}
	}
	if _, served := ch.Terms(o.Merchant); served {
		t.Error("a stranger is served")
	}
	euro := order(t, 41, channel.ByCode)
	euro.Amount = money.Of(100, "EUR")
	if a := ch.Charge(t.Context(), euro, wechatpaytest.CodePaid); a.Standing != channel.Unpaid || a.Failure != channel.CurrencyMismatch {
		t.Errorf("euros: %+v", a)
	}
	if s.LastBody() != "" {
		t.Errorf("asked: %s", s.LastBody())
	}
}

// A payment code is WeChat Pay's by its form, and by nothing else.
func TestTakes(t *testing.T) {
	t.Parallel()
	ch := open(t, connection(t, "http://127.0.0.1:1"))
	for code, want := range map[string]bool{
		"100000000000000000": true, "159999999999999999": true, "160000000000000000": false, "990000000000000000": false,
		"10000000000000000": false, "1000000000000000000": false, "10000000000000000x": false, "": false,
	} {
		if ch.Takes(code) != want {
			t.Errorf("takes %q: %v", code, !want)
		}
	}
}

// What is sent names nobody: no person stands in attach or description, and the
// order's number is the payment's.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := wechatpaytest.Start(t, nil)
	ch := open(t, connection(t, s.URL))
	o := order(t, 50, channel.ByCode)
	ch.Charge(t.Context(), o, wechatpaytest.CodePaid)
	for _, want := range []string{`"out_trade_no":"` + string(o.Payment) + `"`, `"device_id":"` + string(o.Terminal) + `"`, `"out_id":"` + string(o.Store) + `"`} {
		if !strings.Contains(s.LastBody(), want) {
			t.Errorf("a charge without %s: %s", want, s.LastBody())
		}
	}
	q := order(t, 51, channel.ByQR)
	ch.Prepay(t.Context(), q)
	for _, want := range []string{`"notify_url":"` + s.URL + `/v3-notify/shop/transaction"`, `"payer_client_ip":"192.0.2.7"`, `+08:00"`} {
		if !strings.Contains(s.LastBody(), want) {
			t.Errorf("a prepayment without %s: %s", want, s.LastBody())
		}
	}
}

// between is a handler that stands before another.
func between(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, r, next) })
	}
}
