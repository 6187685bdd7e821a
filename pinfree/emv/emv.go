// Package emv speaks the bytes and numbers of card terminals: what a card and
// a terminal said of the verification, and which values a terminal's EMV
// configuration needs so that it asks for the PIN just where the rules do.
//
// It is pure. Where the rules end is asked of pinfree.Decide; reading a chip
// and loading a terminal are left to others. Tags and comparisons are those of
// EMV Contactless Book B (Entry Point), of Mastercard's kernel C-2 and of
// UnionPay's terminal parameters.
package emv

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
)

// AmountMax is the largest amount that a terminal's parameter can hold, in minor
// units: twelve digits (n 12).
const AmountMax = 999_999_999_999

// N12 writes an amount in minor units as twelve digits. It is an Invalid error
// when the amount is negative or above AmountMax.
func N12(minor int64) (string, error) {
	if minor < 0 || minor > AmountMax {
		return "", mianmi.InvalidField("amount", fmt.Sprintf("%d does not fit into twelve digits", minor))
	}
	return n12(minor), nil
}

// n12 is N12 of an amount that is known to fit.
func n12(minor int64) string { return fmt.Sprintf("%012d", minor) }

// ParseN12 is the inverse of N12: just twelve digits.
func ParseN12(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || len(s) != 12 {
		return 0, mianmi.InvalidField("amount", strconv.Quote(s)+" is not twelve digits")
	}
	return int64(n), nil //nolint:gosec // ParseUint keeps it to 63 bits
}

// tlv writes a tag with a value in hexadecimal as EMV does, in upper case. The
// values here are shorter than 128 bytes, so the length is one byte.
func tlv(tag, value string) string {
	return tag + fmt.Sprintf("%02X", len(value)/2) + strings.ToUpper(value)
}

// parse reads hexadecimal of just as many bytes as out has.
func parse(field, s string, out []byte) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(out) {
		return mianmi.InvalidField(field, fmt.Sprintf("%q is not %d bytes in hexadecimal", s, len(out)))
	}
	copy(out, b)
	return nil
}

func text(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
