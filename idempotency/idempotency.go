// Package idempotency keeps the first answer to a request that carries a key
// of its caller's choice, so that a repeat gets the same answer and nothing is
// done twice.
//
// Answers may hold secrets that are shown once, so they are sealed, and keys
// and requests are kept as keyed digests only. What a request is, and which
// ones may be repeated, is left to the transports.
package idempotency

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

const (
	// KeyMax bounds the caller's key, in bytes.
	KeyMax = 64
	// Life is how long a repeat gets the first answer.
	Life = 24 * time.Hour
	// ClaimLife is how long a request may be in progress. It is above every
	// deadline: an older claim belongs to a server that has crashed.
	ClaimLife = 2 * time.Minute
	// endMax is how long Keep and Free wait for a database that is silent. They
	// come when a request may have used up its own time, and its caller waits.
	endMax = 2 * time.Second
)

// Purposes of keyed digests and sealed values; they are in stored data, never
// renamed.
const (
	forKey     secret.Purpose = "idempotency_key"
	forRequest secret.Purpose = "idempotency_request"
	forAnswer  secret.Purpose = "idempotency_answer"
)

// Record is what is stored under a key.
type Record struct {
	Key       []byte // digest, 16 bytes
	Digest    []byte // of the request, 16 bytes
	Status    int    // of the answer; 0: it is still being made
	Sealed    []byte // the answer, encrypted
	ExpiresAt time.Time
}

// Store is what this package keeps.
type Store interface {
	// ClaimAnswer writes the record unless one that lives at now stands under
	// its key, which is returned then. One of many concurrent claims wins.
	ClaimAnswer(ctx context.Context, r Record, now time.Time) (standing Record, claimed bool, err error)
	// KeepAnswer replaces the record that was claimed.
	KeepAnswer(ctx context.Context, r Record) error
	// FreeAnswer removes the record under a key while its Status is 0.
	FreeAnswer(ctx context.Context, key []byte) error
}

// Service keeps first answers. All parts are required.
type Service struct {
	Store  Store
	Keys   *secret.Keys
	Clock  mianmi.Clock
	Random io.Reader // safe for concurrent use
}

// Request is a request as far as a repeat must be like it.
type Request struct {
	Actor mianmi.Actor
	Key   string // the caller's
	What  string // method and path
	Rest  string // all else that decides what the request means: query and body
}

// Answer is an answer as the transport made it.
type Answer struct {
	Status int // 200 to 299
	Text   []byte
}

// Claim is a request that may go on. It ends with Keep or Free.
type Claim struct {
	s      *Service
	record Record
}

// Begin claims the key for the request. A repeat returns the first answer and
// no claim. While the first is in progress it is a Conflict with the code
// "in_progress"; for another request with the same key one with the code
// "idempotency_key_reused".
func (s *Service) Begin(ctx context.Context, r Request) (*Claim, *Answer, error) {
	if err := CheckKey(r.Key); err != nil {
		return nil, nil, err
	}
	now := s.Clock.Now()
	mine := Record{
		Key:       s.Keys.Digest(forKey, r.Actor.String()+"\x00"+r.What+"\x00"+r.Key),
		Digest:    s.Keys.Digest(forRequest, r.What+"\x00"+r.Rest),
		ExpiresAt: now.Add(ClaimLife),
	}
	standing, claimed, err := s.Store.ClaimAnswer(ctx, mine, now)
	switch {
	case err != nil:
		return nil, nil, err
	case claimed:
		return &Claim{s: s, record: mine}, nil, nil
	case !bytes.Equal(mine.Digest, standing.Digest):
		return nil, nil, mianmi.Conflicts("idempotency_key_reused", "this key was used with another request; use a new one")
	case standing.Status == 0:
		return nil, nil, &mianmi.Error{Kind: mianmi.Conflict, Code: "in_progress", RetryAfter: time.Second,
			Msg: "the first request with this key is still in progress"}
	}
	text, err := s.Keys.Open(forAnswer, standing.Sealed, about(standing.Key))
	if err != nil {
		return nil, nil, err
	}
	return nil, &Answer{Status: standing.Status, Text: text}, nil
}

// Keep stores the first answer. It tries for endMax.
func (c *Claim) Keep(ctx context.Context, a Answer) error {
	ctx, cancel := context.WithTimeout(ctx, endMax)
	defer cancel()
	sealed, err := c.s.Keys.Seal(forAnswer, a.Text, about(c.record.Key), c.s.Random)
	if err != nil {
		return err
	}
	r := c.record
	r.Status, r.Sealed, r.ExpiresAt = a.Status, sealed, c.s.Clock.Now().Add(Life)
	return c.s.Store.KeepAnswer(ctx, r)
}

// Free gives the key back: the request has changed nothing and may be sent
// again with the same key. It tries for endMax; a key that could not be given
// back is free when its claim runs out.
func (c *Claim) Free(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endMax)
	defer cancel()
	return c.s.Store.FreeAnswer(ctx, c.record.Key)
}

func about(key []byte) string { return hex.EncodeToString(key) }

// CheckKey refuses what is not 1 to KeyMax letters, digits, '.', '_', '-', ':'.
func CheckKey(key string) error {
	fault := mianmi.InvalidField("Idempotency-Key", "want 1 to 64 letters, digits, '.', '_', '-', ':'")
	if key == "" || len(key) > KeyMax {
		return fault
	}
	for _, c := range []byte(key) {
		ok := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-' || c == ':'
		if !ok {
			return fault
		}
	}
	return nil
}
