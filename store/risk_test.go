package store_test

import (
	"context"
	"testing"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/storetest"
)

// Both engines keep the contract of signals and alarms.
func TestRisk(t *testing.T) {
	t.Parallel()
	for _, kind := range engines {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			storetest.Risk(t, func(t *testing.T) storetest.Engine {
				return engine(t, kind, func(ctx context.Context, db *store.DB) (payment.Ledger, error) { return db.Ledger(ctx) })
			})
		})
	}
}
