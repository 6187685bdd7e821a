package protocol

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"github.com/mianmi/mianmi"
)

// EnrolCode is what a person carries from the console to a new terminal: a
// one-time secret, and which host to give it to. Its text is
// "mm1-SECRET-FINGERPRINT".
//
// The host presents its CA's certificate as the last of its chain; a terminal
// that knows nothing else trusts the chain that ends in a CA with this
// fingerprint, and no other.
type EnrolCode struct {
	Secret string // 16 to 64 letters and digits
	CA     Fingerprint
}

// Fingerprint is the first 20 bytes of SHA-256 of a CA's certificate in DER:
// enough against a second one (160 bits), and short enough to be typed.
type Fingerprint [20]byte

// FingerprintOf returns the fingerprint of a CA's certificate.
func FingerprintOf(der []byte) Fingerprint {
	sum := sha256.Sum256(der)
	return Fingerprint(sum[:20])
}

// Is reports whether the certificate is the one meant.
func (f Fingerprint) Is(der []byte) bool {
	g := FingerprintOf(der)
	return f != Fingerprint{} && subtle.ConstantTimeCompare(f[:], g[:]) == 1
}

// codeText is base32 without letters that are misread, as in identifiers.
var codeText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const codePrefix = "mm1-"

// String is the fingerprint as it stands in a code.
func (f Fingerprint) String() string { return codeText.EncodeToString(f[:]) }

// String is the code as a person carries it.
func (c EnrolCode) String() string {
	return codePrefix + c.Secret + "-" + c.CA.String()
}

// ParseEnrolCode reads a code. Spaces around it and capitals are forgiven. The
// error never quotes it.
func ParseEnrolCode(text string) (EnrolCode, error) {
	bad := mianmi.InvalidField("code", "is not an enrolment code: copy it whole, from mm1- to its end")
	rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), codePrefix)
	secret, print, two := strings.Cut(rest, "-")
	if !ok || !two || len(secret) < 16 || len(secret) > 64 || strings.Trim(secret, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return EnrolCode{}, bad
	}
	b, err := codeText.DecodeString(print)
	if err != nil || len(b) != len(Fingerprint{}) {
		return EnrolCode{}, bad
	}
	return EnrolCode{Secret: secret, CA: Fingerprint(b)}, nil
}
