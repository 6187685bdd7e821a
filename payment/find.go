package payment

import (
	"context"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Find asks for payments, newest first: what a person on the phone can say of
// one. What is empty does not narrow it.
type Find struct {
	Since, Until time.Time // made at or after, and before; zero Until: now
	Payer        mianmi.PayerID
	Merchant     mianmi.MerchantID
	Store        mianmi.StoreID
	Terminal     mianmi.TerminalID
	OrderNo      string
	Min, Max     int64           // amounts, minor units, both included; 0: no bound
	PhoneEnd     string          // the last 4 to 11 digits of the payer's phone number
	Outcome      pinfree.Outcome // with Decided
	Decided      bool
	State        State // with InState
	InState      bool
	Before       mianmi.PaymentID // next of the page before
	Limit        int              // 1 to 200

	only mianmi.PaymentID // the one that it can be
}

// Only is the one payment that it can be; empty: any.
func (f *Find) Only() mianmi.PaymentID { return f.only }

// Found is one page of a search.
type Found struct {
	Payments []Payment // newest first; may be none although there are more
	// Next is the Before of the next page; empty: all of the time was searched.
	Next mianmi.PaymentID
	// Reached is how far back the page looked; f.Since when it looked at all.
	Reached time.Time
}

// spanMax is the longest time that is searched without a payer, merchant, store
// or terminal: then every payment of that time is looked at.
const spanMax = 48 * time.Hour

// Find searches payments that the actor may see: those of a merchant or store
// for its people, all of them for mianmi's own. A page looks back for as long as
// searchFor; it may end before it is full.
func (s *Service) Find(ctx context.Context, actor mianmi.Actor, f Find) (Found, error) {
	if err := f.narrow(actor); err != nil {
		return Found{}, err
	}
	if f.Until.IsZero() {
		f.Until = s.now().Add(time.Second) // those of this moment, too
	}
	if err := f.check(); err != nil {
		return Found{}, err
	}
	out, err := s.find(ctx, f)
	if err != nil {
		return Found{}, err
	}
	for i := range out.Payments {
		s.overdue(&out.Payments[i])
	}
	return out, nil
}

func (s *Service) find(ctx context.Context, f Find) (Found, error) {
	if f.Merchant != "" && f.OrderNo != "" {
		c, err := s.Books.OrderClaim(ctx, OrderKey(f.Merchant, f.OrderNo))
		if mianmi.KindOf(err) == mianmi.NotFound || err == nil && c.Payment == "" {
			return Found{Reached: f.Since}, nil
		}
		if err != nil {
			return Found{}, err
		}
		f.only = c.Payment
	}
	if f.only == "" && f.Payer == "" && f.sparse() {
		return s.findBack(ctx, f)
	}
	list, err := s.Books.FindPayments(ctx, f)
	return f.page(list, f.Since), err
}

// sparse: a walk back through the payments of a place can pass many that are not
// looked for.
func (f *Find) sparse() bool {
	return f.Terminal == "" && (f.Merchant != "" || f.Store != "") || f.OrderNo != "" || f.Min > 0 || f.Max > 0 || f.PhoneEnd != "" || f.Decided || f.InState
}

// page is what was found when the search looked back to an instant.
func (f *Find) page(list []Payment, reached time.Time) Found {
	out := Found{Payments: list, Reached: reached}
	if n := len(list); n > 0 && n >= f.Limit {
		out.Next = list[n-1].ID
	}
	return out
}

const (
	// searchFor is how long a page is searched before it is given as it is, and
	// searchPart what one of its parts may take: together they keep a page under
	// 300 ms on any number of payments (mianmi bench search).
	searchFor  = 150 * time.Millisecond
	searchPart = 40 * time.Millisecond
	searchStep = time.Hour // the first part
)

// findBack searches one part of the time after the other, from its end, each as
// long as the one before lets hope that it is read in searchPart.
func (s *Service) findBack(ctx context.Context, f Find) (Found, error) {
	part, step, began := f, searchStep, s.now()
	if f.Before != "" {
		at, err := mianmi.IDTime(string(f.Before))
		if err != nil {
			return Found{}, err
		}
		if at = at.Add(time.Millisecond); at.Before(part.Until) {
			part.Until = at
		}
	}
	var list []Payment
	for {
		part.Since = backTo(f.Since, part.Until, step)
		part.Limit = f.Limit - len(list)
		at := s.now()
		more, err := s.Books.FindPayments(ctx, part)
		if err != nil {
			return Found{}, err
		}
		list = append(list, more...)
		took := s.now().Sub(at)
		switch {
		case len(list) >= f.Limit || !part.Since.After(f.Since):
			return f.page(list, part.Since), nil
		case s.now().Sub(began) >= searchFor:
			out := f.page(list, part.Since)
			from, _ := mianmi.IDRange("pm", part.Since)
			out.Next = mianmi.PaymentID(from + "00") // the least that was looked at
			return out, nil
		case took < searchPart/8:
			step *= 8
		case took < searchPart/2:
			step *= 2
		case took > searchPart:
			step = max(step/2, time.Minute)
		}
		part.Until = part.Since
	}
}

// backTo is where a part begins. Before the first payments there is nothing to
// divide.
func backTo(since, until time.Time, step time.Duration) time.Time {
	const long = 10 * 365 * 24 * time.Hour
	from := until.Add(-step).Truncate(time.Millisecond) // as identifiers have it
	if step > long || !from.After(since) {
		return since
	}
	return from
}

// narrow keeps the search to what the actor may see.
func (f *Find) narrow(a mianmi.Actor) error {
	switch {
	case a.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem):
		return nil
	case a.Is(mianmi.RoleMerchantAdmin) && a.Merchant != "",
		a.Is(mianmi.RoleAPIClient) && a.Merchant != "" && a.Scopes.Has(mianmi.ScopeRead):
		if f.Merchant != "" && f.Merchant != a.Merchant {
			return mianmi.Missing("merchant")
		}
		f.Merchant = a.Merchant
	case a.Is(mianmi.RoleStoreManager, mianmi.RoleCashier) && a.Merchant != "" && a.Store != "":
		if f.Store != "" && f.Store != a.Store || f.Merchant != "" && f.Merchant != a.Merchant {
			return mianmi.Missing("store")
		}
		f.Merchant, f.Store = a.Merchant, a.Store
	default:
		return mianmi.Forbidden("not_allowed", "a "+a.Role.String()+" may not search payments")
	}
	if f.Payer != "" || f.PhoneEnd != "" {
		return mianmi.Forbidden("not_allowed", "who the payers are is for mianmi's own people")
	}
	return nil
}

func (f *Find) check() error {
	anywhere := f.Payer == "" && f.Merchant == "" && f.Store == "" && f.Terminal == ""
	switch {
	case f.Payer != "" && !payerID(f.Payer):
		return mianmi.InvalidField("payer", "not a payer's identifier")
	case f.OrderNo != "" && !orderNo(f.OrderNo):
		return mianmi.InvalidField("order_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	case f.Min < 0 || f.Max < 0 || f.Max > 0 && f.Min > f.Max:
		return mianmi.InvalidField("amount_min", "amounts in minor units, the least first")
	case f.PhoneEnd != "" && (len(f.PhoneEnd) < 4 || len(f.PhoneEnd) > 11 || strings.Trim(f.PhoneEnd, "0123456789") != ""):
		return mianmi.InvalidField("phone_end", "the last 4 to 11 digits of a phone number")
	case !f.Since.Before(f.Until):
		return mianmi.InvalidField("since", "lies before until")
	case anywhere && f.Until.Sub(f.Since) > spanMax:
		return mianmi.InvalidField("since", "without a payer, merchant, store or terminal at most 48 hours are searched")
	case f.Limit < 1 || f.Limit > pageMax:
		return mianmi.InvalidField("limit", "1 to 200")
	}
	if _, err := f.Before.Bucket(); f.Before != "" && err != nil {
		return mianmi.InvalidField("before", "the identifier of a payment")
	}
	return nil
}
