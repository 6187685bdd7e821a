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
