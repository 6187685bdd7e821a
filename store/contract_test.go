package store_test

import (
	"testing"

	"github.com/mianmi/mianmi/store/storetest"
)

// Both engines keep the contract of contracts at channels.
func TestContracts(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Contracts(t, nodes(engine))
		})
	}
}
