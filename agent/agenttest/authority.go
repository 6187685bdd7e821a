package agenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi/terminal/protocol"
)

var quiet = log.New(io.Discard, "", 0)

// authority is a small CA.
type authority struct {
	cert    *x509.Certificate
	private *ecdsa.PrivateKey

	mu   sync.Mutex
	keys map[string]*ecdsa.PublicKey // by key id
	life time.Duration
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, private: key, keys: map[string]*ecdsa.PublicKey{}, life: 12 * time.Hour}
}

func (a *authority) server(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "host"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

func (a *authority) issue(csr []byte) (der []byte, until time.Time, err error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, time.Time{}, err
	}
	key, ok := r.PublicKey.(*ecdsa.PublicKey)
	if err := r.CheckSignature(); err != nil || !ok {
		return nil, time.Time{}, errors.New("not signed with its ECDSA key")
	}
	id, err := protocol.KeyID(key)
	if err != nil {
		return nil, time.Time{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[id] = key
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: string(Terminal)},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(a.life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err = x509.CreateCertificate(rand.Reader, template, a.cert, key, a.private)
	return der, template.NotAfter, err
}

// key returns the key of an id; one that nobody has where it is not known.
func (a *authority) key(id string) *ecdsa.PublicKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.keys[id]; k != nil {
		return k
	}
	return &a.private.PublicKey
}
