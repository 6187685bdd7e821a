package payer

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// taken reports a Conflict about a key that exists.
func taken(err error) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Kind == mianmi.Conflict && e.Code == "exists"
}

// NewInstrument is a card or device that gets a token. There is no place for
// its number.
type NewInstrument struct {
	Scheme   string // "unionpay", "visa", …
	Kind     string // debit, credit, quasi_credit, prepaid; empty: unknown
	Domestic bool
	Issuer   string // "icbc", …; empty: unknown
	Last4    string // four digits, or empty
}

var (
	schemeForm      = regexp.MustCompile(`^[a-z][a-z_]{1,31}$`)
	instrumentKinds = []string{"", "debit", "credit", "quasi_credit", "prepaid"}
)

func (n NewInstrument) check() error {
	if !schemeForm.MatchString(n.Scheme) {
		return mianmi.InvalidField("scheme", "want a scheme's name in lower case; no digits")
	}
	if !slices.Contains(instrumentKinds, n.Kind) {
		return mianmi.InvalidField("kind", "want debit, credit, quasi_credit or prepaid")
	}
	if n.Issuer != "" && !schemeForm.MatchString(n.Issuer) {
		return mianmi.InvalidField("issuer", "want the issuer's short name in lower case, like icbc; no digits")
	}
	if n.Last4 != "" && !digits(n.Last4, 4, 4) {
		return mianmi.InvalidField("last4", "want the last four digits, never the whole number")
	}
	return nil
}

// instrumentsMax is more cards than a person has.
const instrumentsMax = 50

// AddInstrument issues a token for a card or device of the payer.
func (s *Service) AddInstrument(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, n NewInstrument) (Instrument, error) {
	if err := access.Allow(actor, access.PayerCreate, target(id)); err != nil {
		return Instrument{}, err
	}
	if err := checkID(id); err != nil {
		return Instrument{}, err
	}
	if err := n.check(); err != nil {
		return Instrument{}, err
	}
	now := s.now()
	token, err := mianmi.NewBucketID("ci", id.Bucket(), now, s.Random)
	if err != nil {
		return Instrument{}, err
	}
	i := Instrument{ID: mianmi.InstrumentID(token), Payer: id, Scheme: n.Scheme, Kind: n.Kind, Domestic: n.Domestic,
		Issuer: n.Issuer, Last4: n.Last4, CreatedAt: now}
	err = s.Store.InsertInstrument(ctx, i, instrumentsMax, func(c *Change) error {
		if err := s.settle(c, now); err != nil {
			return err
		}
		return s.record(c, now, recordInput{Actor: actor, Type: "payer.instrument.added", Before: c.Payer.snapshot(),
			Detail: map[string]any{"instrument": i.ID, "scheme": i.Scheme, "kind": i.Kind, "domestic": i.Domestic, "issuer": i.Issuer}})
	})
	if err != nil {
		return Instrument{}, err
	}
	return i, nil
}

// Instruments returns the payer's cards and devices, at most 50.
func (s *Service) Instruments(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) ([]Instrument, error) {
	if err := s.mayShow(actor, id); err != nil {
		return nil, err
	}
	return s.Store.Instruments(ctx, id)
}
