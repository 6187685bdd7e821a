package wechatpay

import (
	"context"
	"net/url"
	"time"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

type refundOrder struct {
	SubMchID    string       `json:"sub_mchid,omitempty"`
	OutTradeNo  string       `json:"out_trade_no"`
	OutRefundNo string       `json:"out_refund_no"`
	Reason      string       `json:"reason,omitempty"`
	NotifyURL   string       `json:"notify_url,omitempty"`
	Amount      refundAmount `json:"amount"`
}

type refundAmount struct {
	Refund   int64  `json:"refund"`
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// refund is a refund in WeChat Pay's answers.
type refund struct {
	RefundID      string       `json:"refund_id"`
	OutRefundNo   string       `json:"out_refund_no"`
	TransactionID string       `json:"transaction_id"`
	OutTradeNo    string       `json:"out_trade_no"`
	Status        string       `json:"status"`
	SuccessTime   string       `json:"success_time"`
	Amount        refundAmount `json:"amount"`
}

const reasonRunesMax = 80

// Refund gives money back. WeChat Pay takes one refund under a number once.
func (ch *Channel) Refund(ctx context.Context, o channel.RefundOrder) channel.RefundAnswer {
	c := ch.merchants[o.Merchant]
	if c == nil {
		return channel.RefundAnswer{Fault: "no connection serves this merchant"}
	}
	reason := []rune(o.Reason)
	r := c.call(ctx, "/v3/refund/domestic/refunds", refundOrder{
		SubMchID: c.SubMchID, OutTradeNo: string(o.Payment), OutRefundNo: string(o.Refund),
		Reason: string(reason[:min(len(reason), reasonRunesMax)]), NotifyURL: c.notifyURL(refundKind),
		Amount: refundAmount{o.Amount.Minor(), o.Total.Minor(), string(o.Amount.Currency())},
	})
	return refundAnswer("refund", r, o)
}

// QueryRefund asks what became of a refund.
func (ch *Channel) QueryRefund(ctx context.Context, o channel.RefundOrder) channel.RefundAnswer {
	c := ch.merchants[o.Merchant]
	if c == nil {
		return channel.RefundAnswer{Fault: "no connection serves this merchant"}
	}
	path := "/v3/refund/domestic/refunds/" + url.PathEscape(string(o.Refund))
	if c.partner() {
		path += "?sub_mchid=" + url.QueryEscape(c.SubMchID)
	}
	return refundAnswer("refund query", c.call(ctx, path, nil), o)
}

func refundAnswer(what string, r reply, o channel.RefundOrder) channel.RefundAnswer {
	var got refund
	r = r.decode(&got)
	if r.fault == noFault && !got.is(o) {
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return channel.RefundAnswer{Failure: r.hint(), Fault: r.line(what)}
	}
	a := channel.RefundAnswer{Transaction: got.RefundID}
	switch got.Status {
	case "SUCCESS":
		a.Standing = channel.Paid
		at, _ := time.Parse(time.RFC3339, got.SuccessTime)
		a.At = at.UTC()
	case "PROCESSING":
		a.Standing = channel.Waiting
	case "ABNORMAL":
		// The payer's account does not take it; the merchant ends it on WeChat Pay's
		// merchant platform, and then it becomes a success.
		a.Standing, a.Fault = channel.Waiting, what+": ABNORMAL: the merchant has to end this refund on WeChat Pay's merchant platform"
	case "CLOSED":
		a.Standing = channel.Unpaid
	default:
		r.fault = unread
		a.Fault = r.line(what)
	}
	return a
}

// is reports whether an answer is about the refund that was asked about, in
// all its numbers.
func (got *refund) is(o channel.RefundOrder) bool {
	currency := money.Currency(got.Amount.Currency)
	if currency == "" {
		currency = "CNY"
	}
	return got.OutRefundNo == string(o.Refund) && got.OutTradeNo == string(o.Payment) &&
		money.Of(got.Amount.Refund, currency) == o.Amount && money.Of(got.Amount.Total, currency) == o.Total &&
		(o.Transaction == "" || got.TransactionID == "" || got.TransactionID == o.Transaction)
}
