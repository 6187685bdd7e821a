package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
)

var noon = time.Date(2026, 11, 30, 12, 4, 31, 0, time.UTC)

func newCA(t testing.TB, seed byte) *CA {
	t.Helper()
	ca, err := NewCA(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func request(t testing.TB, key any) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "tmother"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Every node makes the same authority of the same seed, and another of another.
func TestOneAuthority(t *testing.T) {
	t.Parallel()
	a, b, other := newCA(t, 7), newCA(t, 7), newCA(t, 8)
	if a.Fingerprint() != b.Fingerprint() || !a.Fingerprint().Is(b.Certificate()) {
		t.Error("two nodes have two authorities")
	}
	if a.Fingerprint() == other.Fingerprint() {
		t.Error("two installations have one authority")
	}
}

// A terminal's certificate bears the name that the host gave it, whatever the
// request says, is verified by the authority and by no other, and is good for
// nothing but a terminal.
func TestIssueTerminal(t *testing.T) {
	t.Parallel()
	ca, key := newCA(t, 7), newKey(t)
	got, err := ca.IssueTerminal(rand.Reader, "tm1", request(t, key), noon)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := peerOf(leaf)
	if err != nil || peer != (Peer{"tm1", got.KeyID}) {
		t.Errorf("%+v, %v", peer, err)
	}
	verify := func(pool *x509.CertPool, usage x509.ExtKeyUsage, at time.Time) error {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: at})
		return err
	}
	if err := verify(ca.Pool(), x509.ExtKeyUsageClientAuth, noon); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"by another authority": verify(newCA(t, 8).Pool(), x509.ExtKeyUsageClientAuth, noon),
		"as a host":            verify(ca.Pool(), x509.ExtKeyUsageServerAuth, noon),
		"after its time":       verify(ca.Pool(), x509.ExtKeyUsageClientAuth, noon.Add(CertificateLife+time.Second)),
	} {
		if err == nil {
			t.Errorf("it passes %s", name)
		}
	}
}

// What is no request for a P-256 key gets no certificate.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	ca := newCA(t, 7)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, newKey(t))
	changed := bytes.Clone(good)
	changed[len(changed)-1] ^= 1
	for name, csr := range map[string][]byte{"nothing": nil, "noise": []byte("noise"), "Ed25519": request(t, ed), "P-384": request(t, p384),
		"another signature": changed, "too long": bytes.Repeat(good, 40)} {
		_, err := ca.IssueTerminal(rand.Reader, "tm1", csr, noon)
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != "csr" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
