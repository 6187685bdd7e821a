package packs

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// noon is inside the dates of every pack that is still in force.
const noon = "2026-11-23T12:00:00Z"

// try is one payment under some packs. Its zero fields are those of a usual
// payment: a tap of a known card, all asked and consented.
type try struct {
	currency money.Currency
	minor    int64
	at       string
	change   func(*pinfree.Input)
	account  string // "account" when left out; "-" is none
	stored   pinfree.Counters
}

// readOnce reads the packs once for all tests.
var readOnce = sync.OnceValues(Embedded)

// together puts packs in force, with the readings named for some of them.
func together(t *testing.T, ids []string, readings ...string) *pinfree.RuleSet {
	t.Helper()
	all, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	var taken []pinfree.Pack
	for _, p := range all {
		if !slices.Contains(ids, p.ID) {
			continue
		}
		for _, r := range readings {
			if other, err := p.Take(r); err == nil {
				p = other
			}
		}
		taken = append(taken, p)
	}
	if len(taken) != len(ids) {
		t.Fatalf("%d of the packs %v are readOnce", len(taken), ids)
	}
	set, err := pinfree.Compile(taken)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// input is the payment as a service would ask about it.
func (y try) input(t *testing.T, set *pinfree.RuleSet) pinfree.Input {
	t.Helper()
	if y.at == "" {
		y.at = noon
	}
	at, err := time.Parse(time.RFC3339, y.at)
	if err != nil {
		t.Fatal(err)
	}
	on := func(k pinfree.LayerKind) pinfree.Layer {
		return pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()}
	}
	f := pinfree.Facts{Type: "sale", Offline: pinfree.No, Consent: "given", Contactless: pinfree.Yes}
	f.Figures[pinfree.PayerPaymentLimit] = pinfree.NoFigure
	in := pinfree.Input{
		Amount: money.Of(y.minor, y.currency), Method: pinfree.CardTap, At: at, Rules: set, Facts: &f,
		Card:   pinfree.Card{Scheme: "visa", Kind: "debit", Domestic: true, Instrument: "card"},
		Place:  pinfree.Place{MCC: 5411, Country: string(y.currency)[:2]},
		Layers: []pinfree.Layer{on(pinfree.LayerPayer), on(pinfree.LayerMerchant), on(pinfree.LayerTerminal)},
		Can:    pinfree.ByTerminalPIN | pinfree.ByPhonePassword,
	}
	if y.change != nil {
		y.change(&in)
	}
	in.Counts = set.Roll(nil, y.stored, y.subject(&in), in.At)
	return in
}

func (y try) subject(in *pinfree.Input) pinfree.Subject {
	s := pinfree.Subject{Instrument: in.Card.Instrument, Account: cmp.Or(y.account, "account")}
	if y.account == "-" {
		s.Account = ""
	}
	return s
}

// outcome decides the payment.
func (y try) outcome(t *testing.T, set *pinfree.RuleSet) string {
	t.Helper()
	return pinfree.Decide(y.input(t, set)).Outcome.String()
}

// The ways in which a payment differs from the usual one.

func scheme(s string) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Card.Scheme = s }
}

func issuer(s string) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Facts.Issuer = s }
}

func offline(in *pinfree.Input) { in.Facts.Offline = pinfree.Yes }

func wallet(in *pinfree.Input) { in.Method = pinfree.DeviceWallet }

// mandate makes it the second debit under a mandate that is in order.
func mandate(in *pinfree.Input) {
	in.Method, in.Card = pinfree.MandateDebit, pinfree.Card{}
	in.Facts.Mandate = pinfree.Mandate{Registered: pinfree.Yes, Begun: pinfree.Yes, Withdrawn: pinfree.No, Skipped: pinfree.No, NoticeHours: 24}
}

func category(c string) func(*pinfree.Input) {
	return func(in *pinfree.Input) { mandate(in); in.Facts.Mandate.Category = c }
}

// all makes several changes one.
func all(changes ...func(*pinfree.Input)) func(*pinfree.Input) {
	return func(in *pinfree.Input) {
		for _, c := range changes {
			c(in)
		}
	}
}

// TestBoundaries proves each amount of the world's packs to the minor unit: the
// most that goes without a PIN, and what becomes of one more.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	citi := all(scheme("visa"), issuer("citi-hk"))
	active := func(in *pinfree.Input) {
		in.Card.Scheme, in.Facts.Issuer, in.Facts.Activated = "interac", "nlcu", pinfree.Yes
	}
	inactive := func(in *pinfree.Input) { active(in); in.Facts.Activated = pinfree.No }
	td := func(in *pinfree.Input) {
		in.Card.Scheme, in.Facts.Issuer = "interac", "td"
		in.Facts.Figures[pinfree.IssuerPaymentLimit] = 12345
	}
	hlb := func(total int64) func(*pinfree.Input) {
		return func(in *pinfree.Input) {
			in.Card.Scheme, in.Facts.Issuer = "mydebit", "hlb"
			in.Facts.Figures[pinfree.PayerCumulativeLimit] = total
		}
	}
	own := func(in *pinfree.Input) { in.Facts.Figures[pinfree.PayerPaymentLimit] = 100000 }
	tests := []struct {
		name    string
		packs   []string
		reading string
		try     try
		above   string
	}{
		{"India, taps until 2020", []string{"in-rbi-contactless-2015"}, "", try{currency: "INR", minor: 200000, at: "2020-06-01T12:00:00Z"}, "step_up"},
		{"India, taps since 2021", []string{"in-rbi-contactless-2021"}, "", try{currency: "INR", minor: 500000}, "step_up"},
		{"India, the holder's own limit", []string{"in-rbi-contactless-2021", "in-rbi-card-controls-2020"}, "", try{currency: "INR", minor: 100000, change: own}, "refused"},
		{"India, the holder's own limit read as one on PIN-free", []string{"in-rbi-contactless-2021", "in-rbi-card-controls-2020"}, "holder_limit_asks", try{currency: "INR", minor: 100000, change: own}, "step_up"},
		{"India, offline in 2022", []string{"in-rbi-offline-2022"}, "", try{currency: "INR", minor: 20000, at: "2022-06-01T12:00:00Z", change: offline}, "refused"},
		{"India, a wallet offline in 2022", []string{"in-rbi-offline-2022"}, "", try{currency: "INR", minor: 20000, at: "2022-06-01T12:00:00Z", change: all(wallet, offline)}, "refused"},
		{"India, UPI Lite", []string{"in-upi-lite-2024"}, "", try{currency: "INR", minor: 100000, change: wallet}, "step_up"},
		{"Directions 2025, taps", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 500000}, "step_up"},
		{"Directions 2025, offline", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 50000, change: offline}, "refused"},
		{"Directions 2025, UPI Lite", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 100000, change: wallet}, "step_up"},
		{"Directions 2025, a mandate of another kind", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 1500000, change: category("streaming")}, "step_up"},
		{"Directions 2025, a mandate of unknown kind", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 1500000, change: mandate}, "step_up"},
		{"Directions 2025, a mandate for a mutual fund", []string{"in-rbi-auth-directions-2025"}, "", try{currency: "INR", minor: 10000000, change: category("mutual_fund")}, "step_up"},
		{"E-mandates, of another kind", []string{"in-rbi-emandate-2026"}, "", try{currency: "INR", minor: 1500000, change: category("streaming")}, "step_up"},
		{"E-mandates, of unknown kind", []string{"in-rbi-emandate-2026"}, "", try{currency: "INR", minor: 1500000, change: mandate}, "step_up"},
		{"E-mandates, insurance", []string{"in-rbi-emandate-2026"}, "", try{currency: "INR", minor: 10000000, change: category("insurance_premium")}, "step_up"},
		{"E-mandates, a card's bill", []string{"in-rbi-emandate-2026"}, "", try{currency: "INR", minor: 10000000, change: category("credit_card_bill")}, "step_up"},
		{"Canada, Interac", []string{"ca-interac"}, "", try{currency: "CAD", minor: 25000, change: scheme("interac")}, "step_up"},
		{"Canada, a credit union, active", []string{"ca-interac", "ca-interac-issuer-400"}, "", try{currency: "CAD", minor: 25000, change: active}, "step_up"},
		{"Canada, a credit union, not yet active", []string{"ca-interac", "ca-interac-issuer-400"}, "", try{currency: "CAD", minor: 10000, change: inactive}, "step_up"},
		{"Canada, TD's own limit", []string{"ca-interac", "ca-interac-issuer-td"}, "", try{currency: "CAD", minor: 12345, change: td}, "step_up"},
		{"Australia", []string{"au-scheme"}, "", try{currency: "AUD", minor: 20000}, "step_up"},
		{"Switzerland", []string{"ch-scheme"}, "", try{currency: "CHF", minor: 8000}, "step_up"},
		{"Switzerland, read as below", []string{"ch-scheme"}, "below", try{currency: "CHF", minor: 7999}, "step_up"},
		{"Hong Kong, Citi", []string{"hk-issuer-citi"}, "", try{currency: "HKD", minor: 100000, change: citi}, "step_up"},
		{"Singapore", []string{"sg-scheme"}, "", try{currency: "SGD", minor: 20000}, "step_up"},
		{"Singapore, the older limit", []string{"sg-scheme"}, "one_hundred", try{currency: "SGD", minor: 10000}, "step_up"},
		{"Japan", []string{"jp-scheme"}, "", try{currency: "JPY", minor: 10000}, "step_up"},
		{"Japan, where terminals are set to 15,000", []string{"jp-scheme"}, "fifteen_thousand", try{currency: "JPY", minor: 15000}, "step_up"},
		{"Brazil", []string{"br-abecs"}, "", try{currency: "BRL", minor: 20000}, "step_up"},
		{"Malaysia, MyDebit", []string{"my-mydebit"}, "", try{currency: "MYR", minor: 25000, change: scheme("mydebit")}, "step_up"},
		{"Malaysia, Hong Leong until 2021", []string{"my-mydebit", "my-issuer-hlb-2020"}, "", try{currency: "MYR", minor: 25000, at: "2021-09-01T12:00:00Z", change: hlb(0)}, "step_up"},
		{"Malaysia, Hong Leong", []string{"my-mydebit", "my-issuer-hlb-2021"}, "", try{currency: "MYR", minor: 25000, change: hlb(pinfree.NoFigure)}, "step_up"},
		{"Malaysia, Hong Leong with the holder's own total", []string{"my-mydebit", "my-issuer-hlb-2021"}, "", try{currency: "MYR", minor: 700, change: hlb(700)}, "step_up"},
		{"Nigeria", []string{"ng-cbn-2023"}, "", try{currency: "NGN", minor: 1500000}, "step_up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := together(t, tt.packs, tt.reading)
			if got := tt.try.outcome(t, set); got != "pin_free" {
				t.Errorf("at the limit: %s, %v", got, pinfree.Decide(tt.try.input(t, set)).Reasons)
			}
			tt.try.minor++
			if got := tt.try.outcome(t, set); got != tt.above {
				t.Errorf("above the limit: want %s, got %s", tt.above, got)
			}
		})
	}
}
