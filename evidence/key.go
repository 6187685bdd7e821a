package evidence

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
)

// Key signs checkpoints, and knows the keys that did so before it.
type Key struct {
	name     string
	public   string // verifier key, as in c2sp.org/signed-note
	signer   note.Signer
	verifier note.Verifier
	former   []note.Verifier
}

// NewKey returns the key that a seed of 32 secret bytes makes, for the log of
// this name; former are verifier keys of the same log that are no more in use.
func NewKey(name string, seed []byte, former ...string) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("the seed of a log's key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, _ := private.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return Key{}, mianmi.InvalidField("origin", "a log's name is a text without spaces and plus signs, like a host name")
	}
	k := Key{name: name, public: vkey}
	if k.verifier, err = note.NewVerifier(vkey); err != nil {
		return Key{}, mianmi.InvalidField("origin", "a log's name is a text without spaces and plus signs, like a host name")
	}
	// The signer key's form is that of the verifier key with the seed in place
	// of the public key (golang.org/x/mod/sumdb/note).
	secret := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, k.verifier.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if k.signer, err = note.NewSigner(secret); err != nil {
		return Key{}, fmt.Errorf("make the signer of log %s", name) // the cause holds the key
	}
	for i, f := range former {
		v, err := note.NewVerifier(f)
		if err != nil || v.Name() != name {
			return Key{}, mianmi.InvalidField(fmt.Sprintf("former[%d]", i), "is not a verifier key of log "+name)
		}
		k.former = append(k.former, v)
	}
	return k, nil
}

// Public is the verifier key to publish: what a stranger needs to check receipts.
func (k Key) Public() string { return k.public }
