package evidence

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// memory is a small store that works, for what needs no database.
type memory struct {
	waiting []Leaf
	leaves  []Leaf
	hashes  []tlog.Hash
	points  []StoredCheckpoint
	keys    []KeyInForce
	strays  []mianmi.EntryID
	witness map[string]StoredCosigned

	meanwhile func() // done once, when the newest checkpoint has been read
}

func (m *memory) WitnessTurn(_ context.Context, key string, newest int64, _ time.Duration) (int64, bool, error) {
	size := m.witness[key].Size
	return size, size != newest, nil
}

func (m *memory) KeepCosigned(_ context.Context, c StoredCosigned) error {
	if m.witness == nil {
		m.witness = map[string]StoredCosigned{}
	}
	m.witness[c.Key] = c
	return nil
}

func (m *memory) Cosigned(context.Context) ([]StoredCosigned, error) {
	return slices.SortedFunc(maps.Values(m.witness), func(a, b StoredCosigned) int { return cmp.Compare(b.Size, a.Size) }), nil
}

func (m *memory) Sequence(_ context.Context, most int, fn func(Waiting) (Appended, error)) (int, error) {
	w := Waiting{Size: int64(len(m.leaves)), Hashes: tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return m.Hashes(context.Background(), at) })}
	n := min(most, len(m.waiting))
	for _, l := range m.waiting[:n] {
		w.Bytes, w.Facts = append(w.Bytes, l.Bytes), append(w.Facts, still{}.Now())
	}
	if len(m.keys) > 0 {
		w.Key = m.keys[len(m.keys)-1].Public
	}
	if n == 0 {
		return 0, nil
	}
	a, err := fn(w)
	if err != nil {
		return 0, err
	}
	if a.First != "" {
		m.keys = append(m.keys, KeyInForce{Public: a.First})
	}
	for _, l := range m.waiting[:n] {
		l.Index = int64(len(m.leaves))
		m.leaves = append(m.leaves, l)
	}
	m.waiting, m.hashes, m.points = m.waiting[n:], append(m.hashes, a.Hashes...), append(m.points, a.Checkpoint)
	return n, nil
}

func (m *memory) Hashes(_ context.Context, at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		if x >= int64(len(m.hashes)) {
			return nil, fmt.Errorf("no hash %d", x)
		}
		out[i] = m.hashes[x]
	}
	return out, nil
}

func (m *memory) Leaf(_ context.Context, id mianmi.EntryID) (Leaf, error) {
	for _, list := range [][]Leaf{m.leaves, m.waiting} {
		for _, l := range list {
			if l.ID == id {
				return l, nil
			}
		}
	}
	return Leaf{}, mianmi.Missing("entry")
}

func (m *memory) Leaves(_ context.Context, from int64, limit int) ([]Leaf, error) {
	var list []Leaf
	for _, l := range m.leaves {
		if l.Index >= from && len(list) < limit {
			list = append(list, l)
		}
	}
	return list, nil
}

func (m *memory) newest() StoredCheckpoint {
	if len(m.points) == 0 {
		return StoredCheckpoint{}
	}
	return m.points[len(m.points)-1]
}

func (m *memory) Checkpoint(context.Context) (StoredCheckpoint, error) {
	c := m.newest()
	if do := m.meanwhile; do != nil {
		m.meanwhile = nil
		do()
	}
	return c, nil
}

func (m *memory) Checkpoints(_ context.Context, from int64, limit int) (list []StoredCheckpoint, _ error) {
	for _, c := range m.points {
		if c.Size >= from && len(list) < limit {
			list = append(list, c)
		}
	}
	return list, nil
}

func (m *memory) HashRange(_ context.Context, from int64, count int) ([]tlog.Hash, error) {
	from = min(from, int64(len(m.hashes)))
	return m.hashes[from:min(from+int64(count), int64(len(m.hashes)))], nil
}

func (m *memory) Strays(context.Context, int) ([]mianmi.EntryID, error) { return m.strays, nil }

func (m *memory) HandOverLogKey(_ context.Context, fn func(int64, string) (KeyInForce, Entry, error)) error {
	inForce := ""
	if len(m.keys) > 0 {
		inForce = m.keys[len(m.keys)-1].Public
	}
	k, e, err := fn(int64(len(m.leaves)), inForce)
	if err != nil {
		return err
	}
	text, err := e.Encode()
	m.keys, m.waiting = append(m.keys, k), append(m.waiting, Leaf{ID: e.ID, Index: -1, Bytes: text})
	return err
}

func (m *memory) LogKeys(context.Context) ([]KeyInForce, error) { return m.keys, nil }

func (m *memory) LogState(context.Context) (State, error) {
	return State{Size: int64(len(m.leaves)), Waiting: int64(len(m.waiting)), Newest: m.newest()}, nil
}
