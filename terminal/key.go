package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Key is a public key that a terminal proves itself by: in TLS, and under its
// reports. A terminal has several while it changes from one to the next.
type Key struct {
	ID        string // protocol.KeyID
	Public    []byte // SubjectPublicKeyInfo, DER
	Serial    string // of the certificate, hexadecimal
	IssuedAt  time.Time
	NotAfter  time.Time
	RevokedAt time.Time // zero: not revoked
}

// Live reports whether the key proves anything at now.
func (k Key) Live(now time.Time) bool {
	return k.ID != "" && k.RevokedAt.IsZero() && now.Before(k.NotAfter)
}

// KeyRecords is what a KeyRing needs of the store.
type KeyRecords interface {
	Terminal(ctx context.Context, id mianmi.TerminalID) (Terminal, error)
	// AddTerminalKey keeps a key, or a new certificate of one that is there. A key
	// that was revoked stays so, and that is a Conflict.
	AddTerminalKey(ctx context.Context, id mianmi.TerminalID, k Key, e evidence.Entry) error
	// TerminalKey reads a key; NotFound when the terminal has none of this name.
	TerminalKey(ctx context.Context, id mianmi.TerminalID, keyID string) (Key, error)
	TerminalKeys(ctx context.Context, id mianmi.TerminalID) ([]Key, error)
	// RevokeTerminalKeys revokes every key and removes the enrolment code that waits.
	RevokeTerminalKeys(ctx context.Context, id mianmi.TerminalID, at time.Time, e evidence.Entry) error
}

// KeyRing is the keys of terminals.
type KeyRing struct {
	Records KeyRecords
	Clock   mianmi.Clock
	Random  io.Reader
	// Revoked is told after keys were revoked, to end live connections; may be nil.
	Revoked func(mianmi.TerminalID)
}

func (r *KeyRing) now() time.Time { return r.Clock.Now().UTC().Truncate(time.Microsecond) }

// AddKey keeps a key that a certificate was issued for.
func (r *KeyRing) AddKey(ctx context.Context, id mianmi.TerminalID, k Key) error {
	e, err := r.entry("terminal.key.issued", id, mianmi.Actor{Role: mianmi.RoleSystem, ID: "terminals"}, keyNote{Key: k.ID, Serial: k.Serial, NotAfter: &k.NotAfter})
	if err != nil {
		return err
	}
	return r.Records.AddTerminalKey(ctx, id, k, e)
}

// KeyLive reports whether a key is one of the terminal's, not revoked and not
// past its time.
func (r *KeyRing) KeyLive(ctx context.Context, id mianmi.TerminalID, keyID string) (bool, error) {
	k, err := r.Records.TerminalKey(ctx, id, keyID)
	if errors.Is(err, mianmi.NotFound) {
		return false, nil
	}
	return err == nil && k.Live(r.Clock.Now()), err
}

// Keys lists a terminal's keys, the newest first, for whoever may see it.
func (r *KeyRing) Keys(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) ([]Key, error) {
	t, err := r.Records.Terminal(ctx, id)
	if err != nil {
		return nil, err
	}
	if !maySee(actor, place{t.Merchant, t.Store}) {
		return nil, denied()
	}
	return r.Records.TerminalKeys(ctx, id)
}

// Revoke makes every key of the terminal worthless, at once and on live
// connections: a stolen machine. It takes the right to manage terminals there.
func (r *KeyRing) Revoke(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) error {
	t, err := r.Records.Terminal(ctx, id)
	if err != nil {
		return err
	}
	if !mayManage(actor, place{t.Merchant, t.Store}) {
		return denied()
	}
	e, err := r.entry("terminal.keys.revoked", id, actor, keyNote{})
	if err != nil {
		return err
	}
	if err := r.Records.RevokeTerminalKeys(ctx, id, r.now(), e); err != nil {
		return err
	}
	if r.Revoked != nil {
		r.Revoked(id)
	}
	return nil
}

// keyNote is the body of facts about keys.
type keyNote struct {
	Key      string     `json:"key,omitempty"`
	Serial   string     `json:"serial,omitempty"`
	NotAfter *time.Time `json:"not_after,omitempty"`
}

func (r *KeyRing) entry(kind string, id mianmi.TerminalID, actor mianmi.Actor, n keyNote) (evidence.Entry, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode evidence %s: %w", kind, err)
	}
	now := r.now()
	entryID, err := mianmi.NewID("en", now, r.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(entryID), At: now, Type: kind, Subject: string(id), Actor: actor.String(), Body: body}, nil
}
