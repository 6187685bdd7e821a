package access

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// LoginInput is what a member of staff types.
type LoginInput struct {
	Login    string
	Password string
	Code     string // six digits of the one-time-password app
}

// errLogin is the one answer to every login that fails, whatever failed, so
// that it tells nothing about the account.
func errLogin() error {
	return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "login_failed",
		Msg: "login, password or code is wrong, or the account is locked after several wrong tries; an operator can reset it"}
}

// Login starts a session for a member of staff. Every failure is the same
// Unauthenticated error and takes the same time. TriesMax wrong tries lock the
// account; each further lock is twice as long, and an operator may reset it.
func (s *Service) Login(ctx context.Context, in LoginInput) (Started, error) {
	actor, err := s.Identify(ctx, in)
	if err != nil {
		return Started{}, err
	}
	return s.StartSession(ctx, actor)
}

// Identify is Login without a session: for one thing done at once.
func (s *Service) Identify(ctx context.Context, in LoginInput) (mianmi.Actor, error) {
	if !loginForm.MatchString(in.Login) || in.Password == "" || len(in.Password) > 128 || len(in.Code) > 16 {
		return mianmi.Actor{}, errLogin()
	}
	m, _, err := s.Store.StaffByLogin(ctx, in.Login)
	if mianmi.KindOf(err) == mianmi.NotFound {
		return mianmi.Actor{}, s.burn(ctx, in.Password)
	}
	if err != nil {
		return mianmi.Actor{}, err
	}
	if err := s.prove(ctx, m.ID, in); err != nil {
		return mianmi.Actor{}, err
	}
	return m.Actor(), nil
}

func (s *Service) burn(ctx context.Context, password string) error {
	if err := s.Hasher.Burn(ctx, password); err != nil {
		return err
	}
	return errLogin()
}

// prove checks password and code. The try is counted before the hash is
// computed, so that concurrent guesses cannot be more than TriesMax.
func (s *Service) prove(ctx context.Context, id mianmi.StaffID, in LoginInput) error {
	now := s.now()
	var cred Credential
	var refused bool
	err := s.Store.ChangeCredential(ctx, id, func(c *StaffChange) error {
		cred = c.Credential
		refused = !c.Staff.Active || now.Before(c.Credential.LockedUntil)
		if refused {
			return nil
		}
		return s.countTry(now, c)
	})
	if err != nil {
		return err
	}
	if refused {
		return s.burn(ctx, in.Password)
	}
	right, stale, err := s.Hasher.Verify(ctx, cred.Hash, in.Password)
	if err != nil {
		return err
	}
	step, err := s.step(now, id, cred.TOTP, in.Code)
	if err != nil {
		return err
	}
	if !right || step == 0 {
		return s.failed(ctx, id, now)
	}
	fresh := ""
	if stale {
		if fresh, err = s.Hasher.Hash(ctx, in.Password); err != nil {
			return err
		}
	}
	return s.Store.ChangeCredential(ctx, id, func(c *StaffChange) error {
		// The same code twice (overheard, or two at once), or credentials that
		// were reset since: no.
		if step <= c.Credential.TOTPStep || c.Credential.Hash != cred.Hash || !c.Staff.Active {
			return errLogin()
		}
		c.Credential.TOTPStep, c.Credential.Tries, c.Credential.LockedUntil = step, 0, time.Time{}
		if fresh != "" {
			c.Credential.Hash = fresh
		}
		e, err := s.entry(now, c.Staff.Actor(), "staff.login", string(id), struct{}{})
		c.Entries = append(c.Entries, e)
		return err
	})
}

// failedWait bounds the noting of a failed login when the caller has gone.
const failedWait = 2 * time.Second

// failed notes a login whose password or code was wrong and returns the error
// for it. Tries while the account is locked are not noted: they cannot fill the log.
func (s *Service) failed(ctx context.Context, id mianmi.StaffID, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedWait)
	defer cancel()
	err := s.Store.ChangeCredential(ctx, id, func(c *StaffChange) error {
		e, err := s.entry(now, c.Staff.Actor(), "staff.login_failed", string(id), map[string]int{"tries": c.Credential.Tries})
		c.Entries = append(c.Entries, e)
		return err
	})
	if err != nil {
		return err
	}
	return errLogin()
}

// lockMax ends the doubling of locks.
const lockMax = 24 * time.Hour

func (s *Service) countTry(now time.Time, c *StaffChange) error {
	c.Credential.Tries++
	if c.Credential.Tries%s.cfg.TriesMax != 0 {
		return nil
	}
	c.Credential.LockedUntil = now.Add(LockTime(s.cfg.LockFor, c.Credential.Tries/s.cfg.TriesMax))
	e, err := s.entry(now, c.Staff.Actor(), "staff.locked", string(c.Staff.ID), map[string]int{"tries": c.Credential.Tries})
	c.Entries = append(c.Entries, e)
	return err
}

// LockTime is how long the nth lock in a row lasts (n from 1): first,
// doubled each time, at most a day, or first when that is longer.
func LockTime(first time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < lockMax; i++ {
		d *= 2
	}
	return max(first, min(d, lockMax))
}

// codeOpts are RFC 6238's: six digits, SHA-1, steps of 30 seconds.
var codeOpts = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

const stepSeconds = 30

// step returns the 30-second step whose code was given (the present one, the
// one before or after, for clocks that differ), or 0.
func (s *Service) step(now time.Time, id mianmi.StaffID, sealed []byte, code string) (int64, error) {
	key, err := s.Keys.Open(secret.ForTOTP, sealed, string(id))
	if err != nil {
		return 0, err
	}
	found := int64(0)
	present := now.Unix() / stepSeconds
	for n := present - 1; n <= present+1; n++ {
		want, err := hotp.GenerateCodeCustom(string(key), uint64(n), codeOpts) //nolint:gosec // after 1970
		if err != nil {
			return 0, &mianmi.Error{Kind: mianmi.Internal, Err: err}
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = n
		}
	}
	return found, nil
}

// PasswordChange is a member's own change of password.
type PasswordChange struct {
	Old, New string
	Code     string // of the one-time-password app
}

// ChangePassword gives the calling member a new password and ends all other
// sessions. Old password and code count as a login try.
func (s *Service) ChangePassword(ctx context.Context, actor mianmi.Actor, in PasswordChange) error {
	if !isStaff(actor.Role) {
		return mianmi.Forbidden("not_allowed", "only members of staff have such a password")
	}
	id := mianmi.StaffID(actor.ID)
	m, err := s.Store.StaffByID(ctx, id)
	if err != nil {
		return err
	}
	if err := secret.CheckPhrase("new_password", in.New, m.Login); err != nil {
		return err
	}
	if err := s.prove(ctx, id, LoginInput{Login: m.Login, Password: in.Old, Code: in.Code}); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, in.New)
	if err != nil {
		return err
	}
	now := s.now()
	return s.Store.ChangeStaff(ctx, id, func(c *StaffChange) error {
		if !c.Staff.Active {
			return errLogin()
		}
		c.Credential.Hash, c.EndSessions = hash, true
		return s.recordStaff(now, actor, "staff.password.changed", c)
	})
}
