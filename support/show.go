package support

import (
	"context"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Query asks for complaints, newest first.
type Query struct {
	Merchant mianmi.MerchantID // empty: all
	Payment  mianmi.PaymentID  // empty: of any
	Payer    mianmi.PayerID    // empty: of any; those that were made here
	Open     bool              // those alone that are not over
	Before   mianmi.ComplaintID
	Limit    int // default and most 200
}

const pageMax = 200

// Complaints lists complaints. Who belongs to a merchant sees that merchant's.
func (s *Service) Complaints(ctx context.Context, actor mianmi.Actor, q Query) ([]Complaint, error) {
	if actor.Merchant != "" {
		q.Merchant = actor.Merchant
	}
	if err := access.Allow(actor, access.ComplaintShow, access.Target{Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	return s.Store.Complaints(ctx, q)
}

// Complaint is one with its history. Those of others look as if there were none.
func (s *Service) Complaint(ctx context.Context, actor mianmi.Actor, id mianmi.ComplaintID) (Complaint, []Step, error) {
	c, steps, err := s.Store.Complaint(ctx, id)
	if err != nil {
		return Complaint{}, nil, err
	}
	if access.Allow(actor, access.ComplaintShow, access.Target{Merchant: c.Merchant}) != nil {
		return Complaint{}, nil, mianmi.Missing("complaint")
	}
	return c, steps, nil
}

// Picture is one that the complaint or its history names.
func (s *Service) Picture(ctx context.Context, actor mianmi.Actor, id mianmi.ComplaintID, picture string) ([]byte, error) {
	c, steps, err := s.Complaint(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	named := slices.Contains(c.Images, picture)
	for _, t := range steps {
		named = named || slices.Contains(t.Images, picture)
	}
	if named && c.Place == Wallet {
		return s.Store.Picture(ctx, c.Merchant, picture)
	}
	ch := s.channel(c.Channel)
	if !named || ch == nil || !slices.Contains(ch.Accounts(), c.Account) {
		return nil, mianmi.Missing("picture")
	}
	return ch.Picture(ctx, c.Account, picture)
}
