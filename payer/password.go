package payer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/secret"
)

// PasswordError says how a payment password failed; errors.As finds it in the
// error of Verify and of all that ask for the password.
type PasswordError struct {
	TriesLeft   int       // before a lock
	LockedUntil time.Time // zero: not locked
	now         time.Time
	wrong       bool // the guess was evaluated; false: locked before
}

// Error is for the log.
func (e *PasswordError) Error() string { return "payment password" }

// Words is the failure for the payer, in both languages.
func (e *PasswordError) Words() mianmi.Text {
	switch {
	case !e.LockedUntil.IsZero():
		at := When(e.LockedUntil, e.now)
		return text("支付密码已锁定，%s 后可再试；也可联系客服核实身份后解锁", at.ZH,
			"The payment password is locked until %s; support can unlock it after checking your identity", at.EN)
	case e.TriesLeft == 1:
		return mianmi.Text{ZH: "支付密码错误，还可再试 1 次，再错将锁定", EN: "Wrong payment password. One try left: another wrong one locks it"}
	}
	n := fmt.Sprint(e.TriesLeft)
	return text("支付密码错误，还可再试 %s 次", n, "Wrong payment password. %s tries left", n)
}

func (e *PasswordError) failure() error {
	f := &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "password_wrong", Field: "password", Msg: e.Words().EN, Err: e}
	if !e.wrong {
		f.Kind = mianmi.Denied
	}
	if !e.LockedUntil.IsZero() {
		f.Code, f.RetryAfter = "password_locked", e.LockedUntil.Sub(e.now)
	}
	return f
}

// try is one reserved guess.
type try struct {
	password Password
	number   int // which wrong one in a row it is, if it is wrong
	left     int
}

// Verify checks the payment password of the payer. The guess is counted and
// committed before its hash is computed, so concurrent callers on any number
// of nodes cannot guess more often than one after the other: TriesMax times,
// or fewer when the rules in force say so, then the password is locked, longer
// each time, until the lock runs out or Unlock. A right password sets the count to zero.
//
// Wrong: Unauthenticated, "password_wrong", or "password_locked" when that was
// the last try. Locked before: Denied, "password_locked". None set: Conflict,
// "password_missing". The former carry a *PasswordError, and RetryAfter with a lock.
func (s *Service) Verify(ctx context.Context, id mianmi.PayerID, password string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if !digits(password, secret.PINDigits, secret.PINDigits) {
		return mianmi.InvalidField("password", "want six digits") // no guess: it costs no try
	}
	now := s.now()
	t, err := s.reserve(ctx, id, now)
	if err != nil {
		return err
	}
	right, stale, err := s.Hasher.Verify(ctx, t.password.Hash, password)
	if err != nil {
		return errors.Join(err, s.release(ctx, id, t))
	}
	if !right {
		if err := s.failed(ctx, id, now, t); err != nil {
			return err
		}
		return (&PasswordError{TriesLeft: t.left, LockedUntil: t.password.LockedUntil, now: now, wrong: true}).failure()
	}
	fresh := ""
	if stale {
		if fresh, err = s.Hasher.Hash(ctx, password); err != nil {
			return err
		}
	}
	return s.succeed(ctx, id, now, t.password.Hash, fresh)
}

// reserve counts a guess before it is evaluated. The last one that is allowed
// sets the lock, which a right password takes away again.
func (s *Service) reserve(ctx context.Context, id mianmi.PayerID, now time.Time) (try, error) {
	var t try
	most, err := s.triesMax(ctx)
	if err != nil {
		return t, err
	}
	err = s.Store.ChangePayer(ctx, id, func(c *Change) error {
		w := &c.Password
		if w.Hash == "" {
			return mianmi.Conflicts("password_missing", "no payment password is set")
		}
		if now.Before(w.LockedUntil) {
			return (&PasswordError{LockedUntil: w.LockedUntil, now: now}).failure()
		}
		failed := w.Tries%s.cfg.TriesMax + 1 // since the last lock
		w.LockedUntil = time.Time{}
		w.Tries++
		t.number, c.SavePassword = w.Tries, true
		if t.left = max(most-failed, 0); t.left > 0 {
			t.password = *w
			return nil
		}
		w.Tries += s.cfg.TriesMax - failed
		until, before := now.Add(access.LockTime(s.cfg.LockFor, w.Tries/s.cfg.TriesMax)), c.Payer.snapshot()
		w.LockedUntil, c.Payer.VerifiableFrom = until, &until
		t.password = *w
		return s.record(c, now, recordInput{Actor: payerActor(id), Type: "payer.password.locked", Before: before,
			Detail: map[string]any{"tries": t.number, "until": until}})
	})
	return t, err
}

// triesMax is how many wrong passwords in a row make a lock: the own number, or
// that of the rules in force when it is smaller.
func (s *Service) triesMax(ctx context.Context) (int, error) {
	n, err := s.FailuresMax(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask the rules how many tries there are: %w", err)
	}
	if n > 0 && n < int64(s.cfg.TriesMax) {
		return int(n), nil
	}
	return s.cfg.TriesMax, nil
}

// afterWait bounds what is written of a try when the caller has gone.
const afterWait = 2 * time.Second

// release gives back a guess that was counted and not evaluated (too many
// hashes at once, a deadline). After a right password, which begins the count
// again, there is nothing to give back.
func (s *Service) release(ctx context.Context, id mianmi.PayerID, t try) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterWait)
	defer cancel()
	now := s.now()
	return s.Store.ChangePayer(ctx, id, func(c *Change) error {
		w := &c.Password
		if w.Tries < t.password.Tries || w.Hash != t.password.Hash {
			return nil
		}
		w.Tries--
		c.SavePassword = true
		return s.unlock(c, now, recordInput{Actor: payerActor(id)})
	})
}

// failed notes a wrong password, which was counted before. Nobody is answered
// before it is in the record, and who goes away cannot keep it out; if this
// process dies between, the number of the next entry shows the gap. A refusal
// while the password is locked is no guess and is not noted: whoever knocks at a
// locked door cannot fill the log.
func (s *Service) failed(ctx context.Context, id mianmi.PayerID, now time.Time, t try) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterWait)
	defer cancel()
	return s.Store.ChangePayer(ctx, id, func(c *Change) error {
		detail := map[string]any{"tries": t.number, "tries_left": t.left}
		if t.left == 0 {
			detail["locked_until"] = t.password.LockedUntil
		}
		return s.note(c, now, "payer.password.failed", detail)
	})
}

// unlock takes a lock away, if there is one, and says so in the record.
func (s *Service) unlock(c *Change, now time.Time, in recordInput) error {
	if c.Password.LockedUntil.IsZero() {
		return nil
	}
	in.Type, in.Before = "payer.password.unlocked", c.Payer.snapshot()
	c.Password.LockedUntil, c.Payer.VerifiableFrom = time.Time{}, &now
	return s.record(c, now, in)
}

func payerActor(id mianmi.PayerID) mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RolePayer, ID: string(id)}
}

func (s *Service) succeed(ctx context.Context, id mianmi.PayerID, now time.Time, hash, fresh string) error {
	return s.Store.ChangePayer(ctx, id, func(c *Change) error {
		w := &c.Password
		if w.Hash != hash { // replaced since: this was the old one
			return mianmi.Conflicts("password_changed", "the payment password has just been changed")
		}
		w.Tries = 0
		if fresh != "" {
			w.Hash = fresh
		}
		c.SavePassword = true
		if err := s.unlock(c, now, recordInput{Actor: payerActor(id)}); err != nil {
			return err
		}
		return s.note(c, now, "payer.password.verified", nil)
	})
}

// SetPassword sets the first payment password. It is a Conflict with the code
// "password_exists" when there is one.
func (s *Service) SetPassword(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, password string) (Status, error) {
	if err := access.Allow(actor, access.PayerPassword, target(id)); err != nil {
		return Status{}, err
	}
	hash, err := s.newHash(ctx, id, "password", password)
	if err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		if c.Password.Hash != "" {
			return mianmi.Conflicts("password_exists", "there is a payment password: change it with the old one")
		}
		return s.replace(c, now, hash, recordInput{Actor: actor, Type: "payer.password.set", Before: c.Payer.snapshot()})
	})
}

// ChangePassword replaces the payment password. The old one counts as a guess.
// All other sessions of the payer end.
func (s *Service) ChangePassword(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, old, fresh string) (Status, error) {
	if err := access.Allow(actor, access.PayerLoosen, target(id)); err != nil {
		return Status{}, err
	}
	if err := secret.CheckPIN("new_password", fresh); err != nil {
		return Status{}, err
	}
	if old == fresh {
		return Status{}, mianmi.InvalidField("new_password", "is the old one")
	}
	if err := s.Verify(ctx, id, old); err != nil {
		return Status{}, err
	}
	hash, err := s.newHash(ctx, id, "new_password", fresh)
	if err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		c.KeepSession = mianmi.SessionID(actor.Via)
		return s.replace(c, now, hash, recordInput{Actor: actor, Type: "payer.password.changed", Before: c.Payer.snapshot()})
	})
}

func (s *Service) newHash(ctx context.Context, id mianmi.PayerID, field, password string) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	person, err := s.Store.Person(ctx, id)
	if err != nil {
		return "", err
	}
	if err := checkPassword(field, password, person.Phone); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, password)
}

func (s *Service) replace(c *Change, now time.Time, hash string, in recordInput) error {
	c.Password = Password{Hash: hash}
	c.Payer.VerifiableFrom = &now
	c.SavePassword, c.EndSessions = true, true
	return s.record(c, now, in)
}

// Unlock sets the count of wrong passwords to zero, by support after a check
// of the payer's identity that basis names.
func (s *Service) Unlock(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis Basis) (Status, error) {
	if err := s.mayIdentify(actor, id, basis); err != nil {
		return Status{}, err
	}
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		if c.Password.Tries == 0 {
			return nil
		}
		in := recordInput{Actor: actor, Type: "payer.password.unlocked", Before: c.Payer.snapshot(), Basis: basis}
		c.Password.Tries, c.Password.LockedUntil, c.SavePassword = 0, time.Time{}, true
		if c.Password.Hash != "" {
			c.Payer.VerifiableFrom = &now
		}
		return s.record(c, now, in)
	})
}

func (s *Service) mayIdentify(actor mianmi.Actor, id mianmi.PayerID, basis Basis) error {
	if err := access.Allow(actor, access.PayerIdentify, target(id)); err != nil {
		return err
	}
	return basis.check(true)
}

// Reset is a one-time code with which the payer sets a new password.
type Reset struct {
	Code      string // twelve letters, 60 random bits; shown this once
	ExpiresAt time.Time
}

const resetLetters = 12

// ResetPassword issues a one-time code for a new password, by support after a
// check of the payer's identity that basis names. The old password stays good until then.
func (s *Service) ResetPassword(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, basis Basis) (Reset, error) {
	if err := s.mayIdentify(actor, id, basis); err != nil {
		return Reset{}, err
	}
	code, err := secret.Letters(s.Random, resetLetters)
	if err != nil {
		return Reset{}, err
	}
	var until time.Time
	_, err = s.change(ctx, id, func(c *Change, now time.Time) error {
		until = now.Add(s.cfg.ResetFor)
		c.Password.ResetDigest, c.Password.ResetUntil, c.SavePassword = s.resetDigest(id, code), until, true
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.password.reset_issued", Before: c.Payer.snapshot(), Basis: basis})
	})
	if err != nil {
		return Reset{}, err
	}
	return Reset{Code: code, ExpiresAt: until}, nil
}

func (s *Service) resetDigest(id mianmi.PayerID, code string) []byte {
	return s.Keys.Digest(secret.ForResetCode, string(id)+" "+code)
}

// RedeemInput sets a new password with a one-time code.
type RedeemInput struct {
	Phone       string
	Code        string
	NewPassword string
}

// RedeemReset sets a new payment password with the code from ResetPassword,
// without a session. It lifts a lock and ends the payer's sessions. Wrong,
// used and expired codes and unknown phone numbers get the same
// Unauthenticated error with the code "reset_failed".
func (s *Service) RedeemReset(ctx context.Context, in RedeemInput) (Status, error) {
	if err := checkPhone("phone", in.Phone); err != nil {
		return Status{}, err
	}
	if err := checkPassword("new_password", in.NewPassword, in.Phone); err != nil {
		return Status{}, err
	}
	hash, err := s.Hasher.Hash(ctx, in.NewPassword) // first, so that its time tells nothing
	if err != nil {
		return Status{}, err
	}
	failed := &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "reset_failed", Field: "code", Msg: "the code is wrong, used or has expired"}
	id, err := s.Store.PayerByPhone(ctx, s.Keys.Digest(secret.ForPhone, in.Phone))
	if mianmi.KindOf(err) == mianmi.NotFound {
		return Status{}, failed
	}
	if err != nil {
		return Status{}, err
	}
	digest := s.resetDigest(id, in.Code)
	return s.change(ctx, id, func(c *Change, now time.Time) error {
		// Both are keyed digests: their comparison tells nothing about the code.
		if !now.Before(c.Password.ResetUntil) || !bytes.Equal(digest, c.Password.ResetDigest) {
			return failed
		}
		return s.replace(c, now, hash, recordInput{Actor: payerActor(id), Type: "payer.password.reset", Before: c.Payer.snapshot()})
	})
}
