package risk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
)

// Measure is what a live rule does about a finding. None of them loosens anything.
type Measure string

// The measures. The zero Measure is none, and a rule must name one.
const (
	Tell   Measure = "tell"    // the alarm alone
	Ask    Measure = "ask"     // the payer is asked "was it you?"; silence steps the payer up
	StepUp Measure = "step_up" // the payer's payments ask for authentication; the payment password ends it
	Freeze Measure = "freeze"  // nothing passes PIN-free; a person ends it
)

// measures are all of them.
var measures = []Measure{Tell, Ask, StepUp, Freeze}

// Bounds of how long a measure holds: what lasts longer is decided by a person.
const (
	measureMin = 10 * time.Minute
	measureMax = 7 * 24 * time.Hour
)

// checkMeasures says what is wrong with a rule's measures, or how long they hold;
// 0: the rule only tells.
func (r *Rule) checkMeasures() (time.Duration, error) {
	if len(r.Measures) == 0 {
		return 0, r.fault("measures", "want at least one of tell, ask, step_up, freeze")
	}
	acts := false
	for i, m := range r.Measures {
		switch {
		case !slices.Contains(measures, m) || slices.Contains(r.Measures[:i], m):
			return 0, r.fault("measures", "want each of tell, ask, step_up, freeze once at most")
		case (m == StepUp || m == Ask) && !slices.Contains(r.Key, "payer"):
			return 0, r.fault("measures", string(m)+" is about a payer, whom the key must name")
		case m == Freeze && r.subject() == "":
			return 0, r.fault("measures", "freeze wants a payer, terminal, store or merchant in the key")
		}
		acts = acts || m != Tell
	}
	if !acts {
		if r.For != "" {
			return 0, r.fault("for", "to tell takes no time")
		}
		return 0, nil
	}
	d, err := time.ParseDuration(r.For)
	if err != nil || d < measureMin || d > measureMax {
		return 0, r.fault("for", "want a time from 10m to 168h")
	}
	return d, nil
}

// subject is the part of the key that measures are about: the payer before the
// place, and of places the smallest.
func (r *Rule) subject() string {
	for _, part := range []string{"payer", "terminal", "store", "merchant"} {
		if slices.Contains(r.Key, part) {
			return part
		}
	}
	return ""
}

// MeasureState is how far a measure is. The numbers are stored.
type MeasureState uint8

// The states. The zero MeasureState is none.
const (
	NoMeasureState MeasureState = iota
	Waiting                     // found, and not taken yet
	Taken                       // in force until its end, unless somebody lifted it
	Lapsed                      // its end came before it could be taken
)

var measureStateNames = []string{"", "waiting", "taken", "lapsed"}

// String is the state's name in the API.
func (s MeasureState) String() string {
	return measureStateNames[min(int(s), len(measureStateNames)-1)]
}

// ParseMeasureState is the inverse of String; an unknown name is NoMeasureState.
func ParseMeasureState(name string) MeasureState {
	return MeasureState(max(0, slices.Index(measureStateNames, name))) //nolint:gosec // a table index
}

// Protection is one measure about one finding.
type Protection struct {
	ID      mianmi.MeasureID
	Measure Measure
	State   MeasureState

	Rule        string
	RuleVersion int64
	RuleDigest  string // see mianmi.Measure
	Key         string // of the finding
	Alarm       mianmi.AlarmID
	Finding     mianmi.EntryID

	// Whom it is about: one of these.
	Payer    mianmi.PayerID
	Terminal mianmi.TerminalID
	Store    mianmi.StoreID
	Merchant mianmi.MerchantID
	Payment  mianmi.PaymentID // at which it was found; empty: at none

	FoundAt time.Time
	Until   time.Time
	TakenAt time.Time
	DueAt   time.Time // tried then; zero: never again
	Tries   int64     // that failed

	// Of an ask, which is taken when the payer was asked.
	Answer     payer.Answer
	AnsweredAt time.Time
}

// because is what the tightening's record says.
func (p *Protection) because() *mianmi.Measure {
	return &mianmi.Measure{ID: p.ID, Rule: p.Rule, RuleVersion: p.RuleVersion, RuleDigest: p.RuleDigest, Alarm: p.Alarm, Finding: p.Finding}
}

// Scope is the place that is stopped, of a measure about no payer.
func (p *Protection) Scope() merchant.Scope {
	switch {
	case p.Terminal != "":
		return merchant.OfTerminal(p.Terminal)
	case p.Store != "":
		return merchant.OfStore(p.Store)
	}
	return merchant.OfMerchant(p.Merchant)
}

// MeasureStore is where measures wait to be taken. They are written by Found: one
// of a finding, rule, key and measure.
type MeasureStore interface {
	// MeasuresDue are those that are to be tried, the longest due first.
	MeasuresDue(ctx context.Context, now time.Time, most int) ([]Protection, error)
	// PutOff writes that one is tried again at its DueAt, has lapsed, or that all has
	// followed from its answer; it changes nothing if state or answer are not any
	// more what they were.
	PutOff(ctx context.Context, was, p Protection) error
	Measure(ctx context.Context, id mianmi.MeasureID) (Protection, error)
	// MeasureFigures counts the measures that were found since.
	MeasureFigures(ctx context.Context, since, now time.Time) (MeasureFigures, error)
	// MeasureHolds reports whether what a measure placed is there at now, or somebody has lifted
	// it since. Of a payer who is no more it does.
	MeasureHolds(ctx context.Context, p *Protection, now time.Time) (bool, error)
	// Measures lists measures, newest first.
	Measures(ctx context.Context, q MeasureQuery) ([]Protection, error)
}

// MeasureQuery asks for measures; what is zero does not narrow it.
type MeasureQuery struct {
	Alarm   mianmi.AlarmID
	Payer   mianmi.PayerID
	Measure Measure
	State   MeasureState
	Before  mianmi.MeasureID
	Limit   int // default and most 200
}

// Payers is who holds a payer's PIN-free payment and asks payers; payer.Service.
type Payers interface {
	Hold(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, o payer.HoldOrder) (payer.Status, error)
	Ask(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q payer.Question) error
	Confirm(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q payer.Question, password string) error
	Deny(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q payer.Question) error
	Silence(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, q payer.Question, life time.Duration) error
}

// Merchants is who stops PIN-free payment at a place; merchant.Service.
type Merchants interface {
	Place(ctx context.Context, actor mianmi.Actor, o merchant.StopOrder) (merchant.Stop, error)
}

// guardian is who takes measures.
var guardian = mianmi.System("risk")

// protections are the measures that a finding of a live rule asks for.
func (s *Service) protections(f *Finding, version int64) (out []Protection, err error) {
	if f.Rule.holdsFor == 0 {
		return nil, nil
	}
	text, err := EncodeRule(f.Rule.Rule)
	if err != nil {
		return nil, err
	}
	digest, now, e := sha256.Sum256(text), s.now(), &f.Event
	for _, m := range f.Rule.Measures {
		if m == Tell {
			continue
		}
		id, err := mianmi.NewID("ms", now, s.Random)
		if err != nil {
			return nil, err
		}
		p := Protection{ID: mianmi.MeasureID(id), Measure: m, State: Waiting, Rule: f.Rule.ID, RuleVersion: version, RuleDigest: hex.EncodeToString(digest[:8]),
			Key: f.Key, Finding: e.Entry, Payment: e.Payment, FoundAt: now, Until: now.Add(f.Rule.holdsFor), DueAt: now}
		switch f.Rule.subject() {
		case "payer":
			p.Payer = e.Payer
		case "terminal":
			p.Terminal = e.Terminal
		case "store":
			p.Store = e.Store
		case "merchant":
			p.Merchant = e.Merchant
		}
		out = append(out, p)
	}
	return out, nil
}

const (
	// measuresMost bounds one round of measures.
	measuresMost = 100
	// Between two tries of a measure that failed: first and last.
	retryFirst, retryLast = time.Second, time.Minute
)

// TakeMeasures takes the measures that are due, and reports whether there may be
// more. Any number of nodes may do that at once: a measure and the tightening that
// it is are written together, so that each is taken once. One that fails is tried
// again until its end.
func (s *Service) TakeMeasures(ctx context.Context) (more bool, err error) {
	if s.Payers == nil || s.Merchants == nil {
		return false, nil
	}
	list, err := s.Store.MeasuresDue(ctx, s.now(), measuresMost)
	if err != nil {
		return false, err
	}
	var faults []error
	for i := range list {
		faults = append(faults, s.protect(ctx, &list[i]))
	}
	err = errors.Join(faults...)
	return len(list) == measuresMost && err == nil, err
}

// protect takes one measure or the next step of it, or says when that is tried again.
func (s *Service) protect(ctx context.Context, p *Protection) (err error) {
	now := s.now()
	switch {
	case p.Answer != payer.NoAnswer:
		err = s.settle(ctx, p)
	case p.State == Taken: // a question whose time is over
		err = s.Payers.Silence(ctx, guardian, p.Payer, p.question(), p.Until.Sub(p.FoundAt))
	case !p.Until.After(now.Add(time.Minute)): // too late to hold anything
		lapsed := *p
		lapsed.State, lapsed.DueAt = Lapsed, time.Time{}
		s.Log.ErrorContext(ctx, "risk: a measure could not be taken before its end", "measure", p.ID, "rule", p.Rule, "tries", p.Tries)
		return s.Store.PutOff(ctx, *p, lapsed)
	default:
		err = s.take(ctx, p, now)
	}
	var told *mianmi.Error
	if err == nil || errors.As(err, &told) && (told.Code == "measure_taken" || told.Code == "question_answered") { // another node was faster
		return nil
	}
	later := *p
	later.DueAt = now.Add(min(retryFirst<<min(p.Tries, 10), retryLast))
	later.Tries++
	return errors.Join(err, s.Store.PutOff(ctx, *p, later))
}

// take carries a measure out.
func (s *Service) take(ctx context.Context, p *Protection, now time.Time) error {
	if p.Measure == Ask {
		return s.Payers.Ask(ctx, guardian, p.Payer, p.question())
	}
	if p.Payer != "" {
		o := payer.HoldOrder{Until: p.Until, Because: payer.HoldUnusual, Measure: p.because()}
		if p.Measure != StepUp {
			o.Because = payer.HoldSignal
		}
		_, err := s.Payers.Hold(ctx, guardian, p.Payer, o)
		return err
	}
	_, err := s.Merchants.Place(ctx, guardian, merchant.StopOrder{Scope: p.Scope(), Reason: "风险规则 " + p.Rule + " · risk rule", For: p.Until.Sub(now), Measure: p.because()})
	return err
}

// Measures lists measures, for mianmi's own people.
func (s *Service) Measures(ctx context.Context, actor mianmi.Actor, q MeasureQuery) ([]Protection, error) {
	if err := access.Allow(actor, access.AlarmShow, access.Target{}); err != nil {
		return nil, err
	}
	if actor.Merchant != "" {
		return nil, mianmi.Forbidden("not_allowed", "a merchant sees its stops, and no payer's measures")
	}
	if q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	return s.Store.Measures(ctx, q)
}
