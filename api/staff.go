package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

func (s *Server) registerStaff() {
	manages := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleOperator)
	keys := only(mianmi.RoleMerchantAdmin, mianmi.RoleOperator)
	add(s, route{method: "POST", path: "/v1/staff", name: "createStaff", tag: "staff", status: 201, repeat: firstAnswer, may: manages,
		summary: "Create a member of staff", about: "Password and one-time-password secret are shown this once, to be handed over."}, s.createStaff)
	add(s, route{method: "GET", path: "/v1/staff", name: "staff", tag: "staff", may: manages.and(mianmi.RoleAuditor),
		summary: "List staff", about: "Those whom the caller may see."}, s.staff)
	add(s, route{method: "POST", path: "/v1/staff/{staff}/deactivate", name: "deactivateStaff", tag: "staff", may: manages,
		summary: "Deactivate a member of staff", about: "Ends their sessions and refuses every later login. Nobody deactivates themselves."}, s.deactivateStaff)
	add(s, route{method: "POST", path: "/v1/staff/{staff}/reset", name: "resetStaff", tag: "staff", status: 201, repeat: firstAnswer, may: manages,
		summary: "Give a member of staff a new password and one-time-password secret", about: "Lifts a lock, ends their sessions, and activates them again."}, s.resetStaff)
	add(s, route{method: "POST", path: "/v1/api-keys", name: "createAPIKey", tag: "staff", status: 201, repeat: firstAnswer, may: keys,
		summary: "Make an API key", about: "The token is shown this once. Merchant, scopes and expiry never change: make another key."}, s.createKey)
	add(s, route{method: "GET", path: "/v1/api-keys", name: "apiKeys", tag: "staff", may: keys.and(mianmi.RoleAuditor),
		summary: "List API keys", about: "Without their secrets."}, s.apiKeys)
	add(s, route{method: "POST", path: "/v1/api-keys/{key}/revoke", name: "revokeAPIKey", tag: "staff", may: keys,
		summary: "Revoke an API key", about: "No payment that is decided later is taken with it."}, s.revokeKey)
}

// NewStaff is a member of staff to be created.
type NewStaff struct {
	Login    string `json:"login" doc:"3 to 64 of a-z, 0-9, '.', '_', '-', '@'"`
	Name     string `json:"name"`
	Role     string `json:"role" enum:"cashier,store_manager,merchant_admin,support_agent,risk_analyst,operator,auditor"`
	Merchant string `json:"merchant,omitzero" doc:"Cashiers, store managers and merchant admins"`
	Store    string `json:"store,omitzero" doc:"Cashiers and store managers"`
}

// Staff is a member of staff.
type Staff struct {
	ID        string    `json:"id"`
	Login     string    `json:"login"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Merchant  string    `json:"merchant,omitzero"`
	Store     string    `json:"store,omitzero"`
	Active    bool      `json:"active"`
	CreatedAt time.Time `json:"created_at"`
}

// Enrolment is what a new member of staff needs to log in.
type Enrolment struct {
	Staff    Staff  `json:"staff"`
	Password string `json:"password"`
	TOTP     string `json:"totp" doc:"Secret for a one-time-password app, base32"`
	TOTPURL  string `json:"totp_url" doc:"otpauth://…, to show as a QR code"`
}

func showStaff(m *access.Staff) Staff {
	return Staff{ID: string(m.ID), Login: m.Login, Name: m.Name, Role: m.Role.String(), Merchant: string(m.Merchant), Store: string(m.Store),
		Active: m.Active, CreatedAt: m.CreatedAt.UTC()}
}

func enrolment(e access.Enrolment, err error) (*struct{ Body Enrolment }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body Enrolment }{Enrolment{Staff: showStaff(&e.Staff), Password: e.Password, TOTP: e.TOTP, TOTPURL: e.TOTPURL}}, nil
}

func (s *Server) createStaff(ctx context.Context, a mianmi.Actor, in *struct{ Body NewStaff }) (*struct{ Body Enrolment }, error) {
	b := in.Body
	return enrolment(s.Access.CreateStaff(ctx, a, access.NewStaff{Login: b.Login, Name: b.Name, Role: mianmi.ParseRole(b.Role),
		Merchant: mianmi.MerchantID(b.Merchant), Store: mianmi.StoreID(b.Store)}))
}

func (s *Server) staff(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant"`
	Store    string `query:"store"`
	PageInput
}) (*struct{ Body List[Staff] }, error) {
	list, err := s.Access.Staff(ctx, a, access.StaffQuery{Merchant: mianmi.MerchantID(in.Merchant), Store: mianmi.StoreID(in.Store),
		After: mianmi.StaffID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showStaff, func(m *access.Staff) string { return string(m.ID) }), nil
}

type StaffInput struct {
	Staff string `path:"staff" doc:"sf…"`
}

func (s *Server) deactivateStaff(ctx context.Context, a mianmi.Actor, in *StaffInput) (*struct{ Body Staff }, error) {
	m, err := s.Access.DeactivateStaff(ctx, a, mianmi.StaffID(in.Staff))
	if err != nil {
		return nil, err
	}
	return &struct{ Body Staff }{showStaff(&m)}, nil
}

func (s *Server) resetStaff(ctx context.Context, a mianmi.Actor, in *StaffInput) (*struct{ Body Enrolment }, error) {
	return enrolment(s.Access.ResetStaff(ctx, a, mianmi.StaffID(in.Staff)))
}

// NewAPIKey is an API key to be made.
type NewAPIKey struct {
	Name      string     `json:"name"`
	Merchant  string     `json:"merchant,omitzero" doc:"Left out: mianmi's own, for the scope payers"`
	Scopes    []string   `json:"scopes" minItems:"1" doc:"pay, refund, tighten, manage, payers, read, webhooks"`
	ExpiresAt *time.Time `json:"expires_at,omitzero" doc:"Left out: never"`
}

// APIKey is an API key without its secret.
type APIKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Merchant  string     `json:"merchant,omitzero"`
	Scopes    []string   `json:"scopes"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitzero"`
	RevokedAt *time.Time `json:"revoked_at,omitzero"`
	Token     string     `json:"token,omitzero" doc:"For Authorization: Bearer; in the first answer only"`
}

// APIKeyOutput is one key.
type APIKeyOutput struct{ Body APIKey }

func scopeNames(set mianmi.Scope) []string {
	var out []string
	for name, scope := range mianmi.ScopeNames {
		if set.Has(scope) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func showKey(k *access.Key) APIKey {
	return APIKey{ID: string(k.ID), Name: k.Name, Merchant: string(k.Merchant), Scopes: scopeNames(k.Scopes), CreatedBy: k.CreatedBy,
		CreatedAt: k.CreatedAt.UTC(), ExpiresAt: timeOrNone(k.ExpiresAt), RevokedAt: timeOrNone(k.RevokedAt)}
}

func (s *Server) createKey(ctx context.Context, a mianmi.Actor, in *struct{ Body NewAPIKey }) (*APIKeyOutput, error) {
	n := access.NewKey{Name: in.Body.Name, Merchant: mianmi.MerchantID(in.Body.Merchant)}
	for i, name := range in.Body.Scopes {
		scope, ok := mianmi.ScopeNames[name]
		if !ok {
			return nil, mianmi.InvalidField("scopes["+strconv.Itoa(i)+"]", "want pay, refund, tighten, manage, payers, read or webhooks")
		}
		n.Scopes |= scope
	}
	if in.Body.ExpiresAt != nil {
		n.ExpiresAt = *in.Body.ExpiresAt
	}
	k, token, err := s.Access.CreateKey(ctx, a, n)
	if err != nil {
		return nil, err
	}
	out := showKey(&k)
	out.Token = token
	return &APIKeyOutput{out}, nil
}

func (s *Server) apiKeys(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant"`
	PageInput
}) (*struct{ Body List[APIKey] }, error) {
	list, err := s.Access.APIKeys(ctx, a, access.KeyQuery{Merchant: mianmi.MerchantID(in.Merchant), After: mianmi.KeyID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showKey, func(k *access.Key) string { return string(k.ID) }), nil
}

func (s *Server) revokeKey(ctx context.Context, a mianmi.Actor, in *struct {
	Key string `path:"key" doc:"ak…"`
}) (*APIKeyOutput, error) {
	k, err := s.Access.RevokeKey(ctx, a, mianmi.KeyID(in.Key))
	if err != nil {
		return nil, err
	}
	return &APIKeyOutput{showKey(&k)}, nil
}
