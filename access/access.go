// Package access is who is calling: members of staff and their login,
// sessions, API keys, and the table of rights.
//
// It leaves to others what an action does, and who a payer is: payer checks a
// payer's password and then asks for a session here.
package access

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// Config tunes a Service. Zero values mean the defaults.
type Config struct {
	Issuer string // name that a one-time-password app shows, default "mianmi"

	TriesMax int           // wrong logins of staff before a lock, default 5
	LockFor  time.Duration // the first lock, default 15 min; each further one doubles, up to a day

	// Sessions end after Idle without a request, and after Life whatever happens.
	StaffIdle, StaffLife time.Duration // default 30 min and 12 h (NIST SP 800-63B, AAL2)
	PayerIdle, PayerLife time.Duration // default 24 h and 30 days: closing must be near at hand; loosening asks for the password again
}

func (c Config) withDefaults() Config {
	if c.Issuer == "" {
		c.Issuer = "mianmi"
	}
	if c.TriesMax <= 0 {
		c.TriesMax = 5
	}
	for _, d := range []struct {
		v    *time.Duration
		then time.Duration
	}{
		{&c.LockFor, 15 * time.Minute}, {&c.StaffIdle, 30 * time.Minute}, {&c.StaffLife, 12 * time.Hour},
		{&c.PayerIdle, 24 * time.Hour}, {&c.PayerLife, 30 * 24 * time.Hour},
	} {
		if *d.v <= 0 {
			*d.v = d.then
		}
	}
	return c
}

// Store is what this package keeps. Methods that write staff or API keys
// raise the settings epoch in the same transaction (ADR 1). Missing rows are
// NotFound.
type Store interface {
	// InsertStaff writes a new member. With OnlyFirst it is a Conflict when
	// there is any member already. A login name that is taken is a Conflict with
	// the code "login_taken"; a merchant or store that does not exist is NotFound.
	InsertStaff(ctx context.Context, n StaffInsert) error
	// ChangeStaff locks the member, runs fn and writes what it left.
	ChangeStaff(ctx context.Context, id mianmi.StaffID, fn func(*StaffChange) error) error
	// ChangeCredential is ChangeStaff for tries and one-time-password steps
	// alone: nothing that payments read, so it leaves the epoch.
	ChangeCredential(ctx context.Context, id mianmi.StaffID, fn func(*StaffChange) error) error
	StaffByID(ctx context.Context, id mianmi.StaffID) (Staff, error)
	StaffByLogin(ctx context.Context, login string) (Staff, Credential, error)
	ListStaff(ctx context.Context, q StaffQuery) ([]Staff, error)

	InsertSession(ctx context.Context, s Session) error
	SessionByDigest(ctx context.Context, digest []byte) (Session, error)
	TouchSession(ctx context.Context, digest []byte, idle time.Time) error
	// EndSession ends one session of the actor; none is no error.
	EndSession(ctx context.Context, actor string, id mianmi.SessionID) error
	EndSessions(ctx context.Context, actor string) (int, error)

	InsertKey(ctx context.Context, k Key, e evidence.Entry) error
	// ChangeKey locks the key, runs fn and writes its revocation and the entries.
	ChangeKey(ctx context.Context, id mianmi.KeyID, fn func(*Key) ([]evidence.Entry, error)) error
	KeyByDigest(ctx context.Context, digest []byte) (Key, error)
	ListKeys(ctx context.Context, q KeyQuery) ([]Key, error)
}

// Parts are what a Service works with; all are required.
type Parts struct {
	Store  Store
	Keys   *secret.Keys
	Hasher *secret.Hasher
	Clock  mianmi.Clock
	Random io.Reader
}

// Service knows who is calling.
type Service struct {
	Parts
	cfg Config

	mu    sync.RWMutex
	known map[[secret.DigestBytes]byte]knownKey
}

// New returns a service.
func New(p Parts, c Config) *Service {
	return &Service{Parts: p, cfg: c.withDefaults(), known: make(map[[secret.DigestBytes]byte]knownKey)}
}

// entry makes the record of a change; body holds identifiers and figures only.
func (s *Service) entry(now time.Time, actor mianmi.Actor, kind, subject string, body any) (evidence.Entry, error) {
	id, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: subject, Actor: actor.String(), Body: text}, nil
}

// pageMax bounds a page of a list.
const pageMax = 200

func pageSize(n int) int {
	if n <= 0 || n > pageMax {
		return pageMax
	}
	return n
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
