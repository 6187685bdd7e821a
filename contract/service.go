package contract

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// Store is what this package keeps. Missing rows are NotFound.
type Store interface {
	// InsertChannelContract writes a new contract, in a change of its payer: fn sees the
	// payer's agreement with the merchant and the payer's contracts, newest first,
	// and what it leaves in them is written, too.
	InsertChannelContract(ctx context.Context, c *Contract, fn func(*Change, []Contract) error) error
	// ChangeChannelContract locks the payer and the contract, runs fn and writes what it
	// left, in one transaction. fn may run more than once, each time from what is stored.
	ChangeChannelContract(ctx context.Context, id mianmi.ContractID, fn func(*Change) error) error
	ChannelContract(ctx context.Context, id mianmi.ContractID) (Contract, error)
	// ChannelContracts lists the payer's, newest first, at most listMax of them.
	ChannelContracts(ctx context.Context, id mianmi.PayerID, listMax int) ([]Contract, error)
	// ClaimContracts returns contracts that are due, Limit of each channel, put off
	// to Lease: nobody else gets them before.
	ClaimContracts(ctx context.Context, q Claim) ([]Contract, error)
	// TellContract notes a notification about a contract that is not ended, which is
	// due at once; false: there is no such contract.
	TellContract(ctx context.Context, id mianmi.ContractID, at time.Time) (bool, error)
	// ListContracts lists contracts of both kinds, those at channels and those of the
	// front, newest first.
	ListContracts(ctx context.Context, q Query) ([]Contract, error)
	// FrontContract is one of the front, by its number there.
	FrontContract(ctx context.Context, id mianmi.ContractID) (Contract, error)
	// EndFrontContract runs fn on the agreement that the contract stands on, while it
	// does, as payer.Store.ChangeAgreement.
	EndFrontContract(ctx context.Context, id mianmi.ContractID, fn func(*payer.Change, *payer.Agreement) error) error
	// UnconfirmedContracts counts those that are revoked, were signed, and are not
	// ended, up to countMax.
	UnconfirmedContracts(ctx context.Context, countMax int) (int64, error)
}

// Claim asks for contracts that are due.
type Claim struct {
	Channels   []string
	Now, Lease time.Time
	Limit      int
}

// Change is a contract under lock, with its payer and its agreement.
type Change struct {
	Payer     *payer.Change
	Agreement *payer.Agreement
	Contract  *Contract
	Entries   []evidence.Entry
}

// Parts are what a Service works with; all but Unannounced and Learn are required.
type Parts struct {
	Store    Store
	Payers   *payer.Service
	Channels []channel.Contracts
	Clock    mianmi.Clock
	Random   io.Reader
	Log      *slog.Logger
	// Unannounced is called for each contract that was found ended without notice.
	Unannounced func()
	// Learn is called with what the channel calls the payer who has signed.
	Learn func(ctx context.Context, c *Contract, name string)
}

// Service opens contracts, ends them, and keeps them as their channels have them.
type Service struct {
	Parts
	every time.Duration
}

// EveryDefault is the pace at which signed contracts are asked for.
const EveryDefault = 24 * time.Hour

// New returns a service that asks for each signed contract once in every; zero
// is the default.
func New(p Parts, every time.Duration) *Service {
	if every <= 0 {
		every = EveryDefault
	}
	if p.Unannounced == nil {
		p.Unannounced = func() {}
	}
	if p.Learn == nil {
		p.Learn = func(context.Context, *Contract, string) {}
	}
	return &Service{Parts: p, every: every}
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) channel(name string) channel.Contracts {
	for _, ch := range s.Channels {
		if ch.Name() == name {
			return ch
		}
	}
	return nil
}

// Device is where a payer signs, for callers that know no channel.
type Device = channel.ContractDevice

// Order asks for a contract.
type Order struct {
	Agreement mianmi.AgreementID
	Channel   string
	Kind      string
	Account   string // the payer, as the channel names them; some kinds need none
	Device    Device
}

const (
	listMax = 200
	// openedMax bounds the sessions of a payer in a day: each is a question to the
	// channel and a row for good.
	openedMax = 20
	textMax   = 128 // bytes of a text that goes to the channel
)

// Open opens a session in which the payer signs a contract for an agreement of
// theirs that is open. A session from before, that nobody signed in, is revoked; a
// contract that is signed is a Conflict with the code "contract_signed".
func (s *Service) Open(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, o Order) (Contract, channel.ContractSession, error) {
	if err := access.Allow(actor, access.PayerLoosen, access.Target{Payer: id}); err != nil {
		return Contract{}, channel.ContractSession{}, err
	}
	if err := o.check(id); err != nil {
		return Contract{}, channel.ContractSession{}, err
	}
	ch := s.channel(o.Channel)
	if ch == nil {
		return Contract{}, channel.ContractSession{}, mianmi.InvalidField("channel", "not a channel at which contracts are signed here")
	}
	merchant, err := s.merchantOf(ctx, actor, id, o.Agreement)
	if err != nil {
		return Contract{}, channel.ContractSession{}, err
	}
	service, ok := ch.ContractService(merchant, o.Kind)
	if !ok {
		return Contract{}, channel.ContractSession{}, mianmi.InvalidField("kind", "the merchant has no contracts of this kind at the channel")
	}
	now := s.now()
	fresh, err := mianmi.NewBucketID("cc", id.Bucket(), now, s.Random)
	if err != nil {
		return Contract{}, channel.ContractSession{}, err
	}
	c := Contract{ID: mianmi.ContractID(fresh), Payer: id, Merchant: merchant, Agreement: o.Agreement, Channel: o.Channel, Kind: o.Kind, Service: service,
		OpenedAt: now, Until: now.Add(SessionLife)}
	c.Due = c.next(now, s.every)
	err = s.Store.InsertChannelContract(ctx, &c, func(ch *Change, others []Contract) error { return s.opens(ch, others, actor, now) })
	if err != nil {
		return Contract{}, channel.ContractSession{}, err
	}
	session := ch.SignContract(ctx, channel.ContractOrder{ContractRef: c.Ref(), Member: id, Payer: o.Account, Shown: "mianmi " + string(id[len(id)-6:]), Device: o.Device})
	if session.Session == "" {
		s.Log.WarnContext(ctx, "a channel gave no session for a contract", "contract", string(c.ID), "channel", c.Channel, "fault", session.Fault)
		return Contract{}, channel.ContractSession{}, &mianmi.Error{Kind: mianmi.Unavailable, Code: "contract_session", Msg: "the channel gave no session in which the contract could be signed"}
	}
	c, err = s.heard(ctx, &c, now, channel.ContractAnswer{Standing: channel.ContractUnsigned})
	return c, session, err
}

func (o *Order) check(id mianmi.PayerID) error {
	if b, err := o.Agreement.Bucket(); err != nil || b != id.Bucket() {
		return mianmi.Missing("agreement")
	}
	d := &o.Device
	if len(o.Account) > textMax {
		return mianmi.InvalidField("account", "want at most 128 bytes")
	}
	for _, text := range []string{d.Type, d.OS, d.ID, d.IP, d.ClientVersion, d.SinceLogin} {
		if len(text) > textMax {
			return mianmi.InvalidField("device", "want at most 128 bytes of each")
		}
	}
	return nil
}

// merchantOf is whom an agreement of the payer's is with.
func (s *Service) merchantOf(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, agreement mianmi.AgreementID) (mianmi.MerchantID, error) {
	list, err := s.Payers.Agreements(ctx, actor, id)
	if err != nil {
		return "", err
	}
	for i := range list {
		if list[i].ID == agreement {
			return list[i].Merchant, nil
		}
	}
	return "", mianmi.Missing("agreement")
}

// opens is the change in which a contract begins.
func (s *Service) opens(ch *Change, others []Contract, actor mianmi.Actor, now time.Time) error {
	c, a := ch.Contract, ch.Agreement
	switch {
	case !ch.Payer.Payer.Frozen.IsZero():
		return mianmi.Conflicts("frozen", "a loss report stands")
	case !a.Open || a.ID != c.Agreement:
		return mianmi.Conflicts("agreement_closed", "the agreement is closed")
	}
	opened := 0
	for i := range others {
		o := &others[i]
		if now.Sub(o.OpenedAt) < 24*time.Hour {
			opened++
		}
		if o.Agreement != c.Agreement || o.Channel != c.Channel || !o.RevokedAt.IsZero() || o.Standing == channel.ContractEnded {
			continue
		}
		if o.Standing == channel.ContractSigned {
			return mianmi.Conflicts("contract_signed", "a contract is signed already")
		}
		o.revoke(now, actor)
	}
	if opened >= openedMax {
		return mianmi.Conflicts("too_many", "a payer opens at most 20 contracts in a day")
	}
	return s.record(ch, now, actor, TypeOpened)
}

// revoke wants the contract ended from now on.
func (c *Contract) revoke(now time.Time, by mianmi.Actor) {
	if c.RevokedAt.IsZero() && c.Standing != channel.ContractEnded {
		c.RevokedAt, c.RevokedBy, c.Due, c.Tries = now, by.String(), now, 0
	}
}

// Now is the time by which states are told.
func (s *Service) Now() time.Time { return s.now() }
