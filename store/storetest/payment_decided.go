package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
)

// CheckDecided checks that every payment of the database has exactly one record
// in exactly one batch, that the record says what the payment's row says, that
// the batch's entry stands for its records, and that the store finds them.
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
		got.Later = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("payment %s (-where its record is +where it is found):\n%s", id, diff)
		}
		p := must(db.Payment(t.Context(), id))(t)
		record := must(db.Leaf(t.Context(), got.Decided))(t).Records[got.Index]
		if diff := cmp.Diff(asDecided(p), must(payment.ReadDecided(record))(t), cmp.AllowUnexported(money.Amount{}), cmpopts.EquateEmpty()); diff != "" && p.Version == 1 {
			t.Errorf("payment %s (-row +record):\n%s", id, diff)
		}
	}
	for id := range found {
		t.Errorf("a record of payment %s, which there is not", id)
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
