package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// event makes and keeps a report about a change, for the host to get as soon
// as it can be reached.
func (t *Terminal) event() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.eventLocked()
}

func (t *Terminal) eventLocked() error {
	signed, err := t.signLocked()
	if err != nil {
		return err
	}
	err = t.changeLocked(func(s *state) error {
		if len(s.Queue) == queueMax {
			s.Dropped++
		}
		s.Queue = added(s.Queue, signed, queueMax)
		return nil
	})
	kick(t.report)
	return err
}

// signLocked makes a report of now. The caller holds mu.
func (t *Terminal) signLocked() ([]byte, error) {
	now := t.Clock.Now()
	host, _ := t.hostNowLocked()
	s := &t.state
	t.number++
	r := protocol.Report{Form: protocol.Form, Terminal: t.identity.Terminal, Boot: t.boot, Number: t.number, At: now,
		PinFree: len(t.ownHolds(host)) == 0, Local: s.Local, Pending: s.Pending, Refused: s.Refused, Tightening: s.Tightening,
		Device: t.Device, Network: t.finding.Network, Decided: t.decided, Proposals: s.Proposals, Checks: s.Checks, Troubles: s.Troubles}
	if t.running.Form != 0 {
		r.Running = &protocol.Setting{Version: t.running.Version, Hash: protocol.HashOf(s.Running)}
	}
	r.Update = t.updateReport()
	t.told = r.Update
	if t.saved != nil {
		r.Saved = &protocol.Setting{Version: t.saved.Version, Hash: protocol.HashOf(s.Saved)}
	}
	return r.Sign(t.Random, t.identity.Key)
}

// flush sends what waits, oldest first, and a report of now when fresh is set.
// Its error is that of the first that did not get through.
func (t *Terminal) flush(ctx context.Context, fresh bool) error {
	select { // one at a time: reports go out in the order of their numbers
	case t.sending <- struct{}{}:
		defer func() { <-t.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for range 2 * queueMax { // what comes meanwhile is sent too, within reason
		signed, queued, err := t.take(fresh)
		if err != nil || signed == nil {
			return err
		}
		err = t.send(ctx, signed)
		switch {
		case !queued:
			return err
		case link.Unsent(err):
			return errors.Join(err, t.putBack(signed))
		case err != nil && !link.Refused(err): // its answer was lost: what it told is told by the next
			return errors.Join(err, t.event())
		}
		fresh = fresh || err != nil
	}
	return nil
}

// take returns the report to send: the oldest that waits, or with fresh one of
// now; nil when there is none. One that waited is gone from the disk before it
// is sent, so that it goes out once: to the host a repeat looks like an attack,
// and what it told stands in the next one, too.
func (t *Terminal) take(fresh bool) (signed []byte, queued bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.state.Queue) > 0 {
		signed = t.state.Queue[0]
		return signed, true, t.changeLocked(func(s *state) error {
			s.Queue = s.Queue[1:]
			return nil
		})
	}
	if fresh {
		signed, err = t.signLocked()
	}
	return signed, false, err
}

// putBack keeps a report that has never left.
func (t *Terminal) putBack(signed []byte) error {
	return t.change(func(s *state) error {
		if len(s.Queue) < queueMax {
			s.Queue = append([][]byte{signed}, s.Queue...)
		}
		return nil
	})
}

// send sends one report and does what its receipt says.
func (t *Terminal) send(ctx context.Context, signed []byte) error {
	began := t.Up()
	r, err := t.current().Report(ctx, signed)
	if err != nil {
		if ctx.Err() == nil && !link.Refused(err) {
			t.setOnline(false)
		}
		return fmt.Errorf("report: %w", err)
	}
	s, err := protocol.ParseSigned(signed)
	if err != nil {
		return err
	}
	return t.receive(r, s, began)
}

// leaseMax bounds a lease whatever a receipt says: a day without the host is a
// day without PIN-free.
const leaseMax = 24 * time.Hour

// receive takes a receipt. The lease counts from before the report was sent:
// never longer here than at the host.
func (t *Terminal) receive(r protocol.Receipt, about protocol.Signed, began time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.receipt, t.receiptAt, t.receiptUp, t.online = r, t.Clock.Now(), t.Up(), true
	t.lease = 0
	if span := min(r.LeaseUntil.Sub(r.At), leaseMax); r.InForce && span > 0 {
		t.lease = began + span
	}
	sent, err := about.Open(&t.identity.Key.PublicKey)
	if err != nil {
		return err
	}
	if err := t.attested(sent); err != nil {
		t.Log.Error("that this program is confirmed could not be kept", "error", err)
	}
	if err := t.changeLocked(func(s *state) error {
		s.Checks = slices.DeleteFunc(slices.Clone(s.Checks), func(c protocol.Check) bool {
			return slices.ContainsFunc(sent.Checks, func(x protocol.Check) bool { return x == c })
		})
		s.Troubles = slices.DeleteFunc(slices.Clone(s.Troubles), func(c protocol.Trouble) bool {
			return slices.ContainsFunc(sent.Troubles, func(x protocol.Trouble) bool { return x.ID == c.ID })
		})
		for _, d := range r.Proposals {
			s.decide(d)
		}
		if !t.Model.Restart.Needed {
			runSaved(s, t.Clock.Now())
		}
		return nil
	}); err != nil {
		return err
	}
	if r.Version > t.have() {
		kick(t.fetch)
	}
	if !t.finding.At.IsZero() && !t.finding.Verdict.Safe() {
		kick(t.look) // it cannot be as bad as it was: the host has answered
	}
	return nil
}

// hostNow is the time by the host's clock, or a little before: its last word
// and what has passed since by a clock that nobody sets. Before the first word
// of a boot there is only the machine's clock, and known is false.
func (t *Terminal) hostNow() (now time.Time, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hostNowLocked()
}

func (t *Terminal) hostNowLocked() (now time.Time, known bool) {
	if t.receiptAt.IsZero() {
		return t.Clock.Now(), false
	}
	return t.receipt.At.Add(t.Up() - t.receiptUp), true
}

// decide notes what the host made of a proposal. It asks again about one that
// waits.
func (s *state) decide(d protocol.Decided) {
	list := slices.DeleteFunc(slices.Clone(s.Decided), func(x protocol.Decided) bool { return x.ID == d.ID })
	s.Decided = added(list, d, decidedMax)
	if d.State != "waiting" {
		s.Proposals = slices.DeleteFunc(slices.Clone(s.Proposals), func(l protocol.Local) bool { return l.ID == d.ID })
	}
	if p := s.Pending; p != nil && p.ID == d.ID && p.PinFree && (d.State == "rejected" || d.State == "lapsed") {
		s.Pending = nil
	}
}

func (t *Terminal) setOnline(yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.online != yes {
		t.online = yes
		t.tellLocked()
	}
}

// Trouble reports that somebody here says that something is wrong. It is kept
// until the host has it.
func (t *Terminal) Trouble(kind, orderNo string, payment mianmi.PaymentID) error {
	id, err := t.id()
	if err != nil {
		return err
	}
	now := t.Clock.Now()
	if err := t.change(func(s *state) error {
		s.Troubles = added(s.Troubles, protocol.Trouble{ID: id, Kind: kind, OrderNo: orderNo, Payment: payment, At: now}, eventsMax)
		return nil
	}); err != nil {
		return err
	}
	return t.event()
}

// TroublesWaiting is how many the host does not have yet.
func (t *Terminal) TroublesWaiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.state.Troubles)
}

// record keeps the results of checks for the host and for the screen.
func (t *Terminal) record(checks []protocol.Check) error {
	if err := t.change(func(s *state) error {
		s.LastCheck = checks
		for _, c := range checks {
			s.Checks = added(s.Checks, c, eventsMax)
		}
		return nil
	}); err != nil {
		return err
	}
	return t.event()
}
