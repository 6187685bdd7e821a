package evidence

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
)

func benchLog(b *testing.B) *Log {
	m, l := newLog(b)
	for i := range 20000 {
		m.add(b, fmt.Sprint("en", i), "payer.pin_free.closed", map[string]any{"version": i}, nil)
	}
	sequence(b, l)
	m.leaves = m.leaves[:1] // found at once: the store is not what is measured
	return l
}

// Building a receipt: proof, key, and the check of what is handed out.
func BenchmarkReceipt(b *testing.B) {
	l := benchLog(b)
	b.ResetTimer()
	for b.Loop() {
		if _, err := l.Receipt(b.Context(), mianmi.EntryID("en0")); err != nil {
			b.Fatal(err)
		}
	}
}

// Verifying one from its text, as a reader does.
func BenchmarkVerify(b *testing.B) {
	l := benchLog(b)
	r, err := l.Receipt(b.Context(), "en0")
	if err != nil {
		b.Fatal(err)
	}
	text, err := r.Text()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := verify(text, trust(l)); err != nil {
			b.Fatal(err)
		}
	}
}
