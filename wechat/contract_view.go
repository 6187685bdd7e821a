package wechat

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
)

// ContractView is a contract in WeChat Pay's form.
type ContractView struct {
	MchID     string          `json:"mchid"`
	ID        string          `json:"contract_id"`
	AppID     string          `json:"appid"`
	OpenID    string          `json:"openid,omitempty"`
	Service   json.RawMessage `json:"service_id,omitempty"`
	Plan      json.RawMessage `json:"plan_id,omitempty"`
	Code      string          `json:"out_contract_code"`
	Shown     string          `json:"contract_display_account,omitempty"`
	OutUser   string          `json:"out_user_code,omitempty"`
	State     string          `json:"contract_state"`
	SignedAt  string          `json:"contract_signed_time,omitempty"`
	Terminate *Termination    `json:"contract_terminate_info,omitempty"`
}

// Termination is how a contract ended.
type Termination struct {
	Mode   string `json:"contract_termination_mode"`
	At     string `json:"contract_terminated_time,omitempty"`
	Remark string `json:"contract_termination_remark,omitempty"`
}

// ViewContract puts a contract into WeChat Pay's form.
func (s *Service) ViewContract(i *Identity, k *Contract, state string) ContractView {
	v := ContractView{MchID: i.MchID, ID: k.Key().ID(), AppID: i.AppID, OpenID: k.OpenID, Code: k.Code, Shown: k.Shown, OutUser: k.OutUser, State: state}
	if v.Service = json.RawMessage(k.Service); k.Family == Papay {
		v.Service, v.Plan = nil, v.Service
	}
	if state == ContractUnsigned {
		return v
	}
	v.OpenID, v.SignedAt = s.OpenID(i.AppID, k.Payer), Stamp(k.SignedAt)
	if state != ContractTerminated {
		return v
	}
	v.Terminate = &Termination{Mode: endedBy(k.EndedBy), Remark: k.Remark}
	if !k.EndedAt.IsZero() {
		v.Terminate.At = Stamp(k.EndedAt)
	}
	return v
}

// endedBy is who ended a contract, in WeChat Pay's words: the payer, the
// merchant's software, or else the platform.
func endedBy(actor string) string {
	switch mianmi.ParseRole(mianmi.RecordedRole(actor)) {
	case mianmi.RolePayer:
		return "USER_TERMINATE"
	case mianmi.RoleAPIClient:
		return "MERCHANT_API_TERMINATE"
	}
	return "PLATFORM_TERMINATE"
}

// contractMark leads the reference of a delivery that tells of a signature.
const contractMark = "contract:"

// ContractRef is the reference of a delivery that tells of a contract's signature.
func ContractRef(k ContractKey) string { return contractMark + hex.EncodeToString(k[:]) }

// signed tells of a contract that a payer has signed.
func (c *Courier) signed(ctx context.Context, i *Identity, ref string) (event, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(ref, contractMark))
	if err != nil || len(raw) != len(ContractKey{}) {
		return event{}, fmt.Errorf("a signature at %s cannot be read", i.Merchant)
	}
	k, err := c.Service.Store.WechatContract(ctx, ContractKey(raw))
	if err != nil {
		return event{}, err
	}
	return c.Service.contractEvent(i, &k, ContractSigned)
}

// terminated tells of the contracts that stood on an agreement which was closed.
func (c *Courier) terminated(ctx context.Context, i *Identity, d *notice.Delivery, r *notice.Record) ([]event, error) {
	e, ok := r.Entries[mianmi.EntryID(d.Ref)]
	if !ok {
		return nil, mianmi.Missing("entry")
	}
	rec, err := payer.ReadRecord(e)
	if err != nil || rec.Agreement == nil {
		return nil, fmt.Errorf("entry %s does not say which agreement was closed: %w", e.ID, err)
	}
	list, err := c.Service.Store.WechatContracts(ctx, mianmi.PayerID(e.Subject), rec.Agreement.ID, rec.Agreement.OpenedAt, contractsMax)
	if err != nil {
		return nil, err
	}
	var out []event
	for at := range list {
		one, err := c.Service.contractEvent(i, &list[at], ContractTerminated)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *Service) contractEvent(i *Identity, k *Contract, state string) (e event, err error) {
	e = event{kind: "PAPAY.SIGN", original: "contract", summary: "签约成功", resource: s.ViewContract(i, k, state)}
	if state == ContractTerminated {
		e.kind, e.summary = "PAPAY.TERMINATE", "解约成功"
	}
	e.url, err = s.openNotify(k.Merchant, k.Notify)
	return e, err
}
