package wechat

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // WeChat Pay's form of sensitive fields is OAEP with SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// PlatformKey is the installation's own key as it is stored.
type PlatformKey struct {
	KeyID     string // "PUB_KEY_ID_…"
	Serial    string // of Cert
	Private   []byte // sealed, PKCS #8
	Cert      []byte // DER, signed by itself
	CreatedAt time.Time
}

// Platform signs answers and notifications. Every node of an installation has
// the same: it is made at the first use and kept in the database, sealed.
type Platform struct {
	KeyID     string
	Serial    string
	PublicPEM []byte
	CertPEM   []byte
	NotBefore time.Time
	NotAfter  time.Time

	private *rsa.PrivateKey
}

// Platform returns the installation's key, and makes it at the first use.
func (s *Service) Platform(ctx context.Context) (*Platform, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.platform != nil {
		return s.platform, nil
	}
	k, err := s.Store.PlatformKey(ctx)
	if mianmi.KindOf(err) == mianmi.NotFound {
		if k, err = s.newPlatform(); err != nil {
			return nil, err
		}
		if err = s.Store.InsertPlatformKey(ctx, k); err != nil {
			return nil, err
		}
		k, err = s.Store.PlatformKey(ctx) // another node may have been faster
	}
	if err != nil {
		return nil, err
	}
	s.platform, err = s.openPlatform(&k)
	return s.platform, err
}

func (s *Service) newPlatform() (PlatformKey, error) {
	var k PlatformKey
	private, err := rsa.GenerateKey(s.Random, rsaBits)
	if err != nil {
		return k, fmt.Errorf("make the platform's key pair: %w", err)
	}
	number := make([]byte, 20)
	if err := s.read(number); err != nil {
		return k, err
	}
	number[0] = number[0]&0x3f | 0x40
	k.CreatedAt = s.now()
	k.Serial = strings.ToUpper(hex.EncodeToString(number))
	digits, err := secret.Digits(s.Random, 28)
	if err != nil {
		return k, err
	}
	k.KeyID = "PUB_KEY_ID_" + digits
	cert := certificate(number, "mianmi WeChat Pay platform", k.CreatedAt)
	if k.Cert, err = x509.CreateCertificate(s.Random, cert, cert, &private.PublicKey, private); err != nil {
		return k, fmt.Errorf("make the platform certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return k, fmt.Errorf("encode the platform's key: %w", err)
	}
	k.Private, err = s.Keys.Seal(forPlatform, der, k.KeyID, s.Random)
	return k, err
}

func (s *Service) openPlatform(k *PlatformKey) (*Platform, error) {
	der, err := s.Keys.Open(forPlatform, k.Private, k.KeyID)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("the platform's key %s is of a form that this program does not know", k.KeyID)
	}
	cert, err := x509.ParseCertificate(k.Cert)
	if err != nil {
		return nil, fmt.Errorf("the platform certificate %s: %w", k.Serial, err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the platform's public key: %w", err)
	}
	return &Platform{KeyID: k.KeyID, Serial: k.Serial, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, private: private,
		PublicPEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		CertPEM:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Cert})}, nil
}

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
	Skew        time.Duration // for tests of merchants' software; 0: now
}

// Normal is how everything is signed that no test wants otherwise.
func (s *Service) Normal() How { return How{Certificate: s.cfg.Certificate} }

// Sign signs a body as the platform: time, nonce and body, each with a newline.
func (s *Service) Sign(ctx context.Context, body []byte, how How) (Signature, error) {
	p, err := s.Platform(ctx)
	if err != nil {
		return Signature{}, err
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
	p, err := s.Platform(ctx)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", bad
	}
	text, err := rsa.DecryptOAEP(sha1.New(), nil, p.private, raw, nil) //nolint:gosec // as above
	if err != nil {
		return "", bad
	}
	key, err := x509.ParsePKIXPublicKey(to)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return "", fmt.Errorf("a merchant's public key cannot be read")
	}
	out, err := rsa.EncryptOAEP(sha1.New(), s.Random, public, text, nil) //nolint:gosec // as above
	if err != nil {
		return "", bad // it does not fit
	}
	return base64.StdEncoding.EncodeToString(out), nil
}
