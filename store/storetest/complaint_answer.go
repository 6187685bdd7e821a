package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
)

// stored is a complaint that was read.
func (w *complaintWorld) stored(t *testing.T, number string) support.Complaint {
	t.Helper()
	w.there.complain(number, w.clock.Now())
	if err := w.a.Hint(t.Context(), w.there.key(number)); err != nil {
		t.Fatal(err)
	}
	drain(t, w.a)
	return w.all(t)[number]
}

// say says what is due until nothing is.
func say(t *testing.T, s *support.Service) {
	t.Helper()
	for {
		n, err := s.Say(t.Context())
		if err != nil || n == 0 {
			return
		}
	}
}

func (w *complaintWorld) answer(t *testing.T, id mianmi.ComplaintID) support.Answer {
	t.Helper()
	list := must(w.a.Answers(t.Context(), Support, id))(t)
	if len(list) == 0 {
		t.Fatal("there is no answer")
	}
	return list[len(list)-1]
}

func answerCode(err error) string {
	var e *mianmi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Many order the same under one key, and two nodes say it: the payer reads it
// once. Another text under the key is refused, and so is another answer while
// it is on its way.
func answeredOnce(t *testing.T, w *complaintWorld) {
	ctx := t.Context()
	c := w.stored(t, "c")
	o := support.Order{Key: "k1", Kind: support.Reply, Text: "已核实"}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s := []*support.Service{w.a, w.b}[i%2]
			if _, err := s.Answer(ctx, Support, c.ID, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	other := o
	other.Text = "别的"
	if _, err := w.a.Answer(ctx, Support, c.ID, other); answerCode(err) != "answer_conflict" {
		t.Errorf("another text under the key: %v", err)
	}
	other.Key = "k2"
	if _, err := w.a.Answer(ctx, Support, c.ID, other); answerCode(err) != "answer_waiting" {
		t.Errorf("another answer while one is on its way: %v", err)
	}
	for _, s := range []*support.Service{w.a, w.b} {
		all.Go(func() { say(t, s) })
	}
	all.Wait()
	if a := w.answer(t, c.ID); a.State != support.Done || a.Step == "" || w.there.said("c") != 1 {
		t.Errorf("%v is %v by step %q, said %d times", a, a.State, a.Step, w.there.said("c"))
	}
	if got := w.all(t)["c"]; got.State != support.Processing || got.Flags.Has(support.Waiting) {
		t.Errorf("%v %v", got, got.Flags)
	}
	if _, err := w.b.Answer(ctx, Support, c.ID, other); err != nil {
		t.Errorf("the next answer: %v", err)
	}
	for _, actor := range []mianmi.Actor{{Role: mianmi.RoleAuditor, ID: "sf3"}, {Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: "mc2"}} {
		if _, err := w.a.Answer(ctx, actor, c.ID, o); err == nil {
			t.Errorf("%v may answer", actor)
		}
	}
	for name, bad := range map[string]support.Order{"no kind": {Key: "x"}, "no text": {Key: "x", Kind: support.Reply}, "a text too much": {Key: "x", Kind: support.Approve, Text: "x"},
		"a card": {Key: "x", Kind: support.Reply, Text: "4111 1111 1111 1111"}, "no version": {Key: "x", Kind: support.Complete}, "no amount": {Key: "x", Kind: support.Approve, Payment: "pm0"},
		"another's payment": {Key: "x", Kind: support.Approve, Payment: "pm9", Amount: money.Of(1, "CNY")}, "a key": {Key: "a b", Kind: support.Reply, Text: "x"}} {
		if _, err := w.a.Answer(ctx, Support, c.ID, bad); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The channel never gets the answer, or takes it and does not say so, which is
// also what a process leaves that is killed after it has asked.
func answersLost(t *testing.T, w *complaintWorld) {
	for name, lose := range map[string]func(){"never got": func() { w.there.deaf = 2 }, "taken, not said": func() { w.there.mute = 2 }} {
		number := map[string]string{"never got": "deaf", "taken, not said": "mute"}[name]
		c := w.stored(t, number)
		lose()
		must(w.a.Answer(t.Context(), Support, c.ID, support.Order{Key: "k", Kind: support.Refuse, Text: "只扣了一次"}))(t)
		for range 6 {
			say(t, w.a)
			w.clock.Add(time.Minute)
			say(t, w.b)
		}
		if a := w.answer(t, c.ID); a.State != support.Done || w.there.said(number) != 1 {
			t.Errorf("%s: %v, said %d times", name, a.State, w.there.said(number))
		}
	}
}

// A payer who writes between the order and the channel is read first; a version
// that is not the newest, and a complaint that is over, are refused at once.
func completedOverNews(t *testing.T, w *complaintWorld) {
	ctx := t.Context()
	c := w.stored(t, "c")
	must(w.a.Answer(ctx, Support, c.ID, support.Order{Key: "k1", Kind: support.Complete, Version: c.Version}))(t)
	w.there.change("c", func(s *support.Seen) {
		s.Steps = append(s.Steps, support.Step{Number: "s2", At: w.clock.Now(), By: support.ByPayer, What: "USER_RESPONSE", Text: "还没到账"})
	})
	say(t, w.b)
	if a := w.answer(t, c.ID); a.State != support.Failed || a.Fault != "complaint_changed" || w.there.said("c") != 0 {
		t.Errorf("%v %q, said %d times", a.State, a.Fault, w.there.said("c"))
	}
	o := support.Order{Key: "k2", Kind: support.Complete, Version: c.Version}
	if _, err := w.a.Answer(ctx, Support, c.ID, o); answerCode(err) != "complaint_changed" {
		t.Errorf("with the version before: %v", err)
	}
	w.clock.Add(time.Second)
	o.Version = w.all(t)["c"].Version
	must(w.a.Answer(ctx, Support, c.ID, o))(t)
	say(t, w.a)
	if a := w.answer(t, c.ID); a.State != support.Done || w.all(t)["c"].State != support.Processed {
		t.Errorf("%v, the complaint is %v", a.State, w.all(t)["c"])
	}
	if _, err := w.a.Answer(ctx, Support, c.ID, support.Order{Key: "k3", Kind: support.Reply, Text: "好"}); answerCode(err) != "complaint_over" {
		t.Errorf("after its end: %v", err)
	}
	var types []string
	for _, e := range w.entries(t, c.ID) {
		types = append(types, e.Type)
	}
	if len(types) != 7 { // opened, ordered, changed, failed, ordered, changed, done
		t.Errorf("recorded: %v", types)
	}
}

// A day without a clear word is the end of it; the next answer may be ordered.
func answerGivenUp(t *testing.T, w *complaintWorld) {
	c := w.stored(t, "c")
	w.there.deaf = 1 << 20
	must(w.a.Answer(t.Context(), Support, c.ID, support.Order{Key: "k", Kind: support.Reply, Text: "您好"}))(t)
	say(t, w.a)
	w.clock.Add(25 * time.Hour)
	say(t, w.a)
	if a := w.answer(t, c.ID); a.State != support.Failed || a.Fault != "unclear" {
		t.Errorf("%v %q", a.State, a.Fault)
	}
}
