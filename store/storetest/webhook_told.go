package storetest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

// taker keeps the messages of a hook.
type taker struct {
	mu   sync.Mutex
	list []notice.Received
}

func (k *taker) take(m notice.Received) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, m)
	return 204
}

// types are the types of all messages, in the order of their numbers.
func (k *taker) types() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	slices.SortFunc(k.list, func(a, b notice.Received) int { return cmp.Compare(a.Sequence, b.Sequence) })
	out := []string{}
	for _, m := range k.list {
		out = append(out, m.Type)
	}
	return out
}

// Every fact of the life of a payment and of the switches around it is told to
// the platform and to the merchant whose it is, in order; to nobody else, and
// never with more than identifiers and figures.
func toldWhatIsTheirs(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	other := w.aShop(t)
	var platform, own, foreign taker
	hp := w.hook(t, "", platform.take)
	ho, hf := w.hook(t, w.Merchant, own.take), w.hook(t, other.Merchant, foreign.take)
	refunds := &taker{}
	hr := w.hook(t, w.Merchant, refunds.take, "payment.refunded", "agreement.*")

	p := must(w.NewPerson(ctx, 5000_00))(t)
	agreed := must(w.Payers.OpenAgreement(ctx, p.Actor(), p.ID, payer.AgreementInput{Merchant: w.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	paid := w.pay(t, p, 1)[0]
	must(w.Payments.Refund(ctx, w.Manager, paid.ID, payment.RefundRequest{RefundNo: "r1", Amount: money.Of(40, "CNY"), Reason: "冷了"}))(t)
	must(w.Payments.Reverse(ctx, w.Manager, w.pay(t, p, 1)[0].ID))(t)
	must(w.Payments.Cancel(ctx, w.Manager, must(w.Payments.Authorize(ctx, w.Manager, p.Tap(w.Terminal, order(), 2000_00)))(t).ID))(t)
	must(w.Payers.CloseAgreement(ctx, p.Actor(), p.ID, agreed.ID))(t)
	must(w.Payers.Hold(ctx, Operator, p.ID, payer.HoldOrder{Until: w.Clock.Now().Add(time.Hour), Because: payer.HoldCase}))(t)
	must(w.Payers.LiftHold(ctx, Operator, p.ID, payer.HoldLifting{Basis: payer.Basis{Method: payer.OnRiskCase, Ref: "R-1"}}))(t)
	must(w.Payers.ReportLoss(ctx, p.Actor(), p.ID, payer.Basis{}))(t)
	stop := must(w.Merchants.Place(ctx, w.Manager, merchant.StopOrder{Scope: merchant.OfTerminal(w.Terminal), Reason: "试", For: time.Hour}))(t)
	lift := must(w.Merchants.Lift(ctx, w.Manager, stop.ID))(t)
	must(w.Merchants.Close(ctx, w.Manager, merchant.OfStore(w.Store)))(t)
	must(w.Merchants.Approve(ctx, Operator, lift.ID))(t)
	w.rolledOut(t)
	w.programRolledOut(t)
	must(w.Merchants.Close(ctx, Operator, merchant.OfModel(w.Model)))(t)

	shared := []string{"agreement.opened", "payment.approved", "payment.refunded", "payment.approved", "payment.reversed", "payment.step_up_required",
		"payment.declined", "agreement.closed", "stop.placed", "approval.waiting", "policy.tightened", "stop.lifted",
		"policy.tightened", "approval.waiting", "policy.loosened", "rollout.paused", "policy.tightened", "rollout.stopped"}
	ofPlatform := slices.Concat([]string{"wallet.topped_up"}, shared[:8], []string{"payer.hold.placed", "payer.hold.lifted", "payer.loss.reported"}, shared[8:], []string{"program.paused", "program.stopped", "policy.tightened"})
	send(t, w.Node, notice.SenderConfig{})
	hp.awaitMessages(t, len(ofPlatform))
	ho.awaitMessages(t, len(shared))
	hr.awaitMessages(t, 3)
	same(t, "types told to the platform", platform.types(), ofPlatform)
	same(t, "types told to the merchant", own.types(), shared)
	same(t, "types of the topics asked for", refunds.types(), []string{"agreement.opened", "payment.refunded", "agreement.closed"})
	same(t, "types told to another merchant", foreign.types(), []string{})
	hp.complete(t, len(ofPlatform))
	ho.complete(t, len(shared))
	if hf.Report().Messages > 0 {
		t.Error("another merchant was told")
	}
	for _, m := range platform.list {
		if strings.HasPrefix(m.Type, "program.") && !strings.Contains(string(m.Data), `"family":"linux_countertop","program_version":"1.4.0"`) {
			t.Errorf("%s: %s", m.Type, m.Data)
		}
	}
	for _, m := range own.list {
		if strings.Contains(string(m.Body), string(p.ID)) || strings.Contains(string(m.Body), "冷了") {
			t.Errorf("the merchant is told who pays, or a free text: %s", m.Body)
		}
		if strings.HasPrefix(m.Type, "rollout.") && !strings.Contains(string(m.Data), `"stage":1,"stages":1,"because":{"reason":"person"}`) {
			t.Errorf("%s: %s", m.Type, m.Data)
		}
	}
	if n := number(t, w.rows, `SELECT count(*) FROM outbox`); n != 0 {
		t.Errorf("%d facts were left in the outbox", n)
	}
}

// rolledOut begins a rollout, pauses it and stops it.
func (w *hookWorld) rolledOut(t *testing.T) {
	t.Helper()
	ctx, scope := t.Context(), merchant.OfMerchant(w.Merchant)
	must(w.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: scope, Terms: limited(100)}))(t)
	plan := rollout.Usual(rollout.Stage{Permille: rollout.All})
	res := must(w.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}, Rollout: &plan}))(t)
	must(w.Merchants.Approve(ctx, Operator2, res.Proposal.ID))(t)
	id := must(w.Merchants.Rollouts(ctx, Operator, merchant.RolloutQuery{Open: true}))(t)[0].ID
	must(w.Merchants.PauseRollout(ctx, Operator, id))(t)
	must(w.Merchants.StopRollout(ctx, Operator, id))(t)
}

// programRolledOut begins a program's rollout, pauses it and stops it.
func (w *hookWorld) programRolledOut(t *testing.T) {
	t.Helper()
	r := must(w.Terminals.StartProgram(t.Context(), Operator, terminal.NewProgram{Family: programFamily, Version: programVersion,
		Plan: rollout.UsualProgram(rollout.Stage{Permille: rollout.All})}))(t)
	must(w.Terminals.PauseProgram(t.Context(), Operator, r.ID))(t)
	must(w.Terminals.StopProgram(t.Context(), Operator, r.ID))(t)
}

// Messages that are sent late say the same as those sent at once: the state of
// the payment that the fact made, and what had been given back by then.
func paymentAsItStood(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	k := &taker{}
	h := w.hook(t, w.Merchant, k.take, "payment.*")
	p := must(w.NewPerson(ctx, 5000_00))(t)
	paid := w.pay(t, p, 1)[0]
	for i, part := range []int64{30, 20, 50} {
		must(w.Payments.Refund(ctx, w.Manager, paid.ID, payment.RefundRequest{RefundNo: "r" + string(rune('0'+i)), Amount: money.Of(part, "CNY")}))(t)
	}
	send(t, w.Node, notice.SenderConfig{})
	h.awaitMessages(t, 4)
	type shown struct {
		State    string
		CVM      string
		PinFree  bool `json:"pin_free"`
		Refunded *struct{ Minor int64 }
		Refund   *struct {
			RefundNo string `json:"refund_no"`
		}
	}
	var got []string
	k.types() // sorts
	for _, m := range k.list {
		var s shown
		if err := json.Unmarshal(m.Data, &s); err != nil {
			t.Fatal(err)
		}
		text := s.State + " " + s.CVM
		if s.Refunded != nil && s.Refund != nil {
			text += " " + money.Of(s.Refunded.Minor, "CNY").String() + " " + s.Refund.RefundNo
		}
		got = append(got, text)
	}
	same(t, "what the messages show", got, []string{"approved none", "partly_refunded none " + money.Of(30, "CNY").String() + " r0",
		"partly_refunded none " + money.Of(50, "CNY").String() + " r1", "refunded none " + money.Of(100, "CNY").String() + " r2"})
	w.settled(t, h)
	d, m, err := w.Webhooks.Delivery(ctx, w.Manager, h.view.ID, 2)
	if err != nil || string(m.Body) != string(k.list[1].Body) || d.State != notice.Delivered || d.Status != 204 || d.Attempts != 1 {
		t.Errorf("delivery 2 is %+v, %v, and its message %s, want %s", d, err, m.Body, k.list[1].Body)
	}
}

// A payment's transaction writes no row for those who are not there.
func nobodyListens(t *testing.T, w *hookWorld) {
	p := must(w.NewPerson(t.Context(), 500_00))(t)
	w.pay(t, p, 1)
	other := w.aShop(t)
	w.hook(t, other.Merchant, nil)
	w.hook(t, w.Merchant, nil, "payment.refunded")
	w.pay(t, p, 1)
	const facts = `SELECT count(*) FROM outbox WHERE topic < 16`
	if n := number(t, w.rows, facts); n != 0 {
		t.Errorf("%d facts were written for nobody", n)
	}
	h := w.hook(t, w.Merchant, nil, "payment.approved")
	w.pay(t, p, 1)
	if err := w.Webhooks.Remove(t.Context(), Operator, h.view.ID); err != nil {
		t.Fatal(err)
	}
	w.pay(t, p, 1)
	if n := number(t, w.rows, facts); n != 1 {
		t.Errorf("%d facts were written, want that of the payment while somebody listened", n)
	}
}

// Bad input names the field at fault, and leaves no webhook and no entry.
func badWebhookInput(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	many := 300
	for _, tt := range []struct {
		name  string
		n     notice.NewWebhook
		field string
	}{
		{"no address", notice.NewWebhook{}, "url"},
		{"another scheme", notice.NewWebhook{URL: "ftp://example.com/"}, "url"},
		{"a private address", notice.NewWebhook{URL: "https://10.1.2.3/"}, "url"},
		{"the address of a cloud's secrets", notice.NewWebhook{URL: "http://169.254.169.254/latest/meta-data"}, "url"},
		{"a password in the address", notice.NewWebhook{URL: "https://me:secret@example.com/"}, "url"},
		{"a fragment", notice.NewWebhook{URL: "https://example.com/#x"}, "url"},
		{"an endless address", notice.NewWebhook{URL: "https://example.com/" + strings.Repeat("x", 1024)}, "url"},
		{"an unknown topic", notice.NewWebhook{URL: "https://example.com/", Topics: []string{"payment.lost"}}, "topics"},
		{"a topic of the platform", notice.NewWebhook{URL: "https://example.com/", Merchant: w.Merchant, Topics: []string{"payer.loss.reported"}}, "topics"},
		{"too many at once", notice.NewWebhook{URL: "https://example.com/", Parallel: many}, "parallel"},
	} {
		_, _, err := w.Webhooks.Create(ctx, Operator, tt.n)
		t.Run(tt.name, func(t *testing.T) { wantKind(t, err, mianmi.Invalid, tt.field) })
	}
	_, _, err := w.Webhooks.Create(ctx, Operator, notice.NewWebhook{URL: "https://example.com/", Merchant: "mc0"})
	wantKind(t, err, mianmi.NotFound, "")
	for _, query := range []string{`SELECT count(*) FROM webhook`, `SELECT count(*) FROM webhook_queue`, `SELECT count(*) FROM entry WHERE type LIKE 'webhook%'`} {
		if n := number(t, w.rows, query); n != 0 {
			t.Errorf("%s: %d rows", query, n)
		}
	}
	v, _ := w.newHook(t, w.Merchant, "https://example.com/path?token=abcdef")
	if v.URL != "https://example.com/path?…" {
		t.Errorf("shown as %s", v.URL)
	}
	for _, query := range []string{`SELECT count(*) FROM webhook WHERE target LIKE '%example%'`, `SELECT count(*) FROM entry WHERE bytes LIKE '%abcdef%'`} {
		if w.engine.DSN[:8] != "postgres" { // a blob of PostgreSQL has no LIKE of a text
			if n := number(t, w.rows, query); n != 0 {
				t.Errorf("the address or its token stands in clear: %s", query)
			}
		}
	}
	_, err = w.Webhooks.Change(ctx, Operator, v.ID, notice.Order{Parallel: &many})
	wantKind(t, err, mianmi.Invalid, "parallel")
	_, _, err = w.Webhooks.Rotate(ctx, Operator, v.ID, 8*24*time.Hour)
	wantKind(t, err, mianmi.Invalid, "overlap_seconds")
	_, err = w.Webhooks.Replay(ctx, Operator, notice.Replay{Webhook: v.ID})
	wantKind(t, err, mianmi.Invalid, "since")
	for range 9 {
		w.newHook(t, w.Merchant, "https://example.com/")
	}
	_, _, err = w.Webhooks.Create(ctx, Operator, notice.NewWebhook{URL: "https://example.com/", Merchant: w.Merchant})
	wantKind(t, err, mianmi.Conflict, "too_many_webhooks")
}

// A merchant's admin manages the merchant's webhooks, and nobody else's.
func webhookRights(t *testing.T, w *hookWorld) {
	ctx := t.Context()
	other := w.aShop(t)
	v, _ := w.newHook(t, w.Merchant, "https://example.com/")
	platform, _ := w.newHook(t, "", "https://example.com/")
	shows := func(a mianmi.Actor, id mianmi.WebhookID) error {
		_, err := w.Webhooks.Webhook(ctx, a, id)
		return err
	}
	manages := func(a mianmi.Actor, id mianmi.WebhookID) error {
		_, err := w.Webhooks.Pause(ctx, a, id)
		return err
	}
	reader := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak9", Merchant: w.Merchant, Scopes: mianmi.ScopeRead | mianmi.ScopeManage}
	hooks := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak8", Merchant: w.Merchant, Scopes: mianmi.ScopeWebhooks}
	for _, tt := range []struct {
		name string
		err  error
		ok   bool
	}{
		{"its admin sees it", shows(w.Manager, v.ID), true},
		{"its admin manages it", manages(w.Manager, v.ID), true},
		{"another admin does not see it", shows(other.Manager, v.ID), false},
		{"another admin does not manage it", manages(other.Manager, v.ID), false},
		{"an admin does not see the platform's", shows(w.Manager, platform.ID), false},
		{"an admin does not manage the platform's", manages(w.Manager, platform.ID), false},
		{"support sees", shows(Support, v.ID), true},
		{"support does not manage", manages(Support, v.ID), false},
		{"a key that reads and manages is not enough", shows(reader, v.ID), false},
		{"a key with the scope manages", manages(hooks, v.ID), true},
		{"that key does not manage the platform's", manages(hooks, platform.ID), false},
	} {
		if (tt.err == nil) != tt.ok || tt.err != nil && mianmi.KindOf(tt.err) != mianmi.Denied {
			t.Errorf("%s: %v", tt.name, tt.err)
		}
	}
	list := must(w.Webhooks.Webhooks(ctx, w.Manager, notice.Query{}))(t)
	if len(list) != 1 || list[0].ID != v.ID {
		t.Errorf("an admin lists %+v", list)
	}
	if all := must(w.Webhooks.Webhooks(ctx, Operator, notice.Query{}))(t); len(all) != 2 {
		t.Errorf("an operator lists %d webhooks, want 2", len(all))
	}
}
