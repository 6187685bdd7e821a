package storetest

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/secret"
)

// Answers is the contract of idempotency.Store, seen through its service. open
// returns a fresh, migrated database each time.
func Answers(t *testing.T, open func(t *testing.T) Nodes) {
	tests := []struct {
		name string
		run  func(w *answersWorld, t *testing.T)
	}{
		{"a repeat gets the first answer", (*answersWorld).repeat},
		{"another request with the key is a conflict", (*answersWorld).reused},
		{"keys belong to an actor and a route", (*answersWorld).apart},
		{"a request in progress holds its key until it ends or its time is over", (*answersWorld).inProgress},
		{"an answer is forgotten after a day", (*answersWorld).forgotten},
		{"of many at once on two nodes one goes on", (*answersWorld).atOnce},
		{"a claim that was taken over does not overwrite the other's answer", (*answersWorld).takenOver},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			node := open(t)
			keys, err := secret.New(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			w := &answersWorld{t: t, clock: &settable{now: time.Date(2026, 7, 3, 2, 0, 0, 0, time.UTC)}}
			for range 2 {
				w.nodes = append(w.nodes, &idempotency.Service{Store: node(), Keys: keys, Clock: w.clock, Random: rand.Reader})
			}
			tt.run(w, t)
		})
	}
}

type answersWorld struct {
	t     *testing.T
	clock *settable
	nodes []*idempotency.Service
}

var asked = idempotency.Request{Actor: mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}, Key: "k-1", What: "POST /v1/staff", Rest: `{"login":"a"}`}

var answered = idempotency.Answer{Status: 201, Text: []byte(`{"password":"shown once"}`)}

// begin asks node 0 and wants to go on.
func (w *answersWorld) begin(r idempotency.Request) *idempotency.Claim {
	w.t.Helper()
	claim, first, err := w.nodes[0].Begin(w.t.Context(), r)
	if err != nil || first != nil || claim == nil {
		w.t.Fatalf("begin: claim %v, answer %v, error %v", claim, first, err)
	}
	return claim
}

func (w *answersWorld) keep(c *idempotency.Claim, a idempotency.Answer) {
	w.t.Helper()
	if err := c.Keep(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
}

// wantAnswer asks the other node and wants the answer.
func (w *answersWorld) wantAnswer(r idempotency.Request, want idempotency.Answer) {
	w.t.Helper()
	_, first, err := w.nodes[1].Begin(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(&want, first); diff != "" {
		w.t.Errorf("repeat (-want +got):\n%s", diff)
	}
}

func (w *answersWorld) wantConflict(r idempotency.Request, code string) {
	w.t.Helper()
	claim, first, err := w.nodes[1].Begin(w.t.Context(), r)
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != mianmi.Conflict || e.Code != code {
		w.t.Errorf("claim %v, answer %v, error %v; want the conflict %s", claim, first, err, code)
	}
}

func (w *answersWorld) repeat(_ *testing.T) {
	w.keep(w.begin(asked), answered)
	w.wantAnswer(asked, answered)
	w.clock.Add(idempotency.Life - time.Second)
	w.wantAnswer(asked, answered)
}

func (w *answersWorld) reused(_ *testing.T) {
	claim := w.begin(asked)
	other := asked
	other.Rest = `{"login":"b"}`
	w.wantConflict(other, "idempotency_key_reused")
	w.keep(claim, answered)
	w.wantConflict(other, "idempotency_key_reused")
}

func (w *answersWorld) apart(_ *testing.T) {
	w.keep(w.begin(asked), answered)
	another, elsewhere := asked, asked
	another.Actor.ID, elsewhere.What = "sf2", "POST /v1/api-keys"
	w.begin(another)
	w.begin(elsewhere)
}

func (w *answersWorld) inProgress(t *testing.T) {
	claim := w.begin(asked)
	w.wantConflict(asked, "in_progress")
	if err := claim.Free(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.begin(asked)
	w.wantConflict(asked, "in_progress")
	w.clock.Add(idempotency.ClaimLife)
	w.keep(w.begin(asked), answered)
}

func (w *answersWorld) forgotten(_ *testing.T) {
	w.keep(w.begin(asked), answered)
	w.clock.Add(idempotency.Life)
	fresh := idempotency.Answer{Status: 201, Text: []byte(`{"password":"another"}`)}
	w.keep(w.begin(asked), fresh)
	w.wantAnswer(asked, fresh)
}

// callersMany is enough for the engines to run them at the same time.
const callersMany = 16

func (w *answersWorld) atOnce(t *testing.T) {
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range callersMany {
		wg.Go(func() {
			claim, first, err := w.nodes[i%len(w.nodes)].Begin(t.Context(), asked)
			switch {
			case claim != nil:
				won.Add(1)
			case first != nil || !errors.Is(err, mianmi.Conflict):
				t.Errorf("answer %v, error %v; want a conflict", first, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d requests went on", won.Load())
	}
}

func (w *answersWorld) takenOver(t *testing.T) {
	late := w.begin(asked)
	w.clock.Add(idempotency.ClaimLife)
	other := asked
	other.Rest = `{"login":"b"}`
	w.keep(w.begin(other), answered)
	w.keep(late, idempotency.Answer{Status: 201, Text: []byte("late")})
	w.wantAnswer(other, answered)
	if err := late.Free(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantAnswer(other, answered)
}
