package torture

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// A write on a connection that was cut while it rested is made on another, and
// one whose database is away is Unavailable, never a fault of ours.
func TestStoreBehindProxy(t *testing.T) {
	t.Parallel()
	target := &Target{DSN: pgtest.Open(t)}
	dsn, err := target.through(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.stop)
	db, err := store.Open(context.WithoutCancel(t.Context()), dsn, store.Options{ConnsMax: 4, WriteLimit: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // its connections may be gone
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	write := func() (errs []error) { // on all connections at once
		var all sync.WaitGroup
		errs = make([]error, 8)
		for i := range errs {
			n++
			key := []byte(fmt.Sprintf("%016d", n))
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				_, _, errs[i] = db.ClaimAnswer(ctx, idempotency.Record{Key: key, Digest: key, ExpiresAt: time.Now().Add(time.Hour)}, time.Now())
			})
		}
		all.Wait()
		return errs
	}
	for round := range 5 {
		for _, err := range write() {
			if err != nil && mianmi.KindOf(err) != mianmi.Unavailable { // which may also be a machine that is slow
				t.Errorf("after %d cuts: %v", round, err)
			}
		}
		target.proxy.cut()
	}
	for name, w := range map[string]weather{"silent": hole, "refusing": closed} {
		target.proxy.set(w)
		for _, err := range write() {
			if mianmi.KindOf(err) != mianmi.Unavailable {
				t.Errorf("%s: %v, want Unavailable", name, err)
			}
		}
		target.proxy.set(fair)
	}
	// It comes back by itself: at the latest when every connection was tried once.
	var last error
	for range 20 {
		last = nil
		for _, err := range write() {
			if err != nil {
				last = err
			}
		}
		if last == nil {
			return
		}
	}
	t.Errorf("it does not come back: %v", last)
}
