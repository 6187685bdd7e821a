package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
)

// Record implements notice.Outbox and notice.Records: it reads what deliveries
// tell of, each kind in as few statements as is sensible.
func (db *DB) Record(ctx context.Context, list []notice.Delivery) (notice.Record, error) {
	r := notice.Record{Payments: map[mianmi.PaymentID]*payment.Payment{}, Refunds: map[mianmi.PaymentID][]payment.Refund{},
		TopUps: map[string]payment.TopUp{}, Entries: map[mianmi.EntryID]evidence.Entry{}}
	var entries []mianmi.EntryID
	payments, refunded := map[mianmi.PaymentID]bool{}, map[mianmi.PaymentID]bool{}
	for i := range list {
		d := &list[i]
		switch {
		case isEntry(&d.Fact):
			entries = append(entries, mianmi.EntryID(d.Ref))
		case d.Topic == notice.Topic(payment.TopicToppedUp):
			if err := db.recordTopUp(ctx, d, &r); err != nil {
				return r, err
			}
		case d.Topic < notice.PayerClosed:
			payments[mianmi.PaymentID(d.Subject)] = true
			switch payment.Topic(d.Topic) {
			case payment.TopicRefunded, payment.TopicRefundPending, payment.TopicRefundFailed, payment.TopicKept:
				refunded[mianmi.PaymentID(d.Subject)] = true
			}
		}
	}
	texts, err := readEntries(ctx, db.read, entries)
	if err != nil {
		return r, err
	}
	for id, text := range texts {
		if r.Entries[id], err = evidence.Decode(text); err != nil {
			return r, fmt.Errorf("decode entry %s: %w", id, err)
		}
	}
	if err := db.recordPayments(ctx, payments, &r); err != nil {
		return r, err
	}
	return r, db.recordRefunds(ctx, refunded, &r)
}

// inBuckets holds identifiers with their buckets, as parameters of a list
// (bucket, id) that a query joins: so every row is found by its key.
func inBuckets(ids []mianmi.PaymentID) (list string, args []any, err error) {
	var b strings.Builder
	for i, id := range ids {
		bucket, err := id.Bucket()
		if err != nil {
			return "", nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(CAST($%d AS smallint), CAST($%d AS text))", 2*i+1, 2*i+2)
		args = append(args, int64(bucket), string(id))
	}
	return b.String(), args, nil
}

// inParts calls fn with the identifiers, so many at once as one statement takes.
func inParts(set map[mianmi.PaymentID]bool, fn func(list string, args []any) error) error {
	var ids []mianmi.PaymentID
	for id := range set {
		ids = append(ids, id)
	}
	for len(ids) > 0 {
		n := min(len(ids), manyMax/2)
		list, args, err := inBuckets(ids[:n])
		if err == nil {
			err = fn(list, args)
		}
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

var paymentsByKey = `SELECT p.` + strings.Join(strings.Fields(paymentColumns), " p.") + ` FROM v JOIN payment p ON p.bucket = v.bucket AND p.id = v.id`

func (db *DB) recordPayments(ctx context.Context, set map[mianmi.PaymentID]bool, r *notice.Record) error {
	return inParts(set, func(list string, args []any) error {
		rows, err := readAll(ctx, db.read, func(scan scanner) (row paymentRow, err error) {
			err = scan(row.dest()...)
			return row, err
		}, `WITH v (bucket, id) AS (VALUES `+list+`) `+paymentsByKey, args...)
		if err != nil {
			return err
		}
		for i := range rows {
			p, err := rows[i].payment()
			if err != nil {
				return err
			}
			r.Payments[p.ID] = p
		}
		return nil
	})
}

const refundsByKey = `SELECT f.payment, f.id, f.refund_no, f.amount, f.currency, f.actor, f.at, f.state, f.asked, f.settled
	FROM v JOIN refund f ON f.bucket = v.bucket AND f.payment = v.id ORDER BY f.payment, f.at, f.id`

func (db *DB) recordRefunds(ctx context.Context, set map[mianmi.PaymentID]bool, r *notice.Record) error {
	return inParts(set, func(list string, args []any) error {
		rows, err := readAll(ctx, db.read, func(scan scanner) (f payment.Refund, err error) {
			var minor, at int64
			var currency string
			var state int16
			err = scan(&f.Payment, &f.ID, &f.RefundNo, &minor, &currency, &f.Actor, &at, &state, &f.Asked, &f.Settled)
			f.State = payment.RefundState(state) //nolint:gosec // as stored
			f.Amount, f.At = money.Of(minor, money.Currency(currency)), fromMicros(at)
			return f, err
		}, `WITH v (bucket, id) AS (VALUES `+list+`) `+refundsByKey, args...)
		for _, f := range rows {
			r.Refunds[f.Payment] = append(r.Refunds[f.Payment], f)
		}
		return err
	})
}

// topUpRef names a top-up by its key: identifiers of top-ups carry no bucket.
func topUpRef(p mianmi.PayerID, key string) string { return string(p) + "/" + key }

func (db *DB) recordTopUp(ctx context.Context, d *notice.Delivery, r *notice.Record) error {
	owner, key, _ := strings.Cut(d.Ref, "/")
	t := payment.TopUp{Payer: mianmi.PayerID(owner), Key: key}
	var minor, at int64
	var currency string
	err := db.read.QueryRowContext(ctx, sqlTopUpBefore, int16(t.Payer.Bucket()), owner, key).Scan(&t.ID, &minor, &currency, &at, &t.Actor)
	t.Amount, t.At = money.Of(minor, money.Currency(currency)), fromMicros(at)
	if err == nil {
		r.TopUps[t.ID] = t
	}
	return missing("top-up", err)
}

// readEntries reads entries as they are stored; those that are not there are
// left out.
func readEntries(ctx context.Context, q querier, ids []mianmi.EntryID) (map[mianmi.EntryID][]byte, error) {
	type row struct {
		id   mianmi.EntryID
		text []byte
	}
	out := map[mianmi.EntryID][]byte{}
	for len(ids) > 0 {
		part := ids[:min(len(ids), manyMax)]
		ids = ids[len(part):]
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = string(id)
		}
		rows, err := readAll(ctx, q, func(scan scanner) (r row, err error) {
			err = scan(&r.id, &r.text)
			return r, err
		}, `SELECT id, bytes FROM entry WHERE id IN (`+places(1, len(part))+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.id] = r.text
		}
	}
	return out, nil
}
