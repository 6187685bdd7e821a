package agent

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// decode reads a config and refuses another terminal's.
func (t *Terminal) decode(b []byte) (protocol.Config, error) {
	if len(b) == 0 {
		return protocol.Config{}, errors.New("there is none")
	}
	c, err := protocol.DecodeConfig(b)
	if err == nil && c.Terminal != t.identity.Terminal {
		err = errors.New("it is another terminal's")
	}
	return c, err
}

// accept decides whether a delivered config may be kept: ours, understood, and
// not older than what is there.
func (t *Terminal) accept(b []byte) (protocol.Config, error) {
	c, err := t.decode(b)
	if err != nil {
		return c, err
	}
	if have := t.have(); c.Version < have {
		return c, fmt.Errorf("version %d is older than %d, which is here already", c.Version, have)
	}
	return c, nil
}

// have is the newest version that the terminal has.
func (t *Terminal) have() int64 {
	v := t.running.Version
	if t.saved != nil {
		v = max(v, t.saved.Version)
	}
	return v
}

// delivered takes a config from the host: it is saved, and runs at once where
// the model needs no restart. One that is refused closes PIN-free until a good
// one comes. What is known has been here already, and nothing changes.
func (t *Terminal) delivered(b []byte) (known bool, err error) {
	now := t.Clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	hash := protocol.HashOf(b)
	if hash == protocol.HashOf(t.state.Saved) || len(t.state.Saved) == 0 && hash == protocol.HashOf(t.state.Running) {
		return true, nil
	}
	c, err := t.accept(b)
	if err != nil {
		if t.state.Refused != nil && t.state.Refused.Hash == hash {
			return true, nil
		}
		reason := err.Error()
		if len(reason) > 200 {
			reason = strings.ToValidUTF8(reason[:200], "")
		}
		return false, t.changeLocked(func(s *state) error {
			s.Refused = &protocol.Refusal{Setting: protocol.Setting{Version: max(c.Version, 0), Hash: hash}, Reason: reason}
			return nil
		})
	}
	if err := t.changeLocked(func(s *state) error {
		s.Saved, s.SavedAt, s.Refused = b, now, nil
		s.Tightening = max(s.Tightening, c.Tightened)
		if !t.Model.Restart.Needed {
			runSaved(s, now)
		}
		return nil
	}); err != nil {
		return false, err
	}
	t.readConfigs()
	return false, nil
}

// Hold is why this terminal lets no payment pass without a PIN, beside what
// the host decides by itself.
type Hold uint8

// Holds, the most telling first.
const (
	NoConfig      Hold = iota + 1 // nothing to run yet
	ConfigRefused                 // the newest setting could not be understood
	ClosedByHost                  // the setting that runs
	ClosedNewer                   // a newer setting, saved and waiting for the restart
	Stopped                       // an emergency stop
	ClosedHere                    // the terminal's own menu
	ClosedPending                 // the terminal's own menu, waiting for the restart
	AppTooOld
	NoLease   // what runs is not proved to the host, or no longer
	HostHolds // the host's last word
)

// Setting is what the terminal runs and what waits, at one moment.
type Setting struct {
	Now     time.Time // by the host's clock: what the host ends ends here at the same time
	PinFree bool      // what it does now
	Holds   []Hold    // why not
	Running *protocol.Config
	Saved   *protocol.Config // runs after the restart
	Local   *protocol.Local
	Pending *protocol.Local
	Refused *protocol.Refusal
	RunAt   time.Time
	SavedAt time.Time

	// Effective is Running, narrowed by Saved where the model can: what payments
	// meet now.
	Effective protocol.Config

	Receipt   protocol.Receipt // the host's last word
	ReceiptAt time.Time
	LeaseLeft time.Duration
	Online    bool
	Boot      protocol.Boot
	Waiting   int // reports that the host has not got yet
	Decided   []protocol.Decided
	Checks    []protocol.Check
}

// RestartNeeded reports whether something waits for a restart.
func (s Setting) RestartNeeded() bool {
	return s.Saved != nil || s.Pending != nil && (!s.Pending.PinFree || s.decided(s.Pending.ID) == "in_force")
}

func (s Setting) decided(id string) string {
	for _, d := range s.Decided {
		if d.ID == id {
			return d.State
		}
	}
	return ""
}

// Adopted reports whether the host has made a change of the menu its own: the
// terminal's policy there says the same.
func (s Setting) Adopted(l *protocol.Local) bool { return s.decided(l.ID) == "in_force" }

// RepeatsMenu reports whether a level's word in a config is the OFF of this
// terminal's own menu, which the host has adopted and now repeats.
func (s Setting) RepeatsMenu(b protocol.Say) bool {
	return b.Level == "terminal" && !b.PinFree && slices.ContainsFunc([]*protocol.Local{s.Local, s.Pending}, func(l *protocol.Local) bool {
		return l != nil && !l.PinFree && s.Adopted(l)
	})
}

// Consent is what the host made of the change that is pending: "", "waiting",
// "rejected", "lapsed" or "in_force".
func (s Setting) Consent() string {
	if s.Pending == nil {
		return ""
	}
	return s.decided(s.Pending.ID)
}

// Setting returns what the terminal runs and what waits.
func (t *Terminal) Setting() Setting {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.setting()
}

func (t *Terminal) setting() Setting {
	now, _ := t.hostNowLocked()
	s := Setting{Now: now, Local: t.state.Local, Pending: t.state.Pending, Refused: t.state.Refused, Saved: t.saved, RunAt: t.state.RunAt, SavedAt: t.state.SavedAt,
		Receipt: t.receipt, ReceiptAt: t.receiptAt, Online: t.online, Boot: t.boot, Waiting: len(t.state.Queue), Decided: t.state.Decided, Checks: t.state.LastCheck}
	if t.running.Form != 0 {
		c := t.running
		s.Running, s.Effective = &c, c
		if t.saved != nil && t.Model.Restart.Tightens {
			s.Effective = narrowed(c, *t.saved)
		}
	}
	s.LeaseLeft = max(0, t.lease-t.Up())
	s.Holds = append(t.ownHolds(now), t.proofHolds()...)
	s.PinFree = len(s.Holds) == 0
	return s
}

// ownHolds are those of config and menu: what the terminal reports that it
// does. The caller holds mu.
func (t *Terminal) ownHolds(now time.Time) []Hold {
	var h []Hold
	add := func(yes bool, which Hold) {
		if yes {
			h = append(h, which)
		}
	}
	tightens := t.Model.Restart.Tightens
	stopped := func(c *protocol.Config) bool {
		return c != nil && slices.ContainsFunc(c.Stops, func(s protocol.Stop) bool { return now.Before(s.Until) })
	}
	add(t.running.Form == 0, NoConfig)
	add(t.state.Refused != nil, ConfigRefused)
	add(t.running.Form != 0 && !t.running.PinFree, ClosedByHost)
	add(tightens && t.running.PinFree && t.saved != nil && !t.saved.PinFree, ClosedNewer)
	add(stopped(&t.running) || tightens && stopped(t.saved), Stopped)
	add(t.state.Local != nil && !t.state.Local.PinFree, ClosedHere)
	add(tightens && t.state.Pending != nil && !t.state.Pending.PinFree, ClosedPending)
	return h
}

// proofHolds are those of proof and posture. The caller holds mu.
func (t *Terminal) proofHolds() []Hold {
	var h []Hold
	if t.running.AppMin != "" && olderThan(t.Device.App, t.running.AppMin) || olderThan(t.Device.App, t.Model.Minimum.App) {
		h = append(h, AppTooOld)
	}
	switch {
	case t.running.HostEnforced: // nothing is proved, and the host has said that it does without
	case t.lease <= t.Up():
		h = append(h, NoLease)
	case !t.receipt.PinFree:
		h = append(h, HostHolds)
	}
	return h
}

// narrowed is the stricter of two configs in each part that forbids.
func narrowed(c, by protocol.Config) protocol.Config {
	c.PinFree = c.PinFree && by.PinFree
	c.PerPayment = lower(c.PerPayment, by.PerPayment)
	if c.KeypadAbove != nil { // without a bound, glass takes no PIN at all
		if by.KeypadAbove == nil || by.KeypadAbove.Minor() < c.KeypadAbove.Minor() {
			c.KeypadAbove = by.KeypadAbove
		}
	}
	c.Methods = slices.DeleteFunc(slices.Clone(c.Methods), func(m string) bool { return !slices.Contains(by.Methods, m) })
	c.Stops = append(slices.Clone(c.Stops), by.Stops...)
	c.MenuLock = max(c.MenuLock, by.MenuLock)
	return c
}

// lower is the smaller of two bounds; nil is none.
func lower(a, b *money.Amount) *money.Amount {
	if a == nil || b != nil && b.Minor() < a.Minor() {
		return b
	}
	return a
}

// olderThan compares versions of the form 1.20.3; one that cannot be read is
// older than any.
func olderThan(version, least string) bool {
	a, okA := parts(version)
	b, okB := parts(least)
	if least == "" {
		return false
	}
	return !okA || !okB || slices.Compare(a, b) < 0
}

func parts(version string) ([]int, bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	fields := strings.Split(version, ".")
	if len(fields) > 4 {
		return nil, false
	}
	out := make([]int, len(fields))
	for i, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

// Propose saves a change of the terminal's own menu. What is stricter binds at
// once where the model can, and the restart makes it run; what is looser waits
// for the host's consent as well.
func (t *Terminal) Propose(pinFree bool, author string) (protocol.Local, error) {
	id, err := t.id()
	if err != nil {
		return protocol.Local{}, err
	}
	now := t.Clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.setting().Effective.MenuLock != "" {
		return protocol.Local{}, mianmi.Forbidden("menu_locked", "the host has locked this setting")
	}
	l := protocol.Local{ID: id, Version: t.state.LocalVersion + 1, PinFree: pinFree, Author: author, BasedOn: t.running.Version, At: now}
	err = t.changeLocked(func(s *state) error {
		s.LocalVersion = l.Version
		if s.Pending != nil && !s.Pending.PinFree {
			s.Local = s.Pending // it has been binding: what replaces it must not undo it
		}
		s.Pending = &l
		s.Proposals = added(s.Proposals, l, proposalsMax)
		if !t.Model.Restart.Needed {
			runSaved(s, now)
		}
		return nil
	})
	if err != nil {
		return protocol.Local{}, err
	}
	return l, t.eventLocked()
}

// Methods are those that can be taken now, in the order of the screen.
func (t *Terminal) Methods() []string {
	s := t.Setting()
	if s.Running == nil {
		return nil
	}
	var out []string
	for _, m := range t.Model.Methods {
		if m == cash || slices.Contains(s.Effective.Methods, m) {
			out = append(out, m)
		}
	}
	return out
}

// PINAllowed reports whether a PIN for the amount may be typed at this
// terminal: on keys of its own always, on glass up to the host's bound.
func (t *Terminal) PINAllowed(a money.Amount) bool {
	switch t.Model.Keypad {
	case model.Physical:
		return true
	case model.OnScreen:
		most := t.Setting().Effective.KeypadAbove
		return most != nil && most.Currency() == a.Currency() && a.Minor() <= most.Minor()
	}
	return false
}
