package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// hostCert is the host's certificate for terminals: made at the first
// connection, and again before it ends. Its key never leaves the process.
type hostCert struct {
	ca     *CA
	names  []string
	clock  mianmi.Clock
	random io.Reader

	mu   sync.Mutex
	cert *tls.Certificate
	ends time.Time
}

// get implements the callback of tls.Config. The chain ends in the authority's
// certificate: a terminal that enrols knows its fingerprint alone.
func (h *hostCert) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if h.cert != nil && now.Before(h.ends.Add(-CertificateLife/3)) {
		return h.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), h.random)
	if err != nil {
		return nil, fmt.Errorf("make a key for the host: %w", err)
	}
	der, err := h.ca.IssueHost(h.random, &key.PublicKey, h.names, now)
	if err != nil {
		return nil, err
	}
	h.cert = &tls.Certificate{Certificate: [][]byte{der, h.ca.Certificate()}, PrivateKey: key}
	h.ends = now.Add(CertificateLife)
	return h.cert, nil
}

// TLS returns the configuration of the host's side. With auth
// tls.RequireAndVerifyClientCert only terminals come in.
func (h *hostCert) TLS(auth tls.ClientAuthType) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: h.get, ClientCAs: h.ca.Pool(), ClientAuth: auth,
		Time: h.clock.Now}
}
