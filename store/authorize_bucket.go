package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/settings"
)

// bucketLedger runs authorizations on a distributed PostgreSQL (ADR 5). A
// batch is of one bucket, and so is its transaction: each of its statements
// names the bucket, by which it runs on one node.
//
// An order number belongs to another bucket than its payer. It is claimed
// before the transaction, in a commit of its own that carries the payment's
// identifier; whoever finds the claim and no payment completes it under that
// identifier, so that the payment's key lets one of them through.
type bucketLedger struct {
	db    *DB
	lanes *pgxpool.Pool // transactions that decide
	side  *pgxpool.Pool // claims; never waited for while a connection of lanes is held
}

// OneBucketLedger returns the implementation of payment.Ledger for a
// distributed PostgreSQL. It works on a single one too, more slowly. On a
// cluster that cannot keep our promises it is a Conflict with the remedy.
func (db *DB) OneBucketLedger(ctx context.Context) (payment.Ledger, error) {
	if db.pool == nil {
		return nil, mianmi.InvalidField("db", "SQLite is not distributed")
	}
	distributed, err := db.Distributed(ctx)
	if err != nil {
		return nil, err
	}
	plans := planner[:]
	if distributed {
		if err := db.checkCluster(ctx); err != nil {
			return nil, err
		}
		plans = nil // a generic plan knows no bucket, and so no node
	}
	l := &bucketLedger{db: db}
	if l.lanes, err = db.openPool(ctx, plans); err != nil {
		return nil, err
	}
	l.side, err = db.openPool(ctx, nil)
	return l, err
}

// lockWait bounds how long a batch of payments waits for a row that another
// transaction holds. Ours hold a payer for milliseconds; one that hangs, or a
// person at a prompt, must not stop the payments of everybody else.
const lockWait = "SET lock_timeout = '1s'"

// openPool opens lanesMax connections that are set up by the statements. They
// are closed with the database.
func (db *DB) openPool(ctx context.Context, setup []string) (*pgxpool.Pool, error) {
	cfg := db.pool.Config()
	cfg.MaxConns, cfg.MinConns = lanesMax, 0
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		return prepare(ctx, c, db.opts, append([]string{lockWait}, setup...)...)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, unavailable("open connections", err)
	}
	db.onClose = append(db.onClose, pool.Close)
	return pool, nil
}

// OneBucket implements payment.Ledger.
func (l *bucketLedger) OneBucket() bool { return true }

// Peek implements payment.Ledger.
func (l *bucketLedger) Peek(ctx context.Context, ask payment.Ask) (payment.Facts, *settings.Snapshot, error) {
	return (&plainLedger{db: l.db}).Peek(ctx, ask)
}

type bucketBatch struct {
	l      *bucketLedger
	ctx    context.Context //nolint:containedctx // lives as long as the transaction
	cancel context.CancelFunc
	conn   *pgxpool.Conn
	pinned *pgxpool.Conn // holds claims of others; nil: there are none

	bucket int16
	asks   []payment.Ask
	claims []claim
	facts  []payment.Facts
	snap   *settings.Snapshot
	seen   seen
	unsure bool // a commit was sent and not answered
	ended  bool
}

// Begin implements payment.Ledger. Asks of several buckets are a fault of the
// caller.
func (l *bucketLedger) Begin(ctx context.Context, asks []payment.Ask) (payment.Batch, error) {
	for i := range asks {
		if asks[i].Bucket != asks[0].Bucket {
			return nil, fmt.Errorf("a batch of the buckets %d and %d", asks[0].Bucket, asks[i].Bucket)
		}
	}
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.db.opts.WriteLimit)
	b := &bucketBatch{l: l, ctx: begun, cancel: cancel, asks: asks, bucket: int16(asks[0].Bucket),
		claims: make([]claim, len(asks)), facts: make([]payment.Facts, len(asks)), seen: newSeen(len(asks))}
	if err := b.begin(); err != nil {
		b.Rollback()
		return nil, lost(err)
	}
	return b, nil
}

func (b *bucketBatch) begin() error {
	if err := b.claim(); err != nil {
		return err
	}
	var err error
	if b.conn, err = b.l.lanes.Acquire(b.ctx); err != nil {
		return unavailable("get a connection", err)
	}
	if err := b.read(); err != nil {
		return err
	}
	return b.priors(b.conn)
}

// Facts implements payment.Batch.
func (b *bucketBatch) Facts() []payment.Facts { return b.facts }

// Settings implements payment.Batch.
func (b *bucketBatch) Settings() *settings.Snapshot { return b.snap }

// Rollback implements payment.Batch. It gives the order numbers back that this
// batch has claimed, unless they may have been committed.
func (b *bucketBatch) Rollback() {
	if b.ended {
		return
	}
	b.end()
	if b.unsure {
		return
	}
	var fresh []int
	for i := range b.claims {
		if b.claims[i].mine && !b.claims[i].before {
			fresh = append(fresh, i)
		}
	}
	b.unclaim(fresh)
}

// end releases what the batch holds.
func (b *bucketBatch) end() {
	b.ended = true
	release(b.ctx, b.conn)
	release(b.ctx, b.pinned)
	b.cancel()
}

// release returns a connection to its pool, without its transaction.
func release(ctx context.Context, conn *pgxpool.Conn) {
	if conn == nil {
		return
	}
	if conn.Conn().PgConn().TxStatus() != 'I' {
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			_ = conn.Conn().Close(ctx) // its state is not known: the server rolls back when it goes
		}
	}
	conn.Release()
}
