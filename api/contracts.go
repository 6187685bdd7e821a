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
	add(s, route{method: "GET", path: "/v1/contracts", name: "contracts", tag: "payers", may: only(readers...).and(mianmi.RoleMerchantAdmin).keys(mianmi.ScopeRead),
		summary: "List PIN-free contracts", about: "Those at payment systems and those that payers signed here, at the pages of the front in WeChat Pay's form (channel front), newest first. " +
			"With state=ending: closed here, and not yet confirmed by the payment system. A merchant sees its own, without the payers."}, s.contracts)
	add(s, route{method: "GET", path: "/v1/contracts/{contract}", name: "contract", tag: "payers",
		may:     only(readers...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin).keys(mianmi.ScopePayers | mianmi.ScopeRead | mianmi.ScopeTighten | mianmi.ScopeManage),
		summary: "Show a contract", about: "To its payer, to mianmi's own people and, without the payer, to its merchant."}, s.contract)
	add(s, route{method: "POST", path: "/v1/contracts/{contract}/end", name: "endContract", tag: "payers",
		may:     only(ownPeople...).and(mianmi.RolePayer, mianmi.RoleMerchantAdmin).keys(mianmi.ScopePayers | mianmi.ScopeTighten),
		summary: "End a contract", about: "In one step; the payment system is asked until it has confirmed. The agreement stays; closing the agreement ends its contracts by itself. One of the front is nothing but its agreement, which is closed."}, s.endContract)
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

// Contract is one at a payment system, or of the front.
type Contract struct {
	ID        string     `json:"id" doc:"cc…, by which the payment system knows it, too; of the front: contract_id there"`
	Payer     string     `json:"payer,omitzero" doc:"Not told to merchants"`
	Merchant  string     `json:"merchant"`
	Agreement string     `json:"agreement,omitzero" doc:"Left out: a contract of the front that nobody has signed"`
	Channel   string     `json:"channel" doc:"front: signed here, under /v3"`
	Kind      string     `json:"kind"`
	State     string     `json:"state" enum:"signing,signed,ending,ended,lapsed" doc:"ending: closed here, and not yet confirmed by the payment system"`
	Sentence  Text       `json:"sentence"`
	Number    string     `json:"number,omitzero" doc:"The payment system's own; of the front: out_contract_code"`
	OpenedAt  time.Time  `json:"opened_at"`
	Until     time.Time  `json:"until" doc:"When the session to sign in is over"`
	SignedAt  *time.Time `json:"signed_at,omitzero"`
	RevokedAt *time.Time `json:"revoked_at,omitzero" doc:"Closed here since"`
	RevokedBy string     `json:"revoked_by,omitzero" doc:"Who closed it or its agreement here, role:id; merchants are told the role"`
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
	Contract string `path:"contract" doc:"cc…, or contract_id of the front"`
}

func showContract(c *contract.Contract, now time.Time) Contract {
	return Contract{ID: string(c.ID), Payer: string(c.Payer), Merchant: string(c.Merchant), Agreement: string(c.Agreement), Channel: c.Channel, Kind: c.Kind,
		State: c.State(now).String(), Sentence: textOf(c.Words(now)), Number: c.Number, OpenedAt: c.OpenedAt.UTC(), Until: c.Until.UTC(),
		SignedAt: timeOrNone(c.SignedAt), RevokedAt: timeOrNone(c.RevokedAt), RevokedBy: c.RevokedBy, EndedAt: timeOrNone(c.EndedAt), EndedBy: c.EndedBy}
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

func (s *Server) contracts(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant" doc:"mc…; left out: of all merchants"`
	State    string `query:"state" enum:"signing,signed,ending,ended,lapsed"`
	Kind     string `query:"kind" enum:"password_exempt,papay,payscore"`
	Before   string `query:"before" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Contract] }, error) {
	q := contract.Query{Merchant: mianmi.MerchantID(in.Merchant), Kind: in.Kind, Limit: in.Limit}
	q.State, _ = contract.ParseState(in.State)
	if in.Before != "" {
		var ok bool
		if q.Before, ok = contract.ParseMark(in.Before); !ok {
			return nil, mianmi.InvalidField("before", "is no page's next")
		}
	}
	list, err := s.Contracts.List(ctx, a, q)
	if err != nil {
		return nil, err
	}
	now := s.Contracts.Now()
	return listOf(list, in.Limit, func(c *contract.Contract) Contract { return showContract(c, now) }, func(c *contract.Contract) string { return c.Mark().String() }), nil
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
