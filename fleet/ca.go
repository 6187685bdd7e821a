package fleet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// CA is the small certificate authority of an installation: it signs the
// certificates of its terminals, and that of the host for them. Every node makes
// the same one from the installation's keys, to the byte, so that a terminal that
// pinned it by its fingerprint trusts them all.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// The authority outlives every machine that trusts it; its dates are fixed, for
// nodes that start on different days must make the same certificate.
var (
	caNotBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	caNotAfter  = time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CertificateLife is how long the certificates of terminals and hosts hold. A
// terminal renews at two thirds of it, so it has a month to find the host.
const CertificateLife = 90 * 24 * time.Hour

// clockSlack is how far a terminal's clock may be behind and still take a
// certificate that was made a moment ago.
const clockSlack = time.Hour

// NewCA makes the authority from a seed of 32 secret bytes.
func NewCA(seed []byte) (*CA, error) {
	key, err := keyOf(seed)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mianmi terminals", Organization: []string{"mianmi"}},
		NotBefore: caNotBefore, NotAfter: caNotAfter, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	// Without randomness ECDSA signs as RFC 6979 has it: the same each time.
	der, err := x509.CreateCertificate(nil, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the terminals' authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the terminals' authority: %w", err)
	}
	return &CA{cert: cert, key: key}, nil
}

// keyOf makes a P-256 key of a seed: the first of its expansions that is one.
// That the first is none has a chance of 2^-32.
func keyOf(seed []byte) (*ecdsa.PrivateKey, error) {
	const triesMax = 8
	for i := range triesMax {
		b, err := hkdf.Expand(sha256.New, seed, "mianmi p-256 "+strconv.Itoa(i), 32)
		if err != nil {
			return nil, fmt.Errorf("expand the seed of the terminals' authority: %w", err)
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("the seed of the terminals' authority makes no key")
}

// Certificate is the authority's own, in DER.
func (c *CA) Certificate() []byte { return c.cert.Raw }

// Fingerprint is what an enrolment code names the authority by.
func (c *CA) Fingerprint() protocol.Fingerprint { return protocol.FingerprintOf(c.cert.Raw) }

// Pool is for verifying certificates that the authority signed.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// serialBytes are random: 128 bits, below the 20 bytes that RFC 5280 allows.
const serialBytes = 16

func (c *CA) sign(random io.Reader, t *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	var serial [serialBytes]byte
	if _, err := io.ReadFull(random, serial[:]); err != nil {
		return nil, fmt.Errorf("read randomness for a serial number: %w", err)
	}
	serial[0] &= 0x7f // positive
	t.SerialNumber = new(big.Int).SetBytes(serial[:])
	der, err := x509.CreateCertificate(random, t, c.cert, public, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", t.Subject.CommonName, err)
	}
	return der, nil
}

// IssueHost signs a certificate for the host under the names and addresses that
// terminals know it by.
func (c *CA) IssueHost(random io.Reader, public crypto.PublicKey, names []string, now time.Time) ([]byte, error) {
	return c.issueServer(random, public, "mianmi host", names, now)
}

// IssueBroker signs a certificate for a server of a NATS cluster, which is a
// client of the others too. No host takes it for a terminal's.
func (c *CA) IssueBroker(random io.Reader, public crypto.PublicKey, names []string, now time.Time) ([]byte, error) {
	return c.issueServer(random, public, "mianmi broker", names, now, x509.ExtKeyUsageClientAuth)
}

func (c *CA) issueServer(random io.Reader, public crypto.PublicKey, about string, names []string, now time.Time, also ...x509.ExtKeyUsage) ([]byte, error) {
	t := &x509.Certificate{Subject: pkix.Name{CommonName: about}, NotBefore: now.Add(-clockSlack), NotAfter: now.Add(CertificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: append(also, x509.ExtKeyUsageServerAuth)}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return c.sign(random, t, public)
}

// Issued is a certificate for a terminal.
type Issued struct {
	Certificate []byte // DER
	KeyID       string
	Public      []byte // SubjectPublicKeyInfo, DER
	Serial      string // hexadecimal
	NotAfter    time.Time
}

// IssueTerminal signs a certificate for the terminal with the key of a request
// (PKCS #10). Nothing else of the request counts. A request that is not one, or
// not for a P-256 key, is an Invalid error that names "csr".
func (c *CA) IssueTerminal(random io.Reader, id mianmi.TerminalID, csr []byte, now time.Time) (Issued, error) {
	public, err := requestKey(csr)
	if err != nil {
		return Issued{}, err
	}
	t := &x509.Certificate{Subject: pkix.Name{CommonName: string(id)}, NotBefore: now.Add(-clockSlack), NotAfter: now.Add(CertificateLife).Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	out := Issued{NotAfter: t.NotAfter}
	if out.Certificate, err = c.sign(random, t, public); err != nil {
		return Issued{}, err
	}
	out.Serial = t.SerialNumber.Text(16)
	if out.KeyID, err = protocol.KeyID(public); err != nil {
		return Issued{}, err
	}
	if out.Public, err = x509.MarshalPKIXPublicKey(public); err != nil {
		return Issued{}, fmt.Errorf("encode a terminal's key: %w", err)
	}
	return out, nil
}

// csrMax bounds a request: one with a P-256 key has some 300 bytes.
const csrMax = 4096

func requestKey(csr []byte) (*ecdsa.PublicKey, error) {
	bad := mianmi.InvalidField("csr", "want a signed PKCS #10 request for an ECDSA P-256 key, in DER")
	if len(csr) > csrMax {
		return nil, bad
	}
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil || r.CheckSignature() != nil {
		return nil, bad
	}
	public, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, bad
	}
	return public, nil
}

// Peer is the terminal behind a connection.
type Peer struct {
	ID  mianmi.TerminalID
	Key string // protocol.KeyID
}

// peerOf reads who a verified certificate is for.
func peerOf(leaf *x509.Certificate) (Peer, error) {
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	id := leaf.Subject.CommonName
	if !ok || !strings.HasPrefix(id, "tm") || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return Peer{}, errors.New("the certificate is not a terminal's")
	}
	key, err := protocol.KeyID(public)
	return Peer{ID: mianmi.TerminalID(id), Key: key}, err
}
