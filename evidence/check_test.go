package evidence

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// grown is a log of 20 entries in ten rounds: the sixth entry is a batch, and
// the key changed in the middle.
func grown(t testing.TB) (*memory, *Log) {
	t.Helper()
	m, l := newLog(t)
	records := [][]byte{[]byte(`{"payment":"pm1"}`), []byte(`{"payment":"pm2"}`), []byte(`{"payment":"pm3"}`)}
	for i := range 19 {
		switch {
		case i == 5:
			b, err := NewBatch("payment.decided", records)
			if err != nil {
				t.Fatal(err)
			}
			m.add(t, "en5", BatchType, b, records)
		default:
			m.add(t, fmt.Sprint("en", i), "payer.pin_free.closed", map[string]any{"version": i}, nil)
		}
		if i == 9 {
			l = NewLog(m, keyOf(t, 8, 7), still{})
			if _, err := l.ChangeKey(t.Context(), mianmi.System("command-line"), rand.Reader); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			sequence(t, l)
		}
	}
	sequence(t, l)
	return m, l
}

// A log as it should be has no fault, whatever part of it is looked at and
// against whatever was kept of it; and the check has read what it says.
func TestCheckOfAGoodLog(t *testing.T) {
	t.Parallel()
	m, l := grown(t)
	var kept []Checkpoint
	for _, p := range m.points {
		c, err := l.ReadCheckpoint(t.Context(), []byte(p.Note))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c)
	}
	for from := int64(0); from <= 20; from++ {
		for to := max(from, 1); to <= 20; to++ {
			got, err := l.Check(t.Context(), Check{From: from, To: to, Against: kept})
			if err != nil || got.Fault != nil || got.Entries != to-from || got.Checkpoints != got.Against {
				t.Fatalf("from %d to %d: %+v, %v", from, to, got, err)
			}
		}
	}
	told := int64(0)
	got, err := l.Check(t.Context(), Check{Against: kept, Progress: func(done, to int64) { told = done*100 + to }})
	if err != nil {
		t.Fatal(err)
	}
	want := Checked{To: 20, Entries: 20, Batches: 1, Records: 3, Checkpoints: int64(len(kept)), Against: int64(len(kept))}
	if d := cmp.Diff(want, got); d != "" || told != 20*100+20 || len(kept) < 9 {
		t.Errorf("told %d, %d checkpoints, (-want +got):\n%s", told, len(kept), d)
	}
	if _, err := l.Check(t.Context(), Check{From: 5, To: 21}); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("more than there is: %v", err)
	}
	if got, err := NewLog(&memory{}, keyOf(t, 7), still{}).Check(t.Context(), Check{}); err != nil || got.Fault != nil {
		t.Errorf("a log that has not begun: %+v, %v", got, err)
	}
}

// rewrite makes the stored hashes those of the entries as they are now.
func (m *memory) rewrite(t *testing.T) {
	t.Helper()
	m.hashes = nil
	for _, l := range m.leaves {
		more, err := tlog.StoredHashes(l.Index, l.Bytes, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) { return m.Hashes(t.Context(), at) }))
		if err != nil {
			t.Fatal(err)
		}
		m.hashes = append(m.hashes, more...)
	}
}

// Whatever is changed in what is stored, the check names the first thing that
// does not fit, in words of both languages.
func TestCheckNamesTheFirstFault(t *testing.T) {
	t.Parallel()
	swap := func(b []byte) []byte { return bytes.Replace(b, []byte(`"version":`), []byte(`"Version":`), 1) }
	sign := func(t *testing.T, m *memory, i int, seed byte) {
		t.Helper()
		c, err := NewLog(m, keyOf(t, 8, 7), still{}).ReadCheckpoint(t.Context(), []byte(m.points[i].Note))
		if err != nil {
			t.Fatal(err)
		}
		if m.points[i].Note, err = c.Sign(keyOf(t, seed).list[0].signer); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, m *memory)
		want  Fault
	}{
		{"an entry changed", func(_ *testing.T, m *memory) { m.leaves[7].Bytes = swap(m.leaves[7].Bytes) }, Fault{FaultChanged, 7, "en7"}},
		{"an entry cut", func(_ *testing.T, m *memory) { m.leaves[7].Bytes = m.leaves[7].Bytes[1:] }, Fault{FaultEntry, 7, "en7"}},
		{"an entry changed with every hash after it", func(t *testing.T, m *memory) {
			m.leaves[7].Bytes = swap(m.leaves[7].Bytes)
			m.rewrite(t)
		}, Fault{FaultRoot, 9, ""}},
		{"two entries in each other's place", func(_ *testing.T, m *memory) {
			m.leaves[3], m.leaves[4] = m.leaves[4], m.leaves[3]
			m.leaves[3].Index, m.leaves[4].Index = 3, 4
		}, Fault{FaultChanged, 3, "en4"}},
		{"the bytes of another entry", func(_ *testing.T, m *memory) { m.leaves[3].Bytes = m.leaves[4].Bytes }, Fault{FaultEntry, 3, "en3"}},
		{"an entry removed", func(_ *testing.T, m *memory) { m.leaves = append(m.leaves[:4:4], m.leaves[5:]...) }, Fault{FaultMissing, 4, ""}},
		{"the last entry removed", func(_ *testing.T, m *memory) { m.leaves = m.leaves[:19] }, Fault{FaultMissing, 19, ""}},
		{"a record changed", func(_ *testing.T, m *memory) {
			m.leaves[5].Records = [][]byte{m.leaves[5].Records[0], []byte(`{"payment":"pm4"}`), m.leaves[5].Records[2]}
		}, Fault{FaultRecords, 5, "en5"}},
		{"a record removed", func(_ *testing.T, m *memory) { m.leaves[5].Records = m.leaves[5].Records[:2] }, Fault{FaultRecords, 5, "en5"}},
		{"records all gone", func(_ *testing.T, m *memory) { m.leaves[5].Records = nil }, Fault{FaultRecords, 5, "en5"}},
		{"records where there are none", func(_ *testing.T, m *memory) { m.leaves[6].Records = [][]byte{{1}} }, Fault{FaultRecords, 6, "en6"}},
		{"a hash of an entry changed", func(_ *testing.T, m *memory) { m.hashes[tlog.StoredHashIndex(0, 6)][0] ^= 1 }, Fault{FaultChanged, 6, "en6"}},
		{"a hash of a node changed", func(_ *testing.T, m *memory) { m.hashes[tlog.StoredHashIndex(2, 1)][0] ^= 1 }, Fault{FaultHash, 7, "en7"}},
		{"the last hash removed", func(_ *testing.T, m *memory) { m.hashes = m.hashes[:len(m.hashes)-1] }, Fault{FaultHash, 19, "en18"}},
		{"a checkpoint changed", func(_ *testing.T, m *memory) {
			m.points[2].Note = strings.Replace(m.points[2].Note, "\n5\n", "\n4\n", 1)
		}, Fault{FaultSignature, 5, ""}},
		{"a checkpoint signed before its key was in force", func(t *testing.T, m *memory) { sign(t, m, 1, 8) }, Fault{FaultSignature, 3, ""}},
		{"a checkpoint signed after its key was in force", func(t *testing.T, m *memory) { sign(t, m, 8, 7) }, Fault{FaultSignature, 18, ""}},
		{"a key without a statement", func(_ *testing.T, m *memory) { m.keys[1].Statement = "" }, Fault{FaultKey, 9, ""}},
		{"another first key", func(t *testing.T, m *memory) { m.keys[0].Public = keyOf(t, 9).Public() }, Fault{FaultKey, 9, ""}},
		{"the same key handed over to twice", func(_ *testing.T, m *memory) { m.keys = append(m.keys, m.keys[1]) }, Fault{FaultKey, 9, ""}},
		{"no key at all", func(_ *testing.T, m *memory) { m.keys = nil }, Fault{FaultKey, 0, ""}},
		{"an entry that never came into the log", func(_ *testing.T, m *memory) { m.strays = []mianmi.EntryID{"en99"} }, Fault{FaultStray, 20, "en99"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, l := grown(t)
			tt.spoil(t, m)
			got, err := l.Check(t.Context(), Check{})
			if err != nil || got.Fault == nil {
				t.Fatalf("%+v, %v", got, err)
			}
			if d := cmp.Diff(tt.want, *got.Fault); d != "" {
				t.Errorf("fault (-want +got):\n%s", d)
			}
			w := got.Fault.Words()
			for _, text := range []string{w.ZH, w.EN} {
				if strings.Contains(text, "%!") || !strings.Contains(text, fmt.Sprint(tt.want.At)) {
					t.Errorf("badly told: %s", text)
				}
			}
		})
	}
}

// An auditor needs no secret: a public key of the log is enough, a former one
// too. Another log, made whole with other keys, is not taken for this one.
func TestCheckByPublicKey(t *testing.T) {
	t.Parallel()
	m, _ := grown(t)
	for seed, want := range map[byte]mianmi.Kind{7: mianmi.Internal, 8: mianmi.Internal, 9: mianmi.Conflict} {
		key, err := PublicKey(keyOf(t, seed).Public())
		if err != nil {
			t.Fatal(err)
		}
		l := NewLog(m, key, still{})
		got, err := l.Check(t.Context(), Check{})
		if (err == nil) != (want == mianmi.Internal) || err != nil && mianmi.KindOf(err) != want || got.Fault != nil {
			t.Errorf("key %d: %+v, %v", seed, got, err)
		}
		m.add(t, fmt.Sprint("more", seed), "x", 0, nil)
		if _, err := l.Sequence(t.Context()); mianmi.KindOf(err) != mianmi.Conflict {
			t.Errorf("signed without a secret: %v", err)
		}
	}
	if _, err := PublicKey(keyOf(t, 7).Public(), strings.Replace(keyOf(t, 7).Public(), "log", "lag", 1)); fieldOf(err) != "key" {
		t.Errorf("keys that do not go together: %v", err)
	}
}

// A log that was rewritten as a whole, signatures and all, or cut, is found
// out by whoever kept an earlier checkpoint or a receipt.
func TestCheckAgainstWhatWasKept(t *testing.T) {
	t.Parallel()
	m, l := grown(t)
	kept, err := l.ReadCheckpoint(t.Context(), []byte(m.points[4].Note))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Receipt(t.Context(), "en3")
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Text()
	if err != nil {
		t.Fatal(err)
	}
	newest, err := l.ReadCheckpoint(t.Context(), text)
	if err != nil || newest.Size != 20 {
		t.Fatalf("the checkpoint of a receipt: %+v, %v", newest, err)
	}
	if _, err := l.ReadCheckpoint(t.Context(), bytes.Replace(text, []byte("py1"), []byte("py2"), 1)); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("a receipt that was changed: %v", err)
	}
	// The same keys, the same number of entries, one of them different.
	forged, fl := newLog(t)
	for i := range 20 {
		forged.add(t, fmt.Sprint("en", i), "payer.pin_free.closed", map[string]any{"version": i + i/4}, nil)
	}
	sequence(t, fl)
	got, err := fl.Check(t.Context(), Check{Against: []Checkpoint{kept}})
	if want := (Fault{FaultAgainst, kept.Size, ""}); err != nil || got.Fault == nil || *got.Fault != want {
		t.Errorf("rewritten: %+v, %v", got.Fault, err)
	}
	got, err = fl.Check(t.Context(), Check{Against: []Checkpoint{{Origin: "log.example", Size: 21}}})
	if want := (Fault{FaultAgainst, 21, ""}); err != nil || got.Fault == nil || *got.Fault != want {
		t.Errorf("cut: %+v, %v", got.Fault, err)
	}
	other, err := Checkpoint{"log.example", 3, tlog.Hash{}}.Sign(keyOf(t, 9).list[0].signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.ReadCheckpoint(t.Context(), []byte(other)); fieldOf(err) != "checkpoint" {
		t.Errorf("a stranger's checkpoint: %v", err)
	}
}
