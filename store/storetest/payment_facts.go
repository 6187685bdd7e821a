package storetest

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// ruled starts another process under packs of the test's own; each text is
// what follows a pack's identifier.
func (d *desk) ruled(t *testing.T, texts map[string]string) *Node {
	t.Helper()
	var list []pinfree.Pack
	for id, text := range texts {
		head := fmt.Sprintf(`
id: %s
version: 1
edition: "1"
layer: regulation
jurisdiction: CN
title: {zh: 试验, en: Trial}
sources: [{title: none, url: "https://example.org", read: "2026-03-01", quality: unverified}]
`, id)
		list = append(list, must(packs.Parse(id+".yaml", []byte(head+text)))(t))
	}
	rules := must(pinfree.Compile(list))(t)
	db := d.engine.Open(t)
	n := must(NewNode(t.Context(), NodeConfig{DB: db, Keys: d.keys, Clock: d.clock, Rules: rules,
		Ledger: must(d.engine.Ledger(t.Context(), db))(t), Payer: payer.Config{NoCoolingOff: true}}))(t)
	t.Cleanup(n.Payments.Stop)
	return n
}

// permits is a pack's text that permits what an ordinary tap is known to be.
const permits = `
permits: true
when:
  currencies: [CNY]
  cel: type == "sale" && !offline && !certificate && factors == 1 && payer.contactless && payer.consent == "given"
limits:
- {id: most, title: {zh: 单笔, en: Each}, amount: {at_most: 50000}, above: step_up}
- {id: own, title: {zh: 自设, en: Own}, amount: {at_most_of: payer_payment_limit}, above: step_up}
`

// card issues a card of an issuer to the person.
func (d *desk) card(t *testing.T, p Person, issuer string) Person {
	t.Helper()
	p.Card = must(d.a.Payers.AddInstrument(t.Context(), Backend, p.ID,
		payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Issuer: issuer, Last4: "0006"}))(t).ID
	return p
}

// What a pack asks about the card's issuer, the merchant's risk and the payer's
// consent is known, counts the same when a payment is undone, and restricts
// when it is not known.
func rulesAskFacts(t *testing.T, d *desk) {
	n := d.ruled(t, map[string]string{
		"permits": permits,
		"issuer": `
when: {currencies: [CNY], cel: card.issuer == "icbc"}
zone: Asia/Shanghai
counters:
- {id: day, bucket: payer, counts: executed_unauthenticated, resets: [calendar_day]}
limits:
- {id: most, title: {zh: 单笔, en: Each}, amount: {at_most: 10000}, above: step_up}
- {id: twice, title: {zh: 两笔, en: Twice}, counter: day, number: {scope: including_current, at_most: 2}, above: step_up}
`,
		"risk": `
when: {cel: merchant.risk == "high"}
limits:
- {id: always, title: {zh: 高风险商户, en: High risk}, always: true, above: step_up}
`,
	})
	somebody := d.person(t, 10_000_00)
	icbc, cmb := d.card(t, somebody, "icbc"), d.card(t, somebody, "cmb")
	shop := func(risk string) *Shop {
		s := must(d.a.NewShop(t.Context(), merchant.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, Risk: risk}))(t)
		return &s
	}
	low, high, unrated := shop("low"), shop("high"), shop("")
	pay := func(s *Shop, p Person, minor int64, rule string) *payment.Payment {
		t.Helper()
		got := must(n.Payments.Authorize(t.Context(), s.Manager, p.Tap(s.Terminal, order(), minor)))(t)
		if want := rule == ""; want != got.PinFree() || !want && (got.State != payment.StepUpRequired || got.Reasons[0].Rule != rule) {
			t.Errorf("%d is %v for %+v, want a step-up for %q", minor, got.State, got.Reasons, rule)
		}
		return got
	}
	pay(low, cmb, 100_01, "")
	pay(low, icbc, 100_01, "issuer/most")
	pay(low, somebody, 100_01, "issuer/most") // its issuer is not known
	pay(high, cmb, 1_00, "risk/always")
	pay(unrated, cmb, 1_00, "risk/always")
	pay(low, cmb, 500_01, "permits/most")

	first, other := pay(low, icbc, 100_00, ""), pay(low, cmb, 100_00, "")
	pay(low, icbc, 1_00, "")
	pay(low, icbc, 1_00, "issuer/twice")
	must(n.Payments.Reverse(t.Context(), Operator, other.ID))(t)
	pay(low, icbc, 1_00, "issuer/twice")
	must(n.Payments.Reverse(t.Context(), Operator, first.ID))(t)
	pay(low, icbc, 1_00, "")

	must(n.Payers.SetLimits(t.Context(), cmb.Actor(), cmb.ID, payer.LimitsInput{Limits: payer.Limits{PerPayment: ptr(20_00)}}))(t)
	pay(low, cmb, 20_00, "")
	d.stepsUp(t, n, cmb.Tap(low.Terminal, order(), 20_01), low)
	must(n.Payers.Close(t.Context(), cmb.Actor(), cmb.ID, noBasis))(t)
	d.stepsUp(t, n, cmb.Tap(low.Terminal, order(), 1_00), low)
	must(n.Payers.GrantAllowance(t.Context(), cmb.Actor(), cmb.ID, payer.AllowanceInput{Max: money.Of(50_00, "CNY"), Password: PaymentPassword}))(t)
	pay(low, cmb, 50_00, "") // closed, and yet asked for
}

// stepsUp fails unless the payment waits for the payer.
func (d *desk) stepsUp(t *testing.T, n *Node, r payment.Request, s *Shop) {
	t.Helper()
	wantState(t, must(n.Payments.Authorize(t.Context(), s.Manager, r))(t), payment.StepUpRequired)
}

// A top-up with authentication empties the counter that says so, once for each
// key; one without does not.
func topUpResets(t *testing.T, d *desk) {
	n := d.ruled(t, map[string]string{"permits": permits, "top-up": `
when: {currencies: [CNY]}
counters:
- {id: since, bucket: payer, counts: executed_unauthenticated, resets: [top_up_with_authentication]}
limits:
- {id: two, title: {zh: 两笔, en: Two}, counter: since, number: {scope: including_current, at_most: 2}, above: step_up}
`})
	p := d.person(t, 100_00)
	topUp := func(key string, authenticated bool) {
		t.Helper()
		must(n.Payments.TopUp(t.Context(), Backend, payment.TopUpRequest{Payer: p.ID, Key: key, Amount: money.Of(1_00, "CNY"),
			Authenticated: authenticated}))(t)
	}
	twice := func() {
		t.Helper()
		for range 2 {
			wantState(t, must(n.Payments.Authorize(t.Context(), d.Manager, p.Tap(d.Terminal, order(), 1_00)))(t), payment.Approved)
		}
		d.stepsUp(t, n, p.Tap(d.Terminal, order(), 1_00), d.Shop)
	}
	twice()
	topUp("plain", false)
	d.stepsUp(t, n, p.Tap(d.Terminal, order(), 1_00), d.Shop)
	topUp("asked", true)
	twice()
	topUp("asked", true)
	d.stepsUp(t, n, p.Tap(d.Terminal, order(), 1_00), d.Shop)
	d.wantBalance(t, p, 98_00)
}

// A counter of the account behind a card is one for all that the payer pays
// from it.
func accountCounts(t *testing.T, d *desk) {
	n := d.ruled(t, map[string]string{"permits": permits, "account": `
when: {currencies: [CNY]}
zone: Asia/Shanghai
counters:
- {id: day, bucket: account, counts: executed_unauthenticated, resets: [calendar_day]}
limits:
- {id: two, title: {zh: 两笔, en: Two}, counter: day, number: {scope: including_current, at_most: 2}, above: step_up}
`})
	p := d.person(t, 100_00)
	other := d.card(t, p, "cmb")
	for _, who := range []Person{p, other} {
		wantState(t, must(n.Payments.Authorize(t.Context(), d.Manager, who.Tap(d.Terminal, order(), 1_00)))(t), payment.Approved)
	}
	d.stepsUp(t, n, p.Tap(d.Terminal, order(), 1_00), d.Shop)
}

// The rules in force let three attempts fail, so the third ends the payment.
func rulesLock(t *testing.T, d *desk) {
	n := d.ruled(t, map[string]string{"permits": permits, "strict": "authentication: {failures_max: 3}\n",
		"lax": "authentication: {failures_max: 9}\n"})
	p := d.person(t, 100_00)
	w := d.waiting(t, p)
	for _, code := range []string{"password_wrong", "password_wrong", "password_locked"} {
		_, err := n.Payments.Confirm(t.Context(), p.Actor(), w.ID, "111222")
		wantKind(t, err, mianmi.Unauthenticated, code)
	}
	got := must(n.Payments.Payment(t.Context(), p.Actor(), w.ID))(t)
	if wantState(t, got, payment.Declined); got.Failure != channel.PasswordLocked || got.Tries != 3 {
		t.Errorf("ended by %v after %d tries", got.Failure, got.Tries)
	}
}
