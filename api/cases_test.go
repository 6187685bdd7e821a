package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// A stolen phone, over HTTP: reported by a call, frozen before anybody is asked,
// the payer checked, the payment disputed, decided and closed; each sees the own part.
func TestCaseOfAStolenPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
	agent := w.login(get[client.Enrolment](t)(w.operator.CreateStaff(ctx, client.NewStaff{Login: "agent.one", Name: "客服", Role: mianmi.RoleSupport.String()})))
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
	card := get[client.Instrument](t)(w.operator.AddInstrument(ctx, p.ID, client.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "0005"}))
	w.clock.step(time.Minute)
	tapped := get[client.Payment](t)(s.pos.Authorize(ctx, client.Authorization{Terminal: s.terminal.ID, OrderNo: "A2", Amount: paid.Amount, Method: "card_tap", Instrument: card.ID}))
	w.clock.step(10 * time.Minute)

	opened := get[client.Case](t)(agent.OpenCase(ctx, client.NewCase{Kind: "loss", Payer: p.ID, Text: "来电：手机被偷"}))
	did := get[client.CaseActed](t)(agent.ActForPayer(ctx, opened.ID, client.CaseAct{Act: "report_loss"}))
	if st := get[client.Payer](t)(w.operator.Payer(ctx, p.ID)).Status; st.State != "frozen" || did.Reset != nil {
		t.Errorf("after the report: %s", st.State)
	}
	_, err := agent.ActForPayer(ctx, opened.ID, client.CaseAct{Act: "reset_password"})
	wantProblem(t, err, http.StatusConflict, "identity_unchecked", "")
	get[client.Case](t)(agent.CheckIdentity(ctx, opened.ID, client.NewCaseCheck{Method: "call_back", Asked: []string{"last_payment"}, Passed: true}))
	did = get[client.CaseActed](t)(agent.ActForPayer(ctx, opened.ID, client.CaseAct{Act: "reset_password"}))
	if did.Reset == nil || did.Reset.Code == "" {
		t.Error("no code for a new password")
	}
	c := get[client.Case](t)(agent.LinkCase(ctx, opened.ID, client.CaseLink{Kind: "payment", Ref: string(paid.ID)}))
	c = get[client.Case](t)(agent.LinkCase(ctx, c.ID, client.CaseLink{Kind: "payment", Ref: string(tapped.ID)}))
	c = get[client.Case](t)(agent.MoveCase(ctx, c.ID, client.CaseMove{To: "waiting_merchant", Version: c.Version, Why: "请商户提供小票"}))
	c = get[client.Case](t)(agent.NoteCase(ctx, c.ID, client.NewCaseNote{Key: "n1", Audience: "payer", Text: "免密已冻结，正在核查"}))
	c = get[client.Case](t)(agent.AssignCase(ctx, c.ID, client.CaseAssignment{Queue: "support", Version: c.Version}))
	w.sequence()
	l := get[client.Liability](t)(agent.Liability(ctx, c.ID, false))
	if len(l.Findings) != 2 || l.Findings[0].Missing != paid.Amount || len(l.Findings[0].Shares) != 1 || l.ProtectedAt == nil || l.Findings[0].Promise != nil {
		t.Fatalf("liability: %+v", l)
	}
	if share := l.Findings[0].Shares[0]; share.Reason != "no_promise" || share.Bearer != "unclear" || share.Amount != paid.Amount || share.Words.ZH == "" {
		t.Errorf("by payment code: what is promised to card holders does not meet it: %+v", share)
	}
	if f := l.Findings[1]; f.Payment != tapped.ID || f.Promise == nil || f.Promise.Pack != "cn-unionpay-compensation" || len(f.Shares) != 1 || f.Shares[0].Bearer != "cover" {
		t.Errorf("a tap of a UnionPay card, ten minutes before the report: %+v", f)
	}
	var what []string
	for _, e := range l.Events {
		what = append(what, e.What)
	}
	if got := strings.Join(what, " "); !strings.Contains(got, "payer.instrument.added payment payment reported payer.loss.reported") {
		t.Errorf("the timeline: %s", got)
	}
	c = get[client.Case](t)(agent.DecideCase(ctx, c.ID, client.CaseDecision{Verdict: "upheld", Award: &paid.Amount, Text: "全额退还", Version: c.Version}))
	c = get[client.Case](t)(agent.MoveCase(ctx, c.ID, client.CaseMove{To: "closed", Version: c.Version}))
	if c.State != "closed" || c.Verdict != "upheld" || c.Award == nil || *c.Award != paid.Amount || len(c.Checks) != 1 || len(c.Notes) != 4 || c.Late {
		t.Errorf("in the end: %+v", c)
	}
	found := get[client.Case](t)(agent.Case(ctx, mianmi.CaseID(strings.ToLower(c.Number[:4]+"-"+c.Number[4:]))))
	if found.ID != c.ID {
		t.Errorf("by number: %s", found.ID)
	}
	list := get[client.List[client.Case]](t)(agent.Cases(ctx, client.CaseQuery{Link: client.CaseLink{Kind: "payment", Ref: string(paid.ID)}, Assignee: "none", State: "closed"}))
	if len(list.Items) != 1 || list.Items[0].ID != c.ID {
		t.Errorf("about the payment: %+v", list.Items)
	}

	q := w.person("+8613800000002")
	_, err = q.app.Case(ctx, c.ID)
	wantProblem(t, err, http.StatusNotFound, "not_found", "")
	own := get[client.Case](t)(q.app.OpenCase(ctx, client.NewCase{Kind: "feedback", Category: "small_amount_pin_free", Text: "希望默认关闭"}))
	if own.Queue != "" || len(own.Notes) != 1 || own.Payer != q.ID {
		t.Errorf("a payer's own: %+v", own)
	}
	_, err = q.app.DecideCase(ctx, own.ID, client.CaseDecision{Verdict: "answered", Text: "好", Version: 1})
	wantProblem(t, err, http.StatusForbidden, "not_allowed", "")
}

// What support does for a payer on the phone: payments are held for a day while
// somebody looks, which needs no check; that it is lifted, and that one payment
// passes without a PIN, needs one, and the password is never asked for.
func TestActsForAPayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
	agent := w.login(get[client.Enrolment](t)(w.operator.CreateStaff(ctx, client.NewStaff{Login: "agent.one", Name: "客服", Role: mianmi.RoleSupport.String()})))
	opened := get[client.Case](t)(agent.OpenCase(ctx, client.NewCase{Kind: "help", Payer: p.ID, Text: "来电：怀疑被盗刷"}))
	act := func(a client.CaseAct) error {
		_, err := agent.ActForPayer(ctx, opened.ID, a)
		return err
	}
	most := money.Of(30_00, "CNY")
	allow := client.CaseAct{Act: "allow_once", Max: &most, Merchant: s.merchant.ID}
	wantProblem(t, act(client.CaseAct{Act: "hold"}), http.StatusUnprocessableEntity, "invalid", "until")
	wantProblem(t, act(client.CaseAct{Act: "report_loss", Max: &most}), http.StatusUnprocessableEntity, "invalid", "max")
	wantProblem(t, act(client.CaseAct{Act: "hold", Until: w.clock.Now().Add(31 * 24 * time.Hour)}), http.StatusUnprocessableEntity, "invalid", "until")
	if err := act(client.CaseAct{Act: "hold", Until: w.clock.Now().Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00))); paid.State != "step_up_required" {
		t.Errorf("while held: %s", paid.State)
	}
	wantProblem(t, act(client.CaseAct{Act: "lift_hold"}), http.StatusConflict, "identity_unchecked", "")
	wantProblem(t, act(allow), http.StatusConflict, "identity_unchecked", "")
	get[client.Case](t)(agent.CheckIdentity(ctx, opened.ID, client.NewCaseCheck{Method: "call_back", Asked: []string{"last_payment"}, Passed: true}))
	wantProblem(t, act(allow), http.StatusConflict, "held", "")
	for _, a := range []client.CaseAct{{Act: "lift_hold"}, {Act: "close_pin_free"}, allow} {
		if err := act(a); err != nil {
			t.Fatalf("%s: %v", a.Act, err)
		}
	}
	for i, want := range []string{"approved", "step_up_required"} {
		if paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, fmt.Sprint("B", i), 18_00))); paid.State != want {
			t.Errorf("payment %d after one was allowed: %s, want %s", i, paid.State, want)
		}
	}
}
