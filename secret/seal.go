package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/mianmi/mianmi"
)

// sealVersion leads each sealed value, so that another cipher can follow.
const sealVersion = 1

// Seal encrypts the text for the purpose (AES-256-GCM under a key of its own,
// random 96-bit nonce). about binds the value to its row: it opens only with
// the same.
func (k *Keys) Seal(p Purpose, text []byte, about string, random io.Reader) ([]byte, error) {
	aead := k.sealer(p)
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(text)+aead.Overhead())
	sealed[0] = sealVersion
	nonce := sealed[1:]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("read randomness for a nonce: %w", err)
	}
	return aead.Seal(sealed, nonce, text, []byte(about)), nil //nolint:gosec // the nonce was just read from random
}

// Open is the inverse of Seal. A value that was changed, made for another
// purpose, row or key is an Internal error.
func (k *Keys) Open(p Purpose, sealed []byte, about string) ([]byte, error) {
	aead := k.sealer(p)
	if len(sealed) < 1+aead.NonceSize()+aead.Overhead() || sealed[0] != sealVersion {
		return nil, &mianmi.Error{Kind: mianmi.Internal, Err: fmt.Errorf("not a sealed value of purpose %s", p)}
	}
	text, err := aead.Open(nil, sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():], []byte(about))
	if err != nil {
		return nil, &mianmi.Error{Kind: mianmi.Internal, Err: fmt.Errorf("open a sealed value of purpose %s: %w", p, err)}
	}
	return text, nil
}

func (k *Keys) sealer(p Purpose) cipher.AEAD {
	if a, ok := k.sealers.Load(p); ok {
		return a.(cipher.AEAD) //nolint:forcetypeassert // this method alone fills it
	}
	block, err := aes.NewCipher(k.derive("seal", p))
	if err != nil {
		panic("secret: AES refuses 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("secret: GCM refuses AES: " + err.Error())
	}
	a, _ := k.sealers.LoadOrStore(p, aead)
	return a.(cipher.AEAD) //nolint:forcetypeassert // as above
}
