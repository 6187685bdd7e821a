package storetest

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/secret"
)

// personErased: of all that names a payer nothing is in the log, in no entry and
// in no record of a batch, whoever wrote it where. Once the person is erased the
// log verifies as before, and the digest in it leads nowhere.
func personErased(t *testing.T, d *desk) {
	ctx, p := t.Context(), d.person(t, 100_00)
	who := must(d.a.DB.Person(ctx, p.ID))(t)
	// What people write where they should not: a phone number as a case's number,
	// in an order, a refund and a top-up.
	basis := payer.Basis{Method: payer.ByVideo, Ref: who.Phone[3:]} // with the country, one in ten would pass for a card number
	must(d.a.Payers.Close(ctx, Support, p.ID, basis))(t)
	must(d.a.Payers.AddInstrument(ctx, Backend, p.ID, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Issuer: "icbc", Last4: "9753"}))(t)
	r := p.Tap(d.Terminal, who.Phone[1:], 20_00)
	w := d.mustPay(t, r, payment.StepUpRequired)
	_, err := d.a.Payments.Confirm(ctx, p.Actor(), w.ID, "111222")
	wantKind(t, err, mianmi.Unauthenticated, "password_wrong")
	must(d.a.Payments.Confirm(ctx, p.Actor(), w.ID, PaymentPassword))(t)
	must(d.a.Payments.Refund(ctx, d.Manager, w.ID, payment.RefundRequest{RefundNo: who.Phone[1:], Amount: money.Of(1, "CNY"), Reason: "for " + who.Name}))(t)
	must(d.a.Payments.TopUp(ctx, Operator, payment.TopUpRequest{Payer: p.ID, Key: who.Phone[1:], Amount: money.Of(1, "CNY")}))(t)
	must(d.pay(t, payment.Request{Terminal: d.Terminal, OrderNo: who.Phone[3:], Amount: money.Of(1, "CNY"), Method: pinfree.Cash}))(t)
	rest := d.mustPay(t, p.Tap(d.Terminal, order(), must(d.a.DB.Payer(ctx, p.ID))(t).Balance.Minor()), payment.StepUpRequired)
	must(d.a.Payments.Confirm(ctx, p.Actor(), rest.ID, PaymentPassword))(t)
	must(d.a.Payers.ReportLoss(ctx, Support, p.ID, basis))(t)

	key := must(evidence.NewKey("log.example", bytes.Repeat([]byte{7}, 32)))(t)
	log := evidence.NewLog(d.a.DB, key, d.clock)
	before := d.sequenced(t, log)
	private := []string{who.Phone[1:], who.Phone[3:], who.Name, "9753\"", PaymentPassword, "111222"}
	digest := payer.Basis.Recorded(basis, must(d.personKey(t, p.ID))(t)).RefDigest
	digests := 0
	for _, leaf := range before {
		for _, text := range append([][]byte{leaf.Bytes}, leaf.Records...) {
			for _, s := range private {
				if bytes.Contains(text, []byte(s)) {
					t.Errorf("the log holds %q: %s", s, text)
				}
			}
			digests += bytes.Count(text, []byte(digest))
		}
	}
	if digests != 2 {
		t.Errorf("the digest of the case's number is in the log %d times, want 2", digests)
	}

	e := d.erase(t, p, who)
	after := d.sequenced(t, log)
	if len(after) != len(before)+1 || after[len(before)].ID != e.ID {
		t.Errorf("%d entries, then %d", len(before), len(after))
	}
	for i, leaf := range after {
		if i < len(before) && !bytes.Equal(leaf.Bytes, before[i].Bytes) {
			t.Errorf("entry %s changed", leaf.ID)
		}
	}
	d.verified(t, log, after)
	// The payer is nobody now, and what is left of the account still works safely.
	must(d.a.Payers.Close(ctx, Support, p.ID, basis))(t)
	if next := must(d.pay(t, p.Tap(d.Terminal, order(), 1_00)))(t); next.State == payment.Approved {
		t.Errorf("an erased payer paid: %+v", next)
	}
}

// erase forgets the person, which can be done once, and looks for what is left.
func (d *desk) erase(t *testing.T, p Person, who payer.Person) evidence.Entry {
	t.Helper()
	ctx := t.Context()
	e := evidence.Entry{ID: mianmi.EntryID(must(mianmi.NewID("en", d.clock.Now(), rand.Reader))(t)), At: d.clock.Now(), Type: "payer.erased",
		Subject: string(p.ID), Actor: Operator.String(), Body: []byte("{}")}
	erase := privacy.Erasure{Payer: p.ID, PhoneDigest: d.keys.Digest(secret.ForPhone, who.Phone), Entry: e}
	for _, a := range must(d.a.DB.Agreements(ctx, p.ID))(t) {
		must(d.a.Payers.CloseAgreement(ctx, p.Actor(), p.ID, a.ID))(t)
	}
	if err := d.a.DB.ErasePerson(ctx, erase); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.a.DB.ErasePerson(ctx, erase), mianmi.NotFound, "")
	_, err := d.a.DB.Person(ctx, p.ID)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = d.a.DB.PayerByPhone(ctx, erase.PhoneDigest)
	wantKind(t, err, mianmi.NotFound, "")
	if _, err := d.personKey(t, p.ID); err == nil {
		t.Error("the key is still there")
	}
	for _, i := range must(d.a.DB.Instruments(ctx, p.ID))(t) {
		if i.Last4 != "" {
			t.Errorf("a card still shows %q", i.Last4)
		}
	}
	return e
}

func (d *desk) personKey(t *testing.T, id mianmi.PayerID) (key []byte, err error) {
	t.Helper()
	return key, d.rows.QueryRowContext(t.Context(), `SELECT key FROM payer_person WHERE payer = $1`, string(id)).Scan(&key)
}

// sequenced puts all that waits into the log and returns it.
func (d *desk) sequenced(t *testing.T, log *evidence.Log) []evidence.Leaf {
	t.Helper()
	for must(log.Sequence(t.Context()))(t).Entries > 0 {
	}
	return must(d.a.DB.Leaves(t.Context(), 0, 1000))(t)
}

// verified rebuilds the log's root from its entries and compares it with the
// newest checkpoint.
func (d *desk) verified(t *testing.T, log *evidence.Log, leaves []evidence.Leaf) {
	t.Helper()
	texts := make([][]byte, len(leaves))
	for i, l := range leaves {
		texts[i] = l.Bytes
	}
	all := must(evidence.NewBatch("all", texts))(t) // the tree over the whole log
	if c := must(d.a.DB.Checkpoint(t.Context()))(t); c.Size != int64(len(leaves)) || !bytes.Contains([]byte(c.Note), []byte(all.Root.String())) {
		t.Errorf("the checkpoint of %d entries does not stand for them: %s", c.Size, c.Note)
	}
	for _, l := range leaves {
		if l.Records == nil {
			must(log.Receipt(t.Context(), l.ID))(t)
		}
	}
}
