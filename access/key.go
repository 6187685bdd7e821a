package access

import (
	"context"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
)

// Key is an API key. Merchant, scopes and expiry never change after it was
// made; it can only be revoked.
type Key struct {
	ID        mianmi.KeyID
	Digest    []byte
	Name      string
	Merchant  mianmi.MerchantID // empty: mianmi's own clients
	Scopes    mianmi.Scope
	CreatedBy string // mianmi.Actor.String()
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not
}

// Actor is the key as a caller; Via is the key's identifier.
func (k Key) Actor() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleAPIClient, ID: string(k.ID), Merchant: k.Merchant, Scopes: k.Scopes, Via: string(k.ID)}
}

// Live reports whether the key may be used at now.
func (k Key) Live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// NewKey is an API key to be made.
type NewKey struct {
	Name      string // 1 to 64 characters
	Merchant  mianmi.MerchantID
	Scopes    mianmi.Scope
	ExpiresAt time.Time // zero: never
}

// KeyQuery chooses a page of keys, in the order of identifiers.
type KeyQuery struct {
	Merchant mianmi.MerchantID // empty: all
	After    mianmi.KeyID
	Limit    int // default and most 200
}

const scopesAll = mianmi.ScopePay | mianmi.ScopeRefund | mianmi.ScopeTighten | mianmi.ScopeManage | mianmi.ScopePayers | mianmi.ScopeRead | mianmi.ScopeWebhooks

func (s *Service) checkKey(n NewKey, now time.Time) error {
	if !printable(n.Name, 64) {
		return mianmi.InvalidField("name", "want 1 to 64 printable characters")
	}
	if n.Scopes == 0 || n.Scopes&^scopesAll != 0 {
		return mianmi.InvalidField("scopes", "want at least one known scope")
	}
	if n.Scopes.Has(mianmi.ScopePayers) && n.Merchant != "" {
		return mianmi.InvalidField("scopes", "payers belong to no merchant: a key with the scope payers has none either")
	}
	if !n.ExpiresAt.IsZero() && !now.Before(n.ExpiresAt) {
		return mianmi.InvalidField("expires_at", "has passed")
	}
	return nil
}

// CreateKey makes an API key. The token ("mk_…") is shown this once.
func (s *Service) CreateKey(ctx context.Context, actor mianmi.Actor, n NewKey) (k Key, token string, err error) {
	if err := Allow(actor, KeyManage, Target{Merchant: n.Merchant}); err != nil {
		return Key{}, "", err
	}
	now := s.now()
	if err := s.checkKey(n, now); err != nil {
		return Key{}, "", err
	}
	if !n.ExpiresAt.IsZero() {
		n.ExpiresAt = n.ExpiresAt.UTC().Truncate(time.Microsecond)
	}
	id, err := mianmi.NewID("ak", now, s.Random)
	if err != nil {
		return Key{}, "", err
	}
	token, digest, err := s.newToken(keyPrefix)
	if err != nil {
		return Key{}, "", err
	}
	k = Key{ID: mianmi.KeyID(id), Digest: digest, Name: n.Name, Merchant: n.Merchant, Scopes: n.Scopes,
		CreatedBy: actor.String(), CreatedAt: now, ExpiresAt: n.ExpiresAt}
	e, err := s.entry(now, actor, "api_key.created", id, k.body())
	if err != nil {
		return Key{}, "", err
	}
	if err := s.Store.InsertKey(ctx, k, e); err != nil {
		return Key{}, "", err
	}
	return k, token, nil
}

// RevokeKey ends a key. The settings epoch rises with it, so that no payment
// decided later is taken with it. A second call changes nothing.
func (s *Service) RevokeKey(ctx context.Context, actor mianmi.Actor, id mianmi.KeyID) (Key, error) {
	now := s.now()
	var left Key
	err := s.Store.ChangeKey(ctx, id, func(k *Key) ([]evidence.Entry, error) {
		if err := Allow(actor, KeyManage, Target{Merchant: k.Merchant}); err != nil {
			return nil, err
		}
		left = *k
		if !k.RevokedAt.IsZero() {
			return nil, nil
		}
		k.RevokedAt = now
		left = *k
		e, err := s.entry(now, actor, "api_key.revoked", string(id), k.body())
		return []evidence.Entry{e}, err
	})
	if err == nil {
		s.forget(left.Digest)
	}
	return left, err
}

// APIKeys returns a page of keys that the actor may see, without secrets.
func (s *Service) APIKeys(ctx context.Context, actor mianmi.Actor, q KeyQuery) ([]Key, error) {
	if actor.Is(mianmi.RoleMerchantAdmin) {
		q.Merchant = actor.Merchant
	}
	if err := Allow(actor, KeyShow, Target{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	q.Limit = pageSize(q.Limit)
	return s.Store.ListKeys(ctx, q)
}

func (s *Service) liveKey(ctx context.Context, digest []byte) (Key, error) {
	k, err := s.Store.KeyByDigest(ctx, digest)
	if err != nil {
		return Key{}, bearerOr(err)
	}
	if !k.Live(s.now()) {
		return Key{}, errBearer()
	}
	return k, nil
}

// knownKey is a key that was good when it was looked up.
type knownKey struct {
	actor   mianmi.Actor
	expires time.Time
}

// knownMax bounds the memory of known keys; when it is full it starts afresh.
const knownMax = 4096

// AuthenticateCached is Authenticate without a read of the store for an API
// key that was good before. A key that was revoked since, here or on another
// node, still passes: whoever calls this must check inside the transaction
// that acts, against the settings of the epoch, that the key Actor.Via is
// neither revoked nor expired. The authorization batch does; nobody else may
// call this.
func (s *Service) AuthenticateCached(ctx context.Context, bearer string) (mianmi.Actor, error) {
	if !strings.HasPrefix(bearer, keyPrefix) || !bearerForm(bearer) {
		return s.Authenticate(ctx, bearer)
	}
	digest := s.Keys.Digest(secret.ForBearer, bearer)
	key := [secret.DigestBytes]byte(digest)
	s.mu.RLock()
	k, ok := s.known[key]
	s.mu.RUnlock()
	if ok && (k.expires.IsZero() || s.now().Before(k.expires)) {
		return k.actor, nil
	}
	live, err := s.liveKey(ctx, digest)
	if err != nil {
		return mianmi.Actor{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= knownMax {
		clear(s.known)
	}
	s.known[key] = knownKey{actor: live.Actor(), expires: live.ExpiresAt}
	return live.Actor(), nil
}

func (s *Service) forget(digest []byte) {
	if len(digest) != secret.DigestBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, [secret.DigestBytes]byte(digest))
}
