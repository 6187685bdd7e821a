package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/disk/disktest"
)

// Power is lost before every single call of a save: what is found afterwards
// is the old file or the new one, and the new one when Save had said so.
func TestPowerLossAtEveryCall(t *testing.T) {
	t.Parallel()
	before, after := bytes.Repeat([]byte("old "), 500), bytes.Repeat([]byte("new "), 700)
	for stop := 1; ; stop++ {
		p := disktest.New()
		f := disk.New(p)
		if err := f.Save("state", before); err != nil {
			t.Fatal(err)
		}
		p.Calls, p.StopAt = 0, stop
		err := f.Save("state", after)
		for how, found := range p.After() {
			got, loadErr := disk.New(found).Load("state")
			if loadErr != nil || !bytes.Equal(got, after) && (err == nil || !bytes.Equal(got, before)) {
				t.Errorf("stopped before call %d (%s; Save said %v): %.8q, %v", stop, how, err, got, loadErr)
			}
		}
		if err == nil {
			if stop < 6 {
				t.Fatalf("a save has %d calls: too few for temp file, sync and rename", stop)
			}
			return
		}
	}
}

// Any one bit changed on the disk, or any part missing, is found.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, lock, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close() //nolint:errcheck // the test is over
	if _, err := f.Load("state"); !errors.Is(err, disk.ErrNone) {
		t.Fatalf("before the first save: %v", err)
	}
	if err := f.Save("state", []byte(`{"pin_free":false}`)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "state")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Load("state"); !errors.Is(err, disk.ErrDamaged) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for i := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		try(fmt.Sprintf("bit %d", i), b)
	}
	for i := range whole {
		try(fmt.Sprintf("cut at %d", i), whole[:i])
	}
	try("more at the end", append(bytes.Clone(whole), 'x'))
	if _, _, err := disk.Open(dir); err == nil {
		t.Error("two programs have one folder")
	}
}
