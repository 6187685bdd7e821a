package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

// memory is a small store that works, for what needs no database.
type memory struct {
	waiting []Leaf
	leaves  []Leaf
	hashes  []tlog.Hash
	newest  StoredCheckpoint
}

func (m *memory) Sequence(_ context.Context, most int, fn func(Waiting) (Appended, error)) (int, error) {
	w := Waiting{Size: int64(len(m.leaves)), Hashes: tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return m.Hashes(context.Background(), at) })}
	n := min(most, len(m.waiting))
	for _, l := range m.waiting[:n] {
		w.Bytes = append(w.Bytes, l.Bytes)
	}
	if n == 0 {
		return 0, nil
	}
	a, err := fn(w)
	if err != nil {
		return 0, err
	}
	for _, l := range m.waiting[:n] {
		l.Index = int64(len(m.leaves))
		m.leaves = append(m.leaves, l)
	}
	m.waiting, m.hashes, m.newest = m.waiting[n:], append(m.hashes, a.Hashes...), a.Checkpoint
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
	from = min(from, int64(len(m.leaves)))
	return m.leaves[from:min(from+int64(limit), int64(len(m.leaves)))], nil
}

func (m *memory) Checkpoint(context.Context) (StoredCheckpoint, error) { return m.newest, nil }

type still struct{}

func (still) Now() time.Time { return time.Date(2026, 3, 1, 12, 4, 31, 0, time.UTC) }

func newLog(t testing.TB) (*memory, *Log) {
	t.Helper()
	key, err := NewKey("log.example", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{}
	return m, NewLog(m, key, still{})
}

func (m *memory) add(t testing.TB, id, kind string, body any, records [][]byte) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{ID: mianmi.EntryID(id), At: still{}.Now(), Type: kind, Subject: "py1", Actor: "payer:py1", Body: b}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.waiting = append(m.waiting, Leaf{ID: e.ID, Index: -1, Bytes: text, Records: records})
}

// seven is a log of seven entries, the fifth of them a batch of three records.
func seven(t testing.TB) *Log {
	t.Helper()
	m, l := newLog(t)
	records := [][]byte{[]byte(`{"payment":"pm1"}`), []byte(`{"payment":"pm2"}`), []byte(`{"payment":"pm3"}`)}
	for i := range 7 {
		if i == 4 {
			b, err := NewBatch("payment.decided", records)
			if err != nil {
				t.Fatal(err)
			}
			m.add(t, "en4", BatchType, b, records)
			continue
		}
		m.add(t, fmt.Sprint("en", i), "payer.pin_free.closed", map[string]any{"version": i, "note": "关 <off> & \"quoted\""}, nil)
	}
	for n := 1; n > 0; {
		var err error
		if n, err = l.Sequence(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func receipts(t testing.TB, l *Log) []*Receipt {
	t.Helper()
	one, err := l.Receipt(t.Context(), "en3")
	if err != nil {
		t.Fatal(err)
	}
	two, err := l.RecordReceipt(t.Context(), "en4", func(b []byte) bool { return bytes.Contains(b, []byte("pm2")) })
	if err != nil {
		t.Fatal(err)
	}
	return []*Receipt{one, two}
}

// A receipt verifies, and with any one bit of its file changed it does not.
func TestOneFlippedBitFails(t *testing.T) {
	t.Parallel()
	l := seven(t)
	for _, r := range receipts(t, l) {
		text, err := r.Text()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify(text, l.keys...); err != nil {
			t.Fatal(err)
		}
		for i := range len(text) * 8 {
			bad := bytes.Clone(text)
			bad[i/8] ^= 1 << (i % 8)
			if p, err := verify(bad, l.keys...); err == nil {
				t.Fatalf("bit %d of %q: still proves %+v", i%8, text[max(i/8-10, 0):min(i/8+10, len(text))], p.Entry)
			}
			if _, err := verify(bad); err == nil {
				t.Fatalf("bit %d of %q: still whole by its own key", i%8, text[max(i/8-10, 0):min(i/8+10, len(text))])
			}
		}
	}
}

func fieldOf(err error) string {
	var e *mianmi.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

func verify(text []byte, keys ...note.Verifier) (Proved, error) {
	r, err := ParseReceipt(text)
	if err != nil {
		return Proved{}, err
	}
	return r.Verify(keys...)
}

// What an attacker would try with a whole file: parts of another receipt,
// another key, a signature more.
func TestForgedReceipts(t *testing.T) {
	t.Parallel()
	l := seven(t)
	list := receipts(t, l)
	other, err := NewKey("log.example", bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	witness, err := NewKey("witness.example", bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCheckpoint(list[0].Checkpoint, l.keys...)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(by ...note.Signer) string {
		s, err := c.Sign(by...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := []struct {
		name   string
		change func(*Receipt)
		keys   []note.Verifier
		field  string // "": it verifies
	}{
		{"as issued", func(*Receipt) {}, l.keys, ""},
		{"the entry of another", func(r *Receipt) { r.Entry = list[1].Entry }, l.keys, "proof"},
		{"the place of another", func(r *Receipt) { r.Index = 2 }, l.keys, "proof"},
		{"a place outside", func(r *Receipt) { r.Index = 7 }, l.keys, "index"},
		{"a record where there is none", func(r *Receipt) { r.Record = "x" }, l.keys, "record"},
		{"signed by a stranger of the same name", func(r *Receipt) { r.Checkpoint, r.Key = sign(other.signer), other.public }, l.keys, "checkpoint"},
		{"a stranger's key in the file", func(r *Receipt) { r.Key = other.public }, l.keys, "key"},
		{"signed by a witness alone", func(r *Receipt) { r.Checkpoint = sign(witness.signer) }, []note.Verifier{witness.verifier}, "checkpoint"},
		{"a witness who is not known", func(r *Receipt) { r.Checkpoint = sign(l.signer, witness.signer) }, l.keys, "checkpoint"},
		{"a witness who is known", func(r *Receipt) { r.Checkpoint = sign(l.signer, witness.signer) }, []note.Verifier{l.keys[0], witness.verifier}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := *list[0]
			tt.change(&r)
			_, err := r.Verify(tt.keys...)
			if got := fieldOf(err); got != tt.field || (err == nil) != (tt.field == "") {
				t.Errorf("field %q, want %q: %v", got, tt.field, err)
			}
		})
	}
}

// Whatever the rounds, the log is the one that tlog makes of the same entries
// at once, every entry has a receipt, and each checkpoint grows from the last.
func TestLogInRounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m, l := newLog(t)
		var roots []StoredCheckpoint
		count := 0
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			for range rapid.IntRange(1, 9).Draw(rt, "entries") {
				m.add(t, fmt.Sprint("en", count), "x", count, nil)
				count++
			}
			if _, err := l.Sequence(t.Context()); err != nil {
				rt.Fatal(err)
			}
			roots = append(roots, m.newest)
		}
		for i, c := range roots {
			signed, err := OpenCheckpoint(c.Note, l.keys...)
			if err != nil {
				rt.Fatal(err)
			}
			last, err := OpenCheckpoint(roots[len(roots)-1].Note, l.keys...)
			if err != nil {
				rt.Fatal(err)
			}
			proof, err := tlog.ProveTree(last.Size, signed.Size, l.hashes(t.Context()))
			if err != nil {
				rt.Fatal(err)
			}
			if err := tlog.CheckTree(proof, last.Size, last.Root, signed.Size, signed.Root); err != nil {
				rt.Fatalf("checkpoint %d: %v", i, err)
			}
		}
		for i := range count {
			if _, err := l.Receipt(t.Context(), mianmi.EntryID(fmt.Sprint("en", i))); err != nil {
				rt.Fatal(err)
			}
		}
	})
}
