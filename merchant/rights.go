package merchant

import "github.com/mianmi/mianmi"

// act is what somebody wants to do in a scope.
type act uint8

const (
	actSee     act = iota
	actTighten     // close, lower, stop: in force at once
	actPropose     // ask for a loosening
	actApprove     // be the second person for a loosening
	actManage      // create and alter the scope's thing
	actLast
)

// levels is a set of Level.
type levels uint8

func of(ls ...Level) (s levels) {
	for _, l := range ls {
		s |= 1 << l
	}
	return s
}

func (s levels) has(l Level) bool { return l != LevelNone && s&(1<<l) != 0 }

var (
	allLevels = of(LevelEverything, LevelChannel, LevelMerchant, LevelStore, LevelModel, LevelTerminal)
	ownLevels = of(LevelMerchant, LevelStore, LevelTerminal)
)

// owner is whose scopes a right reaches.
type owner uint8

const (
	nobodys owner = iota
	ownStore
	ownMerchant
	anybodys
	ownTerminal
)

type right struct {
	owner  owner
	levels levels
}

// rights is who may do what where; whatever does not stand here is denied.
// Cashiers close what they stand at; a store manager has the store, a merchant
// admin the merchant. An API key never approves: the second person is a
// person. Support closes for others and proposes, but does not approve.
var rights = map[mianmi.Role][actLast]right{
	mianmi.RoleCashier: {
		actSee:     {ownStore, of(LevelStore, LevelTerminal)},
		actTighten: {ownStore, of(LevelTerminal)},
	},
	// Its menu: what it asks for beyond an OFF waits for a second person.
	mianmi.RoleTerminal: {
		actSee:     {ownTerminal, of(LevelTerminal)},
		actTighten: {ownTerminal, of(LevelTerminal)},
		actPropose: {ownTerminal, of(LevelTerminal)},
	},
	mianmi.RoleStoreManager: {
		actSee:     {ownStore, of(LevelStore, LevelTerminal)},
		actTighten: {ownStore, of(LevelStore, LevelTerminal)},
		actPropose: {ownStore, of(LevelStore, LevelTerminal)},
		actManage:  {ownStore, of(LevelStore)},
	},
	mianmi.RoleMerchantAdmin: {
		actSee:     {ownMerchant, ownLevels},
		actTighten: {ownMerchant, ownLevels},
		actPropose: {ownMerchant, ownLevels},
		actApprove: {ownMerchant, ownLevels},
		actManage:  {ownMerchant, of(LevelMerchant, LevelStore)},
	},
	mianmi.RoleAPIClient: {
		actSee:     {ownMerchant, ownLevels},
		actTighten: {ownMerchant, ownLevels},
		actPropose: {ownMerchant, ownLevels},
		actManage:  {ownMerchant, of(LevelStore)},
	},
	mianmi.RoleSupport: {
		actSee:     {anybodys, allLevels},
		actTighten: {anybodys, allLevels},
		actPropose: {anybodys, ownLevels},
	},
	mianmi.RoleRisk: {
		actSee:     {anybodys, allLevels},
		actTighten: {anybodys, allLevels},
		actPropose: {anybodys, allLevels},
		actApprove: {anybodys, allLevels},
	},
	mianmi.RoleOperator: {
		actSee:     {anybodys, allLevels},
		actTighten: {anybodys, allLevels},
		actPropose: {anybodys, allLevels},
		actApprove: {anybodys, allLevels},
		actManage:  {anybodys, allLevels},
	},
	mianmi.RoleAuditor: {actSee: {anybodys, allLevels}},
	mianmi.RoleSystem: {
		actSee:     {anybodys, allLevels},
		actTighten: {anybodys, allLevels},
		actManage:  {anybodys, allLevels},
	},
}

// keyScopes are the API key's scopes of which one is needed.
var keyScopes = [actLast][]mianmi.Scope{
	actSee:     {mianmi.ScopeRead, mianmi.ScopeManage, mianmi.ScopeTighten},
	actTighten: {mianmi.ScopeTighten},
	actPropose: {mianmi.ScopeManage},
	actManage:  {mianmi.ScopeManage},
}

// may reports whether the actor may do it to a thing of the level that lies at
// the place.
func may(a mianmi.Actor, do act, l Level, p Place) bool {
	r := rights[a.Role][do]
	if a.ID == "" || !r.levels.has(l) || a.Role == mianmi.RoleAPIClient && !hasOne(a.Scopes, keyScopes[do]) {
		return false
	}
	switch r.owner {
	case anybodys:
		return true
	case ownMerchant:
		return a.Merchant != "" && a.Merchant == p.Merchant
	case ownTerminal:
		return p.Terminal != "" && a.ID == string(p.Terminal)
	case ownStore:
		return a.Store != "" && a.Store == p.Store && a.Merchant == p.Merchant
	}
	return false
}

func hasOne(have mianmi.Scope, any []mianmi.Scope) bool {
	for _, s := range any {
		if have.Has(s) {
			return true
		}
	}
	return false
}

// check is may as a Denied error.
func check(a mianmi.Actor, do act, l Level, p Place) error {
	if may(a, do, l, p) {
		return nil
	}
	return mianmi.Forbidden("not_allowed", "you may not do this here")
}

// ownPeople reports whether a role is of whoever runs mianmi, not of a merchant.
func ownPeople(r mianmi.Role) bool {
	return rights[r][actTighten].owner == anybodys
}
