package merchant

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
)

// The table says for each role, at the own place, which acts are allowed on
// which levels: S see, T tighten, P propose, A approve, M manage.
func TestRights(t *testing.T) {
	t.Parallel()
	const letters = "STPAM"
	levels := []Level{LevelEverything, LevelChannel, LevelMerchant, LevelStore, LevelModel, LevelTerminal}
	tests := map[mianmi.Role][6]string{
		//                         everything channel  merchant store    model    terminal
		mianmi.NoRole:            {},
		mianmi.RolePayer:         {},
		mianmi.RoleCashier:       {"", "", "", "S", "", "ST"},
		mianmi.RoleStoreManager:  {"", "", "", "STPM", "", "STP"},
		mianmi.RoleMerchantAdmin: {"", "", "STPAM", "STPAM", "", "STPA"},
		mianmi.RoleAPIClient:     {"", "", "STP", "STPM", "", "STP"},
		mianmi.RoleSupport:       {"ST", "ST", "STP", "STP", "ST", "STP"},
		mianmi.RoleRisk:          {"STPA", "STPA", "STPA", "STPA", "STPA", "STPA"},
		mianmi.RoleOperator:      {"STPAM", "STPAM", "STPAM", "STPAM", "STPAM", "STPAM"},
		mianmi.RoleAuditor:       {"S", "S", "S", "S", "S", "S"},
		mianmi.RoleSystem:        {"STM", "STM", "STM", "STM", "STM", "STM"},
		mianmi.RoleTerminal:      {}, // it is not this one: TestRightsOfTerminals
	}
	allScopes := mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten
	for role := mianmi.NoRole; role <= mianmi.RoleTerminal; role++ {
		for i, l := range levels {
			for do := range actLast {
				a := mianmi.Actor{Role: role, ID: "sf1", Merchant: "mc1", Store: "st1", Scopes: allScopes}
				want := strings.ContainsRune(tests[role][i], rune(letters[do]))
				name := fmt.Sprintf("%v %c %v", role, letters[do], l)
				if got := may(a, do, l, Place{Merchant: "mc1", Store: "st1"}); got != want {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
				elsewhere := may(a, do, l, Place{Merchant: "mc2", Store: "st2"})
				if want := want && ownPeople(role) || role == mianmi.RoleAuditor && want; elsewhere != want {
					t.Errorf("%s elsewhere: %v, want %v", name, elsewhere, want)
				}
				if a.ID = ""; may(a, do, l, Place{Merchant: "mc1", Store: "st1"}) {
					t.Errorf("%s: nobody may do it", name)
				}
			}
		}
	}
}

// Staff without a merchant or store are not staff of everything that has none.
func TestRightsOfNowhere(t *testing.T) {
	t.Parallel()
	for _, role := range []mianmi.Role{mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleAPIClient} {
		a := mianmi.Actor{Role: role, ID: "sf1", Scopes: mianmi.ScopeTighten | mianmi.ScopeManage | mianmi.ScopeRead}
		for do := range actLast {
			for l := LevelNone; l <= LevelTerminal; l++ {
				if may(a, do, l, Place{}) {
					t.Errorf("%v may %d at level %v of nowhere", role, do, l)
				}
			}
		}
	}
}

// Each act of an API key takes its scope.
func TestRightsOfKeys(t *testing.T) {
	t.Parallel()
	want := map[mianmi.Scope]string{mianmi.ScopePay: "", mianmi.ScopeRefund: "", mianmi.ScopePayers: "", mianmi.ScopeRead: "S",
		mianmi.ScopeTighten: "ST", mianmi.ScopeManage: "SPM"}
	for scope, acts := range want {
		for do := range actLast {
			a := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Merchant: "mc1", Scopes: scope}
			if got, want := may(a, do, LevelStore, Place{Merchant: "mc1", Store: "st1"}), strings.ContainsRune(acts, rune("STPAM"[do])); got != want {
				t.Errorf("scope %d, act %c: %v, want %v", scope, "STPAM"[do], got, want)
			}
		}
	}
}

// A manager of one store has no right in another store of the same merchant.
func TestRightsOfOneStore(t *testing.T) {
	t.Parallel()
	for _, role := range []mianmi.Role{mianmi.RoleCashier, mianmi.RoleStoreManager} {
		a := mianmi.Actor{Role: role, ID: "sf1", Merchant: "mc1", Store: "st1"}
		if may(a, actTighten, LevelTerminal, Place{Merchant: "mc1", Store: "st2"}) || may(a, actTighten, LevelTerminal, Place{Merchant: "mc2", Store: "st1"}) {
			t.Errorf("%v closes terminals of another store", role)
		}
	}
}

// A terminal asks for itself alone: not for another one, nor for its store.
func TestRightsOfTerminals(t *testing.T) {
	t.Parallel()
	a := mianmi.Actor{Role: mianmi.RoleTerminal, ID: "tm1", Merchant: "mc1", Store: "st1"}
	for do := range actLast {
		own := may(a, do, LevelTerminal, Place{Merchant: "mc1", Store: "st1", Terminal: "tm1"})
		if want := do == actSee || do == actTighten || do == actPropose; own != want {
			t.Errorf("act %d on itself: %v, want %v", do, own, want)
		}
		for l, p := range map[Level]Place{LevelTerminal: {Merchant: "mc1", Store: "st1", Terminal: "tm2"}, LevelStore: {Merchant: "mc1", Store: "st1"},
			LevelMerchant: {Merchant: "mc1"}, LevelEverything: {}} {
			if may(a, do, l, p) {
				t.Errorf("act %d at %v of %+v", do, l, p)
			}
		}
	}
}
