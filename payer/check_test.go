package payer

import (
	"errors"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
)

func TestLooksLikeCard(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"4111111111111111":           true, // the schemes' own test number
		"4111 1111 1111 1111":        true,
		"4111-1111.1111-1111":        true,
		"card:4111111111111111;":     true,
		"6200000000000005":           true,
		"4111111111111112":           false, // check digit
		"411111111111":               false,
		"12345":                      false,
		"CASE-2026-00017":            false,
		"":                           false,
		strings.Repeat("0", 20):      false, // longer than any card number
		"a1b2c3d4e5f6":               false,
		"4111 1111 and 1111 1111":    false,
		"4111111111111111 and words": true,
	} {
		if got := LooksLikeCard(text); got != want {
			t.Errorf("LooksLikeCard(%q) = %t", text, got)
		}
	}
}

// A text with a card number anywhere in it is found, however it is grouped.
func FuzzLooksLikeCard(f *testing.F) {
	f.Add("ref ", uint64(411111111111111), " end", byte(4))
	f.Add("", uint64(0), "", byte(0))
	f.Fuzz(func(t *testing.T, before string, n uint64, after string, group byte) {
		number := make([]byte, 15)
		for i := range number {
			number[i] = byte(n % 10)
			n /= 10
		}
		for check := range byte(10) { // the one that makes the sum right
			if luhn(append(number[:15:15], check)) {
				number = append(number, check)
				break
			}
		}
		var b strings.Builder
		for i, d := range number {
			if group > 0 && i > 0 && i%int(group) == 0 {
				b.WriteByte(' ')
			}
			b.WriteByte('0' + d)
		}
		if text := before + "x" + b.String() + "x" + after; !LooksLikeCard(text) {
			t.Errorf("not found in %q", text)
		}
	})
}

// What ParseCode takes are 18 digits with a bucket, and nothing of a refused
// text is in the error.
func FuzzParseCode(f *testing.F) {
	f.Add("880071234567890123")
	f.Add("882561234567890123")
	f.Add("８８００７")
	f.Add("-80071234567890123")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseCode(s)
		if err != nil {
			if !errors.Is(err, mianmi.Invalid) || (digits(s, 3, 1<<10) && strings.Contains(err.Error(), s)) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if len(s) != CodeDigits || strings.Trim(s, "0123456789") != "" || s[2:5] != string([]byte{'0' + byte(b)/100, '0' + byte(b)/10%10, '0' + byte(b)%10}) {
			t.Errorf("%q has bucket %d", s, b)
		}
	})
}

// A phone number that passes is E.164 and nothing else.
func FuzzCheckPhone(f *testing.F) {
	f.Add("+8613800000000")
	f.Add("+447700900123")
	f.Add("+86138000000000\n")
	f.Fuzz(func(t *testing.T, s string) {
		if checkPhone("phone", s) != nil {
			return
		}
		if len(s) < 8 || len(s) > 16 || s[0] != '+' || strings.Trim(s[1:], "0123456789") != "" || s[1] == '0' {
			t.Errorf("took %q", s)
		}
	})
}
