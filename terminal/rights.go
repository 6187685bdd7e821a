package terminal

import "github.com/mianmi/mianmi"

// place is where a terminal stands.
type place struct {
	merchant mianmi.MerchantID
	store    mianmi.StoreID
}

// maySee reports whether the actor may look at terminals at the place. An
// empty store stands for all stores of the merchant.
func maySee(a mianmi.Actor, p place) bool {
	switch a.Role {
	case mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem:
		return a.ID != ""
	case mianmi.RoleMerchantAdmin:
		return ofMerchant(a, p)
	case mianmi.RoleStoreManager, mianmi.RoleCashier:
		return ofStore(a, p)
	case mianmi.RoleAPIClient:
		return ofMerchant(a, p) && a.Scopes&(mianmi.ScopeRead|mianmi.ScopeManage|mianmi.ScopePay|mianmi.ScopeTighten) != 0
	}
	return false
}

// mayManage reports whether the actor may add, rename and move terminals at
// the place.
func mayManage(a mianmi.Actor, p place) bool {
	switch a.Role {
	case mianmi.RoleOperator, mianmi.RoleSystem:
		return a.ID != ""
	case mianmi.RoleMerchantAdmin:
		return ofMerchant(a, p)
	case mianmi.RoleStoreManager:
		return ofStore(a, p)
	case mianmi.RoleAPIClient:
		return ofMerchant(a, p) && a.Scopes.Has(mianmi.ScopeManage)
	}
	return false
}

// mayRevoke reports whether the actor may take a terminal's keys back: whoever
// may switch PIN-free off there, for that is what it does.
func mayRevoke(a mianmi.Actor, p place) bool {
	switch a.Role {
	case mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleSystem:
		return a.ID != ""
	case mianmi.RoleMerchantAdmin:
		return ofMerchant(a, p)
	case mianmi.RoleStoreManager:
		return ofStore(a, p)
	case mianmi.RoleAPIClient:
		return ofMerchant(a, p) && a.Scopes&(mianmi.ScopeManage|mianmi.ScopeTighten) != 0
	}
	return false
}

// mayModel reports whether the actor may add and rename models: they are
// everybody's, so only whoever runs mianmi may.
func mayModel(a mianmi.Actor) bool {
	return a.ID != "" && a.Is(mianmi.RoleOperator, mianmi.RoleSystem)
}

// maySeePrograms and mayHoldPrograms say who may look at rollouts of programs,
// which are of all merchants, and who may pause and stop them: mianmi's own
// people, as for settings.
func maySeePrograms(a mianmi.Actor) bool {
	return a.ID != "" && (a.Is(mianmi.RoleAuditor) || mayHoldPrograms(a))
}

func mayHoldPrograms(a mianmi.Actor) bool {
	return a.ID != "" && a.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleSystem)
}

func ofMerchant(a mianmi.Actor, p place) bool {
	return a.ID != "" && a.Merchant != "" && a.Merchant == p.merchant
}

func ofStore(a mianmi.Actor, p place) bool {
	return ofMerchant(a, p) && a.Store != "" && a.Store == p.store
}

func denied() error { return mianmi.Forbidden("not_allowed", "you may not do this here") }
