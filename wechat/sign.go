package wechat

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // WeChat Pay's form of sensitive fields is OAEP with SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// Signature is what goes with a signed body, in headers.
type Signature struct {
	Serial, Nonce, Timestamp, Value string
}

// SignatureType is the one scheme of this front: RSA with SHA-256.
const SignatureType = "WECHATPAY2-SHA256-RSA2048"

// Headers are the names and values of the signature's headers.
func (g Signature) Headers() map[string]string {
	return map[string]string{"Wechatpay-Serial": g.Serial, "Wechatpay-Nonce": g.Nonce, "Wechatpay-Timestamp": g.Timestamp,
		"Wechatpay-Signature": g.Value, "Wechatpay-Signature-Type": SignatureType}
}

// How says in whose name and with which time something is signed.
type How struct {
	Certificate bool
	// Serial is the key that a request asks for, by its own number or its
	// certificate's; empty, or one that is not there: the one that signs now.
	Serial string
	Skew   time.Duration // for tests of merchants' software; 0: now
}

// Normal is how everything is signed that no test wants otherwise.
func (s *Service) Normal() How { return How{Certificate: s.cfg.Certificate} }

// Sign signs a body as the platform: time, nonce and body, each with a newline.
func (s *Service) Sign(ctx context.Context, body []byte, how How) (Signature, error) {
	keys, err := s.Platforms(ctx)
	if err != nil {
		return Signature{}, err
	}
	p, err := signing(keys, s.now())
	if err != nil {
		return Signature{}, err
	}
	for _, k := range keys {
		if how.Serial == k.KeyID || how.Serial == k.Serial {
			p, how.Certificate = k, how.Serial == k.Serial
		}
	}
	nonce, err := secret.Letters(s.Random, 32)
	if err != nil {
		return Signature{}, err
	}
	g := Signature{Serial: p.KeyID, Nonce: nonce, Timestamp: strconv.FormatInt(s.Clock.Now().Add(how.Skew).Unix(), 10)}
	if how.Certificate {
		g.Serial = p.Serial
	}
	sum := sha256.Sum256([]byte(g.Timestamp + "\n" + nonce + "\n" + string(body) + "\n"))
	value, err := rsa.SignPKCS1v15(s.Random, p.private, crypto.SHA256, sum[:])
	if err != nil {
		return Signature{}, fmt.Errorf("sign as the platform: %w", err)
	}
	g.Value = base64.StdEncoding.EncodeToString(value)
	return g, nil
}

// Reseal opens a sensitive field that was encrypted to the platform, and
// encrypts it to the merchant's key.
func (s *Service) Reseal(ctx context.Context, sealed string, to []byte) (string, error) {
	bad := mianmi.InvalidField("encrypted_echo_message", "is not encrypted to the platform's public key")
	keys, err := s.Platforms(ctx)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", bad
	}
	var text []byte
	err = bad
	for _, p := range keys { // a sender may have any of them
		if err != nil {
			text, err = rsa.DecryptOAEP(sha1.New(), nil, p.private, raw, nil) //nolint:gosec // WeChat Pay's form of sensitive fields
		}
	}
	if err != nil {
		return "", bad
	}
	key, err := x509.ParsePKIXPublicKey(to)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return "", fmt.Errorf("a merchant's public key cannot be read")
	}
	out, err := rsa.EncryptOAEP(sha1.New(), s.Random, public, text, nil) //nolint:gosec // WeChat Pay's form of sensitive fields
	if err != nil {
		return "", bad // it does not fit
	}
	return base64.StdEncoding.EncodeToString(out), nil
}
