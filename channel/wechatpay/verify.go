package wechatpay

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"

	"github.com/mianmi/mianmi"
)

// verdict says why an answer is not believed.
type verdict struct{ fault fault }

func (v *verdict) Error() string { return faultWords[v.fault] }

// validator has the SDK judge the signature of an answer, and finds out what
// is wrong with one that it refuses.
type validator struct {
	verifier auth.Verifier
	sdk      *validators.WechatPayResponseValidator
	certs    *certificates // nil: none
}

func newValidator(v auth.Verifier, certs *certificates) *validator {
	return &validator{verifier: v, sdk: validators.NewWechatPayResponseValidator(v), certs: certs}
}

// GetAcceptSerial is part of auth.Validator.
func (v *validator) GetAcceptSerial(ctx context.Context) (string, error) {
	return v.sdk.GetAcceptSerial(ctx)
}

// Validate is part of auth.Validator.
func (v *validator) Validate(ctx context.Context, r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return &verdict{noAnswer}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if v.sdk.Validate(ctx, r) == nil {
		return nil
	}
	if v.certs.renewed(ctx) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		if v.sdk.Validate(ctx, r) == nil {
			return nil
		}
	}
	h := func(name string) string { return strings.TrimSpace(r.Header.Get(name)) }
	message := fmt.Sprintf("%s\n%s\n%s\n", h(consts.WechatPayTimestamp), h(consts.WechatPayNonce), body)
	if v.verifier.Verify(ctx, h(consts.WechatPaySerial), message, h(consts.WechatPaySignature)) == nil {
		return &verdict{skewed}
	}
	return &verdict{foreign}
}

// nextKey believes one key more than the verifier that it adds to.
type nextKey struct {
	auth.Verifier
	id  string
	key *verifiers.SHA256WithRSAPubkeyVerifier
}

// Verify is part of auth.Verifier.
func (n nextKey) Verify(ctx context.Context, serial, message, signature string) error {
	if serial == n.id {
		return n.key.Verify(ctx, serial, message, signature)
	}
	return n.Verifier.Verify(ctx, serial, message, signature)
}

// newVerifier knows WeChat Pay's public key, the one that follows it, the
// platform certificates, or several, as an account has that moves from one to
// another.
func newVerifier(c *Connection, certs *certificates) auth.Verifier {
	if c.NextKey != nil {
		now := *c
		now.NextKey = nil
		return nextKey{newVerifier(&now, certs), c.NextKeyID, verifiers.NewSHA256WithRSAPubkeyVerifier(c.NextKeyID, *c.NextKey)}
	}
	switch {
	case c.PublicKey == nil:
		return verifiers.NewSHA256WithRSAVerifier(certs)
	case certs == nil:
		return verifiers.NewSHA256WithRSAPubkeyVerifier(c.PublicKeyID, *c.PublicKey)
	}
	return verifiers.NewSHA256WithRSACombinedVerifier(certs, c.PublicKeyID, *c.PublicKey)
}

const (
	// certificatesFresh is how long downloaded certificates are taken as all there
	// are; WeChat Pay changes them with days of overlap.
	certificatesFresh = 12 * time.Hour
	// certificatesPause is between two tries to download.
	certificatesPause = time.Minute
)

// certificates are WeChat Pay's platform certificates, downloaded by the SDK
// when they are first needed and again when they are old or one is missing.
// The SDK's own renewal swallows its errors; here the call that needs a
// certificate says that there is none.
type certificates struct {
	client *core.Client // believes what the APIv3 key decrypts
	key    string
	clock  mianmi.Clock
	turn   chan struct{} // one downloads

	mu           sync.Mutex
	have         *downloader.CertificateDownloader
	fresh, tried time.Time
}

var _ core.CertificateGetter = (*certificates)(nil)

// ready downloads what is missing. With old certificates at hand a failure is
// none yet.
func (c *certificates) ready(ctx context.Context) reply {
	if r, due := c.state(); !due {
		return r
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return reply{fault: notSent}
	}
	if _, due := c.state(); due { // nobody was faster
		c.download(ctx)
	}
	r, _ := c.state()
	return r
}

// renewed downloads what a signature named and nobody knew, and reports whether
// there is reason to look again: WeChat Pay has changed its certificate.
func (c *certificates) renewed(ctx context.Context) bool {
	if c == nil {
		return false
	}
	if _, due := c.state(); !due {
		return false
	}
	return c.ready(ctx).fault == noFault
}

// state is what a call that needs certificates gets, and whether they should be
// downloaded before.
func (c *certificates) state() (r reply, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == nil {
		r = reply{fault: notSent, code: "NO_PLATFORM_CERTIFICATES"}
	}
	now := c.clock.Now()
	return r, now.Sub(c.fresh) > certificatesFresh && now.Sub(c.tried) >= certificatesPause
}

func (c *certificates) download(ctx context.Context) {
	c.mu.Lock()
	c.tried = c.clock.Now()
	c.mu.Unlock()
	// A new one each time: one that has certificates believes their list under
	// these alone, and WeChat Pay may have signed it with the next.
	have, err := downloader.NewCertificateDownloaderWithClient(ctx, c.client, c.key)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.have, c.fresh = have, c.tried
	c.mu.Unlock()
}

// Get is part of core.CertificateGetter. A serial number that is not known
// makes the next call ask for certificates again.
func (c *certificates) Get(ctx context.Context, serial string) (*x509.Certificate, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == nil {
		return nil, false
	}
	cert, ok := c.have.Get(ctx, serial)
	if !ok {
		c.fresh = time.Time{}
		return nil, false
	}
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	now := c.clock.Now()
	return cert, isRSA && !now.Before(cert.NotBefore) && now.Before(cert.NotAfter)
}

// GetAll is part of core.CertificateGetter.
func (c *certificates) GetAll(ctx context.Context) map[string]*x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == nil {
		return nil
	}
	return c.have.GetAll(ctx)
}

// GetNewestSerial is part of core.CertificateGetter.
func (c *certificates) GetNewestSerial(ctx context.Context) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == nil {
		return ""
	}
	return c.have.GetNewestSerial(ctx)
}
