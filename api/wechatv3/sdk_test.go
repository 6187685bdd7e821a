package wechatv3_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store/storetest"
)

// The official client, unchanged but for where its requests go, takes payments
// from mianmi: on both databases, with the public key and with the platform
// certificate that it downloads by itself.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		for name, certificate := range map[string]bool{"public key": false, "certificate": true} {
			t.Run(engine+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, setup{engine: engine, certificate: certificate})
				s := w.shop()
				c := s.client(certificate)
				codeByRawCalls(t, s, c)
				nativeByService(t, s, c, newInbox(t, s, certificate))
				if certificate {
					s.signed("GET", "/v3/certificates", nil).wantOK(t)
				} else if a := s.signed("GET", "/v3/certificates", nil); a.status != http.StatusNotFound {
					t.Errorf("with the public key there are certificates: %d %s", a.status, a.body)
				}
			})
		}
	}
}

func (a answer) wantOK(t *testing.T) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Errorf("answer %d: %s", a.status, a.body)
	}
}

// codeByRawCalls: the client has no service for code payments, so they are raw
// calls, as its README proposes.
func codeByRawCalls(t *testing.T, s *shop, c *core.Client) {
	ctx, no := t.Context(), s.order()
	who := s.w.person()
	const api = "https://api.mch.weixin.qq.com/v3/pay/transactions"
	res := must(c.Post(ctx, api+"/codepay", s.scanned(no, s.w.code(who), 18_00)))(t)
	var paid payments.Transaction
	check(t, core.UnMarshalResponse(res.Response, &paid))
	if *paid.TradeState != "SUCCESS" || *paid.TradeType != "MICROPAY" || *paid.Amount.Total != 18_00 || *paid.Attach != "桌号 7" || paid.Payer == nil {
		t.Fatalf("a code payment: %v", paid)
	}
	if strings.Contains(paid.String(), string(who.ID)) {
		t.Errorf("the answer names mianmi's own payer: %v", paid)
	}
	res = must(c.Post(ctx, api+"/out-trade-no/"+no+"/reverse", map[string]string{"appid": s.AppID, "mchid": s.MchID}))(t)
	check(t, res.Response.Body.Close())
	if got := s.state(no); got != "REVOKED" {
		t.Errorf("a reversed order is %s", got)
	}
	if got := must(s.w.node.DB.Payer(ctx, who.ID))(t).Balance.Minor(); got != 10_000_00 {
		t.Errorf("after a reversal the payer has %d", got)
	}
}

// nativeByService: prepay, notification, query, refund and close by the client's own services.
func nativeByService(t *testing.T, s *shop, c *core.Client, in *inbox) {
	ctx, no, who := t.Context(), s.order(), s.w.person()
	svc := native.NativeApiService{Client: c}
	ask := native.PrepayRequest{Appid: &s.AppID, Mchid: &s.MchID, Description: core.String("奶茶"), OutTradeNo: &no, Attach: core.String("7"),
		NotifyUrl: core.String(in.server.URL + "/notify"), Amount: &native.Amount{Total: core.Int64(30_00)}}
	code, _, err := svc.Prepay(ctx, ask)
	check(t, err)
	if got := s.state(no); got != "NOTPAY" {
		t.Errorf("an order that waits is %s", got)
	}
	must(s.w.node.Payments.PayQR(ctx, who.Actor(), strings.TrimPrefix(*code.CodeUrl, "mianmi:"), storetest.PaymentPassword))(t)
	tx, _, err := svc.QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{OutTradeNo: &no, Mchid: &s.MchID})
	check(t, err)
	byID, _, err := svc.QueryOrderById(ctx, native.QueryOrderByIdRequest{TransactionId: tx.TransactionId, Mchid: &s.MchID})
	check(t, err)
	if *tx.TradeState != "SUCCESS" || byID.String() != tx.String() || *tx.TradeType != "NATIVE" {
		t.Errorf("the order by both numbers: %v, %v", tx, byID)
	}
	told := in.wait("TRANSACTION.SUCCESS", no)
	if told["transaction_id"] != *tx.TransactionId || told["trade_state"] != "SUCCESS" || told["attach"] != "7" {
		t.Errorf("the notification tells %v of %v", told, tx)
	}
	refunds := refunddomestic.RefundsApiService{Client: c}
	for range 2 { // a repeat is the same refund
		r, _, err := refunds.Create(ctx, refunddomestic.CreateRequest{OutTradeNo: &no, OutRefundNo: core.String("R" + no), Reason: core.String("退一杯"),
			NotifyUrl: core.String(in.server.URL + "/refund"), Amount: &refunddomestic.AmountReq{Refund: core.Int64(10_00), Total: core.Int64(30_00), Currency: core.String("CNY")}})
		check(t, err)
		if *r.Status != refunddomestic.STATUS_SUCCESS || *r.Amount.Refund != 10_00 {
			t.Errorf("a refund: %v", r)
		}
	}
	got, _, err := refunds.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String("R" + no)})
	check(t, err)
	if *got.TransactionId != *tx.TransactionId || s.state(no) != "REFUND" {
		t.Errorf("a refund that is asked for: %v, order %s", got, s.state(no))
	}
	if told := in.wait("REFUND.SUCCESS", no); told["out_refund_no"] != "R"+no || told["refund_status"] != "SUCCESS" {
		t.Errorf("the refund's notification tells %v", told)
	}
	other := s.order()
	ask.OutTradeNo = &other
	code, _, err = svc.Prepay(ctx, ask)
	check(t, err)
	for range 2 {
		_, err = svc.CloseOrder(ctx, native.CloseOrderRequest{OutTradeNo: &other, Mchid: &s.MchID})
		check(t, err)
	}
	_, err = s.w.node.Payments.PayQR(ctx, who.Actor(), strings.TrimPrefix(*code.CodeUrl, "mianmi:"), storetest.PaymentPassword)
	if mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("a closed order was paid: %v", err)
	}
	if got := s.state(other); got != "CLOSED" {
		t.Errorf("a closed order is %s", got)
	}
	if _, _, err := svc.Prepay(ctx, ask); !core.IsAPIError(err, "ORDER_CLOSED") {
		t.Errorf("a closed order was opened again: %v", err)
	}
}

// inbox is a merchant's receiver of notifications, with the official handler.
type inbox struct {
	t       *testing.T
	server  *httptest.Server
	handler *notify.Handler
	refuse  func(n int) bool // whether the n-th request is refused, from 1

	mu    sync.Mutex
	count int
	bad   []error
	got   []received
}

type received struct {
	id, kind string
	content  map[string]any
}

func newInbox(t *testing.T, s *shop, certificate bool) *inbox {
	t.Helper()
	ctx := t.Context()
	p := must(s.w.front.Platform(ctx))(t)
	public := must(utils.LoadPublicKey(string(p.PublicPEM)))(t)
	var v auth.Verifier = verifiers.NewSHA256WithRSAPubkeyVerifier(p.KeyID, *public)
	if certificate {
		v = verifiers.NewSHA256WithRSACombinedVerifier(s.downloader().GetCertificateVisitor(s.MchID), p.KeyID, *public)
	}
	in := &inbox{t: t, handler: must(notify.NewRSANotifyHandler(s.APIKey, v))(t)}
	in.server = httptest.NewServer(in)
	t.Cleanup(in.server.Close)
	return in
}

// ServeHTTP takes a notification as a merchant's software does.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content := map[string]any{}
	req, err := in.handler.ParseNotifyRequest(context.WithoutCancel(r.Context()), r, &content)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.count++
	switch {
	case in.refuse != nil && in.refuse(in.count):
		w.WriteHeader(http.StatusInternalServerError)
	case err != nil:
		in.bad = append(in.bad, err)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		in.got = append(in.got, received{req.ID, req.EventType, content})
		w.WriteHeader(http.StatusNoContent)
	}
}

// all are the notifications of a kind so far.
func (in *inbox) all(kind string) (out []received) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.got {
		if r.kind == kind {
			out = append(out, r)
		}
	}
	return out
}

// wait waits for a notification about an order.
func (in *inbox) wait(kind, no string) (content map[string]any) {
	in.t.Helper()
	eventually(in.t, kind+" of "+no, func() bool {
		for _, r := range in.all(kind) {
			if r.content["out_trade_no"] == no {
				content = r.content
				return true
			}
		}
		return false
	})
	return content
}
