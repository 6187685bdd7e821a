package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store/storetest"
)

// asker runs an operation somewhere; false when there was no answer.
type asker func(context.Context, op) (reply, bool)

// Off is instant: whatever switch is thrown, by whomever, on whatever node, no
// payment that begins after the answer passes PIN-free, and none is asked for
// a PIN that needs none.
func TestSwitchesAreLinearizable(t *testing.T) {
	t.Parallel()
	for _, engine := range ledgers {
		t.Run(engine+", one process", func(t *testing.T) {
			t.Parallel()
			s := linearSite(t, engine, nil)
			ask := func(ctx context.Context, o op) (reply, bool) { return s.do(ctx, o), true }
			checkHistories(t, []asker{ask}, rounds(8, 100))
		})
	}
	t.Run("postgres, two processes", func(t *testing.T) {
		t.Parallel()
		s := linearSite(t, "postgres", nil)
		a, b := start(t, s.setup), start(t, s.setup)
		defer a.stop()
		defer b.stop()
		checkHistories(t, []asker{a.do, b.do}, rounds(8, 100))
	})
}

// The same check finds a node whose settings are one change behind, and one
// whose payers are.
func TestLinearizabilityCheckCanFail(t *testing.T) {
	t.Parallel()
	broken := map[string]func() *storetest.Faulty{
		"settings of one change before": func() *storetest.Faulty {
			var mu sync.Mutex
			var before, now *settings.Snapshot
			return &storetest.Faulty{OnSettings: func(s *settings.Snapshot) *settings.Snapshot {
				mu.Lock()
				defer mu.Unlock()
				if now == nil || s.Epoch() != now.Epoch() {
					before, now = now, s
				}
				if before == nil {
					return s
				}
				return before
			}}
		},
		"a payer as the payment before saw it": func() *storetest.Faulty {
			var mu sync.Mutex
			seen := map[string]bool{}
			return &storetest.Faulty{OnFacts: func(facts []payment.Facts) {
				mu.Lock()
				defer mu.Unlock()
				for i := range facts {
					if a := facts[i].Account; a != nil {
						was, known := seen[string(a.ID)]
						if seen[string(a.ID)] = a.Settings.PinFree; known {
							a.Settings.PinFree = was
						}
					}
				}
			}}
		},
	}
	for name, fault := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := linearSite(t, "sqlite", func(l payment.Ledger) payment.Ledger {
				f := fault()
				f.Ledger = l
				return f
			})
			ask := func(ctx context.Context, o op) (reply, bool) { return s.do(ctx, o), true }
			for seed := range uint64(20) {
				if got, _ := record(t, []asker{ask}, seed).check(); got == porcupine.Illegal {
					return
				}
			}
			t.Error("a broken ledger passed")
		})
	}
}

func linearSite(t *testing.T, engine string, wrap func(payment.Ledger) payment.Ledger) *site {
	t.Helper()
	given := setupOf(t, engine)
	s, err := newSite(context.WithoutCancel(t.Context()), open(t, given.DSN), given, wrap)
	if err == nil {
		t.Cleanup(s.Payments.Stop)
		err = s.populate(t.Context(), linearPeople)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkHistories(t *testing.T, askers []asker, n int) {
	t.Helper()
	for seed := range uint64(n) {
		h := record(t, askers, seed)
		result, draw := h.check()
		if seed == 0 {
			t.Log(h.counted())
		}
		if result == porcupine.Ok {
			continue
		}
		file := filepath.Join(t.ArtifactDir(), fmt.Sprintf("history-%d.html", seed))
		if err := draw(file); err != nil {
			t.Error(err)
		}
		t.Fatalf("seed %d: %v, see %s: %s", seed, result, file, h.counted())
	}
}

const (
	linearPeople   = 3
	linearPayers   = 4
	switchClients  = 3
	paymentsEach   = 40
	switchesEach   = 10
	freezeRounds   = 2                // even: the first password is back at the end
	freezingPerson = linearPeople - 1 // of one client's, who knows the password
)

// recorder keeps what clients did, with the times of request and answer.
type recorder struct {
	t     *testing.T
	begin time.Time
	mu    sync.Mutex
	got   history
}

// acts are the operations that throw or meet a switch, as a history has them.
var acts = map[string]Kind{"pay": Pay, "payer off": PayerOff, "payer on": PayerOn, "agreement off": AgreementOff, "agreement on": AgreementOn,
	"policy off": PolicyOff, "policy on": PolicyOn, "stop": StopPlaced, "lift stop": StopLifted, "lose": LossReported, "lift loss": LossLifted,
	"hold": HoldPlaced, "lift hold": HoldLifted}

// run asks and records. What did not happen is left out: it changed nothing.
func (r *recorder) run(client int, ask asker, o op) reply {
	call := time.Since(r.begin)
	got, answered := ask(r.t.Context(), o)
	end := time.Since(r.begin)
	if !answered || got.Err != "" {
		r.t.Errorf("%+v: %s, answered %v", o, got.Err, answered)
	}
	if kind, known := acts[o.Kind]; got.Done && known {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got.add(client, Act{Kind: kind, Person: o.Person, Scope: o.Scope, Bare: o.Bare}, got.PinFree, call, end)
	}
	return got
}

// record runs clients at once. At its end everything is on again.
func record(t *testing.T, askers []asker, seed uint64) *history {
	t.Helper()
	r := &recorder{t: t, begin: time.Now()}
	var wg sync.WaitGroup
	for c := range linearPayers {
		rnd, ask := rand.New(rand.NewPCG(seed, uint64(c))), askers[c%len(askers)]
		wg.Go(func() {
			for i := range paymentsEach {
				r.run(c, ask, op{Kind: "pay", Person: rnd.IntN(linearPeople), Bare: rnd.IntN(3) == 0, Minor: 1,
					Order: fmt.Sprintf("l%d-%d-%d", seed, c, i)})
			}
		})
	}
	for c := range switchClients {
		// Switches are thrown on the one node and payments asked for on the other.
		rnd, ask := rand.New(rand.NewPCG(seed, uint64(100+c))), askers[(c+1)%len(askers)]
		wg.Go(func() {
			for range switchesEach {
				r.throw(linearPayers+c, ask, rnd)
			}
		})
	}
	wg.Go(func() { r.freeze(linearPayers+switchClients, askers[len(askers)-1]) })
	wg.Wait()
	for i := range scopesMax { // an opening that was overtaken may have left a policy off
		for !r.run(0, askers[0], op{Kind: "policy on", Scope: i}).Done {
		}
	}
	return &r.got
}

// throw switches something off and on again.
func (r *recorder) throw(client int, ask asker, rnd *rand.Rand) {
	o := op{Person: rnd.IntN(freezingPerson), Scope: rnd.IntN(scopesMax)}
	run := func(kind string) reply {
		o.Kind = kind
		return r.run(client, ask, o)
	}
	switch rnd.IntN(5) {
	case 0:
		run("payer off")
		run("payer on")
	case 1:
		run("agreement off")
		run("agreement on")
	case 2:
		run("policy off")
		run("policy on")
	case 3:
		run("hold")
		run("lift hold")
	default:
		o.Stop = run("stop").Stop
		run("lift stop")
	}
}

// freeze reports a loss and lifts it, with a new password each time.
func (r *recorder) freeze(client int, ask asker) {
	password := storetest.PaymentPassword
	for range freezeRounds {
		o := op{Person: freezingPerson, Password: password}
		for _, o.Kind = range []string{"lose", "new password", "lift loss", "payer on"} {
			r.run(client, ask, o)
			if o.Kind == "new password" {
				o.Password = otherPassword(password)
			}
		}
		password = o.Password
	}
}
