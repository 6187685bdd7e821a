package evidence

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
)

// LogOfTest is a log in memory, and what makes it longer. Logs of another
// version have the same key and other entries.
func LogOfTest(t testing.TB, version int) (*Log, func()) {
	t.Helper()
	m, l := newLog(t)
	return l, func() {
		for range 5 {
			m.add(t, fmt.Sprint("en", len(m.leaves)+len(m.waiting)), "payer.pin_free.closed", map[string]any{"version": version}, nil)
		}
		sequence(t, l)
	}
}

// MeanwhileOfTest does something right after the newest checkpoint has been
// read the next time.
func MeanwhileOfTest(t testing.TB, l *Log, do func()) {
	t.Helper()
	l.store.(*memory).meanwhile = do
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
