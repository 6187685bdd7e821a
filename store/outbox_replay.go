package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

const (
	lockQueue = `SELECT numbered FROM webhook_queue WHERE webhook = $1`
	lastOf    = `SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM webhook_delivery WHERE bucket = $1 AND webhook = $2`
	timeOf    = `SELECT at FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 AND number = $3`
	// $5 is the least state that is sent again: 2 delivered, 3 given up.
	replayable = `SELECT number FROM webhook_delivery WHERE bucket = $1 AND webhook = $2 AND number >= $3 AND at >= $4 AND state >= $5
	ORDER BY number LIMIT $6`
)

var (
	replayDeliveries = newTimed(`UPDATE webhook_delivery SET state = 1, attempts = 0, queued_at = {now}, due_at = {now}
	WHERE bucket = $1 AND webhook = $2 AND number IN `)
	awakeQueue = newTimed(`UPDATE webhook_queue SET due_at = CASE WHEN due_at IS NULL THEN {now} WHEN failures > 0 OR due_at < {now} THEN due_at ELSE {now} END
	WHERE webhook = $1`)
)

const (
	// replayStep bounds one transaction of a replay.
	replayStep = 500
	// replaySlack is how many numbers before the first one that is new enough are
	// looked at as well: facts are numbered nearly in the order of their time.
	replaySlack = 10_000
)

// Replay implements notice.Records.
func (db *DB) Replay(ctx context.Context, r notice.Replay) (notice.Replayed, error) {
	from, since, least := r.From, int64(0), int64(notice.Delivered)
	if r.DeadOnly {
		least = int64(notice.Dead)
	}
	if from == 0 {
		since = micros(r.Since)
		var err error
		if from, err = db.firstSince(ctx, r.Webhook, since); err != nil {
			return notice.Replayed{}, err
		}
	}
	var done notice.Replayed
	for {
		numbers, err := db.replayOnce(ctx, r.Webhook, from, since, least)
		if err != nil || len(numbers) == 0 {
			return done, err
		}
		done.Count += len(numbers)
		from = numbers[len(numbers)-1] + 1
		if len(numbers) < replayStep {
			return done, nil
		}
		if done.Count >= r.Limit {
			done.Next = from
			return done, nil
		}
	}
}

// firstSince finds a number before which no fact is as new, by halving: numbers
// have no gaps.
func (db *DB) firstSince(ctx context.Context, id mianmi.WebhookID, since int64) (int64, error) {
	bucket := int64(mianmi.BucketOf(string(id)))
	var low, high int64
	if err := db.read.QueryRowContext(ctx, lastOf, bucket, string(id)).Scan(&low, &high); err != nil {
		return 0, wrapDriver("look for deliveries", err)
	}
	first := low
	for low < high {
		middle := low + (high-low)/2
		var at int64
		err := db.read.QueryRowContext(ctx, timeOf, bucket, string(id), middle).Scan(&at)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && at < since: // kept no longer: older still
			low = middle + 1
		case err != nil:
			return 0, wrapDriver("look for deliveries", err)
		default:
			high = middle
		}
	}
	return max(first, low-replaySlack), nil
}

func (db *DB) replayOnce(ctx context.Context, id mianmi.WebhookID, from, since, least int64) (numbers []int64, err error) {
	bucket := int64(mianmi.BucketOf(string(id)))
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var numbered int64
		if err := tx.QueryRowContext(ctx, lockQueue+db.dialect.forUpdate, string(id)).Scan(&numbered); err != nil {
			return missing("webhook", err)
		}
		var err error
		numbers, err = readAll(ctx, tx, func(scan scanner) (n int64, err error) {
			err = scan(&n)
			return n, err
		}, replayable, bucket, string(id), from, since, least, replayStep)
		if err != nil || len(numbers) == 0 {
			return err
		}
		args := []any{bucket, string(id)}
		for _, n := range numbers {
			args = append(args, n)
		}
		if _, err := tx.ExecContext(ctx, db.in(replayDeliveries)+`(`+places(3, len(numbers))+`)`, args...); err != nil { //nolint:gosec // placeholders alone
			return wrapDriver("replay deliveries", err)
		}
		_, err = tx.ExecContext(ctx, db.in(awakeQueue), string(id))
		return wrapDriver("wake a queue", err)
	})
	return numbers, err
}
