package agent

import (
	"context"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// unknown looks for the outcome of an order whose answer was lost: it asks by
// the order's number, and where the host has never heard of it, sends the same
// request again with the same number. Another number is nobody's to choose but
// the cashier's.
func (l *Till) unknown(ctx context.Context, o Order, in *client.Authorization) {
	l.mu.Lock()
	if l.order.No == o.No {
		l.stage = Unknown
	}
	l.mu.Unlock()
	l.tell()
	for wait := pollEvery; ; wait = min(2*wait, 8*pollEvery) {
		if l.found(ctx, &o, in) {
			return
		}
		l.tell()
		if !pause(ctx, wait) {
			return
		}
	}
}

// found asks for the order's outcome and reports whether that has ended it.
func (l *Till) found(ctx context.Context, o *Order, in *client.Authorization) bool {
	p, err := l.byOrder(ctx, *o)
	if missing(err) && in != nil && l.t.Clock.Now().Sub(o.At) < settleMax/2 {
		p, err = l.authorize(ctx, *in)
	}
	switch {
	case err == nil:
		return l.prove(ctx, p) && l.answered(ctx, o, p)
	case missing(err) && l.settled(*o):
		l.nothing(*o)
		return true
	}
	return false
}

// prove proves again what a restart or a cut has left unproved: a payment that
// passed PIN-free before is judged by that, not by the moment between. It is
// false while the host cannot be told; what the host refuses is not proved.
func (l *Till) prove(ctx context.Context, p client.Payment) bool {
	h := l.t.Setting().Holds
	if p.Outcome != "pin_free" || len(h) == 0 || h[0] != NoLease { // else it is closed in any case
		return true
	}
	err := l.report(ctx)
	return err == nil || link.Refused(err)
}

// settled reports whether a request for the order can no longer be on its way.
func (l *Till) settled(o Order) bool {
	return l.t.Clock.Now().After(o.At.Add(settleMax)) && (o.QR == "" || l.lapsed(o))
}

// lapsed reports whether a QR order's time is over at the host, which has set
// it: while a clock here is fast, the order can still be paid.
func (l *Till) lapsed(o Order) bool {
	now, known := l.t.hostNow()
	return known && now.After(o.Until)
}

// resolve is unknown after a restart: the code or card is gone, so only asking
// is left.
func (l *Till) resolve(ctx context.Context, o Order) {
	l.t.waitLook(ctx)
	l.unknown(ctx, o, nil)
}

// nothing ends an order that the host never took.
func (l *Till) nothing(o Order) {
	l.end(Slip{Order: o, State: "nothing", Ended: l.t.Clock.Now(), Sentence: mianmi.Text{
		ZH: "已向主机核对：这笔付款没有发生，未扣款。", EN: "Checked with the host: this payment never happened; nothing was charged."}})
}

// lapse ends a QR order at the screen. Before its time is over somebody may
// still pay it: then it stays open, to be looked after.
func (l *Till) lapse(o Order) {
	if l.lapsed(o) {
		l.end(Slip{Order: o, State: "expired", Ended: l.t.Clock.Now(), Sentence: mianmi.Text{
			ZH: "二维码已过期，顾客没有付款，未扣款。", EN: "The QR code has lapsed and was not paid; nothing was charged."}})
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o.Dropped = true
	_ = l.keepOpen(o) // else it is asked for all the same after the next start
	if l.order.No == o.No {
		l.clear()
	}
	l.tell()
}

// settle ends an order by the host's word. A payment that passed PIN-free
// while this terminal is closed is undone at once: the second lock. Until the
// host has answered to that, the order stays open, and settle is false.
func (l *Till) settle(ctx context.Context, o *Order, p client.Payment) bool {
	paid := p.State == "approved"
	free := p.Outcome == "pin_free" && p.Method != cash && (paid || p.State == "reversed")
	closed := o.Undo || paid && free && !l.freeHere(p)
	if closed && !o.Undo {
		_ = l.t.Trouble("no_pin_asked", o.No, p.ID) // kept or not: the slip says it
		l.undoing(o)
	}
	undo := paid && (o.Test || o.Dropped || closed)
	failed := ""
	if undo {
		r, err := l.undo(ctx, p.ID)
		switch {
		case err == nil:
			p = r
		case !link.Refused(err):
			return false
		}
		if underWay(p) { // another payment system has yet to confirm it
			return false
		}
		failed = client.Code(err)
	}
	s := slipOf(*o, p, l.t.Clock.Now())
	s.Undo = false
	if undo && p.State != "reversed" {
		s.Failure = "not_undone " + failed
	}
	switch {
	case closed && p.State == "reversed":
		s.Undone = true
		s.Sentence = mianmi.Text{ZH: "本终端已关闭免密，这笔却被免密放行：已立即撤销，请让顾客验证后重新付款。",
			EN: "This terminal is closed for PIN-free, and the payment passed without a PIN: it was undone at once. Let the customer pay again and verify."}
	case closed && undo:
		s.Sentence = mianmi.Text{ZH: "本终端已关闭免密，这笔却被免密放行，而且没能撤销：款项已扣，请联系客服退回。",
			EN: "This terminal is closed for PIN-free, and the payment passed without a PIN. It could not be undone: the money was taken; call support to give it back."}
	}
	if o.Test {
		l.tested(*o, s, free, closed)
	}
	l.end(s)
	return true
}

// undoing notes that the order is to be undone, whatever comes between: it is
// not judged anew by what the terminal runs later.
func (l *Till) undoing(o *Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.Undo = true
	if err := l.keepOpen(*o); err != nil {
		l.t.Log.Error("an order to be undone could not be noted", "order", o.No, "error", err)
	}
}

// freeHere reports whether this terminal would let the payment pass without a
// PIN.
func (l *Till) freeHere(p client.Payment) bool {
	s := l.t.Setting()
	// What the host holds by itself is the host's to know, and it has decided;
	// what this terminal has proved to nobody is not PIN-free.
	return !slices.ContainsFunc(s.Holds, func(h Hold) bool { return h != HostHolds }) &&
		(s.Effective.PerPayment == nil || p.Amount.Minor() <= s.Effective.PerPayment.Minor())
}

func (l *Till) undo(ctx context.Context, id mianmi.PaymentID) (client.Payment, error) {
	api, err := l.t.api()
	if err != nil {
		return client.Payment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return api.Reverse(ctx, id)
}

// callOff cancels a payment that waits. When it was paid in that moment, the
// host's word counts.
func (l *Till) callOff(ctx context.Context, o Order, p client.Payment) {
	api, err := l.t.api()
	if err == nil {
		short, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		var off client.Payment
		if off, err = api.Cancel(short, p.ID); err == nil && !underWay(off) {
			if o.Test {
				off.Outcome = p.Outcome
			}
			if l.settle(ctx, &o, off) {
				return
			}
		}
	}
	if l.shown(o) && pause(ctx, pollEvery) { // others are looked after in turn
		l.unknown(ctx, o, nil)
	}
}

// end writes the outcome down and shows it.
func (l *Till) end(s Slip) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.order.No == s.No { // others end, too, while a PIN is typed
		l.wipe()
		l.input = client.Authorization{}
	}
	if err := l.keep(func(b *books) {
		b.Open = slices.DeleteFunc(b.Open, func(o Order) bool { return o.No == s.No })
		b.Slips = slices.DeleteFunc(b.Slips, func(x Slip) bool { return x.No == s.No })
		b.Slips = added(b.Slips, s, slipsMax)
	}); err != nil {
		l.t.Log.Error("a slip could not be kept; the host has the payment", "order", s.No, "error", err)
		l.books.Slips = added(l.books.Slips, s, slipsMax) // in memory, for the screen
	}
	if l.order.No == s.No {
		l.stage = Done
	}
	l.tell()
}

func slipOf(o Order, p client.Payment, now time.Time) Slip {
	s := Slip{Order: o, Payment: p.ID, State: p.State, Outcome: p.Outcome, CVM: p.CVM, Entry: p.Entry, Failure: p.Failure, Sentence: p.Sentence,
		Rules: p.DecidedBy.Rules, Ended: now, Place: [4]string{p.Where.Merchant.Name, p.Where.Store.Name, p.Where.Store.Address, p.Where.Terminal.Name}}
	for _, r := range p.Reasons[:min(len(p.Reasons), 4)] { // the binding one first; more do not fit a slip
		s.Reasons = append(s.Reasons, r.Words.Payer)
	}
	return s
}

// resolveOpen asks for the outcome of the orders that nobody looks at: left at
// the screen, called off while a QR code was out, or open at the last start.
func (l *Till) resolveOpen(ctx context.Context) {
	l.mu.Lock()
	var list []Order
	for _, o := range l.books.Open {
		if o.No != l.order.No || l.stage == Idle {
			list = append(list, o)
		}
	}
	l.mu.Unlock()
	for _, o := range list {
		p, err := l.byOrder(ctx, o)
		switch {
		case missing(err) && l.settled(o):
			l.nothing(o)
		case err != nil || p.State == "undoing" || underWay(p) && !o.Dropped || !l.prove(ctx, p):
		case underWay(p):
			l.callOff(ctx, o, p)
		default:
			l.settle(ctx, &o, p)
		}
	}
}

// Leave leaves a payment whose outcome is not known: it stays open and is
// asked for, and the terminal takes the next customer.
func (l *Till) Leave() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage != Unknown {
		return mianmi.Conflicts("not_unknown", "its outcome is not unknown")
	}
	l.clear()
	l.tell()
	return nil
}

// Cancel calls the payment off, or says that it is to be called off as soon as
// the host has answered.
func (l *Till) Cancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.stage {
	case Reading:
		if len(l.failed) > 0 || !l.order.Test {
			l.stage = Choosing
		} else {
			l.clear()
		}
	case Choosing, Done:
		l.clear()
	case Asking, Waiting, ShowingQR:
		l.wanted = true
		l.wipe()
	case Idle, Unknown:
	}
	l.tell()
}

// Reverse undoes an approved payment of the last slips.
func (l *Till) Reverse(ctx context.Context, no string) error {
	s, ok := l.Slip(no)
	if !ok || s.State != "approved" {
		return mianmi.Missing("approved payment")
	}
	p, err := l.undo(ctx, s.Payment)
	if err != nil {
		return err
	}
	n := slipOf(s.Order, p, l.t.Clock.Now())
	n.Reasons = s.Reasons
	l.end(n)
	if underWay(p) { // it is looked after until the payment system has confirmed it
		l.mu.Lock()
		defer l.mu.Unlock()
		o := s.Order
		o.Dropped = true
		return l.keep(func(b *books) { b.Open = append(b.Open, o) })
	}
	return nil
}

// tested records what a test payment has shown.
func (l *Till) tested(o Order, s Slip, free, closed bool) {
	c := protocol.Check{Kind: "test_payment", Method: o.Method, Payment: s.Payment, At: s.Ended}
	open := l.t.Setting().PinFree
	switch {
	case closed:
		c.Detail = "pin_free_while_closed"
	case free:
		c.Passed, c.Detail = open, "pin_free"
	case s.Outcome == "step_up":
		c.Passed, c.Detail = true, "asked_for_password"
	default:
		c.Detail = s.Failure
	}
	if s.State == "approved" { // it could not be taken back
		c.Passed, c.Detail = false, "not_reversed"
	}
	if err := l.t.record([]protocol.Check{c}); err != nil {
		l.t.Log.Error("the result of a test payment could not be kept", "error", err)
	}
}
