package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

// unasked is the rest of the service, which is not asked.
type unasked interface{ api.Payments }

// stub answers authorizations at once, so that what is measured is the way
// to the service and back.
type stub struct {
	unasked
	answer payment.Payment
	snap   *settings.Snapshot
	rules  *pinfree.RuleSet
}

func (s *stub) Authorize(_ context.Context, _ mianmi.Actor, r payment.Request) (*payment.Payment, error) {
	p := s.answer
	p.OrderNo, p.Amount = r.OrderNo, r.Amount
	return &p, nil
}

func (s *stub) AuthorizeMany(ctx context.Context, a mianmi.Actor, rs []payment.Request) ([]payment.Result, error) {
	out := make([]payment.Result, len(rs))
	for i := range rs {
		out[i].Payment, out[i].Err = s.Authorize(ctx, a, rs[i])
	}
	return out, nil
}

func (s *stub) Site(_ context.Context, id mianmi.TerminalID) (settings.Site, bool) {
	return s.snap.Site(id)
}

func (s *stub) RulesSeen(context.Context) *pinfree.RuleSet { return s.rules }

func newStub(outcome pinfree.Outcome) *stub {
	snap := new(settings.Snapshot).With(settings.Changes{Epoch: 7,
		Merchants: []merchant.Merchant{{ID: "mc1", Name: "晨光超市", Currency: "CNY"}},
		Stores:    []merchant.Store{{ID: "st1", Merchant: "mc1", Name: "人民路店", Address: "人民路 1 号"}},
		Models:    []terminal.Model{{ID: "md1", Name: "N900", Proof: terminal.ByHost}},
		Terminals: []terminal.Terminal{{ID: "tm1", Store: "st1", Merchant: "mc1", Model: "md1", Name: "收银台 1"}}})
	p := payment.Payment{ID: "pm3a01j9zqk4x8b2c3d4e5f6g7h8j9", Payer: "py01j9zqk4x8b2c3d4e5f6g7h8j9", Merchant: "mc1", Store: "st1", Terminal: "tm1",
		Method: pinfree.PaymentCode, Entry: pinfree.Scanned, Channel: "wallet", Outcome: outcome, Rules: "0123456789ab", Epoch: 7, PayerVersion: 3,
		State: payment.Approved, CreatedAt: noon, StateAt: noon, Version: 1}
	p.Reasons = []pinfree.Why{{Reason: pinfree.WithinLimits, Layer: pinfree.LayerScheme, Rule: "cn-wechat-paycode-2025/per-payment",
		Limit: 1000_00, Actual: 18_00, Currency: "CNY"}}
	if outcome == pinfree.StepUp {
		p.State, p.StepUp, p.ExpiresAt = payment.StepUpRequired, pinfree.ByPhonePassword|pinfree.ByDynamicQR, noon.Add(90*time.Second)
		p.Reasons = []pinfree.Why{{Reason: pinfree.PayerClosed, Layer: pinfree.LayerPayer, Version: 3},
			{Reason: pinfree.TerminalClosed, Layer: pinfree.LayerTerminal, ID: "tm1", Version: 2}}
	}
	return &stub{answer: p, snap: snap}
}

// sink takes an answer and forgets it.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(n int)   { s.status = n }
func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

// BenchmarkAuthorizeHandler is decode, authenticate, put into words and
// encode; without net/http, and with a service that answers at once.
func BenchmarkAuthorizeHandler(b *testing.B) {
	for _, outcome := range []pinfree.Outcome{pinfree.PinFree, pinfree.StepUp} {
		s := newStub(outcome)
		p := newParts(b, "sqlite", api.Config{}, s)
		token := benchKey(b, p)
		body := `{"terminal":"tm1","order_no":"20260703-000001","amount":{"minor":1800,"currency":"CNY"},"method":"payment_code","code":"880581234567890123","entry":"scanned"}`
		run := func(path, body string, each int) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				like := httptest.NewRequest(http.MethodPost, path, nil)
				like.ContentLength = int64(len(body))
				like.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
				for range b.N {
					r := *like // ServeMux writes to it
					r.Body = io.NopCloser(strings.NewReader(body))
					w := &sink{header: http.Header{}}
					p.server.ServeHTTP(w, &r)
					if w.status != 0 && w.status != http.StatusOK {
						b.Fatalf("status %d", w.status)
					}
					b.SetBytes(int64(w.bytes))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*each), "ns/payment")
			}
		}
		b.Run(outcome.String()+"/one", run("/v1/payments", body, 1))
		var many bytes.Buffer
		many.WriteString(`{"payments":[`)
		for i := range 100 {
			if i > 0 {
				many.WriteByte(',')
			}
			many.WriteString(body)
		}
		many.WriteString(`]}`)
		b.Run(outcome.String()+"/hundred", run("/v1/payment-batches", many.String(), 100))
	}
}

// benchKey makes an API key without a server.
func benchKey(b testing.TB, p *parts) string {
	b.Helper()
	_, token, err := p.access.CreateKey(b.Context(), mianmi.Actor{Role: mianmi.RoleOperator, ID: "bench"}, accessKey(benchMerchant(b, p)))
	must(b, err)
	return token
}

func benchMerchant(b testing.TB, p *parts) mianmi.MerchantID {
	b.Helper()
	m, err := p.merchants.CreateMerchant(b.Context(), mianmi.Actor{Role: mianmi.RoleOperator, ID: "bench"},
		merchant.Merchant{Name: "bench", Currency: "CNY", Facts: merchant.Facts{Country: "CN"}})
	must(b, err)
	return m.ID
}
