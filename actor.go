package mianmi

import "strings"

// Role is what a caller acts as. The zero Role may do nothing.
type Role uint8

const (
	NoRole            Role = iota
	RolePayer              // a person who pays, for the own account only
	RoleCashier            // at one store
	RoleStoreManager       // of one store
	RoleMerchantAdmin      // of one merchant
	RoleSupport            // support agent
	RoleRisk               // risk analyst
	RoleOperator           // runs this mianmi
	RoleAuditor            // reads everything, changes nothing
	RoleAPIClient          // software with an API key: a POS, a back office
	RoleSystem             // mianmi itself: workers, expiry, migration
	RoleTerminal           // a terminal with its own key, for itself only
)

var roleNames = [...]string{"", "payer", "cashier", "store_manager", "merchant_admin", "support_agent",
	"risk_analyst", "operator", "auditor", "api_client", "system", "terminal"}

// String returns the role's name as it stands in the API and the store.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return ""
}

// ParseRole is the inverse of String; an unknown name is NoRole.
func ParseRole(s string) Role {
	for i, n := range roleNames {
		if n == s && i > 0 {
			return Role(i)
		}
	}
	return NoRole
}

// Actor is who does something. Every change carries one.
type Actor struct {
	Role     Role
	ID       string     // payer, staff or key identifier
	Merchant MerchantID // whose staff or client; empty for mianmi's own people
	Store    StoreID    // cashiers and store managers
	Scopes   Scope      // API clients: what the key may do
	Via      string     // session or key identifier, for the record
}

// System is the actor of mianmi's own workers.
func System(name string) Actor { return Actor{Role: RoleSystem, ID: name} }

// String is "role:id", for records and logs.
func (a Actor) String() string { return a.Role.String() + ":" + a.ID }

// RecordedRole is the name of the role in what Actor.String wrote.
func RecordedRole(actor string) string {
	role, _, _ := strings.Cut(actor, ":")
	return role
}

// Is reports whether the actor has one of the roles.
func (a Actor) Is(roles ...Role) bool {
	for _, r := range roles {
		if a.Role == r && r != NoRole {
			return true
		}
	}
	return false
}

// Scope is a set of rights of an API key.
type Scope uint32

const (
	ScopePay      Scope = 1 << iota // authorize, query, verify payments at the merchant's terminals
	ScopeRefund                     // refund and reverse
	ScopeTighten                    // close PIN-free for the merchant, its stores and terminals
	ScopeManage                     // stores, terminals, loosening proposals
	ScopePayers                     // create payers, issue codes, top up (a wallet's back end)
	ScopeRead                       // read payments and settings
	ScopeWebhooks                   // be told of everything of the merchant: make and manage webhooks
)

// ScopeNames maps the API's names to scopes.
var ScopeNames = map[string]Scope{
	"pay": ScopePay, "refund": ScopeRefund, "tighten": ScopeTighten,
	"manage": ScopeManage, "payers": ScopePayers, "read": ScopeRead, "webhooks": ScopeWebhooks,
}

// Has reports whether all of want are in s.
func (s Scope) Has(want Scope) bool { return s&want == want && want != 0 }
