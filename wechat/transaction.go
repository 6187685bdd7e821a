package wechat

import (
	"encoding/base64"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// States of an order in WeChat Pay's form.
const (
	StateSuccess    = "SUCCESS"
	StateRefund     = "REFUND"
	StateNotPay     = "NOTPAY"
	StateClosed     = "CLOSED"
	StateRevoked    = "REVOKED"
	StateUserPaying = "USERPAYING"
	StatePayError   = "PAYERROR"
)

// stateTexts are what trade_state_desc says.
var stateTexts = map[string]string{StateSuccess: "支付成功", StateRefund: "转入退款", StateNotPay: "未支付", StateClosed: "已关闭",
	StateRevoked: "已撤销", StateUserPaying: "用户支付中，需要输入密码", StatePayError: "支付失败"}

// TradeState is what an order is in WeChat Pay's words. What this program does
// not know is USERPAYING: neither paid nor unpaid for certain.
func TradeState(o *Order, p *payment.Payment, end payment.OrderEnd) string {
	switch {
	case end == payment.OrderReversed:
		return StateRevoked
	case end == payment.OrderClosed:
		return StateClosed
	case p == nil:
		return StateNotPay
	}
	switch p.State {
	case payment.Approved:
		return StateSuccess
	case payment.Refunded, payment.PartlyRefunded:
		return StateRefund
	case payment.Reversed:
		return StateRevoked
	case payment.Declined, payment.Refused:
		if o.Ended == payment.OrderReversed {
			return StateRevoked
		}
		return StatePayError
	case payment.Expired: // WeChat Pay revokes what nobody has paid in time, and fails a debit
		if o.Trade == Debit {
			return StatePayError
		}
		return StateRevoked
	}
	return StateUserPaying
}

// Transaction is an order in WeChat Pay's form.
type Transaction struct {
	AppID          string  `json:"appid"`
	MchID          string  `json:"mchid"`
	OutTradeNo     string  `json:"out_trade_no"`
	TransactionID  string  `json:"transaction_id,omitempty"`
	TradeType      string  `json:"trade_type,omitempty"`
	TradeState     string  `json:"trade_state"`
	TradeStateDesc string  `json:"trade_state_desc"`
	BankType       string  `json:"bank_type,omitempty"`
	Attach         string  `json:"attach,omitempty"`
	SuccessTime    string  `json:"success_time,omitempty"`
	Payer          *Payer  `json:"payer,omitempty"`
	Amount         *Amount `json:"amount,omitempty"`
	SceneInfo      *Scene  `json:"scene_info,omitempty"`
}

// Payer names who paid, at this merchant alone.
type Payer struct {
	OpenID string `json:"openid"`
}

// Amount is an order's money.
type Amount struct {
	Total         int64  `json:"total"`
	PayerTotal    *int64 `json:"payer_total,omitempty"`
	Currency      string `json:"currency"`
	PayerCurrency string `json:"payer_currency,omitempty"`
}

// Scene is where an order was.
type Scene struct {
	DeviceID string `json:"device_id,omitempty"`
}

// shanghai is the zone of every time in WeChat Pay's form.
var shanghai = time.FixedZone("", 8*60*60)

// Stamp is a time in WeChat Pay's form.
func Stamp(t time.Time) string { return t.In(shanghai).Format(time.RFC3339) }

// OpenID is a payer's name for one appid: the same payer has another at every
// other, and none leads to the payer without the server's key.
func (s *Service) OpenID(appID string, id mianmi.PayerID) string {
	return "o" + base64.RawURLEncoding.EncodeToString(s.Keys.Digest(forOpenID, appID+"\x00"+string(id)))
}

// Transaction puts an order into WeChat Pay's form.
func (s *Service) Transaction(i *Identity, o *Order, p *payment.Payment, end payment.OrderEnd) Transaction {
	t := Transaction{AppID: i.AppID, MchID: i.MchID, OutTradeNo: o.No, TradeType: o.Trade.String(), Attach: o.Attach}
	t.TradeState = TradeState(o, p, end)
	t.TradeStateDesc = stateTexts[t.TradeState]
	if o.Device != "" {
		t.SceneInfo = &Scene{o.Device}
	}
	if o.Amount.Currency() != "" {
		t.Amount = &Amount{Total: o.Amount.Minor(), Currency: string(o.Amount.Currency())}
	}
	if p == nil {
		return t
	}
	t.TransactionID = string(p.ID)
	if t.TradeType == "" { // of an order that came by another door
		t.TradeType = CodePay.String()
	}
	if t.TradeState != StateSuccess && t.TradeState != StateRefund {
		return t
	}
	t.BankType = "OTHERS"
	if p.Payer != "" { // none where another payment system knows the payer
		t.Payer = &Payer{s.OpenID(i.AppID, p.Payer)}
	}
	total := p.Amount.Minor()
	t.Amount.PayerTotal, t.Amount.PayerCurrency = &total, t.Amount.Currency
	switch {
	case p.State == payment.Approved:
		t.SuccessTime = Stamp(p.StateAt)
	case p.Outcome != pinfree.StepUp: // it was taken when it came; of others the time is not kept
		t.SuccessTime = Stamp(p.CreatedAt)
	}
	return t
}

// FailedBy says in WeChat Pay's words why a payment was not taken; empty: it was.
func FailedBy(p *payment.Payment) (code, text string) {
	switch {
	case p.State == payment.Refused:
		return "RULE_LIMIT", "该笔支付不被允许，请更换支付方式"
	case p.State != payment.Declined:
		return "", ""
	case p.Failure == channel.InsufficientFunds:
		return "NOT_ENOUGH", "余额不足，请更换支付方式"
	case p.Failure == channel.PasswordLocked:
		return "TRADE_ERROR", "支付密码已锁定"
	}
	return "TRADE_ERROR", "支付失败"
}

// RefundView is a refund in WeChat Pay's form.
type RefundView struct {
	RefundID            string       `json:"refund_id"`
	OutRefundNo         string       `json:"out_refund_no"`
	TransactionID       string       `json:"transaction_id"`
	OutTradeNo          string       `json:"out_trade_no"`
	Channel             string       `json:"channel"`
	UserReceivedAccount string       `json:"user_received_account"`
	SuccessTime         string       `json:"success_time,omitempty"`
	CreateTime          string       `json:"create_time"`
	Status              string       `json:"status"`
	FundsAccount        string       `json:"funds_account"`
	Amount              RefundAmount `json:"amount"`
}

// RefundAmount is a refund's money.
type RefundAmount struct {
	Total            int64  `json:"total"`
	Refund           int64  `json:"refund"`
	PayerTotal       int64  `json:"payer_total"`
	PayerRefund      int64  `json:"payer_refund"`
	SettlementRefund int64  `json:"settlement_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

// receivedBy is where the money of a refund goes: the payer's balance.
const receivedBy = "支付用户零钱"

// refundStates are a refund's states in WeChat Pay's words. With mianmi's own
// wallet the money has moved when the refund is there.
var refundStates = map[payment.RefundState]string{payment.RefundPending: "PROCESSING", payment.RefundDone: "SUCCESS", payment.RefundFailed: "ABNORMAL",
	payment.RefundStalled: "PROCESSING"}

// ViewRefund puts a refund into WeChat Pay's form.
func ViewRefund(p *payment.Payment, r *payment.Refund) RefundView {
	total, back := p.Amount.Minor(), r.Amount.Minor()
	v := RefundView{RefundID: string(r.ID), OutRefundNo: r.RefundNo, TransactionID: string(p.ID), OutTradeNo: p.OrderNo, Channel: "ORIGINAL",
		UserReceivedAccount: receivedBy, CreateTime: Stamp(r.At), Status: refundStates[r.State], FundsAccount: "AVAILABLE",
		Amount: RefundAmount{Total: total, Refund: back, PayerTotal: total, PayerRefund: back, SettlementRefund: back, SettlementTotal: total,
			Currency: string(p.Amount.Currency())}}
	if r.State == payment.RefundDone {
		v.SuccessTime = Stamp(r.At)
	}
	return v
}
