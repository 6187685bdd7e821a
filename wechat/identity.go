package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
)

// Identity is what a merchant is called in WeChat Pay's form.
type Identity struct {
	Merchant  mianmi.MerchantID
	MchID     string            // ten digits, unique
	AppID     string            // "wx" and sixteen characters, unique
	Terminal  mianmi.TerminalID // of requests whose device_id names no terminal of the merchant
	Key       []byte            // the APIv3 key, sealed
	Webhook   mianmi.WebhookID  // the queue of its notifications
	Version   int64
	CreatedBy string // mianmi.Actor.String()
	CreatedAt time.Time
	ChangedAt time.Time
	// ComplaintAt is where its software is told of complaints, sealed; empty: nowhere.
	ComplaintAt []byte
}

// NewIdentity is an identity to be written.
type NewIdentity struct {
	Identity
	Serial  Serial
	Queue   notice.Webhook
	Entries []evidence.Entry
}

// keyLen is the length of an APIv3 key: it is a key of AES-256.
const keyLen = 32

// Made is what is shown once of an identity that was made or changed.
type Made struct {
	Identity
	Serial  Serial
	APIKey  string // the APIv3 key; empty: it stays as it was
	Private []byte // PEM (PKCS #8); empty: the merchant has its own
	Cert    []byte // PEM
}

// Create gives a merchant an identity with its first serial. public is a key of
// the merchant's own (PEM: a public key or a certificate request); empty: a pair
// is made, and the private key is shown this once, as the APIv3 key is.
func (s *Service) Create(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, terminal mianmi.TerminalID, public []byte) (Made, error) {
	if err := access.Allow(actor, access.KeyManage, access.Target{Merchant: m}); err != nil {
		return Made{}, err
	}
	if err := s.checkTerminal(ctx, m, terminal); err != nil {
		return Made{}, err
	}
	if _, err := s.Store.WechatIdentity(ctx, m); mianmi.KindOf(err) != mianmi.NotFound {
		if err == nil {
			err = ErrIdentityExists
		}
		return Made{}, err
	}
	made, err := s.newSerial(ctx, actor, m, public)
	if err != nil {
		return Made{}, err
	}
	now := s.now()
	for range drawsMax {
		if err = s.insert(ctx, actor, &made, terminal, now); err == nil || mianmi.KindOf(err) != mianmi.Conflict {
			break
		}
	}
	if err != nil {
		_, _ = s.Access.RevokeKey(ctx, actor, made.Serial.Key) // nobody has its token anyway
		return Made{}, err
	}
	return made, nil
}

// drawsMax bounds how often numbers are drawn again that are taken; with a
// million merchants a draw meets one that is with a chance of 1 in 900.
const drawsMax = 4

// ErrIdentityExists says that the merchant has an identity.
var ErrIdentityExists = mianmi.Conflicts("wechat_identity_exists", "this merchant has WeChat Pay credentials already: add a serial, or make a new APIv3 key")

func (s *Service) insert(ctx context.Context, actor mianmi.Actor, made *Made, terminal mianmi.TerminalID, now time.Time) error {
	number, err := secret.Digits(s.Random, 9)
	if err != nil {
		return err
	}
	app, err := secret.Letters(s.Random, 16)
	if err != nil {
		return err
	}
	queue, err := mianmi.NewID("wh", now, s.Random)
	if err != nil {
		return err
	}
	m := made.Serial.Merchant
	made.Identity = Identity{Merchant: m, MchID: "1" + number, AppID: "wx" + app, Terminal: terminal, Webhook: mianmi.WebhookID(queue),
		Version: 1, CreatedBy: actor.String(), CreatedAt: now, ChangedAt: now, ComplaintAt: []byte{}}
	if made.APIKey, made.Key, err = s.newKey(m); err != nil {
		return err
	}
	first, err := s.entry(now, actor, TypeIdentityMade, &made.Identity)
	if err != nil {
		return err
	}
	second, err := s.entry(now, actor, TypeSerialAdded, &made.Serial)
	if err != nil {
		return err
	}
	return s.Store.InsertIdentity(ctx, NewIdentity{Identity: made.Identity, Serial: made.Serial, Entries: []evidence.Entry{first, second},
		Queue: notice.Webhook{ID: mianmi.WebhookID(queue), Merchant: m, Kind: notice.WeChat, Parallel: queueParallel, State: notice.Active, Target: []byte{},
			Topics:  1<<payment.TopicApproved | 1<<payment.TopicRefunded | 1<<notice.AgreementClosed | debitFailures,
			Version: 1, CreatedBy: actor.String(), CreatedAt: now, ChangedAt: now}})
}

// debitFailures are what a merchant is told of a charge under a contract that was
// not taken.
const debitFailures = 1<<payment.TopicRefused | 1<<payment.TopicDeclined | 1<<payment.TopicExpired

// queueParallel is how many notifications to one merchant are under way at once.
const queueParallel = 16

// newKey draws an APIv3 key and seals it.
func (s *Service) newKey(m mianmi.MerchantID) (text string, sealed []byte, err error) {
	if text, err = secret.Letters(s.Random, keyLen); err != nil {
		return "", nil, err
	}
	sealed, err = s.Keys.Seal(forKey, []byte(text), string(m), s.Random)
	return text, sealed, err
}

// checkTerminal refuses a terminal that is not the merchant's.
func (s *Service) checkTerminal(ctx context.Context, m mianmi.MerchantID, id mianmi.TerminalID) error {
	snap, err := s.Store.Settings(ctx)
	if err != nil {
		return err
	}
	if site, ok := snap.Site(id); !ok || site.Merchant.ID != m {
		return mianmi.InvalidField("terminal", "no such terminal of this merchant")
	}
	return nil
}

// Identity shows a merchant's identity and its serials, without secrets.
func (s *Service) Identity(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID) (Identity, []Serial, error) {
	if err := access.Allow(actor, access.KeyShow, access.Target{Merchant: m}); err != nil {
		return Identity{}, nil, err
	}
	i, err := s.Store.WechatIdentity(ctx, m)
	if err != nil {
		return Identity{}, nil, err
	}
	list, err := s.Store.Serials(ctx, m)
	return i, list, err
}

// SetTerminal changes the terminal of requests that name none.
func (s *Service) SetTerminal(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, id mianmi.TerminalID) (Identity, error) {
	if err := access.Allow(actor, access.KeyManage, access.Target{Merchant: m}); err != nil {
		return Identity{}, err
	}
	if err := s.checkTerminal(ctx, m, id); err != nil {
		return Identity{}, err
	}
	return s.change(ctx, actor, m, func(i *Identity) error {
		i.Terminal = id
		return nil
	})
}

// NewAPIKey replaces the APIv3 key at once; the new one is shown this once.
func (s *Service) NewAPIKey(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID) (Made, error) {
	if err := access.Allow(actor, access.KeyManage, access.Target{Merchant: m}); err != nil {
		return Made{}, err
	}
	text, sealed, err := s.newKey(m)
	if err != nil {
		return Made{}, err
	}
	i, err := s.change(ctx, actor, m, func(i *Identity) error {
		i.Key = sealed
		return nil
	})
	return Made{Identity: i, APIKey: text}, err
}

func (s *Service) change(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, fn func(*Identity) error) (Identity, error) {
	now := s.now()
	var left Identity
	err := s.Store.ChangeIdentity(ctx, m, func(i *Identity) ([]evidence.Entry, error) {
		if err := fn(i); err != nil {
			return nil, err
		}
		i.Version, i.ChangedAt = i.Version+1, now
		left = *i
		e, err := s.entry(now, actor, TypeIdentityChanged, i)
		return []evidence.Entry{e}, err
	})
	return left, err
}

// apiKey opens the APIv3 key of an identity.
func (s *Service) apiKey(i *Identity) ([]byte, error) {
	key, err := s.Keys.Open(forKey, i.Key, string(i.Merchant))
	if err == nil && len(key) != keyLen {
		err = fmt.Errorf("the APIv3 key of %s has %d bytes", i.Merchant, len(key))
	}
	return key, err
}

// The types of entries of this package. Their subject is the merchant. A
// serial that is revoked is told by its API key's "api_key.revoked".
const (
	TypeIdentityMade    = "wechat.identity.made"
	TypeIdentityChanged = "wechat.identity.changed" // default terminal, APIv3 key, or who is told of complaints
	TypeSerialAdded     = "wechat.serial.added"
)

// note is the body of entries: names, and never a key.
type note struct {
	MchID    string            `json:"mchid,omitempty"`
	AppID    string            `json:"appid,omitempty"`
	Terminal mianmi.TerminalID `json:"terminal,omitempty"`
	Version  int64             `json:"version,omitempty"`
	// Complaints: its software is told of complaints.
	Complaints bool         `json:"complaints,omitempty"`
	Serial     string       `json:"serial,omitempty"`
	Key        mianmi.KeyID `json:"key,omitempty"`
}

func (s *Service) entry(now time.Time, actor mianmi.Actor, kind string, of any) (evidence.Entry, error) {
	var n note
	var m mianmi.MerchantID
	switch v := of.(type) {
	case *Identity:
		n, m = note{MchID: v.MchID, AppID: v.AppID, Terminal: v.Terminal, Version: v.Version, Complaints: len(v.ComplaintAt) > 0}, v.Merchant
	case *Serial:
		n, m = note{Serial: v.Serial, Key: v.Key}, v.Merchant
	}
	body, err := json.Marshal(n)
	if err != nil {
		return evidence.Entry{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	id, err := mianmi.NewID("en", now, s.Random)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: string(m), Actor: actor.String(), Body: body}, nil
}

// read fills b with randomness.
func (s *Service) read(b []byte) error {
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	return nil
}
