package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

const (
	allQueues = `SELECT q.webhook, coalesce(w.state, 4) FROM webhook_queue q LEFT JOIN webhook w ON w.id = q.webhook ORDER BY q.webhook`

	dropDeliveries = `DELETE FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 AND number IN
	(SELECT number FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 ORDER BY number LIMIT $3)`
	dropQueue = `DELETE FROM webhook_queue WHERE webhook = $1`
)

var (
	// What was never tried is due since it waits; what was tried ends by its next try.
	giveUp = newTimed(`UPDATE webhook_delivery SET state = 3, fault = $4 WHERE bucket = $1 AND webhook = $2 AND state = 1 AND number IN
	(SELECT number FROM webhook_delivery WHERE bucket = $1 AND webhook || '' = $2 AND state = 1 AND due_at < {now} - $3 ORDER BY due_at, number LIMIT (SELECT CAST($5 AS bigint)))`)
	forget = newTimed(`DELETE FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 AND state <> 1 AND queued_at < {now} - $3 AND number IN
	(SELECT number FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 ORDER BY number LIMIT $4)`)
)

// Sweep implements notice.Outbox.
func (db *DB) Sweep(ctx context.Context, s notice.Sweep) (int, error) {
	type queue struct {
		webhook mianmi.WebhookID
		state   notice.State
	}
	list, err := readAll(ctx, db.read, func(scan scanner) (q queue, err error) {
		err = scan(&q.webhook, &q.state)
		return q, err
	}, allQueues)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, q := range list {
		bucket, id := int64(mianmi.BucketOf(string(q.webhook))), string(q.webhook)
		if q.state == notice.Removed {
			n, err := db.sweepOne(ctx, dropDeliveries, bucket, id, s.Limit)
			if err == nil && n == 0 {
				n, err = db.sweepOne(ctx, dropQueue, id)
			}
			if total += n; err != nil {
				return total, err
			}
			continue
		}
		n, err := db.sweepOne(ctx, db.in(giveUp), bucket, id, s.Life.Microseconds(), int64(notice.NeverTried), s.Limit)
		if total += n; err != nil {
			return total, err
		}
		n, err = db.sweepOne(ctx, db.in(forget), bucket, id, s.Keep.Microseconds(), s.Limit)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func (db *DB) sweepOne(ctx context.Context, query string, args ...any) (count int, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return wrapDriver("sweep deliveries", err)
		}
		n, err := res.RowsAffected()
		count = int(n)
		return err
	})
	return count, err
}
