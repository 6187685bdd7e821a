package packs

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// happening is one thing in a sequence: a payment unless kind says otherwise.
type happening struct {
	minor  int64
	want   string            // of the decision; empty: none is taken
	kind   pinfree.EventKind // what then happened; 0: executed if it was PIN-free, else given up
	later  time.Duration     // since the one before
	number int               // how often; 0: once
	card   string            // another one than before
}

// TestTotals proves each counter of the world's packs: to the minor unit, in
// its zone's day, and with what does and does not reset it.
func TestTotals(t *testing.T) {
	t.Parallel()
	const topUp, inApp, withPIN = pinfree.ToppedUpAuthenticated, pinfree.SCAOutOfBand, pinfree.ExecutedAuthenticated
	union := func(in *pinfree.Input) {
		in.Card.Scheme, in.Facts.Issuer, in.Facts.Activated = "interac", "nlcu", pinfree.Yes
	}
	hlb := func(in *pinfree.Input) {
		in.Card.Scheme, in.Facts.Issuer = "mydebit", "hlb"
		in.Facts.Figures[pinfree.PayerCumulativeLimit] = pinfree.NoFigure
	}
	sydney := issuer("sydney-mutual")
	upiLite := []happening{
		{minor: 100000, want: "pin_free", number: 4}, {minor: 900000, want: "refused"}, {minor: 100000, want: "pin_free", kind: withPIN},
		{minor: 99999, want: "pin_free"}, {minor: 2, want: "refused"}, {minor: 1, want: "pin_free"}, {minor: 1, want: "refused"},
		{minor: 1, want: "pin_free", card: "other"}, {kind: topUp}, {minor: 1, want: "pin_free"}}
	tests := []struct {
		name  string
		packs []string
		try   try
		steps []happening
	}{
		{"Nigeria: 50,000 a day, and no PIN helps above", []string{"ng-cbn-2023"}, try{currency: "NGN", at: "2026-11-23T21:00:00Z"}, []happening{
			{minor: 1500000, want: "pin_free", number: 3}, {minor: 500001, want: "refused"}, {minor: 500000, want: "pin_free"}, {minor: 1, want: "refused"},
			{minor: 1, want: "refused", later: 2*time.Hour - time.Second}, {minor: 1, want: "pin_free", later: time.Second}}},
		{"Nigeria: taps with the PIN count", []string{"ng-cbn-2023"}, try{currency: "NGN"}, []happening{
			{minor: 4000000, want: "step_up", kind: withPIN}, {minor: 1000000, want: "pin_free"}, {minor: 1, want: "refused"}}},
		{"Nigeria: another card of the same account", []string{"ng-cbn-2023"}, try{currency: "NGN"}, []happening{
			{minor: 1500000, want: "pin_free", number: 3}, {minor: 500001, want: "refused", card: "other"}, {minor: 500000, want: "pin_free", card: "other"}}},
		{"Nigeria: whose account is not known", []string{"ng-cbn-2023"}, try{currency: "NGN", account: "-"}, []happening{{minor: 1, want: "refused"}}},
		{"India offline in 2022: 2,000 until topped up", []string{"in-rbi-offline-2022"}, try{currency: "INR", at: "2022-06-01T12:00:00Z", change: offline}, []happening{
			{minor: 20000, want: "pin_free", number: 9}, {minor: 20000, want: "pin_free", kind: withPIN}, {minor: 1, want: "refused"},
			{minor: 1, want: "pin_free", card: "other"}, {kind: inApp}, {minor: 1, want: "refused", later: 48 * time.Hour},
			{kind: topUp}, {minor: 20000, want: "pin_free"}}},
		{"India offline since 2026: 2,000 until topped up", []string{"in-rbi-auth-directions-2025"}, try{currency: "INR", change: offline}, []happening{
			{minor: 50000, want: "pin_free", number: 3}, {minor: 49999, want: "pin_free"}, {minor: 2, want: "refused"}, {minor: 1, want: "pin_free", kind: withPIN},
			{minor: 1, want: "refused"}, {minor: 1, want: "pin_free", card: "other"}, {kind: topUp}, {minor: 1, want: "pin_free"}}},
		{"UPI Lite: 5,000 until topped up, the bank account apart", []string{"in-upi-lite-2024"}, try{currency: "INR", change: wallet}, upiLite},
		{"UPI Lite under the Directions of 2025", []string{"in-rbi-auth-directions-2025"}, try{currency: "INR", change: wallet}, upiLite},
		{"a Canadian credit union: 400 until the PIN", []string{"ca-interac", "ca-interac-issuer-400"}, try{currency: "CAD", change: union}, []happening{
			{minor: 25000, want: "pin_free"}, {minor: 15000, want: "pin_free"}, {minor: 1, want: "step_up", later: 72 * time.Hour}, {minor: 1, want: "pin_free", card: "other"}, {kind: inApp},
			{minor: 1, want: "step_up", kind: withPIN}, {minor: 25000, want: "pin_free"}}},
		{"Sydney Mutual: 500 a day, and the PIN does not reset it", []string{"au-scheme", "au-issuer-sydney-mutual"},
			try{currency: "AUD", at: "2026-11-23T11:00:00Z", change: sydney}, []happening{
				{minor: 20000, want: "pin_free", number: 2}, {minor: 10001, want: "step_up"}, {minor: 10000, want: "pin_free"},
				{minor: 1, want: "step_up", kind: withPIN}, {minor: 1, want: "step_up", later: 2*time.Hour - time.Second, kind: withPIN},
				{minor: 20000, want: "pin_free", later: time.Second}}},
		{"Sydney Mutual: ten a day", []string{"au-scheme", "au-issuer-sydney-mutual"}, try{currency: "AUD", change: sydney}, []happening{
			{minor: 1, want: "pin_free", number: 10}, {minor: 1, want: "step_up"}, {minor: 1, want: "pin_free", card: "other"}}},
		{"Sydney Mutual: taps with the PIN count", []string{"au-scheme", "au-issuer-sydney-mutual"}, try{currency: "AUD", change: sydney}, []happening{
			{minor: 30000, want: "step_up", kind: withPIN}, {minor: 20000, want: "pin_free"}, {minor: 1, want: "step_up"}}},
		{"Hong Leong since 2021: 800, by the day or the PIN", []string{"my-mydebit", "my-issuer-hlb-2021"},
			try{currency: "MYR", at: "2026-11-23T14:00:00Z", change: hlb}, []happening{
				{minor: 25000, want: "pin_free", number: 3}, {minor: 5000, want: "pin_free"}, {kind: inApp}, {minor: 1, want: "pin_free", card: "other"}, {minor: 1, want: "step_up", kind: withPIN},
				{minor: 25000, want: "pin_free", number: 3}, {minor: 5001, want: "step_up"},
				{minor: 25000, want: "pin_free", later: 2 * time.Hour}}},
		{"Hong Leong until 2021: 800, by the PIN alone", []string{"my-mydebit", "my-issuer-hlb-2020"},
			try{currency: "MYR", at: "2021-09-01T14:00:00Z", change: hlb}, []happening{
				{minor: 25000, want: "pin_free", number: 3}, {minor: 5000, want: "pin_free"}, {minor: 1, want: "step_up", later: 72 * time.Hour, kind: withPIN},
				{minor: 25000, want: "pin_free"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := together(t, tt.packs)
			for i, s := range tt.steps {
				for range max(s.number, 1) {
					tt.try.step(t, set, i, s)
				}
			}
		})
	}
}

// step asks, compares, and records what happened.
func (y *try) step(t *testing.T, set *pinfree.RuleSet, i int, s happening) {
	t.Helper()
	if y.at == "" {
		y.at = noon
	}
	at, err := time.Parse(time.RFC3339, y.at)
	if err != nil {
		t.Fatal(err)
	}
	y.at, y.minor = at.Add(s.later).Format(time.RFC3339), max(s.minor, 1)
	in := y.input(t, set)
	if s.card != "" {
		in.Card.Instrument = s.card
		in.Counts = set.Roll(nil, y.stored, y.subject(&in), in.At)
	}
	if s.want != "" {
		d := pinfree.Decide(in)
		if got := d.Outcome.String(); got != s.want {
			t.Errorf("step %d, %d: want %s, got %s, %v", i, s.minor, s.want, got, d.Reasons)
		}
		if s.kind == 0 && d.Outcome == pinfree.PinFree {
			s.kind = pinfree.ExecutedPinFree
		}
	}
	if s.kind == 0 {
		return
	}
	y.stored = set.Record(y.stored, pinfree.Event{Kind: s.kind, Method: in.Method, Subject: y.subject(&in), Place: in.Place, Card: in.Card,
		Facts: in.Facts, Minor: s.minor, Currency: y.currency, Decided: in.At, At: in.At})
}

// TestDates proves the first and the last moment of each dated pack, in its zone.
func TestDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		packs        []string
		try          try
		before, from string // the outcome until the instant, and from it on
	}{
		{"contactless 2015 begins", []string{"in-rbi-contactless-2015"}, try{currency: "INR", minor: 1, at: "2015-05-13T18:30:00Z"}, "step_up", "pin_free"},
		{"contactless 2015 gives way to 2021", []string{"in-rbi-contactless-2015", "in-rbi-contactless-2021"},
			try{currency: "INR", minor: 500000, at: "2020-12-31T18:30:00Z"}, "step_up", "pin_free"},
		{"contactless 2015 ends", []string{"in-rbi-contactless-2015"}, try{currency: "INR", minor: 1, at: "2020-12-31T18:30:00Z"}, "pin_free", "step_up"},
		{"card controls begin", []string{"in-rbi-contactless-2015", "in-rbi-card-controls-2020"},
			try{currency: "INR", minor: 1, at: "2020-09-30T18:30:00Z", change: contactless(pinfree.No)}, "pin_free", "refused"},
		{"offline 2022 begins", []string{"in-rbi-offline-2022"}, try{currency: "INR", minor: 1, at: "2022-01-02T18:30:00Z", change: offline}, "step_up", "pin_free"},
		{"offline 2022 ends", []string{"in-rbi-offline-2022"}, try{currency: "INR", minor: 1, at: "2023-08-23T18:30:00Z", change: offline}, "pin_free", "step_up"},
		{"UPI Lite begins", []string{"in-upi-lite-2024"}, try{currency: "INR", minor: 1, at: "2024-12-03T18:30:00Z", change: wallet}, "step_up", "pin_free"},
		{"Directions 2025 begin", []string{"in-rbi-auth-directions-2025"}, try{currency: "INR", minor: 1, at: "2026-03-31T18:30:00Z"}, "step_up", "pin_free"},
		{"E-mandates begin", []string{"in-rbi-emandate-2026"}, try{currency: "INR", minor: 1, at: "2026-04-20T18:30:00Z", change: mandate}, "step_up", "pin_free"},
		{"a Canadian credit union begins", []string{"ca-interac", "ca-interac-issuer-400"},
			try{currency: "CAD", minor: 10001, at: "2021-04-21T04:00:00Z", change: scheme("interac")}, "pin_free", "step_up"},
		{"Australia begins", []string{"au-scheme"}, try{currency: "AUD", minor: 1, at: "2020-04-06T14:00:00Z"}, "step_up", "pin_free"},
		{"Switzerland begins", []string{"ch-scheme"}, try{currency: "CHF", minor: 1, at: "2020-04-14T22:00:00Z"}, "step_up", "pin_free"},
		{"Brazil begins", []string{"br-abecs"}, try{currency: "BRL", minor: 1, at: "2020-12-17T03:00:00Z"}, "step_up", "pin_free"},
		{"Hong Leong lets the holder choose", []string{"my-mydebit", "my-issuer-hlb-2020", "my-issuer-hlb-2021"},
			try{currency: "MYR", minor: 1, at: "2021-09-07T16:00:00Z", change: all(scheme("mydebit"), issuer("hlb"))}, "pin_free", "step_up"},
		{"Nigeria begins", []string{"ng-cbn-2023"}, try{currency: "NGN", minor: 1, at: "2023-06-26T23:00:00Z"}, "step_up", "pin_free"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := together(t, tt.packs)
			in := tt.try.input(t, set)
			if got := pinfree.Decide(in).Outcome.String(); got != tt.from {
				t.Errorf("at the instant: want %s, got %s", tt.from, got)
			}
			in.At = in.At.Add(-time.Millisecond)
			if got := pinfree.Decide(in).Outcome.String(); got != tt.before {
				t.Errorf("just before: want %s, got %s", tt.before, got)
			}
		})
	}
}

func consent(c string) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Facts.Consent = c }
}

func contactless(f pinfree.Flag) func(*pinfree.Input) {
	return func(in *pinfree.Input) { in.Facts.Contactless = f }
}

// TestUnknownIsStricter proves what becomes of a payment about which something
// that the rule rests on is not known, or not as it should be.
func TestUnknownIsStricter(t *testing.T) {
	t.Parallel()
	controls := []string{"in-rbi-contactless-2021", "in-rbi-card-controls-2020"}
	mandates := []string{"in-rbi-emandate-2026"}
	union, hlb := []string{"ca-interac", "ca-interac-issuer-400"}, []string{"my-mydebit", "my-issuer-hlb-2021"}
	td := []string{"ca-interac", "ca-interac-issuer-td"}
	interac, mydebit := scheme("interac"), scheme("mydebit")
	debit := func(change func(*pinfree.Mandate)) func(*pinfree.Input) {
		return func(in *pinfree.Input) { mandate(in); change(&in.Facts.Mandate) }
	}
	maybeOffline := func(in *pinfree.Input) { in.Facts.Offline = pinfree.NotKnown }
	active := func(in *pinfree.Input) { in.Facts.Activated = pinfree.Yes }
	limited := func(in *pinfree.Input) { in.Facts.Figures[pinfree.IssuerPaymentLimit] = 20000 }
	nowhere := func(in *pinfree.Input) { in.Place.Country = "" }
	abroad := func(in *pinfree.Input) { in.Place.Country = "US" }
	tests := []struct {
		name   string
		packs  []string
		change func(*pinfree.Input)
		want   string
	}{
		{"nobody says whether the tap was online", []string{"in-rbi-contactless-2021"}, maybeOffline, "step_up"},
		{"offline taps are not the circular's of 2021", []string{"in-rbi-contactless-2021"}, offline, "step_up"},
		{"a tap in no known country", []string{"in-rbi-contactless-2021"}, nowhere, "step_up"},
		{"a tap in rupees elsewhere", []string{"in-rbi-contactless-2021"}, abroad, "step_up"},
		{"the holder's switch is on", controls, contactless(pinfree.Yes), "pin_free"},
		{"the holder's switch is off", controls, contactless(pinfree.No), "refused"},
		{"the holder's switch is off, the phone verified its holder", controls, func(in *pinfree.Input) {
			in.Facts.Contactless, in.CVM = pinfree.No, pinfree.CDCVM
		}, "refused"},
		{"the holder's switch is not known", controls, contactless(pinfree.NotKnown), "refused"},
		{"PIN-free is closed, tapping is not: not for these controls to say", controls, consent("closed"), "pin_free"},
		{"the holder's own limit is not known", controls, func(in *pinfree.Input) { in.Facts.Figures = pinfree.Figures{} }, "refused"},
		{"nobody says anything", controls, func(in *pinfree.Input) { in.Facts = nil }, "refused"},
		{"offline payment without consent", []string{"in-rbi-auth-directions-2025"}, all(offline, consent("default")), "refused"},
		{"offline payment with consent unknown", []string{"in-rbi-auth-directions-2025"}, all(offline, consent("")), "refused"},
		{"offline payment, the contactless switch off", []string{"in-rbi-auth-directions-2025"}, all(offline, contactless(pinfree.No)), "pin_free"},
		{"a wallet that nobody names", []string{"in-upi-lite-2024"}, func(in *pinfree.Input) { wallet(in); in.Card.Instrument = "" }, "refused"},
		{"a mandate of which nothing is known", mandates, debit(func(m *pinfree.Mandate) { *m = pinfree.Mandate{} }), "refused"},
		{"a mandate not known to be registered", mandates, debit(func(m *pinfree.Mandate) { m.Registered = pinfree.NotKnown }), "step_up"},
		{"a mandate that was not registered", mandates, debit(func(m *pinfree.Mandate) { m.Registered = pinfree.No }), "step_up"},
		{"the first debit", mandates, debit(func(m *pinfree.Mandate) { m.Begun = pinfree.No }), "step_up"},
		{"the first debit, together with the registration", mandates, debit(func(m *pinfree.Mandate) { m.Begun, m.NoticeHours = pinfree.No, 0 }), "step_up"},
		{"notice a moment too late", mandates, debit(func(m *pinfree.Mandate) { m.NoticeHours = 23 }), "refused"},
		{"no notice", mandates, debit(func(m *pinfree.Mandate) { m.NoticeHours = 0 }), "refused"},
		{"no notice, and the kind is known", mandates, debit(func(m *pinfree.Mandate) { m.NoticeHours, m.Category = 0, "mutual_fund" }), "refused"},
		{"no notice of a FASTag top-up", mandates, debit(func(m *pinfree.Mandate) { m.NoticeHours, m.Category = 0, "fastag_ncmc_auto_replenishment" }), "pin_free"},
		{"a withdrawn mandate", mandates, debit(func(m *pinfree.Mandate) { m.Withdrawn = pinfree.Yes }), "refused"},
		{"a mandate that may be withdrawn", mandates, debit(func(m *pinfree.Mandate) { m.Withdrawn = pinfree.NotKnown }), "refused"},
		{"a debit that was skipped", mandates, debit(func(m *pinfree.Mandate) { m.Skipped = pinfree.Yes }), "refused"},
		{"a debit that may be skipped", mandates, debit(func(m *pinfree.Mandate) { m.Skipped = pinfree.NotKnown }), "refused"},
		{"the Directions ask at the first debit as well", []string{"in-rbi-auth-directions-2025"}, debit(func(m *pinfree.Mandate) { m.Begun = pinfree.No }), "step_up"},
		{"a Canadian card of no known scheme", []string{"ca-interac"}, scheme(""), "step_up"},
		{"a Canadian card of another issuer", union, all(interac, issuer("other")), "pin_free"},
		{"a Canadian card of no known issuer", union, interac, "step_up"},
		{"new limits not known to be active", union, all(interac, issuer("nlcu")), "step_up"},
		{"new limits active", union, all(interac, issuer("fusion-credit-union"), active), "pin_free"},
		{"TD without its limit", td, all(interac, issuer("td")), "step_up"},
		{"TD, on by default", td, all(interac, issuer("td"), limited, consent("default")), "pin_free"},
		{"TD, disabled", td, all(interac, issuer("td"), limited, consent("closed")), "step_up"},
		{"TD, not known whether disabled", td, all(interac, issuer("td"), limited, consent("")), "step_up"},
		{"a Hong Kong card of no known issuer", []string{"hk-issuer-citi"}, nil, "step_up"},
		{"a Hong Kong card of another scheme", []string{"hk-issuer-citi"}, all(issuer("citi-hk"), scheme("mastercard")), "step_up"},
		{"Hong Leong without the holder's total", hlb, all(mydebit, issuer("hlb")), "step_up"},
		{"Hong Leong, disabled by the holder", hlb, all(mydebit, issuer("hlb"), func(in *pinfree.Input) { in.Facts.Figures[pinfree.PayerCumulativeLimit] = 0 }), "step_up"},
		{"UnionPay in Singapore", []string{"sg-scheme"}, scheme("unionpay"), "step_up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			y := try{currency: currencyOf[tt.packs[0][:2]], minor: 10001, change: tt.change}
			if got := y.outcome(t, together(t, tt.packs)); got != tt.want {
				t.Errorf("want %s, got %s", tt.want, got)
			}
		})
	}
}

// currencyOf is the currency of the world's packs, by the country in their IDs.
var currencyOf = map[string]money.Currency{"in": "INR", "ca": "CAD", "au": "AUD", "ch": "CHF", "hk": "HKD", "sg": "SGD",
	"jp": "JPY", "br": "BRL", "my": "MYR", "ng": "NGN"}

// TestConfined proves that the world's packs leave alone what they do not speak
// about: other currencies, other methods, and taps in other countries.
func TestConfined(t *testing.T) {
	t.Parallel()
	list, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range list {
		own, ok := currencyOf[p.ID[:2]]
		if !ok {
			continue
		}
		seen++
		tries := map[string]try{
			"a static code":  {currency: own, minor: 1, change: func(in *pinfree.Input) { in.Method = pinfree.StaticQR }},
			"a payment code": {currency: own, minor: 1, change: func(in *pinfree.Input) { in.Method, in.Entry = pinfree.PaymentCode, pinfree.Scanned }},
			"remote":         {currency: own, minor: 1, change: func(in *pinfree.Input) { in.Method = pinfree.Remote }},
			"dollars":        {currency: "USD", minor: 1, change: func(in *pinfree.Input) { in.Place.Country = string(own)[:2] }},
			"yuan":           {currency: "CNY", minor: 1},
		}
		if slices.Equal(p.When.Methods, []string{"card_tap"}) {
			tries["abroad"] = try{currency: own, minor: 1, change: func(in *pinfree.Input) { in.Place.Country = "US" }}
		}
		set := together(t, []string{p.ID})
		for name, y := range tries {
			reasons := pinfree.Decide(y.input(t, set)).Reasons
			if len(reasons) != 1 || reasons[0].Reason != pinfree.NoRuleCovers || reasons[0].Rule != "" {
				t.Errorf("%s concerns %s: %v", p.ID, name, reasons)
			}
		}
	}
	if seen != 21 {
		t.Errorf("%d of the world's packs were seen", seen)
	}
}
