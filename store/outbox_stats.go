package store

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
)

// OutboxStats is how far the telling of facts is behind.
type OutboxStats struct {
	FactAge    time.Duration // of the oldest fact that is not dispatched; 0: there is none
	WaitingAge time.Duration // of the longest waiting delivery
	Waiting    int64         // deliveries; at most notice.CountMax are counted, as of those that follow
	Dead       int64         // deliveries that were given up and not replayed
	Failing    int64         // webhooks that fail as a whole
}

var outboxStats = newTimed(`SELECT
	coalesce((SELECT {now} - at FROM outbox ORDER BY n LIMIT 1), 0),
	coalesce((SELECT {now} - min(queued_at) FROM (SELECT queued_at FROM webhook_delivery WHERE state = 1 LIMIT $1) AS w), 0),
	(SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE state = 1 LIMIT $1) AS w),
	(SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE state = 3 LIMIT $1) AS d),
	(SELECT count(*) FROM webhook_queue WHERE failures > 0)`)

// OutboxStats reads the figures, for metrics and for a check of the deployment.
func (db *DB) OutboxStats(ctx context.Context) (s OutboxStats, err error) {
	var fact, waiting int64
	err = db.read.QueryRowContext(ctx, db.in(outboxStats), notice.CountMax).Scan(&fact, &waiting, &s.Waiting, &s.Dead, &s.Failing)
	s.FactAge, s.WaitingAge = max(time.Duration(fact), 0)*time.Microsecond, max(time.Duration(waiting), 0)*time.Microsecond
	return s, wrapDriver("read how far the outbox is", err)
}

const (
	paymentsAfter = `SELECT id, version FROM payment WHERE id > $1 ORDER BY id LIMIT $2`
	entriesAfter  = `SELECT id, type, subject, number FROM entry WHERE id > $1 ORDER BY id LIMIT $2`
	// tellablePage is how many rows EachTellable reads at once.
	tellablePage = 1000
)

// EachTellable calls fn with every fact that a webhook of all topics is told
// of, as far as it is about a payment that was made since, or an entry that was
// written since: for a check that nothing was lost. It reads whole tables.
func (db *DB) EachTellable(ctx context.Context, since time.Time, fn func(notice.Fact) error) error {
	type row struct {
		id, kind, subject string
		number            int64
	}
	walk := func(query, from string, scan func(scanner, *row) error, each func(*row) error) error {
		for {
			page, err := readAll(ctx, db.read, func(s scanner) (r row, err error) {
				err = scan(s, &r)
				return r, err
			}, query, from, tellablePage)
			if err != nil || len(page) == 0 {
				return err
			}
			for i := range page {
				if err := each(&page[i]); err != nil {
					return err
				}
			}
			from = page[len(page)-1].id
		}
	}
	first, err := firstPayment(since)
	if err != nil {
		return err
	}
	err = walk(paymentsAfter, first, func(s scanner, r *row) error { return s(&r.id, &r.number) }, func(r *row) error {
		for version := int64(1); version <= r.number; version++ { // each change makes one version and one fact
			if err := fn(notice.Fact{Subject: r.id, Seq: version}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	from, _ := mianmi.IDRange("en", since)
	return walk(entriesAfter, from, func(s scanner, r *row) error { return s(&r.id, &r.kind, &r.subject, &r.number) }, func(r *row) error {
		topic, ok := notice.TopicOfEntry(r.kind)
		if !ok {
			return nil
		}
		return fn(notice.Fact{Subject: r.subject, Seq: r.number, Topic: topic, Ref: r.id})
	})
}
