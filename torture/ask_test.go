package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/api/client"
)

// fakeStage asks one server that answers as the handler does.
func fakeStage(t *testing.T, h http.HandlerFunc) *stage {
	t.Helper()
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	api, err := client.New(front.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{cmd: &exec.Cmd{}, api: api} // a process that is well
	return &stage{nodes: []*node{n}, begun: time.Now(), ctx: t.Context(), verdict: &verdict{}, tally: &tally{},
		bounds: usualBounds}
}

func problem(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q}`, status, code)
	}
}

// Answers that no caller can use are breaches, and those that are clear are not.
func TestAskJudgesAnswers(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		broken []Promise
		bounds bounds // none: those of a run, so that a slow machine is no fault
	}{
		{"an answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, nil, bounds{}},
		{"a refusal", problem(http.StatusConflict, "order_conflict"), nil, bounds{}},
		{"a fault of ours", problem(http.StatusInternalServerError, "internal"), []Promise{Answers}, bounds{}},
		{"a page of a stranger", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, []Promise{Answers}, bounds{}},
		{"a key that is lost", problem(http.StatusUnauthorized, "bearer_invalid"), []Promise{Answers}, bounds{}},
		{"a connection that ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []Promise{Answers}, bounds{}},
		{"an answer that is late", func(w http.ResponseWriter, r *http.Request) {
			t := time.NewTimer(300 * time.Millisecond)
			defer t.Stop()
			<-t.C
			w.WriteHeader(http.StatusNoContent)
		}, []Promise{Answers}, bounds{answer: 100 * time.Millisecond, attempt: time.Minute, comeBack: time.Minute}},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, []Promise{Answers}, bounds{answer: 100 * time.Millisecond, attempt: 300 * time.Millisecond, comeBack: time.Minute}},
		{"a service that never comes back", problem(http.StatusServiceUnavailable, "unavailable"), []Promise{Recovers}, bounds{answer: time.Minute, attempt: time.Minute, comeBack: time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fakeStage(t, tt.answer)
			if tt.bounds != (bounds{}) {
				s.bounds = tt.bounds
			}
			_, err := s.ask(t.Context(), rand.New(rand.NewPCG(1, 1)), ask{who: &caller{name: "a test", token: "mk_test"},
				do: func(ctx context.Context, api *client.Client) error { return api.Logout(ctx) }})
			var got []Promise
			for _, b := range s.verdict.breaches {
				got = append(got, b.Promise)
			}
			if len(tt.broken) == 0 && len(got) > 0 || len(tt.broken) > 0 && (len(got) == 0 || got[0] != tt.broken[0]) {
				t.Errorf("breaches %v (%v), want %v; %v", got, s.verdict.breaches, tt.broken, err)
			}
		})
	}
}

// A payment that passed while its switch was certainly off is a breach; one
// that may have been decided before or after is none.
func TestCheckOffs(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		off    off
		pay    span
		breach bool
	}{
		{"within", off{slot{PayerOff, 1}, 10 * ms, 50 * ms}, span{Act{Kind: Pay, Person: 1}, 20 * ms, 30 * ms}, true},
		{"of a switch that is off still", off{slot{PolicyOff, 0}, 10 * ms, 0}, span{Act{Kind: Pay, Person: 1}, 20 * ms, 30 * ms}, true},
		{"begun before the answer", off{slot{PayerOff, 1}, 10 * ms, 50 * ms}, span{Act{Kind: Pay, Person: 1}, 9 * ms, 30 * ms}, false},
		{"ended after the opening began", off{slot{PayerOff, 1}, 10 * ms, 50 * ms}, span{Act{Kind: Pay, Person: 1}, 20 * ms, 51 * ms}, false},
		{"of another person", off{slot{PayerOff, 1}, 10 * ms, 50 * ms}, span{Act{Kind: Pay, Person: 2}, 20 * ms, 30 * ms}, false},
		{"at the other terminal", off{slot{StopPlaced, 5}, 10 * ms, 50 * ms}, span{Act{Kind: Pay, Bare: true}, 20 * ms, 30 * ms}, false},
		{"at this terminal", off{slot{StopPlaced, 5}, 10 * ms, 50 * ms}, span{Act{Kind: Pay}, 20 * ms, 30 * ms}, true},
	} {
		r := &round{stage: &stage{verdict: &verdict{}, offs: []off{tt.off}}, free: []span{tt.pay}}
		r.checkOffs()
		if got := len(r.verdict.breaches) > 0; got != tt.breach {
			t.Errorf("%s: a breach %v, want %v", tt.name, got, tt.breach)
		}
		if left := len(r.offs) > 0; left != (tt.off.to == 0) {
			t.Errorf("%s: the off is kept %v", tt.name, left)
		}
	}
}

// Every promise and every fault has a text in both languages, and the same seed
// draws the same strikes and wishes.
func TestWordsAndSeeds(t *testing.T) {
	t.Parallel()
	for p := range promises {
		if p.Text().ZH == "" || p.Text().EN == "" {
			t.Errorf("promise %d has no words", p)
		}
	}
	for _, f := range AllFaults {
		if f.Text().ZH == "" || f.Text().EN == "" {
			t.Errorf("%s has no words", f)
		}
	}
	draw := func(seed uint64) string {
		s := &stage{cfg: Config{Seed: seed, Faults: AllFaults}, nodes: make([]*node, 3)}
		var b strings.Builder
		for range 40 {
			s.rounds++
			b.WriteString(string(s.draw().fault))
			b.WriteString(drawWish(s.rand(1), "o").method)
		}
		return b.String()
	}
	if first, again := draw(7), draw(7); first != again || first == draw(8) {
		t.Error("the seed does not decide")
	}
}
