package payment

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/channel"
)

var turnPace = channel.Pace{Answer: 10 * time.Second, First: 5 * time.Second, Every: 5 * time.Second, GiveUp: 45 * time.Second, UndoFrom: 15 * time.Second,
	UndoWithin: 7 * 24 * time.Hour, Late: []time.Duration{time.Hour, 24 * time.Hour}}

var turnBegan = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

// Each answer in each state leads where ADR 14 says.
func TestHear(t *testing.T) {
	t.Parallel()
	code := Call{Way: channel.ByCode, Task: Query, Began: turnBegan, Until: turnBegan.Add(45 * time.Second)}
	qr := Call{Way: channel.ByQR, Task: Query, Began: turnBegan, Until: turnBegan.Add(90 * time.Second), QR: "qr"}
	with := func(c Call, change func(*Call)) Call { change(&c); return c }
	undo := with(code, func(c *Call) { c.Task, c.Ending = Undo, Declined })
	taken := with(undo, func(c *Call) { c.Taken, c.Ending = true, Reversed })
	over := with(code, func(c *Call) { c.Ended = turnBegan.Add(time.Minute) })
	said := func(s channel.Standing, f channel.Failure) channel.Answer {
		return channel.Answer{Standing: s, Failure: f}
	}
	for name, c := range map[string]struct {
		state  State
		call   Call
		asked  Task
		answer channel.Answer
		after  time.Duration

		want State
		what happening
		task Task
		due  time.Duration // since it began; 0: never
	}{
		"paid at once":               {Verifying, code, Open, said(channel.Paid, 0), time.Second, Approved, captured, Rest, 0},
		"the payer types":            {Verifying, code, Open, said(channel.Waiting, 0), time.Second, Verifying, payerBusy, Query, 6 * time.Second},
		"no answer":                  {Verifying, code, Open, said(channel.Unclear, 0), time.Second, Unknown, unclear, Query, 6 * time.Second},
		"still none":                 {Unknown, code, Query, said(channel.Unclear, 0), 6 * time.Second, Unknown, nothingNew, Query, 11 * time.Second},
		"found to be paid":           {Unknown, code, Query, said(channel.Paid, 0), 6 * time.Second, Approved, captured, Rest, 0},
		"asked in time for the end":  {Unknown, code, Query, said(channel.Unclear, 0), 43 * time.Second, Unknown, nothingNew, Query, 45 * time.Second},
		"given up":                   {Unknown, code, Query, said(channel.Waiting, 0), 45 * time.Second, Undoing, undoing, Undo, 45 * time.Second},
		"refused, without proof":     {Verifying, code, Open, said(channel.Unclear, channel.InsufficientFunds), time.Second, Undoing, undoing, Undo, 15 * time.Second},
		"refused":                    {Verifying, code, Open, said(channel.Unpaid, channel.CodeRefused), time.Second, Declined, ended, Query, 3601 * time.Second},
		"given back by others":       {Verifying, code, Query, said(channel.GivenBack, 0), time.Second, Reversed, reversed, Rest, 0},
		"the QR code is there":       {Verifying, with(qr, func(c *Call) { c.QR = "" }), Open, channel.Answer{Standing: channel.Waiting, QR: "q"}, time.Second, StepUpRequired, payerBusy, Query, 6 * time.Second},
		"no QR code came":            {Verifying, with(qr, func(c *Call) { c.QR = "" }), Open, said(channel.Unclear, 0), time.Second, Unknown, unclear, Open, 6 * time.Second},
		"nobody has scanned":         {StepUpRequired, qr, Query, said(channel.Waiting, 0), time.Minute, StepUpRequired, payerBusy, Query, 65 * time.Second},
		"the QR code runs out":       {StepUpRequired, qr, Query, said(channel.Waiting, 0), 90 * time.Second, Undoing, undoing, Undo, 90 * time.Second},
		"the QR code ran out":        {StepUpRequired, qr, Query, said(channel.Unpaid, 0), 90 * time.Second, Expired, ended, Query, 3690 * time.Second},
		"undone":                     {Undoing, undo, Undo, said(channel.Unpaid, 0), time.Minute, Declined, ended, Query, 3660 * time.Second},
		"undone, and it was paid":    {Undoing, undo, Undo, said(channel.GivenBack, 0), time.Minute, Reversed, reversed, Rest, 0},
		"too late to close":          {Undoing, undo, Undo, said(channel.Paid, 0), time.Minute, Undoing, undoing, GiveBack, time.Minute},
		"an old query while undoing": {Undoing, undo, Query, said(channel.Paid, 0), time.Minute, Undoing, nothingNew, Undo, 0},
		"undoing is not clear":       {Undoing, undo, Undo, said(channel.Unclear, 0), time.Minute, Undoing, nothingNew, Undo, 65 * time.Second},
		"reversed":                   {Undoing, taken, Undo, said(channel.GivenBack, 0), time.Minute, Reversed, reversed, Rest, 0},
		"revoked, and was paid":      {Undoing, taken, Undo, said(channel.Unpaid, 0), time.Minute, Reversed, reversed, Rest, 0},
		"not by an old query":        {Undoing, taken, Query, said(channel.Unpaid, 0), time.Minute, Undoing, nothingNew, Undo, 0},
		"money comes late":           {Declined, over, Query, said(channel.Paid, 0), 2 * time.Hour, Undoing, late, GiveBack, 2 * time.Hour},
		"no money came late":         {Declined, over, Query, said(channel.Unpaid, 0), 3660 * time.Second, Declined, nothingNew, Query, 86460 * time.Second},
		"late, and not clear":        {Declined, over, Query, said(channel.Unclear, 0), 2 * time.Hour, Declined, nothingNew, Query, 2*time.Hour + 5*time.Second},
		"an approved one stays":      {Approved, taken, Query, said(channel.Unpaid, 0), time.Minute, Approved, nothingNew, Undo, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hear(c.state, c.call, c.asked, c.answer, moment{turnBegan.Add(c.after), turnPace})
			due := time.Time{}
			if c.due > 0 {
				due = turnBegan.Add(c.due)
			}
			if got.state != c.want || got.what != c.what || got.call.Task != c.task || !got.call.Due.Equal(due) {
				t.Errorf("%v, %d, task %d, due after %v (%v)", got.state, got.what, got.call.Task, got.call.Due.Sub(turnBegan), got.call.Due)
			}
		})
	}
}

// model is an order at a channel that keeps its word, with what was heard of it.
type model struct {
	truth channel.Standing // Unclear: it never arrived
	way   channel.Way

	state State
	call  Call
	now   time.Time
	taken int // captures less what was given back, in our books

	final, paid bool // a final standing, Paid was heard
	silent      bool // our books moved and no entry says so
}

// say is the truth, or nothing.
func (m *model) say(lost bool) channel.Answer {
	if lost {
		return channel.Answer{}
	}
	return channel.Answer{Standing: m.truth, QR: "qr"}
}

// ask does what the call says next and hears the answer.
func (m *model) ask(arrives, answered bool) {
	asked := m.call.Task
	if asked == Rest {
		return
	}
	if asked == GiveBack {
		var a channel.RefundAnswer
		if arrives && m.truth == channel.Paid {
			m.truth = channel.GivenBack
		}
		if arrives && answered {
			a.Standing = channel.Paid
		}
		m.take(hearReturn(m.call, a, moment{m.now, turnPace}))
		return
	}
	if arrives && asked == Undo {
		switch {
		case m.truth == channel.Unclear, m.truth == channel.Waiting:
			m.truth = channel.Unpaid
		case m.truth == channel.Paid && m.way == channel.ByCode:
			m.truth = channel.GivenBack
		}
	}
	if arrives && asked == Open && m.truth == channel.Unclear {
		m.truth = channel.Waiting
	}
	m.hear(asked, m.say(!arrives || !answered))
}

func (m *model) hear(asked Task, a channel.Answer) {
	m.paid = m.paid || a.Standing == channel.Paid
	m.final = m.final || a.Standing >= channel.Paid
	m.take(hear(m.state, m.call, asked, a, moment{m.now, turnPace}))
}

func (m *model) take(t turn) {
	m.silent = m.silent || (t.capture || t.back || t.state != m.state) && t.what == nothingNew
	m.state, m.call = t.state, t.call
	if t.capture {
		m.taken++
	}
	if t.back {
		m.taken--
	}
}

// step does something: time goes on, the payer does something, the channel is
// asked, an old answer comes, or the till calls it off.
func (m *model) step(t *rapid.T) {
	switch rapid.IntRange(0, 7).Draw(t, "step") {
	case 0:
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
	case 1: // the payer pays
		if m.truth == channel.Waiting {
			m.truth = channel.Paid
		}
	case 2: // the payer gives up, or the channel does
		if m.truth == channel.Waiting {
			m.truth = channel.Unpaid
		}
	case 3: // an answer to a query that was under way
		m.hear(Query, m.say(false))
	case 4: // somebody calls it off, or takes it back
		if m.state == Verifying || m.state == Unknown || m.state == StepUpRequired || m.state == Approved {
			ending := Declined
			if m.state == Approved {
				ending = Reversed
			}
			m.take(giveUp(m.call, ending, 0, moment{m.now, turnPace}))
		}
	case 5: // a channel that breaks its word: money after the end
		if m.truth == channel.Unpaid && m.state.Final() && m.call.Task == Query {
			m.truth = channel.Paid
		}
	default:
		m.ask(rapid.Bool().Draw(t, "arrives"), rapid.Bool().Draw(t, "answered"))
	}
}

// No sequence of answers ends a payment without a final standing, and none loses
// money: when the channel can be asked at last, our books hold what it holds.
func TestHearLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{state: Verifying, now: turnBegan, way: rapid.SampledFrom([]channel.Way{channel.ByCode, channel.ByQR}).Draw(t, "way")}
		m.truth = rapid.SampledFrom([]channel.Standing{channel.Unclear, channel.Waiting, channel.Paid, channel.Unpaid}).Draw(t, "charge")
		if m.way == channel.ByQR && m.truth != channel.Unclear {
			m.truth = channel.Waiting
		}
		m.call = Call{Way: m.way, Task: Query, Began: turnBegan, Until: turnBegan.Add(45 * time.Second)}
		if m.way == channel.ByQR {
			m.call.Task = Open
		}
		m.hear(Open, m.say(rapid.Bool().Draw(t, "lost")))
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			m.step(t)
			if m.state.Final() && !m.final {
				t.Fatalf("%v without a final standing", m.state)
			}
			if m.silent {
				t.Fatal("money moved, and nothing is said of it")
			}
		}
		for range 200 { // the network is well again, and time goes on
			if m.call.Task == Rest {
				break
			}
			if m.now = m.now.Add(time.Minute); m.now.Before(m.call.Due) {
				m.now = m.call.Due
			}
			m.ask(true, true)
		}
		kept := 0
		if m.truth == channel.Paid {
			kept = 1
		}
		if !m.state.Final() || m.taken != kept || (m.state == Approved) != (kept == 1) {
			t.Fatalf("%v, our books hold %d, the channel %d (%v)", m.state, m.taken, kept, m.truth)
		}
		if m.paid && m.state != Approved && m.state != Reversed {
			t.Fatalf("money was heard of, and it is %v", m.state)
		}
	})
}

// A return that the channel refuses under one number is asked for under another,
// five in all; then the payment is approved again and nothing is asked any more.
// What is only unclear is asked under the same number, at growing pauses, for a
// week; then people are told, and nothing is asked until somebody wants it.
func TestReturnsEnd(t *testing.T) {
	t.Parallel()
	c := Call{Way: channel.ByQR, Task: GiveBack, Taken: true, Ending: Reversed, Began: turnBegan, Return: "rf1"}
	silent, now, pause := c, turnBegan, time.Duration(0)
	for i := 1; i <= stalledAfter+1; i++ {
		got := hearReturn(silent, channel.RefundAnswer{}, moment{now, turnPace})
		if got.state != Undoing || got.call.Return != "rf1" || got.call.Task != GiveBack || (got.what == stalled) != (i == stalledAfter) || got.call.stands() != (i >= stalledAfter) {
			t.Fatalf("unclear for the time %d: %+v", i, got)
		}
		if silent = got.call; silent.stands() {
			continue
		}
		if longer := silent.Due.Sub(now); longer < pause || longer > backPauseMax {
			t.Fatalf("a pause of %v after one of %v", longer, pause)
		}
		pause, now = silent.Due.Sub(now), silent.Due
	}
	if d := now.Sub(turnBegan); d < 6*24*time.Hour || d > 9*24*time.Hour {
		t.Errorf("people are told after %v", d)
	}
	undo, now := Call{Way: channel.ByCode, Task: Undo, Ending: Declined, Began: turnBegan}, turnBegan
	for i := 1; i <= stalledAfter+1; i++ {
		got := hearUndoing(undo, Undo, channel.Answer{}, moment{now, turnPace})
		if got.state != Undoing || got.call.Task != Undo || (got.what == stalled) != (i == stalledAfter) || (got.failure == channel.ChannelBusy) != (i == stalledAfter) || got.call.stands() != (i >= stalledAfter) {
			t.Fatalf("an undoing that is unclear for the time %d: %+v", i, got)
		}
		if undo = got.call; !undo.stands() {
			now = undo.Due
		}
	}
	if d := now.Sub(turnBegan); d < 6*24*time.Hour || d > 9*24*time.Hour {
		t.Errorf("people are told of an undoing after %v", d)
	}
	for i := 1; ; i++ {
		got := hearReturn(c, channel.RefundAnswer{Standing: channel.Unpaid}, moment{turnBegan, turnPace})
		if c = got.call; c.Return != "" {
			t.Fatal("the number is used again")
		}
		if got.state == Undoing && i < returnsMax && !c.Due.IsZero() {
			continue
		}
		if i != returnsMax || got.state != Approved || got.what != kept || got.capture || got.back || got.failure != channel.ChannelRefused || c.Task != Rest || !c.Due.IsZero() {
			t.Errorf("after %d: %+v", i, got)
		}
		break
	}
}
