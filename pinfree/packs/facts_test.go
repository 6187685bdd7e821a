package packs

import (
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

// TestWhatIsNotKnownIsNotAllowed proves for each fact that a pack rests on what
// becomes of a payment when the fact says no, and when nobody gave it.
func TestWhatIsNotKnownIsNotAllowed(t *testing.T) {
	t.Parallel()
	pcac := []string{"cn-pcac-2025", "cn-pboc-network-2015"}
	pcacConsent := []string{"cn-pcac-2025:consent_only", "cn-pboc-network-2015"}
	online := func() *offer { return remote("CNY", "CN", now) }
	agreed := only("cn-pboc-barcode-2018:agreed_totals")
	holder := func() *offer { return unionpay("icbc", "debit", now) }
	country := func() *offer { return unionpay("csrcbank", "credit", y17) }
	tests := []struct {
		name   string
		packs  []string
		offer  *offer
		change func(*offer)
		want   pinfree.Outcome
	}{
		{"PCAC: open by default", pcac, online(), func(o *offer) { o.facts.Consent = "default" }, asks},
		{"PCAC: closed", pcac, online(), func(o *offer) { o.facts.Consent = "closed" }, asks},
		{"PCAC: consent unknown", pcac, online(), func(o *offer) { o.facts.Consent = "" }, asks},
		{"PCAC: high-risk merchant", pcac, online(), func(o *offer) { o.facts.MerchantRisk = "high" }, asks},
		{"PCAC: merchant of elevated risk", pcac, online(), func(o *offer) { o.facts.MerchantRisk = "elevated" }, pinfree.PinFree},
		{"PCAC: merchant's risk unknown", pcac, online(), func(o *offer) { o.facts.MerchantRisk = "" }, asks},
		{"PCAC: out of pattern", pcac, online(), func(o *offer) { o.facts.Risk = "elevated" }, asks},
		{"PCAC: risk unknown", pcac, online(), func(o *offer) { o.facts.Risk = "" }, asks},
		{"PCAC, consent only: both risks unknown", pcacConsent, online(), func(o *offer) { o.facts.Risk, o.facts.MerchantRisk = "", "" }, pinfree.PinFree},
		{"PCAC, consent only: consent unknown", pcacConsent, online(), func(o *offer) { o.facts.Consent = "" }, asks},

		{"UnionPay: scheme unknown", only("cn-unionpay-2018"), holder(), func(o *offer) { o.Card.Scheme = "" }, asks},

		{"csrcbank: applied for", only("cn-unionpay-issuer-csrcbank-2016"), country(), func(*offer) {}, pinfree.PinFree},
		{"csrcbank: open by default", only("cn-unionpay-issuer-csrcbank-2016"), country(), func(o *offer) { o.facts.Consent = "default" }, asks},
		{"csrcbank: consent unknown", only("cn-unionpay-issuer-csrcbank-2016"), country(), func(o *offer) { o.facts.Consent = "" }, asks},
		{"csrcbank: issuer unknown", only("cn-unionpay-issuer-csrcbank-2016"), country(), func(o *offer) { o.facts.Issuer = "" }, asks},
		{"csrcbank: merchant not enabled", only("cn-unionpay-issuer-csrcbank-2016"), country(), func(o *offer) { o.Place.NoPINMerchant = false }, asks},

		{"PBOC codes: nothing known", only("cn-pboc-barcode-2018"), code(now), func(o *offer) { o.facts = pinfree.Facts{} }, pinfree.PinFree},
		{"PBOC codes, agreed totals: factors unknown", agreed, code(now), func(o *offer) { o.facts.Factors = 0 }, asks},
		{"PBOC codes, agreed totals: nothing known", agreed, code(now), func(o *offer) { o.facts = pinfree.Facts{} }, pinfree.Refused},
		{"PBOC codes, agreed totals: two factors, certificate unknown", agreed, graded(2, pinfree.NotKnown, now), func(*offer) {}, asks},
		{"PBOC codes, agreed totals: nothing agreed", agreed, graded(2, pinfree.Yes, now), func(o *offer) { o.facts.Figures = pinfree.Figures{} }, pinfree.Refused},

		{"UK 2026: risk elevated", only("uk-scarts-art11-2026"), pound(now), func(o *offer) { o.facts.Risk = "elevated" }, asks},
		{"UK 2026: risk unknown", only("uk-scarts-art11-2026"), pound(now), func(o *offer) { o.facts.Risk = "" }, asks},
		{"UK 2026: firm's limit not given", only("uk-scarts-art11-2026"), pound(now), func(o *offer) { o.facts.Figures = pinfree.Figures{} }, asks},
		{"UK 2026: contactless off", only("uk-scarts-art11-2026"), pound(now), func(o *offer) { o.facts.Contactless = pinfree.No }, pinfree.Refused},
		{"UK 2026: contactless off, the phone verified its holder", only("uk-scarts-art11-2026"), pound(now), func(o *offer) {
			o.facts.Contactless, o.CVM = pinfree.No, pinfree.CDCVM
		}, pinfree.Refused},
		{"UK 2026: nobody knows whether contactless is on", only("uk-scarts-art11-2026"), pound(now), func(o *offer) { o.facts.Contactless = pinfree.NotKnown }, pinfree.Refused},
		{"EU 16: country unknown", only("eu-rts-art16"), remote("EUR", "DE", now), func(o *offer) { o.Place.Country = "" }, asks},
		{"Vivid: issuer unknown, 50.00", art11("eu-issuer-vivid"), vivid(now), func(o *offer) { o.facts.Issuer = "" }, asks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			minor := int64(1000)
			if tt.packs[0] == "eu-issuer-vivid" {
				minor = 5000
			}
			tt.change(tt.offer)
			if d := tt.offer.decide(rs, pinfree.Counters{}, minor); d.Outcome != tt.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestGradesCountApart proves what uses up whose total in the PBOC rules.
func TestGradesCountApart(t *testing.T) {
	t.Parallel()
	type spent struct {
		offer *offer
		kind  pinfree.EventKind
		minor int64
	}
	c, b, a := graded(1, pinfree.No, now), graded(2, pinfree.No, now), graded(2, pinfree.Yes, now)
	const free, password = pinfree.ExecutedPinFree, pinfree.ExecutedAuthenticated
	tests := []struct {
		name    string
		reading string
		before  spent
		then    *offer
		minor   int64
		want    pinfree.Outcome
	}{
		{"grade B leaves grade C its total", "grade_by_verification", spent{b, free, 100000}, c, 100000, pinfree.PinFree},
		{"a password leaves grade C its total", "grade_by_verification", spent{c, password, 100000}, c, 100000, pinfree.PinFree},
		{"a password uses up grade C, read strictly", "all_payments_count", spent{c, password, 100000}, c, 1, asks},
		{"a password uses up grade B", "grade_by_verification", spent{c, password, 400000}, b, 100001, asks},
		{"grade C uses up grade B", "grade_by_verification", spent{c, free, 100000}, b, 400001, asks},
		{"grade C uses up grade B, agreed totals", "agreed_totals", spent{c, free, 100000}, b, 400001, asks},
		{"grade B leaves grade C its total, agreed totals", "agreed_totals", spent{b, free, 100000}, c, 100000, pinfree.PinFree},
		{"grade A leaves grade B its total", "agreed_totals", spent{a, free, 1_000_000}, b, 500000, pinfree.PinFree},
		{"grade B leaves grade A its total", "agreed_totals", spent{b, free, 500000}, a, 2_000_000, pinfree.PinFree},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, "cn-pboc-barcode-2018:"+tt.reading)
			stored := rs.Record(pinfree.Counters{}, tt.before.offer.event(tt.before.kind, tt.before.minor))
			if d := tt.then.decide(rs, stored, tt.minor); d.Outcome != tt.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestGatesAreUnlimitedAndUncounted proves that a fare passes whatever its amount
// and however full the counters of Article 11 are, and does not fill them.
func TestGatesAreUnlimitedAndUncounted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		packs    []string
		tap, fee *offer
	}{
		{art11("eu-rts-art12"), euro(now), euro(now).gate("transport_fare")},
		{[]string{"uk-scarts-art11-2021", "uk-scarts-art12"}, pound(y25), pound(y25).gate("parking_fee")},
	}
	for _, tt := range tests {
		t.Run(tt.packs[0], func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			full := tt.tap.counted(rs, 100, 100, 100, 100, 100)
			if d := tt.fee.decide(rs, full, 1_000_000); d.Outcome != pinfree.PinFree {
				t.Errorf("a fare with full counters: %+v", d)
			}
			gates := tt.fee.counted(rs, 100, 100, 100, 100, 100)
			if d := tt.tap.decide(rs, gates, 100); d.Outcome != pinfree.PinFree {
				t.Errorf("a tap after five fares: %+v", d)
			}
		})
	}
}

// TestAttempts proves Article 4 of the EU's standards.
func TestAttempts(t *testing.T) {
	t.Parallel()
	rs := inForce(t, "eu-rts-art4")
	tests := []struct {
		name string
		try  pinfree.Attempt
		want pinfree.Reason
	}{
		{"the fifth attempt", pinfree.Attempt{Failures: 4}, pinfree.AlreadyVerified},
		{"the sixth", pinfree.Attempt{Failures: 5}, pinfree.TooManyFailures},
		{"failures unknown", pinfree.Attempt{Failures: -1}, pinfree.TooManyFailures},
		{"a code that was used", pinfree.Attempt{CodeUsed: true}, pinfree.CodeUsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := rs.Attempt(tt.try); d.Reasons[0].Reason != tt.want {
				t.Errorf("%+v", d)
			}
		})
	}
}
