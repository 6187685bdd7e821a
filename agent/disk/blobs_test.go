package disk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"testing"

	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/disk/disktest"
)

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fill brings a file onto the disk in pieces, going on where it stopped.
func fill(b *disk.Blobs, content []byte) error {
	sum := sumOf(content)
	for range 3 { // a part that power loss has spoilt is thrown away, and filled again
		for {
			f, have, err := b.Append(sum)
			if err != nil {
				return err
			}
			end := min(have+100, int64(len(content)))
			if have < end {
				_, err = f.Write(content[have:end])
			}
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			if end == int64(len(content)) {
				break
			}
		}
		if whole, err := b.Finish(sum, int64(len(content))); whole || err != nil {
			return err
		}
	}
	return errors.New("never whole")
}

// Power is lost before every single call of filling a file in pieces: what has
// a name is whole, and filling goes on.
func TestBlobsPowerLossAtEveryCall(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("program"), 50)
	sum := sumOf(content)
	for stop := 1; ; stop++ {
		p := disktest.New()
		p.StopAt = stop
		err := fill(disk.NewBlobs(p, ""), content)
		for how, found := range p.After() {
			b := disk.NewBlobs(found, "")
			if found.Has(sum) && !b.Whole(sum) {
				t.Errorf("stopped before call %d (%s): it has its name and is not whole", stop, how)
			}
			if err == nil && !b.Whole(sum) {
				t.Errorf("stopped before call %d (%s): it was said to be there", stop, how)
			}
			if err := fill(b, content); err != nil || !b.Whole(sum) {
				t.Errorf("stopped before call %d (%s): filling does not go on: %v", stop, how, err)
			}
		}
		if err == nil {
			if stop < 12 {
				t.Fatalf("filling has %d calls: too few for pieces, sync and rename", stop)
			}
			return
		}
	}
}

// On a real folder: other bytes are thrown away, what is kept can be run and not
// written, and what nobody names any more is removed.
func TestBlobsOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := disk.OpenBlobs(dir)
	if err != nil {
		t.Fatal(err)
	}
	one, two := []byte("one"), []byte("two")
	for _, content := range [][]byte{one, two} {
		if err := fill(b, content); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(b.Path(sumOf(one)))
	if err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("%v, %v", info, err)
	}
	other := sumOf([]byte("three"))
	f, _, err := b.Append(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("THREE")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if whole, err := b.Finish(other, 5); whole || err != nil {
		t.Errorf("other bytes: %v, %v", whole, err)
	}
	if err := b.Keep(sumOf(two)); err != nil {
		t.Fatal(err)
	}
	if b.Whole(sumOf(one)) || !b.Whole(sumOf(two)) || b.Whole(other) {
		t.Error("kept: not the one that was named")
	}
	if _, _, err := b.Append("../state"); err == nil {
		t.Error("a name that leaves the folder")
	}
}
