package store_test

import (
	"errors"
	"testing"

	"github.com/mianmi/mianmi"
)

// The first keys own the database; the same ones come back, others do not.
func TestInstall(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			db := open(t, engine)
			if known, err := db.Installed(t.Context()); known || err != nil {
				t.Fatalf("a new database is installed: %t, %v", known, err)
			}
			for _, digest := range []string{"first", "first"} {
				if err := db.Install(t.Context(), []byte(digest)); err != nil {
					t.Fatal(err)
				}
			}
			var e *mianmi.Error
			if err := db.Install(t.Context(), []byte("other")); !errors.As(err, &e) || e.Code != "other_keys" {
				t.Errorf("other keys: %v, want other_keys", err)
			}
			if known, err := db.Installed(t.Context()); !known || err != nil {
				t.Errorf("installed: %t, %v", known, err)
			}
		})
	}
}
