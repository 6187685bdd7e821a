package pinfree

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

func compensationPack(c ...Compensation) Pack {
	p := answerPack()
	p.Answers, p.Compensation = nil, c
	p.Readings = []Reading{{"old", p.Title}, {"new", p.Title}}
	p.Reading = "old"
	return p
}

// capped covers 72 hours, 1,000 a case, 3,000 a year, and older ones confirmed.
func capped() Compensation {
	return Compensation{ID: "c", Title: mianmi.Text{ZH: "赔", EN: "cover"}, Currency: "CNY", WindowHours: 72,
		CaseCap: number(100_000), AnnualCap: number(300_000), AfterWindow: fullIfConfirmed}
}

// TestAward proves each edge of window and caps.
func TestAward(t *testing.T) {
	t.Parallel()
	window := capped()
	window.CaseCap, window.AnnualCap, window.AfterWindow = nil, nil, "nothing"
	tests := []struct {
		name    string
		rule    Compensation
		claim   Claim
		covered int64
		reason  AwardReason
		outcome string
	}{
		{"the last hour of the window", window, Claim{72, 80_000, 0, false}, 80_000, WithinWindow, "covered"},
		{"the hour of the report", window, Claim{0, 1, 0, false}, 1, WithinWindow, "covered"},
		{"one hour too old", window, Claim{73, 80_000, 0, true}, 0, AfterWindow, "not_covered"},
		{"too old, not confirmed", capped(), Claim{73, 80_000, 0, false}, 0, NotConfirmed, "not_covered"},
		{"too old, confirmed", capped(), Claim{73, 80_000, 0, true}, 80_000, ConfirmedAfterWindow, "covered"},
		{"years ago, confirmed", capped(), Claim{math.MaxInt64, 80_000, 0, true}, 80_000, ConfirmedAfterWindow, "covered"},
		{"just the cap of a case", capped(), Claim{1, 100_000, 0, false}, 100_000, WithinWindow, "covered"},
		{"one fen above the cap of a case", capped(), Claim{1, 100_001, 0, false}, 100_000, CaseCapReached, "covered_partially"},
		{"just the rest of the year's cap", capped(), Claim{1, 50_000, 250_000, false}, 50_000, WithinWindow, "covered"},
		{"one fen above the rest of the year's cap", capped(), Claim{1, 50_001, 250_000, false}, 50_000, AnnualCapLeft, "covered_partially"},
		{"both caps", capped(), Claim{1, 200_000, 250_000, false}, 50_000, AnnualCapLeft, "covered_partially"},
		{"the year's cap used up", capped(), Claim{1, 1, 300_000, false}, 0, AnnualCapUsed, "not_covered"},
		{"more than the year's cap paid", capped(), Claim{1, 1, math.MaxInt64, false}, 0, AnnualCapUsed, "not_covered"},
		{"the largest loss", window, Claim{1, math.MaxInt64, math.MaxInt64, false}, math.MaxInt64, WithinWindow, "covered"},
		{"after the report", capped(), Claim{-1, 80_000, 0, true}, 0, AfterReport, "not_covered"},
		{"a loss that is not known", capped(), Claim{1, 0, 0, true}, 0, ClaimUnknown, "not_covered"},
		{"a negative loss", capped(), Claim{1, math.MinInt64, 0, true}, 0, ClaimUnknown, "not_covered"},
		{"what was paid is not known", capped(), Claim{1, 80_000, -1, true}, 0, ClaimUnknown, "not_covered"},
		{"no promise at all", Compensation{}, Claim{1, 80_000, 0, true}, 0, AfterWindow, "not_covered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.rule.Award(tt.claim)
			want := []any{tt.covered, tt.reason, tt.outcome}
			if diff := cmp.Diff(want, []any{got.Covered, got.Reason, got.Outcome()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAwardProperties proves for every claim and promise: never more than the
// loss or a cap; more paid, and a later claim, never give more; a larger loss
// never gives less.
func TestAwardProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-10, 1_000))
		rule := Compensation{Currency: "CNY", WindowHours: rapid.Int64Range(0, 100).Draw(t, "window"),
			AfterWindow: rapid.SampledFrom([]string{"", "nothing", fullIfConfirmed}).Draw(t, "after")}
		for name, at := range map[string]**int64{"case cap": &rule.CaseCap, "annual cap": &rule.AnnualCap} {
			if rapid.Bool().Draw(t, "has "+name) {
				*at = number(amount.Draw(t, name))
			}
		}
		claim := Claim{rapid.Int64Range(-10, 200).Draw(t, "hours"), amount.Draw(t, "loss"), amount.Draw(t, "paid"), rapid.Bool().Draw(t, "confirmed")}
		got := rule.Award(claim).Covered
		if got < 0 || got > max(claim.Minor, 0) {
			t.Fatalf("covers %d of %d", got, claim.Minor)
		}
		if rule.CaseCap != nil && got > max(*rule.CaseCap, 0) {
			t.Fatalf("covers %d above the cap of a case", got)
		}
		if rule.AnnualCap != nil && got > 0 && got > *rule.AnnualCap-claim.PaidThisYear {
			t.Fatalf("covers %d above the cap of a year", got)
		}
		later := claim
		later.PaidThisYear = max(claim.PaidThisYear, amount.Draw(t, "paid later"))
		if claim.PaidThisYear >= 0 && rule.Award(later).Covered > got {
			t.Fatal("more paid gives more")
		}
		older := claim
		older.HoursBefore = max(claim.HoursBefore, 0) + rapid.Int64Range(0, 200).Draw(t, "older")
		if claim.HoursBefore >= 0 && rule.Award(older).Covered > got {
			t.Fatal("an older payment gives more")
		}
		larger := claim
		larger.Minor = max(claim.Minor, amount.Draw(t, "larger loss"))
		if rule.Award(larger).Covered < got {
			t.Fatal("a larger loss gives less")
		}
	})
}

// TestAwardWords proves that each reason has a text of its own in both
// languages, with every figure filled in.
func TestAwardWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r, name := range awardReasonNames {
		reason := AwardReason(r) //nolint:gosec // a table index
		a := Award{Covered: 5, Reason: reason, claim: Claim{80, 900, 70, true}, rule: capped()}
		w := a.Words()
		for _, s := range []string{w.ZH, w.EN} {
			if s == "" || strings.ContainsAny(s, "{}") || seen[s] {
				t.Errorf("%s: %q", name, s)
			}
			seen[s] = true
		}
		if reason.String() != name {
			t.Errorf("%d is %s", r, reason)
		}
	}
	got := capped().Award(Claim{10, 100_000, 250_000, false}).Words()
	want := mianmi.Text{ZH: "赔付 ¥500.00（损失 ¥1000.00）：年度上限 ¥3000.00，本年已赔付 ¥2500.00。",
		EN: "¥500.00 of the loss of ¥1000.00 is covered: the annual cap is ¥3000.00, and ¥2500.00 has been paid this year."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (Award{Reason: 200}).Words(); got.ZH == "" || AwardReason(200).String() != "" {
		t.Errorf("a reason that is none: %v", got)
	}
}

// TestCompensations proves that the reading taken chooses what is promised.
func TestCompensations(t *testing.T) {
	t.Parallel()
	always, old, recent := capped(), capped(), capped()
	always.ID = "always"
	old.ID, old.Readings = "old", []string{"old"}
	recent.ID, recent.Readings = "recent", []string{"new"}
	p := compensationPack(always, old, recent)
	for reading, want := range map[string][]string{"old": {"p/1/always", "p/1/old"}, "new": {"p/1/always", "p/1/recent"}} {
		taken, err := p.Take(reading)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range compiled(t, taken).Compensations() {
			got = append(got, c.Pack+"/"+string(rune('0'+c.Version))+"/"+c.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("reading %s: %s", reading, diff)
		}
	}
	if got := (*RuleSet)(nil).Compensations(); got != nil {
		t.Errorf("no packs promise %v", got)
	}
}

// TestCompensationFaults proves that each mistake in a promise is found and its
// place named.
func TestCompensationFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Compensation)
		field  string
	}{
		{"no name", func(c *Compensation) { c.ID = "" }, "id"},
		{"a title in one language", func(c *Compensation) { c.Title.EN = "" }, "title"},
		{"a reading that is not there", func(c *Compensation) { c.Readings = []string{"old", "none"} }, "readings[1]"},
		{"a currency that is none", func(c *Compensation) { c.Currency = "yuan" }, "currency"},
		{"no window", func(c *Compensation) { c.WindowHours = 0 }, "window_hours"},
		{"a window of more than a year", func(c *Compensation) { c.WindowHours = windowHoursMax + 1 }, "window_hours"},
		{"a cap of nothing", func(c *Compensation) { c.CaseCap = number(0) }, "case_cap"},
		{"a negative cap", func(c *Compensation) { c.AnnualCap = number(-1) }, "annual_cap"},
		{"nothing said of older payments", func(c *Compensation) { c.AfterWindow = "" }, "after_window"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := capped()
			tt.change(&c)
			rs, err := Compile([]Pack{compensationPack(c)})
			if got := fields(err); !slices.Contains(got, "pack p: compensation[0]."+tt.field) || rs != nil || !errors.Is(err, mianmi.Invalid) {
				t.Errorf("want a fault at %q, got %q", tt.field, got)
			}
		})
	}
	if _, err := Compile([]Pack{compensationPack(capped(), capped())}); !slices.Equal(fields(err), []string{"pack p: compensation[1].id"}) {
		t.Errorf("two promises of one name: %v", err)
	}
}

// What is promised is promised for the payments that a pack surely meets: another
// method, scheme, currency or time, and a card that is not known, have no promise.
func TestPromised(t *testing.T) {
	t.Parallel()
	p := compensationPack(capped())
	p.When = Condition{Methods: []string{"card_tap"}, Schemes: []string{"unionpay"}, Currencies: []string{"CNY"}}
	p.Effective, p.Zone = Period{From: "2018-06-01"}, "Asia/Shanghai"
	rules := compiled(t, p)
	base := Input{Amount: money.Of(18_00, "CNY"), Method: CardTap, Card: Card{Scheme: "unionpay"}, At: time.Date(2026, 12, 1, 4, 0, 0, 0, time.UTC)}
	for name, tt := range map[string]struct {
		change   func(*Input)
		promised bool
	}{
		"a tap of such a card":   {func(*Input) {}, true},
		"a payment code":         {func(in *Input) { in.Method = PaymentCode }, false},
		"another scheme":         {func(in *Input) { in.Card.Scheme = "visa" }, false},
		"a card nobody knows":    {func(in *Input) { in.Card = Card{} }, false},
		"a method nobody knows":  {func(in *Input) { in.Method = MethodUnknown }, false},
		"another currency":       {func(in *Input) { in.Amount = money.Of(18_00, "EUR") }, false},
		"before it was promised": {func(in *Input) { in.At = time.Date(2018, 5, 1, 0, 0, 0, 0, time.UTC) }, false},
		"a time nobody knows":    {func(in *Input) { in.At = time.Time{} }, false},
	} {
		in := base
		tt.change(&in)
		if got := rules.Promised(&in); (got != nil) != tt.promised || got != nil && got.ID != "c" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if (*RuleSet)(nil).Promised(&base) != nil {
		t.Error("no rules promise something")
	}
}
