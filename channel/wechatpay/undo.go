package wechatpay

import (
	"context"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// Undo reverses a charge or closes a QR order, and believes what the order
// itself then says: the answer to a close is empty, so a signed one of another
// order would pass for it, and that to a reversal says only that it was heard.
func (ch *Channel) Undo(ctx context.Context, ref channel.Ref) channel.Answer {
	c := ch.merchants[ref.Merchant]
	if c == nil {
		return channel.Answer{Fault: "no connection serves this merchant"}
	}
	what, path := "close", "/close"
	if ref.Way == channel.ByCode {
		what, path = "reverse", "/reverse"
	}
	r := c.call(ctx, c.byNumber(ref.Payment, path), c.undoer(ref.Way))
	a, q, state := c.query(ctx, ref)
	if q.missing() && r.fault == refused {
		return ch.occupy(ctx, c, ref)
	}
	if a.Standing == channel.Paid && state == "REFUND" && ref.Way == channel.ByCode {
		a.Standing = channel.GivenBack // what is undone has no refunds but the reversal's own
	}
	return undone(a, ref.Way, r, r.line(what))
}

// undoer names who undoes: a close names no appid.
func (c *connection) undoer(w channel.Way) account {
	a := c.account()
	if w != channel.ByCode {
		a.AppID, a.SpAppID, a.SubAppID = "", "", ""
	}
	return a
}

// undone reads the order after r, the answer to what undid it. An order that
// still stands is not clear: asked once more, it will not.
func undone(a channel.Answer, w channel.Way, r reply, fault string) channel.Answer {
	switch a.Standing {
	case channel.Unpaid, channel.GivenBack:
		return a
	case channel.Paid:
		if w == channel.ByQR || r.fault == refused {
			return a // too late: only a refund helps
		}
	case channel.Waiting, channel.Unclear:
	}
	if fault == "" {
		fault = a.Fault
	}
	if fault == "" {
		fault = "undone, but the order still stands"
	}
	return channel.Answer{Transaction: a.Transaction, Failure: a.Failure, Fault: fault}
}

// occupy ends an order that WeChat Pay never got. That there is none it says
// with an unsigned answer, and a request that is still on its way could make
// one. So the number is used up: an order for a QR code that nobody is shown is
// opened under it and closed. Then the order itself says, signed, that it is
// closed, and whatever comes late finds its number taken.
func (ch *Channel) occupy(ctx context.Context, c *connection, ref channel.Ref) channel.Answer {
	o := channel.Order{Ref: ref, Amount: money.Of(1, "CNY"), About: "cancelled"}
	if a := ch.open(ctx, c, o); a.Standing != channel.Waiting {
		return channel.Answer{Fault: a.Fault}
	}
	r := c.call(ctx, c.byNumber(ref.Payment, "/close"), c.undoer(channel.ByQR))
	a, _, _ := c.query(ctx, ref)
	return undone(a, channel.ByQR, r, r.line("close"))
}
