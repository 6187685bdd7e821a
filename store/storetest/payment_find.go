package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// findsPayments by what a person can say of one, on every way through the table:
// a payer's, a terminal's, a merchant's, and a time of all.
func findsPayments(t *testing.T, d *desk) {
	begin := d.clock.Now()
	orders, a, b := d.aPast(t)
	end := d.clock.Now()
	other := must(d.b.NewShop(t.Context(), merchant.Facts{}))(t)
	elsewhere := order()
	must(d.a.Payments.Authorize(t.Context(), other.Manager, payment.Request{Terminal: other.Terminal, OrderNo: elsewhere, Amount: money.Of(20_00, "CNY"), Method: pinfree.Cash}))(t)
	phone := must(d.a.DB.Person(t.Context(), b.ID))(t).Phone
	all := append(slices.Clone(orders), elsewhere)
	pick := func(at ...int) (out []string) {
		for _, i := range at {
			out = append(out, all[i])
		}
		return out
	}
	admin := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: d.Merchant}
	last := len(orders)
	for name, tt := range map[string]struct {
		actor mianmi.Actor
		f     payment.Find
		want  []string
	}{
		"all of a time":           {Support, payment.Find{Since: begin}, pick(7, 6, 5, 4, 3, 2, 1, 0)},
		"around a minute":         {Support, payment.Find{Since: begin.Add(30 * time.Second), Until: begin.Add(150 * time.Second)}, pick(2, 1)},
		"an amount":               {Support, payment.Find{Since: begin, Min: 18_00, Max: 20_00}, pick(last, 1, 0)},
		"a terminal":              {Support, payment.Find{Terminal: d.Terminal}, pick(6, 5, 4, 3, 2, 1, 0)},
		"a terminal and a time":   {Support, payment.Find{Terminal: d.Terminal, Since: begin, Until: begin.Add(90 * time.Second)}, pick(1, 0)},
		"a merchant":              {Support, payment.Find{Merchant: other.Merchant}, pick(last)},
		"a store":                 {Support, payment.Find{Store: other.Store}, pick(last)},
		"a store that is not":     {Support, payment.Find{Store: "st00000000000000000000000000"}, nil},
		"a payer":                 {Support, payment.Find{Payer: a.ID}, pick(6, 2, 0)},
		"a payer's step-ups":      {Support, payment.Find{Payer: a.ID, Outcome: pinfree.StepUp, Decided: true}, pick(6, 2)},
		"a state":                 {Support, payment.Find{Since: begin, State: payment.Reversed, InState: true}, pick(5)},
		"the end of a phone":      {Support, payment.Find{Since: begin, PhoneEnd: phone[len(phone)-8:]}, pick(5, 4, 1)},
		"an order number":         {Support, payment.Find{Since: begin, OrderNo: all[3]}, pick(3)},
		"a merchant's number":     {admin, payment.Find{OrderNo: all[3]}, pick(3)},
		"a number of another's":   {admin, payment.Find{OrderNo: elsewhere}, nil},
		"nothing after the end":   {Support, payment.Find{Since: end.Add(time.Hour), Until: end.Add(2 * time.Hour)}, nil},
		"a merchant's people":     {admin, payment.Find{}, pick(6, 5, 4, 3, 2, 1, 0)},
		"a merchant's of another": {admin, payment.Find{Store: other.Store}, nil},
		"a cashier's store":       {mianmi.Actor{Role: mianmi.RoleCashier, Merchant: d.Merchant, Store: d.Store}, payment.Find{Min: 1000_00}, pick(2)},
		"a page":                  {Support, payment.Find{Terminal: d.Terminal, Limit: 2}, pick(6, 5)},
		"a page of a time of all": {Support, payment.Find{Since: begin, Limit: 3}, pick(7, 6, 5)},
	} {
		if tt.f.Limit == 0 {
			tt.f.Limit = 50
		}
		if got := d.found(t, tt.actor, tt.f); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	// Pages end where the list does, and bring each once.
	var paged []string
	f := payment.Find{Since: begin, Limit: 3}
	for {
		page := must(d.b.Payments.Find(t.Context(), Support, f))(t)
		for _, p := range page.Payments {
			paged = append(paged, p.OrderNo)
		}
		if page.Next == "" {
			break
		}
		f.Before = page.Next
	}
	slices.Reverse(paged)
	if !slices.Equal(paged, all) {
		t.Errorf("pages: %q, want %q", paged, all)
	}
	d.findsNothing(t, a, other)
}

// findsNothing that is not the caller's, and names what is wrong.
func (d *desk) findsNothing(t *testing.T, a Person, other Shop) {
	t.Helper()
	for name, tt := range map[string]struct {
		actor mianmi.Actor
		f     payment.Find
		kind  mianmi.Kind
		field string
	}{
		"another merchant":      {d.Manager, payment.Find{Merchant: other.Merchant}, mianmi.NotFound, ""},
		"another store":         {mianmi.Actor{Role: mianmi.RoleCashier, Merchant: d.Merchant, Store: d.Store}, payment.Find{Store: other.Store}, mianmi.NotFound, ""},
		"by payer":              {d.Manager, payment.Find{Payer: a.ID}, mianmi.Denied, ""},
		"by phone":              {d.Manager, payment.Find{PhoneEnd: "0001"}, mianmi.Denied, ""},
		"a payer":               {a.Actor(), payment.Find{}, mianmi.Denied, ""},
		"a key that may not":    {mianmi.Actor{Role: mianmi.RoleAPIClient, Merchant: d.Merchant, Scopes: mianmi.ScopePay}, payment.Find{}, mianmi.Denied, ""},
		"too long a time":       {Support, payment.Find{Since: d.clock.Now().Add(-49 * time.Hour)}, mianmi.Invalid, "since"},
		"no time at all":        {Support, payment.Find{}, mianmi.Invalid, "since"},
		"three digits":          {Support, payment.Find{Terminal: d.Terminal, PhoneEnd: "123"}, mianmi.Invalid, "phone_end"},
		"a pattern for a phone": {Support, payment.Find{Terminal: d.Terminal, PhoneEnd: "12%4"}, mianmi.Invalid, "phone_end"},
		"more than less":        {Support, payment.Find{Terminal: d.Terminal, Min: 2, Max: 1}, mianmi.Invalid, "amount_min"},
		"no such page":          {Support, payment.Find{Terminal: d.Terminal, Before: "pm1"}, mianmi.Invalid, "before"},
	} {
		tt.f.Limit = 10
		page, err := d.a.Payments.Find(t.Context(), tt.actor, tt.f)
		if mianmi.KindOf(err) != tt.kind || len(page.Payments) != 0 || page.Next != "" {
			t.Errorf("%s: %d found, next %q, %v", name, len(page.Payments), page.Next, err)
		} else if tt.field != "" {
			wantField(t, err, tt.field)
		}
	}
}

func (d *desk) found(t *testing.T, a mianmi.Actor, f payment.Find) (out []string) {
	t.Helper()
	for _, p := range must(d.b.Payments.Find(t.Context(), a, f))(t).Payments {
		out = append(out, p.OrderNo)
	}
	return out
}
