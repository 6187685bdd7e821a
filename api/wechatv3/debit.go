package wechatv3

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// debitIn is the body of a charge under a contract.
type debitIn struct {
	AppID       string   `json:"appid"`
	OutTradeNo  string   `json:"out_trade_no"`
	Description string   `json:"description"`
	NotifyURL   string   `json:"transaction_notify_url"`
	Contract    string   `json:"contract_id"`
	Attach      string   `json:"attach"`
	Amount      amountIn `json:"amount"`
}

func (in *debitIn) debit(c *wechat.Caller) (wechat.NewDebit, error) {
	n := wechat.NewDebit{No: in.OutTradeNo, Contract: in.Contract, Attach: in.Attach}
	if err := firstOf(merchant(c, in.AppID, c.Identity.MchID), orderNo("out_trade_no", in.OutTradeNo),
		plain("description", in.Description, descriptionMax), plain("attach", in.Attach, attachMax)); err != nil {
		return n, err
	}
	if in.Description == "" {
		return n, mianmi.InvalidField("description", "is missing")
	}
	if in.Contract == "" {
		return n, mianmi.InvalidField("contract_id", "is missing")
	}
	var err error
	if n.NotifyURL, err = notifyURL(in.NotifyURL, true); err != nil {
		return n, err
	}
	n.Amount, err = in.Amount.of("amount.total", in.Amount.Total)
	return n, err
}

// debited says that a charge was accepted; what became of it is told by a query
// and a notification.
type debited struct {
	OutTradeNo string        `json:"out_trade_no"`
	Amount     wechat.Amount `json:"amount"`
}

// debit charges a payer under a contract.
func (s *Server) debit(ctx context.Context, c *call) (any, error) {
	var in debitIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n, err := in.debit(&c.caller)
	if err != nil {
		return nil, err
	}
	if f, ok := wechat.ParseFault(c.fault); ok {
		n.Fault = f
	}
	if _, err := s.Service.Debit(ctx, &c.caller, n); err != nil {
		return nil, notFoundAs("RESOURCE_NOT_EXISTS", err)
	}
	return debited{n.No, wechat.Amount{Total: n.Amount.Minor(), Currency: string(n.Amount.Currency())}}, nil
}
