package secret

import (
	"fmt"
	"io"
	"strings"

	"github.com/mianmi/mianmi"
)

// PINDigits is the length of a payment password.
const PINDigits = 6

// CheckPIN refuses what is not six digits, and the six digits that people
// choose first: one digit repeated, a run up or down (123456, 987654), a
// group of two or three repeated (121212, 123123), pairs in a row (112233).
// The error is Invalid and names the field; it never quotes the digits.
func CheckPIN(field, pin string) error {
	if len(pin) != PINDigits || strings.Trim(pin, "0123456789") != "" {
		return mianmi.InvalidField(field, "want six digits")
	}
	if periodic(pin, 1) || periodic(pin, 2) || periodic(pin, 3) || run(pin, 1) || run(pin, 9) || pairs(pin) {
		return &mianmi.Error{Kind: mianmi.Invalid, Field: field, Code: "password_weak",
			Msg: "too easy to guess: no repeated digits, no runs"}
	}
	return nil
}

// periodic reports whether the text repeats after n places.
func periodic(s string, n int) bool { return s[n:] == s[:len(s)-n] }

// run reports whether each digit follows the one before by step, modulo ten.
func run(s string, step byte) bool {
	for i := 1; i < len(s); i++ {
		if s[i]-'0' != (s[i-1]-'0'+step)%10 {
			return false
		}
	}
	return true
}

// pairs reports three pairs that rise or fall by one (112233, 665544).
func pairs(s string) bool {
	odd := string([]byte{s[0], s[2], s[4]})
	even := string([]byte{s[1], s[3], s[5]})
	return odd == even && (run(odd, 1) || run(odd, 9))
}

// Length of a staff password, in bytes: at least twelve, as NIST SP 800-63B
// asks for (its rule of no composition rules holds too); at most what nobody types.
const (
	phraseBytesMin = 12
	phraseBytesMax = 128
)

// CheckPhrase refuses a staff password that is short, endless, one character
// repeated, or that contains the login name.
func CheckPhrase(field, phrase, login string) error {
	if len(phrase) < phraseBytesMin || len(phrase) > phraseBytesMax {
		return mianmi.InvalidField(field, "want 12 to 128 bytes")
	}
	weak := strings.Trim(phrase, phrase[:1]) == "" ||
		(len(login) > 3 && strings.Contains(strings.ToLower(phrase), strings.ToLower(login)))
	if weak {
		return &mianmi.Error{Kind: mianmi.Invalid, Field: field, Code: "password_weak",
			Msg: "too easy to guess: one character repeated, or the login name inside"}
	}
	return nil
}

// Digits returns n decimal digits, each as likely as the others.
func Digits(random io.Reader, n int) (string, error) {
	out := make([]byte, 0, n)
	var b [32]byte
	for len(out) < n {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("read randomness for digits: %w", err)
		}
		for _, v := range b {
			if v < 250 && len(out) < n { // 250 = 25 × 10: no digit is favoured
				out = append(out, '0'+v%10)
			}
		}
	}
	return string(out), nil
}

// letters are lower case and digits without those that are misread; 32 of
// them, so that a byte's low five bits choose one evenly.
const letters = "0123456789abcdefghjkmnpqrstvwxyz"

// Letters returns n letters of five random bits each, for codes and tokens.
func Letters(random io.Reader, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("read randomness for letters: %w", err)
	}
	for i, v := range b {
		b[i] = letters[v&31]
	}
	return string(b), nil
}
