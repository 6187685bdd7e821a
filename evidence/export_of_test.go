package evidence

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
)

// LogOfTest is a log in memory, and what makes it longer.
func LogOfTest(t testing.TB) (*Log, func()) {
	t.Helper()
	m, l := newLog(t)
	return l, func() {
		for range 5 {
			m.add(t, fmt.Sprint("en", len(m.leaves)+len(m.waiting)), "payer.pin_free.closed", map[string]any{"version": 1}, nil)
		}
		sequence(t, l)
	}
}

// NewestOfTest is the last entry of a log of this size.
func NewestOfTest(t testing.TB, l *Log, size int64) mianmi.EntryID {
	t.Helper()
	return l.store.(*memory).leaves[size-1].ID
}

// SpoilOfTest changes what is stored of the only witness.
func SpoilOfTest(t testing.TB, l *Log, spoil func(*StoredCosigned)) {
	t.Helper()
	m := l.store.(*memory)
	for k, c := range m.witness {
		spoil(&c)
		m.witness[k] = c
	}
}
