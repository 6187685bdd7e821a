package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store"
)

// A backup that is taken while others write is one whole instant: it is checked,
// says where the keys file is, replaces nothing and leaves nothing half done;
// and close-all closes what is open.
func TestBackupWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	w.keys(t)
	w.run(t, "staff", "create", "first.operator")
	file := filepath.Join(w.dir, "data", "mianmi.db")
	db, err := store.Open(t.Context(), "sqlite:"+file, store.Options{CacheKiB: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the test is over
	operator := mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}
	second := mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf2"}
	s := merchant.New(db, systemClock{}, systemRandom)
	m, err := s.CreateMerchant(t.Context(), operator, merchant.Merchant{Name: "茶店", Currency: "CNY", Facts: merchant.Facts{Country: "CN"}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.SetPolicy(t.Context(), operator, merchant.PolicyOrder{Scope: merchant.OfMerchant(m.ID), Terms: merchant.Terms{PinFree: true}})
	if err == nil {
		_, err = s.Approve(t.Context(), second, res.Proposal.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	done, to := make(chan struct{}), filepath.Join(w.dir, "b.db")
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if _, err := s.CreateStore(t.Context(), operator, merchant.Store{Merchant: m.ID, Name: "店"}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	got := w.run(t, "backup", to)
	close(done)
	writer.Wait()
	if got.code != exitOK || !strings.Contains(got.stdout, "SHA-256") || !strings.Contains(got.stdout, w.keys(t)) {
		t.Fatalf("status %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if again := w.run(t, "backup", to); again.code != exitFailed || !strings.Contains(again.stderr, "already") {
		t.Errorf("a second backup to the same file: %+v", again)
	}
	if left, _ := filepath.Glob(to + "*"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	if no := w.run(t, "close-all"); no.code != exitFailed {
		t.Errorf("close-all without --yes: %+v", no)
	}
	if all := w.run(t, "close-all", "--yes", "--sessions"); all.code != exitOK {
		t.Errorf("close-all: %+v", all)
	}
	if p, err := db.Policy(t.Context(), merchant.OfMerchant(m.ID)); err != nil || p.Terms.PinFree {
		t.Errorf("the merchant after close-all: %+v, %v", p, err)
	}
}
