package store_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// A payer whom another transaction holds is refused for now, in bounded time;
// the others of the batch are paid, and so is the payer once the lock is gone.
func TestLockedPayer(t *testing.T) {
	t.Parallel()
	for name, ledger := range map[string]func(context.Context, *store.DB) (payment.Ledger, error){
		"batch":      func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.Ledger(ctx) },
		"one bucket": func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.OneBucketLedger(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lockedPayer(t, engine(t, "postgres", ledger))
		})
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func lockedPayer(t *testing.T, e storetest.Engine) {
	ctx, db := t.Context(), e.Open(t)
	clock := storetest.NewClock()
	n := must(storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Clock: clock, Keys: must(secret.New(bytes.NewReader(make([]byte, 1024))))(t),
		Ledger: must(e.Ledger(ctx, db))(t), Payment: payment.Config{Lanes: 1}}))(t)
	t.Cleanup(n.Payments.Stop)
	shop := must(n.NewShop(ctx, merchant.Facts{}))(t)
	locked, other := must(n.NewPerson(ctx, 100_00))(t), must(n.NewPerson(ctx, 100_00))(t)
	for other.ID.Bucket() == locked.ID.Bucket() {
		other = must(n.NewPerson(ctx, 100_00))(t)
	}
	conn := must(pgx.Connect(ctx, e.DSN))(t)
	tx := must(conn.Begin(ctx))(t)
	if tag := must(tx.Exec(ctx, "SELECT 1 FROM payer WHERE id = $1 FOR UPDATE", string(locked.ID)))(t); tag.RowsAffected() != 1 {
		t.Fatal("the payer is not locked")
	}

	begun := time.Now()
	got := must(n.Payments.AuthorizeMany(ctx, shop.Manager, []payment.Request{
		locked.Tap(shop.Terminal, "locked", 1_00), other.Tap(shop.Terminal, "other", 1_00), locked.Tap(shop.Terminal, "again", 1_00)}))(t)
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("a locked payer held the others for %v", took)
	}
	for _, i := range []int{0, 2} {
		if !isCode(got[i].Err, payment.ErrBusy.Code) {
			t.Errorf("payment %d of the locked payer: %v, want %s", i, got[i].Err, payment.ErrBusy.Code)
		}
	}
	if got[1].Err != nil || got[1].Payment.State != payment.Approved {
		t.Errorf("the other payer: %+v, want approved", got[1])
	}

	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	clock.Add(payment.ErrBusy.RetryAfter)
	p := must(n.Payments.Authorize(ctx, shop.Manager, locked.Tap(shop.Terminal, "locked", 1_00)))(t)
	if p.State != payment.Approved {
		t.Errorf("the payer after the lock: %v, want approved", p.State)
	}
}

func isCode(err error, code string) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Code == code
}
