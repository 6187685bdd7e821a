package contract

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
)

// Query asks for a page of contracts. What is empty does not narrow it.
type Query struct {
	Merchant mianmi.MerchantID
	State    State // as it is at Now
	Kind     string
	Before   Mark // of the last one of the page before
	Limit    int
	Now      time.Time
}

// Mark is a contract's place in lists.
type Mark struct {
	At time.Time
	ID mianmi.ContractID
}

// Mark is the contract's.
func (c *Contract) Mark() Mark { return Mark{c.OpenedAt, c.ID} }

// String is how pages hand a mark on: microseconds and the identifier.
func (m Mark) String() string { return strconv.FormatInt(m.At.UnixMicro(), 10) + "." + string(m.ID) }

// ParseMark is the inverse of String.
func ParseMark(text string) (Mark, bool) {
	at, id, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(at, 10, 64)
	return Mark{time.UnixMicro(n).UTC(), mianmi.ContractID(id)}, err == nil && n > 0 && id != "" && len(id) <= 32
}

// OfFront reports whether the identifier is that of a contract of the front.
func OfFront(id mianmi.ContractID) bool { return !strings.HasPrefix(string(id), "cc") }

// List lists contracts, newest first. Who belongs to a merchant sees that merchant's.
func (s *Service) List(ctx context.Context, actor mianmi.Actor, q Query) ([]Contract, error) {
	if actor.Merchant != "" {
		q.Merchant = actor.Merchant
	}
	if err := access.Allow(actor, access.ContractShow, access.Target{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > listMax {
		q.Limit = listMax
	}
	q.Now = s.now()
	list, err := s.Store.ListContracts(ctx, q)
	for i := range list {
		list[i].tell(actor)
	}
	return list, err
}

// tell leaves of a contract what the actor may know: no payer, and of who closed it
// the role alone, for who may not see the payer.
func (c *Contract) tell(actor mianmi.Actor) {
	if actor.Role == mianmi.RoleSystem || access.Allow(actor, access.PayerShow, access.Target{Payer: c.Payer}) == nil {
		return
	}
	c.Payer = ""
	c.RevokedBy, _, _ = strings.Cut(c.RevokedBy, ":")
}

func (s *Service) find(ctx context.Context, id mianmi.ContractID) (Contract, error) {
	if OfFront(id) {
		return s.Store.FrontContract(ctx, id)
	}
	return s.Store.ChannelContract(ctx, id)
}

// Show returns a contract. A merchant sees those of its own, without the payer.
func (s *Service) Show(ctx context.Context, actor mianmi.Actor, id mianmi.ContractID) (Contract, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return Contract{}, s.mayAny(actor, err)
	}
	if actor.Role != mianmi.RoleSystem && access.Allow(actor, access.PayerShow, access.Target{Payer: c.Payer}) != nil &&
		access.Allow(actor, access.ContractShow, access.Target{Merchant: c.Merchant}) != nil &&
		!ofMerchant(actor, c.Merchant, mianmi.ScopeTighten|mianmi.ScopeManage) {
		return Contract{}, s.mayAny(actor, mianmi.Missing("contract"))
	}
	c.tell(actor)
	return c, nil
}

// mayAny says to somebody without a role to log in, and to everybody else err: whose
// a contract is, nobody learns who may not see it.
func (*Service) mayAny(actor mianmi.Actor, err error) error {
	if actor.Role == mianmi.NoRole {
		return access.Allow(actor, access.PayerShow, access.Target{})
	}
	return err
}

// ofMerchant reports whether the actor speaks for the merchant: its administrator, or
// a key of its own with one of the scopes.
func ofMerchant(a mianmi.Actor, m mianmi.MerchantID, scopes mianmi.Scope) bool {
	return a.Merchant != "" && a.Merchant == m && (a.Role == mianmi.RoleMerchantAdmin || a.Role == mianmi.RoleAPIClient && a.Scopes&scopes != 0)
}

// OfPayer lists the payer's contracts at channels, newest first.
func (s *Service) OfPayer(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) ([]Contract, error) {
	if err := access.Allow(actor, access.PayerShow, access.Target{Payer: id}); err != nil {
		return nil, err
	}
	return s.Store.ChannelContracts(ctx, id, listMax)
}

// errUnsigned says that there is nothing to end: a page that nobody signs at is over by itself.
var errUnsigned = mianmi.Conflicts("contract_unsigned", "nobody has signed this contract")

// End ends a contract, in one step. One at a channel is revoked: the channel ends it as
// soon as it can be reached, and the agreement stays as it is. One of the front
// is nothing but its agreement, which is closed. A second call changes nothing.
func (s *Service) End(ctx context.Context, actor mianmi.Actor, id mianmi.ContractID) (Contract, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return Contract{}, s.mayAny(actor, err)
	}
	if access.Allow(actor, access.PayerTighten, access.Target{Payer: c.Payer}) != nil && !ofMerchant(actor, c.Merchant, mianmi.ScopeTighten) {
		return Contract{}, s.mayAny(actor, mianmi.Missing("contract"))
	}
	if c.Channel == Front {
		c, err = s.endFront(ctx, actor, c)
	} else {
		c, err = s.revokeOne(ctx, actor, id)
	}
	c.tell(actor)
	return c, err
}

func (s *Service) endFront(ctx context.Context, actor mianmi.Actor, c Contract) (Contract, error) {
	if c.Standing == channel.ContractUnsigned {
		return c, errUnsigned
	}
	now := s.now()
	err := s.Store.EndFrontContract(ctx, c.ID, func(p *payer.Change, a *payer.Agreement) error { return s.Payers.CloseIn(p, a, actor, now) })
	if err != nil {
		return c, err
	}
	return s.Store.FrontContract(ctx, c.ID)
}

func (s *Service) revokeOne(ctx context.Context, actor mianmi.Actor, id mianmi.ContractID) (c Contract, err error) {
	now := s.now()
	err = s.Store.ChangeChannelContract(ctx, id, func(ch *Change) error {
		defer func() { c = *ch.Contract }()
		if !ch.Contract.RevokedAt.IsZero() || ch.Contract.Standing == channel.ContractEnded {
			return nil
		}
		ch.Contract.revoke(now, actor)
		return s.record(ch, now, actor, TypeRevoked)
	})
	return c, err
}
