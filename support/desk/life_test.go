package desk

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

var at = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// Who may bring a case from where to where: the whole table, so that a move that
// nobody meant to allow is found.
func TestMoves(t *testing.T) {
	t.Parallel()
	const (
		payer, shop, desk = "payer ", "shop ", "desk "
	)
	want := map[[2]State]string{
		{Open, InProgress}: desk, {Open, WaitingPayer}: desk, {Open, WaitingMerchant}: desk, {Open, WaitingBank}: desk, {Open, Decided}: desk, {Open, Closed}: payer,
		{InProgress, WaitingPayer}: desk, {InProgress, WaitingMerchant}: desk, {InProgress, WaitingBank}: desk, {InProgress, Decided}: desk, {InProgress, Closed}: payer,
		{WaitingPayer, InProgress}: payer + desk, {WaitingPayer, WaitingMerchant}: desk, {WaitingPayer, WaitingBank}: desk, {WaitingPayer, Decided}: desk, {WaitingPayer, Closed}: payer,
		{WaitingMerchant, InProgress}: shop + desk, {WaitingMerchant, WaitingPayer}: desk, {WaitingMerchant, WaitingBank}: desk, {WaitingMerchant, Decided}: desk, {WaitingMerchant, Closed}: payer,
		{WaitingBank, InProgress}: desk, {WaitingBank, WaitingPayer}: desk, {WaitingBank, WaitingMerchant}: desk, {WaitingBank, Decided}: desk, {WaitingBank, Closed}: payer,
		{Decided, InProgress}: desk, {Decided, Closed}: desk,
		{Closed, InProgress}: payer + desk,
	}
	people := []struct {
		name  string
		actor mianmi.Actor
	}{
		{payer, mianmi.Actor{Role: mianmi.RolePayer, ID: "py1"}},
		{shop, mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf1", Merchant: "mc1"}},
		{desk, mianmi.Actor{Role: mianmi.RoleSupport, ID: "sf2"}},
	}
	for from := NoState; from <= Closed+1; from++ {
		for to := NoState; to <= Closed+1; to++ {
			c := Case{State: from, Payer: "py1", Merchant: "mc1", Shared: true, ClosedAt: at}
			got := ""
			for _, p := range people {
				if c.may(sides(p.actor, &c), to, at) == nil {
					got += p.name
				}
			}
			if got != want[[2]State{from, to}] {
				t.Errorf("%s → %s: %q, want %q", from, to, got, want[[2]State{from, to}])
			}
		}
	}
}

// Who speaks for whom in a case.
func TestSides(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		actor mianmi.Actor
		c     Case
		want  side
	}{
		{"the payer", mianmi.Actor{Role: mianmi.RolePayer, ID: "py1"}, Case{Payer: "py1"}, byPayer},
		{"another payer", mianmi.Actor{Role: mianmi.RolePayer, ID: "py2"}, Case{Payer: "py1"}, nobody},
		{"a payer and a case of nobody", mianmi.Actor{Role: mianmi.RolePayer}, Case{}, nobody},
		{"the merchant before it is asked", mianmi.Actor{Role: mianmi.RoleMerchantAdmin, Merchant: "mc1"}, Case{Merchant: "mc1"}, nobody},
		{"the merchant that is asked", mianmi.Actor{Role: mianmi.RoleMerchantAdmin, Merchant: "mc1"}, Case{Merchant: "mc1", Shared: true}, byShop},
		{"another merchant", mianmi.Actor{Role: mianmi.RoleMerchantAdmin, Merchant: "mc2"}, Case{Merchant: "mc1", Shared: true}, nobody},
		{"a merchant without one", mianmi.Actor{Role: mianmi.RoleMerchantAdmin}, Case{Shared: true}, nobody},
		{"a cashier", mianmi.Actor{Role: mianmi.RoleCashier, Merchant: "mc1", Store: "st1"}, Case{Merchant: "mc1", Shared: true}, nobody},
		{"an auditor", mianmi.Actor{Role: mianmi.RoleAuditor}, Case{}, nobody},
		{"nobody", mianmi.Actor{}, Case{}, nobody},
		{"a risk analyst", mianmi.Actor{Role: mianmi.RoleRisk}, Case{}, byDesk | byDecide},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sides(tt.actor, &tt.c); got != tt.want {
				t.Errorf("%b, want %b", got, tt.want)
			}
		})
	}
}

// A payer reopens a case for thirty days; the desk always may.
func TestReopening(t *testing.T) {
	t.Parallel()
	c := Case{State: Closed, ClosedAt: at}
	for _, tt := range []struct {
		who   side
		after time.Duration
		code  string
	}{
		{byPayer, ReopenWithin, ""}, {byPayer, ReopenWithin + 1, "case_too_old"}, {byDesk, 10 * ReopenWithin, ""}, {nobody, 0, "not_allowed"},
	} {
		code := ""
		if err, ok := c.may(tt.who, InProgress, at.Add(tt.after)).(*mianmi.Error); ok { //nolint:errorlint // as it is made
			code = err.Code
		}
		if code != tt.code {
			t.Errorf("%b after %v: %q, want %q", tt.who, tt.after, code, tt.code)
		}
	}
}

// While the payer is waited for the clocks stand still; what was waited is added.
// An answer that was given has no clock to be put off.
func TestClocksStandStill(t *testing.T) {
	t.Parallel()
	l := Level{First: 4 * time.Hour, Decide: 72 * time.Hour}
	c := Case{State: InProgress, OpenedAt: at}
	c.start(at, l)
	c.enter(WaitingPayer, at.Add(time.Hour), l)
	if c.Late(at.Add(1000 * time.Hour)) {
		t.Error("late while the payer is waited for")
	}
	if !c.Due().IsZero() {
		t.Errorf("due at %v while the payer is waited for", c.Due())
	}
	c.enter(WaitingMerchant, at.Add(11*time.Hour), l)
	if want := at.Add(14 * time.Hour); !c.FirstBy.Equal(want) {
		t.Errorf("the first answer is due at %v, want %v", c.FirstBy, want)
	}
	if want := at.Add(82 * time.Hour); !c.DecideBy.Equal(want) {
		t.Errorf("the decision is due at %v, want %v", c.DecideBy, want)
	}
	if !c.Late(at.Add(15*time.Hour)) || c.Late(at.Add(13*time.Hour)) {
		t.Error("the merchant is waited for, and the clock does not run")
	}
	c.AnsweredAt = at.Add(12 * time.Hour)
	first := c.FirstBy
	c.enter(WaitingPayer, at.Add(20*time.Hour), l)
	c.enter(InProgress, at.Add(30*time.Hour), l)
	if !c.FirstBy.Equal(first) {
		t.Errorf("the first answer moved from %v to %v", first, c.FirstBy)
	}
	if !c.Shared && c.Merchant != "" {
		t.Error("the merchant was asked and does not see the case")
	}
}

// Each deadline is told of before it and when it has passed, once.
func TestEscalation(t *testing.T) {
	t.Parallel()
	c := Case{State: Open, OpenedAt: at}
	c.start(at, Level{First: 4 * time.Hour, Decide: 72 * time.Hour})
	var got []string
	for range 10 {
		due := c.Due()
		if due.IsZero() {
			break
		}
		for _, a := range c.alarms() {
			if a.at.Equal(due) {
				got = append(got, a.word+" "+due.Sub(at).String())
				c.Escalated |= a.step
				break
			}
		}
	}
	want := []string{"first_answer_due 3h0m0s", "first_answer_late 4h0m0s", "decision_due 54h0m0s", "decision_late 72h0m0s"}
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	c = Case{State: Open, OpenedAt: at}
	c.start(at, Level{First: 4 * time.Hour, Decide: 72 * time.Hour})
	c.AnsweredAt = at.Add(time.Hour)
	if want := at.Add(54 * time.Hour); !c.Due().Equal(want) {
		t.Errorf("an answered case is due at %v, want %v", c.Due(), want)
	}
	for _, s := range []State{Decided, Closed} {
		if c.State = s; !c.Due().IsZero() {
			t.Errorf("a case that is %s is due at %v", s, c.Due())
		}
	}
}

// Every kind has a level; one that is not known is urgent, never without a clock.
func TestLevels(t *testing.T) {
	t.Parallel()
	for k := NoKind; k <= Complaint+1; k++ {
		l := LevelsDefault.Of(k, "wallet")
		if l.First <= 0 || l.Decide < l.First {
			t.Errorf("%v: %v", k, l)
		}
	}
	own := Levels{Kinds: LevelsDefault.Kinds, Rails: map[string]map[Kind]Level{"wechatpay": {Fraud: {First: time.Minute, Decide: time.Hour}}}}
	if l := own.Of(Fraud, "wechatpay"); l.First != time.Minute {
		t.Errorf("a rail's own level: %v", l)
	}
	if l := own.Of(Fraud, "wallet"); l != LevelsDefault.Kinds[Fraud] {
		t.Errorf("another rail's: %v", l)
	}
}

// A decision that is taken back, or a case that is taken up again, leaves nothing of
// the decision, its award least of all.
func TestDecisionsAreTakenBackWhole(t *testing.T) {
	t.Parallel()
	for _, from := range []State{Decided, Closed} {
		c := Case{State: from, Verdict: Upheld, Award: money.Of(12_00, "CNY"), DecidedAt: at, ClosedAt: at}
		c.enter(InProgress, at.Add(time.Hour), LevelsDefault.Kinds[Fraud])
		if c.Verdict != NoVerdict || c.Award != (money.Amount{}) || !c.DecidedAt.IsZero() {
			t.Errorf("from %s: %+v", from, c)
		}
	}
}
