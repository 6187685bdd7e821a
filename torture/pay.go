package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/secret"
)

// paid is a payment that was acknowledged, as it was said to be last.
type paid struct {
	order    string
	id       mianmi.PaymentID // empty: it was refused as a request, and must not be there
	person   *person          // nil: cash
	minor    int64
	refunded int64
	state    string
	pinFree  bool
}

// wish is one payment as chance has drawn it, whatever will be answered.
type wish struct {
	order   string
	person  int
	bare    bool
	method  string // as the API calls it, or "qr"
	cvm     string
	minor   int64
	then    string // what follows when it was approved
	confirm string // what follows when it waits for a password
}

// How often what happens, of a hundred.
func drawWish(r *rand.Rand, order string) wish {
	w := wish{order: order, person: r.IntN(peopleMax), bare: r.IntN(3) == 0, minor: 1 + r.Int64N(50)}
	switch k := r.IntN(100); {
	case k < 45:
		w.method = "card_tap"
	case k < 75:
		w.method = "payment_code"
	case k < 80:
		w.method = "cash"
	case k < 85:
		w.method, w.cvm = "card_tap", "cdcvm"
	case k < 90:
		w.method, w.cvm, w.bare = "card_insert", "offline_pin", false
	case k < 98:
		w.method, w.bare = "card_swipe", false
	default:
		w.method, w.bare = "qr", false
	}
	switch k := r.IntN(100); {
	case k < 8:
		w.then = "refund"
	case k < 12:
		w.then = "refund twice"
	case k < 18:
		w.then = "reverse"
	case k < 26:
		w.then = "again"
	case k < 29:
		w.then = "other content"
	case k < 35:
		w.then = "twins" // two at once, from the beginning
	}
	switch k := r.IntN(100); {
	case k < 4: // few, for each costs the server a password's hash
		w.confirm = "phone"
	case k < 6:
		w.confirm = "pin"
	case k < 7:
		w.confirm = "wrong"
	case k < 20:
		w.confirm = "cancel"
	}
	return w
}

// switched reports whether the switches decide if it passes PIN-free: alone for
// cards, and with limits of a day for codes.
func (w *wish) switched() bool {
	return w.cvm == "" && (w.method == "card_tap" || w.method == "payment_code")
}

func (w *wish) act() Act {
	return Act{Kind: Pay, Person: w.person, Bare: w.bare, Limited: w.method == "payment_code"}
}

// paying pays until the round is over.
func (r *round) paying(ctx context.Context, c int) {
	rnd := r.rand(c)
	for i := 0; i < stepsMax && !r.over.Load() && ctx.Err() == nil && !r.verdict.failed(); i++ {
		w := drawWish(rnd, fmt.Sprintf("r%dc%dn%d", r.rounds, c, i))
		r.buy(ctx, rnd, c, w)
		r.answered()
	}
}

// buy pays and does what follows.
func (r *round) buy(ctx context.Context, rnd *rand.Rand, c int, w wish) {
	if w.method == "qr" {
		r.buyQR(ctx, rnd, w)
		return
	}
	req := r.request(&w)
	if w.method == "payment_code" {
		if err := r.code(ctx, rnd, w.person, &req); err != nil {
			return // too many codes wait, or the run has ended
		}
	}
	got, at, err := r.authorize(ctx, rnd, req, w.then == "twins")
	if err != nil {
		r.notPaid(&w, err)
		return
	}
	p := r.record(&w, got)
	if w.switched() {
		r.remember(c, w.act(), p.pinFree, at)
	}
	switch {
	case p.state == "approved":
		r.after(ctx, rnd, &w, req, p)
	case p.state == "step_up_required" && w.confirm != "":
		r.stepUp(ctx, rnd, &w, p)
	}
}

func (r *round) request(w *wish) client.Authorization {
	sc := r.scene
	req := client.Authorization{Terminal: sc.terminal, OrderNo: w.order, Amount: yuan(w.minor), Method: w.method, CVM: w.cvm}
	if w.bare {
		req.Terminal = sc.bare
	}
	if w.method != "cash" && w.method != "payment_code" {
		req.Instrument = sc.people[w.person].card
	}
	return req
}

// code shows a payment code.
func (r *round) code(ctx context.Context, rnd *rand.Rand, who int, req *client.Authorization) error {
	var code client.PaymentCode
	_, err := r.ask(ctx, rnd, ask{who: r.scene.wallet, do: func(ctx context.Context, api *client.Client) (err error) {
		code, err = api.IssueCode(ctx, r.scene.people[who].id)
		return err
	}})
	req.Code, req.Entry = code.Code, "scanned"
	return err
}

// authorize asks for a payment until it is answered; as twins, twice at once,
// wherever the two may end up.
func (r *round) authorize(ctx context.Context, rnd *rand.Rand, req client.Authorization, twins bool) (client.Payment, asked, error) {
	pay := func(rnd *rand.Rand) (p client.Payment, at asked, err error) {
		at, err = r.ask(ctx, rnd, ask{who: r.scene.pos, do: func(ctx context.Context, api *client.Client) (err error) {
			p, err = api.Authorize(ctx, req)
			return err
		}})
		return p, at, err
	}
	if !twins {
		return pay(rnd)
	}
	var other client.Payment
	var otherAt asked
	var otherErr error
	var both sync.WaitGroup
	second := rand.New(rand.NewPCG(rnd.Uint64(), 0)) //nolint:gosec // as rand
	both.Go(func() { other, otherAt, otherErr = pay(second) })
	p, at, err := pay(rnd)
	both.Wait()
	if err == nil && otherErr == nil {
		r.tally.repeats.Add(1)
		r.verdict.check(Orders, p.ID == other.ID && (p.Outcome == "pin_free") == (other.Outcome == "pin_free"),
			"%s was asked for twice at once and is %s %s and %s %s", req.OrderNo, p.ID, p.Outcome, other.ID, other.Outcome)
	}
	// One decision, somewhere within both.
	at.call, at.end = min(at.call, otherAt.call), max(at.end, otherAt.end)
	if err != nil && otherErr == nil {
		return other, at, nil
	}
	return p, at, err
}

// record notes a payment as it was answered first.
func (r *round) record(w *wish, got client.Payment) *paid {
	p := &paid{order: w.order, id: got.ID, minor: w.minor, state: got.State, pinFree: got.Outcome == "pin_free"}
	if w.method != "cash" {
		p.person = r.scene.people[w.person]
	}
	r.tally.payments.Add(1)
	switch {
	case p.pinFree:
		r.tally.pinFree.Add(1)
	case got.Outcome == "step_up":
		r.tally.stepUps.Add(1)
	}
	r.verdict.check(Once, got.OrderNo == w.order && got.Amount == yuan(w.minor), "%s was asked for %d and answered with %s, %v", w.order, w.minor, got.OrderNo, got.Amount)
	if p.state == "approved" {
		p.take()
	}
	r.mu.Lock()
	r.paid = append(r.paid, p)
	r.mu.Unlock()
	return p
}

// take is the money that an approval moves.
func (p *paid) take() {
	if p.person != nil {
		p.person.spend(p.minor)
	}
}

// notPaid notes a request that was answered with an error: its order number
// must be free.
func (r *round) notPaid(w *wish, err error) {
	if gaveUp(err) {
		return
	}
	switch code := client.Code(err); code {
	case "code_expired", "code_invalid", "too_many_wrong_codes":
	default:
		r.verdict.broken(Answers, "%s by %s: %v", w.order, w.method, err)
	}
	r.mu.Lock()
	r.paid = append(r.paid, &paid{order: w.order})
	r.mu.Unlock()
}

// after is what becomes of an approved payment.
func (r *round) after(ctx context.Context, rnd *rand.Rand, w *wish, req client.Authorization, p *paid) {
	switch w.then {
	case "again":
		got, _, err := r.authorize(ctx, rnd, req, false)
		r.tally.repeats.Add(1)
		if !gaveUp(err) {
			r.verdict.check(Orders, err == nil && got.ID == p.id && got.State == p.state, "%s is %s %s and was answered with %s %s, %v to the same request",
				w.order, p.id, p.state, got.ID, got.State, err)
		}
	case "other content":
		req.Amount = yuan(w.minor + 1)
		got, _, err := r.authorize(ctx, rnd, req, false)
		r.tally.repeats.Add(1)
		if !gaveUp(err) {
			r.verdict.check(Orders, client.Code(err) == "order_conflict", "%s is taken and was answered with %s, %v to another amount", w.order, got.ID, err)
		}
	case "refund":
		r.refund(ctx, rnd, p, "1", (p.minor+1)/2)
	case "refund twice":
		half := (p.minor + 1) / 2
		if r.refund(ctx, rnd, p, "1", half) && p.minor > half {
			r.refund(ctx, rnd, p, "2", p.minor-half)
		}
	case "reverse":
		got, err := r.change(ctx, rnd, r.scene.pos, p, (*client.Client).Reverse)
		if err == nil && got.State == "reversed" {
			if p.person != nil {
				p.person.spend(-p.minor)
			}
			p.state = "reversed"
		} else if !gaveUp(err) {
			r.verdict.broken(Once, "%s was approved, and reversing it is answered with %s, %v", w.order, got.State, err)
		}
	}
}

// change asks for a change of a payment.
func (r *round) change(ctx context.Context, rnd *rand.Rand, who *caller, p *paid,
	do func(*client.Client, context.Context, mianmi.PaymentID) (client.Payment, error)) (got client.Payment, err error) {
	var payer mianmi.PayerID
	if p.person != nil {
		payer = p.person.id
	}
	_, err = r.ask(ctx, rnd, ask{who: who, payer: payer, do: func(ctx context.Context, api *client.Client) (err error) {
		got, err = do(api, ctx, p.id)
		return err
	}})
	return got, err
}

func (r *round) refund(ctx context.Context, rnd *rand.Rand, p *paid, no string, minor int64) bool {
	var got client.Refund
	_, err := r.ask(ctx, rnd, ask{who: r.scene.pos, do: func(ctx context.Context, api *client.Client) (err error) {
		got, err = api.Refund(ctx, p.id, client.RefundRequest{RefundNo: no, Amount: yuan(minor), Reason: "退货"})
		return err
	}})
	if gaveUp(err) {
		return false
	}
	r.tally.refunds.Add(1)
	r.verdict.check(Once, err == nil && got.Amount == yuan(minor), "refund %s of %s over %d is answered with %v, %v", no, p.order, minor, got.Amount, err)
	if err != nil {
		return false
	}
	p.refunded += minor
	if p.state = "partly_refunded"; p.refunded == p.minor {
		p.state = "refunded"
	}
	if p.person != nil {
		p.person.spend(-minor)
	}
	return true
}

// stepUp is what becomes of a payment that waits for a password.
func (r *round) stepUp(ctx context.Context, rnd *rand.Rand, w *wish, p *paid) {
	phone := r.scene.people[w.person].phone
	confirm := func(pin string) func(*client.Client, context.Context, mianmi.PaymentID) (client.Payment, error) {
		return func(api *client.Client, ctx context.Context, id mianmi.PaymentID) (client.Payment, error) {
			return api.Confirm(ctx, id, pin)
		}
	}
	var got client.Payment
	var err error
	switch {
	case w.confirm == "cancel":
		got, err = r.change(ctx, rnd, r.scene.pos, p, (*client.Client).Cancel)
	case w.confirm == "pin" && !w.bare:
		got, err = r.change(ctx, rnd, r.scene.pos, p, r.typePIN)
	case w.confirm == "wrong":
		_, err = r.change(ctx, rnd, phone, p, confirm(wrongPassword))
		if code := client.Code(err); code != "password_wrong" && code != "step_up_expired" && code != "not_waiting" && !gaveUp(err) {
			r.verdict.broken(Answers, "a wrong password for %s is answered with %v", p.order, err)
		}
		fallthrough // the right one, so that the password is not locked
	default:
		got, err = r.change(ctx, rnd, phone, p, confirm(paymentPassword))
	}
	switch code := client.Code(err); {
	case err == nil:
		if p.state = got.State; p.state == "approved" {
			p.take()
		}
	case code == "step_up_expired", code == "not_waiting":
		p.state = "expired" // or called off, when the password was locked
	case !gaveUp(err):
		r.verdict.broken(Answers, "%s of %s is answered with %v", w.confirm, p.order, err)
	}
}

func (r *round) typePIN(api *client.Client, ctx context.Context, id mianmi.PaymentID) (client.Payment, error) {
	sealed, err := secret.SealPIN(r.scene.pin, string(id), paymentPassword)
	if err != nil {
		return client.Payment{}, err
	}
	return api.ConfirmPIN(ctx, id, client.SealedPIN{KeyID: sealed.KeyID, Enc: sealed.Encapsulated, Ciphertext: sealed.Ciphertext})
}

// buyQR opens an order behind a QR code and pays it with the password.
func (r *round) buyQR(ctx context.Context, rnd *rand.Rand, w wish) {
	var q client.QROrder
	key := "qr-" + r.scene.salt + "-" + w.order
	_, err := r.ask(ctx, rnd, ask{who: r.scene.pos, do: func(ctx context.Context, api *client.Client) (err error) {
		q, err = api.Once(key).OpenQR(ctx, client.QRRequest{Terminal: r.scene.terminal, OrderNo: w.order, Amount: yuan(w.minor)})
		if client.Code(err) == "in_progress" { // of a server that was killed: its key stays taken for two minutes
			key += "n"
		}
		return err
	}})
	if err != nil {
		if !gaveUp(err) {
			r.verdict.broken(Answers, "a QR order %s: %v", w.order, err)
		}
		return
	}
	var got client.Payment
	_, err = r.ask(ctx, rnd, ask{who: r.scene.people[w.person].phone, payer: r.scene.people[w.person].id, do: func(ctx context.Context, api *client.Client) (err error) {
		got, err = api.PayQR(ctx, q.Token, paymentPassword)
		return err
	}})
	switch {
	case err == nil:
		r.record(&w, got)
	case client.Code(err) == "qr_expired": // the strike took longer than its life
	case !gaveUp(err):
		r.verdict.broken(Answers, "paying the QR order %s: %v", w.order, err)
	}
}
