package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store"
)

// CheckDecided checks that every payment of the database has exactly one record
// in exactly one batch, that the record says what the payment's row says, that
// the batch's entry stands for its records, that each later change has its
// entry, and that the store finds them all. Each top-up has its entry too.
func CheckDecided(t *testing.T, db *store.DB, dsn string) {
	t.Helper()
	found := map[mianmi.PaymentID]payment.Entries{}
	for _, row := range rowsOf(t, Inspect(t, dsn), `SELECT id FROM entry WHERE type = 'batch' ORDER BY id`) {
		checkBundle(t, db, mianmi.EntryID(row[0]), found)
	}
	for _, row := range rowsOf(t, Inspect(t, dsn), `SELECT id FROM payment`) {
		id := mianmi.PaymentID(row[0])
		want, ok := found[id]
		if !ok {
			t.Errorf("payment %s has no record", id)
			continue
		}
		delete(found, id)
		got := must(db.PaymentEntries(t.Context(), id))(t)
		p := must(db.Payment(t.Context(), id))(t)
		checkLater(t, db, p, got.Later)
		got.Later = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("payment %s (-where its record is +where it is found):\n%s", id, diff)
		}
		record := must(db.Leaf(t.Context(), got.Decided))(t).Records[got.Index]
		if diff := cmp.Diff(asDecided(p), must(payment.ReadDecided(record))(t), cmp.AllowUnexported(money.Amount{}), cmpopts.EquateEmpty()); diff != "" && p.Version == 1 {
			t.Errorf("payment %s (-row +record):\n%s", id, diff)
		}
	}
	checkTopUps(t, db, dsn)
	for id := range found {
		t.Errorf("a record of payment %s, which there is not", id)
	}
}

// checkLater checks that each version of a payment after the first has its
// entry, and that the last says how the payment stands.
func checkLater(t *testing.T, db *store.DB, p *payment.Payment, ids []mianmi.EntryID) {
	t.Helper()
	if int64(len(ids)) != p.Version-1 {
		t.Errorf("payment %s of version %d has %d later entries", p.ID, p.Version, len(ids))
		return
	}
	for i, id := range ids {
		e := must(evidence.Decode(must(db.Leaf(t.Context(), id))(t).Bytes))(t)
		c := must(payment.ReadChanged(e))(t)
		if e.Subject != string(p.ID) || e.Actor == "" || c.Version != int64(i)+2 {
			t.Errorf("payment %s: entry %d is %+v: %+v", p.ID, i, e, c)
		}
		if i == len(ids)-1 && (c.State != p.State || c.Failure != p.Failure || c.Tries != p.Tries || c.Refunded != p.Refunded || !e.At.Equal(p.StateAt)) {
			t.Errorf("payment %s is %+v; its last entry of %v says %+v", p.ID, p, e.At, c)
		}
	}
}

func checkTopUps(t *testing.T, db *store.DB, dsn string) {
	t.Helper()
	for _, row := range rowsOf(t, Inspect(t, dsn), `SELECT t.id, t.payer, t.amount, e.id FROM top_up t LEFT JOIN entry e ON e.subject = t.id`) {
		e := must(evidence.Decode(must(db.Leaf(t.Context(), mianmi.EntryID(row[3])))(t).Bytes))(t)
		if said := must(payment.ReadToppedUp(e))(t); string(said.Payer) != row[1] || fmt.Sprint(said.Amount.Minor()) != row[2] {
			t.Errorf("top-up %v: %+v", row, said)
		}
	}
}

func checkBundle(t *testing.T, db *store.DB, id mianmi.EntryID, found map[mianmi.PaymentID]payment.Entries) {
	t.Helper()
	leaf := must(db.Leaf(t.Context(), id))(t)
	var said evidence.Batch
	if err := must(evidence.Decode(leaf.Bytes))(t).ReadBody(&said); err != nil {
		t.Fatal(err)
	}
	if is := must(evidence.NewBatch(payment.DecidedKind, leaf.Records))(t); is != said {
		t.Errorf("batch %s says %+v of its records, which are %+v", id, said, is)
	}
	for i, r := range leaf.Records {
		d := must(payment.ReadDecided(r))(t)
		if first, twice := found[d.Payment]; twice {
			t.Errorf("payment %s has a record in %s and one in %s", d.Payment, first.Decided, id)
		}
		found[d.Payment] = payment.Entries{Decided: id, Index: int64(i)}
	}
}

// asDecided is what the record of a payment must say that has not changed since.
func asDecided(p *payment.Payment) payment.Decided {
	return payment.Decided{Payment: p.ID, At: p.CreatedAt, Merchant: p.Merchant, Store: p.Store, Terminal: p.Terminal, Payer: p.Payer,
		Instrument: p.Instrument, Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: p.CVM, Channel: p.Channel, Outcome: p.Outcome,
		Reasons: p.Reasons, State: p.State, Failure: p.Failure, StepUp: p.StepUp, Rules: p.Rules, Epoch: p.Epoch, PayerVersion: p.PayerVersion,
		Actor: p.Actor}
}

// told is what the log tells of one change.
type told struct {
	Type, Actor string
	payment.Changed
}

// later is what the log tells of a payment after its decision.
func (d *desk) later(t *testing.T, id mianmi.PaymentID) (list []told) {
	t.Helper()
	for _, e := range must(d.b.Payments.Entries(t.Context(), d.Manager, id))(t).Later {
		entry := must(evidence.Decode(must(d.b.DB.Leaf(t.Context(), e))(t).Bytes))(t)
		list = append(list, told{entry.Type, entry.Actor, must(payment.ReadChanged(entry))(t)})
	}
	return list
}

// changesAreTold: who did what to a payment, how the payer authenticated, and
// what came of it, is in the log, in its order.
func changesAreTold(t *testing.T, d *desk) {
	ctx, p := t.Context(), d.person(t, 100_00)
	atPhone := d.waiting(t, p)
	_, err := d.a.Payments.Confirm(ctx, p.Actor(), atPhone.ID, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	_, err = d.b.Payments.ConfirmPIN(ctx, d.software(), atPhone.ID, d.pin(t, atPhone.ID, "111222"))
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	must(d.b.Payments.Confirm(ctx, p.Actor(), atPhone.ID, PaymentPassword))(t)
	first := must(d.a.Payments.Refund(ctx, Support, atPhone.ID, payment.RefundRequest{RefundNo: "r1", Amount: money.Of(5_00, "CNY"), Reason: "broken"}))(t)
	rest := must(d.a.Payments.Refund(ctx, d.Manager, atPhone.ID, payment.RefundRequest{RefundNo: "r2", Amount: money.Of(15_00, "CNY")}))(t)
	payerIs, software, manager := p.Actor().String(), d.software().String(), d.Manager.String()
	d.wantTold(t, atPhone, []told{
		{payment.TypeTryFailed, payerIs, payment.Changed{Version: 2, State: payment.StepUpRequired, By: pinfree.PhonePassword, Tries: 1}},
		{payment.TypeTryFailed, software, payment.Changed{Version: 3, State: payment.StepUpRequired, By: pinfree.OnlinePIN, Tries: 2}},
		{payment.TypeVerified, payerIs, payment.Changed{Version: 4, State: payment.Approved, By: pinfree.PhonePassword, Tries: 2}},
		{payment.TypeRefunded, Support.String(), payment.Changed{Version: 5, State: payment.PartlyRefunded, Tries: 2, Refund: first.ID, Amount: first.Amount, Refunded: 5_00}},
		{payment.TypeRefunded, manager, payment.Changed{Version: 6, State: payment.Refunded, Tries: 2, Refund: rest.ID, Amount: rest.Amount, Refunded: 20_00}},
	})
	atTerminal := d.waiting(t, p)
	must(d.a.Payments.ConfirmPIN(ctx, d.software(), atTerminal.ID, d.pin(t, atTerminal.ID, PaymentPassword)))(t)
	must(d.a.Payments.Reverse(ctx, d.Manager, atTerminal.ID))(t)
	d.wantTold(t, atTerminal, []told{
		{payment.TypeVerified, software, payment.Changed{Version: 2, State: payment.Approved, By: pinfree.OnlinePIN}},
		{payment.TypeReversed, manager, payment.Changed{Version: 3, State: payment.Reversed}},
	})
	poor := d.mustPay(t, p.Tap(d.Terminal, order(), 500_01), payment.StepUpRequired)
	must(d.a.Payments.Confirm(ctx, p.Actor(), poor.ID, PaymentPassword))(t)
	d.wantTold(t, poor, []told{
		{payment.TypeVerified, payerIs, payment.Changed{Version: 2, State: payment.Declined, Failure: channel.InsufficientFunds, By: pinfree.PhonePassword}},
	})
	off := d.waiting(t, p)
	must(d.b.Payments.Cancel(ctx, p.Actor(), off.ID))(t)
	d.wantTold(t, off, []told{{payment.TypeCancelled, payerIs, payment.Changed{Version: 2, State: payment.Declined}}})
	late := d.waiting(t, p)
	d.clock.Add(91e9)
	must(d.a.Payments.ExpireOverdue(ctx))(t)
	d.wantTold(t, late, []told{{payment.TypeExpired, "system:expiry", payment.Changed{Version: 2, State: payment.Expired}}})
}

func (d *desk) wantTold(t *testing.T, p *payment.Payment, want []told) {
	t.Helper()
	if diff := cmp.Diff(want, d.later(t, p.ID), amounts); diff != "" {
		t.Errorf("payment %s (-want +log):\n%s", p.OrderNo, diff)
	}
}
