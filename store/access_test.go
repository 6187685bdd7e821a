package store_test

import (
	"testing"

	"github.com/mianmi/mianmi/store/storetest"
)

// Both engines keep the contract of staff, sessions and API keys.
func TestAccess(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			storetest.Access(t, nodes(engine))
		})
	}
}
