package liability

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

var report = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func promise(caseCap, yearCap int64) *pinfree.CompensationRule {
	return &pinfree.CompensationRule{Pack: "p", Version: 1, Compensation: pinfree.Compensation{ID: "c", Currency: "CNY", WindowHours: 72,
		CaseCap: &caseCap, AnnualCap: &yearCap, AfterWindow: "full_if_confirmed"}}
}

// paid is a PIN-free payment so many hours before the report.
func paid(hours int, minor int64) Fact {
	return Fact{Proved: true, Rule: promise(1000_00, 50_000_00), Hours: int64(hours), Payment: payment.Payment{ID: "pm1", Amount: money.Of(minor, "CNY"), Method: pinfree.CardTap,
		Outcome: pinfree.PinFree, State: payment.Approved, CreatedAt: report.Add(-time.Duration(hours) * time.Hour)}}
}

func paidYear(minor int64) map[money.Currency]int64 { return map[money.Currency]int64{"CNY": minor} }

func with(f Fact, change func(*Fact)) Fact {
	change(&f)
	return f
}

// Who bears what, for each ground, one payment at a time.
func TestPropose(t *testing.T) {
	t.Parallel()
	base := Facts{Reported: report, Protected: report.Add(10 * time.Minute)}
	off := []Off{{Layer: pinfree.LayerPayer, Since: report.Add(-50 * time.Hour), Entry: "en1"}}
	tests := []struct {
		name  string
		facts func(*Facts)
		x     Fact
		want  string
	}{
		{"inside the window", nil, paid(10, 800_00), "cover 80000 promised"},
		{"above the cap of a case", nil, paid(10, 1200_00), "cover 100000 promised, payer 20000 not_promised"},
		{"beyond the window, not confirmed", nil, paid(80, 300_00), "unclear 30000 not_promised"},
		{"beyond the window, confirmed", func(f *Facts) { f.Confirmed = true }, paid(80, 300_00), "cover 30000 promised"},
		{"the year is used up", func(f *Facts) { f.PaidThisYear = paidYear(50_000_00) }, paid(10, 300_00), "payer 30000 not_promised"},
		{"what is paid this year is not known", func(f *Facts) { f.PaidThisYear = paidYear(-1) }, paid(10, 300_00), "unclear 30000 not_promised"},
		{"no promise", nil, with(paid(10, 300_00), func(x *Fact) { x.Rule = nil }), "unclear 30000 no_promise"},
		{"it was off", nil, with(paid(10, 300_00), func(x *Fact) { x.Offs = off }), "platform 30000 passed_while_off"},
		{"after the report, before the OFF", nil, with(paid(0, 300_00), func(x *Fact) { x.Payment.CreatedAt = report.Add(time.Minute) }), "platform 30000 reported_before"},
		{"a terminal that had proved nothing", nil, with(paid(10, 300_00), func(x *Fact) { x.Proved = false }), "merchant 30000 terminal_unproved"},
		{"nobody can tell what was in force", nil, with(paid(10, 300_00), func(x *Fact) { x.Untold, x.Offs = true, off }), "unclear 30000 not_rebuilt"},
		{"with the PIN", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.CVM, x.Payment.Outcome = pinfree.OnlinePIN, pinfree.StepUp }), "payer 30000 authenticated"},
		{"cash", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.Method = pinfree.Cash }), "unclear 30000 paid_in_cash"},
		{"given back", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.State = payment.Refunded }), "nobody 0 nothing_missing"},
		{"given back in part", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.State, x.Payment.Refunded = payment.PartlyRefunded, 100_00 }), "cover 20000 promised"},
		{"refused", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.State, x.Offs = payment.Refused, off }), "nobody 0 nothing_missing"},
		{"unknown", nil, with(paid(10, 300_00), func(x *Fact) { x.Payment.State = payment.Unknown }), "unclear 0 not_settled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := base
			if tt.facts != nil {
				tt.facts(&f)
			}
			f.Payments = []Fact{tt.x}
			if got := said(Propose(f)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func said(p Proposal) string {
	var out []string
	for _, f := range p.Findings {
		for _, s := range f.Shares {
			out = append(out, fmt.Sprint(s.Bearer, " ", s.Amount.Minor(), " ", s.Reason))
		}
	}
	return strings.Join(out, ", ")
}

// Payments use up a year's cap one after the other, the oldest first, and the
// shares of each sum up to what is missing.
func TestYearsCapIsUsedUp(t *testing.T) {
	t.Parallel()
	f := Facts{Reported: report, PaidThisYear: paidYear(49_000_00), Payments: []Fact{paid(1, 900_00), paid(30, 700_00), paid(20, 700_00)}}
	p := Propose(f)
	if got, want := said(p), "cover 70000 promised, cover 30000 promised, payer 40000 not_promised, payer 90000 not_promised"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, x := range p.Findings {
		sum := int64(0)
		for _, s := range x.Shares {
			sum += s.Amount.Minor()
		}
		if sum != x.Open.Minor() {
			t.Errorf("the shares of %s sum up to %d of %d", x.Payment, sum, x.Open.Minor())
		}
	}
	if p.Currency != "CNY" || p.Total[Cover] != 1000_00 || p.Total[Payer] != 1300_00 {
		t.Errorf("in all: %v", p.Total)
	}
}

// Every reason has a name and words in both languages.
func TestReasonsHaveWords(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for r := Unknown; r <= NotPromised; r++ {
		if r.String() == "" || names[r.String()] || r.words().ZH == "" || r.words().EN == "" {
			t.Errorf("reason %d: %q, %v", r, r, r.words())
		}
		names[r.String()] = true
	}
	if Reason(200).String() != "unknown" || Bearer(200).String() == "" {
		t.Error("what is not known has no name")
	}
}
