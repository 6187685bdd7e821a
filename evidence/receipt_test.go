package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

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
	sequence(t, l)
	return l
}

func sequence(t testing.TB, l *Log) {
	t.Helper()
	for more := true; more; {
		r, err := l.Sequence(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		more = r.Entries > 0
	}
}

// trust is belief in the newest key of the log alone.
func trust(l *Log) Trust { return Trust{Log: []note.Verifier{l.key.list[0].verifier}} }

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
		if _, err := verify(text, trust(l)); err != nil {
			t.Fatal(err)
		}
		for i := range len(text) * 8 {
			bad := bytes.Clone(text)
			bad[i/8] ^= 1 << (i % 8)
			if p, err := verify(bad, trust(l)); err == nil {
				t.Fatalf("bit %d of %q: still proves %+v", i%8, text[max(i/8-10, 0):min(i/8+10, len(text))], p.Entry)
			}
			if _, err := verify(bad, Trust{}); err == nil {
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

func verify(text []byte, t Trust) (Proved, error) {
	r, err := ParseReceipt(text)
	if err != nil {
		return Proved{}, err
	}
	return r.Verify(t)
}

// Base64 has several texts for the same bytes. Of a signature one alone is
// taken, so that no bit of a receipt is without meaning.
func TestSignaturesHaveOneForm(t *testing.T) {
	t.Parallel()
	l := seven(t)
	r := *receipts(t, l)[0]
	at := len(r.Checkpoint) - len("=\n") - 1
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	value := strings.IndexByte(digits, r.Checkpoint[at])
	for slack := range 4 { // 68 bytes leave two bits over
		form := digits[value&^3|slack]
		r.Checkpoint = r.Checkpoint[:at] + string(form) + r.Checkpoint[at+1:]
		if _, err := r.Verify(trust(l)); (err == nil) != (slack == 0) {
			t.Errorf("the signature with %d in its slack bits: %v", slack, err)
		}
	}
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
	own, witness := l.key.list[0], newWitness(t, "witness.example", 9)
	c, err := OpenCheckpoint(list[0].Checkpoint, own.verifier)
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
	believed, seen := trust(l), trust(l)
	seen.Witnesses, seen.Quorum = []*Witness{witness.Witness}, 1
	tests := []struct {
		name   string
		change func(*Receipt)
		trust  Trust
		field  string // "": it verifies
	}{
		{"as issued", func(*Receipt) {}, believed, ""},
		{"as issued, to somebody who believes nobody", func(*Receipt) {}, Trust{}, ""},
		{"as issued, to somebody who believes another", func(*Receipt) {}, Trust{Log: []note.Verifier{other.list[0].verifier}}, "key"},
		{"the entry of another", func(r *Receipt) { r.Entry = list[1].Entry }, believed, "proof"},
		{"the place of another", func(r *Receipt) { r.Index = 2 }, believed, "proof"},
		{"a place outside", func(r *Receipt) { r.Index = 7 }, believed, "index"},
		{"a record where there is none", func(r *Receipt) { r.Record = "x" }, believed, "record"},
		{"signed by a stranger of the same name", func(r *Receipt) { r.Checkpoint, r.Key = sign(other.list[0].signer), other.Public() }, believed, "key"},
		{"a stranger's key in the file", func(r *Receipt) { r.Key = other.Public() }, believed, "checkpoint"},
		{"signed by a witness alone", func(r *Receipt) { r.Checkpoint, r.WitnessKeys = sign(witness), []string{witness.public} }, believed, "checkpoint"},
		{"a witness whose key is not there", func(r *Receipt) { r.Checkpoint = sign(own.signer, witness) }, believed, "checkpoint"},
		{"a witness who did not sign", func(r *Receipt) { r.WitnessKeys = []string{witness.public} }, believed, "witness_keys[0]"},
		{"a witness twice", func(r *Receipt) {
			r.Checkpoint, r.WitnessKeys = sign(own.signer, witness), []string{witness.public, witness.public}
		}, believed, "witness_keys[1]"},
		{"a witness nobody asked for", func(r *Receipt) { r.Checkpoint, r.WitnessKeys = sign(own.signer, witness), []string{witness.public} }, believed, ""},
		{"a witness who is believed", func(r *Receipt) { r.Checkpoint, r.WitnessKeys = sign(own.signer, witness), []string{witness.public} }, seen, ""},
		{"without the witness who is believed", func(*Receipt) {}, seen, "checkpoint"},
		{"a change of keys that never was", func(r *Receipt) { r.KeyChanges = []string{"x"} }, believed, "key_changes[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := *list[0]
			tt.change(&r)
			_, err := r.Verify(tt.trust)
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
			roots = append(roots, m.newest())
		}
		for i, c := range roots {
			signed, err := OpenCheckpoint(c.Note, l.key.list[0].verifier)
			if err != nil {
				rt.Fatal(err)
			}
			last, err := OpenCheckpoint(roots[len(roots)-1].Note, l.key.list[0].verifier)
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
