package agent

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/mianmi/mianmi"
)

// operator is the password of the menu, and the wrong tries at it.
type operator struct {
	Salt   string    `json:"salt"`
	Hash   string    `json:"hash"` // argon2id, 19 MiB, two passes (OWASP)
	Fails  int       `json:"fails,omitempty"`
	Locked time.Time `json:"locked,omitzero"`
}

// Bounds of the password: eight digits are what a keypad makes bearable, and
// with the lock an hour gives fewer than 30 tries at 10^8.
const (
	passwordMin = 8
	passwordMax = 16
	triesFree   = 5
	lockMin     = time.Minute
	lockMax     = time.Hour
)

// PasswordSet reports whether the operator password has been set: until then
// the terminal does nothing else.
func (t *Terminal) PasswordSet() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.Operator != nil
}

// CheckOperatorPassword refuses what is no password of the menu, or what
// people choose first. There is no default that could be looked up.
func CheckOperatorPassword(field, p string) error {
	if len(p) < passwordMin || len(p) > passwordMax || strings.Trim(p, "0123456789") != "" {
		return mianmi.InvalidField(field, fmt.Sprintf("want %d to %d digits", passwordMin, passwordMax))
	}
	weak := &mianmi.Error{Kind: mianmi.Invalid, Field: field, Code: "password_weak", Msg: "too easy to guess: no repeats, no runs"}
	for n := 1; n <= len(p)/2; n++ { // one digit, or a group of them, again and again
		if p[n:] == p[:len(p)-n] {
			return weak
		}
	}
	for _, step := range []int{1, 9} { // 12345678, 98765432, 90123456
		run := true
		for i := 1; i < len(p); i++ {
			run = run && int(p[i]-'0') == (int(p[i-1]-'0')+step)%10
		}
		if run {
			return weak
		}
	}
	if digits := []byte(p); len(slices.Compact(slices.Sorted(slices.Values(digits)))) < 3 {
		return weak
	}
	return nil
}

// SetPassword sets the operator password at the first start. Later, old must
// be the present one.
func (t *Terminal) SetPassword(old, p string) error {
	if t.PasswordSet() {
		if err := t.SignIn(old); err != nil {
			return err
		}
	}
	if err := CheckOperatorPassword("password", p); err != nil {
		return err
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(t.Random, salt); err != nil {
		return fmt.Errorf("read randomness for a salt: %w", err)
	}
	o := &operator{Salt: hex.EncodeToString(salt), Hash: hashPassword(salt, p)}
	return t.change(func(s *state) error {
		s.Operator = o
		return nil
	})
}

func hashPassword(salt []byte, p string) string {
	return hex.EncodeToString(argon2.IDKey([]byte(p), salt, 2, 19456, 1, 32))
}

// errLocked says until when no password is looked at.
func errLocked(wait time.Duration) error {
	return &mianmi.Error{Kind: mianmi.Denied, Code: "locked", Msg: "too many wrong passwords", RetryAfter: wait}
}

// SignIn checks the operator password. A try is counted before it is looked
// at, on the disk: switching the terminal off does not give it back.
func (t *Terminal) SignIn(p string) error {
	now := t.Clock.Now()
	var o operator
	err := t.change(func(s *state) error {
		if s.Operator == nil {
			return mianmi.Forbidden("no_password", "set an operator password first")
		}
		o = *s.Operator
		if wait := o.Locked.Sub(now); wait > 0 && wait <= lockMax {
			return errLocked(wait)
		}
		o.Fails++
		if o.Fails >= triesFree {
			o.Locked = now.Add(min(lockMin<<min(o.Fails-triesFree, 10), lockMax))
		}
		next := o
		s.Operator = &next
		return nil
	})
	if err != nil {
		return err
	}
	salt, err := hex.DecodeString(o.Salt)
	if err != nil {
		return fmt.Errorf("the stored password: %w", err)
	}
	if len(p) > passwordMax || subtle.ConstantTimeCompare([]byte(hashPassword(salt, p)), []byte(o.Hash)) != 1 {
		if wait := o.Locked.Sub(now); wait > 0 {
			return errLocked(wait)
		}
		return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "password_wrong", Msg: "the password is wrong"}
	}
	return t.change(func(s *state) error {
		if s.Operator.Hash == o.Hash {
			next := *s.Operator
			next.Fails, next.Locked = 0, time.Time{}
			s.Operator = &next
		}
		return nil
	})
}
