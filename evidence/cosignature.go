package evidence

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
)

// algCosignature is the algorithm byte of a witness's key: Ed25519, signing a
// time and the checkpoint (c2sp.org/tlog-cosignature, cosignature/v1).
const algCosignature = 4

// timestampMax is the last second of the year 9999: later ones are no times.
const timestampMax = 253402300799

// Witness is the key of somebody who has seen that a log only grows, and says
// so by a cosignature under its checkpoints. It is a note.Verifier.
type Witness struct {
	public string
	name   string
	hash   uint32
	key    ed25519.PublicKey
}

// ParseWitness reads a witness's verifier key. An error is Invalid and names
// "witness_key".
func ParseWitness(public string) (*Witness, error) {
	parts := strings.SplitN(public, "+", 3)
	if len(parts) != 3 {
		return nil, badWitness()
	}
	b, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != algCosignature {
		return nil, badWitness()
	}
	// Its name is one that a log could have, too.
	like, err := note.NewEd25519VerifierKey(parts[0], b[1:])
	if err != nil {
		return nil, badWitness()
	}
	if _, err := note.NewVerifier(like); err != nil {
		return nil, badWitness()
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), b...))
	w := &Witness{public: public, name: parts[0], hash: binary.BigEndian.Uint32(sum[:4]), key: b[1:]}
	if !oneForm(public, w.name, w.hash) {
		return nil, badWitness()
	}
	return w, nil
}

func badWitness() error {
	return mianmi.InvalidField("witness_key", "is not the verifier key of a witness: name+8 hexadecimal digits+base64, of the kind cosignature/v1")
}

// Public is the verifier key as text.
func (w *Witness) Public() string { return w.public }

// Name implements note.Verifier.
func (w *Witness) Name() string { return w.name }

// KeyHash implements note.Verifier.
func (w *Witness) KeyHash() uint32 { return w.hash }

// Verify implements note.Verifier.
func (w *Witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize || binary.BigEndian.Uint64(sig) > timestampMax {
		return false
	}
	return ed25519.Verify(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg), sig[8:])
}

// cosignedAt is the time in a signature that Verify accepted.
func cosignedAt(s note.Signature) time.Time {
	b, err := base64.StdEncoding.DecodeString(s.Base64) // key hash, time, signature
	if err != nil || len(b) != 4+8+ed25519.SignatureSize {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0).UTC() //nolint:gosec // Verify bounds it
}
