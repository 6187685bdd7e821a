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
}

// spanMax is the longest time that is searched without a payer, merchant, store
// or terminal: then every payment of that time is looked at.
const spanMax = 48 * time.Hour

// Find searches payments that the actor may see: those of a merchant or store
// for its people, all of them for mianmi's own.
func (s *Service) Find(ctx context.Context, actor mianmi.Actor, f Find) ([]Payment, error) {
	if err := f.narrow(actor); err != nil {
		return nil, err
	}
	if f.Until.IsZero() {
		f.Until = s.now().Add(time.Second) // those of this moment, too
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	list, err := s.Books.FindPayments(ctx, f)
	for i := range list {
		s.overdue(&list[i])
	}
	return list, err
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
