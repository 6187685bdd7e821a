package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

// Query asks for cases, newest first; with Due by their next deadline, the first
// first.
type Query struct {
	Kind     Kind
	State    State
	Queue    Queue
	Assignee mianmi.StaffID
	Nobody   bool // assigned to nobody
	Payer    mianmi.PayerID
	Merchant mianmi.MerchantID // that the case is shared with
	Link     NewLink           // that it is about
	Open     bool              // that are not over
	Since    time.Time         // opened at or after; zero: from the first
	Until    time.Time         // opened before; zero: to the last
	Before   mianmi.CaseID
	Limit    int // default and most 200
}

const pageMax = 200

// Cases lists cases that the actor may see.
func (s *Service) Cases(ctx context.Context, actor mianmi.Actor, q Query) ([]Case, error) {
	switch {
	case actor.Is(mianmi.RolePayer):
		q.Payer = mianmi.PayerID(actor.ID)
	case actor.Merchant != "":
		q.Merchant = actor.Merchant
	}
	if err := access.Allow(actor, access.CaseShow, access.Target{Payer: q.Payer, Merchant: q.Merchant}); err != nil {
		return nil, err
	}
	if q.Link != (NewLink{}) {
		if err := q.Link.check("link."); err != nil {
			return nil, err
		}
	}
	if q.Limit < 1 || q.Limit > pageMax {
		q.Limit = pageMax
	}
	list, err := s.Store.Cases(ctx, q)
	for i := range list {
		list[i] = list[i].seenBy(actor)
	}
	return list, err
}

// Case is one with what hangs on it, as far as the actor may read it.
func (s *Service) Case(ctx context.Context, actor mianmi.Actor, id mianmi.CaseID) (Whole, error) {
	w, err := s.Store.Case(ctx, id)
	if err != nil {
		return Whole{}, err
	}
	if err := s.see(actor, &w.Case); err != nil {
		return Whole{}, err
	}
	return w.seenBy(actor), nil
}

// CaseByNumber finds a case by the number that people read out.
func (s *Service) CaseByNumber(ctx context.Context, actor mianmi.Actor, number string) (Whole, error) {
	number = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(number))
	if len(number) != numberLen || strings.Trim(number, numberDigits) != "" {
		return Whole{}, mianmi.InvalidField("number", "want the case's eight letters and digits")
	}
	id, err := s.Store.CaseByNumber(ctx, number)
	if err != nil {
		return Whole{}, err
	}
	return s.Case(ctx, actor, id)
}

// seenBy is the case as somebody outside of the desk sees it: without who works on it.
func (c Case) seenBy(actor mianmi.Actor) Case {
	if outside(actor) {
		c.Assignee, c.Queue = "", NoQueue
	}
	if actor.Is(mianmi.RoleMerchantAdmin) {
		c.Payer, c.OpenedBy = "", "" // whose it is, the merchant knows from the payment as far as it may
	}
	return c
}

func outside(a mianmi.Actor) bool { return a.Is(mianmi.RolePayer, mianmi.RoleMerchantAdmin) }

func (w Whole) seenBy(actor mianmi.Actor) Whole {
	w.Case = w.Case.seenBy(actor)
	if !outside(actor) {
		return w
	}
	mine := ForPayer
	if actor.Is(mianmi.RoleMerchantAdmin) {
		mine = ForMerchant
	}
	w.Notes = slices.DeleteFunc(slices.Clone(w.Notes), func(n Note) bool { return n.Audience != mine })
	for i := range w.Notes {
		if w.Notes[i].Actor != actor.String() {
			w.Notes[i].Actor = "support" // who of the desk wrote it is the desk's
		}
	}
	w.Links = slices.DeleteFunc(slices.Clone(w.Links), func(l Link) bool {
		return l.Kind == ToEntry || l.Kind == ToCase || l.Kind == ToComplaint || l.Kind == ToAlarm
	})
	for i := range w.Links {
		w.Links[i].Actor = ""
	}
	w.Files = slices.DeleteFunc(slices.Clone(w.Files), func(f File) bool { return f.Audience != mine })
	for i := range w.Files {
		if w.Files[i].Actor != actor.String() {
			w.Files[i].Actor = "support"
		}
	}
	w.Checks, w.Packs, w.Complaints = nil, nil, nil
	return w
}

// token reports letters, digits, '_' and '-' alone.
func token(text string) bool {
	return strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}
