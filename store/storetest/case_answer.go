package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
	cases "github.com/mianmi/mianmi/support/desk"
)

// settle lets both desks and the channel do what is due, until nothing is.
func (c *complainedWorld) settle(t *testing.T) {
	t.Helper()
	for {
		n, err := c.s.Say(t.Context())
		if err != nil && !strings.Contains(err.Error(), "away") {
			t.Fatal(err)
		}
		n += must(c.s.Sync(t.Context()))(t) + must(c.a.TakeComplaints(t.Context()))(t) + must(c.b.TakeComplaints(t.Context()))(t)
		if n == 0 {
			return
		}
	}
}

// steps are the words for what the channel shows of a complaint after it was made.
func (c *complainedWorld) steps(number string) (out []string) {
	c.there.mu.Lock()
	defer c.there.mu.Unlock()
	for _, s := range c.there.seen[number].Steps[1:] {
		out = append(out, strings.TrimSpace(s.What+" "+s.Text))
	}
	return out
}

func sameLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// complained is a case of a complaint by a payer who is not known here.
func (c *complainedWorld) complained(t *testing.T) cases.Whole {
	t.Helper()
	c.there.complain("c1", c.clock.Now())
	c.heard(t, "c1")
	return c.of(t)["c1"]
}

// What the desk writes for the payer is said at the channel once, though the channel
// does not say that it took it; the decision ends the payer's wish, the end the complaint.
func caseSays(t *testing.T, w *caseWorld) {
	ctx, c := t.Context(), newComplainedWorld(t, w)
	k := c.complained(t)
	_, err := w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "long", Audience: cases.ForPayer, Text: strings.Repeat("长", 201)})
	if mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("%v, want it invalid", err)
	}
	_, err = w.a.Write(ctx, w.shop.Manager, k.ID, cases.NewNote{Key: "mine", Audience: cases.ForPayer, Text: "店里的话"})
	if err == nil {
		t.Error("the shop's manager writes for the payer")
	}
	k = must(w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n1", Audience: cases.ForPayer, Text: "正在核实"}))(t)
	must(w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n2", Audience: cases.Inside, Text: "内部的话"}))(t)
	k = must(w.b.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n3", Audience: cases.ForPayer, Text: "请提供截图"}))(t)
	k = must(w.b.Move(ctx, w.agent, k.ID, cases.Move{To: cases.WaitingPayer, Version: k.Version}))(t)
	c.there.mu.Lock()
	c.there.mute = 1
	c.there.mu.Unlock()
	c.settle(t)
	w.clock.Add(time.Minute)
	c.settle(t)
	sameLines(t, c.steps("c1"), "MERCHANT_RESPONSE 正在核实", "MERCHANT_RESPONSE 请提供截图")
	if k = c.of(t)["c1"]; len(k.Notes) != 4 || k.State != cases.WaitingPayer || k.Complaints[0].Failed+k.Complaints[0].Ordered != 0 {
		t.Errorf("said: %v, %d notes, %+v", k.State, len(k.Notes), k.Complaints)
	}
	c.writes("c1", "p2", "USER_RESPONSE", "见附图")
	c.heard(t, "c1")
	if k = c.of(t)["c1"]; k.State != cases.InProgress {
		t.Errorf("the payer answered: %v", k.State)
	}
	k = must(w.a.Decide(ctx, w.agent, k.ID, cases.Decision{Verdict: cases.Rejected, Text: "已使用，不予退款", Version: k.Version}))(t)
	c.settle(t)
	k = must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.Closed, Version: c.of(t)["c1"].Version}))(t)
	// The payer writes before the channel is told of the end: the case is open again.
	c.writes("c1", "p3", "USER_RESPONSE", "不同意")
	c.settle(t)
	w.clock.Add(time.Minute)
	c.settle(t)
	if k = c.of(t)["c1"]; k.State != cases.InProgress || k.Complaints[0].State == support.Processed {
		t.Errorf("the payer wrote before the end: %v, %v", k.State, k.Complaints[0].State)
	}
	k = must(w.a.Decide(ctx, w.agent, k.ID, cases.Decision{Verdict: cases.Answered, Text: "已解释", Version: k.Version}))(t)
	must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.Closed, Version: k.Version}))(t)
	c.settle(t)
	sameLines(t, c.steps("c1"), "MERCHANT_RESPONSE 正在核实", "MERCHANT_RESPONSE 请提供截图", "USER_RESPONSE 见附图", "MERCHANT_REFUSE_RERUND 已使用，不予退款",
		"USER_RESPONSE 不同意", "MERCHANT_RESPONSE 已解释", "MERCHANT_CONFIRM_COMPLETE")
	if k = c.of(t)["c1"]; k.State != cases.Closed || k.Complaints[0].State != support.Processed {
		t.Errorf("at the end: %v, %v", k.State, k.Complaints[0].State)
	}
	w.told(t, k.ID)
}

// An answer that never gets through is no answer: the clocks go on, the desk is told
// once, and the figures of the doctor have it.
func caseUnsaid(t *testing.T, w *caseWorld) {
	ctx, c := t.Context(), newComplainedWorld(t, w)
	k := c.complained(t)
	k = must(w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n1", Audience: cases.ForPayer, Text: "请提供截图"}))(t)
	must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.WaitingPayer, Version: k.Version}))(t)
	c.there.mu.Lock()
	c.there.deaf = 1000
	c.there.mu.Unlock()
	for range 30 {
		c.settle(t)
		w.clock.Add(time.Hour)
	}
	c.settle(t)
	if k = c.of(t)["c1"]; k.State != cases.InProgress || !k.AnsweredAt.IsZero() || len(k.Notes) != 3 || k.Complaints[0].Failed != 1 || !k.Late(w.clock.Now()) {
		t.Errorf("%v, answered %v, %d notes, %+v", k.State, k.AnsweredAt, len(k.Notes), k.Complaints)
	}
	failed, behind, err := w.node.DB.ComplaintTrouble(ctx, w.clock.Now().AddDate(0, 0, -7), w.clock.Now(), 10)
	if err != nil || failed != 1 || behind != 0 {
		t.Errorf("%d failed, %d behind, %v", failed, behind, err)
	}
	// The end is said nevertheless, and what was written for nobody is refused after it.
	c.there.mu.Lock()
	c.there.deaf = 0
	c.there.mu.Unlock()
	k = must(w.a.Decide(ctx, w.agent, k.ID, cases.Decision{Verdict: cases.Answered, Text: "已处理", Version: k.Version}))(t)
	k = must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.Closed, Version: k.Version}))(t)
	c.settle(t)
	sameLines(t, c.steps("c1"), "MERCHANT_RESPONSE 已处理", "MERCHANT_CONFIRM_COMPLETE")
	must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.InProgress, Version: c.of(t)["c1"].Version}))(t)
	c.settle(t)
	if k = c.of(t)["c1"]; k.State != cases.InProgress {
		t.Errorf("reopened by the desk: %v", k.State)
	}
	_, err = w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n2", Audience: cases.ForPayer, Text: "补充"})
	if mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("%v, want it invalid", err)
	}
}

// Two desks and the channel's worker go at it at once: each thing is said once, the
// refund of the case is given back once and told, and both ends are reached.
func caseSaysBeside(t *testing.T, w *caseWorld) {
	ctx, c := t.Context(), newComplainedWorld(t, w)
	paid := w.pay(t, w.p)
	made := must(c.s.Complain(ctx, w.p.Actor(), w.p.ID, support.NewComplaint{Key: "k1", Payment: paid.ID, Problem: support.WantsRefund, Text: "扣错了", Asked: money.Of(3_00, "CNY")}))(t)
	c.take(t, w.a)
	k := c.of(t)[made.Number]
	k = must(w.a.Write(ctx, w.agent, k.ID, cases.NewNote{Key: "n1", Audience: cases.ForPayer, Text: "马上退"}))(t)
	k = must(w.a.Decide(ctx, w.agent, k.ID, cases.Decision{Verdict: cases.Upheld, Award: money.Of(3_00, "CNY"), Text: "确实多扣", Version: k.Version}))(t)
	must(w.a.Order(ctx, w.agent, k.ID, cases.NewPayout{Key: "p1", Payment: paid.ID, Source: cases.FromMerchant, Amount: money.Of(3_00, "CNY"), Basis: cases.OnFault}))(t)
	must(w.a.Move(ctx, w.agent, k.ID, cases.Move{To: cases.Closed, Version: must(w.a.Case(ctx, w.agent, k.ID))(t).Version}))(t)
	var all sync.WaitGroup
	for _, s := range []*cases.Service{w.a, w.b} {
		all.Go(func() {
			for range 6 {
				if _, err := s.TakeComplaints(ctx); err != nil {
					t.Error(err)
				}
				if _, err := c.s.Say(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	c.settle(t)
	have, steps, err := c.s.PayerComplaint(ctx, w.p.Actor(), w.p.ID, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps[1:] {
		got = append(got, strings.SplitN(s.What+" "+s.Text, "\n", 2)[0])
	}
	slices.Sort(got) // all at one moment
	sameLines(t, got, "MERCHANT_APPROVE_REFUND ", "MERCHANT_CONFIRM_COMPLETE ", "PLATFORM_RESPONSE 已退款 ¥3.00。", "PLATFORM_RESPONSE 确实多扣", "PLATFORM_RESPONSE 马上退")
	if have.State != support.Processed {
		t.Errorf("the complaint is %v", have.State)
	}
	if list := must(w.node.Payments.Refunds(ctx, Operator, paid.ID))(t); len(list) != 1 {
		t.Errorf("%d refunds", len(list))
	}
	if k = c.of(t)[made.Number]; k.State != cases.Closed || k.Verdict != cases.Upheld {
		t.Errorf("%v %v", k.State, k.Verdict)
	}
	w.told(t, k.ID)
}
