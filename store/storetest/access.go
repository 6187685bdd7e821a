package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/payer"
)

// Access is the contract of staff, sessions and API keys. nodes opens an
// empty, migrated database.
func Access(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"there is one first operator":                            oneFirstOperator,
		"staff log in with password and code, each code once":    staffLogsIn,
		"five wrong logins lock, and an operator resets":         staffLocks,
		"a member who is deactivated is out at once":             deactivatedIsOut,
		"the last operator stays":                                lastOperatorStays,
		"who may make whom, and where":                           makingStaff,
		"sessions end by idling, by age, by logout, by others":   sessionsEnd,
		"an API key is revoked on every node at once":            keyIsRevoked,
		"bad input about staff and keys names its field":         badAccessInput,
		"a change of password ends what the old one had started": staffChangesPassword,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

// enrolled is a member with what only they have.
type enrolled struct {
	access.Enrolment
	actor mianmi.Actor
}

func (w *payerWorld) hire(t *testing.T, n access.NewStaff) enrolled {
	t.Helper()
	e := must(w.access.CreateStaff(t.Context(), w.operator, n))(t)
	return enrolled{e, e.Staff.Actor()}
}

// code is what the member's one-time-password app shows now.
func (w *payerWorld) code(t *testing.T, e access.Enrolment) string {
	t.Helper()
	return must(totp.GenerateCode(e.TOTP, w.clock.Now()))(t)
}

func (w *payerWorld) login(t *testing.T, e access.Enrolment) (access.Started, error) {
	t.Helper()
	return w.access.Login(t.Context(), access.LoginInput{Login: e.Staff.Login, Password: e.Password, Code: w.code(t, e)})
}

func oneFirstOperator(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	second := w.node(t)
	var made atomic.Int64
	together(8, func(i int) {
		_, err := []payerNode{w.payerNode, second}[i%2].access.Bootstrap(ctx, fmt.Sprintf("operator%d", i), "首位运营")
		if err == nil {
			made.Add(1)
			return
		}
		wantKind(t, err, mianmi.Conflict, "staff_exists")
	})
	if n := made.Load(); n != 1 {
		t.Errorf("%d first operators", n)
	}
	list := must(w.access.Staff(ctx, w.operator, access.StaffQuery{}))(t)
	if len(list) != 1 || list[0].Role != mianmi.RoleOperator || !list[0].Active {
		t.Errorf("staff: %+v", list)
	}
}

func staffLogsIn(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	second := w.node(t)
	e := w.hire(t, access.NewStaff{Login: "lin", Name: "林", Role: mianmi.RoleCashier, Merchant: w.merchant.ID, Store: w.store.ID})
	if !strings.HasPrefix(e.TOTPURL, "otpauth://totp/") || len(e.Password) != 20 {
		t.Errorf("enrolment: %s and %d letters", e.TOTPURL, len(e.Password))
	}
	in := must(w.login(t, e.Enrolment))(t)
	want := e.actor
	want.Via = string(in.Session.ID)
	same(t, "on another node", must(second.access.Authenticate(ctx, in.Token))(t), want)

	// A code that was seen in use is worth nothing, nor is the one before it.
	_, err := w.login(t, e.Enrolment)
	wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	w.clock.Add(30 * time.Second)
	code := w.code(t, e.Enrolment)
	var passed atomic.Int64
	together(4, func(i int) {
		s := []payerNode{w.payerNode, second}[i%2].access
		if _, err := s.Login(ctx, access.LoginInput{Login: "lin", Password: e.Password, Code: code}); err == nil {
			passed.Add(1)
		}
	})
	if n := passed.Load(); n != 1 {
		t.Errorf("one code let %d logins pass", n)
	}
	w.clock.Add(time.Minute)
	for name, bad := range map[string]access.LoginInput{
		"a wrong password":  {Login: "lin", Password: "wrong", Code: w.code(t, e.Enrolment)},
		"an unknown login":  {Login: "nobody", Password: e.Password, Code: w.code(t, e.Enrolment)},
		"a malformed login": {Login: "' OR 1=1", Password: e.Password, Code: w.code(t, e.Enrolment)},
		"no code":           {Login: "lin", Password: e.Password},
		"an old code":       {Login: "lin", Password: e.Password, Code: code},
	} {
		_, err := w.access.Login(ctx, bad)
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Code != "login_failed" || e.Kind != mianmi.Unauthenticated || e.Err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func staffLocks(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	e := w.hire(t, access.NewStaff{Login: "wang", Name: "王", Role: mianmi.RoleSupport})
	together(12, func(int) {
		_, err := w.access.Login(ctx, access.LoginInput{Login: "wang", Password: "wrong password", Code: "000000"})
		wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	})
	_, cred, err := w.db.StaffByLogin(ctx, "wang")
	if err != nil || cred.Tries != 5 {
		t.Errorf("%d tries were evaluated, want 5; %v", cred.Tries, err)
	}
	_, err = w.login(t, e.Enrolment)
	wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	w.clock.Add(15 * time.Minute)
	must(w.login(t, e.Enrolment))(t)
	for range 5 {
		_, err := w.access.Login(ctx, access.LoginInput{Login: "wang", Password: "wrong password", Code: "000000"})
		wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	}
	_, err = w.access.ResetStaff(ctx, e.actor, e.Staff.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	fresh := must(w.access.ResetStaff(ctx, w.operator, e.Staff.ID))(t)
	if fresh.TOTP == e.TOTP || fresh.Password == e.Password {
		t.Error("the reset kept a secret")
	}
	must(w.login(t, fresh))(t)
	w.clock.Add(time.Minute)
	_, err = w.login(t, e.Enrolment)
	wantKind(t, err, mianmi.Unauthenticated, "login_failed")
}

func deactivatedIsOut(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	second := w.node(t)
	e := w.hire(t, access.NewStaff{Login: "zhao", Name: "赵", Role: mianmi.RoleRisk})
	in := must(w.login(t, e.Enrolment))(t)
	must(second.access.Authenticate(ctx, in.Token))(t)
	before := must(w.db.Settings(ctx))(t).Epoch()
	left := must(w.access.DeactivateStaff(ctx, w.operator, e.Staff.ID))(t)
	if left.Active {
		t.Errorf("left %+v", left)
	}
	_, err := second.access.Authenticate(ctx, in.Token)
	wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	w.clock.Add(time.Minute)
	_, err = w.login(t, e.Enrolment)
	wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	if after := must(w.db.Settings(ctx))(t).Epoch(); after <= before {
		t.Errorf("epoch stayed at %d", after)
	}
	same(t, "again", must(w.access.DeactivateStaff(ctx, w.operator, e.Staff.ID))(t), left)
	_, err = w.access.DeactivateStaff(ctx, w.operator, "sf0")
	wantKind(t, err, mianmi.NotFound, "")
	// Back again, with fresh secrets.
	must(w.login(t, must(w.access.ResetStaff(ctx, w.operator, e.Staff.ID))(t)))(t)
}

// Two operators who deactivate each other at once: one of them stays.
func lastOperatorStays(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	a := w.hire(t, access.NewStaff{Login: "op-a", Name: "甲", Role: mianmi.RoleOperator})
	b := w.hire(t, access.NewStaff{Login: "op-b", Name: "乙", Role: mianmi.RoleOperator})
	_, err := w.access.DeactivateStaff(ctx, a.actor, a.Staff.ID)
	wantKind(t, err, mianmi.Conflict, "own_account")
	pair := [2][2]enrolled{{a, b}, {b, a}}
	var gone atomic.Int64
	together(2, func(i int) {
		_, err := w.access.DeactivateStaff(ctx, pair[i][0].actor, pair[i][1].Staff.ID)
		if err == nil {
			gone.Add(1)
			return
		}
		wantKind(t, err, mianmi.Conflict, "last_operator")
	})
	if n := gone.Load(); n != 1 {
		t.Errorf("%d operators went", n)
	}
}

func makingStaff(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	other := w.newMerchant(t, "别家")
	cashier := access.NewStaff{Login: "till1", Name: "收银", Role: mianmi.RoleCashier, Merchant: w.merchant.ID, Store: w.store.ID}
	change := func(f func(*access.NewStaff)) access.NewStaff {
		n := cashier
		f(&n)
		return n
	}
	for _, tt := range []struct {
		by   mianmi.Actor
		n    access.NewStaff
		kind mianmi.Kind
		what string
	}{
		{w.admin, change(func(n *access.NewStaff) { n.Role, n.Store = mianmi.RoleMerchantAdmin, "" }), mianmi.Denied, "not_allowed"},
		{w.manager, change(func(n *access.NewStaff) { n.Role = mianmi.RoleStoreManager }), mianmi.Denied, "not_allowed"},
		{w.cashier, cashier, mianmi.Denied, "not_allowed"},
		{w.support, cashier, mianmi.Denied, "not_allowed"},
		{w.admin, change(func(n *access.NewStaff) { n.Merchant = other.ID }), mianmi.Denied, "not_allowed"},
		{w.operator, change(func(n *access.NewStaff) { n.Merchant = other.ID }), mianmi.NotFound, ""},
		{w.operator, change(func(n *access.NewStaff) { n.Merchant = "mc0" }), mianmi.NotFound, ""},
		{w.operator, change(func(n *access.NewStaff) { n.Merchant, n.Store = "", "" }), mianmi.Invalid, "merchant"},
		{w.operator, change(func(n *access.NewStaff) { n.Role = mianmi.RoleSupport }), mianmi.Invalid, "merchant"},
		{w.operator, change(func(n *access.NewStaff) { n.Store = "" }), mianmi.Invalid, "store"},
		{w.operator, change(func(n *access.NewStaff) { n.Role = mianmi.RolePayer }), mianmi.Invalid, "role"},
	} {
		_, err := w.access.CreateStaff(ctx, tt.by, tt.n)
		wantKind(t, err, tt.kind, tt.what)
	}
	for i, by := range []mianmi.Actor{w.operator, w.admin, w.manager} {
		must(w.access.CreateStaff(ctx, by, change(func(n *access.NewStaff) { n.Login = fmt.Sprintf("cash%d", i) })))(t)
	}
	_, err := w.access.CreateStaff(ctx, w.operator, change(func(n *access.NewStaff) { n.Login = "cash0" }))
	wantKind(t, err, mianmi.Conflict, "login_taken")
	w.hire(t, access.NewStaff{Login: "aud", Name: "审计", Role: mianmi.RoleAuditor})
	if n := len(must(w.access.Staff(ctx, w.admin, access.StaffQuery{}))(t)); n != 3 {
		t.Errorf("the merchant's admin sees %d members, want the own 3", n)
	}
	first := must(w.access.Staff(ctx, w.operator, access.StaffQuery{Limit: 3}))(t)
	rest := must(w.access.Staff(ctx, w.operator, access.StaffQuery{Limit: 3, After: first[2].ID}))(t)
	if len(first) != 3 || len(rest) != 1 {
		t.Errorf("pages of %d and %d, want 3 and 1", len(first), len(rest))
	}
}

func sessionsEnd(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	alive := func(s access.Started) bool {
		_, err := w.access.Authenticate(ctx, s.Token)
		if err != nil {
			wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
		}
		return err == nil
	}
	idle := must(w.access.StartSession(ctx, who))(t)
	used := must(w.access.StartSession(ctx, who))(t)
	for range 40 { // 40 × 18 h are 30 days
		w.clock.Add(18*time.Hour - time.Second)
		if !alive(used) {
			t.Fatalf("a session in use ended at %v", w.clock.Now())
		}
	}
	if alive(idle) {
		t.Error("an idle session lives on")
	}
	w.clock.Add(40 * time.Second)
	if alive(used) {
		t.Error("a session outlived its age")
	}
	a, b := must(w.access.StartSession(ctx, who))(t), must(w.access.StartSession(ctx, who))(t)
	if err := w.access.Logout(ctx, a.Actor); err != nil {
		t.Fatal(err)
	}
	if alive(a) || !alive(b) {
		t.Error("logout ended the wrong session")
	}
	_, err := w.access.EndSessions(ctx, w.cashier, who.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	if n := must(w.access.EndSessions(ctx, w.support, who.ID))(t); n == 0 || alive(b) {
		t.Errorf("support ended %d sessions", n)
	}
	for _, bearer := range []string{"", "ms_", strings.Repeat("x", 55), "ms_" + strings.Repeat("0", 52), "mk_" + strings.Repeat("0", 52),
		"ms_" + strings.Repeat("é", 26)} {
		_, err := w.access.Authenticate(ctx, bearer)
		wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	}
	_, err = w.access.StartSession(ctx, w.client)
	wantKind(t, err, mianmi.Denied, "not_allowed")
}

// A revoked key is refused by the very next request on another node, and the
// settings that payments read say so, under a newer epoch.
func keyIsRevoked(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	second := w.node(t)
	k, token, err := w.access.CreateKey(ctx, w.admin, access.NewKey{Name: "收银系统", Merchant: w.merchant.ID, Scopes: mianmi.ScopePay | mianmi.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	want := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: string(k.ID), Merchant: w.merchant.ID, Scopes: mianmi.ScopePay | mianmi.ScopeRead, Via: string(k.ID)}
	same(t, "actor", must(second.access.Authenticate(ctx, token))(t), want)
	same(t, "actor from memory", must(second.access.AuthenticateCached(ctx, token))(t), want)
	made := must(w.db.Settings(ctx))(t)
	if key, ok := made.Key(k.ID); !ok || !key.Live(w.clock.Now()) {
		t.Errorf("the settings hold %+v, %t", key, ok)
	}
	_, err = w.access.RevokeKey(ctx, w.cashier, k.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	revoked := must(w.access.RevokeKey(ctx, w.admin, k.ID))(t)
	_, err = second.access.Authenticate(ctx, token)
	wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	_, err = w.access.AuthenticateCached(ctx, token)
	wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	now := must(w.db.Settings(ctx))(t)
	if key, _ := now.Key(k.ID); key.Live(w.clock.Now()) || now.Epoch() <= made.Epoch() {
		t.Errorf("the settings of epoch %d hold %+v", now.Epoch(), key)
	}
	same(t, "revoked twice", must(w.access.RevokeKey(ctx, w.operator, k.ID))(t), revoked)

	w.clock.Add(time.Millisecond) // identifiers sort by time
	short, token, err := w.access.CreateKey(ctx, w.operator, access.NewKey{Name: "one hour", Scopes: mianmi.ScopePayers, ExpiresAt: w.clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	must(second.access.AuthenticateCached(ctx, token))(t)
	w.clock.Add(time.Hour)
	for _, ask := range []func() (mianmi.Actor, error){
		func() (mianmi.Actor, error) { return second.access.Authenticate(ctx, token) },
		func() (mianmi.Actor, error) { return second.access.AuthenticateCached(ctx, token) },
	} {
		_, err := ask()
		wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	}
	same(t, "the merchant's keys", must(w.access.APIKeys(ctx, w.admin, access.KeyQuery{}))(t), []access.Key{revoked})
	same(t, "all keys", must(w.access.APIKeys(ctx, w.operator, access.KeyQuery{}))(t), []access.Key{revoked, short})
}

func badAccessInput(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	staff := func(login, name string) error {
		_, err := w.access.CreateStaff(ctx, w.operator, access.NewStaff{Login: login, Name: name, Role: mianmi.RoleSupport})
		return err
	}
	key := func(by mianmi.Actor, k access.NewKey) error { _, _, err := w.access.CreateKey(ctx, by, k); return err }
	for _, tt := range []struct {
		field string
		err   error
	}{
		{"login", staff("ab", "a")}, {"login", staff("Upper", "a")}, {"login", staff("a b c", "a")}, {"login", staff(strings.Repeat("a", 65), "a")},
		{"name", staff("good", "")}, {"name", staff("good", "a\n")}, {"name", staff("good", strings.Repeat("字", 65))},
		{"name", key(w.operator, access.NewKey{Scopes: mianmi.ScopeRead})},
		{"scopes", key(w.operator, access.NewKey{Name: "a"})},
		{"scopes", key(w.operator, access.NewKey{Name: "a", Scopes: 1 << 20})},
		{"scopes", key(w.admin, access.NewKey{Name: "a", Merchant: w.merchant.ID, Scopes: mianmi.ScopePayers})},
		{"expires_at", key(w.operator, access.NewKey{Name: "a", Scopes: mianmi.ScopeRead, ExpiresAt: w.clock.Now()})},
	} {
		wantKind(t, tt.err, mianmi.Invalid, tt.field)
	}
	wantKind(t, key(w.admin, access.NewKey{Name: "a", Scopes: mianmi.ScopeRead}), mianmi.Denied, "not_allowed")
	wantKind(t, key(w.operator, access.NewKey{Name: "a", Merchant: "mc0", Scopes: mianmi.ScopeRead}), mianmi.NotFound, "")
	if list := must(w.access.Staff(ctx, w.operator, access.StaffQuery{}))(t); len(list) != 0 {
		t.Errorf("refused staff: %+v", list)
	}
	if list := must(w.access.APIKeys(ctx, w.operator, access.KeyQuery{}))(t); len(list) != 0 {
		t.Errorf("refused keys: %+v", list)
	}
}

func staffChangesPassword(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	e := w.hire(t, access.NewStaff{Login: "sun", Name: "孙", Role: mianmi.RoleSupport})
	in := must(w.login(t, e.Enrolment))(t)
	w.clock.Add(time.Minute)
	change := access.PasswordChange{Old: e.Password, New: "correct horse battery", Code: w.code(t, e.Enrolment)}
	weak := change
	weak.New = "sun"
	wantKind(t, w.access.ChangePassword(ctx, in.Actor, weak), mianmi.Invalid, "new_password")
	wrong := change
	wrong.Old = "something else"
	wantKind(t, w.access.ChangePassword(ctx, in.Actor, wrong), mianmi.Unauthenticated, "login_failed")
	if err := w.access.ChangePassword(ctx, in.Actor, change); err != nil {
		t.Fatal(err)
	}
	_, err := w.access.Authenticate(ctx, in.Token)
	wantKind(t, err, mianmi.Unauthenticated, "bearer_invalid")
	w.clock.Add(time.Minute)
	_, err = w.login(t, e.Enrolment)
	wantKind(t, err, mianmi.Unauthenticated, "login_failed")
	e.Password = change.New
	must(w.login(t, e.Enrolment))(t)
	wantKind(t, w.access.ChangePassword(ctx, w.client, change), mianmi.Denied, "not_allowed")
}
