package access

import (
	"context"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

// Prefixes tell a bearer's kind, and let a scanner find one that leaked.
const (
	SessionPrefix = "ms_"
	keyPrefix     = "mk_"
	tokenLetters  = 52 // × 5 bits = 260 random bits
)

// Session is somebody who has logged in. Its token is kept as a digest.
type Session struct {
	ID        mianmi.SessionID
	Digest    []byte
	Role      mianmi.Role // payer, or a role of staff; what staff may do is read from their row
	Actor     string      // payer or staff identifier
	CreatedAt time.Time
	IdleAt    time.Time // ends then unless it is used
	ExpiresAt time.Time // ends then
}

// Started is a new session with the token that is shown this once.
type Started struct {
	Token   string // "ms_…", for Authorization: Bearer
	Session Session
	Actor   mianmi.Actor
}

// StartSession starts a session for an actor whose identity the caller has
// checked: a payer or a member of staff.
func (s *Service) StartSession(ctx context.Context, actor mianmi.Actor) (Started, error) {
	idle, life := s.lifetimes(actor.Role)
	if life == 0 || actor.ID == "" {
		return Started{}, mianmi.Forbidden("not_allowed", "a "+actor.Role.String()+" has no session")
	}
	token, digest, err := s.newToken(SessionPrefix)
	if err != nil {
		return Started{}, err
	}
	now := s.now()
	id, err := mianmi.NewID("se", now, s.Random)
	if err != nil {
		return Started{}, err
	}
	n := Session{ID: mianmi.SessionID(id), Digest: digest, Role: actor.Role, Actor: actor.ID,
		CreatedAt: now, IdleAt: now.Add(idle), ExpiresAt: now.Add(life)}
	if err := s.Store.InsertSession(ctx, n); err != nil {
		return Started{}, err
	}
	actor.Via = id
	return Started{Token: token, Session: n, Actor: actor}, nil
}

func (s *Service) lifetimes(r mianmi.Role) (idle, life time.Duration) {
	switch {
	case r == mianmi.RolePayer:
		return s.cfg.PayerIdle, s.cfg.PayerLife
	case isStaff(r):
		return s.cfg.StaffIdle, s.cfg.StaffLife
	}
	return 0, 0
}

func (s *Service) newToken(prefix string) (token string, digest []byte, err error) {
	text, err := secret.Letters(s.Random, tokenLetters)
	if err != nil {
		return "", nil, err
	}
	token = prefix + text
	return token, s.Keys.Digest(secret.ForBearer, token), nil
}

// errBearer is the one answer to every bearer that is not, or no longer, good.
func errBearer() error {
	return &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "bearer_invalid", Msg: "log in again, or use a valid API key"}
}

// bearerForm reports whether the text can be a token of ours.
func bearerForm(bearer string) bool {
	if len(bearer) != len(SessionPrefix)+tokenLetters {
		return false
	}
	for _, c := range []byte(bearer[len(SessionPrefix):]) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return strings.HasPrefix(bearer, SessionPrefix) || strings.HasPrefix(bearer, keyPrefix)
}

// Authenticate returns who bears the token (the text after "Bearer "). It
// always reads the store, so a revoked key or ended session is refused at
// once. Every refusal is the same Unauthenticated error.
func (s *Service) Authenticate(ctx context.Context, bearer string) (mianmi.Actor, error) {
	if !bearerForm(bearer) {
		return mianmi.Actor{}, errBearer()
	}
	digest := s.Keys.Digest(secret.ForBearer, bearer)
	if strings.HasPrefix(bearer, keyPrefix) {
		k, err := s.liveKey(ctx, digest)
		if err != nil {
			return mianmi.Actor{}, err
		}
		return k.Actor(), nil
	}
	return s.sessionActor(ctx, digest)
}

func (s *Service) sessionActor(ctx context.Context, digest []byte) (mianmi.Actor, error) {
	n, err := s.Store.SessionByDigest(ctx, digest)
	if mianmi.KindOf(err) == mianmi.NotFound {
		return mianmi.Actor{}, errBearer()
	}
	if err != nil {
		return mianmi.Actor{}, err
	}
	now := s.now()
	if !now.Before(n.IdleAt) || !now.Before(n.ExpiresAt) {
		return mianmi.Actor{}, errBearer()
	}
	actor := mianmi.Actor{Role: mianmi.RolePayer, ID: n.Actor}
	if n.Role != mianmi.RolePayer {
		m, err := s.Store.StaffByID(ctx, mianmi.StaffID(n.Actor))
		if err != nil || !m.Active {
			return mianmi.Actor{}, bearerOr(err)
		}
		actor = m.Actor()
	}
	actor.Via = string(n.ID)
	idle, _ := s.lifetimes(actor.Role)
	// One write in a tenth of the idle time, not one a request.
	if next := now.Add(idle); next.Sub(n.IdleAt) > idle/10 {
		if err := s.Store.TouchSession(ctx, digest, next); err != nil {
			return mianmi.Actor{}, err
		}
	}
	return actor, nil
}

func bearerOr(err error) error {
	if err == nil || mianmi.KindOf(err) == mianmi.NotFound {
		return errBearer()
	}
	return err
}

// Logout ends the session that the actor came with.
func (s *Service) Logout(ctx context.Context, actor mianmi.Actor) error {
	if !strings.HasPrefix(actor.Via, "se") {
		return mianmi.Conflicts("no_session", "the caller has no session")
	}
	return s.Store.EndSession(ctx, actor.ID, mianmi.SessionID(actor.Via))
}

// EndSessions ends all sessions of a payer or member of staff, by themselves
// or by support, and returns how many there were.
func (s *Service) EndSessions(ctx context.Context, actor mianmi.Actor, whose string) (int, error) {
	if whose == "" {
		return 0, mianmi.InvalidField("actor", "whose sessions?")
	}
	self := whose == actor.ID && actor.Role != mianmi.NoRole && actor.Role != mianmi.RoleAPIClient
	if !self {
		if err := Allow(actor, SessionRevoke, Target{}); err != nil {
			return 0, err
		}
	}
	return s.Store.EndSessions(ctx, whose)
}
