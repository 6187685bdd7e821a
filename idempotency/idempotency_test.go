package idempotency

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// silent is a database that takes a claim and then says nothing more.
type silent struct{}

func (silent) ClaimAnswer(context.Context, Record, time.Time) (Record, bool, error) {
	return Record{}, true, nil
}

func (silent) KeepAnswer(ctx context.Context, _ Record) error { <-ctx.Done(); return ctx.Err() }

func (silent) FreeAnswer(ctx context.Context, _ []byte) error { <-ctx.Done(); return ctx.Err() }

// A caller whose request is over does not wait for a database that is silent,
// also when nothing else bounds the wait.
func TestEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys, err := secret.New(zeros{})
		if err != nil {
			t.Fatal(err)
		}
		s := &Service{Store: silent{}, Keys: keys, Clock: mianmi.ClockFunc(time.Now), Random: zeros{}}
		for name, end := range map[string]func(*Claim) error{
			"keep": func(c *Claim) error {
				return c.Keep(context.WithoutCancel(t.Context()), Answer{Status: 201, Text: []byte("{}")})
			},
			"free": func(c *Claim) error { return c.Free(context.WithoutCancel(t.Context())) },
		} {
			claim, _, err := s.Begin(t.Context(), Request{Key: "k", What: "POST /x"})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			err = end(claim)
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != endMax {
				t.Errorf("%s: %v after %v, want its deadline after %v", name, err, took, endMax)
			}
		}
	})
}

// zeros is no chance at all; nothing here is secret.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
