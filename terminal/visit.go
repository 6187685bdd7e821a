package terminal

import (
	"context"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/terminal/posture"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Visits is what the life of a setting needs of the store.
type Visits interface {
	// Newest reads which version of its config each terminal is to run now; false:
	// there is no such terminal.
	Newest(ctx context.Context) (func(mianmi.TerminalID) (int64, bool), error)
	// Fetch locks the states of terminals that ask for their config, each once,
	// calls fn with what a delivery needs to know of them by settings as new as the
	// lock, and writes what it leaves, all in one transaction. fn may be called
	// again from the start.
	Fetch(ctx context.Context, ids []mianmi.TerminalID, fn func([]*Fetch) error) error
	// Visit locks the states of terminals, each once, reads what is known of them
	// by settings as new as the lock, calls fn, and writes what it leaves, all in
	// one transaction. fn may be called again from the start with new visits.
	Visit(ctx context.Context, asks []VisitAsk, fn func([]*Visit) error) error
	// Look reads the same without a lock, and writes nothing.
	Look(ctx context.Context, ask VisitAsk) (*Visit, error)
	// Lease is how long a report counts by the policy in force.
	Lease(ctx context.Context) (time.Duration, error)
	KeyRecords
	Past
	Offs
}

// VisitAsk names a terminal and the versions of its settings that are wanted
// besides the one that it was delivered last and the one that it proved last.
type VisitAsk struct {
	Terminal mianmi.TerminalID
	Versions []int64
	Menu     []string // changes in the menu that are wanted, by identifier
	Checks   []string // checks that are wanted, by identifier
}

// Visit is a terminal inside a change: what the store read, and what is to be
// written.
type Visit struct {
	Terminal mianmi.TerminalID
	Known    bool // there is such a terminal
	Place    Place
	Model    Model
	Need     Need
	Policy   *posture.Set
	Version  int64     // of the config that it is to run
	Desired  time.Time // when the change of that version was made
	// Config computes that config, with the stops that are live at now.
	Config func(now time.Time) protocol.Config

	State    State // with the terminal's identifier alone: it was never enrolled
	Keys     []Key
	Settings []Setting
	Menu     []MenuChange // those of the ask that are known
	Checked  []string     // the same of checks
	Pending  []string     // those of them that wait for a verdict

	Left Left
}

// Place is where a terminal stands.
type Place struct {
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
}

// Left is what a visit leaves to be written; the state is always written.
type Left struct {
	Settings []Setting // new or changed
	Runs     []Run     // begun or ended
	Keys     []Key     // new or revoked
	Refusals []Refusal
	Changes  []MenuChange
	Checks   []Checked
	Alarms   []Alarm // opened, or closed: then without identifier
	// NoEnrolment removes the enrolment code that waits.
	NoEnrolment bool
	// Enrolment is used up; when it has gone, nothing is written: ErrCode.
	Enrolment *Enrolment
	Entries   []evidence.Entry
}

// setting returns the terminal's setting of a version, to be changed; nil: it
// was not delivered.
func (v *Visit) setting(version int64) *Setting {
	i := slices.IndexFunc(v.Settings, func(s Setting) bool { return s.Version == version })
	if i < 0 {
		return nil
	}
	return &v.Settings[i]
}

// put notes that a setting is to be written.
func (v *Visit) put(s *Setting) {
	i := slices.IndexFunc(v.Left.Settings, func(o Setting) bool { return o.Version == s.Version })
	if i < 0 {
		v.Left.Settings = append(v.Left.Settings, *s)
		return
	}
	v.Left.Settings[i] = *s
}

// endRun ends the open run at the end of its lease or at now, whatever is
// earlier.
func (v *Visit) endRun(now time.Time) {
	st := &v.State
	if st.RunFrom.IsZero() {
		return
	}
	until := now
	if st.LeaseUntil.Before(until) {
		until = st.LeaseUntil
	}
	if until.Before(st.RunFrom) { // the host's clock was set back
		until = st.RunFrom
	}
	for i := range v.Left.Runs { // begun in this visit
		if v.Left.Runs[i].Version != 0 && v.Left.Runs[i].From.Equal(st.RunFrom) {
			v.Left.Runs[i].Until = until
			st.RunFrom = time.Time{}
			return
		}
	}
	v.Left.Runs = append(v.Left.Runs, Run{Terminal: v.Terminal, From: st.RunFrom, Until: until})
	st.RunFrom = time.Time{}
}

// alarm opens an alarm of the kind, or closes the one that is open when there
// is nothing to tell. One that is open stays as it was opened.
func (w *work) alarm(kind, detail string) {
	st := &w.State
	open := slices.Index(st.Alarms, kind)
	switch {
	case detail != "" && open < 0:
		id, err := mianmi.NewID("ta", w.now, w.s.random)
		w.fail(err)
		st.Alarms = append(slices.Clone(st.Alarms), kind)
		w.Left.Alarms = append(w.Left.Alarms, Alarm{ID: id, Terminal: w.Terminal, Kind: kind, Detail: detail, OpenedAt: w.now})
	case detail == "" && open >= 0:
		st.Alarms = slices.Delete(slices.Clone(st.Alarms), open, open+1)
		mine := slices.IndexFunc(w.Left.Alarms, func(a Alarm) bool { return a.ID != "" && a.Kind == kind && a.ClosedAt.IsZero() })
		if mine >= 0 { // it was opened in this visit
			w.Left.Alarms[mine].ClosedAt = w.now
			return
		}
		w.Left.Alarms = append(w.Left.Alarms, Alarm{Terminal: w.Terminal, Kind: kind, ClosedAt: w.now})
	}
}

// work is a visit in the making. After an error it does nothing more.
type work struct {
	*Visit
	s   *Service
	now time.Time
	err error
}

func (w *work) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// record notes a fact about the terminal, by itself.
func (w *work) record(kind string, body any) {
	e, err := w.s.entry(mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(w.Terminal)}, fact{kind, string(w.Terminal), body})
	w.fail(err)
	w.Left.Entries = append(w.Left.Entries, e)
}

// beginRun notes that the proof of a setting holds from now on.
func (v *Visit) beginRun(s *Setting, now time.Time) {
	v.State.RunFrom = now
	r := Run{Terminal: v.Terminal, From: now, Version: s.Version, Hash: s.Hash, PinFree: s.PinFree, Boot: v.State.Boot}
	same := slices.IndexFunc(v.Left.Runs, func(o Run) bool { return o.Version != 0 && o.From.Equal(now) })
	if same >= 0 { // it lasted for no time
		v.Left.Runs[same] = r
		return
	}
	v.Left.Runs = append(v.Left.Runs, r)
}

// key returns the terminal's key by its identifier; nil: it has none such.
func (v *Visit) key(id string) *Key {
	i := slices.IndexFunc(v.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return nil
	}
	return &v.Keys[i]
}
