package terminal

import (
	"context"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Off is an OFF that is watched until every terminal in its scope has proved
// it. It begins in the transaction of the OFF itself. The host enforces it from
// then on; what is watched is the second lock.
type Off struct {
	Epoch    int64  // of the change; it names the OFF
	Scope    string // "store:st…", "everything"
	Place    Place
	Stop     mianmi.StopID // empty: a policy was switched off
	Actor    string
	At       time.Time
	Until    time.Time // end of an emergency stop; zero: a policy has none
	Deadline time.Time // when those that have not proved it are escalated
	LateAt   time.Time // when they were; zero: not
	LateTo   mianmi.TerminalID
	ClosedAt time.Time
	Outcome  string // OffInForce …; empty: it is watched
}

// What an OFF that is watched no longer came to.
const (
	OffInForce  = "in_force" // every terminal in scope has proved it
	OffReopened = "reopened" // PIN-free was switched on again before that
	OffLifted   = "lifted"   // the emergency stop was
	OffOver     = "over"     // the emergency stop ran out
)

// Coverage is how far the terminals in a scope are with an OFF.
type Coverage struct {
	Total     int
	InForce   int // have proved it, and nothing speaks against that since
	HostAlone int // of models that prove nothing: by the host's word alone
}

// Outstanding are the terminals that have not proved it.
func (c Coverage) Outstanding() int { return c.Total - c.InForce - c.HostAlone }

// Outstanding is a terminal that has not proved an OFF.
type Outstanding struct {
	Terminal mianmi.TerminalID
	Name     string
	Store    mianmi.StoreID
	Model    mianmi.ModelID
	Progress
}

// OffQuery asks for a page of OFFs, newest first.
type OffQuery struct {
	Merchant mianmi.MerchantID // empty: everybody's
	Store    mianmi.StoreID
	Scope    string // empty: any
	Open     bool   // only those that are watched
	Before   int64  // the last one of the page before; 0: from the newest
	Limit    int
}

// Offs is what watching an OFF needs of the store.
type Offs interface {
	Off(ctx context.Context, epoch int64) (Off, error)
	OffList(ctx context.Context, q OffQuery) ([]Off, error)
	// OffCoverage counts the terminals in scope as they are now.
	OffCoverage(ctx context.Context, o Off) (Coverage, error)
	// OffOutstanding lists those that have not proved it, by identifier.
	OffOutstanding(ctx context.Context, o Off, after mianmi.TerminalID, limit int) ([]Outstanding, error)
	// SettleOff writes LateAt, LateTo, ClosedAt and Outcome of an OFF that is
	// watched, with entries; nothing when it is watched no longer.
	SettleOff(ctx context.Context, o Off, entries ...evidence.Entry) error
}

// Watched is an OFF with how far it is.
type Watched struct {
	Off
	Coverage
	Late bool // past its deadline, and not everywhere in force
}

// Off returns an OFF with its live count.
func (s *Service) Off(ctx context.Context, actor mianmi.Actor, epoch int64) (Watched, error) {
	o, err := s.off(ctx, actor, epoch)
	if err != nil {
		return Watched{}, err
	}
	return s.watched(ctx, o)
}

func (s *Service) off(ctx context.Context, actor mianmi.Actor, epoch int64) (Off, error) {
	o, err := s.records.Off(ctx, epoch)
	if err == nil && !maySee(actor, place{o.Place.Merchant, o.Place.Store}) {
		err = mianmi.Missing("switch-off")
	}
	return o, err
}

func (s *Service) watched(ctx context.Context, o Off) (Watched, error) {
	c, err := s.records.OffCoverage(ctx, o)
	return Watched{Off: o, Coverage: c, Late: o.Outcome == "" && c.Outstanding() > 0 && !s.now().Before(o.Deadline)}, err
}

// offsMax bounds a page: each is counted.
const offsMax = 50

// Offs returns a page of OFFs, newest first, each with its live count: of a
// merchant or a store; of all, for mianmi's own people.
func (s *Service) Offs(ctx context.Context, actor mianmi.Actor, q OffQuery) ([]Watched, error) {
	if q.Limit == 0 {
		q.Limit = offsMax
	}
	if q.Limit < 0 || q.Limit > offsMax {
		return nil, mianmi.InvalidField("limit", "want 1 to 50")
	}
	if actor.Merchant != "" && q.Merchant == "" {
		q.Merchant = actor.Merchant
	}
	if actor.Is(mianmi.RoleCashier, mianmi.RoleStoreManager) && q.Store == "" {
		q.Store = actor.Store
	}
	where := place{q.Merchant, q.Store}
	if q.Store != "" {
		owner, err := s.records.StoreMerchant(ctx, q.Store)
		if err != nil {
			return nil, err
		}
		where.merchant = owner
	}
	if !maySee(actor, where) {
		return nil, denied()
	}
	list, err := s.records.OffList(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]Watched, len(list))
	for i := range list {
		if out[i], err = s.watched(ctx, list[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LeftOut is a terminal that an OFF waits for, and why.
type LeftOut struct {
	Outstanding
	Stage   Stage
	Offline bool // no sign of life for longer than a lease
}

// OffOutstanding returns a page of the terminals that an OFF waits for.
func (s *Service) OffOutstanding(ctx context.Context, actor mianmi.Actor, epoch int64, after mianmi.TerminalID, limit int) ([]LeftOut, error) {
	o, err := s.off(ctx, actor, epoch)
	if err != nil {
		return nil, err
	}
	n, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	list, err := s.records.OffOutstanding(ctx, o, after, n)
	if err != nil {
		return nil, err
	}
	return s.leftOut(ctx, list, o.Epoch)
}

func (s *Service) leftOut(ctx context.Context, list []Outstanding, version int64) ([]LeftOut, error) {
	lease, err := s.records.Lease(ctx)
	if err != nil {
		return nil, err
	}
	now, out := s.now(), make([]LeftOut, len(list))
	for i := range list {
		out[i] = LeftOut{Outstanding: list[i], Stage: list[i].Stage(version)}
		out[i].Offline = list[i].Progress.Offline(lease, now)
	}
	return out, nil
}

// offsAtOnce bounds one turn of WatchOffs; a chunk of terminals is escalated in
// one transaction.
const offsAtOnce = 50

// watcher is who settles OFFs.
var watcher = mianmi.System("switch-offs")

// WatchOffs looks at the OFFs that are watched: those that are in force
// everywhere are closed, those that are late are escalated, a chunk of their
// terminals each time. It says whether more is left. Several nodes may do it.
func (s *Service) WatchOffs(ctx context.Context) (more bool, err error) {
	var before int64
	for {
		list, err := s.records.OffList(ctx, OffQuery{Open: true, Before: before, Limit: offsAtOnce})
		if err != nil {
			return false, err
		}
		for i := range list {
			again, err := s.watchOff(ctx, list[i])
			if err != nil {
				return false, err
			}
			more = more || again
		}
		if len(list) < offsAtOnce {
			return more, nil
		}
		before = list[len(list)-1].Epoch
	}
}

func (s *Service) watchOff(ctx context.Context, o Off) (more bool, err error) {
	w, err := s.watched(ctx, o)
	if err != nil {
		return false, err
	}
	now := s.now()
	switch {
	case w.Outstanding() == 0:
		return false, s.settleOff(ctx, &w, OffInForce, "terminal.off.in_force")
	case !o.Until.IsZero() && !now.Before(o.Until):
		return false, s.settleOff(ctx, &w, OffOver, "")
	case w.Late && o.LateAt.IsZero():
		return true, s.escalate(ctx, &w)
	}
	return false, nil
}

// offNote is the body of facts about an OFF.
type offNote struct {
	Scope     string        `json:"scope"`
	Epoch     int64         `json:"epoch"`
	Stop      mianmi.StopID `json:"stop,omitempty"`
	Total     int           `json:"total"`
	InForce   int           `json:"in_force"`
	HostAlone int           `json:"host_alone,omitempty"`
	Deadline  time.Time     `json:"deadline"`
}

func (s *Service) offEntry(w *Watched, kind string) (evidence.Entry, error) {
	return s.entry(watcher, fact{kind, "off:" + strconv.FormatInt(w.Epoch, 10), offNote{Scope: w.Scope, Epoch: w.Epoch, Stop: w.Stop, Total: w.Total,
		InForce: w.InForce, HostAlone: w.HostAlone, Deadline: w.Deadline}})
}

func (s *Service) settleOff(ctx context.Context, w *Watched, outcome, kind string) error {
	w.ClosedAt, w.Outcome = s.now(), outcome
	if kind == "" {
		return s.records.SettleOff(ctx, w.Off)
	}
	e, err := s.offEntry(w, kind)
	if err != nil {
		return err
	}
	return s.records.SettleOff(ctx, w.Off, e)
}

// escalate opens an alarm at each terminal that has not proved the OFF in time,
// a chunk at a time, and records at the end that the OFF is late.
func (s *Service) escalate(ctx context.Context, w *Watched) error {
	list, err := s.records.OffOutstanding(ctx, w.Off, w.LateTo, batchMax)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		asks := make([]VisitAsk, len(list))
		for i := range list {
			asks[i].Terminal = list[i].Terminal
		}
		err := s.records.Visit(ctx, asks, func(visits []*Visit) error {
			now := s.now()
			for _, v := range visits {
				work := &work{Visit: v, s: s, now: now}
				p := v.progress(now)
				if stage := p.Stage(w.Epoch); !stage.Done() {
					work.alarm(AlarmOverdue, stage.String())
				}
				if work.err != nil {
					return work.err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.LateTo = list[len(list)-1].Terminal
	}
	if len(list) == batchMax {
		return s.records.SettleOff(ctx, w.Off)
	}
	w.LateAt = s.now()
	e, err := s.offEntry(w, "terminal.off.late")
	if err != nil {
		return err
	}
	return s.records.SettleOff(ctx, w.Off, e)
}
