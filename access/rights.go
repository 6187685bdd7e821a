package access

import "github.com/mianmi/mianmi"

// Action is something that a caller asks to do to payers, staff, API keys, rule
// packs or webhooks. Rights on merchants, stores and terminals go by their levels and
// stand in those packages.
type Action uint8

// The actions. The zero Action is nobody's right.
const (
	NoAction        Action = iota
	PayerCreate            // a payer, an instrument: what a wallet's back end does
	PayerShow              // settings, status, agreements, record
	PayerFind              // by phone number
	PayerTighten           // close, hold, report a loss, close an agreement, take an allowance back: one step
	PayerLoosen            // reopen, raise limits, open an agreement: with the password
	PayerAllow             // allow one payment: with the password, or after a check of identity
	PayerPassword          // set the first password, change it
	PayerIdentify          // after a check of identity: unlock, reset the password, lift a loss report
	PayerLiftHold          // end a hold before its time
	PayerCode              // issue a payment code
	StaffShow              // members of staff
	StaffManage            // create, deactivate, reset; who may make whom is in Makes
	KeyShow                // API keys, never their secret
	KeyManage              // create and revoke API keys
	SessionRevoke          // end all sessions of somebody else
	RulesShow              // rule packs with their texts, history and proposals; try one
	RulesPropose           // change the rule packs in force: a tightening at once, else a proposal
	RulesApprove           // be the second person for it
	WebhookShow            // webhooks and their deliveries, never a secret
	WebhookManage          // create, change, pause, remove, replay; rotate the secret
	ComplaintShow          // what payers complain of, in their words
	ComplaintAnswer        // answer it, give money back for it, say that it is settled
	Complain               // complain of a payment of the payer's, and write about it
	AgreementEnd           // a merchant's software ends an agreement with its own merchant
	ContractShow           // a merchant's PIN-free contracts, with payers for who may see those
	CaseOpen               // a case of the support desk
	CaseShow               // cases; what outsiders see of one is less
	CaseWork               // take up, assign, note, link, check identities, act for the payer
	CaseDecide             // say who bears what
	CasePay                // order compensation, and approve what somebody else ordered
	GuaranteeShow          // the guarantee account that it is paid from
	GuaranteeFund          // record money that the platform put there
	AlarmShow              // what looks wrong
	RiskRuleManage         // add, promote and withdraw the rules that look for signals
	AlarmWork              // take alarms up, and say what they turned out to be
	AlarmReport            // say that something is wrong, with what one sees oneself
	PersonExport           // all that is kept on a person, as files
	PersonErase            // forget a person for good: by an operator who is logged in
	actionEnd
)

// Target is what the action is about; the parts that it has.
type Target struct {
	Payer    mianmi.PayerID
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
}

// reach says how far a right goes. The zero reach is nothing.
type reach uint8

const (
	nothing  reach = iota
	own            // the payer's own account
	ownStore       // the store of the actor
	ownShop        // the merchant of the actor, with all its stores
	all
)

// Columns of the table: the roles of people. API clients have scopes instead.
type row struct {
	payer, cashier, manager, admin, support, risk, operator, auditor, system reach
	scope                                                                    mianmi.Scope
}

// rights is who may do what. A client's right also ends at the merchant of
// its key, when it has one.
var rights = [actionEnd]row{
	PayerCreate:     {operator: all, system: all, scope: mianmi.ScopePayers},
	PayerShow:       {payer: own, support: all, risk: all, operator: all, auditor: all, system: all, scope: mianmi.ScopePayers},
	PayerFind:       {support: all, risk: all, operator: all, scope: mianmi.ScopePayers},
	PayerTighten:    {payer: own, support: all, risk: all, operator: all, system: all, scope: mianmi.ScopePayers},
	PayerLoosen:     {payer: own},
	PayerAllow:      {payer: own, support: all, operator: all},
	PayerPassword:   {payer: own, scope: mianmi.ScopePayers},
	PayerIdentify:   {support: all, operator: all},
	PayerLiftHold:   {payer: own, support: all, risk: all, operator: all},
	PayerCode:       {payer: own, scope: mianmi.ScopePayers},
	StaffShow:       {manager: ownStore, admin: ownShop, operator: all, auditor: all},
	StaffManage:     {manager: ownStore, admin: ownShop, operator: all, system: all},
	KeyShow:         {admin: ownShop, operator: all, auditor: all, system: all},
	KeyManage:       {admin: ownShop, operator: all, system: all},
	SessionRevoke:   {support: all, operator: all},
	RulesShow:       {support: all, risk: all, operator: all, auditor: all, system: all},
	RulesPropose:    {risk: all, operator: all, system: all},
	RulesApprove:    {risk: all, operator: all}, // the second person is a person
	WebhookShow:     {admin: ownShop, support: all, operator: all, auditor: all, scope: mianmi.ScopeWebhooks},
	WebhookManage:   {admin: ownShop, operator: all, system: all, scope: mianmi.ScopeWebhooks},
	ComplaintAnswer: {admin: ownShop, support: all, operator: all, system: all, scope: mianmi.ScopeRefund},
	ComplaintShow:   {admin: ownShop, support: all, risk: all, operator: all, auditor: all, system: all, scope: mianmi.ScopeRead},
	Complain:        {payer: own, support: all, operator: all, scope: mianmi.ScopePayers},
	AgreementEnd:    {scope: mianmi.ScopePay}, // who may charge under it may let go of it
	ContractShow:    {admin: ownShop, support: all, risk: all, operator: all, auditor: all, system: all, scope: mianmi.ScopeRead},
	CaseOpen:        {payer: own, admin: ownShop, support: all, risk: all, operator: all, system: all},
	CaseShow:        {payer: own, admin: ownShop, support: all, risk: all, operator: all, auditor: all, system: all},
	CaseWork:        {support: all, risk: all, operator: all},
	CaseDecide:      {support: all, risk: all, operator: all},
	CasePay:         {support: all, risk: all, operator: all}, // people, for the second one must be another
	GuaranteeShow:   {support: all, risk: all, operator: all, auditor: all, system: all},
	GuaranteeFund:   {operator: all},
	AlarmShow:       {admin: ownShop, support: all, risk: all, operator: all, auditor: all, system: all},
	RiskRuleManage:  {risk: all, operator: all, system: all},
	AlarmReport:     {payer: own, cashier: ownStore, manager: ownStore, admin: ownShop, support: all, risk: all, operator: all, system: all},
	AlarmWork:       {support: all, risk: all, operator: all, system: all},
	PersonExport:    {payer: own, operator: all},
	PersonErase:     {operator: all},
}

// Allow returns nil when the actor may do the action to the target. Without a
// role the error is Unauthenticated, else Denied with the code "not_allowed".
func Allow(actor mianmi.Actor, action Action, target Target) error {
	if actor.Role == mianmi.NoRole {
		return &mianmi.Error{Kind: mianmi.Unauthenticated, Msg: "say who you are"}
	}
	if action >= actionEnd || !rights[action].allows(actor, target) {
		return mianmi.Forbidden("not_allowed", "a "+actor.Role.String()+" may not do this here")
	}
	return nil
}

func (r row) allows(a mianmi.Actor, t Target) bool {
	if a.Role == mianmi.RoleAPIClient {
		return a.Scopes.Has(r.scope) && (a.Merchant == "" || a.Merchant == t.Merchant)
	}
	switch r.of(a.Role) {
	case all:
		return true
	case own:
		return t.Payer != "" && a.ID == string(t.Payer)
	case ownShop:
		return a.Merchant != "" && a.Merchant == t.Merchant
	case ownStore:
		return a.Merchant != "" && a.Merchant == t.Merchant && a.Store != "" && a.Store == t.Store
	}
	return false
}

func (r row) of(role mianmi.Role) reach {
	switch role {
	case mianmi.RolePayer:
		return r.payer
	case mianmi.RoleCashier:
		return r.cashier
	case mianmi.RoleStoreManager:
		return r.manager
	case mianmi.RoleMerchantAdmin:
		return r.admin
	case mianmi.RoleSupport:
		return r.support
	case mianmi.RoleRisk:
		return r.risk
	case mianmi.RoleOperator:
		return r.operator
	case mianmi.RoleAuditor:
		return r.auditor
	case mianmi.RoleSystem:
		return r.system
	}
	return nothing
}

// Makes reports whether a member of staff of the one role may create,
// deactivate and reset one of the other. A merchant's admin does not make
// admins: a loosening takes two, and one of them must not make the second.
func Makes(maker, made mianmi.Role) bool {
	switch maker {
	case mianmi.RoleOperator, mianmi.RoleSystem:
		return isStaff(made)
	case mianmi.RoleMerchantAdmin:
		return made == mianmi.RoleStoreManager || made == mianmi.RoleCashier
	case mianmi.RoleStoreManager:
		return made == mianmi.RoleCashier
	}
	return false
}

func isStaff(r mianmi.Role) bool {
	return r >= mianmi.RoleCashier && r <= mianmi.RoleAuditor
}
