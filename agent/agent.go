// Package agent is the program in a POS terminal: it enrols, runs the settings
// that the host delivers and those of its own menu, proves with signed reports
// what it runs, and takes payments by asking the host for each of them.
//
// The host enforces an OFF by itself; what stands here is the second lock. It
// never lets a payment pass by itself and keeps no queue of approvals. Pages
// are left to agent/screen, files to agent/disk, the network to agent/link.
package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Parts are what a terminal is made of. All but Programs are required.
type Parts struct {
	Folder *disk.Folder
	Model  model.Model
	Clock  mianmi.Clock
	// Up is the time since some fixed moment: it is never set, and runs on while
	// the machine sleeps. Leases are counted by it.
	Up      func() time.Duration
	Random  io.Reader
	Log     *slog.Logger
	Device  protocol.Device // firmware, OS and program; the rest is the model's
	Link    link.Options
	Restart func() error // replaces the process; returns only when that failed
	// Programs is where the terminal's programs come from; nil: from elsewhere.
	Programs *Programs
}

// Join is how a terminal without an identity gets one.
type Join struct {
	Host string
	Code protocol.EnrolCode
}

// Terminal is one running terminal. Its methods are safe for concurrent use.
type Terminal struct {
	Parts
	Till *Till

	mu       sync.Mutex
	identity link.Identity
	link     *link.Link
	relink   chan struct{} // closed when the link was replaced
	state    state
	boot     protocol.Boot
	number   int64 // of the last report of this boot
	running  protocol.Config
	saved    *protocol.Config

	lease     time.Duration // by Up: until when an attestation counts; 0: none
	receipt   protocol.Receipt
	receiptAt time.Time
	receiptUp time.Duration // by Up
	online    bool
	begun     bool // it has reported
	finding   link.Finding
	outside   []protocol.ChannelState // what the host said last of channels
	outsideUp time.Duration           // by Up
	decided   time.Time               // the host's last answer to a payment
	lastUsed  time.Time

	updating updating
	told     *protocol.Update // what the host was told of updates last
	seek     chan struct{}    // updates are to be looked for

	changed chan struct{} // closed and replaced when there is something to see
	report  chan struct{} // there is something to report
	fetch   chan struct{} // there may be a newer config
	look    chan struct{} // the network may be another one
	looked  chan struct{} // closed once it has been looked at
	sending chan struct{} // held by whoever sends reports
}

// Start loads the terminal's state, enrols when it has no identity, and counts
// the boot. Run makes it live.
func Start(ctx context.Context, p Parts, j Join) (*Terminal, error) {
	t := &Terminal{Parts: p, relink: make(chan struct{}), changed: make(chan struct{}), report: make(chan struct{}, 1), fetch: make(chan struct{}, 1), look: make(chan struct{}, 1), looked: make(chan struct{}), sending: make(chan struct{}, 1), seek: make(chan struct{}, 1)}
	t.Device.Model, t.Device.Keypad = p.Model.Family, p.Model.Keypad == model.Physical
	fresh, err := t.enrol(ctx, j)
	if err != nil {
		return nil, err
	}
	if t.link, err = link.New(t.identity, p.Link); err != nil {
		return nil, err
	}
	if err := t.loadState(fresh); err != nil {
		return nil, err
	}
	if len(t.state.Running) == 0 && len(t.state.Saved) == 0 {
		t.firstConfig(ctx)
	}
	if err := t.countBoot(); err != nil {
		return nil, err
	}
	if t.Till, err = newTill(t); err != nil {
		return nil, err
	}
	return t, nil
}

// ErrNotEnrolled says that the terminal has no identity and no code to get one.
var ErrNotEnrolled = errors.New("this terminal is not enrolled yet: start it once with --host and --code")

// enrol makes sure that there is an identity; fresh says that it is a new one.
func (t *Terminal) enrol(ctx context.Context, j Join) (fresh bool, err error) {
	key, err := loadKey(t.Folder)
	if err == nil {
		t.identity, err = loadIdentity(t.Folder, key)
		if err == nil {
			return false, nil
		}
	}
	if !errors.Is(err, disk.ErrNone) && !errors.Is(err, disk.ErrDamaged) {
		return false, err
	}
	if j.Host == "" || j.Code.Secret == "" {
		return false, fmt.Errorf("%w (%w)", ErrNotEnrolled, err)
	}
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), t.Random); err != nil {
			return false, fmt.Errorf("make the terminal's key: %w", err)
		}
		if err := saveKey(t.Folder, key); err != nil {
			return false, err
		}
	}
	t.identity, err = link.Enrol(ctx, link.Enrolling{Host: j.Host, Code: j.Code, Key: key}, t.Clock, t.Random)
	if err != nil {
		return false, err
	}
	return true, saveIdentity(t.Folder, t.identity)
}

// firstConfig asks for what to run before the first boot is counted. Without
// an answer the terminal starts closed and asks again.
func (t *Terminal) firstConfig(ctx context.Context) {
	b, err := t.link.Config(ctx, 0, 0)
	if err != nil || b == nil {
		t.Log.Warn("no settings from the host yet", "error", err)
		return
	}
	if _, err := t.accept(b); err != nil {
		t.Log.Error("the host's settings are refused", "error", err)
		return
	}
	t.state.Saved, t.state.SavedAt = b, t.Clock.Now()
}

// countBoot makes this start a boot: another id, one more, and what was saved
// runs.
func (t *Terminal) countBoot() error {
	id, err := t.id()
	if err != nil {
		return err
	}
	now := t.Clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeLocked(func(s *state) error {
		s.Boots++
		runSaved(s, now)
		return nil
	}); err != nil {
		return err
	}
	t.boot = protocol.Boot{ID: id, Count: t.state.Boots, At: now}
	t.lastUsed = now
	t.readConfigs()
	return nil
}

// runSaved lets what was saved run, as a boot does.
func runSaved(s *state, now time.Time) {
	if len(s.Saved) > 0 {
		s.Running, s.Saved, s.RunAt = s.Saved, nil, now
	}
	if p := s.Pending; p != nil && (!p.PinFree || consented(s, p.ID)) {
		s.Local, s.Pending = p, nil
	}
}

// consented reports whether the host has let a loosening of the menu pass.
func consented(s *state, id string) bool {
	for _, d := range s.Decided {
		if d.ID == id {
			return d.State == "in_force"
		}
	}
	return false
}

// readConfigs decodes what runs and what is saved; bytes that do not decode
// run nothing. The caller holds mu.
func (t *Terminal) readConfigs() {
	t.running, t.saved = protocol.Config{}, nil
	if c, err := t.decode(t.state.Running); err == nil {
		t.running = c
	}
	if c, err := t.decode(t.state.Saved); err == nil {
		t.saved = &c
	}
}

// id returns a random identifier of 32 hexadecimal digits.
func (t *Terminal) id() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(t.Random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// Changed returns a channel that is closed when there is something new to see.
func (t *Terminal) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

func (t *Terminal) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellLocked()
}

func (t *Terminal) tellLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Terminal) current() *link.Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.link
}

// kick says that there is work, once.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
