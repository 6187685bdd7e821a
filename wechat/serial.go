package wechat

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Serial names a key that a merchant signs requests with.
type Serial struct {
	Serial    string // forty hexadecimal digits, as of a certificate
	Merchant  mianmi.MerchantID
	Key       mianmi.KeyID // the API key whose rights its requests have
	Public    []byte       // PKIX, DER
	CreatedAt time.Time
	RevokedAt time.Time // of Key; zero: not
}

// Signer is who may sign with a serial.
type Signer struct {
	Identity
	Serial
	Key access.Key
}

const (
	// serialsMax is how many serials of a merchant may be live: one in use, its
	// successor, and room for a second system.
	serialsMax = 5
	rsaBits    = 2048
	rsaBitsMax = 4096     // above it a check costs more than a payment
	pemMax     = 16 << 10 // a certificate request of a 4096-bit key has 2 KiB
	certLife   = 5 * 365 * 24 * time.Hour
)

// AddSerial gives a merchant a further serial, beside those that it has: so a
// key is changed without a gap.
func (s *Service) AddSerial(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, public []byte) (Made, error) {
	if err := access.Allow(actor, access.KeyManage, access.Target{Merchant: m}); err != nil {
		return Made{}, err
	}
	i, err := s.Store.WechatIdentity(ctx, m)
	if err != nil {
		return Made{}, err
	}
	made, err := s.newSerial(ctx, actor, m, public)
	if err != nil {
		return Made{}, err
	}
	made.Identity = i
	e, err := s.entry(s.now(), actor, TypeSerialAdded, &made.Serial)
	if err == nil {
		err = s.Store.InsertSerial(ctx, made.Serial, e, serialsMax)
	}
	if err != nil {
		_, _ = s.Access.RevokeKey(ctx, actor, made.Serial.Key) // nobody has its token anyway
		return Made{}, err
	}
	return made, nil
}

// RevokeSerial ends a serial: no request that it signs is answered any more,
// and no payment is taken with it that begins later, on no node.
func (s *Service) RevokeSerial(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, serial string) error {
	if err := access.Allow(actor, access.KeyManage, access.Target{Merchant: m}); err != nil {
		return err
	}
	list, err := s.Store.Serials(ctx, m)
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Serial == serial {
			_, err := s.Access.RevokeKey(ctx, actor, one.Key)
			return err
		}
	}
	return mianmi.Missing("serial")
}

// newSerial makes or reads a key pair, its certificate, and the API key whose
// rights it has. The token of that key is shown to nobody.
func (s *Service) newSerial(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, public []byte) (Made, error) {
	var made Made
	number := make([]byte, 20)
	if err := s.read(number); err != nil {
		return made, err
	}
	number[0] = number[0]&0x3f | 0x40 // positive, and of forty digits (RFC 5280, 4.1.2.2)
	now := s.now()
	cert := certificate(number, "mianmi merchant "+string(m), now)
	private, err := rsa.GenerateKey(s.Random, rsaBits) // signs the certificate, also where the merchant's key is its own
	if err != nil {
		return made, fmt.Errorf("make a key pair: %w", err)
	}
	key := &private.PublicKey
	if len(bytes.TrimSpace(public)) > 0 {
		if key, err = readPublic(public); err != nil {
			return made, err
		}
	} else if made.Private, err = pkcs8(private); err != nil {
		return made, err
	}
	der, err := x509.CreateCertificate(s.Random, cert, cert, key, private)
	if err != nil {
		return made, fmt.Errorf("make a certificate: %w", err)
	}
	made.Cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	made.Serial = Serial{Serial: strings.ToUpper(hex.EncodeToString(number)), Merchant: m, CreatedAt: now}
	if made.Serial.Public, err = x509.MarshalPKIXPublicKey(key); err != nil {
		return made, fmt.Errorf("encode a public key: %w", err)
	}
	k, _, err := s.Access.CreateKey(ctx, actor, access.NewKey{Name: "WeChat Pay " + made.Serial.Serial, Merchant: m,
		Scopes: mianmi.ScopePay | mianmi.ScopeRefund | mianmi.ScopeRead})
	made.Serial.Key = k.ID
	return made, err
}

func certificate(number []byte, name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(number), Subject: pkix.Name{CommonName: name, Organization: []string{"mianmi"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		SignatureAlgorithm: x509.SHA256WithRSA}
}

func pkcs8(k *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// readPublic reads a merchant's own key: a public key, or a certificate
// request, which proves that the merchant has the private one.
func readPublic(text []byte) (*rsa.PublicKey, error) {
	bad := func(msg string) error { return mianmi.InvalidField("public_key", msg) }
	if len(text) > pemMax {
		return nil, bad("too long for a public key or a certificate request")
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, bad("want PEM: PUBLIC KEY or CERTIFICATE REQUEST")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		var r *x509.CertificateRequest
		if r, err = x509.ParseCertificateRequest(block.Bytes); err == nil {
			key, err = r.PublicKey, r.CheckSignature()
		}
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, bad("this is a private key, which must never be sent: make a new one, and send its public key")
	default:
		return nil, bad("want PEM: PUBLIC KEY or CERTIFICATE REQUEST")
	}
	rsaKey, ok := key.(*rsa.PublicKey)
	if err != nil || !ok || rsaKey.N.BitLen() < rsaBits || rsaKey.N.BitLen() > rsaBitsMax {
		return nil, bad("want an RSA key of 2048 to 4096 bits")
	}
	return rsaKey, nil
}
