package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// TestReaderParameters proves that the values follow the rules and every level
// of the settings from one request to the next: the merchant's limit, an
// emergency stop, a terminal that is closed.
func TestReaderParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	s := w.shop("云南米线")
	const closed = "FF80540010FF80550010FF80560010FF80570011FF8058012000000000000FF8059012000000000000FF805A0010"
	union := func() client.ReaderScheme {
		t.Helper()
		p := get[client.ReaderParameters](t)(s.pos.ReaderParameters(ctx, s.terminal.ID, "", "unionpay"))
		if len(p.Schemes) != 1 || p.Terminal != s.terminal.ID || p.DecidedBy.Rules == "" || p.DecidedBy.SettingsEpoch == 0 || p.At.IsZero() {
			t.Fatalf("%+v", p)
		}
		return p.Schemes[0]
	}
	first := union()
	if first.PinFree != 1000_00 || first.Kernel != "unionpay" || first.Currency != "CNY" || first.Reason == nil ||
		first.Reason.Rule != "cn-unionpay-2018/per-payment" || first.Reason.Words.Support.ZH == "" || len(first.Values) != 10 {
		t.Errorf("as the scheme has it: %+v", first)
	}
	if first.TLV != "DF2006999999999999DF2106000000100001DF1906000000000000" {
		t.Errorf("TLV %s", first.TLV)
	}

	limit := money.Of(200_00, "CNY")
	get[client.PolicyResult](t)(s.admin.SetPolicy(ctx, client.OfStore(s.store.ID), client.Terms{PinFree: true, PerPayment: &limit}, nil))
	if got := union(); got.PinFree != 200_00 || got.Reason.Name != "place_per_payment_limit" || got.Reason.ID != string(s.store.ID) ||
		!strings.Contains(got.Reason.Words.Payer.ZH, s.store.Name) || !strings.Contains(got.Field62, "FF8058012000000020000") {
		t.Errorf("with the store's limit: %+v", got)
	}
	stop := get[client.Stop](t)(s.pos.PlaceStop(ctx, client.OfMerchant(s.merchant.ID), "test", time.Hour))
	if got := union(); got.PinFree != 0 || got.Field62 != closed || got.Reason.Name != "emergency_stopped" {
		t.Errorf("stopped: %+v", got)
	}
	w.clock.step(stop.Until.Sub(w.clock.Now()) + time.Second)
	if got := union(); got.PinFree != 200_00 {
		t.Errorf("after the stop: %+v", got)
	}
	get[client.PolicyResult](t)(s.pos.SetPolicy(ctx, client.OfTerminal(s.terminal.ID), client.Terms{PinFree: true, Methods: []string{"payment_code"}}, nil))
	if got := union(); got.PinFree != 0 || got.Field62 != strings.Replace(closed, "FF80570011", "FF80570010", 1) || got.TLV != "DF2006000000000000DF2106000000000000DF1906000000000000" {
		t.Errorf("without taps: %+v", got)
	}
}

// TestReaderParametersInput proves what is asked for: the usual schemes, one
// currency, names that are names; and that nobody sees a terminal of others.
func TestReaderParametersInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	s, other := w.shop("云南米线"), w.shop("兰州拉面")
	p := get[client.ReaderParameters](t)(s.admin.ReaderParameters(ctx, s.terminal.ID, "EUR"))
	var got []string
	for _, one := range p.Schemes {
		got = append(got, one.Scheme+" "+one.Kernel+" "+one.Currency)
		if one.PinFree != 0 || one.Reason == nil {
			t.Errorf("no rule permits euros in China: %+v", one)
		}
	}
	if diff := cmp.Diff([]string{"unionpay unionpay EUR", "visa entry_point EUR", "mastercard c2 EUR", "amex entry_point EUR"}, got); diff != "" {
		t.Error(diff)
	}
	at := slices.IndexFunc(p.Schemes[2].Values, func(v client.ReaderValue) bool { return v.Tag == "DF8126" && v.Minor != nil && *v.Minor == 0 })
	if at != 3 || p.Schemes[2].Field62 != "" {
		t.Errorf("kernel C-2: %+v", p.Schemes[2])
	}
	for field, ask := range map[string]func() (client.ReaderParameters, error){
		"schemes": func() (client.ReaderParameters, error) { return s.pos.ReaderParameters(ctx, s.terminal.ID, "", "Visa") },
		"currency": func() (client.ReaderParameters, error) {
			return s.pos.ReaderParameters(ctx, s.terminal.ID, "yuan", "visa")
		},
	} {
		wantProblem(t, failed(ask()), 422, "invalid", field)
	}
	many := slices.Repeat([]string{"visa"}, 21)
	wantProblem(t, failed(s.pos.ReaderParameters(ctx, s.terminal.ID, "", many...)), 422, "invalid", "schemes")
	wantProblem(t, failed(other.pos.ReaderParameters(ctx, s.terminal.ID, "")), 403, "not_allowed", "")
	wantProblem(t, failed(w.operator.ReaderParameters(ctx, mianmi.TerminalID("tm0"), "")), 404, "not_found", "")
}
