package terminal

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Past is what has been of terminals' settings, for those who ask.
type Past interface {
	// TerminalSettings lists what a terminal has fetched, newest first, without the bytes.
	TerminalSettings(ctx context.Context, id mianmi.TerminalID, before int64, limit int) ([]Setting, error)
	// RunAt is the run that had begun at the instant; nil: none had.
	RunAt(ctx context.Context, id mianmi.TerminalID, at time.Time) (*Run, error)
	Refusals(ctx context.Context, id mianmi.TerminalID, before string, limit int) ([]Refusal, error)
	MenuChanges(ctx context.Context, id mianmi.TerminalID, ids []string) ([]MenuChange, error)
	MenuHistory(ctx context.Context, id mianmi.TerminalID, limit int) ([]MenuChange, error)
	SettleMenuChange(ctx context.Context, c MenuChange) error
	Checks(ctx context.Context, id mianmi.TerminalID, limit int) ([]Checked, error)
	PendingChecks(ctx context.Context, limit int) ([]Checked, error)
	// TestPayment reads a payment of the host's books; nil: there is none.
	TestPayment(ctx context.Context, id mianmi.PaymentID) (*TestPayment, error)
	Alarms(ctx context.Context, q AlarmQuery) ([]Alarm, error)
}

// AlarmQuery asks for a page of alarms, newest first.
type AlarmQuery struct {
	Merchant mianmi.MerchantID // empty: everybody's
	Store    mianmi.StoreID
	Terminal mianmi.TerminalID
	Open     bool   // only those that nobody closed
	Before   string // the last one of the page before; empty: from the newest
	Limit    int
}

// Status is where a terminal's setting stands now.
type Status struct {
	Terminal mianmi.TerminalID
	Model    Model
	Version  int64     // that it is to run
	Desired  time.Time // when that was asked for; zero: not known
	Need     Need
	State    State
	Enrolled bool
	InForce  bool
	Stage    Stage         // with the newest tightening
	Offline  bool          // no sign of life for longer than a lease
	Lease    time.Duration // how long a report counts
	Doubts   []Doubt       // why PIN-free is not open there, as far as it depends on the terminal
	Words    []Words       // the same, in words
	Newest   *Setting      // of Version; nil: it has not fetched it
	Running  *Setting      // what it has proved to run; nil: nothing
	Menu     []MenuChange  // newest first
}

// Words is a doubt as those read it whom it concerns.
type Words struct{ Payer, Cashier, Support mianmi.Text }

// menuShown bounds the changes from the menu that a status shows.
const menuShown = 10

// Status returns where a terminal's setting stands.
func (s *Service) Status(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) (Status, error) {
	v, err := s.look(ctx, actor, id)
	if err != nil {
		return Status{}, err
	}
	now := s.now()
	st := Status{Terminal: id, Model: v.Model, Version: v.Version, Desired: v.Desired, Need: v.Need, State: v.State, Enrolled: v.enrolled(now),
		Newest: v.setting(v.Version)}
	if v.State.Attested > 0 {
		st.Running = v.setting(v.State.Attested)
	}
	p := v.progress(now)
	st.Lease = v.Policy.Terms.Lease()
	st.Stage = p.Stage(v.Need.Tightened)
	st.Offline = p.Offline(st.Lease, now)
	if v.Model.Proof == ByAttestation {
		st.InForce = v.State.InForce(v.Need, now)
		st.Doubts = v.State.AppendDoubts(nil, v.Need, now)
	}
	for _, d := range st.Doubts {
		w := d.why(&v.State.Proven)
		w.Decided = now.Unix()
		fault := mianmi.Text{}
		if d.Rule != "" {
			fault = v.Policy.Says(d.Rule)
		}
		in := func(a pinfree.Audience) mianmi.Text {
			return mianmi.Text{ZH: w.WordsIn(mianmi.ZH, a, fault.ZH), EN: w.WordsIn(mianmi.EN, a, fault.EN)}
		}
		st.Words = append(st.Words, Words{in(pinfree.ForPayer), in(pinfree.ForCashier), in(pinfree.ForSupport)})
	}
	st.Menu, err = s.records.MenuHistory(ctx, id, menuShown)
	return st, err
}

// progress is what the visit knows of how far the terminal is.
func (v *Visit) progress(now time.Time) Progress {
	p := Progress{Proven: v.State.Proven, Proof: v.Model.Proof, Enrolled: v.enrolled(now), Delivered: v.State.Delivered, Saved: v.State.Saved,
		Refused: v.State.Refused, SeenAt: v.State.SeenAt}
	if s := v.setting(v.State.Delivered); s != nil {
		p.Rebooted = !s.Rebooted.IsZero()
	}
	return p
}

// look reads a terminal that the actor may see.
func (s *Service) look(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, versions ...int64) (*Visit, error) {
	v, err := s.records.Look(ctx, VisitAsk{Terminal: id, Versions: versions})
	switch {
	case err != nil:
		return nil, err
	case !v.Known:
		return nil, mianmi.Missing("terminal")
	case !maySee(actor, place{v.Place.Merchant, v.Place.Store}):
		return nil, denied()
	}
	return v, nil
}

// History returns a page of what a terminal has fetched, newest first, each
// with the times of its life. before is the version of the last one of the
// page before; 0: from the newest.
func (s *Service) History(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, before int64, limit int) ([]Setting, error) {
	if _, err := s.look(ctx, actor, id); err != nil {
		return nil, err
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return s.records.TerminalSettings(ctx, id, before, n)
}

// AsOf is what was in force at a terminal at an instant.
type AsOf struct {
	At      time.Time
	InForce bool // a proof held at that instant
	Run     *Run // that had begun then; nil: none had
	Setting *Setting
}

// InForceAt says what was in force at an instant of the past.
func (s *Service) InForceAt(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, at time.Time) (AsOf, error) {
	now := s.now()
	if at.After(now) {
		return AsOf{}, mianmi.InvalidField("at", "nobody knows what will be")
	}
	run, err := s.records.RunAt(ctx, id, at)
	if err != nil {
		return AsOf{}, err
	}
	out := AsOf{At: at}
	if run == nil {
		_, err := s.look(ctx, actor, id)
		return out, err
	}
	v, err := s.look(ctx, actor, id, run.Version)
	if err != nil {
		return AsOf{}, err
	}
	if run.Until.IsZero() { // the one that lasts
		run.Until = v.State.LeaseUntil
	}
	out.Run, out.Setting, out.InForce = run, v.setting(run.Version), at.Before(run.Until)
	return out, nil
}

// Refusals returns a page of the reports of a terminal that were not taken,
// newest first. The store keeps the last few hundred of each terminal.
func (s *Service) Refusals(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, before string, limit int) ([]Refusal, error) {
	if _, err := s.look(ctx, actor, id); err != nil {
		return nil, err
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return s.records.Refusals(ctx, id, before, n)
}

// Checks returns the newest checks that a terminal ran after changes.
func (s *Service) Checks(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID, limit int) ([]Checked, error) {
	if _, err := s.look(ctx, actor, id); err != nil {
		return nil, err
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	return s.records.Checks(ctx, id, n)
}

// Alarms returns a page of alarms, newest first: of a terminal, a store or a
// merchant; of all, for mianmi's own people.
func (s *Service) Alarms(ctx context.Context, actor mianmi.Actor, q AlarmQuery) ([]Alarm, error) {
	n, err := pageLimit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	switch {
	case q.Terminal != "":
		if _, err := s.look(ctx, actor, q.Terminal); err != nil {
			return nil, err
		}
	default:
		if q.Store == "" && actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) {
			q.Store = actor.Store
		}
		where := place{q.Merchant, q.Store}
		if q.Store != "" {
			if where.merchant, err = s.records.StoreMerchant(ctx, q.Store); err != nil {
				return nil, err
			}
		}
		if !maySee(actor, where) {
			return nil, denied()
		}
	}
	return s.records.Alarms(ctx, q)
}
