package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// outsideTests are those of channels outside, each with a database of its own.
var outsideTests = map[string]func(*testing.T, *desk){
	"a channel outside takes payments":                        outsideTakes,
	"the policy of a channel outside is proved":               outsideIsProved,
	"a channel outside is asked for members, as they have it": outsideMembers,
	"a channel outside names members before the charge":       outsideNames,
	"a channel outside is not asked by a question":            outsideDryRuns,
	"a channel outside that gives nothing back":               outsideKeeps,
	"a channel outside that does not say what it gave back":   outsideStalls,
	"a channel outside that does not say what it undid":       outsideUndoStalls,
	"a channel outside that hangs holds up no other":          outsideHangs,
	"what no process asks a channel outside is counted":       outsideOverdue,
	"a channel outside gives money back":                      outsideGivesBack,
	"a channel outside is asked again by whoever is left":     outsideKilled,
	"books and a channel that loses answers agree":            outsideAgrees,
}

// counter is a desk whose shop takes payments of a channel outside, too.
type counter struct {
	*desk
	fake *channeltest.Channel
	n    *Node
	till mianmi.Actor // the terminal
	bare mianmi.Actor
}

func newCounter(t *testing.T, d *desk) *counter {
	t.Helper()
	c := &counter{desk: d, fake: &channeltest.Channel{OwnRules: true, Only: d.Merchant}}
	c.n = c.serve(t, c.fake)
	c.till = mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(d.Terminal), Merchant: d.Merchant, Store: d.Store}
	c.bare = mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(d.Bare), Merchant: d.Merchant, Store: d.Store}
	return c
}

// serve starts a process that is connected to the channel.
func (c *counter) serve(t *testing.T, r ...channel.Remote) *Node {
	t.Helper()
	db := c.engine.Open(t)
	n := must(NewNode(t.Context(), NodeConfig{DB: db, Keys: c.keys, Clock: c.clock, Ledger: must(c.engine.Ledger(t.Context(), db))(t),
		Payer: payer.Config{NoCoolingOff: true, CodesMax: 100}, Remotes: r}))(t)
	t.Cleanup(n.Payments.Stop)
	return n
}

// codeOf is a code of the channel that nobody has used.
func codeOf(kind string) string { return channeltest.Code(kind, orders.Add(1)) }

// ask has a node ask the channel until nothing is due.
func (c *counter) ask(t *testing.T, n *Node) {
	t.Helper()
	for range 100 {
		if must(n.Payments.AskChannel(t.Context(), c.fake.Name()))(t) == 0 {
			return
		}
	}
	t.Fatal("there is no end of questions")
}

// later moves the clock and asks.
func (c *counter) later(t *testing.T, d time.Duration) {
	t.Helper()
	c.clock.Add(d)
	c.ask(t, c.n)
}

func (c *counter) scan(kind string, minor int64) payment.Request {
	return Code(c.Terminal, order(), minor, codeOf(kind))
}

// take has the terminal ask for a payment.
func (c *counter) take(t *testing.T, r payment.Request, want payment.State) *payment.Payment {
	t.Helper()
	p := must(c.n.Payments.Authorize(t.Context(), c.till, r))(t)
	wantState(t, p, want)
	return p
}

func (c *counter) is(t *testing.T, id mianmi.PaymentID, want payment.State) *payment.Payment {
	t.Helper()
	p := must(c.n.Payments.Payment(t.Context(), Operator, id))(t)
	wantState(t, p, want)
	return p
}

func (c *counter) wantTaken(t *testing.T, id mianmi.PaymentID, want int64) {
	t.Helper()
	got, charges := c.fake.Taken(id)
	ours := number(t, c.rows, `SELECT coalesce(sum(CASE kind WHEN 1 THEN amount ELSE -amount END), 0) FROM journal WHERE ref = $1`, string(id))
	if got != want || ours != want || charges > 1 {
		t.Errorf("payment %s: the channel keeps %d (charged %d times), our books %d, want %d", id, got, charges, ours, want)
	}
}

func reasons(p *payment.Payment) (list []pinfree.Reason) {
	for _, w := range p.Reasons {
		list = append(list, w.Reason)
	}
	return list
}

// A code that may pass is charged, once; where it may not, or nobody knows, the
// channel's QR code is shown and the code is never charged. Answers that are
// missing are asked for.
func outsideTakes(t *testing.T, d *desk) {
	c := newCounter(t, d)
	r := c.scan(channeltest.CodeRich, 20_00)
	p := c.take(t, r, payment.Approved)
	if p.CVM != pinfree.NoCVM || p.Payer != "" || !p.Outside() || p.Transaction == "" || !slices.Contains(reasons(p), pinfree.ChannelKeepsOwn) {
		t.Errorf("%+v", p)
	}
	if again := c.take(t, r, payment.Approved); again.ID != p.ID {
		t.Error("a repeat is another payment")
	}
	c.wantTaken(t, p.ID, 20_00)

	poor := c.take(t, c.scan(channeltest.CodePoor, 20_00), payment.Declined)
	if poor.Failure != channel.InsufficientFunds {
		t.Errorf("declined for %v", poor.Failure)
	}
	slow := c.take(t, c.scan(channeltest.CodeSlow, 20_00), payment.Verifying)
	gone := c.take(t, c.scan(channeltest.CodeSlow, 20_00), payment.Verifying)
	c.fake.Finish(slow.ID, true)
	c.fake.Finish(gone.ID, false)
	c.later(t, 5*time.Second)
	if p := c.is(t, slow.ID, payment.Approved); p.CVM != pinfree.PhonePassword {
		t.Errorf("who had to be waited for was verified by %v", p.CVM)
	}
	c.is(t, gone.ID, payment.Declined)

	outsideQR(t, c)
	outsideLost(t, c)

	// What is closed here is never charged by code, from its acknowledgement on.
	must(c.a.Merchants.SetPolicy(t.Context(), Operator, merchant.PolicyOrder{Scope: merchant.OfChannel(c.fake.Name()), Terms: merchant.Terms{}}))(t)
	off := c.take(t, c.scan(channeltest.CodeRich, 1_00), payment.StepUpRequired)
	if off.Reasons[0].Reason != pinfree.ChannelClosed || off.QR == "" {
		t.Errorf("%v, QR %q", off.Reasons, off.QR)
	}
	c.wantTaken(t, off.ID, 0)
	c.later(t, 90*time.Second)
	c.is(t, off.ID, payment.Expired)
}

func outsideQR(t *testing.T, c *counter) {
	c.fake.OwnRules = false
	defer func() { c.fake.OwnRules = true }()
	p := c.take(t, c.scan(channeltest.CodeRich, 30_00), payment.StepUpRequired)
	if p.QR == "" || p.StepUp != pinfree.ByDynamicQR || p.Reasons[0].Reason != pinfree.LayerUnknown {
		t.Errorf("%+v", p)
	}
	_, err := c.n.Payments.Confirm(t.Context(), mianmi.Actor{Role: mianmi.RolePayer, ID: "py1"}, p.ID, PaymentPassword)
	wantKind(t, err, mianmi.NotFound, "")
	c.fake.Scan(p.QR)
	c.later(t, 5*time.Second)
	if p := c.is(t, p.ID, payment.Approved); p.CVM != pinfree.PhonePassword || p.ExpiresAt != (time.Time{}) {
		t.Errorf("%+v", p)
	}
	c.wantTaken(t, p.ID, 30_00)

	// Who hears of it asks at once; what is over, or nobody's, is left alone.
	hinted := c.take(t, c.scan(channeltest.CodeRich, 31_00), payment.StepUpRequired)
	c.fake.Scan(hinted.QR)
	for _, id := range []mianmi.PaymentID{hinted.ID, p.ID, "pm00000000000000000000000000ff"} {
		must(id, c.n.Payments.AskSoon(t.Context(), id, ""))(t)
	}
	c.ask(t, c.n)
	c.is(t, hinted.ID, payment.Approved)

	// A terminal without a display can show none.
	before := len(c.fake.Orders())
	none := must(c.n.Payments.Authorize(t.Context(), c.bare, Code(c.Bare, order(), 1_00, codeOf(channeltest.CodeRich))))(t)
	if wantState(t, none, payment.Refused); none.Reasons[0].Reason != pinfree.NoStepUpPossible || len(c.fake.Orders()) != before {
		t.Errorf("%v, and the channel was asked for %d", none.Reasons, len(c.fake.Orders())-before)
	}

	// One that is asked for as a QR code; nobody pays, or too late to be closed.
	direct := payment.Request{Terminal: c.Terminal, OrderNo: order(), Amount: money.Of(5_00, "CNY"), Method: pinfree.DynamicQR, Channel: c.fake.Name()}
	idle := c.take(t, direct, payment.StepUpRequired)
	direct.OrderNo = order()
	called := c.take(t, direct, payment.StepUpRequired)
	c.fake.Scan(called.QR)
	wantState(t, must(c.n.Payments.Cancel(t.Context(), c.till, called.ID))(t), payment.Undoing)
	if _, err := c.n.Payments.ExpireOverdue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.is(t, idle.ID, payment.StepUpRequired)
	c.clock.Add(5 * time.Minute)
	must(c.n.Payments.ExpireOverdue(t.Context()))(t)
	c.is(t, idle.ID, payment.Undoing)
	c.ask(t, c.n)
	c.is(t, idle.ID, payment.Expired)
	c.is(t, called.ID, payment.Reversed)
	c.wantTaken(t, called.ID, 0)
	direct.Channel = "nobody"
	_, err = c.n.Payments.Authorize(t.Context(), c.till, direct)
	wantKind(t, err, mianmi.Invalid, "channel")
}

func outsideLost(t *testing.T, c *counter) {
	fault := map[string]channeltest.Fault{}
	c.fake.Trouble = func(call string, _ mianmi.PaymentID) channeltest.Fault { return fault[call] }
	defer func() { c.fake.Trouble = nil }()
	fault["charge"] = channeltest.LostLate
	lost := c.take(t, c.scan(channeltest.CodeRich, 7_00), payment.Unknown)
	fault["charge"] = channeltest.NotSent
	never := c.take(t, c.scan(channeltest.CodeRich, 8_00), payment.Unknown)
	fault["charge"] = channeltest.NoFault
	c.later(t, 5*time.Second)
	c.is(t, lost.ID, payment.Approved)
	c.is(t, never.ID, payment.Unknown)
	fault["undo"] = channeltest.NotSent
	c.later(t, 40*time.Second)
	c.is(t, never.ID, payment.Undoing)
	fault["undo"] = channeltest.LostLate
	c.later(t, time.Minute)
	c.is(t, never.ID, payment.Undoing)
	fault["undo"] = channeltest.NoFault
	c.later(t, time.Minute)
	c.is(t, never.ID, payment.Declined)
	c.wantTaken(t, lost.ID, 7_00)
	c.wantTaken(t, never.ID, 0)

	// Money that comes after the end goes back, and somebody is told.
	c.fake.PayLate(never.ID, never.Amount)
	c.later(t, time.Hour)
	c.is(t, never.ID, payment.Reversed)
	c.wantTaken(t, never.ID, 0)
	if n := number(t, c.rows, `SELECT count(*) FROM outbox WHERE subject = $1 AND topic = $2`, string(never.ID), int64(payment.TopicLate)); n != 1 {
		t.Errorf("%d messages say that money came late", n)
	}
}

// A member's switch, limits and agreement have their say; a code is charged for
// the last PIN-free payment of the day once; what ends unpaid is given back.
func outsideMembers(t *testing.T, d *desk) {
	c := newCounter(t, d)
	p := c.person(t, 0)
	as := func(kind string) payment.Request {
		r := c.scan(kind, 10_00)
		r.Member = p.ID
		return r
	}
	_, err := c.n.Payments.Authorize(t.Context(), c.till, as(channeltest.CodeRich))
	wantKind(t, err, mianmi.Invalid, "member") // has no agreement with this merchant
	_, err = c.n.Payments.Authorize(t.Context(), c.Manager, as(channeltest.CodeRich))
	wantKind(t, err, mianmi.Denied, "not_allowed")
	nobody := as(channeltest.CodeRich)
	nobody.Member = "py0123456789"
	_, err = c.n.Payments.Authorize(t.Context(), c.till, nobody)
	wantKind(t, err, mianmi.Invalid, "member")
	ours := Code(c.Terminal, order(), 1_00, "880010000000000001")
	ours.Member = p.ID
	_, err = c.n.Payments.Authorize(t.Context(), c.till, ours)
	wantKind(t, err, mianmi.Invalid, "member")

	g := must(c.a.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: c.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	one := int64(1)
	must(c.a.Payers.SetLimits(t.Context(), p.Actor(), p.ID, payer.LimitsInput{Limits: payer.Limits{DayCount: &one}, Password: PaymentPassword, RiskVersion: payer.RiskText.Version}))(t)
	clean := c.counters(t, p)
	c.take(t, as(channeltest.CodePoor), payment.Declined)
	if got := c.counters(t, p); got != clean {
		t.Errorf("a payment that nobody paid is counted: %s, before %s", got, clean)
	}
	var got attempts
	nodes := []*Node{c.n, c.serve(t, c.fake)}
	c.both(6, func(i int, _ *Node) {
		got.add(nodes[i%2].Payments.Authorize(t.Context(), c.till, as(channeltest.CodeRich)))
	})
	got.wantErrs(t, 0, mianmi.Internal, "")
	if n := got.count(approved); n != 1 {
		t.Errorf("%d PIN-free payments passed, the payer allows 1 a day", n)
	}
	for _, q := range got.payments {
		if q.State != payment.Approved && (q.State != payment.StepUpRequired || q.Reasons[0].Reason != pinfree.OwnDayCountLimit) {
			t.Errorf("%v %v", q.State, q.Reasons)
		}
		if q.Payer != p.ID {
			t.Errorf("the payer is %q", q.Payer)
		}
	}
	if list := must(c.n.Payments.StepUps(t.Context(), p.Actor(), p.ID))(t); len(list) != 0 {
		t.Errorf("%d payments ask for a password that does not help", len(list))
	}
	// A one-off allowance lets one pass, and is there again when nothing was paid.
	must(c.a.Payers.GrantAllowance(t.Context(), p.Actor(), p.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Password: PaymentPassword}))(t)
	c.take(t, as(channeltest.CodePoor), payment.Declined)
	c.take(t, as(channeltest.CodeRich), payment.Approved)
	c.take(t, as(channeltest.CodeRich), payment.StepUpRequired)
	must(c.a.Payers.CloseAgreement(t.Context(), p.Actor(), p.ID, g.ID))(t)
	if q := c.take(t, as(channeltest.CodeRich), payment.StepUpRequired); q.Reasons[0].Reason != pinfree.AgreementClosed {
		t.Errorf("%v", q.Reasons)
	}
}

// Reversals are done when the channel has said so, refunds are pending until then.
func outsideGivesBack(t *testing.T, d *desk) {
	c := newCounter(t, d)
	p := c.take(t, c.scan(channeltest.CodeRich, 20_00), payment.Approved)
	for range 2 {
		wantState(t, must(c.n.Payments.Reverse(t.Context(), c.till, p.ID))(t), payment.Undoing)
	}
	c.ask(t, c.n) // not before the channel's time
	c.is(t, p.ID, payment.Undoing)
	c.later(t, 15*time.Second)
	c.is(t, p.ID, payment.Reversed)
	c.wantTaken(t, p.ID, 0)

	c.fake.Slack = true
	q := c.take(t, c.scan(channeltest.CodeRich, 20_00), payment.Approved)
	back := func(no string, minor int64) (*payment.Refund, error) {
		return c.n.Payments.Refund(t.Context(), c.Manager, q.ID, payment.RefundRequest{RefundNo: no, Amount: money.Of(minor, "CNY"), Reason: "退货"})
	}
	states := func() (out []payment.RefundState) {
		for _, f := range must(c.n.Payments.Refunds(t.Context(), c.Manager, q.ID))(t) {
			out = append(out, f.State)
		}
		return out
	}
	for range 2 {
		if f := must(back("r1", 5_00))(t); f.State != payment.RefundPending {
			t.Errorf("a refund is %v", f.State)
		}
	}
	_, err := back("r2", 15_01)
	wantKind(t, err, mianmi.Conflict, "refund_too_large") // what is pending counts
	_, err = c.n.Payments.Reverse(t.Context(), c.Manager, q.ID)
	wantKind(t, err, mianmi.Conflict, "not_reversible")
	c.ask(t, c.n)
	c.is(t, q.ID, payment.Approved)
	c.later(t, 5*time.Second)
	if c.is(t, q.ID, payment.PartlyRefunded); !slices.Equal(states(), []payment.RefundState{payment.RefundDone}) {
		t.Errorf("refunds are %v", states())
	}
	must(back("r2", 15_00))(t)
	c.ask(t, c.n)
	c.later(t, 5*time.Second)
	c.is(t, q.ID, payment.Refunded)
	c.wantTaken(t, q.ID, 0)

	// One that the channel does not give is failed, and what is left is still there.
	bad := c.take(t, c.scan(channeltest.CodeRich, 20_00), payment.Approved)
	c.fake.Refund(t.Context(), channel.RefundOrder{Ref: channel.Ref{Payment: bad.ID}, Refund: "rf1", Amount: bad.Amount})
	c.fake.QueryRefund(t.Context(), channel.RefundOrder{Ref: channel.Ref{Payment: bad.ID}, Refund: "rf1"})
	must(c.n.Payments.Refund(t.Context(), c.Manager, bad.ID, payment.RefundRequest{RefundNo: "r1", Amount: bad.Amount}))(t)
	c.ask(t, c.n)
	c.is(t, bad.ID, payment.Approved)
	if f := must(c.n.Payments.Refunds(t.Context(), c.Manager, bad.ID))(t); f[0].State != payment.RefundFailed {
		t.Errorf("the refund is %v", f[0].State)
	}
	c.clock.Add(8 * 24 * time.Hour)
	late := c.take(t, c.scan(channeltest.CodeRich, 1_00), payment.Approved)
	c.clock.Add(25 * time.Hour)
	_, err = c.n.Payments.Reverse(t.Context(), c.Manager, late.ID)
	wantKind(t, err, mianmi.Conflict, "too_late_to_reverse")
}
