package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// Both engines keep the contract of first answers.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Answers(t, nodes(engine))
		})
	}
}

// What is stored of a first answer holds neither the caller's key nor the
// request nor the answer: each may be a secret.
func TestAnswersAreSealed(t *testing.T) {
	t.Parallel()
	db := &watched{DB: nodes("sqlite")(t)()}
	keys, err := secret.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := mianmi.ClockFunc(func() time.Time { return time.Date(2026, 7, 3, 2, 0, 0, 0, time.UTC) })
	s := &idempotency.Service{Store: db, Keys: keys, Clock: now, Random: rand.Reader}
	claim, _, err := s.Begin(t.Context(), idempotency.Request{Key: "caller-key", What: "POST /x", Rest: "request-body"})
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Keep(t.Context(), idempotency.Answer{Status: 201, Text: []byte("shown-once")}); err != nil {
		t.Fatal(err)
	}
	if len(db.handed) != 2 {
		t.Fatalf("the store was handed %d records", len(db.handed))
	}
	for _, r := range db.handed {
		all := slices.Concat(r.Key, r.Digest, r.Sealed)
		for _, text := range []string{"caller-key", "request-body", "shown-once"} {
			if bytes.Contains(all, []byte(text)) {
				t.Errorf("%q goes to the database in clear", text)
			}
		}
	}
}

// watched is a store that remembers what it was handed.
type watched struct {
	*store.DB
	handed []idempotency.Record
}

func (w *watched) ClaimAnswer(ctx context.Context, r idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	w.handed = append(w.handed, r)
	return w.DB.ClaimAnswer(ctx, r, now)
}

func (w *watched) KeepAnswer(ctx context.Context, r idempotency.Record) error {
	w.handed = append(w.handed, r)
	return w.DB.KeepAnswer(ctx, r)
}
