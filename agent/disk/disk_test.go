package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mianmi/mianmi/agent/disk"
)

// power is a disk whose machine loses power before the call with number
// stopAt. Contents are safe once synced, names once the folder is.
type power struct {
	calls, stopAt int
	durable       map[string]*inode // names that survive for sure
	names         map[string]*inode // names as the program sees them
}

type inode struct{ synced, written []byte }

var errPower = errors.New("no power")

func (p *power) step() error {
	p.calls++
	if p.stopAt > 0 && p.calls >= p.stopAt {
		return errPower
	}
	return nil
}

func (p *power) ReadFile(name string) ([]byte, error) {
	if n := p.names[name]; n != nil {
		return n.written, nil
	}
	return nil, fs.ErrNotExist
}

func (p *power) Create(name string) (disk.File, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	n := &inode{}
	p.names[name] = n
	return &open{p, n}, nil
}

func (p *power) Rename(from, to string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.names[to] = p.names[from]
	delete(p.names, from)
	return nil
}

func (p *power) Remove(name string) error {
	if err := p.step(); err != nil {
		return err
	}
	delete(p.names, name)
	return nil
}

func (p *power) SyncDir() error {
	if err := p.step(); err != nil {
		return err
	}
	p.durable = map[string]*inode{}
	for k, v := range p.names {
		p.durable[k] = v
	}
	return nil
}

type open struct {
	p *power
	n *inode
}

func (o *open) Write(b []byte) (int, error) {
	if err := o.p.step(); err != nil {
		o.n.written = append(o.n.written, b[:len(b)/2]...) // torn
		return len(b) / 2, err
	}
	o.n.written = append(o.n.written, b...)
	return len(b), nil
}

func (o *open) Sync() error {
	if err := o.p.step(); err != nil {
		return err
	}
	o.n.synced = bytes.Clone(o.n.written)
	return nil
}

func (o *open) Close() error { return o.p.step() }

// after returns the disks that may be found when power is back: names old or
// new, contents that were not synced lost, half there or there.
func (p *power) after() map[string]*power {
	found := map[string]*power{}
	for which, names := range map[string]map[string]*inode{"names as synced": p.durable, "names as last seen": p.names} {
		for _, part := range []int{0, 1, 2} {
			q := &power{names: map[string]*inode{}}
			for name, n := range names {
				b := n.synced
				if b == nil {
					b = n.written[:len(n.written)*part/2]
				}
				q.names[name] = &inode{written: b, synced: b}
			}
			found[fmt.Sprintf("%s, %d/2 of what was not synced", which, part)] = q
		}
	}
	return found
}

// Power is lost before every single call of a save: what is found afterwards
// is the old file or the new one, and the new one when Save had said so.
func TestPowerLossAtEveryCall(t *testing.T) {
	t.Parallel()
	before, after := bytes.Repeat([]byte("old "), 500), bytes.Repeat([]byte("new "), 700)
	for stop := 1; ; stop++ {
		p := &power{names: map[string]*inode{}, durable: map[string]*inode{}}
		f := disk.New(p)
		if err := f.Save("state", before); err != nil {
			t.Fatal(err)
		}
		p.calls, p.stopAt = 0, stop
		err := f.Save("state", after)
		for how, found := range p.after() {
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
