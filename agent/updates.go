package agent

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/agent/slot"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// Programs is where this terminal's programs come from.
type Programs struct {
	Slots    *slot.Slots
	Platform string // "linux-arm64"
	Root     []byte // the first root to trust; empty: the host's first one
}

// Times of updates. A thousand terminals that lost power together do not ask
// together.
const (
	updateFirst    = 4 * time.Second
	updateEvery    = 4 * time.Hour
	updateRetryMin = 30 * time.Second
	updateRetryMax = time.Hour
	busyWait       = 5 * time.Second
)

// updating is what is known of updates, beside what the slots keep.
type updating struct {
	at      time.Time // of the last look that got through
	none    bool      // the host has no updates
	failed  bool      // the last look did not get through
	refused *update.Refusal
	held    string        // newest version that the host gives this terminal later
	offer   *update.Offer // on its way
	have    int64         // bytes of it
}

// Updates is how updates stand, for the screen.
type Updates struct {
	Here    bool // programs of this terminal come from its host
	Present string
	Next    string // runs after the restart
	Trial   bool   // the present one has not been confirmed by the host yet
	At      time.Time
	None    bool // the host has none
	Failed  bool // the host could not be asked
	Refused *Refused
	Held    string // comes to this terminal later, says the host
	Coming  string // on its way
	Percent int
}

// Refused is a version, or all that the host has, that is not taken.
type Refused struct {
	Version string
	Kind    update.Kind
}

// Updates returns how updates stand.
func (t *Terminal) Updates() Updates {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.updatesLocked()
}

func (t *Terminal) updatesLocked() Updates {
	out := Updates{Present: t.Device.App}
	if t.Programs == nil {
		return out
	}
	u, s := t.updating, t.Programs.Slots.Standing()
	out.Here, out.Trial, out.At, out.None, out.Failed, out.Held = true, s.Trial, u.at, u.none, u.failed, u.held
	if s.Next != nil {
		out.Next = s.Next.Version
	}
	switch {
	case u.refused != nil:
		out.Refused = &Refused{u.refused.Version, u.refused.Kind}
	case s.Failure != nil:
		out.Refused = &Refused{s.Failure.Version, s.Failure.Kind}
	}
	if u.offer != nil {
		out.Coming, out.Percent = u.offer.Version, int(100*u.have/u.offer.Size)
	}
	return out
}

// updateReport is what a report says of updates; nil: nothing to say.
func (t *Terminal) updateReport() *protocol.Update {
	u := t.updatesLocked()
	switch {
	case u.Trial:
		return &protocol.Update{State: "trial", Version: u.Present}
	case u.Refused != nil:
		return &protocol.Update{State: "refused", Version: u.Refused.Version, Reason: string(u.Refused.Kind)}
	case u.Next != "":
		return &protocol.Update{State: "waiting", Version: u.Next}
	}
	return nil
}

// runUpdates looks for programs at the start, when the host hints at one, when
// a person asks, and every few hours.
func (t *Terminal) runUpdates(ctx context.Context) {
	if t.Programs == nil {
		return
	}
	due, retry := t.current().Jitter(updateFirst), updateRetryMin
	for {
		timer := time.NewTimer(due)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.seek:
			timer.Stop()
		case <-timer.C:
		}
		err := t.update(ctx)
		var refused *update.Refusal
		switch {
		case err == nil, errors.Is(err, update.ErrNone), errors.As(err, &refused):
			retry, due = updateRetryMin, t.current().Jitter(updateEvery)
		default:
			t.Log.InfoContext(ctx, "updates could not be asked for", "again_in", retry.String(), "error", err)
			due = t.current().Jitter(retry)
			retry = min(2*retry, updateRetryMax)
		}
	}
}

// LookForUpdate looks at once, also for versions that have failed here.
func (t *Terminal) LookForUpdate() error {
	if t.Programs == nil {
		return nil
	}
	err := t.Programs.Slots.Again()
	kick(t.seek)
	return err
}

// update looks for a program and readies it.
func (t *Terminal) update(ctx context.Context) error {
	slots := t.Programs.Slots
	before := slots.Standing()
	if before.Trial {
		return nil // one thing after the other: what it would replace has not proved itself
	}
	c := t.updateClient()
	found, err := c.Look(ctx, slots.Unwanted)
	offer := found.Offer
	t.noteLook(found, err)
	if n := before.Next; n != nil && slices.Contains(found.Held, n.Version) {
		// It was taken, and comes to nobody now: it must not run after the restart.
		if err := slots.Forget(); err != nil {
			return err
		}
		before.Next = nil
		defer t.tellHost()
	}
	switch {
	case offer == nil && err == nil:
		return slots.Forget() // it was withdrawn
	case offer == nil:
		t.tellHost()
		return err
	case before.Next != nil && before.Next.Sum == offer.Sum:
		return nil
	}
	if !slots.Blobs().Whole(offer.Sum) { // after a failure it may still be here
		if err := t.fetchUpdate(ctx, c, offer); err != nil {
			t.tellHost()
			if errors.Is(err, update.ErrHeld) {
				return nil // what is here of it stays, for later
			}
			return err
		}
	}
	err = slots.Ready(slot.Program{Version: offer.Version, Sum: offer.Sum, AttestSeconds: offer.AttestSeconds})
	t.Log.InfoContext(ctx, "a program waits for the restart", "version", offer.Version)
	t.tellHost()
	return err
}

// noteLook notes what came of a look. What the host gives later is no failure.
func (t *Terminal) noteLook(found update.Found, err error) {
	var refused *update.Refusal
	known := err == nil || errors.As(err, &refused) || errors.Is(err, update.ErrNone)
	t.noteUpdate(func(u *updating) {
		u.refused, u.failed, u.none = refused, !known, errors.Is(err, update.ErrNone)
		if !known {
			return
		}
		u.at, u.held = t.Clock.Now(), ""
		if len(found.Held) > 0 {
			u.held = found.Held[0]
		}
	})
}

func (t *Terminal) fetchUpdate(ctx context.Context, c *update.Client, offer *update.Offer) error {
	t.noteUpdate(func(u *updating) { u.offer, u.have = offer, 0 })
	err := c.Fetch(ctx, offer, progress{t.Programs.Slots.Blobs(), t})
	var refused *update.Refusal
	if errors.As(err, &refused) {
		t.Log.ErrorContext(ctx, "an update is refused", "error", err)
	}
	t.noteUpdate(func(u *updating) {
		held := errors.Is(err, update.ErrHeld)
		u.offer, u.failed = nil, err != nil && refused == nil && !held
		if refused != nil {
			u.refused = refused
		}
		if held {
			u.held = offer.Version
		}
	})
	return err
}

// progress tells the screen how much of a program is here.
type progress struct {
	update.Store
	t *Terminal
}

func (p progress) Append(sum string) (io.WriteCloser, int64, error) {
	part, have, err := p.Store.Append(sum)
	p.t.noteUpdate(func(u *updating) { u.have = have })
	return part, have, err
}

func (t *Terminal) noteUpdate(fn func(*updating)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.updating)
	t.tellLocked()
}

// tellHost reports when there is something else to be said of updates.
func (t *Terminal) tellHost() {
	t.mu.Lock()
	now := t.updateReport()
	other := (now == nil) != (t.told == nil) || now != nil && *now != *t.told
	t.mu.Unlock()
	if !other {
		return
	}
	if err := t.event(); err != nil {
		t.Log.Error("a report could not be kept", "error", err)
	}
}

func (t *Terminal) updateClient() *update.Client {
	l := t.current()
	os := t.Device.OS // "linux 6.1.0-13"
	return &update.Client{HTTP: l.HTTP(), Base: l.Host() + protocol.PathUpdate, Keep: t.Folder, Clock: laterClock{t}, Root: t.Programs.Root,
		Model: t.Device.Model, Platform: t.Programs.Platform,
		Here: update.Minimum{App: t.Device.App, OS: os[strings.LastIndexByte(os, ' ')+1:], Firmware: t.Device.Firmware}}
}

// laterClock is the machine's clock or the host's last word, whichever is
// later: a clock that was set back must not make old metadata good again.
type laterClock struct{ t *Terminal }

// Now implements mianmi.Clock.
func (c laterClock) Now() time.Time {
	now := c.t.Clock.Now()
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if c.t.receipt.At.After(now) {
		return c.t.receipt.At
	}
	return now
}

// watchTrial goes back to the former program when the present one has not been
// confirmed in its time. It does not cut a payment off.
func (t *Terminal) watchTrial(ctx context.Context) {
	if t.Programs == nil {
		return
	}
	s := t.Programs.Slots.Standing()
	if !s.Trial {
		return
	}
	wait := time.Duration(s.Present.AttestSeconds) * time.Second
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = busyWait
		if !t.Programs.Slots.Standing().Trial {
			return
		}
		if t.Till.Busy() {
			continue
		}
		t.Log.ErrorContext(ctx, "this program was not confirmed in time; the former one comes back", "version", s.Present.Version)
		if err := errors.Join(t.Programs.Slots.Late(), t.Reboot()); err != nil {
			t.Log.ErrorContext(ctx, "going back to the former program failed", "error", err)
		}
	}
}

// attested tells the slots which program's report the host has accepted. The
// caller holds mu.
func (t *Terminal) attested(sent protocol.Report) error {
	if t.Programs == nil || sent.Boot.ID != t.boot.ID {
		return nil
	}
	return t.Programs.Slots.Attested(sent.Device.App)
}

// updateWaits reports whether a program waits for the restart.
func (t *Terminal) updateWaits() bool {
	return t.Programs != nil && t.Programs.Slots.Standing().Next != nil
}
