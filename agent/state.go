package agent

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Names of the files in the terminal's folder.
const (
	fileKey      = "key"      // made before enrolment, so that a code is used with one key
	fileIdentity = "identity" // certificate, host, CA
	fileState    = "state"    // settings, boots, what waits to be reported
	filePayments = "payments" // payments under way, and the last slips
)

// Bounds of what is kept for the host while it cannot be reached: what a
// terminal gathers in a long day; the oldest goes first.
const (
	queueMax     = 32
	proposalsMax = 16
	eventsMax    = 32
	decidedMax   = 16
)

// state is what survives a restart. No approval is ever part of it.
type state struct {
	Boots   int64     `json:"boots"`
	Running []byte    `json:"running,omitempty"` // a Config's bytes as they came
	RunAt   time.Time `json:"run_at,omitzero"`   // since when it runs
	Saved   []byte    `json:"saved,omitempty"`   // newer than Running: runs after the next boot
	SavedAt time.Time `json:"saved_at,omitzero"`

	Local        *protocol.Local   `json:"local,omitempty"`   // set in the menu, running
	Pending      *protocol.Local   `json:"pending,omitempty"` // set in the menu, not yet
	LocalVersion int64             `json:"local_version,omitempty"`
	Refused      *protocol.Refusal `json:"refused,omitempty"`
	Tightening   int64             `json:"tightening,omitempty"` // newest that was seen

	Proposals []protocol.Local   `json:"proposals,omitempty"` // the host has not answered yet
	Decided   []protocol.Decided `json:"decided,omitempty"`
	Checks    []protocol.Check   `json:"checks,omitempty"`
	LastCheck []protocol.Check   `json:"last_check,omitempty"` // for the screen
	Troubles  []protocol.Trouble `json:"troubles,omitempty"`
	Queue     [][]byte           `json:"queue,omitempty"` // signed reports about changes, oldest first
	Dropped   int64              `json:"dropped,omitempty"`

	Operator *operator `json:"operator,omitempty"`
}

// damagedAuthor signs the OFF that a terminal with a damaged state sets.
const damagedAuthor = "storage damaged"

// loadState reads the state. One that is missing though the terminal has an
// identity, or cannot be read, is replaced by one that is closed: what was
// closed in the menu may have been lost with it.
func (t *Terminal) loadState(fresh bool) error {
	b, err := t.Folder.Load(fileState)
	if err == nil {
		err = json.Unmarshal(b, &t.state)
	}
	switch {
	case err == nil, fresh && errors.Is(err, disk.ErrNone):
		return nil
	case errors.Is(err, disk.ErrNone), errors.Is(err, disk.ErrDamaged), isJSON(err):
		t.Log.Error("the terminal's state is lost; PIN-free is closed here until somebody opens it", "error", err)
	default:
		return err
	}
	now := t.Clock.Now()
	id, err := t.id()
	if err != nil {
		return err
	}
	// Boots are counted on from the clock: more than there can have been, so
	// that the host does not take the next report for an old one.
	t.state = state{Boots: now.Unix(), LocalVersion: now.Unix()}
	l := protocol.Local{ID: id, Version: now.Unix(), Author: damagedAuthor, At: now}
	t.state.Local, t.state.Proposals = &l, []protocol.Local{l}
	return nil
}

func isJSON(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// save makes the state durable. The caller holds mu.
func (t *Terminal) save() error {
	b, err := json.Marshal(t.state)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	return t.Folder.Save(fileState, b)
}

// change changes the state: on the disk first, and only then in memory. What
// could not be kept has not happened.
func (t *Terminal) change(fn func(*state) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changeLocked(fn)
}

func (t *Terminal) changeLocked(fn func(*state) error) error {
	before := t.state
	next := t.state // fn replaces slices and pointers, it does not write into them
	if err := fn(&next); err != nil {
		return err
	}
	t.state = next
	if err := t.save(); err != nil {
		t.state = before
		return err
	}
	t.tellLocked()
	return nil
}

// identityFile is an identity on the disk.
type identityFile struct {
	Terminal     mianmi.TerminalID `json:"terminal"`
	Certificates [][]byte          `json:"certificates"`
	Host         string            `json:"host"`
	MQTT         string            `json:"mqtt,omitempty"`
}

func saveIdentity(f *disk.Folder, id link.Identity) error {
	b, err := json.Marshal(identityFile{id.Terminal, id.Certificates, id.Host, id.MQTT})
	if err != nil {
		return err
	}
	return f.Save(fileIdentity, b)
}

func loadIdentity(f *disk.Folder, key *ecdsa.PrivateKey) (link.Identity, error) {
	b, err := f.Load(fileIdentity)
	if err != nil {
		return link.Identity{}, err
	}
	var i identityFile
	if err := json.Unmarshal(b, &i); err != nil || len(i.Certificates) < 2 {
		return link.Identity{}, fmt.Errorf("%s: %w", fileIdentity, disk.ErrDamaged)
	}
	return link.Identity{Terminal: i.Terminal, Key: key, Certificates: i.Certificates, Host: i.Host, MQTT: i.MQTT}, nil
}

func loadKey(f *disk.Folder) (*ecdsa.PrivateKey, error) {
	b, err := f.Load(fileKey)
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(b)
	key, ok := k.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: %w", fileKey, disk.ErrDamaged)
	}
	return key, nil
}

func saveKey(f *disk.Folder, key *ecdsa.PrivateKey) error {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key: %w", err)
	}
	return f.Save(fileKey, b)
}

// added returns the list with one more at its end, and without the first ones
// when there are too many.
func added[T any](list []T, v T, most int) []T {
	out := append(append(make([]T, 0, len(list)+1), list...), v)
	return out[max(0, len(out)-most):]
}
