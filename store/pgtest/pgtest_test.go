package pgtest_test

import (
	"errors"
	"os/exec"
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

// A cluster that was halted answers nobody, and has what was committed once it
// runs again.
func TestHaltAndRestart(t *testing.T) {
	t.Parallel()
	pgtest.Open(t) // skips without PostgreSQL
	c, err := pgtest.Start(pgtest.Options{Set: []string{"shared_buffers=16MB"}})
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE t (n integer); INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	if err := c.Halt(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a server that was halted answers")
	}
	if conn, err := pgx.Connect(t.Context(), c.URL("postgres")); err == nil {
		t.Errorf("a server that was halted takes connections: %v", conn.Close(t.Context()))
	}
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	conn, err = pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the test is over
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 7 {
		t.Errorf("after the restart n = %d, %v; want 7", n, err)
	}
}
