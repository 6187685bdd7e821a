package store

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

// OutboxStats is how far the telling of facts is behind.
type OutboxStats struct {
	Facts      int64         // that are not dispatched; at most notice.CountMax are counted, as of those that follow
	FactAge    time.Duration // of the oldest of them, by the clock of the node that wrote it; 0: there is none
	WaitingAge time.Duration // of the longest waiting delivery
	Waiting    int64         // deliveries
	Dead       int64         // deliveries that were given up and not replayed
	Failing    int64         // webhooks that fail as a whole
}

var outboxStats = newTimed(`SELECT
	(SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1) AS o),
	coalesce((SELECT {now} - at FROM outbox ORDER BY n LIMIT 1), 0),
	coalesce((SELECT {now} - min(queued_at) FROM (SELECT queued_at FROM webhook_delivery WHERE state = 1 LIMIT $1) AS w), 0),
	(SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE state = 1 LIMIT $1) AS w),
	(SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE state = 3 LIMIT $1) AS d),
	(SELECT count(*) FROM webhook_queue WHERE failures > 0)`)

// OutboxStats reads the figures, for metrics and for a check of the deployment.
func (db *DB) OutboxStats(ctx context.Context) (s OutboxStats, err error) {
	var fact, waiting int64
	err = db.read.QueryRowContext(ctx, db.in(outboxStats), notice.CountMax).Scan(&s.Facts, &fact, &waiting, &s.Waiting, &s.Dead, &s.Failing)
	s.FactAge, s.WaitingAge = max(time.Duration(fact), 0)*time.Microsecond, max(time.Duration(waiting), 0)*time.Microsecond
	return s, wrapDriver("read how far the outbox is", err)
}

const (
	paymentsAfter = `SELECT id, version FROM payment WHERE id > $1 ORDER BY id LIMIT $2`
	// PostgreSQL has payments by bucket and identifier alone.
	paymentsOfBucketAfter = `SELECT id, version FROM payment WHERE bucket = $3 AND id > $1 ORDER BY id LIMIT $2`
	entriesAfter          = `SELECT id, type, subject, number FROM entry WHERE id > $1 ORDER BY id LIMIT $2`
	// tellablePage is how many rows EachTellable reads at once.
	tellablePage = 1000
)

// EachTellable calls fn with every fact that a webhook of all topics is told
// of, as far as it is about a payment that was made since, or an entry that was
// written since: for a check that nothing was lost. It reads whole tables.
func (db *DB) EachTellable(ctx context.Context, since time.Time, fn func(notice.Fact) error) error {
	first, err := firstPayment(since)
	if err != nil {
		return err
	}
	payments := func(r *tellable) error {
		for version := int64(1); version <= r.number; version++ { // each change makes one version and one fact
			if err := fn(notice.Fact{Subject: r.id, Seq: version}); err != nil {
				return err
			}
		}
		return nil
	}
	scan := func(s scanner) (r tellable, err error) { return r, s(&r.id, &r.number) }
	if db.Engine() == "sqlite" {
		err = db.walk(ctx, tellables{paymentsAfter, first, nil, scan}, payments)
	} else {
		for b := range mianmi.Buckets {
			if err == nil {
				err = db.walk(ctx, tellables{paymentsOfBucketAfter, first, []any{b}, scan}, payments)
			}
		}
	}
	if err != nil {
		return err
	}
	from, _ := mianmi.IDRange("en", since)
	scan = func(s scanner) (r tellable, err error) { return r, s(&r.id, &r.kind, &r.subject, &r.number) }
	return db.walk(ctx, tellables{entriesAfter, from, nil, scan}, func(r *tellable) error {
		topic, ok := notice.TopicOfEntry(r.kind)
		if !ok {
			return nil
		}
		return fn(notice.Fact{Subject: r.subject, Seq: r.number, Topic: topic, Ref: r.id})
	})
}

// tellable is a row that facts were told of.
type tellable struct {
	id, kind, subject string
	number            int64
}

// tellables is a query for those after an identifier, page by page.
type tellables struct {
	query string
	from  string
	more  []any
	scan  func(scanner) (tellable, error)
}

func (db *DB) walk(ctx context.Context, q tellables, each func(*tellable) error) error {
	for {
		page, err := readAll(ctx, db.read, q.scan, q.query, append([]any{q.from, tellablePage}, q.more...)...)
		if err != nil {
			return err
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < tellablePage {
			return nil
		}
		q.from = page[len(page)-1].id
	}
}
