package packs

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

const (
	now  = "2026-11-23T12:00:00+08:00" // all packs but the superseded ones are in force
	y16  = "2016-07-02T12:00:00+08:00"
	y17  = "2017-05-02T12:00:00+08:00"
	y22  = "2022-01-05T12:00:00+08:00"
	jan  = "2021-01-15T12:00:00Z"
	y25  = "2025-06-02T12:00:00Z"
	asks = pinfree.StepUp
)

// TestEveryAmountIsRightToTheMinorUnit proves each limit on amounts of the packs:
// the last amount that passes, and that one minor unit more is not PIN-free.
func TestEveryAmountIsRightToTheMinorUnit(t *testing.T) {
	t.Parallel()
	one := func(minor ...int64) []int64 { return minor }
	tests := []struct {
		name  string
		packs []string
		offer *offer
		prior []int64 // PIN-free payments before
		last  int64   // the largest amount that passes
		over  pinfree.Outcome
	}{
		{"PBOC network, first of the day", only("cn-pboc-network-2015"), remote("CNY", "CN", y16), nil, 100000, asks},
		{"PBOC network, after 999.99", only("cn-pboc-network-2015"), remote("CNY", "CN", y16), one(50000, 49999), 1, asks},
		{"PBOC grade C", only("cn-pboc-barcode-2018"), graded(1, pinfree.No, now), nil, 100000, asks},
		{"PBOC grade C, one factor that is a certificate", only("cn-pboc-barcode-2018"), graded(1, pinfree.Yes, now), nil, 100000, asks},
		{"PBOC grade C, after 400", only("cn-pboc-barcode-2018"), graded(1, pinfree.No, now), one(40000), 60000, asks},
		{"PBOC grade B", only("cn-pboc-barcode-2018"), graded(2, pinfree.No, now), nil, 500000, asks},
		{"PBOC grade B, after 4999.99", only("cn-pboc-barcode-2018"), graded(2, pinfree.No, now), one(499999), 1, asks},
		{"PBOC grade B, a certificate is not relied on", only("cn-pboc-barcode-2018"), graded(2, pinfree.Yes, now), nil, 500000, asks},
		{"PBOC grade B, agreed totals", only("cn-pboc-barcode-2018:agreed_totals"), graded(2, pinfree.No, now), one(100000), 400000, asks},
		{"PBOC, factors unknown, grade C", only("cn-pboc-barcode-2018"), graded(0, pinfree.NotKnown, now), one(40000), 60000, asks},
		{"PBOC grade A, 20000 agreed", only("cn-pboc-barcode-2018:agreed_totals"), graded(2, pinfree.Yes, now), nil, 2_000_000, pinfree.Refused},
		{"PBOC grade A, after 19999", only("cn-pboc-barcode-2018:agreed_totals"), graded(3, pinfree.Yes, now), one(1_999_900), 100, pinfree.Refused},
		{"WeChat 2021", only("cn-wechat-paycode-2021"), code(y22), nil, 100000, asks},
		{"WeChat fusion wallet", only("cn-wechat-paycode-fusion"), code(now), nil, 100000, asks},
		{"WeChat 2025", only("cn-wechat-paycode-2025"), code(now), nil, 299999, asks},
		{"UnionPay 2018", only("cn-unionpay-2018"), unionpay("icbc", "debit", now), nil, 100000, asks},
		{"ICBC, day", issuers, unionpay("icbc", "debit", now), one(100000, 100000, 50000), 50000, asks},
		{"ABC, day", issuers, unionpay("abc", "credit", now), one(100000, 100000, 99999), 1, asks},
		{"BOCOM, day", issuers, unionpay("bocom", "debit", now), one(100000, 100000, 99999), 1, asks},
		{"CMB debit, day", issuers, unionpay("cmb", "debit", now), one(100000, 50000), 50000, asks},
		{"CMB prepaid, day, as debit", issuers, unionpay("cmb", "prepaid", now), one(100000, 50000), 50000, asks},
		{"CMB credit, day", issuers, unionpay("cmb", "credit", now), one(100000, 100000, 50000), 50000, asks},
		{"CMB of unknown kind, day, the stricter", issuers, unionpay("cmb", "", now), one(100000, 50000), 50000, asks},
		{"unknown issuer, day, the strictest", issuers, unionpay("", "debit", now), one(100000, 50000), 50000, asks},
		{"csrcbank", only("cn-unionpay-issuer-csrcbank-2016"), unionpay("csrcbank", "credit", y17), nil, 30000, asks},
		{"csrcbank, day", only("cn-unionpay-issuer-csrcbank-2016"), unionpay("csrcbank", "credit", y17), one(30000, 30000, 30000), 10000, asks},
		{"EU 16", only("eu-rts-art16"), remote("EUR", "DE", now), nil, 3000, asks},
		{"EU 16, amount", only("eu-rts-art16:amount"), remote("EUR", "DE", now), one(3000, 3000, 3000), 1000, asks},
		{"Vivid, each", art11("eu-issuer-vivid"), vivid(now), nil, 4999, asks},
		{"Vivid, sum", []string{"eu-issuer-vivid", "eu-rts-art11:amount"}, vivid(now), one(2000, 2000, 2000, 2000, 2000, 2000, 1500), 1500, asks},
		{"French Pacific", only("fr-pacific-art11"), base(pinfree.CardTap, "XPF", "PF", now), nil, 6000, asks},
		{"French Pacific, amount", only("fr-pacific-art11:amount"), base(pinfree.CardTap, "XPF", "NC", now), one(6000, 6000), 6000, asks},
		{"UK 2020", only("uk-scarts-art11-2020"), pound(jan), nil, 4500, asks},
		{"UK 2020, amount", only("uk-scarts-art11-2020:amount"), pound(jan), one(4500, 4500), 4000, asks},
		{"UK 2021", only("uk-scarts-art11-2021"), pound(y25), nil, 10000, asks},
		{"UK 2021, amount", only("uk-scarts-art11-2021:amount"), pound(y25), one(10000, 10000, 9999), 1, asks},
		{"UK 2026, the firm's own", only("uk-scarts-art11-2026"), firm(15000), nil, 15000, asks},
		{"UK 16", only("uk-scarts-art16"), remote("GBP", "GB", now), nil, 2500, asks},
		{"UK 16, amount", only("uk-scarts-art16:amount"), remote("GBP", "GB", now), one(2500, 2500, 2500), 1000, asks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.packs...)
			stored := tt.offer.counted(rs, tt.prior...)
			if d := tt.offer.decide(rs, stored, tt.last); d.Outcome != pinfree.PinFree {
				t.Errorf("%d: %+v", tt.last, d)
			}
			if d := tt.offer.decide(rs, stored, tt.last+1); d.Outcome != tt.over {
				t.Errorf("%d: %+v", tt.last+1, d)
			}
		})
	}
}

var issuers = []string{"cn-unionpay-2018", "cn-unionpay-issuers-2019"}

func only(id string) []string  { return []string{id} }
func art11(id string) []string { return []string{id, "eu-rts-art11"} }
func firm(limit int64) *offer {
	return pound(now).with(func(o *offer) { o.facts.Figures[pinfree.IssuerPaymentLimit] = limit })
}

// TestSumsOfPreviousPayments proves the literal reading: what was spent before
// may be exactly the sum, and the present payment then passes whatever it adds.
func TestSumsOfPreviousPayments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pack     string
		offer    *offer
		sum, max int64 // of previous payments; of each
	}{
		{"eu-rts-art16:amount_previous", remote("EUR", "DE", now), 10000, 3000},
		{"fr-pacific-art11:amount_previous", base(pinfree.CardTap, "XPF", "WF", now), 18000, 6000},
		{"uk-scarts-art11-2020:amount_previous", pound(jan), 13000, 4500},
		{"uk-scarts-art11-2021:amount_previous", pound(y25), 30000, 10000},
		{"uk-scarts-art16:amount_previous", remote("GBP", "GB", now), 8500, 2500},
	}
	for _, tt := range tests {
		t.Run(tt.pack, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.pack)
			if d := tt.offer.decide(rs, tt.offer.counted(rs, tt.sum), tt.max); d.Outcome != pinfree.PinFree {
				t.Errorf("after exactly %d: %+v", tt.sum, d)
			}
			if d := tt.offer.decide(rs, tt.offer.counted(rs, tt.sum+1), 1); d.Outcome != asks {
				t.Errorf("after one more than %d: %+v", tt.sum, d)
			}
		})
	}
}

// TestNumbersOfPayments proves each limit on numbers: as many pass, and the next asks.
func TestNumbersOfPayments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pack   string
		offer  *offer
		passes int
	}{
		{"cn-wechat-paycode-2021", code(y22), 10},
		{"cn-wechat-paycode-fusion", code(now), 5},
		{"eu-rts-art16", remote("EUR", "DE", now), 5},
		{"eu-rts-art16:count_previous", remote("EUR", "DE", now), 6},
		{"fr-pacific-art11", base(pinfree.CardTap, "XPF", "PF", now), 5},
		{"uk-scarts-art11-2020", pound(jan), 5},
		{"uk-scarts-art11-2021", pound(y25), 5},
		{"uk-scarts-art16", remote("GBP", "GB", now), 5},
		{"uk-scarts-art16:count_previous", remote("GBP", "GB", now), 6},
	}
	for _, tt := range tests {
		t.Run(tt.pack, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.pack)
			prior := slices.Repeat([]int64{100}, tt.passes)
			if d := tt.offer.decide(rs, tt.offer.counted(rs, prior[1:]...), 100); d.Outcome != pinfree.PinFree {
				t.Errorf("payment %d: %+v", tt.passes, d)
			}
			if d := tt.offer.decide(rs, tt.offer.counted(rs, prior...), 100); d.Outcome != asks {
				t.Errorf("payment %d: %+v", tt.passes+1, d)
			}
		})
	}
}

// TestWhatResetsAndWhatDoesNot proves which authentication begins a new count.
func TestWhatResetsAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pack  string
		offer *offer
		event pinfree.EventKind
		want  pinfree.Outcome
	}{
		{"eu-rts-art16", remote("EUR", "DE", now), pinfree.ExecutedRemote, pinfree.PinFree},
		{"eu-rts-art16", remote("EUR", "DE", now), pinfree.ExecutedAuthenticated, pinfree.PinFree},
		{"uk-scarts-art11-2021", pound(y25), pinfree.ExecutedAuthenticated, pinfree.PinFree},
		{"uk-scarts-art11-2021", pound(y25), pinfree.ExecutedRemote, asks},
		{"uk-scarts-art11-2021", pound(y25), pinfree.SCAOutOfBand, asks},
		{"fr-pacific-art11", base(pinfree.CardTap, "XPF", "PF", now), pinfree.ExecutedRemote, asks},
		{"cn-wechat-paycode-fusion", code(now), pinfree.ExecutedAuthenticated, asks},
	}
	for _, tt := range tests {
		t.Run(tt.pack, func(t *testing.T) {
			t.Parallel()
			rs := inForce(t, tt.pack)
			stored := tt.offer.counted(rs, 100, 100, 100, 100, 100)
			stored = rs.Record(stored, tt.offer.event(tt.event, 100))
			if d := tt.offer.decide(rs, stored, 100); d.Outcome != tt.want {
				t.Errorf("after event %d: %+v", tt.event, d)
			}
		})
	}
}
