package store

import (
	"slices"
	"testing"

	"github.com/mianmi/mianmi/terminal/posture"
)

// A policy on terminals that a later version of the program has set, and this
// one cannot read whole, fails every terminal. It does not stop payments.
func TestTerminalPolicyOfALaterVersion(t *testing.T) {
	t.Parallel()
	db := openSettings(t)
	ctx := t.Context()
	if _, err := db.write.ExecContext(ctx, `UPDATE settings_epoch SET epoch = 7`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.ExecContext(ctx, insertTerminalPolicy, 1, 7, 7, 0, "operator:sf1", `{"lease_seconds":900,"moon":true}`); err != nil {
		t.Fatal(err)
	}
	s, err := db.Settings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Posture().Judge(posture.Facts{}); !slices.Equal(got, []string{"policy_unreadable"}) {
		t.Errorf("judged by half a policy: %v", got)
	}
}
