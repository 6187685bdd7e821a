package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
)

// witnessOfTest cosigns as c2sp.org/tlog-cosignature says. It is a note.Signer.
type witnessOfTest struct {
	*Witness
	private ed25519.PrivateKey
	at      int64
}

func newWitness(t testing.TB, name string, seed byte) *witnessOfTest {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	key := append([]byte{4}, private[32:]...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	w, err := ParseWitness(fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(key)))
	if err != nil {
		t.Fatal(err)
	}
	return &witnessOfTest{w, private, 1772366671}
}

func (w *witnessOfTest) Sign(msg []byte) ([]byte, error) {
	out := binary.BigEndian.AppendUint64(nil, uint64(w.at))
	return append(out, ed25519.Sign(w.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", w.at, msg))...), nil
}

// A cosignature tells when its witness saw the checkpoint, and no other time.
func TestCosignature(t *testing.T) {
	t.Parallel()
	l := seven(t)
	r := receipts(t, l)[0]
	own, w := l.key.list[0], newWitness(t, "witness.example/a", 9)
	c, err := OpenCheckpoint(r.Checkpoint, own.verifier)
	if err != nil {
		t.Fatal(err)
	}
	if r.Checkpoint, err = c.Sign(own.signer, w); err != nil {
		t.Fatal(err)
	}
	r.WitnessKeys = []string{w.public}
	p, err := r.Verify(Trust{Log: []note.Verifier{own.verifier}, Witnesses: []*Witness{w.Witness}, Quorum: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []Cosigned{{Key: w.public, Name: "witness.example/a", At: time.Unix(1772366671, 0).UTC(), Believed: true}}
	if d := cmp.Diff(want, p.Cosigned); d != "" || !p.Believed {
		t.Errorf("believed %t, cosigned (-want +got):\n%s", p.Believed, d)
	}
	sig, _ := w.Sign([]byte(c.Text()))
	for i := range sig {
		bad := bytes.Clone(sig)
		bad[i] ^= 1
		if w.Verify([]byte(c.Text()), bad) {
			t.Errorf("a cosignature with byte %d changed verifies", i)
		}
	}
}

// What is not the key of a witness is refused, and a witness's key is none of a log.
func TestParseWitnessRefuses(t *testing.T) {
	t.Parallel()
	w, l := newWitness(t, "witness.example", 9), seven(t)
	for _, text := range []string{"", "a+b", l.key.Public(), w.public + "=", w.public[:len(w.public)-1], "witness example" + w.public[len("witness.example"):],
		"w" + w.public, w.public + "\n"} {
		if _, err := ParseWitness(text); fieldOf(err) != "witness_key" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseKey(w.public); fieldOf(err) != "key" {
		t.Errorf("a witness's key as that of a log: %v", err)
	}
	if _, err := ParseKey(l.key.Public() + "\n"); fieldOf(err) != "key" {
		t.Errorf("a key in another form: %v", err)
	}
}
