package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi"
)

// Lengths that WeChat Pay gives its keys.
const (
	apiKeyBytes = 32
	rsaBitsMin  = 2048
)

// keys reads what signs and what verifies.
func (s Source) keys(f *fields, c *Connection) {
	if text := s.secret(f, "private_key"); text != "" {
		key, err := utils.LoadPrivateKey(text)
		if err != nil || key.N.BitLen() < rsaBitsMin {
			f.fault("private_key", "want an RSA key of 2048 bits or more in PEM (PKCS #8), apiclient_key.pem as WeChat Pay gives it")
		}
		c.PrivateKey = key
	} else {
		f.fault("private_key", "is missing")
	}
	if c.APIv3Key = s.secret(f, "api_v3_key"); len(c.APIv3Key) != apiKeyBytes {
		f.fault("api_v3_key", "want the 32 characters that were set on the merchant platform")
	}
	if f.has("v2_key") {
		if c.V2Key = s.secret(f, "v2_key"); len(c.V2Key) != apiKeyBytes {
			f.fault("v2_key", "want the 32 characters that were set on the merchant platform")
		}
	}
	c.Certificates = f.truth("platform_certificates")
	if !f.has("public_key") {
		if !c.Certificates {
			f.fault("public_key", "is missing; accounts from before October 2024 may have platform_certificates: true in its place")
		}
		return
	}
	c.PublicKeyID, c.PublicKey = s.publicKey(f, "public_key")
	if f.has("next_public_key") {
		if c.NextKeyID, c.NextKey = s.publicKey(f, "next_public_key"); c.NextKeyID == c.PublicKeyID {
			f.fault("next_public_key.id", "want another one than public_key has")
		}
	}
}

func (s Source) publicKey(f *fields, name string) (id string, key *rsa.PublicKey) {
	p := f.below(name)
	if p == nil {
		return "", nil
	}
	defer func() { f.keep(p.rest()) }()
	p.matching("id", &id, keyIDForm, "want PUB_KEY_ID_ and what follows, as the merchant platform shows it")
	file := p.text("file")
	text, err := readBounded(s.path(file), keyFileBytesMax)
	if file == "" || err != nil {
		p.fault("file", "cannot be read")
		return id, nil
	}
	if key, err = utils.LoadPublicKey(string(text)); err != nil {
		p.fault("file", "want WeChat Pay's public key in PEM, pub_key.pem as the merchant platform gives it")
	}
	return id, key
}

// roots reads the authorities that a base_url of one's own is checked against.
func (s Source) roots(f *fields) *x509.CertPool {
	file := f.text("ca_file")
	if file == "" {
		return nil
	}
	text, err := readBounded(s.path(file), configBytesMax)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		f.fault("ca_file", "want certificates in PEM")
	}
	return pool
}

// secret reads {file: …} or {env: …}. A file that others than its owner can
// read is refused, for somebody may have its key already.
func (s Source) secret(f *fields, name string) string {
	p := f.below(name)
	if p == nil {
		return ""
	}
	defer func() { f.keep(p.rest()) }()
	file, variable := p.text("file"), p.text("env")
	switch {
	case (file == "") == (variable == ""):
		p.fault("", "want either file or env")
		return ""
	case variable != "":
		text, ok := s.Environ(variable)
		if !ok || text == "" {
			p.fault("env", "this variable is not set")
		}
		return strings.TrimSpace(text)
	}
	text, fault := s.private(file)
	if fault != "" {
		p.fault("file", fault)
	}
	return text
}

func (s Source) private(file string) (text, fault string) {
	path := s.path(file)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", "cannot be read"
	case !info.Mode().IsRegular():
		return "", "not a regular file"
	case info.Mode().Perm()&0o077 != 0:
		return "", "others may read it: chmod 600, and change the key if somebody did"
	}
	content, err := readBounded(path, keyFileBytesMax)
	if err != nil {
		return "", "cannot be read"
	}
	return strings.TrimSpace(string(content)), ""
}

// path is where a file is that the configuration names: beside it, unless it
// says otherwise.
func (s Source) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(s.File), file)
}

func missing(at string) error { return mianmi.InvalidField(at, "is missing") }
