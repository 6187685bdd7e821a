package packs

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi/pinfree"
)

// TestFirstAndLastDay proves the dates of the packs: the first instant of the
// first day and the last of the last are inside, their neighbours are not. A pack
// that restricts is asked with a payment that it alone stops.
func TestFirstAndLastDay(t *testing.T) {
	t.Parallel()
	const never = ""
	tests := []struct {
		packs       []string
		offer       *offer
		minor       int64
		first, last string // instants at which the first day begins and the day after the last
	}{
		{only("cn-pboc-network-2015"), remote("CNY", "CN", now), 100, "2016-07-01T00:00:00+08:00", never},
		{only("cn-wechat-paycode-2021"), code(now), 100, "2021-12-21T00:00:00+08:00", "2025-01-02T00:00:00+08:00"},
		{only("cn-wechat-paycode-fusion"), code(now), 100, "2020-01-08T00:00:00+08:00", never},
		{only("cn-unionpay-issuer-csrcbank-2016"), unionpay("csrcbank", "credit", now), 100, "2016-04-01T00:00:00+08:00", "2018-06-01T00:00:00+08:00"},
		{only("eu-rts-art12"), euro(now).gate("parking_fee"), 100, "2019-09-14T00:00:00+02:00", never},
		{only("eu-rts-art16"), remote("EUR", "DE", now), 100, "2019-09-14T00:00:00+02:00", never},
		{only("fr-pacific-art11"), base(pinfree.CardTap, "XPF", "PF", now), 100, "2019-09-14T00:00:00-10:00", never},
		{only("uk-scarts-art11-2020"), pound(now), 100, "2021-01-01T00:00:00Z", "2021-03-03T00:00:00Z"},
		{only("uk-scarts-art11-2021"), pound(now), 100, "2021-03-03T00:00:00Z", "2026-03-19T00:00:00Z"},
		{only("uk-scarts-art11-2026"), pound(now), 100, "2026-03-19T00:00:00Z", never},
		{only("uk-scarts-art12"), pound(now).gate("transport_fare"), 100, "2021-01-01T00:00:00Z", never},
		{only("uk-scarts-art16"), remote("GBP", "GB", now), 100, "2021-01-01T00:00:00Z", never},
	}
	for _, tt := range tests {
		t.Run(tt.packs[0], func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			at := func(i time.Time) pinfree.Outcome {
				tt.offer.At = i
				return tt.offer.decide(rs, pinfree.Counters{}, tt.minor).Outcome
			}
			first := instant(tt.first)
			if before, on := at(first.Add(-time.Millisecond)), at(first); before != asks || on != pinfree.PinFree {
				t.Errorf("before the first day %s, on it %s", before, on)
			}
			if tt.last == never {
				return
			}
			end := instant(tt.last)
			if on, after := at(end.Add(-time.Millisecond)), at(end); on != pinfree.PinFree || after != asks {
				t.Errorf("on the last day %s, after it %s", on, after)
			}
		})
	}
}

// TestRestrictionsBegin proves the first day of the packs that only restrict.
func TestRestrictionsBegin(t *testing.T) {
	t.Parallel()
	noConsent := func(o *offer) { o.facts.Consent = "default" }
	tests := []struct {
		packs []string
		offer *offer
		minor int64
		first string
	}{
		{[]string{"cn-pcac-2025", "cn-pboc-network-2015"}, remote("CNY", "CN", now).with(noConsent), 100, "2025-11-12T00:00:00+08:00"},
		{issuers, unionpay("cmb", "debit", now), 100000, "2019-04-02T00:00:00+08:00"},
	}
	for _, tt := range tests {
		t.Run(tt.packs[0], func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			tt.offer.At = instant(tt.first)
			stored := tt.offer.counted(rs, 200000)
			on := tt.offer.decide(rs, stored, tt.minor).Outcome
			tt.offer.At = tt.offer.At.Add(-time.Millisecond)
			before := tt.offer.decide(rs, tt.offer.counted(rs), tt.minor).Outcome
			if before != pinfree.PinFree || on != asks {
				t.Errorf("before the first day %s, on it %s", before, on)
			}
		})
	}
}

// TestEditionsTakeOver proves that with all editions in force at once each day
// has the limit of its own.
func TestEditionsTakeOver(t *testing.T) {
	t.Parallel()
	uk := []string{"uk-scarts-art11-2020", "uk-scarts-art11-2021", "uk-scarts-art11-2026", "uk-scarts-art12", "uk-scarts-art16"}
	wechat := []string{"cn-wechat-paycode-2021", "cn-wechat-paycode-2025"}
	riskUnknown := func(o *offer) { o.facts.Risk = "" }
	tests := []struct {
		name  string
		packs []string
		offer *offer
		minor int64
		want  pinfree.Outcome
	}{
		{"UK, the day before PS21/2", uk, pound("2021-03-02T23:59:59Z"), 4501, asks},
		{"UK, the day of PS21/2", uk, pound("2021-03-03T00:00:00Z"), 10000, pinfree.PinFree},
		{"UK, the last day of the fixed limits, in summer time or not", uk, pound("2026-03-18T23:59:59Z"), 10001, asks},
		{"UK, the last day of the fixed limits, risk unknown", uk, pound("2026-03-18T12:00:00Z").with(riskUnknown), 10000, pinfree.PinFree},
		{"UK, the first day without, low risk", uk, pound("2026-03-19T00:00:00Z"), 25000, pinfree.PinFree},
		{"UK, the first day without, risk unknown", uk, pound("2026-03-19T00:00:00Z").with(riskUnknown), 100, asks},
		{"WeChat, last day of the edition of 2021", wechat, code("2025-01-01T23:59:59+08:00"), 100001, asks},
		{"WeChat, first day of the edition of 2025 alone", wechat, code("2025-01-02T00:00:00+08:00"), 299999, pinfree.PinFree},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			if d := tt.offer.decide(rs, pinfree.Counters{}, tt.minor); d.Outcome != tt.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestPacksLeaveOthersAlone proves that a payment that a pack is not about is
// neither permitted nor mentioned by it.
func TestPacksLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	bank := func(issuer, kind string) *offer { return unionpay(issuer, kind, y17) }
	tests := []struct {
		name, pack string
		offer      *offer
	}{
		{"PBOC network: moving money to one's own bank account", "cn-pboc-network-2015", remote("CNY", "CN", now).with(func(o *offer) {
			o.Place.Purpose = "transfer_to_own_same_name_bank_account"
		})},
		{"PBOC network: a payment code", "cn-pboc-network-2015", code(now)},
		{"PBOC network: euros", "cn-pboc-network-2015", remote("EUR", "CN", now)},
		{"WeChat 2021: a tap", "cn-wechat-paycode-2021", unionpay("icbc", "debit", y22)},
		{"WeChat fusion: Hong Kong dollars", "cn-wechat-paycode-fusion", base(pinfree.PaymentCode, "HKD", "HK", now).with(func(o *offer) { o.Entry = pinfree.Scanned })},
		{"csrcbank: another bank", "cn-unionpay-issuer-csrcbank-2016", bank("icbc", "credit")},
		{"csrcbank: a debit card", "cn-unionpay-issuer-csrcbank-2016", bank("csrcbank", "debit")},
		{"EU 12: a manned counter", "eu-rts-art12", euro(now).with(func(o *offer) { o.Place.Purpose = "transport_fare" })},
		{"EU 12: vending", "eu-rts-art12", euro(now).gate("vending")},
		{"EU 12: a gate in Switzerland", "eu-rts-art12", base(pinfree.CardTap, "EUR", "CH", now).gate("transport_fare")},
		{"EU 16: a tap", "eu-rts-art16", euro(now)},
		{"EU 16: outside the EEA", "eu-rts-art16", remote("EUR", "US", now)},
		{"EU 4: any payment", "eu-rts-art4", euro(now)},
		{"French Pacific: France itself", "fr-pacific-art11", base(pinfree.CardTap, "XPF", "FR", now)},
		{"UK 2021: euros", "uk-scarts-art11-2021", base(pinfree.CardTap, "EUR", "GB", y25)},
		{"UK 2021: a gate", "uk-scarts-art11-2021", pound(y25).gate("transport_fare")},
		{"UK 2026: a gate", "uk-scarts-art11-2026", pound(now).gate("parking_fee")},
		{"UK 12: a manned counter", "uk-scarts-art12", pound(now)},
		{"UK 16: outside the UK", "uk-scarts-art16", remote("GBP", "IE", now)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := tt.offer.decide(inForce(t, tt.pack), pinfree.Counters{}, 100)
			if d.Outcome != asks || len(d.Reasons) != 1 || d.Reasons[0].Reason != pinfree.NoRuleCovers || d.Reasons[0].Rule != "" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestRestrictionsLeaveOthersAlone proves the same of packs that only restrict:
// what the pack beside them permits still passes.
func TestRestrictionsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		packs []string
		offer *offer
		minor int64
	}{
		{"a bank without a limit here", issuers, unionpay("boc", "debit", now), 100000},
		{"an issuer other than Vivid", art11("eu-issuer-vivid"), euro(now), 5000},
		{"PCAC and euros", []string{"cn-pcac-2025", "eu-rts-art11"}, euro(now).with(func(o *offer) { o.facts.Consent, o.facts.Risk = "default", "high" }), 5000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			if d := tt.offer.decide(rs, tt.offer.counted(rs, 5000), tt.minor); d.Outcome != pinfree.PinFree {
				t.Errorf("%+v", d)
			}
		})
	}
}
