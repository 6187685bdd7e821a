package wechat

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/secret"
)

// PlatformKey is a key of the installation's own as it is stored.
type PlatformKey struct {
	KeyID     string // "PUB_KEY_ID_…"
	Serial    string // of Cert
	Private   []byte // sealed, PKCS #8
	Cert      []byte // DER, signed by itself
	SignsAt   time.Time
	CreatedAt time.Time
}

// Platform signs answers and notifications. Every node of an installation has
// the same ones: the first is made at the first use, further ones by Rotate, and
// all are kept in the database, sealed.
type Platform struct {
	KeyID     string
	Serial    string
	PublicPEM []byte
	CertPEM   []byte
	NotBefore time.Time
	NotAfter  time.Time
	SignsAt   time.Time // from then on, unless a newer one does

	private *rsa.PrivateKey
}

// Platform returns the key that signs now.
func (s *Service) Platform(ctx context.Context) (*Platform, error) {
	keys, err := s.Platforms(ctx)
	if err != nil {
		return nil, err
	}
	return signing(keys, s.now())
}

// signing is the newest key whose time has come.
func signing(keys []*Platform, now time.Time) (*Platform, error) {
	for _, p := range slices.Backward(keys) {
		if !p.SignsAt.After(now) {
			return p, nil
		}
	}
	return nil, errors.New("no platform key signs: make one with mianmi wechat rotate")
}

// platformFresh is how long a node takes the keys that it has read as all there
// are: so long after a change every node knows of it.
const platformFresh = 10 * time.Second

// Platforms returns the keys that are not revoked, oldest first, with the one
// that signs later. The first is made at the first use.
func (s *Service) Platforms(ctx context.Context) ([]*Platform, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if since := now.Sub(s.readAt); len(s.keys) > 0 && since >= 0 && since < platformFresh {
		return s.keys, nil
	}
	keys, err := s.readPlatforms(ctx)
	if err != nil {
		if len(s.keys) > 0 { // what was done is answered, also while the database is away
			return s.keys, nil
		}
		return nil, err
	}
	s.keys, s.readAt = keys, now
	return keys, nil
}

func (s *Service) readPlatforms(ctx context.Context) ([]*Platform, error) {
	list, err := s.Store.PlatformKeys(ctx)
	if err == nil && len(list) == 0 {
		var first PlatformKey
		if first, err = s.newPlatform(s.now()); err != nil {
			return nil, err
		}
		if err = s.Store.FirstPlatformKey(ctx, first); err == nil {
			list, err = s.Store.PlatformKeys(ctx) // another node may have been faster
		}
	}
	if err != nil {
		return nil, err
	}
	keys := make([]*Platform, 0, len(list))
	for i := range list {
		at := slices.IndexFunc(s.keys, func(p *Platform) bool { return p.KeyID == list[i].KeyID })
		if at >= 0 {
			keys = append(keys, s.keys[at])
			continue
		}
		p, err := s.openPlatform(&list[i])
		if err != nil {
			return nil, err
		}
		keys = append(keys, p)
	}
	return keys, nil
}

func (s *Service) newPlatform(signsAt time.Time) (PlatformKey, error) {
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
	k.CreatedAt, k.SignsAt = s.now(), signsAt
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
	return &Platform{KeyID: k.KeyID, Serial: k.Serial, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, SignsAt: k.SignsAt, private: private,
		PublicPEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		CertPEM:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Cert})}, nil
}
