package wechatv3

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// refundIn is the body of a refund.
type refundIn struct {
	TransactionID string   `json:"transaction_id"`
	OutTradeNo    string   `json:"out_trade_no"`
	OutRefundNo   string   `json:"out_refund_no"`
	Reason        string   `json:"reason"`
	NotifyURL     string   `json:"notify_url"`
	Amount        amountIn `json:"amount"`
}

// refund gives money back at once: its answer is SUCCESS.
func (s *Server) refund(ctx context.Context, c *call) (any, error) {
	var in refundIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n := wechat.NewRefund{Transaction: mianmi.PaymentID(in.TransactionID), OrderNo: in.OutTradeNo, No: in.OutRefundNo, Reason: in.Reason}
	if in.TransactionID == "" && in.OutTradeNo == "" {
		return nil, mianmi.InvalidField("out_trade_no", "want transaction_id or out_trade_no")
	}
	if in.OutTradeNo != "" {
		if err := orderNo("out_trade_no", in.OutTradeNo); err != nil {
			return nil, err
		}
	}
	if err := firstOf(orderNo("out_refund_no", in.OutRefundNo), plain("reason", in.Reason, reasonMax)); err != nil {
		return nil, err
	}
	var err error
	if n.Amount, err = in.Amount.of("amount.refund", in.Amount.Refund); err != nil {
		return nil, err
	}
	if n.Total, err = in.Amount.of("amount.total", in.Amount.Total); err != nil {
		return nil, err
	}
	if n.NotifyURL, err = notifyURL(in.NotifyURL, false); err != nil {
		return nil, err
	}
	p, r, err := s.Service.Refund(ctx, &c.caller, n)
	if err != nil {
		return nil, notFoundAs("RESOURCE_NOT_EXISTS", err)
	}
	return wechat.ViewRefund(p, r), nil
}

func (s *Server) queryRefund(ctx context.Context, c *call) (any, error) {
	no := c.r.PathValue("out_refund_no")
	if err := orderNo("out_refund_no", no); err != nil {
		return nil, err
	}
	p, r, err := s.Service.FindRefund(ctx, &c.caller, no)
	if err != nil {
		return nil, notFoundAs("RESOURCE_NOT_EXISTS", err)
	}
	return wechat.ViewRefund(p, r), nil
}
