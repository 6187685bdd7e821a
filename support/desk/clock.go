package desk

import (
	"time"
)

// Level is how long a kind of case may take.
type Level struct {
	First  time.Duration // until the first answer
	Decide time.Duration // until the decision
}

// Clocks are the deadlines of a case.
type Clocks struct {
	BeganAt   time.Time // opened, or reopened
	FirstBy   time.Time // the first answer is due
	DecideBy  time.Time // the decision is due
	WaitedAt  time.Time // since when the payer is waited for; zero: not now
	Escalated int64     // deadlines that are told of: see Due
}

// Levels are the service levels by kind; of a rail, where that has its own.
type Levels struct {
	Kinds map[Kind]Level
	Rails map[string]map[Kind]Level
}

// LevelsDefault are mianmi's own: hours for what can cost money now, the days
// that payers are promised elsewhere for the rest. A complaint at WeChat Pay must
// be answered within a day there.
var LevelsDefault = Levels{Kinds: map[Kind]Level{
	Feedback:  {First: 48 * time.Hour, Decide: 15 * 24 * time.Hour},
	Help:      {First: 4 * time.Hour, Decide: 3 * 24 * time.Hour},
	Loss:      {First: 15 * time.Minute, Decide: 24 * time.Hour},
	Fraud:     {First: 30 * time.Minute, Decide: 72 * time.Hour},
	Dispute:   {First: 24 * time.Hour, Decide: 15 * 24 * time.Hour},
	Complaint: {First: 12 * time.Hour, Decide: 3 * 24 * time.Hour},
}}

// Of is the level of a kind of case on a rail. One that is not known has to be
// looked at soon.
func (l Levels) Of(k Kind, rail string) Level {
	if v, ok := l.Rails[rail][k]; ok {
		return v
	}
	if v, ok := l.Kinds[k]; ok {
		return v
	}
	return Level{First: time.Hour, Decide: 24 * time.Hour}
}

// start sets the deadlines of a case that begins now, or anew.
func (c *Clocks) start(now time.Time, l Level) {
	*c = Clocks{BeganAt: now, FirstBy: now.Add(l.First), DecideBy: now.Add(l.Decide)}
}

// wait lets the clocks stand still.
func (c *Clocks) wait(now time.Time) {
	if c.WaitedAt.IsZero() {
		c.WaitedAt = now
	}
}

// goOn adds what was waited. A first answer that was given has no clock any more.
func (c *Clocks) goOn(now time.Time, answered bool) {
	if c.WaitedAt.IsZero() {
		return
	}
	waited := max(now.Sub(c.WaitedAt), 0)
	if !answered {
		c.FirstBy = c.FirstBy.Add(waited)
	}
	c.DecideBy, c.WaitedAt = c.DecideBy.Add(waited), time.Time{}
}

// The steps of escalation: each deadline is told of before it, and when it has
// passed.
const (
	warnedFirst = 1 << iota
	lateFirst
	warnedDecide
	lateDecide
)

// alarm is a moment at which somebody is told of a deadline.
type alarm struct {
	at   time.Time
	step int64
	word string
}

// alarms are those to come, in order of their steps.
func (c *Case) alarms() []alarm {
	if !c.WaitedAt.IsZero() || c.State == Decided || c.State.Over() {
		return nil
	}
	var out []alarm
	add := func(step int64, at time.Time, word string) {
		if c.Escalated&step == 0 {
			out = append(out, alarm{at, step, word})
		}
	}
	if c.AnsweredAt.IsZero() {
		add(warnedFirst, c.FirstBy.Add(-c.lead(c.FirstBy)), "first_answer_due")
		add(lateFirst, c.FirstBy, "first_answer_late")
	}
	add(warnedDecide, c.DecideBy.Add(-c.lead(c.DecideBy)), "decision_due")
	add(lateDecide, c.DecideBy, "decision_late")
	return out
}

// lead is how long before a deadline somebody is told: a quarter of the time that
// there was, a day at most.
func (c *Case) lead(by time.Time) time.Duration {
	return min(max(by.Sub(c.BeganAt)/4, 0), 24*time.Hour)
}

// Due is when somebody has to be told of the next deadline; zero: of none.
func (c *Case) Due() time.Time {
	var due time.Time
	for _, a := range c.alarms() {
		if due.IsZero() || a.at.Before(due) {
			due = a.at
		}
	}
	return due
}

// Late reports whether a deadline has passed.
func (c *Case) Late(now time.Time) bool {
	if !c.WaitedAt.IsZero() || c.State == Decided || c.State.Over() {
		return false
	}
	return c.AnsweredAt.IsZero() && now.After(c.FirstBy) || now.After(c.DecideBy)
}
