package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

// DB is where notice keeps webhooks, and what it sends from.
var (
	_ notice.Records = (*DB)(nil)
	_ notice.Outbox  = (*DB)(nil)
)

// tellEntry writes the fact that an entry records, if it is one that webhooks
// may be told of.
func tellEntry(ctx context.Context, tx *sql.Tx, bucket mianmi.Bucket, number int64, e *evidence.Entry) error {
	topic, ok := notice.TopicOfEntry(e.Type)
	if !ok {
		return nil
	}
	_, err := tx.ExecContext(ctx, sqlOutbox, int64(bucket), micros(e.At), e.Subject, number, int64(topic), "", string(e.ID))
	return wrapDriver("write the outbox", err)
}

// tellPayment writes the fact of a payment's new state, if anybody listens.
func (db *DB) tellPayment(ctx context.Context, tx *sql.Tx, snap *settings.Snapshot, r *paymentRow, t payment.Topic) error {
	if snap == nil {
		var err error
		if snap, err = db.settingsIn(ctx, tx); err != nil {
			return err
		}
	}
	if !r.told(snap, t) {
		return nil
	}
	_, err := tx.ExecContext(ctx, sqlOutbox, r.fact(t)...)
	return wrapDriver("write the outbox", err)
}

// told reports whether anybody wants to be told of the payment's state. The
// settings are those of the payment's own transaction, so a webhook misses
// nothing that begins after it was made.
func (r *paymentRow) told(snap *settings.Snapshot, t payment.Topic) bool {
	return snap.Wants(mianmi.MerchantID(r.merchant), uint8(t))
}

// fact is the row of the outbox that tells of the payment's state.
func (r *paymentRow) fact(t payment.Topic) []any {
	return []any{r.bucket, r.stateAt, r.id, r.version, int16(t), r.merchant, ""}
}

// outboxRow is a fact under dispatch.
type outboxRow struct {
	n    int64
	fact notice.Fact
}

const (
	anyOutbox  = `SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1) AS o`
	readOutbox = `SELECT n, at, subject, seq, topic, merchant, ref FROM outbox ORDER BY n LIMIT $1`
)

var (
	// A queue that fails keeps its pause; one that is paused is not woken.
	numberQueue = newTimed(`UPDATE webhook_queue SET numbered = numbered + $2, due_at = CASE WHEN $3 = 0 THEN due_at
	WHEN due_at IS NULL THEN {now} WHEN failures > 0 OR due_at < {now} THEN due_at ELSE {now} END WHERE webhook = $1 RETURNING numbered`)
	insertDelivery = newTimedRows(0, `INSERT INTO webhook_delivery (bucket, webhook, number, subject, seq, topic, ref, at, state, attempts,
	queued_at, due_at, took_ms, status, fault, answer) VALUES [($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, {now}, {now}, 0, 0, 0, '')]`)
)

// Dispatch implements notice.Outbox. One transaction at a time dispatches, on
// all nodes: so facts are numbered in the order of n, and of one subject an
// earlier one is never behind a later one. A transaction that commits late is
// found by the next round: nothing is remembered of how far this one came.
func (db *DB) Dispatch(ctx context.Context, most int, route func([]notice.Fact, *settings.Snapshot) [][]settings.Listener) (int, error) {
	var have int
	if err := db.read.QueryRowContext(ctx, anyOutbox).Scan(&have); err != nil || have == 0 {
		return 0, wrapDriver("look into the outbox", err)
	}
	count := 0
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		count = 0
		if locked, err := tryLock(ctx, tx, db.dialect.tryOutboxLock); err != nil || !locked {
			return err
		}
		rows, err := readFacts(ctx, tx, most)
		if err != nil || len(rows) == 0 {
			return err
		}
		snap, err := db.settingsIn(ctx, tx)
		if err != nil {
			return err
		}
		facts, gone := make([]notice.Fact, len(rows)), make([]any, len(rows))
		for i, r := range rows {
			facts[i], gone[i] = r.fact, r.n
		}
		if err := db.numberDeliveries(ctx, tx, facts, route(facts, snap)); err != nil {
			return err
		}
		count = len(rows)
		return removeFacts(ctx, tx, gone)
	})
	return count, err
}

func readFacts(ctx context.Context, tx *sql.Tx, most int) ([]outboxRow, error) {
	rows, err := readAll(ctx, tx, func(scan scanner) (r outboxRow, err error) {
		var at int64
		f := &r.fact
		err = scan(&r.n, &at, &f.Subject, &f.Seq, &f.Topic, &f.Merchant, &f.Ref)
		f.At = fromMicros(at)
		return r, err
	}, readOutbox, most)
	if err != nil {
		return nil, err
	}
	var ids []mianmi.EntryID
	for _, r := range rows {
		if isEntry(&r.fact) {
			ids = append(ids, mianmi.EntryID(r.fact.Ref))
		}
	}
	texts, err := readEntries(ctx, tx, ids)
	for i := range rows {
		if f := &rows[i].fact; isEntry(f) {
			f.Entry = texts[mianmi.EntryID(f.Ref)]
		}
	}
	return rows, err
}

// isEntry reports whether an entry records the fact.
func isEntry(f *notice.Fact) bool { return strings.HasPrefix(f.Ref, "en") }

// numberDeliveries gives each webhook its deliveries. Webhooks are taken in the order of
// their identifiers: two transactions that take several never wait in a circle.
func (db *DB) numberDeliveries(ctx context.Context, tx *sql.Tx, facts []notice.Fact, to [][]settings.Listener) error {
	of := map[mianmi.WebhookID][]int{}
	var listeners []settings.Listener
	for i, list := range to {
		for _, l := range list {
			if of[l.ID] == nil {
				listeners = append(listeners, l)
			}
			of[l.ID] = append(of[l.ID], i)
		}
	}
	slices.SortFunc(listeners, func(a, b settings.Listener) int { return cmp.Compare(a.ID, b.ID) })
	var rows [][]any
	for _, l := range listeners {
		mine := of[l.ID]
		var last int64
		err := tx.QueryRowContext(ctx, db.in(numberQueue), string(l.ID), len(mine), truth(!l.Paused)).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			continue // it was removed, and its queue swept
		}
		if err != nil {
			return wrapDriver("number deliveries", err)
		}
		for k, i := range mine {
			rows = append(rows, deliveryRow(l.ID, last-int64(len(mine)-1-k), &facts[i]))
		}
	}
	return wrapDriver("write deliveries", db.writeRows(ctx, tx, insertDelivery, nil, rows))
}

func deliveryRow(id mianmi.WebhookID, number int64, f *notice.Fact) []any {
	return []any{int64(mianmi.BucketOf(string(id))), string(id), number, f.Subject, f.Seq, int64(f.Topic), f.Ref, micros(f.At)}
}

func removeFacts(ctx context.Context, tx *sql.Tx, gone []any) error {
	for len(gone) > 0 {
		part := gone[:min(len(gone), manyMax)]
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE n IN (`+places(1, len(part))+`)`, part...); err != nil { //nolint:gosec // placeholders alone
			return wrapDriver("remove dispatched facts", err)
		}
		gone = gone[len(part):]
	}
	return nil
}
