package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// PlatformChange is what becomes of the platform's keys.
type PlatformChange struct {
	Add    *PlatformKey // nil: none
	Revoke string       // a key's number; empty: none
	Entry  evidence.Entry
}

// PlatformKeysMax bounds the keys that are not revoked: one that signs, its
// successor, and one that software of some merchants still knows alone.
const PlatformKeysMax = 3

// delayMax bounds how far ahead a change may be made: a quarter of a year is
// longer than anybody needs to change software.
const delayMax = 90 * 24 * time.Hour

// Rotate makes a key that signs after the delay. Until then and afterwards the
// former one can be had and is answered with where a request names it, until it
// is revoked. One change is made at a time.
func (s *Service) Rotate(ctx context.Context, actor mianmi.Actor, delay time.Duration) (*Platform, error) {
	if err := access.Allow(actor, access.KeyManage, access.Target{}); err != nil {
		return nil, err
	}
	if delay < 0 || delay > delayMax {
		return nil, mianmi.InvalidField("signs_in", "want at most 90 days")
	}
	if _, err := s.Platforms(ctx); err != nil { // the first is made before
		return nil, err
	}
	k, err := s.newPlatform(s.now().Add(delay))
	if err != nil {
		return nil, err
	}
	err = s.Store.ChangePlatformKeys(ctx, func(live []PlatformKey) (PlatformChange, error) {
		switch {
		case slices.ContainsFunc(live, func(l PlatformKey) bool { return l.SignsAt.After(k.CreatedAt) }):
			return PlatformChange{}, mianmi.Conflicts("wechat_key_waits", "a new platform key waits already: let it sign first, or revoke it")
		case len(live) >= PlatformKeysMax:
			return PlatformChange{}, mianmi.Conflicts("too_many_wechat_keys", "there are as many platform keys as there may be: revoke one first")
		}
		e, err := s.keyEntry(actor, TypePlatformAdded, &k)
		return PlatformChange{Add: &k, Entry: e}, err
	})
	if err != nil {
		return nil, err
	}
	s.forgetPlatforms()
	return s.openPlatform(&k)
}

// RevokePlatform ends a key: nothing is signed in its name any more and it can
// not be had; every node knows that ten seconds later. The one key that signs
// cannot be revoked.
func (s *Service) RevokePlatform(ctx context.Context, actor mianmi.Actor, keyID string) error {
	if err := access.Allow(actor, access.KeyManage, access.Target{}); err != nil {
		return err
	}
	err := s.Store.ChangePlatformKeys(ctx, func(live []PlatformKey) (PlatformChange, error) {
		at := slices.IndexFunc(live, func(k PlatformKey) bool { return k.KeyID == keyID })
		if at < 0 {
			return PlatformChange{}, mianmi.Missing("platform key")
		}
		now := s.now()
		if !slices.ContainsFunc(live, func(k PlatformKey) bool { return k.KeyID != keyID && !k.SignsAt.After(now) }) {
			return PlatformChange{}, mianmi.Conflicts("wechat_key_signs", "no other platform key signs: make one first, and let its time come")
		}
		e, err := s.keyEntry(actor, TypePlatformRevoked, &live[at])
		return PlatformChange{Revoke: keyID, Entry: e}, err
	})
	s.forgetPlatforms()
	return err
}

// forgetPlatforms has this node read the keys anew.
func (s *Service) forgetPlatforms() {
	s.mu.Lock()
	s.readAt = time.Time{}
	s.mu.Unlock()
}

// The types of entries about the platform's keys. Their subject is the key.
const (
	TypePlatformAdded   = "wechat.platform_key.added"
	TypePlatformRevoked = "wechat.platform_key.revoked"
)

func (s *Service) keyEntry(actor mianmi.Actor, kind string, k *PlatformKey) (evidence.Entry, error) {
	body, err := json.Marshal(struct {
		Serial  string    `json:"serial"`
		SignsAt time.Time `json:"signs_at"`
	}{k.Serial, k.SignsAt})
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	now := s.now()
	id, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: k.KeyID, Actor: actor.String(), Body: body}, nil
}
