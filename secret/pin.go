package secret

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/mianmi/mianmi"
)

// A PIN travels from the keypad to the host encrypted with HPKE (RFC 9180),
// base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The
// terminal has the public key; info says what for, aad binds it to one payment.

// PINInfo is HPKE's info for a PIN.
const PINInfo = "mianmi pin v1"

const (
	encapsulatedBytes = 32 // X25519
	pinBytesMax       = 64 // plaintext; a PIN has 4 to 12 digits
	tagBytes          = 16
)

type pinKey struct {
	id      string
	private hpke.PrivateKey
}

func newPINKey(seed []byte) (pinKey, error) {
	if len(seed) != keyBytes {
		return pinKey{}, mianmi.InvalidField("keys.pin", "want 32 bytes in base64")
	}
	private, err := hpke.DHKEM(ecdh.X25519()).DeriveKeyPair(seed)
	if err != nil {
		return pinKey{}, fmt.Errorf("derive a PIN key pair: %w", err)
	}
	sum := sha256.Sum256(private.PublicKey().Bytes())
	return pinKey{id: "pk" + hex.EncodeToString(sum[:4]), private: private}, nil
}

// PINKey is the public key that terminals encrypt a PIN to.
type PINKey struct {
	ID     string // "pk…", from the key's own hash
	Public []byte // 32 bytes, X25519
}

// PINKey returns the current public key.
func (k *Keys) PINKey() PINKey {
	return PINKey{ID: k.pin[0].id, Public: k.pin[0].private.PublicKey().Bytes()}
}

// SealedPIN is a PIN on its way from a keypad to the host.
type SealedPIN struct {
	KeyID        string // which public key
	Encapsulated []byte // HPKE's enc
	Ciphertext   []byte
}

// SealPIN encrypts a PIN to the key, bound to about (the payment). It is what
// a terminal does; its randomness is that of crypto/hpke.
func SealPIN(to PINKey, about, pin string) (SealedPIN, error) {
	if len(pin) == 0 || len(pin) > pinBytesMax {
		return SealedPIN{}, mianmi.InvalidField("pin", "want 1 to 64 bytes")
	}
	public, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to.Public)
	if err != nil {
		return SealedPIN{}, mianmi.InvalidField("key", "not an X25519 public key")
	}
	enc, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(PINInfo))
	if err != nil {
		return SealedPIN{}, fmt.Errorf("seal a PIN: %w", err)
	}
	text, err := sender.Seal([]byte(about), []byte(pin))
	if err != nil {
		return SealedPIN{}, fmt.Errorf("seal a PIN: %w", err)
	}
	return SealedPIN{KeyID: to.ID, Encapsulated: enc, Ciphertext: text}, nil
}

// OpenPIN decrypts a PIN that was sealed for about. What cannot be opened is
// an Invalid error that names the part at fault: a PIN that did not arrive
// whole was not a guess, so it costs no try.
func (k *Keys) OpenPIN(p SealedPIN, about string) (string, error) {
	var key *pinKey
	for i := range k.pin {
		if k.pin[i].id == p.KeyID {
			key = &k.pin[i]
		}
	}
	if key == nil {
		return "", &mianmi.Error{Kind: mianmi.Invalid, Field: "pin.key_id", Code: "pin_key_unknown",
			Msg: "not a key of this server: fetch the present one"}
	}
	if len(p.Encapsulated) != encapsulatedBytes {
		return "", mianmi.InvalidField("pin.encapsulated", "want 32 bytes")
	}
	if len(p.Ciphertext) <= tagBytes || len(p.Ciphertext) > tagBytes+pinBytesMax {
		return "", mianmi.InvalidField("pin.ciphertext", "want 17 to 80 bytes")
	}
	r, err := hpke.NewRecipient(p.Encapsulated, key.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(PINInfo))
	if err != nil {
		return "", mianmi.InvalidField("pin.encapsulated", "not an encapsulated key")
	}
	text, err := r.Open([]byte(about), p.Ciphertext)
	if err != nil {
		return "", mianmi.InvalidField("pin.ciphertext", "does not open: damaged, or made for another payment")
	}
	return string(text), nil
}
