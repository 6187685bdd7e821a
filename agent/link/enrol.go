package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Enrolling is what a new terminal brings along.
type Enrolling struct {
	Host string
	Code protocol.EnrolCode
	Key  *ecdsa.PrivateKey
}

// Enrol exchanges the code for a certificate. The connection is to the host
// that the code's CA vouches for, or to nobody.
func Enrol(ctx context.Context, e Enrolling, clock mianmi.Clock, random io.Reader) (Identity, error) {
	host, err := ParseHost(e.Host)
	if err != nil {
		return Identity{}, err
	}
	csr, err := request(random, e.Key)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeMax)
	defer cancel()
	c := httpClient(&tls.Config{MinVersion: tls.VersionTLS13, ServerName: host.Hostname(),
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it, against the code's CA
		VerifyConnection: func(s tls.ConnectionState) error {
			return verify(s.PeerCertificates, e.Code.CA, x509.VerifyOptions{DNSName: host.Hostname(), CurrentTime: clock.Now()})
		}})
	defer c.CloseIdleConnections()
	got, err := post[protocol.Enrolled](ctx, c, host.String()+protocol.PathEnrol, protocol.Enrolment{Code: e.Code.Secret, CSR: csr})
	if err != nil {
		return Identity{}, fmt.Errorf("enrol: %w", err)
	}
	id := Identity{Key: e.Key, Host: host.String()}
	if err := id.take(got, e.Code.CA); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// ErrOtherHost says that whoever answers is not the host of the code.
var ErrOtherHost = errors.New("this host does not have the CA that the code names")

func verify(chain []*x509.Certificate, ca protocol.Fingerprint, o x509.VerifyOptions) error {
	o.Roots, o.Intermediates = x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, c := range chain {
		if ca.Is(c.Raw) {
			o.Roots.AddCert(c)
			found = true
			continue
		}
		o.Intermediates.AddCert(c)
	}
	if !found || len(chain) == 0 {
		return ErrOtherHost
	}
	_, err := chain[0].Verify(o)
	return err
}

// take puts a new certificate into the identity, once it has been checked.
func (id *Identity) take(e protocol.Enrolled, ca protocol.Fingerprint) error {
	if e.Terminal == "" || len(e.Certificates) < 2 || !ca.Is(e.Certificates[len(e.Certificates)-1]) {
		return fmt.Errorf("the certificate: %w", ErrOtherHost)
	}
	leaf, err := x509.ParseCertificate(e.Certificates[0])
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !key.Equal(&id.Key.PublicKey) {
		return errors.New("the certificate is for another key")
	}
	id.Terminal, id.Certificates, id.MQTT = e.Terminal, e.Certificates, e.MQTT
	return nil
}

// request is a PKCS #10 request. Who the terminal is stands in the answer:
// the host knows it by the code, or by the present certificate.
func request(random io.Reader, key *ecdsa.PrivateKey) ([]byte, error) {
	csr, err := x509.CreateCertificateRequest(random, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mianmi terminal"}}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return csr, nil
}
