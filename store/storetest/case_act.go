package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	cases "github.com/mianmi/mianmi/support/desk"
)

// What is not protection needs the actor's own check, passed, and not long ago.
func caseActs(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.agent, cases.NewCase{Kind: cases.Help, Payer: w.p.ID, Text: "来电：忘记支付密码"}))(t)
	reset := cases.Do{Act: cases.ResetPassword}
	check := func(agent mianmi.Actor, passed bool) {
		t.Helper()
		must(w.a.Verify(ctx, agent, o.ID, cases.NewCheck{Method: "call_back", Asked: []string{"last_payment", "name"}, Passed: passed}))(t)
	}
	_, err := w.a.Do(ctx, w.agent, o.ID, reset)
	wantCode(t, err, "identity_unchecked")
	check(w.agent2, true)
	_, err = w.a.Do(ctx, w.agent, o.ID, reset)
	wantCode(t, err, "identity_unchecked") // somebody else's
	check(w.agent, true)
	check(w.agent, false)
	_, err = w.a.Do(ctx, w.agent, o.ID, reset)
	wantCode(t, err, "identity_unchecked") // the newest counts
	check(w.agent, true)
	d := must(w.b.Do(ctx, w.agent, o.ID, reset))(t)
	if d.Reset == nil || d.Reset.Code == "" {
		t.Fatal("no code")
	}
	w.clock.Add(cases.CheckLife)
	_, err = w.a.Do(ctx, w.agent, o.ID, cases.Do{Act: cases.Unlock})
	wantCode(t, err, "identity_unchecked") // too long ago
	must(w.a.Do(ctx, w.agent, o.ID, cases.Do{Act: cases.CloseAll}))(t)
	if st := must(w.node.Payers.Show(ctx, Support, w.p.ID))(t).Status; st.State != payer.Closed {
		t.Errorf("closed for the payer: %s", st.State)
	}
	_, err = w.a.Do(ctx, w.agent, o.ID, cases.Do{Act: "pay"})
	wantField(t, err, "act")
	_, err = w.a.Do(ctx, w.agent, o.ID, cases.Do{Act: cases.CloseAgreement})
	wantField(t, err, "agreement")
	// The payer's own record names the ground, as a digest of the case's number.
	found := 0
	for _, e := range must(w.node.Payers.History(ctx, Support, w.p.ID, payer.EntryQuery{Limit: 50}))(t) {
		r := must(payer.ReadRecord(e))(t)
		if r.Basis != nil && r.Basis.RefDigest != "" && e.Actor == w.agent.String() {
			found++
		}
		if strings.Contains(string(e.Body), o.Number) {
			t.Errorf("%s holds the case's number", e.Type)
		}
	}
	if found != 2 {
		t.Errorf("%d entries of the payer name their ground, want 2", found)
	}
}

// Protection comes first: no check, and no payment passes PIN-free after it.
func caseLoss(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.agent, cases.NewCase{Kind: cases.Loss, Payer: w.p.ID, Text: "手机被偷"}))(t)
	if o.Queue != cases.RiskDesk {
		t.Errorf("in the queue %s", o.Queue)
	}
	must(w.b.Do(ctx, w.agent, o.ID, cases.Do{Act: cases.ReportLoss}))(t)
	p := must(w.node.Payments.Authorize(ctx, w.shop.Manager, w.p.Tap(w.shop.Terminal, "L1", 12_00)))(t)
	if p.State != payment.StepUpRequired {
		t.Errorf("after the report: %s", p.State)
	}
	again := must(w.b.Open(ctx, w.p.Actor(), cases.NewCase{Kind: cases.Loss, Text: "我的手机丢了"}))(t)
	if again.ID != o.ID || !again.Known {
		t.Error("a second case about one loss")
	}
	_, err := w.a.Do(ctx, w.agent, o.ID, cases.Do{Act: cases.LiftLoss})
	wantCode(t, err, "identity_unchecked")
}

// A merchant that reports a payment whose payer has done so is brought into that
// case, and reads nothing that was not written for it. A case that is over it does
// not open again, and to a case about several merchants it is not led.
func caseOfMerchant(t *testing.T, w *caseWorld) {
	ctx, paid := t.Context(), w.pay(t, w.p)
	report := fraud(paid)
	own := must(w.a.Open(ctx, w.p.Actor(), report))(t)
	report.Text = "顾客说不是他付的"
	seen := must(w.b.Open(ctx, w.admin(), report))(t)
	if seen.ID != own.ID || !seen.Known || len(seen.Notes) != 1 || seen.Notes[0].Text != report.Text || seen.Payer != "" {
		t.Errorf("the merchant is led to %+v", seen)
	}
	if mine := must(w.a.Case(ctx, w.p.Actor(), own.ID))(t); len(mine.Notes) != 1 || mine.Notes[0].Text == report.Text {
		t.Errorf("the payer reads %+v", mine.Notes)
	}
	v := must(w.a.Case(ctx, w.p.Actor(), own.ID))(t)
	must(w.a.Move(ctx, w.p.Actor(), own.ID, cases.Move{To: cases.Closed, Version: v.Version}))(t)
	if other := must(w.b.Open(ctx, w.admin(), report))(t); other.ID == own.ID || other.Known {
		t.Error("the merchant opened the payer's case again")
	}
	shop := must(w.node.NewShop(ctx, merchant.Facts{}))(t)
	there := must(w.node.Payments.Authorize(ctx, shop.Manager, w.q.Tap(shop.Terminal, "M1", 5_00)))(t)
	both := fraud(w.pay(t, w.q))
	both.Links = append(both.Links, cases.NewLink{Kind: cases.ToPayment, Ref: string(there.ID)})
	several := must(w.a.Open(ctx, w.q.Actor(), both))(t)
	report.Links = both.Links[:1]
	if alone := must(w.b.Open(ctx, w.admin(), report))(t); alone.ID == several.ID {
		t.Error("the merchant was led to a case about several")
	}
}

// What people write is in no entry, and not in what is printed.
func caseWords(t *testing.T, w *caseWorld) {
	const mark = "只有这里"
	ctx, paid := t.Context(), w.pay(t, w.p)
	n := fraud(paid)
	n.Text = mark
	o := must(w.a.Open(ctx, w.p.Actor(), n))(t)
	v := must(w.a.Write(ctx, Support, o.ID, cases.NewNote{Key: "1", Audience: cases.Inside, Text: mark}))(t)
	v = must(w.a.Move(ctx, Support, o.ID, cases.Move{To: cases.InProgress, Why: mark, Version: v.Version}))(t)
	v = must(w.a.Decide(ctx, Support, o.ID, cases.Decision{Verdict: cases.Rejected, Text: mark, Version: v.Version}))(t)
	for _, e := range w.entries(t, o.ID) {
		if strings.Contains(string(e.Body), mark) || strings.Contains(string(e.Body), o.Number) {
			t.Errorf("%s says %s", e.Type, e.Body)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(text, mark) {
		t.Errorf("printed: %s", text)
	}
	if len(v.Notes) != 4 {
		t.Errorf("%d notes", len(v.Notes))
	}
}

func caseFound(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	one, other := w.pay(t, w.p), w.pay(t, w.q)
	first := must(w.a.Open(ctx, w.p.Actor(), fraud(one)))(t)
	w.clock.Add(time.Hour)
	second := must(w.a.Open(ctx, w.q.Actor(), cases.NewCase{Kind: cases.Feedback, Category: cases.SmallPinFree, Text: "希望默认关闭"}))(t)
	evening := w.clock.Now()
	w.clock.Add(time.Second)
	third := must(w.a.Open(ctx, w.q.Actor(), fraud(other)))(t)
	must(w.a.Assign(ctx, w.agent, third.ID, cases.Assignment{Assignee: mianmi.StaffID(w.agent.ID), Version: third.Version}))(t)
	v := must(w.a.Move(ctx, w.q.Actor(), second.ID, cases.Move{To: cases.Closed, Version: second.Version}))(t)
	if v.Verdict != cases.Withdrawn {
		t.Errorf("taken back: %s", v.Verdict)
	}
	link := func(id mianmi.PaymentID) cases.NewLink {
		return cases.NewLink{Kind: cases.ToPayment, Ref: string(id)}
	}
	for name, tt := range map[string]struct {
		actor mianmi.Actor
		q     cases.Query
		want  []mianmi.CaseID
	}{
		"all, newest first":    {Support, cases.Query{}, []mianmi.CaseID{third.ID, second.ID, first.ID}},
		"a page":               {Support, cases.Query{Limit: 1, Before: third.ID}, []mianmi.CaseID{second.ID}},
		"open":                 {Support, cases.Query{Open: true}, []mianmi.CaseID{third.ID, first.ID}},
		"of a kind":            {Support, cases.Query{Kind: cases.Feedback}, []mianmi.CaseID{second.ID}},
		"in a state":           {Support, cases.Query{State: cases.Closed}, []mianmi.CaseID{second.ID}},
		"in a queue":           {Support, cases.Query{Queue: cases.RiskDesk, Open: true}, []mianmi.CaseID{third.ID, first.ID}},
		"mine":                 {Support, cases.Query{Assignee: mianmi.StaffID(w.agent.ID), Open: true}, []mianmi.CaseID{third.ID}},
		"nobody's":             {Support, cases.Query{Nobody: true, Open: true}, []mianmi.CaseID{first.ID}},
		"of a payer":           {Support, cases.Query{Payer: w.p.ID}, []mianmi.CaseID{first.ID}},
		"about a payment":      {Support, cases.Query{Link: link(other.ID)}, []mianmi.CaseID{third.ID}},
		"since":                {Support, cases.Query{Since: evening}, []mianmi.CaseID{third.ID, second.ID}},
		"until":                {Support, cases.Query{Until: evening}, []mianmi.CaseID{first.ID}},
		"a payer's own":        {w.q.Actor(), cases.Query{Payer: w.p.ID}, []mianmi.CaseID{third.ID, second.ID}},
		"a merchant's: shared": {w.admin(), cases.Query{}, nil},
	} {
		var got []mianmi.CaseID
		for _, c := range must(w.b.Cases(ctx, tt.actor, tt.q))(t) {
			got = append(got, c.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	spoken := strings.ToLower(first.Number[:4] + "-" + first.Number[4:])
	if v := must(w.a.CaseByNumber(ctx, Support, spoken))(t); v.ID != first.ID {
		t.Errorf("by number: %s", v.ID)
	}
	if _, err := w.a.CaseByNumber(ctx, w.q.Actor(), first.Number); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("somebody else's, by number: %v", err)
	}
	_, err := w.a.CaseByNumber(ctx, Support, "O1")
	wantField(t, err, "number")
}

func caseInput(t *testing.T, w *caseWorld) {
	ctx, paid := t.Context(), w.pay(t, w.p)
	strange := fraud(paid)
	strange.Links = append(strange.Links, cases.NewLink{Kind: cases.ToPayment, Ref: string(w.pay(t, w.q).ID)})
	for name, tt := range map[string]struct {
		actor mianmi.Actor
		n     cases.NewCase
		field string
	}{
		"no kind":             {w.p.Actor(), cases.NewCase{Text: "x"}, "kind"},
		"no words":            {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: " "}, "text"},
		"too many words":      {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: strings.Repeat("长", 2001)}, "text"},
		"a card number":       {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: "我的卡 4111 1111 1111 1111"}, "text"},
		"a category":          {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: "x", Category: "A b"}, "category"},
		"a link to nothing":   {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: "x", Links: []cases.NewLink{{Kind: cases.ToPayment, Ref: "pm1"}}}, "links"},
		"another's payment":   {w.q.Actor(), fraud(paid), "links"},
		"two payers":          {Support, strange, "links"},
		"a wrong link":        {Support, cases.NewCase{Kind: cases.Help, Text: "x", Links: []cases.NewLink{{Kind: cases.ToTerminal, Ref: "pm1"}}}, "links[0].ref"},
		"no such payer":       {Support, cases.NewCase{Kind: cases.Help, Text: "x", Payer: "py00000000000000000000000000"}, "payer"},
		"a merchant's guess":  {w.admin(), cases.NewCase{Kind: cases.Help, Text: "x", Payer: w.p.ID}, "payer"},
		"for somebody else":   {w.p.Actor(), cases.NewCase{Kind: cases.Help, Text: "x", Payer: w.q.ID}, ""},
		"a merchant's of all": {w.admin(), cases.NewCase{Kind: cases.Help, Text: "x"}, ""},
	} {
		_, err := w.a.Open(ctx, tt.actor, tt.n)
		if tt.field != "" {
			t.Log(name)
			wantField(t, err, tt.field)
		} else if mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list := must(w.a.Cases(ctx, Support, cases.Query{}))(t); len(list) != 0 {
		t.Errorf("%d cases were written", len(list))
	}
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(paid)))(t)
	_, err := w.a.Decide(ctx, Support, o.ID, cases.Decision{Verdict: cases.Rejected, Award: money.Of(1, "CNY"), Text: "x", Version: 1})
	wantField(t, err, "award")
	_, err = w.a.Assign(ctx, Support, o.ID, cases.Assignment{Assignee: "sf00000000000000000000000000", Version: 1})
	wantField(t, err, "assignee")
	_, err = w.a.Verify(ctx, w.agent, o.ID, cases.NewCheck{Method: "risk_case", Asked: []string{"name"}})
	wantField(t, err, "method")
	_, err = w.a.Verify(ctx, w.agent, o.ID, cases.NewCheck{Method: "call_back", Asked: []string{"张三"}})
	wantField(t, err, "asked")
	if got := w.told(t, o.ID); len(got) != 1 {
		t.Errorf("written: %q", got)
	}
}

func caseFlood(t *testing.T, w *caseWorld) {
	help := cases.NewCase{Kind: cases.Help, Text: "请问"}
	for range 20 {
		must(w.a.Open(t.Context(), w.p.Actor(), help))(t)
	}
	_, err := w.a.Open(t.Context(), w.p.Actor(), help)
	wantCode(t, err, "too_many_cases")
	must(w.a.Open(t.Context(), Support, cases.NewCase{Kind: cases.Help, Payer: w.p.ID, Text: "来电"}))(t)
	w.clock.Add(25 * time.Hour)
	must(w.a.Open(t.Context(), w.p.Actor(), help))(t)
}
