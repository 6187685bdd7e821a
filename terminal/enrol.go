package terminal

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// EnrolLife is how long an enrolment code may be used: a walk from the console
// to the till, and a machine that starts.
const EnrolLife = 15 * time.Minute

// enrolLetters are 100 random bits: nobody guesses a code while it lives.
const enrolLetters = 20

// EnrolRecords is what enrolment needs of the store.
type EnrolRecords interface {
	Terminal(ctx context.Context, id mianmi.TerminalID) (Terminal, error)
	// AddEnrolment keeps the code's digest in the place of the terminal's former
	// one: a terminal has one code.
	AddEnrolment(ctx context.Context, e Enrolment, entry evidence.Entry) error
	// Enrolment reads the code with the digest; NotFound when there is none that
	// lives at now. What uses it up is a visit, with the key that it is for.
	Enrolment(ctx context.Context, digest []byte, now time.Time) (Enrolment, error)
}

// Enrolment is a code that waits for its terminal.
type Enrolment struct {
	Terminal  mianmi.TerminalID
	Digest    []byte // keyed; the code is not kept
	ExpiresAt time.Time
}

// Enrol hands out enrolment codes and knows them again.
type Enrol struct {
	Records EnrolRecords
	Keys    *secret.Keys
	Clock   mianmi.Clock
	Random  io.Reader
}

// EnrolCode is a code as it is shown, once.
type EnrolCode struct {
	Secret    string
	ExpiresAt time.Time
}

// Issue makes a code for the terminal. A code that it had before is worth
// nothing any more. It takes the right to manage terminals at its store.
func (s *Enrol) Issue(ctx context.Context, actor mianmi.Actor, id mianmi.TerminalID) (EnrolCode, error) {
	t, err := s.Records.Terminal(ctx, id)
	if err != nil {
		return EnrolCode{}, err
	}
	if !mayManage(actor, place{t.Merchant, t.Store}) {
		return EnrolCode{}, denied()
	}
	text, err := secret.Letters(s.Random, enrolLetters)
	if err != nil {
		return EnrolCode{}, err
	}
	now := s.Clock.Now().UTC().Truncate(time.Microsecond)
	ends := now.Add(EnrolLife)
	entryID, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return EnrolCode{}, err
	}
	e := evidence.Entry{ID: mianmi.EntryID(entryID), At: now, Type: "terminal.enrolment.issued", Subject: string(id), Actor: actor.String(),
		Body: []byte(`{"expires_at":` + strconv.Quote(ends.Format(time.RFC3339Nano)) + `}`)}
	err = s.Records.AddEnrolment(ctx, Enrolment{Terminal: id, Digest: s.digest(text), ExpiresAt: ends}, e)
	return EnrolCode{Secret: text, ExpiresAt: ends}, err
}

// ErrCode says nothing about why: whoever guesses learns nothing.
var ErrCode = &mianmi.Error{Kind: mianmi.Unauthenticated, Field: "code", Code: "enrolment_code_invalid",
	Msg: "this enrolment code is not known, was used, or is too old; ask for a new one"}

// Enrolment says what a code is good for: AddKey, once.
func (s *Enrol) Enrolment(ctx context.Context, text string) (Enrolment, error) {
	if len(text) != enrolLetters {
		return Enrolment{}, ErrCode
	}
	e, err := s.Records.Enrolment(ctx, s.digest(text), s.Clock.Now())
	if mianmi.KindOf(err) == mianmi.NotFound {
		return Enrolment{}, ErrCode
	}
	return e, err
}

func (s *Enrol) digest(text string) []byte { return s.Keys.Digest(secret.ForEnrolment, text) }
