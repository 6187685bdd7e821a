package payer

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/secret"
)

// LoginInput is what a payer types.
type LoginInput struct {
	Phone    string
	Password string // the payment password
}

// errLogin is the one answer to every login that fails, so that it does not
// tell whether the phone number is known, nor whether its password is locked.
func errLogin() error {
	return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "login_failed",
		Msg: "phone number or password is wrong, or the password is locked after several wrong tries; support can help"}
}

// Login starts a session for the payer with the phone number. A guess counts
// like one at Verify: both share the tries and the lock. Every failure is the
// same Unauthenticated error and costs one hash, also for unknown numbers.
func (s *Service) Login(ctx context.Context, in LoginInput) (access.Started, error) {
	id, err := s.identify(ctx, in)
	if err != nil {
		return access.Started{}, err
	}
	return s.Access.StartSession(ctx, payerActor(id))
}

// identify is Login without a session.
func (s *Service) identify(ctx context.Context, in LoginInput) (mianmi.PayerID, error) {
	if err := checkPhone("phone", in.Phone); err != nil {
		return "", err
	}
	if !digits(in.Password, secret.PINDigits, secret.PINDigits) {
		return "", mianmi.InvalidField("password", "want six digits")
	}
	id, err := s.Store.PayerByPhone(ctx, s.Keys.Digest(secret.ForPhone, in.Phone))
	if err == nil {
		err = s.Verify(ctx, id, in.Password)
	}
	switch mianmi.KindOf(err) {
	case mianmi.NotFound, mianmi.Denied, mianmi.Conflict:
		// Unknown, locked, none set: no hash was computed yet.
		if err := s.Hasher.Burn(ctx, in.Password); err != nil {
			return "", err
		}
		return "", errLogin()
	case mianmi.Unauthenticated:
		return "", errLogin()
	}
	return id, err
}
