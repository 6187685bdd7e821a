package asof

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/terminal"
)

// Site is a terminal with all that it belonged to and all that was set for it.
// Names, addresses and times of creation are left out: no entry tells them.
type Site struct {
	Terminal Told[terminal.Terminal]
	Model    Told[terminal.Model]
	Store    Told[merchant.Store]
	Merchant Told[merchant.Merchant]
	Policies []Told[merchant.Policy] // from everything down; scopes that nobody set are left out
	Stops    []Told[merchant.Stop]   // placed, and not lifted or over
	Packs    []Told[rules.Pack]      // in force, without their texts
	// Rules says whether a pack had ever been in force: before the first one
	// the rules were those of the program, and the log does not tell them.
	Rules bool
	// Snapshot is the same as payments read it.
	Snapshot *settings.Snapshot
}

// Caller is who asked for a payment: an API key, or a member of staff.
type Caller struct {
	Key   *Told[access.Key]   // without its digest and name
	Staff *Told[access.Staff] // without login and name
}

// site rebuilds a terminal. NotFound when the log has none by then.
func (s *Service) site(ctx context.Context, m moment, id mianmi.TerminalID, channel string) (*Site, error) {
	var out Site
	var err error
	out.Terminal, err = newest(ctx, s, m, asked{subject: string(id), question: question{ofPlaces, thing}}, readTerminal)
	if err == nil && !out.Terminal.Source.Known() {
		return nil, mianmi.Missing("terminal")
	}
	if err != nil {
		return nil, err
	}
	t := &out.Terminal.Value
	if out.Model, err = newest(ctx, s, m, asked{subject: string(t.Model), question: question{ofPlaces, thing}}, readModel); err != nil {
		return nil, err
	}
	if out.Store, err = newest(ctx, s, m, asked{subject: string(t.Store), question: question{ofPlaces, thing}}, readStore); err != nil {
		return nil, err
	}
	t.Merchant = out.Store.Value.Merchant
	if out.Merchant, err = newest(ctx, s, m, asked{subject: string(t.Merchant), question: question{ofPlaces, thing}}, readMerchant); err != nil {
		return nil, err
	}
	err = s.scopes(ctx, m, &out.Policies, &out.Stops, merchant.Everything(), merchant.OfChannel(channel), merchant.OfMerchant(t.Merchant),
		merchant.OfStore(t.Store), merchant.OfModel(t.Model), merchant.OfTerminal(id))
	if err != nil {
		return nil, err
	}
	base, err := s.rules(ctx, m, &out)
	if err != nil {
		return nil, err
	}
	out.Snapshot = base.With(out.changes(m))
	return &out, nil
}

// changes are the rows that payments would read.
func (s *Site) changes(m moment) settings.Changes {
	c := settings.Changes{Epoch: m.number, Merchants: []merchant.Merchant{s.Merchant.Value}, Stores: []merchant.Store{s.Store.Value},
		Models: []terminal.Model{s.Model.Value}, Terminals: []terminal.Terminal{s.Terminal.Value}}
	for _, p := range s.Policies {
		c.Policies = append(c.Policies, p.Value)
	}
	for _, st := range s.Stops {
		c.Stops = append(c.Stops, st.Value)
	}
	return c
}

// at is the site as payments read it.
func (s *Site) at() (settings.Site, error) {
	site, ok := s.Snapshot.Site(s.Terminal.Value.ID)
	if !ok {
		return settings.Site{}, errors.New("the log tells of terminal " + string(s.Terminal.Value.ID) + " and not of all that it belongs to")
	}
	return site, nil
}

// scopes reads policies and stops of each scope.
func (s *Service) scopes(ctx context.Context, m moment, policies *[]Told[merchant.Policy], stops *[]Told[merchant.Stop], list ...merchant.Scope) error {
	for _, scope := range list {
		p, err := newest(ctx, s, m, asked{subject: subjectOf(scope), question: question{ofPlaces, terms}}, readPolicy)
		if err != nil {
			return err
		}
		if p.Value.Rollout != nil {
			far, err := newest(ctx, s, m, asked{subject: subjectOf(scope), question: question{ofPlaces, staging}}, readStaged)
			if err != nil {
				return err
			}
			p.Value.Take(&far.Value)
		}
		if p.Source.Known() {
			*policies = append(*policies, p)
		}
		live, err := s.stops(ctx, m, scope)
		if err != nil {
			return err
		}
		*stops = append(*stops, live...)
	}
	return nil
}

// subjectOf is what entries about a scope are found by.
func subjectOf(s merchant.Scope) string {
	if s.Subject == "" {
		return s.Level.String()
	}
	return s.Subject
}

// skew is how far clocks of two nodes may be apart when it is asked since when
// to read: far above what mianmi doctor lets pass.
const skew = time.Hour

// stops are those of a scope that were in force: none lives longer than
// merchant.StopLifeMax, so older entries need not be read.
func (s *Service) stops(ctx context.Context, m moment, scope merchant.Scope) ([]Told[merchant.Stop], error) {
	var out []Told[merchant.Stop]
	seen := map[mianmi.StopID]bool{}
	a := asked{subject: subjectOf(scope), question: question{ofPlaces, stopping}, since: m.now.Add(-merchant.StopLifeMax - skew)}
	err := s.each(ctx, m, a, func(src Source, e evidence.Entry) (bool, error) {
		r, err := merchant.ReadEntry(e)
		if err != nil || r.Stop == nil || seen[r.Stop.ID] {
			return false, err
		}
		seen[r.Stop.ID] = true
		if r.Stop.Live(m.now) {
			out = append(out, Told[merchant.Stop]{*r.Stop, src})
		}
		return false, nil
	})
	return out, err
}

func readTerminal(e evidence.Entry) (*terminal.Terminal, error) {
	r, err := terminal.ReadEntry(e)
	return r.Terminal, err
}

func readModel(e evidence.Entry) (*terminal.Model, error) {
	r, err := terminal.ReadEntry(e)
	return r.Model, err
}

func readStore(e evidence.Entry) (*merchant.Store, error) {
	r, err := merchant.ReadEntry(e)
	return r.Store, err
}

func readMerchant(e evidence.Entry) (*merchant.Merchant, error) {
	r, err := merchant.ReadEntry(e)
	return r.Merchant, err
}

func readPolicy(e evidence.Entry) (*merchant.Policy, error) {
	r, err := merchant.ReadEntry(e)
	return r.Policy, err
}

func readStaged(e evidence.Entry) (*merchant.Staged, error) {
	r, err := merchant.ReadEntry(e)
	return r.Rollout, err
}

func readKey(e evidence.Entry) (*access.Key, error) {
	r, err := access.ReadEntry(e)
	return r.Key, err
}

func readStaff(e evidence.Entry) (*access.Staff, error) {
	r, err := access.ReadEntry(e)
	return r.Staff, err
}
