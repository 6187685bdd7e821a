package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
)

func (s *Server) registerContracts() {
	add(s, route{method: "POST", path: "/v1/payers/{payer}/agreements/{agreement}/contracts", name: "openContract", tag: "payers", status: 201, repeat: firstAnswer,
		may: only(mianmi.RolePayer), summary: "Begin to sign a contract at a payment system",
		about: "For an agreement that is open: the answer leads the payer's app to where the payer signs, within two hours. It allows nothing by itself. A session from before that nobody signed in is of no use any more."}, s.openContract)
	add(s, route{method: "GET", path: "/v1/contracts/{contract}", name: "contract", tag: "payers",
		may:     only(readers...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin).keys(mianmi.ScopePayers | mianmi.ScopeRead | mianmi.ScopeTighten | mianmi.ScopeManage),
		summary: "Show a contract at a payment system", about: "To its payer, to mianmi's own people and, without the payer, to its merchant."}, s.contract)
	add(s, route{method: "POST", path: "/v1/contracts/{contract}/end", name: "endContract", tag: "payers",
		may:     only(ownPeople...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin).keys(mianmi.ScopePayers | mianmi.ScopeTighten),
		summary: "End a contract at a payment system", about: "In one step; the payment system is asked until it has confirmed. The agreement stays; closing the agreement ends its contracts by itself."}, s.endContract)
}

// NewContract asks for a session to sign in.
type NewContract struct {
	Channel string          `json:"channel" example:"wechatpay"`
	Kind    string          `json:"kind" enum:"password_exempt,papay,payscore" doc:"Which the merchant has is in the server's configuration"`
	Account string          `json:"account,omitzero" maxLength:"128" doc:"The payer as the payment system names them (openid); password_exempt and papay can do without. It is passed on and not kept"`
	Device  *ContractDevice `json:"device,omitzero" doc:"Papay needs it: where the payer signs, in WeChat Pay's words"`
}

// ContractDevice is where a payer signs.
type ContractDevice struct {
	Type          string `json:"type" maxLength:"128" example:"DEVICE_TYPE_PHONE"`
	OS            string `json:"os,omitzero" maxLength:"128"`
	ID            string `json:"id,omitzero" maxLength:"128"`
	IP            string `json:"ip,omitzero" maxLength:"128"`
	Rooted        bool   `json:"rooted,omitzero"`
	Installed     bool   `json:"client_installed,omitzero"`
	ClientVersion string `json:"client_version,omitzero" maxLength:"128"`
	SinceLogin    string `json:"since_login,omitzero" maxLength:"128"`
	ByQR          bool   `json:"by_qr,omitzero" doc:"The payer scans a code"`
}

// Contract is one at a payment system.
type Contract struct {
	ID        string     `json:"id" doc:"By which the payment system knows it, too"`
	Payer     string     `json:"payer,omitzero" doc:"Not told to merchants"`
	Merchant  string     `json:"merchant"`
	Agreement string     `json:"agreement"`
	Channel   string     `json:"channel"`
	Kind      string     `json:"kind"`
	State     string     `json:"state" enum:"signing,signed,ending,ended,lapsed" doc:"ending: closed here, and not yet confirmed by the payment system"`
	Sentence  Text       `json:"sentence"`
	Number    string     `json:"number,omitzero" doc:"The payment system's own"`
	OpenedAt  time.Time  `json:"opened_at"`
	Until     time.Time  `json:"until" doc:"When the session to sign in is over"`
	SignedAt  *time.Time `json:"signed_at,omitzero"`
	RevokedAt *time.Time `json:"revoked_at,omitzero" doc:"Closed here since"`
	EndedAt   *time.Time `json:"ended_at,omitzero" doc:"As the payment system says"`
	EndedBy   string     `json:"ended_by,omitzero" doc:"In the payment system's words"`
}

// ContractSession leads the payer to where they sign.
type ContractSession struct {
	Contract Contract `json:"contract"`
	Session  string   `json:"session"`
	AppID    string   `json:"app_id,omitzero" doc:"Of the mini program to open, with path"`
	Path     string   `json:"path,omitzero"`
	URL      string   `json:"url,omitzero" doc:"To open, or to show as a QR code"`
}

// ContractOutput is one contract.
type ContractOutput struct{ Body Contract }

// ContractInput names a contract.
type ContractInput struct {
	Contract string `path:"contract" doc:"cc…"`
}

func showContract(c *contract.Contract, now time.Time) Contract {
	return Contract{ID: string(c.ID), Payer: string(c.Payer), Merchant: string(c.Merchant), Agreement: string(c.Agreement), Channel: c.Channel, Kind: c.Kind,
		State: c.State(now).String(), Sentence: textOf(c.Words(now)), Number: c.Number, OpenedAt: c.OpenedAt.UTC(), Until: c.Until.UTC(),
		SignedAt: timeOrNone(c.SignedAt), RevokedAt: timeOrNone(c.RevokedAt), EndedAt: timeOrNone(c.EndedAt), EndedBy: c.EndedBy}
}

func (s *Server) openContract(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Agreement string `path:"agreement"`
	Body      NewContract
}) (*struct{ Body ContractSession }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	o := contract.Order{Agreement: mianmi.AgreementID(in.Agreement), Channel: b.Channel, Kind: b.Kind, Account: b.Account}
	if d := b.Device; d != nil {
		o.Device = contract.Device{Type: d.Type, OS: d.OS, ID: d.ID, IP: d.IP, ClientVersion: d.ClientVersion, SinceLogin: d.SinceLogin,
			Rooted: d.Rooted, Installed: d.Installed, ByQR: d.ByQR}
	}
	c, session, err := s.Contracts.Open(ctx, a, id, o)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ContractSession }{ContractSession{Contract: showContract(&c, s.Contracts.Now()), Session: session.Session, AppID: session.AppID,
		Path: session.Path, URL: session.URL}}, nil
}

func (s *Server) contractOutput(c contract.Contract, err error) (*ContractOutput, error) {
	if err != nil {
		return nil, err
	}
	return &ContractOutput{showContract(&c, s.Contracts.Now())}, nil
}

func (s *Server) contract(ctx context.Context, a mianmi.Actor, in *ContractInput) (*ContractOutput, error) {
	return s.contractOutput(s.Contracts.Show(ctx, a, mianmi.ContractID(in.Contract)))
}

func (s *Server) endContract(ctx context.Context, a mianmi.Actor, in *ContractInput) (*ContractOutput, error) {
	return s.contractOutput(s.Contracts.End(ctx, a, mianmi.ContractID(in.Contract)))
}
