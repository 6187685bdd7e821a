package store_test

import (
	"testing"

	"github.com/mianmi/mianmi/store/storetest"
)

// Both engines keep the contract of payers.
func TestPayers(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Payers(t, nodes(engine))
		})
	}
}
