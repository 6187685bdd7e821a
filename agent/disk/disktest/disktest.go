// Package disktest is a disk whose power can be cut at each call, for tests of
// what has to survive that.
package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/mianmi/mianmi/agent/disk"
)

// New returns an empty disk with power.
func New() *Power { return &Power{names: map[string]*inode{}, durable: map[string]*inode{}} }

// Has reports whether there is a file of that name.
func (p *Power) Has(name string) bool { return p.names[name] != nil }

// Power is a disk whose machine loses power before the call with number
// StopAt. Contents are safe once synced, names once the folder is.
type Power struct {
	Calls, StopAt int
	durable       map[string]*inode // names that survive for sure
	names         map[string]*inode // names as the program sees them
}

type inode struct{ synced, written []byte }

var ErrPower = errors.New("no power")

func (p *Power) step() error {
	p.Calls++
	if p.StopAt > 0 && p.Calls >= p.StopAt {
		return ErrPower
	}
	return nil
}

func (p *Power) ReadFile(name string) ([]byte, error) {
	if n := p.names[name]; n != nil {
		return n.written, nil
	}
	return nil, fs.ErrNotExist
}

func (p *Power) Create(name string) (disk.File, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	n := &inode{}
	p.names[name] = n
	return &open{p, n}, nil
}

func (p *Power) Rename(from, to string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.names[to] = p.names[from]
	delete(p.names, from)
	return nil
}

func (p *Power) Remove(name string) error {
	if err := p.step(); err != nil {
		return err
	}
	delete(p.names, name)
	return nil
}

func (p *Power) SyncDir() error {
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
	p *Power
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

// After returns the disks that may be found when power is back: names old or
// new, contents that were not synced lost, half there or there.
func (p *Power) After() map[string]*Power {
	found := map[string]*Power{}
	for which, names := range map[string]map[string]*inode{"names as synced": p.durable, "names as last seen": p.names} {
		for _, part := range []int{0, 1, 2} {
			q := &Power{names: map[string]*inode{}}
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

func (p *Power) Append(name string) (disk.File, int64, error) {
	if err := p.step(); err != nil {
		return nil, 0, err
	}
	n := p.names[name]
	if n == nil {
		n = &inode{}
		p.names[name] = n
	}
	return &open{p, n}, int64(len(n.written)), nil
}

func (p *Power) Open(name string) (io.ReadCloser, error) {
	if n := p.names[name]; n != nil {
		return io.NopCloser(bytes.NewReader(n.written)), nil
	}
	return nil, fs.ErrNotExist
}

func (p *Power) Seal(name string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.names[name].synced = bytes.Clone(p.names[name].written)
	return nil
}

func (p *Power) Names() ([]string, error) {
	var names []string
	for name := range p.names {
		names = append(names, name)
	}
	return names, nil
}
