package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// NewContract asks for a session in which the payer signs at a payment system.
type NewContract struct {
	Channel string          `json:"channel"` // "wechatpay"
	Kind    string          `json:"kind"`    // password_exempt, papay or payscore
	Account string          `json:"account,omitzero"`
	Device  *ContractDevice `json:"device,omitzero"` // papay needs it
}

// ContractDevice is where a payer signs, in the payment system's words.
type ContractDevice struct {
	Type          string `json:"type"`
	OS            string `json:"os,omitzero"`
	ID            string `json:"id,omitzero"`
	IP            string `json:"ip,omitzero"`
	Rooted        bool   `json:"rooted,omitzero"`
	Installed     bool   `json:"client_installed,omitzero"`
	ClientVersion string `json:"client_version,omitzero"`
	SinceLogin    string `json:"since_login,omitzero"`
	ByQR          bool   `json:"by_qr,omitzero"`
}

// Contract is one for an agreement here: at a payment system, or of the front.
type Contract struct {
	ID        mianmi.ContractID  `json:"id"`
	Payer     mianmi.PayerID     `json:"payer"` // empty for merchants
	Merchant  mianmi.MerchantID  `json:"merchant"`
	Agreement mianmi.AgreementID `json:"agreement"` // empty: of the front, and nobody has signed
	Channel   string             `json:"channel"`   // front: signed here
	Kind      string             `json:"kind"`
	State     string             `json:"state"` // signing, signed, ending, ended, lapsed
	Sentence  mianmi.Text        `json:"sentence"`
	Number    string             `json:"number"`
	OpenedAt  time.Time          `json:"opened_at"`
	Until     time.Time          `json:"until"`
	SignedAt  *time.Time         `json:"signed_at"`
	RevokedAt *time.Time         `json:"revoked_at"`
	RevokedBy string             `json:"revoked_by"` // role:id; merchants are told the role
	EndedAt   *time.Time         `json:"ended_at"`
	EndedBy   string             `json:"ended_by"`
}

// ContractSession leads the payer to where they sign.
type ContractSession struct {
	Contract Contract `json:"contract"`
	Session  string   `json:"session"`
	AppID    string   `json:"app_id"`
	Path     string   `json:"path"`
	URL      string   `json:"url"`
}

// OpenContract begins to sign a contract for an agreement that is open.
func (c *Client) OpenContract(ctx context.Context, id mianmi.PayerID, agreement mianmi.AgreementID, n NewContract) (ContractSession, error) {
	return call[ContractSession](ctx, c, http.MethodPost, payerPath(id, "/agreements/"+seg(agreement)+"/contracts"), n)
}

// ContractQuery asks for contracts; what is empty does not narrow it.
type ContractQuery struct {
	Merchant mianmi.MerchantID
	State    string // signing, signed, ending, ended, lapsed
	Kind     string // password_exempt, papay, payscore
	Before   string
	Limit    int
}

// Contracts lists contracts at payment systems and of the front, newest first.
func (c *Client) Contracts(ctx context.Context, q ContractQuery) (List[Contract], error) {
	return call[List[Contract]](ctx, c, http.MethodGet, "/v1/contracts"+query(map[string]any{
		"merchant": q.Merchant, "state": q.State, "kind": q.Kind, "before": q.Before, "limit": q.Limit,
	}), nil)
}

// Contract shows a contract.
func (c *Client) Contract(ctx context.Context, id mianmi.ContractID) (Contract, error) {
	return call[Contract](ctx, c, http.MethodGet, "/v1/contracts/"+seg(id), nil)
}

// EndContract ends a contract, and leaves its agreement as it is; of the front it closes it.
func (c *Client) EndContract(ctx context.Context, id mianmi.ContractID) (Contract, error) {
	return call[Contract](ctx, c, http.MethodPost, "/v1/contracts/"+seg(id)+"/end", nil)
}
