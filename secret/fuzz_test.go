package secret

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the PHC parser takes is written back letter for letter, and is inside
// the bounds.
func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=+64,t=01,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Errorf("%q is written back as %q", s, p.String())
		}
		if !p.cost.sane() || len(p.salt) < 8 || len(p.sum) < 16 {
			t.Errorf("%q passed the bounds: %+v", s, p.cost)
		}
	})
}

// The keys parser takes no text that it would read in two ways, and never
// panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"master":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","pin":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(bytes.Clone(text))
		if err != nil || len(k.pin) == 0 || len(k.master) != keyBytes {
			t.Fatalf("parsed to %d PIN keys, %v", len(k.pin), err)
		}
		if d := cmp.Diff(k.PINKey(), again.PINKey()); d != "" {
			t.Error(d)
		}
	})
}

// A sealed PIN from outside never panics, and opens only if it was sealed.
func FuzzOpenPIN(f *testing.F) {
	k, err := New(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	p, err := SealPIN(k.PINKey(), "pm1", "135790")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Encapsulated, p.Ciphertext)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, enc, text []byte) {
		pin, err := k.OpenPIN(SealedPIN{KeyID: p.KeyID, Encapsulated: enc, Ciphertext: text}, "pm1")
		if err == nil && pin != "135790" && bytes.Equal(enc, p.Encapsulated) {
			t.Errorf("opened %q", pin)
		}
	})
}
