package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// Faulty puts faults between a service and its ledger.
type Faulty struct {
	payment.Ledger
	// Commit may end a batch in its own way; nil: as it is.
	OnCommit func(ctx context.Context, b payment.Batch, w []payment.Write, decided evidence.Bundle) error
	// OnFacts may change what was read.
	OnFacts func([]payment.Facts)
	// OnSettings may show other settings than those that were read.
	OnSettings func(*settings.Snapshot) *settings.Snapshot
}

// Begin implements payment.Ledger.
func (f *Faulty) Begin(ctx context.Context, asks []payment.Ask) (payment.Batch, error) {
	b, err := f.Ledger.Begin(ctx, asks)
	if err != nil {
		return nil, err
	}
	if f.OnFacts != nil {
		f.OnFacts(b.Facts())
	}
	return &faultyBatch{b, f}, nil
}

type faultyBatch struct {
	payment.Batch
	f *Faulty
}

func (b *faultyBatch) Commit(ctx context.Context, w []payment.Write, decided evidence.Bundle) error {
	if b.f.OnCommit == nil {
		return b.Batch.Commit(ctx, w, decided)
	}
	return b.f.OnCommit(ctx, b.Batch, w, decided)
}

func (b *faultyBatch) Settings() *settings.Snapshot {
	if b.f.OnSettings == nil {
		return b.Batch.Settings()
	}
	return b.f.OnSettings(b.Batch.Settings())
}

// ErrLost is a commit whose answer never came.
var ErrLost = &mianmi.Error{Kind: mianmi.Unavailable, Msg: "no answer", Err: errors.New("connection reset")}

func (d *desk) faulty(t *testing.T, onCommit func(context.Context, payment.Batch, []payment.Write, evidence.Bundle) error) *Node {
	return d.node(t, func(l payment.Ledger) payment.Ledger { return &Faulty{Ledger: l, OnCommit: onCommit} })
}

func failedCommit(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	code := d.code(t, p)
	before, balance := rowCounts(t, d.rows), d.balance(t, p)
	reqs := []payment.Request{Code(d.Terminal, order(), 1_00, code), p.Tap(d.Terminal, order(), 1_00),
		p.Tap(d.Terminal, order(), 2000_00), {Terminal: d.Terminal, OrderNo: order(), Amount: reqAmount, Method: pinfree.Cash}}
	for name, c := range map[string]struct {
		fail error
		want mianmi.Kind
		code string
	}{
		"a fault of ours":                {errors.New("broken"), mianmi.Internal, ""},
		"a database that is away":        {ErrLost, mianmi.Unavailable, "outcome_unknown"},
		"a loss that comes every time":   {&mianmi.Error{Kind: mianmi.Conflict, Code: "lost"}, mianmi.Unavailable, "lost"},
		"a context that is at its end":   {context.Canceled, mianmi.Internal, ""},
		"a write that the store refuses": {nil, mianmi.Internal, ""},
	} {
		n := d.faulty(t, func(ctx context.Context, b payment.Batch, w []payment.Write, decided evidence.Bundle) error {
			if c.fail != nil {
				return c.fail
			}
			for i := range w { // a row that breaks a rule of the schema
				if w[i].Payment != nil {
					bad := *w[i].Payment
					bad.Refunded = bad.Amount.Minor() + 1
					w[i].Payment = &bad
				}
			}
			return b.Commit(ctx, w, decided)
		})
		for i, r := range must(n.Payments.AuthorizeMany(t.Context(), d.Manager, reqs))(t) {
			if r.Err == nil {
				t.Errorf("%s: payment %d passed", name, i)
				continue
			}
			if mianmi.KindOf(r.Err) != c.want {
				t.Errorf("%s: %v, want %v", name, r.Err, c.want)
			}
			if c.code != "" {
				wantKind(t, r.Err, c.want, c.code)
			}
		}
		if diff := cmp.Diff(before, rowCounts(t, d.rows)); diff != "" {
			t.Errorf("%s wrote (-before +after):\n%s", name, diff)
		}
	}
	if now := d.balance(t, p); now != balance {
		t.Errorf("balance %d, was %d", now, balance)
	}
	for _, r := range reqs { // their numbers and the code are as free as before
		must(d.pay(t, r))(t)
	}
}

// lostAnswer: the commit happens and nobody hears of it.
func lostAnswer(t *testing.T, d *desk) {
	p := d.person(t, 100_00)
	var lost atomic.Int32
	n := d.faulty(t, func(ctx context.Context, b payment.Batch, w []payment.Write, decided evidence.Bundle) error {
		if err := b.Commit(ctx, w, decided); err != nil {
			return err
		}
		if lost.Add(1)%3 != 0 { // every third answer arrives
			return ErrLost
		}
		return nil
	})
	taken := p.Tap(d.Terminal, order(), 1_00)
	d.mustPay(t, taken, payment.Approved)
	other := taken
	other.Amount = reqAmount
	code := d.code(t, p)
	reqs := []payment.Request{p.Tap(d.Terminal, order(), 1_00), Code(d.Terminal, order(), 1_00, code), taken, other,
		Code(d.Terminal, order(), 1_00, wrong(code)), p.Tap(d.Terminal, order(), 2000_00)}
	got := must(n.Payments.AuthorizeMany(t.Context(), d.Manager, reqs))(t)
	for i, want := range map[int]payment.State{0: payment.Approved, 1: payment.Approved, 2: payment.Approved, 5: payment.StepUpRequired} {
		if got[i].Err != nil {
			t.Errorf("payment %d: %v", i, got[i].Err)
			continue
		}
		wantState(t, got[i].Payment, want)
	}
	wantKind(t, got[3].Err, mianmi.Conflict, "order_conflict")
	wantKind(t, got[4].Err, mianmi.Invalid, "code_invalid")
	d.wantBalance(t, p, 97_00)
	if lost.Load() < 3 {
		t.Errorf("%d commits: the fault was not there", lost.Load())
	}
}

// A counter that cannot be read never becomes one that starts again at zero.
func unreadable(t *testing.T, d *desk) {
	for _, column := range []string{"counters", "pending", "allowance"} {
		p := d.person(t, 100_00)
		waiting := d.mustPay(t, p.Tap(d.Terminal, order(), 2000_00), payment.StepUpRequired)
		const spoiled = "{spoiled"
		if _, err := d.rows.ExecContext(t.Context(), `UPDATE payer SET `+column+` = $1 WHERE id = $2`, spoiled, string(p.ID)); err != nil {
			t.Fatal(err)
		}
		asked := d.mustPay(t, p.Tap(d.Terminal, order(), 1_00), payment.StepUpRequired)
		if asked.Reasons[0].Reason != pinfree.LayerUnknown {
			t.Errorf("%s: %v", column, asked.Reasons)
		}
		verified := p.Tap(d.Terminal, order(), 1_00)
		verified.CVM = pinfree.CDCVM
		if got, err := d.pay(t, verified); err == nil || mianmi.KindOf(err) != mianmi.Internal {
			t.Errorf("%s: %+v, %v", column, got, err)
		}
		if got, err := d.a.Payments.Confirm(t.Context(), p.Actor(), waiting.ID, PaymentPassword); err == nil || mianmi.KindOf(err) != mianmi.Internal {
			t.Errorf("%s: %+v, %v", column, got, err)
		}
		var now string
		if err := d.rows.QueryRowContext(t.Context(), `SELECT `+column+` FROM payer WHERE id = $1`, string(p.ID)).Scan(&now); err != nil {
			t.Fatal(err)
		}
		if now != spoiled || d.lines(t, asked.ID) != 0 {
			t.Errorf("%s became %q", column, now)
		}
	}
}

func expiryGoesOn(t *testing.T, d *desk) {
	p, q := d.person(t, 100_00), d.person(t, 100_00)
	stuck := d.mustPay(t, p.Tap(d.Terminal, order(), 2000_00), payment.StepUpRequired)
	d.clock.Add(1e6)
	due := d.mustPay(t, q.Tap(d.Terminal, order(), 2000_00), payment.StepUpRequired)
	if _, err := d.rows.ExecContext(t.Context(), `UPDATE payer SET counters = '{spoiled' WHERE id = $1`, string(p.ID)); err != nil {
		t.Fatal(err)
	}
	d.clock.Add(100e9)
	if n, err := d.a.Payments.ExpireOverdue(t.Context()); n != 1 || err == nil {
		t.Errorf("%d expired, error %v", n, err)
	}
	wantState(t, must(d.a.DB.Payment(t.Context(), due.ID))(t), payment.Expired)
	wantState(t, must(d.a.DB.Payment(t.Context(), stuck.ID))(t), payment.StepUpRequired)
}
