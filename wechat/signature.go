package wechat

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
)

// Signed is a request as its sender signed it.
type Signed struct {
	Authorization string
	Method        string
	Target        string // path and query, as they were sent
	Body          []byte
}

// Caller is a merchant's software whose signature held.
type Caller struct {
	mianmi.Actor
	Identity Identity
	Public   []byte // of the key that it signed with
	// Request is a digest of what was signed: one that is sent again has the same.
	Request string
}

// window is how far a request's time may be from ours, as at WeChat Pay. A
// request that is sent again inside it is answered again: every call that
// changes something names what it changes by a number of the merchant's, and
// twice is the same as once. So no nonce is kept.
const window = 5 * time.Minute

// SignError says why a request's signature does not hold. It quotes nothing of it.
func SignError(msg string) error {
	return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "sign_error", Msg: msg}
}

var errSign = SignError("the signature does not hold: see how it is made, and which serial_no belongs to the key")

// Authenticate says who signed a request. The key's state is read anew each time.
func (s *Service) Authenticate(ctx context.Context, r Signed) (Caller, error) {
	h, err := parseAuthorization(r.Authorization)
	if err != nil {
		return Caller{}, err
	}
	now := s.now()
	if off := now.Sub(time.Unix(h.timestamp, 0)).Abs(); off > window {
		return Caller{}, SignError("the timestamp is more than five minutes off")
	}
	g, err := s.Store.Signer(ctx, h.serial)
	if mianmi.KindOf(err) == mianmi.NotFound {
		return Caller{}, errSign
	}
	if err != nil {
		return Caller{}, err
	}
	if g.MchID != h.mchid || !g.Key.Live(now) || !g.verify(&h, r) {
		return Caller{}, errSign
	}
	sum := sha256.Sum256([]byte(h.text(r)))
	return Caller{Actor: g.Key.Actor(), Identity: g.Identity, Public: g.Public, Request: hex.EncodeToString(sum[:])}, nil
}

// verify checks the signature: method, target, time, nonce and body, each with a newline.
func (g *Signer) verify(h *authorization, r Signed) bool {
	key, err := x509.ParsePKIXPublicKey(g.Public)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	sum := sha256.Sum256([]byte(h.text(r)))
	return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], h.signature) == nil
}

// authorization is the header of a signed request.
type authorization struct {
	mchid, nonce, serial string
	timestamp            int64
	signature            []byte
}

// text is what was signed.
func (h *authorization) text(r Signed) string {
	return r.Method + "\n" + r.Target + "\n" + strconv.FormatInt(h.timestamp, 10) + "\n" + h.nonce + "\n" + string(r.Body) + "\n"
}

// authorizationMax bounds the header: a signature of 4096 bits has 684 characters.
const authorizationMax = 2048

// parseAuthorization reads WECHATPAY2-SHA256-RSA2048 and five parts name="value"
// in any order, each once.
func parseAuthorization(text string) (h authorization, err error) {
	if text == "" {
		return h, SignError("the header Authorization is missing")
	}
	rest, ok := strings.CutPrefix(text, SignatureType+" ")
	if !ok || len(text) > authorizationMax {
		return h, SignError("the header Authorization does not begin with " + SignatureType)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		inner, begun := strings.CutPrefix(value, `"`)
		inner, ended := strings.CutSuffix(inner, `"`)
		if _, twice := parts[name]; twice || !begun || !ended || inner == "" || strings.ContainsAny(inner, "\"\\\n\r") {
			return h, SignError("the header Authorization is of another form")
		}
		parts[name] = inner
	}
	h.mchid, h.nonce, h.serial = parts["mchid"], parts["nonce_str"], strings.ToUpper(parts["serial_no"])
	seconds := parts["timestamp"]
	h.timestamp, err = strconv.ParseInt(seconds, 10, 64)
	if err != nil || seconds != strconv.FormatInt(h.timestamp, 10) || h.timestamp < 0 || h.timestamp > 1<<40 {
		return h, SignError("timestamp is no number of seconds")
	}
	h.signature, err = base64.StdEncoding.DecodeString(parts["signature"])
	if err != nil || len(h.signature) == 0 || len(parts) != 5 || h.mchid == "" || h.nonce == "" || len(h.nonce) > 128 || h.serial == "" || len(h.serial) > 64 {
		return h, SignError("the header Authorization wants mchid, nonce_str, timestamp, serial_no and signature")
	}
	return h, nil
}
