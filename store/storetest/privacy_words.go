package storetest

import (
	"crypto/rand"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/mianmi/mianmi/support"
	cases "github.com/mianmi/mianmi/support/desk"
)

// wordsForgotten: words and files of a case go when it has been over for as long as
// was said, not before, and not while it is open.
func wordsForgotten(t *testing.T, w *caseWorld) {
	p, ctx := newPersons(t, w), t.Context()
	open := func(text string) cases.Whole {
		o := must(w.a.Open(ctx, p.who.Actor(), cases.NewCase{Kind: cases.Feedback, Text: text}))(t)
		return must(w.a.Attach(ctx, p.who.Actor(), o.ID, cases.NewFile{Name: "a.txt", Audience: cases.ForPayer, Content: []byte(text)}))(t)
	}
	const other = "这一件还没有结"
	open(other)
	k := open(privateWords)
	k = must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.InProgress, Version: must(w.a.Case(ctx, w.agent, k.ID))(t).Version}))(t)
	k = must(w.a.Decide(ctx, w.agent, k.ID, cases.Decision{Verdict: cases.Answered, Text: "好", Version: k.Version}))(t)
	must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.Closed, Version: k.Version}))(t)
	forget := func(want int) {
		t.Helper()
		if n := must(w.node.DB.ForgetWords(ctx, w.clock.Now().Add(-24*time.Hour), 10))(t); n != want {
			t.Errorf("%d cases and complaints were found, want %d", n, want)
		}
	}
	cs := must(support.New(support.Parts{Store: w.node.DB, Payments: w.node.Payments, Keys: w.node.Keys, Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}))(t)
	for i, ends := range []bool{true, false} {
		text := []string{privateWords, other}[i]
		c := must(cs.Complain(ctx, p.who.Actor(), p.who.ID, support.NewComplaint{Key: "k" + strconv.Itoa(i), Payment: w.pay(t, p.who).ID, Problem: support.OtherProblem, Text: text}))(t)
		if !ends {
			continue
		}
		if _, _, err := cs.Write(ctx, p.who.Actor(), p.who.ID, c.ID, support.Message{Key: "w", What: support.Withdraws}); err != nil {
			t.Fatal(err)
		}
	}
	forget(0)
	w.clock.Add(25 * time.Hour)
	forget(2)
	forget(0)
	w.sweep(t)
	if at := p.found(t, privateWords); len(at) != 0 || w.kept(t) != 1 || len(p.found(t, other)) < 2 {
		t.Errorf("words are in %v, %d files; those of the open case in %v", at, w.kept(t), p.found(t, other))
	}
	if v := must(w.b.Case(ctx, w.agent, k.ID))(t); v.State != cases.Closed || len(v.Files) != 0 || len(v.Notes) == 0 {
		t.Errorf("what is left of it: %v, %d files, %d notes", v.State, len(v.Files), len(v.Notes))
	}
}
