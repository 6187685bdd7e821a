package cases

import (
	"slices"
	"strconv"
	"time"

	"github.com/mianmi/mianmi/pinfree"
)

// world is a case in the course of its replay.
type world struct {
	given  given
	rules  *pinfree.RuleSet
	plain  string // ID of a pack that only gives leave, for packs that only restrict; empty: none
	usual  usual
	stored pinfree.Counters
	now    time.Time

	consent   string
	full      bool // the issuer's counters are full
	pins      int  // authenticated payments in a row
	withdrawn bool
	skipped   bool   // the payer opted out of the next debit
	notice    *int64 // hours before the next debit; nil: nothing said
	failures  int64
	codes     []string // accepted before
	paid      int64    // compensation paid so far
}

// answer is what became of one step.
type answer struct {
	word string
	why  string
}

func newWorld(g given, rules *pinfree.RuleSet) *world {
	return &world{given: g, rules: rules, consent: g.Consent, full: g.CounterFull}
}

// defaultDay is when a case happens that says nothing of time.
const defaultDay = "2024-05-06"

// begin sets the clock for the first step, and the counters.
func (w *world) begin(steps []step, from, to string) {
	loc, err := time.LoadLocation(w.given.Zone)
	if err != nil {
		loc = time.UTC
	}
	w.now = start(steps, from, to, loc)
	st := w.given.State
	if st == nil {
		return
	}
	at := w.now
	if st.Day != "" {
		day := noon(st.Day, loc)
		at = day.Add(-12 * time.Hour)
		if slices.IndexFunc(steps, dated) < 0 && from == "" && to == "" {
			w.now = day
		}
	}
	w.fill(st, steps, at)
}

func dated(s step) bool { return !s.At.IsZero() }

// noon is the middle of a day that the reader has checked.
func noon(day string, loc *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, day, loc)
	if err != nil {
		return time.Time{}
	}
	return t.Add(12 * time.Hour)
}

// start is the time of the first step: its own; or so long before the first one
// that has a time, if that is inside the rules' dates; or a noon inside them.
func start(steps []step, from, to string, loc *time.Location) time.Time {
	span := noon(defaultDay, loc)
	if to != "" && to < defaultDay {
		span = noon(to, loc)
	}
	if from > defaultDay || from != "" && to != "" {
		span = noon(from, loc)
	}
	i := slices.IndexFunc(steps, dated)
	if i < 0 {
		return span
	}
	at := steps[i].At.Add(-time.Duration(i) * time.Second)
	day := at.In(loc).Format(time.DateOnly)
	if i > 0 && (day < from || to != "" && day > to) {
		return span
	}
	return at
}

// fill brings the counters to their state by payments that lead to it.
func (w *world) fill(st *state, steps []step, at time.Time) {
	s := step{Currency: w.given.Currency, Channel: channelNames[0], Type: "sale"}
	if len(w.given.Channels) > 0 {
		s.Channel = w.given.Channels[0]
	}
	if i := slices.IndexFunc(steps, func(s step) bool { return s.Event == "" }); i >= 0 {
		s.Currency, s.Bucket = steps[i].Currency, steps[i].Bucket
		if len(w.given.Channels) == 0 {
			s.Channel = steps[i].Channel
		}
	}
	count := func(k pinfree.EventKind, minor int64) {
		ev := w.event(&s, k)
		ev.Minor, ev.At, ev.Decided = minor, at, at
		w.stored = w.rules.Record(w.stored, ev)
	}
	count(pinfree.ExecutedPinFree, st.Minor)
	for range st.Number - 1 {
		count(pinfree.ExecutedPinFree, 0)
	}
	if st.Number == 0 { // an amount without a number of payments
		count(pinfree.ReversedPinFree, 0)
	}
}

func (w *world) event(s *step, k pinfree.EventKind) pinfree.Event {
	ch := channelOf(s.Channel)
	in := w.input(s)
	return pinfree.Event{Kind: k, Method: ch.method, Entry: in.Entry, Subject: w.subject(s), Place: in.Place, Card: in.Card,
		Facts: in.Facts, Minor: s.Minor, Currency: s.Currency, Decided: w.now, At: w.now}
}

// step replays one step.
func (w *world) step(i int, s *step) answer {
	switch {
	case dated(*s):
		w.now = s.At
	case i > 0:
		w.now = w.now.Add(time.Second)
	}
	if s.Event != "" {
		return w.happens(s)
	}
	return w.pays(s)
}

// pays decides a payment and records what became of it.
func (w *world) pays(s *step) answer {
	if a, wrong := s.floor(&w.given.Reader); wrong {
		return a
	}
	in := w.input(s)
	in.Counts = w.rules.Roll(nil, w.stored, w.subject(s), w.now)
	in.Own = w.rules.Own(w.stored, w.now)
	d := pinfree.Decide(in)
	a := answer{word: outcomeWord(&d), why: whyOf(&d)}
	if s.OutOfScope && a.word != refuse && w.unconcerned(in) {
		a = answer{outOfScope, "no rule concerns it"}
	}
	w.settle(s, a.word)
	return a
}

// outcomeWord is the decision in the words of the format. What a terminal can
// ask for is not the rules' matter: where nobody can ask, they ask all the same.
func outcomeWord(d *pinfree.Decision) string {
	switch d.Outcome {
	case pinfree.PinFree:
		return pinFree
	case pinfree.StepUp:
		return stepUp
	case pinfree.Authenticated:
		return authenticated
	case pinfree.Refused:
		if d.Reasons[0].Reason == pinfree.NoStepUpPossible {
			return stepUp
		}
	}
	return refuse
}

// whyOf names the reason that binds, and the rule or layer that it comes from.
func whyOf(d *pinfree.Decision) string {
	if len(d.Reasons) == 0 {
		return d.Outcome.String()
	}
	w := d.Reasons[0]
	switch {
	case w.Rule != "":
		return w.Reason.String() + " " + w.Rule
	case w.Layer != pinfree.LayerNone:
		return w.Reason.String() + " " + w.Layer.String()
	}
	return w.Reason.String()
}

// unconcerned reports whether no rule has a say in the payment.
func (w *world) unconcerned(in pinfree.Input) bool {
	return !slices.ContainsFunc(w.rules.Trace(in), func(t pinfree.Trace) bool { return t.Pack != w.plain && t.Applies() != pinfree.No })
}

// floor holds what a step says of going online against the reader's floor limit.
func (s *step) floor(r *reader) (a answer, wrong bool) {
	if s.Online == nil {
		return a, false
	}
	if online := s.Minor > *r.floor(); online != *s.Online {
		return answer{"online_required " + strconv.FormatBool(online), "reader_contactless_floor_limit " + strconv.FormatInt(*r.floor(), 10)}, true
	}
	return a, false
}

// settle records what became of a payment: it was executed if it was approved,
// and either needed no authentication or got it.
func (w *world) settle(s *step, word string) {
	ch := channelOf(s.Channel)
	if ch.method == pinfree.MandateDebit { // said of one debit
		defer func() { w.skipped, w.notice = false, nil }()
	}
	verified := word == authenticated || s.Authenticated && word != pinFree
	if s.Outcome == "declined" || word == refuse || word == stepUp && !verified {
		return
	}
	kind, undone := pinfree.ExecutedPinFree, pinfree.ReversedPinFree
	switch {
	case verified && ch.remote:
		kind, undone = pinfree.ExecutedRemote, pinfree.ReversedAuthenticated
	case verified:
		kind, undone = pinfree.ExecutedAuthenticated, pinfree.ReversedAuthenticated
	}
	w.stored = w.rules.Record(w.stored, w.event(s, kind))
	if s.Outcome == "reversed" {
		w.stored = w.rules.Record(w.stored, w.event(s, undone))
		return
	}
	w.pins++
	if !verified {
		w.pins = 0
		return
	}
	w.full = false
	if ch.method == pinfree.MandateDebit {
		w.given.Mandate.NotBegun = false
	}
}
