package storetest

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/secret"
)

// waiting is a payment of 20.00 that waits for a step-up.
func (d *desk) waiting(t *testing.T, p Person) *payment.Payment {
	t.Helper()
	must(d.a.Payers.Close(t.Context(), p.Actor(), p.ID, noBasis))(t)
	return d.mustPay(t, p.Tap(d.Terminal, order(), 20_00), payment.StepUpRequired)
}

// software is the merchant's own, with a key that is not revoked.
func (d *desk) software() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak2", Merchant: d.Merchant, Scopes: mianmi.ScopePay | mianmi.ScopeRefund, Via: "ak2"}
}

func (d *desk) pin(t *testing.T, id mianmi.PaymentID, pin string) secret.SealedPIN {
	t.Helper()
	return must(secret.SealPIN(d.keys.PINKey(), string(id), pin))(t)
}

func stepUpConfirmed(t *testing.T, d *desk) {
	p, q := d.person(t, 100_00), d.person(t, 0)
	w := d.waiting(t, p)
	if w.Reasons[0].Reason != pinfree.PayerClosed || w.StepUp == 0 || w.ExpiresAt != w.CreatedAt.Add(90*time.Second) {
		t.Errorf("waits as %+v", w)
	}
	if open := must(d.b.Payments.StepUps(t.Context(), p.Actor(), p.ID))(t); len(open) != 1 || open[0].ID != w.ID {
		t.Errorf("the phone shows %+v", open)
	}
	_, err := d.b.Payments.Confirm(t.Context(), q.Actor(), w.ID, PaymentPassword)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = d.b.Payments.Confirm(t.Context(), p.Actor(), w.ID, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	d.wantBalance(t, p, 100_00)
	done := must(d.b.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword))(t)
	wantState(t, done, payment.Approved)
	if done.CVM != pinfree.PhonePassword || done.PinFree() || done.Tries != 1 || !done.ExpiresAt.IsZero() {
		t.Errorf("confirmed as %+v", done)
	}
	d.wantBalance(t, p, 80_00)
	again := must(d.a.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword))(t)
	samePayment(t, "a repeat", again, done)
	_, err = d.a.Payments.Confirm(t.Context(), p.Actor(), w.ID, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	d.wantBalance(t, p, 80_00)

	w = d.waiting(t, p)
	_, err = d.a.Payments.ConfirmPIN(t.Context(), d.software(), w.ID, d.pin(t, done.ID, PaymentPassword))
	wantKind(t, err, mianmi.Invalid, "") // sealed for another payment
	done = must(d.a.Payments.ConfirmPIN(t.Context(), d.software(), w.ID, d.pin(t, w.ID, PaymentPassword)))(t)
	if wantState(t, done, payment.Approved); done.CVM != pinfree.OnlinePIN {
		t.Errorf("CVM %v", done.CVM)
	}
	bare := d.mustPay(t, p.Tap(d.Bare, order(), 1_00), payment.StepUpRequired)
	_, err = d.a.Payments.ConfirmPIN(t.Context(), d.software(), bare.ID, d.pin(t, bare.ID, PaymentPassword))
	wantKind(t, err, mianmi.Conflict, "no_terminal_pin")
	poor := d.mustPay(t, p.Tap(d.Terminal, order(), 60_01), payment.StepUpRequired)
	poor = must(d.a.Payments.Confirm(t.Context(), p.Actor(), poor.ID, PaymentPassword))(t)
	if wantState(t, poor, payment.Declined); poor.Failure != channel.InsufficientFunds {
		t.Errorf("declined for %v", poor.Failure)
	}
	d.wantBalance(t, p, 60_00)
}

func stepUpLocked(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	w := d.waiting(t, p)
	for range 4 {
		_, err := d.b.Payments.Confirm(t.Context(), p.Actor(), w.ID, "111222")
		wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	}
	_, err := d.b.Payments.Confirm(t.Context(), p.Actor(), w.ID, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_locked")
	got := must(d.a.Payments.Payment(t.Context(), d.Manager, w.ID))(t)
	if wantState(t, got, payment.Declined); got.Failure != channel.PasswordLocked || got.Tries != 5 {
		t.Errorf("ended as %+v", got)
	}
	_, err = d.a.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword)
	wantKind(t, err, mianmi.Conflict, "not_waiting")
	next := must(d.pay(t, p.Tap(d.Terminal, order(), 1_00)))(t)
	if next.State == payment.Approved || next.StepUp != 0 {
		t.Errorf("with a locked password: %+v", next)
	}
	d.wantBalance(t, p, 100_00)
}

func stepUpExpires(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	w := d.waiting(t, p)
	req := p.Tap(d.Terminal, w.OrderNo, 20_00)
	d.clock.Add(90*time.Second - time.Microsecond)
	if _, err := d.b.Payments.ExpireOverdue(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantState(t, must(d.a.Payments.Payment(t.Context(), d.Manager, w.ID))(t), payment.StepUpRequired)
	d.clock.Add(time.Microsecond)
	wantState(t, must(d.a.Payments.Payment(t.Context(), d.Manager, w.ID))(t), payment.Expired)
	wantState(t, must(d.pay(t, req))(t), payment.Expired)
	_, err := d.b.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword)
	wantKind(t, err, mianmi.Conflict, "step_up_expired")
	news, end := d.a.Payments.Watch(p.ID)
	defer end()
	for _, want := range []int{1, 0} {
		if n := must(d.a.Payments.ExpireOverdue(t.Context()))(t); n != want {
			t.Errorf("%d expired, want %d", n, want)
		}
	}
	wantState(t, must(d.b.DB.Payment(t.Context(), w.ID))(t), payment.Expired)
	select {
	case <-news:
	default:
		t.Error("the phone was not told")
	}
	if open := must(d.b.Payments.StepUps(t.Context(), p.Actor(), p.ID))(t); len(open) != 0 {
		t.Errorf("the phone still shows %+v", open)
	}
	d.wantBalance(t, p, 100_00)
}

func stepUpCancelled(t *testing.T, d *desk) {
	p, q := d.person(t, 100_00), d.person(t, 0)
	for name, actor := range map[string]mianmi.Actor{"merchant": d.Manager, "payer": p.Actor()} {
		w := d.waiting(t, p)
		_, err := d.b.Payments.Cancel(t.Context(), q.Actor(), w.ID)
		wantKind(t, err, mianmi.NotFound, "")
		for range 2 {
			wantState(t, must(d.b.Payments.Cancel(t.Context(), actor, w.ID))(t), payment.Declined)
		}
		_, err = d.a.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword)
		wantKind(t, err, mianmi.Conflict, "not_waiting")
		if stored := must(d.a.DB.Payment(t.Context(), w.ID))(t); stored.Version != 2 {
			t.Errorf("%s: two calls made version %d", name, stored.Version)
		}
	}
	w := d.waiting(t, p)
	wantState(t, must(d.b.Payments.Reverse(t.Context(), d.Manager, w.ID))(t), payment.Declined)
	d.wantBalance(t, p, 100_00)
	_, err := d.b.Payments.Cancel(t.Context(), d.Manager, d.mustPay(t, d.open(t, p).Tap(d.Terminal, order(), 1), payment.Approved).ID)
	wantKind(t, err, mianmi.Conflict, "not_waiting")
}

// open reopens the person's switch.
func (d *desk) open(t *testing.T, p Person) Person {
	t.Helper()
	must(d.a.Payers.Reopen(t.Context(), p.Actor(), p.ID, payer.ReopenInput{Password: PaymentPassword, RiskVersion: payer.RiskText.Version}))(t)
	return p
}

// Whoever comes first decides; the others are told, and money moves once.
func stepUpRaces(t *testing.T, d *desk) {
	left := int64(1000_00)
	p := d.person(t, left)
	seen := map[payment.State]int{}
	for round := range 12 {
		w := d.waiting(t, p)
		pin := d.pin(t, w.ID, PaymentPassword)
		if round%2 == 1 {
			d.clock.Add(90*time.Second - time.Microsecond)
		}
		ways := []func(*Node) (*payment.Payment, error){
			func(n *Node) (*payment.Payment, error) {
				return n.Payments.Confirm(t.Context(), p.Actor(), w.ID, PaymentPassword)
			},
			func(n *Node) (*payment.Payment, error) {
				return n.Payments.ConfirmPIN(t.Context(), d.software(), w.ID, pin)
			},
		}
		if round%3 != 0 { // in the other rounds nothing but the two confirmations
			ways = append(ways, func(n *Node) (*payment.Payment, error) { return n.Payments.Cancel(t.Context(), d.Manager, w.ID) },
				func(n *Node) (*payment.Payment, error) {
					d.clock.Add(time.Microsecond)
					_, err := n.Payments.ExpireOverdue(t.Context())
					return nil, err
				})
		}
		var got attempts
		d.both(len(ways), func(i int, n *Node) { got.add(ways[i](n)) })
		for _, err := range got.errs {
			wantKind(t, err, mianmi.Conflict, "")
		}
		if _, err := d.a.Payments.ExpireOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
		end := must(d.a.DB.Payment(t.Context(), w.ID))(t)
		seen[end.State]++
		want := int64(0)
		if end.State == payment.Approved {
			left, want = left-20_00, 1
		}
		if n := d.lines(t, w.ID); n != want || end.Version != 2 || !end.State.Final() {
			t.Errorf("round %d: %v, version %d, %d lines in the journal", round, end.State, end.Version, n)
		}
		d.wantBalance(t, p, left)
	}
	if seen[payment.Approved] < 4 {
		t.Errorf("ended as %v: two confirmations alone must approve", seen)
	}
}
