package evidence

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/mianmi/mianmi"
)

// Key signs the checkpoints of one log. It holds the secrets of every key that
// this log has or had and that its owner still keeps, the newest first. Which
// of them is in force says the log itself: see Log.ChangeKey.
type Key struct {
	name string
	list []ownKey
}

type ownKey struct {
	public   string // verifier key, as in c2sp.org/signed-note
	signer   note.Signer
	verifier note.Verifier
}

// keysMax bounds the keys of one log: a change each quarter for eight years.
const keysMax = 32

// NewKey returns the keys that seeds of 32 secret bytes make, for the log of
// this name; the newest seed first.
func NewKey(name string, seeds ...[]byte) (Key, error) {
	if len(seeds) == 0 || len(seeds) > keysMax {
		return Key{}, fmt.Errorf("%d seeds of a log's keys; want 1 to %d", len(seeds), keysMax)
	}
	if len(name) > originMax {
		return Key{}, mianmi.InvalidField("origin", fmt.Sprintf("a log's name has at most %d bytes", originMax))
	}
	k := Key{name: name}
	for _, seed := range seeds {
		own, err := newOwnKey(name, seed)
		if err != nil {
			return Key{}, err
		}
		k.list = append(k.list, own)
	}
	return k, nil
}

// PublicKey returns a Key without secrets, for whoever reads a log and signs
// nothing: verifier keys of one log, former ones or the one in force.
func PublicKey(public ...string) (Key, error) {
	k := Key{}
	for _, p := range public {
		v, err := ParseKey(p)
		if err != nil {
			return Key{}, err
		}
		if k.name != "" && v.Name() != k.name {
			return Key{}, mianmi.InvalidField("key", "is of another log than the one before it")
		}
		k.name, k.list = v.Name(), append(k.list, ownKey{public: p, verifier: v})
	}
	if len(k.list) == 0 || len(k.list) > keysMax {
		return Key{}, mianmi.InvalidField("key", fmt.Sprintf("want 1 to %d verifier keys", keysMax))
	}
	return k, nil
}

func newOwnKey(name string, seed []byte) (ownKey, error) {
	if len(seed) != ed25519.SeedSize {
		return ownKey{}, fmt.Errorf("the seed of a log's key has %d bytes, not %d", len(seed), ed25519.SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	public, _ := private.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return ownKey{}, badName()
	}
	own := ownKey{public: vkey}
	if own.verifier, err = note.NewVerifier(vkey); err != nil {
		return ownKey{}, badName()
	}
	// The signer key's form is that of the verifier key with the seed in place
	// of the public key (golang.org/x/mod/sumdb/note).
	secret := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, own.verifier.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	if own.signer, err = note.NewSigner(secret); err != nil {
		return ownKey{}, fmt.Errorf("make the signer of log %s", name) // the cause holds the key
	}
	return own, nil
}

func badName() error {
	return mianmi.InvalidField("origin", "a log's name is a text without spaces and plus signs, like a host name with a path")
}

// Name is the log's, the origin of its checkpoints.
func (k Key) Name() string { return k.name }

// Public is the newest verifier key: what a stranger needs to check receipts,
// once it is in force.
func (k Key) Public() string { return k.list[0].public }

// Has reports whether the secret of a verifier key is among these.
func (k Key) Has(public string) bool {
	o, ok := k.own(public)
	return ok && o.signer != nil
}

func (k Key) own(public string) (ownKey, bool) {
	for _, o := range k.list {
		if o.public == public {
			return o, true
		}
	}
	return ownKey{}, false
}

// NameOfKey is the name in a verifier key; the empty text when it is none.
func NameOfKey(public string) string {
	v, err := ParseKey(public)
	if err != nil {
		return ""
	}
	return v.Name()
}

// ParseKey reads the verifier key of a log, in the one form that it has: name,
// hash and Ed25519 key (c2sp.org/signed-note). It was typed or came in a file;
// an error is Invalid and names "key".
func ParseKey(public string) (note.Verifier, error) {
	v, err := note.NewVerifier(public)
	if err != nil || !oneForm(public, v.Name(), v.KeyHash()) {
		return nil, mianmi.InvalidField("key", "is not the verifier key of a log: name+8 hexadecimal digits+base64")
	}
	return v, nil
}

// oneForm reports whether a verifier key is written as keys are: base64 has
// forms that decode to the same bytes.
func oneForm(public, name string, hash uint32) bool {
	text, found := strings.CutPrefix(public, fmt.Sprintf("%s+%08x+", name, hash))
	b, err := base64.StdEncoding.DecodeString(text)
	return found && err == nil && base64.StdEncoding.EncodeToString(b) == text
}
