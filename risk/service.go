package risk

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
)

// Store is what this package keeps and reads. Missing things are NotFound.
type Store interface {
	World
	RuleStore
	MeasureStore
	// Leaves reads the log from a leaf on; a page is bounded by its bytes, too.
	Leaves(ctx context.Context, from int64, limit int) ([]evidence.Leaf, error)
	// LeafTime is when the fact of a leaf was; NotFound: there is no such leaf yet.
	LeafTime(ctx context.Context, n int64) (time.Time, error)
	// LogSize is how many leaves the log has.
	LogSize(ctx context.Context) (int64, error)

	// Follow takes or keeps the lease of the one that reads the log, by the
	// database's clock, and returns the next leaf that it has to read. Whoever
	// follows first begins at the log's end. Not held: another node follows.
	Follow(ctx context.Context, holder string, lease time.Duration) (next int64, held bool, err error)
	// Leave ends a lease, so that another need not wait for its end.
	Leave(ctx context.Context, holder string) error
	// FollowedTo is that leaf, whoever follows; negative: nobody has yet.
	FollowedTo(ctx context.Context) (int64, error)
	// Found writes, if the holder still has the lease and stands at from, that it
	// stands at next, with what was found on the way, and prolongs the lease: an alarm that is not over is
	// counted on, else the alarm is written with its entry.
	Found(ctx context.Context, s Step) error

	// ChangeAlarm locks an alarm, lets fn say what becomes of it, and writes that;
	// nothing when fn adds no entry.
	ChangeAlarm(ctx context.Context, id mianmi.AlarmID, fn func(*Alarm) (*evidence.Entry, error)) (Alarm, error)
	Alarm(ctx context.Context, id mianmi.AlarmID) (Alarm, error)
	// Report counts a report against its reporter's allowance, by which one more is
	// allowed after every, and burst may come at once, and writes it: fn completes the
	// alarm as it would be if there were none, or the one that is not over (known), and
	// returns its entry. Above the allowance the error is a Conflict with the code
	// "too_many_reports" and RetryAfter, and nothing is written.
	Report(ctx context.Context, r Reporting, fn func(a *Alarm, known bool) (evidence.Entry, error)) (Alarm, error)
	// RiskAlarms lists alarms, newest first.
	RiskAlarms(ctx context.Context, q Query) ([]Alarm, error)
	// AlarmsDue are those that are to be escalated.
	AlarmsDue(ctx context.Context, now time.Time, most int) ([]mianmi.AlarmID, error)
}

// Step is how far the follower came at once.
type Step struct {
	Holder     string
	From, Next int64
	Lease      time.Duration    // for which the holder keeps on following, from now
	Alarms     []Alarm          // each as it would be if there were none yet
	Entries    []evidence.Entry // of Alarms, in their order
	Measures   []Protection     // of Alarms, each with its alarm to be filled in
	Shadows    []Seen           // of rules in shadow
}

// Seen is what a rule in shadow has found on the way.
type Seen struct {
	Rule   string
	Count  int64
	LastAt time.Time
	Last   mianmi.EntryID
}

// Query asks for alarms; what is zero does not narrow it.
type Query struct {
	State    State
	Unsolved bool // those alone that are not over
	Severity Severity
	Rule     string
	Payer    mianmi.PayerID
	Merchant mianmi.MerchantID
	Terminal mianmi.TerminalID
	Before   mianmi.AlarmID
	Limit    int // default and most 200
}

const pageMax = 200

// Parts are what a Service works with; all but Payers, Merchants, the
// openers of cases and Share are
// required. Without those two it takes no measures: TakeMeasures leaves them to
// another node.
type Parts struct {
	Store  Store
	Keys   *secret.Keys
	Clock  mianmi.Clock
	Random io.Reader // safe for concurrent use
	Log    *slog.Logger

	Payers    Payers
	Merchants Merchants
	// OpenCase opens a case of fraud about a question that was answered no, or finds
	// the one that there is.
	OpenCase func(ctx context.Context, p Protection) error

	// OpenReported opens a case about a payment that its payer has reported, or finds
	// the one that there is; nil: reports open none.
	OpenReported func(ctx context.Context, actor mianmi.Actor, c ReportedCase) (CaseRef, error)

	// Share is how much of one processor's time looking for signals may take, in
	// percent; 0: ShareDefault. What it cannot do at a peak it does afterwards.
	Share int
}

// ShareDefault is a tenth of one processor: on a machine of two that payments fill,
// they lose less than a twentieth by it.
const ShareDefault = 10

// Service finds signals and keeps alarms. Follow is for one goroutine; all else
// may be used by many.
type Service struct {
	Parts
	follower follower
}

// New returns a Service, or an error when a part is missing or a shipped rule is
// no rule.
func New(p Parts) (*Service, error) {
	if p.Store == nil || p.Keys == nil || p.Clock == nil || p.Random == nil || p.Log == nil {
		return nil, errors.New("risk: a required part is missing")
	}
	if p.Share == 0 {
		p.Share = ShareDefault
	}
	if p.Share < 1 || p.Share > 100 {
		return nil, errors.New("risk: want a share of 1 to 100")
	}
	if _, err := Shipped(); err != nil {
		return nil, err
	}
	s := &Service{Parts: p}
	name, err := mianmi.NewID("fo", p.Clock.Now(), p.Random)
	s.follower.name = name
	return s, err
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) digest(words string) string {
	if words == "" {
		return ""
	}
	return hex.EncodeToString(s.Keys.Digest(forWords, words))
}

// Alarms lists alarms. A merchant's admin sees those that are the merchant's.
func (s *Service) Alarms(ctx context.Context, actor mianmi.Actor, q Query) ([]Alarm, error) {
	if actor.Merchant != "" {
		q.Merchant = actor.Merchant
	}
	if err := access.Allow(actor, access.AlarmShow, access.Target{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	if actor.Merchant != "" && q.Payer != "" {
		return nil, mianmi.Forbidden("not_allowed", "a merchant does not search by payer")
	}
	if q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	list, err := s.Store.RiskAlarms(ctx, q)
	for i := range list {
		list[i] = list[i].seenBy(actor)
	}
	return list, err
}

// Alarm is one. Those of others look as if there were none.
func (s *Service) Alarm(ctx context.Context, actor mianmi.Actor, id mianmi.AlarmID) (Alarm, error) {
	a, err := s.Store.Alarm(ctx, id)
	if err != nil {
		return Alarm{}, err
	}
	if access.Allow(actor, access.AlarmShow, access.Target{Merchant: a.Merchant}) != nil {
		return Alarm{}, mianmi.Missing("alarm")
	}
	return a.seenBy(actor), nil
}

// seenBy hides from a merchant's people who the payer is, and what mianmi's own
// reported and wrote.
func (a Alarm) seenBy(actor mianmi.Actor) Alarm {
	if actor.Merchant != "" {
		a.Payer, a.Note, a.Key = "", "", ""
		if !ofShop(a.Reporter) {
			a.Reporter, a.Said = "", ""
		}
	}
	return a
}

// Acknowledge says that somebody looks after an alarm. Again it changes nothing.
func (s *Service) Acknowledge(ctx context.Context, actor mianmi.Actor, id mianmi.AlarmID) (Alarm, error) {
	if err := access.Allow(actor, access.AlarmWork, access.Target{}); err != nil {
		return Alarm{}, err
	}
	return s.Store.ChangeAlarm(ctx, id, func(a *Alarm) (*evidence.Entry, error) {
		if a.State != Open {
			return nil, nil
		}
		a.State, a.TakenBy, a.TakenAt, a.DueAt = Acknowledged, actor.String(), s.now(), time.Time{}
		return s.step(actor, TypeAcknowledged, a)
	})
}

// Resolution is what an alarm turned out to be.
type Resolution struct {
	Verdict string // fraud, fault, harmless, false_alarm, unclear
	Note    string // at most 1,000 bytes; it stays here
}

// noteMax bounds what is written about an alarm, in bytes.
const noteMax = 1000

// Resolve ends an alarm. The same again changes nothing, another resolution is a
// Conflict with the code "alarm_resolved".
func (s *Service) Resolve(ctx context.Context, actor mianmi.Actor, id mianmi.AlarmID, r Resolution) (Alarm, error) {
	if err := access.Allow(actor, access.AlarmWork, access.Target{}); err != nil {
		return Alarm{}, err
	}
	switch {
	case !verdicts[r.Verdict]:
		return Alarm{}, mianmi.InvalidField("verdict", "want fraud, fault, harmless, false_alarm or unclear")
	case len(r.Note) > noteMax:
		return Alarm{}, mianmi.InvalidField("note", "at most 1000 bytes")
	case payer.LooksLikeCard(r.Note):
		return Alarm{}, mianmi.InvalidField("note", "holds what looks like a card number")
	}
	return s.Store.ChangeAlarm(ctx, id, func(a *Alarm) (*evidence.Entry, error) {
		if a.State == Resolved {
			if a.Verdict == r.Verdict && a.Note == r.Note {
				return nil, nil
			}
			return nil, mianmi.Conflicts("alarm_resolved", "this alarm has been resolved already")
		}
		a.State, a.ResolvedBy, a.ResolvedAt, a.DueAt = Resolved, actor.String(), s.now(), time.Time{}
		a.Verdict, a.Note = r.Verdict, r.Note
		return s.step(actor, TypeResolved, a)
	})
}

// step makes a version of an alarm, with its entry.
func (s *Service) step(actor mianmi.Actor, kind string, a *Alarm) (*evidence.Entry, error) {
	a.Version++
	e, err := s.entry(actor, kind, a)
	return &e, err
}

// dueMax bounds one round of escalations.
const dueMax = 100

// Escalate tells of alarms that nobody has acknowledged in time, and returns how many.
func (s *Service) Escalate(ctx context.Context) (int, error) {
	ids, err := s.Store.AlarmsDue(ctx, s.now(), dueMax)
	if err != nil {
		return 0, err
	}
	told := 0
	var faults []error
	for _, id := range ids {
		done := false
		_, err := s.Store.ChangeAlarm(ctx, id, func(a *Alarm) (*evidence.Entry, error) {
			if done = a.State == Open && !a.DueAt.IsZero() && !s.now().Before(a.DueAt); !done {
				return nil, nil // another node was faster
			}
			a.DueAt, a.EscalatedAt = time.Time{}, s.now()
			return s.step(mianmi.System("risk"), TypeEscalated, a)
		})
		if err != nil {
			faults = append(faults, err)
		} else if done {
			told++
		}
	}
	return told, errors.Join(faults...)
}
