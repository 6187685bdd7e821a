package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi/store/pgtest"
)

// A cluster answers, and each Open gives a database of its own.
func TestOpenGivesAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Open(t), pgtest.Open(t)
	if a == b {
		t.Fatalf("two databases share the address %s", a)
	}
	conn, err := pgx.Connect(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&n); err != nil || n != 0 {
		t.Fatalf("tables = %d, %v; want none", n, err)
	}
}
