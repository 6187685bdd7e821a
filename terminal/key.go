package terminal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Key is a public key that a terminal proves itself by: in TLS, and under its
// reports. A terminal has several while it changes from one to the next.
type Key struct {
	ID        string // protocol.KeyID
	Terminal  mianmi.TerminalID
	Public    []byte // SubjectPublicKeyInfo, DER, of an ECDSA P-256 key
	Serial    string // of the certificate, hexadecimal
	IssuedAt  time.Time
	NotAfter  time.Time
	RevokedAt time.Time // zero: not revoked
}

// Live reports whether the key proves anything at now.
func (k Key) Live(now time.Time) bool {
	return k.ID != "" && k.RevokedAt.IsZero() && now.Before(k.NotAfter)
}

// KeyRecords is what keys need of the store beside visits.
type KeyRecords interface {
	// TerminalKey reads a key; NotFound when the terminal has none of this name.
	TerminalKey(ctx context.Context, id mianmi.TerminalID, keyID string) (Key, error)
	// TerminalKeys lists a terminal's keys, newest first.
	TerminalKeys(ctx context.Context, id mianmi.TerminalID) ([]Key, error)
	// KeysRevoked lists the keys that were revoked at or after an instant, the
	// oldest revocation first.
	KeysRevoked(ctx context.Context, since time.Time, limit int) ([]Key, error)
}

// keysEach bounds the keys of a terminal that count at once: the one before a
// renewal is in use until the terminal has the new one.
const keysEach = 2

// issuer is who certificates are issued by.
var issuer = mianmi.System("terminals")

// AddKey keeps a key that a certificate was issued for, and uses the enrolment
// up: one that has gone since, by a revocation too, is ErrCode. Another machine
// may stand there now, so everything is to be proved anew, and keys of before
// end. A key is one terminal's for ever.
func (s *Service) AddKey(ctx context.Context, e Enrolment, k Key) error {
	return s.addKey(ctx, e.Terminal, k, &e)
}

// RenewKey keeps a key or a new certificate of one, that the terminal itself
// asked for over a connection by a key that counts: what it has proved stays.
func (s *Service) RenewKey(ctx context.Context, id mianmi.TerminalID, k Key) error {
	return s.addKey(ctx, id, k, nil)
}

// addKey renews when there is no enrolment.
func (s *Service) addKey(ctx context.Context, id mianmi.TerminalID, k Key, e *Enrolment) error {
	public, err := publicKey(k.Public)
	if err != nil {
		return &mianmi.Error{Kind: mianmi.Invalid, Field: "public", Msg: "want an ECDSA P-256 key", Err: err}
	}
	keyID, err := protocol.KeyID(public)
	switch {
	case err != nil:
		return err
	case keyID != k.ID:
		return mianmi.InvalidField("key", "is not the name of this key")
	case k.Serial == "" || !k.NotAfter.After(s.now()):
		return mianmi.InvalidField("not_after", "want a certificate with a serial number that is not over")
	}
	k.Terminal, k.RevokedAt = id, time.Time{}
	k.IssuedAt, k.NotAfter = k.IssuedAt.UTC().Truncate(time.Microsecond), k.NotAfter.UTC().Truncate(time.Microsecond)
	return s.records.Visit(ctx, []VisitAsk{{Terminal: id}}, func(visits []*Visit) error {
		w := &work{Visit: visits[0], s: s, now: s.now()}
		switch {
		case !w.Known:
			return mianmi.Missing("terminal")
		case e == nil && !w.enrolled(w.now):
			return errRevoked
		}
		if e != nil {
			w.Left.Enrolment = e
			w.anew()
		}
		w.addKey(k, e == nil)
		return w.err
	})
}

// anew forgets what the machine of before has proved: boots are counted from
// the first, those that a setting waits for, too.
func (w *work) anew() {
	w.endRun(w.now)
	before := w.State
	w.State = State{Proven: Proven{Terminal: w.Terminal}, Delivered: before.Delivered, Alarms: before.Alarms, RefusalAt: before.RefusalAt, SeenAt: w.now}
	for _, kind := range slices.Clone(before.Alarms) {
		w.alarm(kind, "")
	}
	for i := range w.Settings {
		s := &w.Settings[i]
		s.DeliveredBoot, s.SavedBoot, s.Rebooted = 0, 0, time.Time{}
		w.put(s)
	}
}

func (w *work) addKey(k Key, renewal bool) {
	live := 0
	for _, o := range slices.Backward(w.Keys) { // newest first
		if o.ID == k.ID || !o.RevokedAt.IsZero() {
			continue
		}
		if live++; !renewal || live >= keysEach {
			o.RevokedAt = w.now
			w.Left.Keys = append(w.Left.Keys, o)
			w.by(issuer, "terminal.key.replaced", keyNote{Key: o.ID, Serial: o.Serial})
		}
	}
	w.Left.Keys = append(w.Left.Keys, k)
	w.by(issuer, "terminal.key.issued", keyNote{Key: k.ID, Public: k.Public, Serial: k.Serial, NotAfter: &k.NotAfter, Renewal: renewal})
}

// by records a fact about the terminal that somebody else brought about.
func (w *work) by(who mianmi.Actor, kind string, body any) {
	e, err := w.s.entry(who, fact{kind, string(w.Terminal), body})
	w.fail(err)
	w.Left.Entries = append(w.Left.Entries, e)
}

// KeyLive reports whether a key is one of the terminal's, not revoked and not
// past its time.
func (s *Service) KeyLive(ctx context.Context, id mianmi.TerminalID, keyID string) (bool, error) {
	k, err := s.records.TerminalKey(ctx, id, keyID)
	if errors.Is(err, mianmi.NotFound) {
		return false, nil
	}
	return err == nil && k.Live(s.clock.Now()), err
}

// Revocations lists the keys that were revoked at or after an instant, the
// oldest revocation first: for those who hold connections.
func (s *Service) Revocations(ctx context.Context, since time.Time, limit int) ([]Key, error) {
	return s.records.KeysRevoked(ctx, since, limit)
}

// Keys lists a terminal's keys, the newest first, for whoever may see it.
func (s *Service) Keys(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) ([]Key, error) {
	if _, err := s.Terminal(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.records.TerminalKeys(ctx, id)
}

// Revoke takes every key of a terminal back, and the enrolment code that waits:
// a stolen machine. Nothing that it says counts any more, and no payment there
// passes without a PIN from the moment that this returns. Whoever may switch
// PIN-free off there may do it, for that is what it does.
func (s *Service) Revoke(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) error {
	err := s.records.Visit(ctx, []VisitAsk{{Terminal: id}}, func(visits []*Visit) error {
		w := &work{Visit: visits[0], s: s, now: s.now()}
		switch {
		case !w.Known:
			return mianmi.Missing("terminal")
		case !mayRevoke(actor, place{w.Place.Merchant, w.Place.Store}):
			return denied()
		}
		w.Left.NoEnrolment = true
		if !w.State.RevokedAt.IsZero() {
			return nil
		}
		w.endRun(w.now)
		w.State.RevokedAt = w.now
		for _, k := range w.Keys {
			if k.RevokedAt.IsZero() {
				k.RevokedAt = w.now
				w.Left.Keys = append(w.Left.Keys, k)
			}
		}
		w.by(actor, "terminal.keys.revoked", keyNote{})
		return w.err
	})
	if err == nil && s.revoked != nil {
		s.revoked(id)
	}
	return err
}
