package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

var (
	anyQueue   = newTimed(`SELECT count(*) FROM (SELECT 1 FROM webhook_queue WHERE due_at <= {now} AND lease_until <= {now} AND kind = $1 LIMIT 1) AS q`)
	dueHealthy = newTimed(`SELECT webhook, failures FROM webhook_queue
	WHERE due_at <= {now} AND lease_until <= {now} AND failures = 0 AND kind = $2 ORDER BY due_at, webhook LIMIT $1`)
	dueFailing = newTimed(`SELECT webhook, failures FROM webhook_queue
	WHERE due_at <= {now} AND lease_until <= {now} AND failures > 0 AND kind = $2 ORDER BY due_at, webhook LIMIT $1`)
	takeQueue  = newTimed(`UPDATE webhook_queue SET holder = $2, lease_until = {now} + $3 WHERE webhook = $1`)
	renewQueue = newTimed(`UPDATE webhook_queue SET lease_until = {now} + $3 WHERE webhook = $1 AND holder = $2`)
	freeQueue  = newTimed(`UPDATE webhook_queue SET holder = '', lease_until = 0, failures = $2,
	failing_since = CASE WHEN $2 = 0 THEN NULL WHEN failing_since IS NULL THEN {now} ELSE failing_since END,
	due_at = CASE WHEN CAST($3 AS bigint) = 0 THEN NULL WHEN $2 > 0 THEN {now} + $4 WHEN CAST($3 AS bigint) < {now} THEN {now} ELSE CAST($3 AS bigint) END
	WHERE webhook = $1`)
)

const (
	sleepQueue = `UPDATE webhook_queue SET due_at = NULL WHERE webhook = $1`
	holdQueue  = `SELECT failures FROM webhook_queue WHERE webhook = $1 AND holder = $2`
	firstDue   = `SELECT coalesce(min(due_at), 0) FROM webhook_delivery WHERE bucket = $1 AND webhook || '' = $2 AND state = 1`
	liveHook   = `SELECT count(*) FROM webhook WHERE id = $1 AND version = $2 AND state = 1`
)

// Claim implements notice.Outbox.
func (db *DB) Claim(ctx context.Context, c notice.Claim) ([]notice.Claimed, error) {
	var have int
	if err := db.read.QueryRowContext(ctx, db.in(anyQueue), int64(c.Kind)).Scan(&have); err != nil || have == 0 {
		return nil, wrapDriver("look for queues", err)
	}
	var list []notice.Claimed
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		list = nil
		for _, pool := range []struct {
			query timed
			most  int
		}{{dueHealthy, c.Healthy}, {dueFailing, c.Failing}} {
			if pool.most <= 0 {
				continue
			}
			found, err := readAll(ctx, tx, func(scan scanner) (q notice.Claimed, err error) {
				err = scan(&q.Webhook.ID, &q.Failures)
				return q, err
			}, db.in(pool.query)+db.dialect.forClaim, pool.most, int64(c.Kind))
			if err != nil {
				return err
			}
			for _, q := range found {
				taken, err := db.take(ctx, tx, &q, c)
				if err != nil {
					return err
				}
				if taken {
					list = append(list, q)
				}
			}
		}
		return nil
	})
	return list, err
}

// take gives a queue that this transaction has locked to its new holder; false
// when its webhook is not active.
func (db *DB) take(ctx context.Context, tx *sql.Tx, q *notice.Claimed, c notice.Claim) (bool, error) {
	w, err := readOne(ctx, tx, "webhook", scanWebhook, selectWebhook, string(q.Webhook.ID))
	if err != nil && !errors.Is(err, mianmi.NotFound) {
		return false, err
	}
	if err != nil || w.State != notice.Active {
		_, err := tx.ExecContext(ctx, sleepQueue, string(q.Webhook.ID))
		return false, wrapDriver("let a queue rest", err)
	}
	q.Webhook = w
	_, err = tx.ExecContext(ctx, db.in(takeQueue), string(w.ID), c.Holder, c.Lease.Microseconds())
	return true, wrapDriver("take a queue", err)
}

// Renew implements notice.Outbox.
func (db *DB) Renew(ctx context.Context, h notice.Holding) (bool, error) {
	ours := false
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, db.in(renewQueue), string(h.Webhook), h.Holder, h.Lease.Microseconds())
		if err != nil {
			return wrapDriver("keep a queue", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return wrapDriver("keep a queue", err)
		}
		var live int
		if err := tx.QueryRowContext(ctx, liveHook, string(h.Webhook), h.Version).Scan(&live); err != nil {
			return wrapDriver("look at a webhook", err)
		}
		ours = n == 1 && live == 1
		return nil
	})
	return ours, err
}

const deliveryColumns = `d.webhook, d.number, d.subject, d.seq, d.topic, d.ref, d.at, d.state, d.attempts, d.queued_at, d.due_at, d.tried_at,
	d.took_ms, d.status, d.fault, d.answer`

// dueDeliveries reads with each row the one before it that waits of its
// subject, so that a row is never sent before another that lies behind a pause.
// It must be quick, however much waits, before PostgreSQL has statistics, too:
// only the index of due rows answers to webhook || ”, only that of subjects to
// the inner part, and a limit that is not known beforehand favours reading in order.
var dueDeliveries = newTimed(`SELECT ` + deliveryColumns + `, coalesce((SELECT max(p.number + 0) FROM webhook_delivery p
	WHERE p.bucket = d.bucket AND p.webhook || '' || '' = d.webhook AND p.subject = d.subject AND p.state = 1 AND p.number < d.number), 0), {now} - d.queued_at
	FROM webhook_delivery d WHERE d.bucket = $1 AND d.webhook || '' = $2 AND d.state = 1 AND d.due_at <= {now} ORDER BY d.due_at, d.number LIMIT (SELECT CAST($3 AS bigint))`)

// Due implements notice.Outbox.
func (db *DB) Due(ctx context.Context, id mianmi.WebhookID, limit int) ([]notice.Delivery, error) {
	return readAll(ctx, db.read, func(scan scanner) (notice.Delivery, error) {
		var prev, age int64
		d, err := scanDelivery(func(dest ...any) error { return scan(append(dest, &prev, &age)...) })
		d.Prev, d.Age = prev, time.Duration(age)*time.Microsecond
		return d, err
	}, db.in(dueDeliveries), int64(mianmi.BucketOf(string(id))), string(id), limit)
}

func scanDelivery(scan scanner) (d notice.Delivery, err error) {
	var at, queued, due, took int64
	var tried sql.NullInt64
	err = scan(&d.Webhook, &d.Number, &d.Subject, &d.Seq, &d.Topic, &d.Ref, &at, &d.State, &d.Attempts, &queued, &due, &tried,
		&took, &d.Status, &d.Fault, &d.Answer)
	d.At, d.QueuedAt, d.DueAt, d.TriedAt = fromMicros(at), fromMicros(queued), fromMicros(due), fromNullMicros(tried)
	d.Took = time.Duration(took) * time.Millisecond
	return d, err
}

// What another node has delivered meanwhile stays delivered.
var settleDeliveries = newTimedRows(4, `WITH v (number, state, status, fault, answer, took, wait) AS (VALUES
	[(CAST($5 AS bigint), CAST($6 AS smallint), CAST($7 AS smallint), CAST($8 AS smallint), CAST($9 AS text), CAST($10 AS integer), CAST($11 AS bigint))])
	UPDATE webhook_delivery SET state = v.state, attempts = webhook_delivery.attempts + 1, status = v.status, fault = v.fault, answer = v.answer,
	took_ms = v.took, tried_at = {now}, due_at = {now} + v.wait FROM v
	WHERE webhook_delivery.bucket = $1 AND webhook_delivery.webhook = $2 AND webhook_delivery.number = v.number AND webhook_delivery.state = 1
	AND webhook_delivery.number BETWEEN $3 AND $4`) // so that the join need not read all of the webhook

// Settle implements notice.Outbox.
func (db *DB) Settle(ctx context.Context, id mianmi.WebhookID, list []notice.Tried) error {
	list = slices.SortedFunc(slices.Values(list), func(a, b notice.Tried) int { return cmp.Compare(a.Number, b.Number) })
	rows := make([][]any, len(list))
	for i, t := range list {
		rows[i] = []any{t.Number, int64(t.State), t.Status, int64(t.Fault), t.Answer, t.Took.Milliseconds(), t.Wait.Microseconds()}
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return wrapDriver("settle deliveries", inSteps(len(rows), func(from, n int) error {
			part := rows[from : from+n]
			shared := []any{int64(mianmi.BucketOf(string(id))), string(id), part[0][0], part[n-1][0]}
			return db.writeRows(ctx, tx, settleDeliveries, shared, part)
		}))
	})
}

const postponeDeliveries = `UPDATE webhook_delivery SET due_at = coalesce((SELECT max(p.due_at) FROM webhook_delivery p
	WHERE p.bucket = webhook_delivery.bucket AND p.webhook || '' || '' = webhook_delivery.webhook AND p.subject = webhook_delivery.subject AND p.state = 1
	AND p.number < webhook_delivery.number), due_at) WHERE bucket = $1 AND webhook = $2 AND state = 1 AND number IN `

// Postpone implements notice.Outbox.
func (db *DB) Postpone(ctx context.Context, id mianmi.WebhookID, numbers []int64) error {
	if len(numbers) == 0 {
		return nil
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for rest := numbers; len(rest) > 0; {
			part := rest[:min(len(rest), manyMax)]
			rest = rest[len(part):]
			args := []any{int64(mianmi.BucketOf(string(id))), string(id)}
			for _, n := range part {
				args = append(args, n)
			}
			if _, err := tx.ExecContext(ctx, postponeDeliveries+`(`+places(3, len(part))+`)`, args...); err != nil { //nolint:gosec // placeholders alone
				return wrapDriver("postpone deliveries", err)
			}
		}
		return nil
	})
}

// Release implements notice.Outbox. The queue's row is locked before what is
// due is read, and dispatching locks it before it adds to that: no delivery is
// left without a queue that is due.
func (db *DB) Release(ctx context.Context, r notice.Release) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var failures int
		err := tx.QueryRowContext(ctx, holdQueue+db.dialect.forUpdate, string(r.Webhook), r.Holder).Scan(&failures)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // another node has it
		}
		if err != nil {
			return wrapDriver("give a queue back", err)
		}
		var due int64
		if err := tx.QueryRowContext(ctx, firstDue, int64(mianmi.BucketOf(string(r.Webhook))), string(r.Webhook)).Scan(&due); err != nil {
			return wrapDriver("read what is due", err)
		}
		_, err = tx.ExecContext(ctx, db.in(freeQueue), string(r.Webhook), r.Failures, due, r.Wait.Microseconds())
		return wrapDriver("give a queue back", err)
	})
}
