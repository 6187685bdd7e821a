package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// A process that stands still in the middle of a transaction does not keep its
// locks: the server ends the transaction. The process runs it again when it
// moves on.
func TestStandstillHoldsNoLocks(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Open(t)
	db, err := store.Open(context.WithoutCancel(t.Context()), dsn, store.Options{WriteLimit: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // some of its connections were ended
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ledger := must(db.Ledger(t.Context()))(t)
	// A batch that has claimed an order number and then does nothing.
	ask := payment.Ask{Key: payment.Hash16{1}, Digest: payment.Hash16{2}, Payment: "pm01"}
	batch := must(ledger.Begin(context.WithoutCancel(t.Context()), []payment.Ask{ask}))(t)
	defer batch.Rollback()
	conn := must(pgx.Connect(t.Context(), dsn))(t)
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	// Without an end to the other transaction this waits until the test is cut off.
	if _, err := conn.Exec(t.Context(), `INSERT INTO merchant_order (bucket, key, digest, payment) VALUES ($1, $2, $3, 'pm02')`,
		int16(ask.Key.Bucket()), ask.Key[:], ask.Digest[:]); err != nil {
		t.Fatal(err)
	}
	// The connection that was ended is no loss for the next caller.
	for i := range 3 {
		key := []byte{byte(i)}
		if _, _, err := db.ClaimAnswer(t.Context(), idempotency.Record{Key: key, Digest: key, ExpiresAt: time.Now()}, time.Now()); err != nil {
			t.Error(err)
		}
	}
}
