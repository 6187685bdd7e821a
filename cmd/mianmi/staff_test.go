package main

import (
	"strings"
	"testing"

	"github.com/mianmi/mianmi/store/pgtest"
)

// The first operator is made on the database itself, on both engines; a login
// is taken once, and what is wrong is named.
func TestStaffCreate(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if engine == "postgres" {
				w.environ = append(w.environ, "MIANMI_DB="+pgtest.Open(t))
				if got := w.run(t, "staff", "create", "wang.min"); got.code != exitFailed || !strings.Contains(got.stderr, "mianmi migrate") {
					t.Errorf("before migrating: %+v, want the remedy", got)
				}
				if got := w.run(t, "migrate"); got.code != exitOK {
					t.Fatalf("migrate: %+v", got)
				}
			}
			got := w.run(t, "staff", "create", "wang.min", "--role", "operator")
			if got.code != exitOK || !strings.Contains(got.stdout, "otpauth://totp/") {
				t.Fatalf("%+v, want a one-time-password URL", got)
			}
			for _, tt := range []struct {
				name string
				args []string
				want string
			}{
				{"a login that is taken", []string{"wang.min"}, "login"},
				{"a role that is not there", []string{"li.na", "--role=boss"}, "role"},
				{"a cashier without merchant", []string{"li.na", "--role=cashier"}, "merchant"},
				{"a login with spaces", []string{"li na"}, "login"},
			} {
				if got := w.run(t, append([]string{"staff", "create"}, tt.args...)...); got.code == exitOK || !strings.Contains(got.stderr, tt.want) {
					t.Errorf("%s: %+v, want %q named", tt.name, got, tt.want)
				}
			}
		})
	}
}
