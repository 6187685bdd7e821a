package evidence_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/evidence/witnesstest"
)

// witnessed is a log with witnesses.
type witnessed struct {
	*evidence.Log
	more func()
	at   []evidence.WitnessAt
}

func newWitnessed(t *testing.T, list ...*witnesstest.Witness) *witnessed {
	t.Helper()
	return newWitnessedOf(t, 1, list...)
}

func newWitnessedOf(t *testing.T, version int, list ...*witnesstest.Witness) *witnessed {
	t.Helper()
	l, more := evidence.LogOfTest(t, version)
	w := &witnessed{Log: l, more: more}
	more()
	for _, wit := range list {
		keys, err := l.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wit.Know(t, keys[0].Public)
		at, err := evidence.ParseWitnessAt(wit.Key + "=" + wit.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		w.at = append(w.at, at)
	}
	if err := l.SetWitnesses(w.at); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *witnessed) ask(t *testing.T, i int) (int64, error) {
	t.Helper()
	return w.AskWitness(t.Context(), http.DefaultClient, w.at[i], time.Second)
}

// The receipt of an entry bears the cosignatures of the checkpoint that most
// witnesses have seen, and those of it who believe both demand both.
func TestWitnessesCosign(t *testing.T) {
	t.Parallel()
	a, b := witnesstest.Start(t, "witness.example/a", 1), witnesstest.Start(t, "witness.example/b", 2)
	l := newWitnessed(t, a, b)
	if r, err := l.Receipt(t.Context(), "en1"); err != nil || len(r.WitnessKeys) != 0 {
		t.Fatalf("before anybody was asked: %+v, %v", r, err)
	}
	if _, _, err := l.CosignedCheckpoint(t.Context()); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("a cosigned checkpoint that there is none of: %v", err)
	}
	sizes := map[int]int64{}
	for i := range 2 {
		n, err := l.ask(t, i)
		if sizes[i] = n; err != nil || n == 0 {
			t.Fatalf("witness %d: %d, %v", i, n, err)
		}
	}
	l.more()
	if n, err := l.ask(t, 0); err != nil || n <= sizes[0] {
		t.Fatalf("a log that has grown: %d, %v", n, err)
	}
	if n, err := l.ask(t, 0); err != nil || n != 0 {
		t.Errorf("a log that has not grown was asked about: %d, %v", n, err)
	}
	// b stays behind: of the former size nobody has both cosignatures any more.
	both := evidence.Trust{Log: logKeys(t, l.Log), Witnesses: []*evidence.Witness{l.at[0].Witness, l.at[1].Witness}, Quorum: 2}
	r, err := l.Receipt(t.Context(), "en1")
	if err != nil || len(r.WitnessKeys) != 1 {
		t.Fatalf("one cosignature each of two sizes: %v, %v", r.WitnessKeys, err)
	}
	if _, err := r.Verify(both); err == nil {
		t.Error("one witness passed for two")
	}
	if n, err := l.ask(t, 1); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if r, err = l.Receipt(t.Context(), "en1"); err != nil {
		t.Fatal(err)
	}
	p, err := r.Verify(both)
	if err != nil || len(p.Cosigned) != 2 || !p.Cosigned[0].Believed || !p.Cosigned[1].Believed {
		t.Errorf("cosigned = %+v, %v", p.Cosigned, err)
	}
	got, err := l.Check(t.Context(), evidence.Check{})
	if err != nil || got.Fault != nil || len(got.Cosigned) != 2 {
		t.Errorf("the check says %+v, %v", got, err)
	}
	// What is newer than every cosignature has a receipt all the same.
	l.more()
	s, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newest := evidence.NewestOfTest(t, l.Log, s.Size)
	if r, err := l.Receipt(t.Context(), newest); err != nil || len(r.WitnessKeys) != 0 {
		t.Errorf("the newest entry: %v, %v", r, err)
	}
}

// A witness that has another memory than the log is asked with what it has; one
// that has seen more than the log is an alarm.
func TestWitnessMemory(t *testing.T) {
	t.Parallel()
	w := witnesstest.Start(t, "witness.example/a", 1)
	l := newWitnessed(t, w)
	ask := func() (int64, error) { return l.ask(t, 0) }
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
	w.Forget()
	l.more()
	if n, err := ask(); err != nil || n != w.Size() {
		t.Errorf("a witness that begins anew: %d, %v", n, err)
	}
	older := newWitnessed(t, w) // the same log, shorter, which remembers nothing
	if _, err := older.ask(t, 0); !errors.Is(err, evidence.ErrWitnessAhead) {
		t.Errorf("a log that was set back: %v", err)
	}
}

// Whatever a witness answers, nothing is kept but its cosignature of this
// checkpoint.
func TestWitnessFaults(t *testing.T) {
	t.Parallel()
	w, other := witnesstest.Start(t, "witness.example/a", 1), witnesstest.Start(t, "witness.example/b", 2)
	l := newWitnessed(t, w, other)
	twin := witnesstest.Start(t, "witness.example/a", 1) // with the same key
	newWitnessed(t, twin)
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"nothing", text(200, "", ""), "does not end with a line"},
		{"something else", text(200, "", "hello\n"), "no cosignature"},
		{"a line that is cut", text(200, "", "— witness.example/a AAAA"), "does not end with a line"},
		{"the log's own signature", func(rw http.ResponseWriter, r *http.Request) {
			n, _ := l.Newest(context.Background())
			_, _ = rw.Write([]byte(n.Note[strings.Index(n.Note, "—"):]))
		}, "no cosignature"},
		{"another witness's", func(rw http.ResponseWriter, r *http.Request) { other.ServeHTTP(rw, r) }, "no cosignature"},
		{"without end", func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(strings.Repeat("— a b\n", 1<<16)))
		}, "no cosignature|not end"},
		{"behind more lines than are looked at", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = rw.Write([]byte(strings.Repeat("— a b\n", 16)))
			twin.ServeHTTP(rw, r)
		}, "no cosignature"},
		{"no size", text(409, "text/x.tlog.size", "many\n"), "no other size"},
		{"the same size", text(409, "text/x.tlog.size", "0\n"), "no other size"},
		{"a larger size", text(409, "text/x.tlog.size", "99\n"), "longer log"},
		{"one size after the other", func() http.HandlerFunc {
			n := 0
			return func(rw http.ResponseWriter, r *http.Request) {
				n++
				text(409, "text/x.tlog.size", string(rune('0'+n))+"\n")(rw, r)
			}
		}(), "one size after the other"},
		{"a log that it does not know", text(404, "", ""), "mianmi evidence keys"},
		{"no proof", text(422, "", ""), "does not continue"},
		{"a fault", text(500, "", ""), "status 500"},
	} {
		w.Fault(tt.answer)
		n, err := l.ask(t, 0)
		if n != 0 || err == nil || !containsOne(err.Error(), tt.want) {
			t.Errorf("%s: %d, %v; want %q", tt.name, n, err, tt.want)
		}
	}
	if list, err := l.Cosigned(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("kept %+v, %v", list, err)
	}
	w.Fault(nil)
	if _, err := l.ask(t, 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func containsOne(s, words string) bool {
	for w := range strings.SplitSeq(words, "|") {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// What is stored of a witness and does not hold is found by the check, and no
// receipt is made with it.
func TestWitnessStoredFault(t *testing.T) {
	t.Parallel()
	w := witnesstest.Start(t, "witness.example/a", 1)
	for name, spoil := range map[string]func(*evidence.StoredCosigned){
		"the line":       func(c *evidence.StoredCosigned) { c.Line = strings.Replace(c.Line, "A", "B", 1) },
		"the size":       func(c *evidence.StoredCosigned) { c.Size-- },
		"the checkpoint": func(c *evidence.StoredCosigned) { c.Note = strings.Replace(c.Note, "log.example", "log.exampie", 1) },
		"no line":        func(c *evidence.StoredCosigned) { c.Line = "" },
		"the key":        func(c *evidence.StoredCosigned) { c.Key = "x" },
	} {
		w.Forget()
		l := newWitnessed(t, w)
		if _, err := l.ask(t, 0); err != nil {
			t.Fatal(err)
		}
		evidence.SpoilOfTest(t, l.Log, spoil)
		got, err := l.Check(t.Context(), evidence.Check{})
		if err != nil || got.Fault == nil || got.Fault.Kind != evidence.FaultCosigned {
			t.Errorf("%s: the check says %+v, %v", name, got.Fault, err)
		}
		if r, err := l.Receipt(t.Context(), "en1"); err != nil || len(r.WitnessKeys) != 0 {
			t.Errorf("%s: a receipt with %v, %v", name, r.WitnessKeys, err)
		}
	}
}

// What a witness has cosigned of a part of the log that is lost, and a node that
// had asked before has kept, spoils no receipt of the log that goes on.
func TestWitnessOfALostPart(t *testing.T) {
	t.Parallel()
	w := witnesstest.Start(t, "witness.example/a", 1)
	lost := newWitnessedOf(t, 2, w)
	if _, err := lost.ask(t, 0); err != nil {
		t.Fatal(err)
	}
	kept, err := lost.Cosigned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := newWitnessed(t, witnesstest.Start(t, "witness.example/a", 1))
	if _, err := l.ask(t, 0); err != nil {
		t.Fatal(err)
	}
	evidence.SpoilOfTest(t, l.Log, func(c *evidence.StoredCosigned) { *c = kept[0] })
	if r, err := l.Receipt(t.Context(), "en1"); err != nil || len(r.WitnessKeys) != 0 {
		t.Errorf("a receipt: %+v, %v", r, err)
	}
	if _, _, err := l.CosignedCheckpoint(t.Context()); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("the cosigned checkpoint: %v", err)
	}
	if got, err := l.Check(t.Context(), evidence.Check{}); err != nil || got.Fault == nil || got.Fault.Kind != evidence.FaultAgainst {
		t.Errorf("the check says %+v, %v", got.Fault, err)
	}
}

// The log grows and another node has it cosigned while this one is about to ask,
// or while it is checked: neither is an alarm.
func TestWitnessMeanwhile(t *testing.T) {
	t.Parallel()
	l := newWitnessed(t, witnesstest.Start(t, "witness.example/a", 1))
	meanwhile := func() {
		l.more()
		if _, err := l.ask(t, 0); err != nil {
			t.Error(err)
		}
	}
	evidence.MeanwhileOfTest(t, l.Log, meanwhile)
	if n, err := l.ask(t, 0); n != 0 || err != nil {
		t.Errorf("asked: %d, %v", n, err)
	}
	evidence.MeanwhileOfTest(t, l.Log, meanwhile)
	if got, err := l.Check(t.Context(), evidence.Check{}); err != nil || got.Fault != nil {
		t.Errorf("the check says %+v, %v", got.Fault, err)
	}
}

func TestParseWitnessAt(t *testing.T) {
	t.Parallel()
	w := witnesstest.Start(t, "witness.example/a", 1)
	for _, text := range []string{"", w.Key, w.Key + "=", w.Key + "=ftp://x", "x=https://w.example", w.Key + "=https://", w.Key + "=https://u:p@w.example",
		w.Key + "=https://w.example?x=1", "log.example+c9f9bc70+AbUS7f3bGyzH8oO4MSOAdHNPXrE6q5L0lFWtP2FDPrHK=https://w.example"} {
		_, err := evidence.ParseWitnessAt(text)
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != "witness" {
			t.Errorf("%q: %v", text, err)
		}
	}
	at, err := evidence.ParseWitnessAt(w.Key + "=https://w.example/path/")
	if err != nil || at.URL != "https://w.example/path" || at.Public() != w.Key {
		t.Errorf("%+v, %v", at, err)
	}
	l := newWitnessed(t)
	if err := l.SetWitnesses([]evidence.WitnessAt{at, at}); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("the same one twice: %v", err)
	}
}

func logKeys(t *testing.T, l *evidence.Log) []note.Verifier {
	t.Helper()
	keys, err := l.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, err := evidence.ParseKey(keys[0].Public)
	if err != nil {
		t.Fatal(err)
	}
	return []note.Verifier{v}
}
