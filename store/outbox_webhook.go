package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/settings"
)

const (
	webhookColumns = `id, merchant, kind, topics, parallel, state, target, version, created_by, created_at, changed_at`

	selectWebhook  = `SELECT ` + webhookColumns + ` FROM webhook WHERE id = $1`
	selectWebhooks = `SELECT ` + webhookColumns + ` FROM webhook WHERE id > $1 AND state <> 4 AND kind = 0 ORDER BY id LIMIT $2`
	webhooksOf     = `SELECT ` + webhookColumns + ` FROM webhook WHERE merchant = $1 AND id > $2 AND state <> 4 AND kind = 0 ORDER BY id LIMIT $3`
	countWebhooks  = `SELECT count(*) FROM webhook WHERE merchant = $1 AND state <> 4 AND kind = 0`

	insertWebhook = `INSERT INTO webhook (` + webhookColumns + `, epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	updateWebhook = `UPDATE webhook SET topics = $2, parallel = $3, state = $4, target = $5, version = $6, changed_at = $7, epoch = $8 WHERE id = $1`
	insertQueue   = `INSERT INTO webhook_queue (webhook, kind, numbered, holder, lease_until, failures) VALUES ($1, $2, 0, '', 0, 0)`

	newerListeners = `SELECT id, merchant, topics, state FROM webhook WHERE epoch > $1`
)

func scanWebhook(scan scanner) (w notice.Webhook, err error) {
	var created, changed, topics int64
	err = scan(&w.ID, &w.Merchant, &w.Kind, &topics, &w.Parallel, &w.State, &w.Target, &w.Version, &w.CreatedBy, &created, &changed)
	w.Topics, w.CreatedAt, w.ChangedAt = notice.Topics(topics), fromMicros(created), fromMicros(changed) //nolint:gosec // a set of bits
	return w, err
}

// scanListener reads a webhook as far as facts ask.
func scanListener(scan scanner) (l settings.Listener, err error) {
	var topics int64
	var state notice.State
	err = scan(&l.ID, &l.Merchant, &topics, &state)
	l.Topics, l.Paused, l.Removed = uint64(topics), state != notice.Active, state == notice.Removed //nolint:gosec // a set of bits
	return l, err
}

// InsertWebhook implements notice.Records.
func (db *DB) InsertWebhook(ctx context.Context, w notice.Webhook, e evidence.Entry, most int) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		if err := checkWorkplace(ctx, tx, access.Staff{Merchant: w.Merchant}); err != nil {
			return err
		}
		var have int
		if err := tx.QueryRowContext(ctx, countWebhooks, string(w.Merchant)).Scan(&have); err != nil {
			return wrapDriver("count webhooks", err)
		}
		if have >= most {
			return mianmi.Conflicts("too_many_webhooks", "there are as many webhooks as there may be: remove one first")
		}
		if err := writeWebhook(ctx, tx, epoch, &w); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

// writeWebhook writes a webhook with its queue, inside changeSettings.
func writeWebhook(ctx context.Context, tx *sql.Tx, epoch int64, w *notice.Webhook) error {
	_, err := tx.ExecContext(ctx, insertWebhook, string(w.ID), string(w.Merchant), int64(w.Kind), int64(w.Topics), w.Parallel, int64(w.State), w.Target, //nolint:gosec // a set of bits
		w.Version, w.CreatedBy, micros(w.CreatedAt), micros(w.ChangedAt), epoch)
	if err == nil {
		_, err = tx.ExecContext(ctx, insertQueue, string(w.ID), int64(w.Kind))
	}
	return wrapDriver("write a webhook", err)
}

// A queue that is resumed begins anew.
var wakeQueue = newTimed(`UPDATE webhook_queue SET due_at = {now}, failures = 0, failing_since = NULL WHERE webhook = $1`)

// ChangeWebhook implements notice.Records.
func (db *DB) ChangeWebhook(ctx context.Context, id mianmi.WebhookID, fn func(*notice.Webhook) ([]evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		w, err := readOne(ctx, tx, "webhook", scanWebhook, selectWebhook+db.dialect.forUpdate, string(id))
		if err != nil {
			return err
		}
		before := w.State
		entries, err := fn(&w)
		if err != nil || len(entries) == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, updateWebhook, string(id), int64(w.Topics), w.Parallel, int64(w.State), w.Target, w.Version, micros(w.ChangedAt), epoch) //nolint:gosec // a set of bits
		if err == nil && w.State == notice.Active && before != w.State {
			_, err = tx.ExecContext(ctx, db.in(wakeQueue), string(id))
		}
		if err != nil {
			return wrapDriver("change a webhook", err)
		}
		return writeSettingEntries(ctx, tx, epoch, entries...)
	})
}

// Webhook implements notice.Records.
func (db *DB) Webhook(ctx context.Context, id mianmi.WebhookID) (notice.Webhook, error) {
	return readOne(ctx, db.read, "webhook", scanWebhook, selectWebhook, string(id))
}

// Webhooks implements notice.Records.
func (db *DB) Webhooks(ctx context.Context, q notice.Query) ([]notice.Webhook, error) {
	if q.Merchant == "" {
		return readAll(ctx, db.read, scanWebhook, selectWebhooks, string(q.After), q.Limit)
	}
	return readAll(ctx, db.read, scanWebhook, webhooksOf, string(q.Merchant), string(q.After), q.Limit)
}

const (
	selectQueue   = `SELECT numbered, failures, failing_since FROM webhook_queue WHERE webhook = $1`
	queuedOf      = `SELECT count(*), coalesce(min(at), 0) FROM (SELECT at FROM webhook_delivery WHERE bucket = $1 AND webhook || '' = $2 AND state = 1 LIMIT $3) AS d`
	deadOf        = `SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE bucket = $1 AND webhook || '' = $2 AND state = 3 LIMIT $3) AS d`
	deliveriesAll = `SELECT ` + deliveryColumns + ` FROM webhook_delivery d WHERE d.bucket = $1 AND d.webhook = $2 AND d.number < $3 ORDER BY d.number DESC LIMIT $4`
	deliveriesIn  = `SELECT ` + deliveryColumns + ` FROM webhook_delivery d WHERE d.bucket = $1 AND d.webhook = $2 AND d.number < $3 AND d.state = $4
	ORDER BY d.number DESC LIMIT $5`
	deliveriesDead = `SELECT ` + deliveryColumns + ` FROM webhook_delivery d WHERE d.bucket = $1 AND d.webhook || '' = $2 AND d.number < $3 AND d.state = 3
	ORDER BY d.number DESC LIMIT $4` // few among many: they have an index
	oneDelivery = `SELECT ` + deliveryColumns + ` FROM webhook_delivery d WHERE d.bucket = $1 AND d.webhook = $2 AND d.number = $3`
)

// Queue implements notice.Records.
func (db *DB) Queue(ctx context.Context, id mianmi.WebhookID) (notice.Queue, error) {
	var q notice.Queue
	var failing sql.NullInt64
	var oldest int64
	bucket := int64(mianmi.BucketOf(string(id)))
	err := db.read.QueryRowContext(ctx, selectQueue, string(id)).Scan(&q.Numbered, &q.Failures, &failing)
	if err == nil {
		err = db.read.QueryRowContext(ctx, queuedOf, bucket, string(id), notice.CountMax).Scan(&q.Waiting, &oldest)
	}
	if err == nil {
		err = db.read.QueryRowContext(ctx, deadOf, bucket, string(id), notice.CountMax).Scan(&q.Dead)
	}
	if q.FailingSince = fromNullMicros(failing); oldest > 0 {
		q.OldestAt = fromMicros(oldest)
	}
	return q, missing("webhook", err)
}

// numberMax is above every number of a delivery.
const numberMax = 1<<63 - 1

// Deliveries implements notice.Records.
func (db *DB) Deliveries(ctx context.Context, q notice.DeliveryQuery) ([]notice.Delivery, error) {
	if q.Before <= 0 {
		q.Before = numberMax
	}
	bucket := int64(mianmi.BucketOf(string(q.Webhook)))
	switch q.State {
	case 0:
		return readAll(ctx, db.read, scanDelivery, deliveriesAll, bucket, string(q.Webhook), q.Before, q.Limit)
	case notice.Dead:
		return readAll(ctx, db.read, scanDelivery, deliveriesDead, bucket, string(q.Webhook), q.Before, q.Limit)
	}
	return readAll(ctx, db.read, scanDelivery, deliveriesIn, bucket, string(q.Webhook), q.Before, int64(q.State), q.Limit)
}

// Delivery implements notice.Records.
func (db *DB) Delivery(ctx context.Context, id mianmi.WebhookID, number int64) (notice.Delivery, error) {
	return readOne(ctx, db.read, "delivery", scanDelivery, oneDelivery, int64(mianmi.BucketOf(string(id))), string(id), number)
}

// Enqueue implements notice.Records.
func (db *DB) Enqueue(ctx context.Context, id mianmi.WebhookID, f notice.Fact) (number int64, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		number, err = db.enqueue(ctx, tx, id, &f)
		return err
	})
	return number, err
}

func (db *DB) enqueue(ctx context.Context, tx *sql.Tx, id mianmi.WebhookID, f *notice.Fact) (number int64, err error) {
	err = tx.QueryRowContext(ctx, db.in(numberQueue), string(id), 1, 1).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, mianmi.Missing("webhook")
	}
	if err != nil {
		return 0, wrapDriver("number a delivery", err)
	}
	return number, wrapDriver("write a delivery", db.writeRows(ctx, tx, insertDelivery, nil, [][]any{deliveryRow(id, number, f)}))
}
