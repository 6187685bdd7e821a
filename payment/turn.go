package payment

import (
	"time"

	"github.com/mianmi/mianmi/channel"
)

// moment is when an answer is heard, and what the channel's pace is.
type moment struct {
	now  time.Time
	pace channel.Pace
}

// happening is what an answer has brought about. The zero happening is nothing
// but another time to ask.
type happening uint8

const (
	nothingNew happening = iota
	payerBusy            // the payer is asked by the channel
	unclear              // no clear answer, for the first time
	captured
	undoing  // it is to be undone, or was paid before that came through
	ended    // without payment
	reversed // the money is back
	late     // paid after the end; it goes back
	kept     // the channel gives it back under no number: it stays taken
	stalled  // the channel does not say whether it undid it, or gave it back: people are to look
)

// turn is what an answer makes of a payment.
type turn struct {
	call    Call
	state   State
	failure channel.Failure
	what    happening
	capture bool // our books take it
	back    bool // our books give it back
}

// hear is the one place that decides what an answer makes of a payment: in which
// state it was, what the channel was asked, what it said. It is pure.
//
// A payment ends only by a final standing. Whatever was asked and whenever the
// answer comes, Paid makes it approved, or the money goes back.
func hear(s State, c Call, asked Task, a channel.Answer, at moment) turn {
	if a.Transaction != "" {
		c.Transaction = a.Transaction
	}
	switch s {
	case Verifying, Unknown, StepUpRequired:
		return hearOpen(s, c, a, at)
	case Undoing:
		return hearUndoing(c, asked, a, at)
	case Declined, Expired:
		return hearEnded(s, c, a, at)
	}
	return turn{call: c, state: s} // approved, or back: nothing that is heard now changes it
}

// hearOpen is about a payment that nobody has given up.
func hearOpen(s State, c Call, a channel.Answer, at moment) turn {
	c.Tries = 0
	switch {
	case a.Standing == channel.Paid:
		return take(c)
	case a.Standing == channel.GivenBack:
		return goneBack(c)
	case a.Standing == channel.Unpaid:
		return end(c, c.ending(at.now), a.Failure, at)
	case a.Failure != channel.NoFailure && a.Failure != channel.ChannelBusy: // no proof, but the till need not wait
		return giveUp(c, Declined, a.Failure, at)
	case !at.now.Before(c.Until):
		return giveUp(c, c.ending(at.now), channel.PayerStopped, at)
	}
	t := turn{call: c, state: Unknown}
	if t.call.QR == "" {
		t.call.QR = a.QR
	}
	pause := at.pace.First
	if a.Standing == channel.Waiting {
		t.state, t.call.Busy, pause = Verifying, true, at.pace.Every
	}
	t.call.Task = Query
	switch {
	case c.Way == channel.ByQR && t.call.QR == "":
		t.call.Task = Open
	case c.Way == channel.ByQR && a.Standing == channel.Waiting, s == StepUpRequired:
		t.state = StepUpRequired // the code is on the screen, whatever is heard
	case c.Busy && s == Verifying:
		t.state = s // one answer that was lost does not make it unknown
	}
	if t.state != s || t.call.Busy != c.Busy {
		t.what = unclear
		if t.state != Unknown {
			t.what = payerBusy
		}
	}
	t.call.Due = soonest(at.now.Add(pause), c.Until, at.now)
	return t
}

// ending is how a payment ends that nobody has paid.
func (c *Call) ending(now time.Time) State {
	if c.Way == channel.ByQR && !now.Before(c.Until) {
		return Expired
	}
	return Declined
}

func hearUndoing(c Call, asked Task, a channel.Answer, at moment) turn {
	same := turn{call: c, state: Undoing}
	switch {
	case a.Standing == channel.GivenBack:
		return goneBack(c)
	case a.Standing == channel.Unpaid && !c.Taken:
		return end(c, c.Ending, channel.NoFailure, at)
	case asked != Undo || c.Task != Undo: // a question of before: the undoing goes on
		return same
	case a.Standing == channel.Unpaid: // it was paid, and is not any more
		return goneBack(c)
	case a.Standing == channel.Paid:
		return giveBack(c, undoing, at)
	}
	same.call.Tries++
	if same.call.waits(at) {
		same.what, same.failure = stalled, channel.ChannelBusy
	}
	return same
}

// hearEnded is about a payment that has ended without money.
func hearEnded(s State, c Call, a channel.Answer, at moment) turn {
	switch a.Standing {
	case channel.Paid:
		return giveBack(c, late, at)
	case channel.GivenBack:
		return goneBack(c)
	case channel.Unpaid:
		c.Late, c.Tries = c.Late+1, 0
	case channel.Unclear, channel.Waiting:
		if c.Tries++; c.Tries >= lateTriesMax {
			c.Late, c.Tries = c.Late+1, 0
		}
	}
	c.lookLater(at)
	if c.Task == Query && c.Tries > 0 {
		c.Due = at.now.Add(backoff(at.pace.Every, c.Tries-1, pauseMax))
	}
	return turn{call: c, state: s}
}

// lateTriesMax is how often one late look is tried: an hour and a half, with the
// longest pause between.
const lateTriesMax = 12

// lookLater sets the next look at a payment that has ended without money.
func (c *Call) lookLater(at moment) {
	c.Task, c.Due = Rest, time.Time{}
	if c.Late < len(at.pace.Late) {
		c.Task, c.Due = Query, c.Ended.Add(at.pace.Late[c.Late])
	}
}

// take is money that came.
func take(c Call) turn {
	c.Taken, c.Task, c.Due, c.Tries = true, Rest, time.Time{}, 0
	return turn{call: c, state: Approved, what: captured, capture: true}
}

// end is a payment that nobody has paid and nobody can pay any more.
func end(c Call, s State, f channel.Failure, at moment) turn {
	c.Ended, c.Late, c.Tries = at.now, 0, 0
	c.lookLater(at)
	return turn{call: c, state: s, failure: f, what: ended}
}

// giveUp has the order undone. It ends as s when nothing was paid.
func giveUp(c Call, s State, f channel.Failure, at moment) turn {
	c.Task, c.Ending, c.Tries, c.Due = Undo, s, 0, at.now
	if from := c.Began.Add(at.pace.UndoFrom); c.Way == channel.ByCode && at.now.Before(from) {
		c.Due = from
	}
	return turn{call: c, state: Undoing, failure: f, what: undoing}
}

// giveBack has the money of a paid order refunded, for it cannot be undone.
func giveBack(c Call, what happening, at moment) turn {
	t := turn{state: Undoing, what: what, capture: !c.Taken}
	c.Taken, c.Task, c.Ending, c.Due, c.Tries = true, GiveBack, Reversed, at.now, 0
	t.call = c
	return t
}

// goneBack is money that came, if it did, and is back.
func goneBack(c Call) turn {
	t := turn{state: Reversed, what: reversed, capture: !c.Taken, back: true}
	c.Taken, c.Task, c.Due, c.Tries = true, Rest, time.Time{}, 0
	t.call = c
	return t
}

// returnsMax is under how many numbers a return is asked for. A channel says of
// one that it has failed for good when the payer's account is closed, or when it
// wants a hand; some of these are over soon, none that five times are not.
const returnsMax = 5

// hearReturn is what the channel's word on a refund makes of a payment that is
// given back by one. Where the channel gives nothing back, the payment is what its
// money is: taken. People are told, and give it back by another way.
func hearReturn(c Call, a channel.RefundAnswer, at moment) turn {
	if a.Standing == channel.Paid {
		return goneBack(c)
	}
	c.Asked, c.Tries = true, c.Tries+1
	if a.Standing == channel.Unpaid { // not under this number: under another one
		c.Asked, c.Return, c.Refusals = false, "", c.Refusals+1
	}
	if c.Refusals >= returnsMax {
		c.Task, c.Due, c.Tries = Rest, time.Time{}, 0
		return turn{call: c, state: Approved, failure: channel.ChannelRefused, what: kept}
	}
	t := turn{state: Undoing}
	if c.waits(at) {
		t.what, t.failure = stalled, channel.ChannelBusy
	}
	t.call = c
	return t
}

const (
	// backPauseMax is the longest pause between two questions about money that goes
	// back: nobody stands at a till for it, and a refund to a card takes days.
	backPauseMax = 6 * time.Hour
	// stalledAfter is how many answers in a row that settle nothing are a silence for
	// people to look at. At a pace of 5 s 13 doubled pauses are 11 hours and 27 of
	// the longest are 162: a week, which is longer than a refund takes over a holiday
	// and as long as WeChat Pay takes a reversal.
	stalledAfter = 40
)

// waits puts off the next question about money that goes back, and about an order
// that is to be undone, after Tries answers that settled nothing. It reports whether that has just come to its end: then
// nothing is asked any more, unless somebody hints at news, or asks by hand.
func (c *Call) waits(at moment) bool {
	if c.Tries >= stalledAfter {
		c.Due = time.Time{}
		return c.Tries == stalledAfter
	}
	c.Due = at.now.Add(backoff(at.pace.Every, c.Tries-1, backPauseMax))
	return false
}

// stands reports whether the channel is asked again by hand alone.
func (c *Call) stands() bool {
	return (c.Task == Undo || c.Task == GiveBack || c.Task == PayBack) && c.Due.IsZero()
}

// again has the channel asked at once, from the shortest pause on.
func (c *Call) again(now time.Time) { c.Due, c.Tries = now, 0 }

// pauseMax is the longest pause between two late looks at an order.
const pauseMax = 10 * time.Minute

// backoff doubles the pause after each answer that settled nothing, up to most.
func backoff(every time.Duration, tries int, most time.Duration) time.Duration {
	for range min(tries, 20) {
		if every *= 2; every >= most {
			return most
		}
	}
	return min(every, most)
}

// soonest is the earlier of two times, but not before now.
func soonest(a, b, now time.Time) time.Time {
	if b.Before(a) {
		a = b
	}
	if a.Before(now) {
		return now
	}
	return a
}
