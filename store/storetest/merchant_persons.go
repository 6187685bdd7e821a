package storetest

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
)

// crew is people and keys of an installation, by who made them.
type crew struct {
	*payerWorld
	first, second mianmi.Actor // operators who owe nothing to anybody
}

func newCrew(t *testing.T, nodes Nodes) *crew {
	t.Helper()
	w := &crew{payerWorld: newPayerWorld(t, nodes, payer.Config{})}
	w.first = must(w.access.Bootstrap(t.Context(), "first", "首位运营"))(t).Staff.Actor()
	w.second = w.made(t, mianmi.System("command-line"), mianmi.RoleOperator)
	return w
}

// made is a new member whom by makes.
func (w *crew) made(t *testing.T, by mianmi.Actor, role mianmi.Role) mianmi.Actor {
	t.Helper()
	n := access.NewStaff{Login: fmt.Sprintf("member%d", w.phones.Add(1)), Name: "成员", Role: role}
	if role == mianmi.RoleMerchantAdmin {
		n.Merchant = w.merchant.ID
	}
	e := must(w.access.CreateStaff(t.Context(), by, n))(t)
	if kept := must(w.db.StaffByID(t.Context(), e.Staff.ID))(t); kept.CreatedBy != by.String() || kept.ResetBy != "" {
		t.Errorf("made by %q, reset by %q, want %q and nobody", kept.CreatedBy, kept.ResetBy, by)
	}
	return e.Staff.Actor()
}

// reset has the password of who given out again by another one.
func (w *crew) reset(t *testing.T, by, who mianmi.Actor) mianmi.Actor {
	t.Helper()
	must(w.access.ResetStaff(t.Context(), by, mianmi.StaffID(who.ID)))(t)
	return who
}

// key is a new key of the merchant.
func (w *crew) key(t *testing.T, by mianmi.Actor) mianmi.Actor {
	t.Helper()
	k, _, err := w.access.CreateKey(t.Context(), by, access.NewKey{Name: "后台", Merchant: w.merchant.ID, Scopes: mianmi.ScopeManage})
	return must(k, err)(t).Actor()
}

// Whoever made or reset one of the two accounts holds its password: that is
// one person, whatever the roles, and nothing opens.
func twoAccountsAreOnePerson(t *testing.T, nodes Nodes) {
	w := newCrew(t, nodes)
	operator, admin := mianmi.RoleOperator, mianmi.RoleMerchantAdmin
	independent := w.made(t, mianmi.System("command-line"), operator)
	puppet := w.made(t, w.first, operator)
	far := puppet
	for range 6 {
		far = w.made(t, far, operator)
	}
	taken := w.reset(t, w.first, w.made(t, mianmi.System("command-line"), operator))
	washed := w.made(t, w.first, operator)
	w.reset(t, washed, washed)
	again := w.made(t, w.first, operator)
	w.reset(t, w.made(t, w.first, operator), again)
	ofFirst, ofSecond := w.made(t, w.first, admin), w.made(t, w.second, admin)
	tests := map[string]struct {
		proposes, approves mianmi.Actor
		code               string // empty: approved
	}{
		"two operators of the command line":           {w.first, w.second, ""},
		"the key of one, the other operator":          {w.key(t, w.first), w.second, ""},
		"an admin, an operator who did not make it":   {ofFirst, w.second, ""},
		"two admins of different operators":           {ofFirst, ofSecond, ""},
		"two admins whom one operator made":           {ofFirst, w.made(t, w.first, admin), ""},
		"the key of an admin, an operator of neither": {w.key(t, ofFirst), independent, ""},
		"the same account":                            {w.first, w.first, "same_person"},
		"one's own key":                               {w.key(t, w.first), w.first, "not_independent"},
		"a key of one's own key's maker":              {w.key(t, puppet), w.first, "not_independent"},
		"the key of an admin whom one made":           {w.key(t, ofFirst), w.first, "not_independent"},
		"an admin whom one made":                      {ofFirst, w.first, "not_independent"},
		"whom one made oneself approves":              {w.first, puppet, "not_independent"},
		"whom one made oneself proposes":              {puppet, w.first, "not_independent"},
		"made through six others":                     {w.first, far, "not_independent"},
		"two puppets of one operator":                 {puppet, washed, "not_independent"},
		"a puppet's key, another puppet":              {w.key(t, puppet), washed, "not_independent"},
		"an admin and a puppet of one operator":       {ofFirst, puppet, "not_independent"},
		"one's key, one's puppet":                     {w.key(t, w.first), puppet, "not_independent"},
		"an operator whose password one has reset":    {w.first, taken, "not_independent"},
		"a puppet that has reset itself":              {w.first, washed, "not_independent"},
		"a puppet that another puppet has reset":      {w.first, again, "not_independent"},
		"a merchant's key, its admin":                 {w.key(t, w.second), ofFirst, "not_independent"},
	}
	for name, tt := range tests {
		w.tries(t, name, tt.proposes, tt.approves, tt.code)
	}
}

func (w *crew) tries(t *testing.T, name string, proposes, approves mianmi.Actor, code string) {
	t.Helper()
	ctx, scope := t.Context(), merchant.OfMerchant(w.merchant.ID)
	p := must(w.merchants.SetPolicy(ctx, proposes, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}}))(t).Proposal
	if p == nil {
		t.Fatalf("%s: opened without a proposal", name)
	}
	a, err := w.merchants.Approve(ctx, approves, p.ID)
	if code == "" {
		if err != nil || a.State != merchant.Approved || !passes(t, w.db, w.terminal.ID, 1, w.clock.Now()) {
			t.Errorf("%s: %v %v, want approved and open", name, a.State, err)
		}
		must(w.merchants.Close(ctx, w.first, scope))(t)
		return
	}
	if mianmi.KindOf(err) != mianmi.Denied || passes(t, w.db, w.terminal.ID, 1, w.clock.Now()) {
		t.Errorf("%s: %v, want it refused and closed", name, err)
	}
	wantKind(t, err, mianmi.Denied, code)
	must(w.merchants.Reject(ctx, w.second, p.ID))(t)
}

// An account with more makers than anybody looks at is not a second person.
func tooManyMakers(t *testing.T, nodes Nodes) {
	w := newCrew(t, nodes)
	last := w.made(t, mianmi.System("command-line"), mianmi.RoleOperator)
	for range 66 {
		last = w.made(t, last, mianmi.RoleOperator)
	}
	w.tries(t, "the end of a long chain", w.first, last, "not_independent")
}
