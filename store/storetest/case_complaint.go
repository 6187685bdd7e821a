package storetest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/support"
	cases "github.com/mianmi/mianmi/support/desk"
)

// complainedWorld is the two desks with complaints of a channel.
type complainedWorld struct {
	*caseWorld
	there *complaintsThere
	s     *support.Service
}

func newComplainedWorld(t *testing.T, w *caseWorld) *complainedWorld {
	t.Helper()
	c := &complainedWorld{caseWorld: w, there: newComplaintsThere(w.clock.Now)}
	c.there.merchants = []mianmi.MerchantID{w.shop.Merchant}
	c.s = must(support.New(support.Parts{Store: w.node.DB, Payments: w.node.Payments, Keys: must(secret.New(rand.Reader))(t), Clock: w.clock, Random: rand.Reader,
		Log: slog.New(slog.DiscardHandler), Channels: []support.Channel{c.there}}))(t)
	w.a.Complaints, w.b.Complaints = c.s, c.s
	return c
}

// heard has what is at the channel read, and the desk take it up.
func (c *complainedWorld) heard(t *testing.T, numbers ...string) {
	t.Helper()
	for _, n := range numbers {
		if err := c.s.Hint(t.Context(), c.there.key(n)); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, c.s)
	c.take(t, c.a)
}

func (c *complainedWorld) take(t *testing.T, s *cases.Service) {
	t.Helper()
	for must(s.TakeComplaints(t.Context()))(t) > 0 {
	}
}

// of are the cases of complaints, by the complaint's number; each has one.
func (c *complainedWorld) of(t *testing.T) map[string]cases.Whole {
	t.Helper()
	out := map[string]cases.Whole{}
	for _, k := range must(c.a.Cases(t.Context(), Support, cases.Query{}))(t) {
		w := must(c.a.Case(t.Context(), Support, k.ID))(t)
		for _, o := range w.Complaints {
			if _, twice := out[o.Number]; twice {
				t.Errorf("complaint %s is of two cases", o.Number)
			}
			out[o.Number] = w
		}
	}
	return out
}

// writes adds a step of the payer's at the channel.
func (c *complainedWorld) writes(number, step, what, text string) {
	c.there.change(number, func(s *support.Seen) {
		s.Steps = append(s.Steps, support.Step{Number: step, At: c.clock.Now(), By: support.ByPayer, What: what, Text: text})
		s.Flags |= support.Waiting
	})
}

// Two desks take complaints up at once, while they are read again and again: each
// has one case, with its words once.
func complaintsBeside(t *testing.T, w *caseWorld) {
	c := newComplainedWorld(t, w)
	numbers := []string{"c0", "c1", "c2", "c3", "c4", "c5"}
	for _, n := range numbers {
		c.there.complain(n, c.clock.Now().Add(-time.Hour))
	}
	var all sync.WaitGroup
	for _, s := range []*cases.Service{w.a, w.b} {
		all.Go(func() {
			for range 4 {
				for _, n := range numbers {
					if err := c.s.Hint(t.Context(), c.there.key(n)); err != nil {
						t.Error(err)
					}
				}
				if _, err := c.s.Sync(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := s.TakeComplaints(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	c.heard(t)
	list := must(w.b.Cases(t.Context(), Support, cases.Query{}))(t)
	of := c.of(t)
	if len(list) != len(numbers) || len(of) != len(numbers) {
		t.Fatalf("%d cases, %d of complaints", len(list), len(of))
	}
	for n, k := range of {
		if k.Kind != cases.Complaint || k.Category != "refund" || k.Rail != "there" || k.Merchant != w.shop.Merchant || k.Payer != "" || len(k.Notes) != 1 || len(k.Links) != 1 {
			t.Errorf("%s: %+v", n, k)
		}
		if by := c.clock.Now().Add(11 * time.Hour); !k.FirstBy.Equal(by) {
			t.Errorf("%s is to be answered by %v, want %v: the clock runs since the complaint", n, k.FirstBy, by)
		}
		w.told(t, k.ID)
	}
}

// What happens at the channel is in the case, and moves it.
func complaintFollowed(t *testing.T, w *caseWorld) {
	ctx, c := t.Context(), newComplainedWorld(t, w)
	paid := w.pay(t, w.p)
	c.there.complain("c1", c.clock.Now())
	c.there.change("c1", func(s *support.Seen) { s.Payments[0].Payment = paid.ID })
	c.heard(t, "c1")
	// The payment was not made at this channel: nothing says that it is this payer's.
	if k := c.of(t)["c1"]; k.Payer != "" || len(k.Payments()) != 0 {
		t.Errorf("a payment of another channel: %+v", k.Case)
	}
	k := c.of(t)["c1"]
	k = must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.WaitingMerchant, Version: k.Version}))(t)
	c.there.change("c1", func(s *support.Seen) {
		s.State, s.Flags = support.Processing, support.Platform
		s.Steps = append(s.Steps, support.Step{Number: "s2", At: c.clock.Now(), By: support.ByMerchant, What: "MERCHANT_RESPONSE", Text: "正在核实"})
	})
	c.heard(t, "c1")
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; k.State != cases.InProgress || k.AnsweredAt.IsZero() || len(k.Notes) != 3 {
		t.Errorf("the merchant answered: %v, %d notes", k.State, len(k.Notes))
	}
	c.clock.Add(time.Hour)
	c.writes("c1", "s3", "USER_RESPONSE", "还没到账")
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; !k.AnsweredAt.IsZero() || !k.FirstBy.Equal(c.clock.Now().Add(12*time.Hour)) {
		t.Errorf("the payer wrote again: answered %v, due %v", k.AnsweredAt, k.FirstBy)
	}
	c.there.change("c1", func(s *support.Seen) { s.State, s.Flags = support.Processed, 0 })
	c.writes("c1", "s4", "USER_REVOKE_COMPLAINT", "")
	c.there.change("c1", func(s *support.Seen) { s.Flags |= support.Refunded })
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; k.State != cases.Closed || k.Verdict != cases.Withdrawn {
		t.Errorf("taken back: %v %v", k.State, k.Verdict)
	}
	c.writes("c1", "s5", "USER_SUBMIT_SATISFACTION", "5")
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; k.State != cases.Closed {
		t.Errorf("a rating: %v", k.State)
	}
	c.there.change("c1", func(s *support.Seen) { s.State = support.Processing })
	c.writes("c1", "s6", "USER_CONTINUE_COMPLAINT", "又来了")
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; k.State != cases.InProgress || k.Reopened != 1 {
		t.Errorf("gone on with: %v", k.State)
	}
	for _, n := range k.Notes {
		if n.Audience == cases.ForPayer && n.Text == "" {
			t.Errorf("note %d is empty", n.N)
		}
	}
	told := w.told(t, k.ID)
	if told[0] != "opened" || !slices.Contains(told, "complaint") {
		t.Errorf("told of %v", told)
	}
	for _, e := range w.entries(t, k.ID) {
		if text := string(e.Body); strings.Contains(text, "还没") || strings.Contains(text, "扣了") {
			t.Errorf("words in an entry: %s", text)
		}
	}
}

// A complaint about a payment that has a case joins that case; one that was over
// before the desk looked is taken in, and waits for nobody.
func complaintJoins(t *testing.T, w *caseWorld) {
	ctx, c := t.Context(), newComplainedWorld(t, w)
	paid := w.pay(t, w.p)
	k := must(w.a.Open(ctx, w.p.Actor(), fraud(paid)))(t)
	k.Whole = must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.WaitingPayer, Version: k.Version}))(t)
	about := func(key string) support.Complaint {
		return must(c.s.Complain(ctx, w.p.Actor(), w.p.ID, support.NewComplaint{Key: key, Payment: paid.ID, Problem: support.WantsRefund, Text: "扣错了", Asked: money.Of(3_00, "CNY")}))(t)
	}
	made := about("k1")
	c.take(t, w.b)
	got := must(w.a.Case(ctx, Support, k.ID))(t)
	if got.State != cases.InProgress || got.Repeats != 1 || len(got.Complaints) != 1 || got.Complaints[0].ID != made.ID || got.Kind != cases.Fraud {
		t.Errorf("joined: %+v", got.Case)
	}
	if own := must(w.a.Case(ctx, w.p.Actor(), k.ID))(t); len(own.Complaints) != 0 || len(own.Notes) != 2 || own.Notes[1].Actor != w.p.Actor().String() {
		t.Errorf("the payer sees %+v", own.Notes)
	}
	if have, _, err := c.s.Complaint(ctx, Support, made.ID); err != nil || have.Case != k.ID {
		t.Errorf("the complaint names the case %q, %v", have.Case, err)
	}
	// The payer's word ends the complaint, and not a case of fraud.
	must3(c.s.Write(ctx, w.p.Actor(), w.p.ID, made.ID, support.Message{Key: "m1", What: support.Resolves}))(t)
	c.take(t, w.a)
	if got = must(w.a.Case(ctx, Support, k.ID))(t); got.State != cases.InProgress {
		t.Errorf("ended: %v", got.State)
	}
	other := w.pay(t, w.q)
	over := must(c.s.Complain(ctx, w.q.Actor(), w.q.ID, support.NewComplaint{Key: "k2", Payment: other.ID, Problem: support.OtherProblem, Text: "不好用"}))(t)
	must3(c.s.Write(ctx, w.q.Actor(), w.q.ID, over.ID, support.Message{Key: "m1", What: support.Withdraws}))(t)
	w.clock.Add(40 * 24 * time.Hour)
	c.take(t, w.a)
	past := c.of(t)[over.Number]
	if past.State != cases.Closed || past.Verdict != cases.Withdrawn || past.Payer != w.q.ID || len(past.Payments()) != 1 {
		t.Errorf("of what was over: %+v", past.Case)
	}
	if n := must(w.a.Escalate(ctx))(t); n > 1 { // the fraud's own
		t.Errorf("%d deadlines", n)
	}
}

// A desk that is stopped between any two of its steps leaves what the next one ends.
func complaintCut(t *testing.T, w *caseWorld) {
	c := newComplainedWorld(t, w)
	c.there.complain("c1", c.clock.Now())
	if err := c.s.Hint(t.Context(), c.there.key("c1")); err != nil {
		t.Fatal(err)
	}
	drain(t, c.s)
	for after := range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		w.a.Complaints = &cutting{Complaints: c.s, left: after, cut: cancel}
		_, _ = w.a.TakeComplaints(ctx)
		cancel()
		w.clock.Add(2 * time.Minute) // its claim ends
	}
	w.a.Complaints = c.s
	c.take(t, w.a)
	k := c.of(t)["c1"]
	if list := must(w.a.Cases(t.Context(), Support, cases.Query{}))(t); len(list) != 1 || len(k.Notes) != 1 {
		t.Errorf("%d cases, %d notes", len(list), len(k.Notes))
	}
	must(w.a.Write(t.Context(), w.agent, k.ID, cases.NewNote{Key: "n1", Audience: cases.ForPayer, Text: "正在核实"}))(t)
	for after := range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		w.a.Complaints = &cutting{Complaints: c.s, left: after, cut: cancel}
		_, _ = w.a.TakeComplaints(ctx)
		_, _ = c.s.Say(ctx)
		cancel()
		w.clock.Add(2 * time.Minute)
	}
	w.a.Complaints = c.s
	c.settle(t)
	if k = c.of(t)["c1"]; c.there.said("c1") != 1 || len(k.Notes) != 2 {
		t.Errorf("said %d times, %d notes", c.there.said("c1"), len(k.Notes))
	}
	w.told(t, k.ID)
}

// The case of a payer whom nobody knew is kept on whoever complained, and becomes that
// payer's with the next news.
func caseNamed(t *testing.T, w *caseWorld) {
	ctx, c, p := t.Context(), newComplainedWorld(t, w), newPersons(t, w)
	paid := w.pay(t, p.who)
	made := must(c.s.Complain(ctx, p.who.Actor(), p.who.ID, support.NewComplaint{Key: "k1", Payment: paid.ID, Problem: support.OtherProblem, Text: "不好用"}))(t)
	c.take(t, w.a)
	must(w.rows.ExecContext(ctx, `UPDATE support_case SET payer = '' WHERE payer = $1`, string(p.who.ID)))(t)
	if notes := p.export(t, p.who.Actor())["case_notes.json"]; !strings.Contains(notes, "不好用") {
		t.Errorf("what is kept: %s", notes)
	}
	must3(c.s.Write(ctx, p.who.Actor(), p.who.ID, made.ID, support.Message{Key: "m1", What: support.Writes, Text: "还在等"}))(t)
	c.take(t, w.b)
	if k := c.of(t)[made.Number]; k.Payer != p.who.ID || len(k.Notes) != 2 {
		t.Errorf("%+v", k)
	}
}

// cutting ends a context after some questions.
type cutting struct {
	cases.Complaints
	left int
	cut  func()
}

func (q *cutting) ask() {
	if q.left--; q.left < 0 {
		q.cut()
	}
}

func (q *cutting) Complaint(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID) (support.Complaint, []support.Step, error) {
	q.ask()
	return q.Complaints.Complaint(ctx, a, id)
}

func (q *cutting) Answers(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID) ([]support.Answer, error) {
	defer q.ask()
	return q.Complaints.Answers(ctx, a, id)
}

func (q *cutting) Answer(ctx context.Context, a mianmi.Actor, id mianmi.ComplaintID, o support.Order) (support.Answer, error) {
	q.ask()
	defer q.ask()
	return q.Complaints.Answer(ctx, a, id, o)
}

// must3 is must for three results.
func must3[A, B any](a A, _ B, err error) func(*testing.T) A {
	return func(t *testing.T) A {
		t.Helper()
		return must(a, err)(t)
	}
}
