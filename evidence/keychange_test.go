package evidence

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
)

func seedOf(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func keyOf(t testing.TB, seeds ...byte) Key {
	t.Helper()
	var list [][]byte
	for _, s := range seeds {
		list = append(list, seedOf(s))
	}
	k, err := NewKey("log.example", list...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// twice is a log whose key changed twice, with an entry under each: a receipt
// under each key.
func twice(t testing.TB) (list []*Receipt, l *Log) {
	t.Helper()
	m, l := newLog(t)
	for i, id := range []string{"en0", "en1", "en2"} {
		if i > 0 {
			l = NewLog(m, keyOf(t, []byte{7, 8, 9}[i], []byte{7, 8, 9}[i-1]), still{})
			if _, err := l.ChangeKey(t.Context(), mianmi.System("command-line"), rand.Reader); err != nil {
				t.Fatal(err)
			}
		}
		m.add(t, id, "payer.pin_free.closed", map[string]any{"version": i}, nil)
		sequence(t, l)
		r, err := l.Receipt(t.Context(), mianmi.EntryID(id))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list, l
}

// Whoever believes the first key of the log, or any later one, can check a
// receipt that a later key signed; who believes a later one gets no more than
// that key signed, and a stranger's key leads nowhere.
func TestKeyChangesAreFollowed(t *testing.T) {
	t.Parallel()
	list, _ := twice(t)
	for signedBy, r := range list {
		for given, seed := range []byte{7, 8, 9, 10} {
			p, err := r.Verify(Trust{Log: []note.Verifier{keyOf(t, seed).list[0].verifier}})
			if want := given <= signedBy; (err == nil) != want || p.Believed != want {
				t.Errorf("receipt under key %d, believing key %d: believed %t, %v", signedBy, given, p.Believed, err)
			}
		}
		if len(r.KeyChanges) != signedBy {
			t.Errorf("receipt under key %d has %d statements", signedBy, len(r.KeyChanges))
		}
	}
}

// A statement is worth nothing when a part of it, or its place, was changed.
func TestForgedKeyChanges(t *testing.T) {
	t.Parallel()
	list, l := twice(t)
	newest := list[2]
	first := Trust{Log: []note.Verifier{keyOf(t, 7).list[0].verifier}}
	// A stranger takes the log over: his key signs for both.
	stranger := keyOf(t, 66, 7)
	text := KeyChange{Origin: "log.example", Size: 3, Old: keyOf(t, 7).Public(), New: stranger.Public()}.text()
	alone, err := note.Sign(&note.Note{Text: text}, stranger.list[0].signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCheckpoint(newest.Checkpoint, l.key.list[0].verifier)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Sign(stranger.list[0].signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*Receipt)
		field  string
	}{
		{"as issued", func(*Receipt) {}, ""},
		{"the first left out", func(r *Receipt) { r.KeyChanges = r.KeyChanges[1:] }, "key"},
		{"the last left out", func(r *Receipt) { r.KeyChanges = r.KeyChanges[:1] }, "key_changes"},
		{"all left out", func(r *Receipt) { r.KeyChanges = nil }, "key"},
		{"in another order", func(r *Receipt) { r.KeyChanges = []string{r.KeyChanges[1], r.KeyChanges[0]} }, "key_changes[1]"},
		{"signed by the new key alone", func(r *Receipt) {
			r.KeyChanges, r.Key, r.Checkpoint = []string{string(alone)}, stranger.Public(), signed
		}, "key_changes[0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := *newest
			tt.change(&r)
			if _, err := r.Verify(first); fieldOf(err) != tt.field || (err == nil) != (tt.field == "") {
				t.Errorf("field %q, want %q: %v", fieldOf(err), tt.field, err)
			}
		})
	}
	flipped, err := newest.Text()
	if err != nil {
		t.Fatal(err)
	}
	for i := range flipped { // every byte of a receipt with statements counts, too
		bad := bytes.Clone(flipped)
		bad[i] ^= 1
		if _, err := verify(bad, first); err == nil {
			t.Fatalf("byte %d of the receipt changed, and it verifies: %s", i, bad[max(0, i-60):min(i+30, len(bad))])
		}
	}
}

// A server that does not have the key in force signs nothing, and says whether
// its name or its keys file is wrong.
func TestWrongKeySignsNothing(t *testing.T) {
	t.Parallel()
	m, l := newLog(t)
	m.add(t, "en0", "x", 0, nil)
	sequence(t, l)
	m.add(t, "en1", "x", 1, nil)
	renamed, err := NewKey("other.example", seedOf(7))
	if err != nil {
		t.Fatal(err)
	}
	for key, code := range map[*Key]string{{name: "log.example", list: keyOf(t, 8).list}: "log_key_unknown", &renamed: "log_name"} {
		_, err := NewLog(m, *key, still{}).Sequence(t.Context())
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%v, want %s", err, code)
		}
		if _, err := NewLog(m, *key, still{}).ChangeKey(t.Context(), mianmi.System("x"), rand.Reader); !errors.As(err, &e) || e.Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if _, err := l.ChangeKey(t.Context(), mianmi.System("x"), rand.Reader); mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("a change to the key that is in force: %v", err)
	}
	if len(m.leaves) != 1 || len(m.keys) != 1 {
		t.Errorf("%d leaves, %d keys", len(m.leaves), len(m.keys))
	}
}
