package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/payer"
)

func (s *Server) registerLogins() {
	everybody := only(allStaff...).and(mianmi.RolePayer)
	add(s, route{method: "POST", path: "/v1/logins/payer", name: "loginPayer", tag: "login", may: anybody(), login: true, status: 201,
		summary: "Log in as a payer", about: "With phone number and payment password. Guesses count against the same lock as payments."}, s.loginPayer)
	add(s, route{method: "POST", path: "/v1/logins/staff", name: "loginStaff", tag: "login", may: anybody(), login: true, status: 201,
		summary: "Log in as a member of staff", about: "With login name, password and the six digits of a one-time-password app (RFC 6238)."}, s.loginStaff)
	add(s, route{method: "POST", path: "/v1/password-resets", name: "redeemReset", tag: "login", may: anybody(), login: true,
		summary: "Set a new payment password with a code from support", about: "Lifts a lock and ends the payer's sessions. PIN-free payment stays as it is."}, s.redeemReset)
	add(s, route{method: "GET", path: "/v1/me", name: "me", tag: "login", summary: "Who am I?",
		may: everybody.keys(allScopes), about: "The caller as the server sees it."}, s.me)
	add(s, route{method: "POST", path: "/v1/logout", name: "logout", tag: "login", may: everybody, status: 204,
		summary: "End this session", about: "The token is worth nothing afterwards."}, s.logout)
	add(s, route{method: "DELETE", path: "/v1/sessions", name: "endSessions", tag: "login", may: everybody,
		summary: "End all my sessions", about: "This one too."}, s.endSessions)
	add(s, route{method: "DELETE", path: "/v1/payers/{payer}/sessions", name: "endPayerSessions", tag: "login",
		may: only(mianmi.RolePayer, mianmi.RoleSupport, mianmi.RoleOperator), summary: "End all sessions of a payer",
		about: "By the payer, or by support when the phone is lost."}, s.endPayerSessions)
	add(s, route{method: "POST", path: "/v1/me/password", name: "changeStaffPassword", tag: "login", may: only(allStaff...), status: 204, login: true,
		summary: "Change my password", about: "For staff; the old password and a code count as a login. All sessions end."}, s.changeStaffPassword)
}

const allScopes = mianmi.ScopePay | mianmi.ScopeRefund | mianmi.ScopeTighten | mianmi.ScopeManage | mianmi.ScopePayers | mianmi.ScopeRead | mianmi.ScopeWebhooks

// Session is a login.
type Session struct {
	Token     string    `json:"token" doc:"For Authorization: Bearer; shown once"`
	ID        string    `json:"id"`
	Role      string    `json:"role"`
	Actor     string    `json:"actor" doc:"Identifier of the payer or member of staff"`
	IdleAt    time.Time `json:"idle_at" doc:"Ends then unless it is used"`
	ExpiresAt time.Time `json:"expires_at"`
}

func session(n access.Started, err error) (*struct{ Body Session }, error) {
	if err != nil {
		return nil, err
	}
	return &struct{ Body Session }{Session{Token: n.Token, ID: string(n.Session.ID), Role: n.Session.Role.String(), Actor: n.Session.Actor,
		IdleAt: n.Session.IdleAt.UTC(), ExpiresAt: n.Session.ExpiresAt.UTC()}}, nil
}

// PayerLogin is what a payer types.
type PayerLogin struct {
	Phone    string `json:"phone" doc:"E.164" example:"+8613800000000"`
	Password string `json:"password" doc:"The payment password"`
}

func (s *Server) loginPayer(ctx context.Context, _ mianmi.Actor, in *struct{ Body PayerLogin }) (*struct{ Body Session }, error) {
	return session(s.Payers.Login(ctx, payer.LoginInput{Phone: in.Body.Phone, Password: in.Body.Password}))
}

// StaffLogin is what a member of staff types.
type StaffLogin struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	Code     string `json:"code" doc:"Six digits of the one-time-password app"`
}

func (s *Server) loginStaff(ctx context.Context, _ mianmi.Actor, in *struct{ Body StaffLogin }) (*struct{ Body Session }, error) {
	return session(s.Access.Login(ctx, access.LoginInput{Login: in.Body.Login, Password: in.Body.Password, Code: in.Body.Code}))
}

// ResetRedeemed sets a new payment password with a one-time code.
type ResetRedeemed struct {
	Phone       string `json:"phone"`
	Code        string `json:"code"`
	NewPassword string `json:"new_password" doc:"Six digits"`
}

func (s *Server) redeemReset(ctx context.Context, _ mianmi.Actor, in *struct{ Body ResetRedeemed }) (*StatusOutput, error) {
	return s.status(s.Payers.RedeemReset(ctx, payer.RedeemInput{Phone: in.Body.Phone, Code: in.Body.Code, NewPassword: in.Body.NewPassword}))
}

// Me is the caller.
type Me struct {
	Role     string   `json:"role"`
	ID       string   `json:"id"`
	Merchant string   `json:"merchant,omitzero"`
	Store    string   `json:"store,omitzero"`
	Scopes   []string `json:"scopes,omitzero" doc:"Of an API key"`
}

func (s *Server) me(_ context.Context, a mianmi.Actor, _ *struct{}) (*struct{ Body Me }, error) {
	return &struct{ Body Me }{Me{Role: a.Role.String(), ID: a.ID, Merchant: string(a.Merchant), Store: string(a.Store), Scopes: scopeNames(a.Scopes)}}, nil
}

func (s *Server) logout(ctx context.Context, a mianmi.Actor, _ *struct{}) (*struct{}, error) {
	return &struct{}{}, s.Access.Logout(ctx, a)
}

// Ended says how many sessions ended.
type Ended struct {
	Ended int `json:"ended"`
}

func (s *Server) endSessions(ctx context.Context, a mianmi.Actor, _ *struct{}) (*struct{ Body Ended }, error) {
	n, err := s.Access.EndSessions(ctx, a, a.ID)
	return &struct{ Body Ended }{Ended{n}}, err
}

func (s *Server) endPayerSessions(ctx context.Context, a mianmi.Actor, in *PayerInput) (*struct{ Body Ended }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	n, err := s.Access.EndSessions(ctx, a, string(id))
	return &struct{ Body Ended }{Ended{n}}, err
}

// PasswordChange is a member of staff's own change of password.
type PasswordChange struct {
	Password    string `json:"password" doc:"The present one"`
	NewPassword string `json:"new_password" doc:"12 to 128 bytes"`
	Code        string `json:"code" doc:"Six digits of the one-time-password app"`
}

func (s *Server) changeStaffPassword(ctx context.Context, a mianmi.Actor, in *struct{ Body PasswordChange }) (*struct{}, error) {
	return &struct{}{}, s.Access.ChangePassword(ctx, a, access.PasswordChange{Old: in.Body.Password, New: in.Body.NewPassword, Code: in.Body.Code})
}
