package wechatpay

import (
	"net/http"
	"sync"
	"time"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// judge makes an answer of what WeChat Pay said about an order. want is the
// amount that was asked for, where the question had one.
func (c *connection) judge(what string, r reply, ref channel.Ref, want *money.Amount) channel.Answer {
	var t transaction
	r = r.decode(&t)
	if r.fault != noFault {
		return channel.Answer{Failure: r.hint(), Fault: r.line(what)}
	}
	if t.TradeState == "USERPAYING" && t.OutTradeNo == "" {
		return channel.Answer{Standing: channel.Waiting} // all that codepay says while a password is typed
	}
	if t.OutTradeNo != string(ref.Payment) || !t.is(c.account()) ||
		ref.Transaction != "" && t.TransactionID != "" && t.TransactionID != ref.Transaction {
		r.fault = elsewhere
		return channel.Answer{Fault: r.line(what)}
	}
	a := channel.Answer{Transaction: t.TransactionID}
	switch t.TradeState {
	case "SUCCESS", "REFUND": // REFUND: paid, and something was given back since
		return c.paid(what, r, &t, want)
	case "USERPAYING", "NOTPAY", "ACCEPT":
		a.Standing = channel.Waiting
	case "CLOSED":
		a.Standing = channel.Unpaid
	case "REVOKED":
		// Revoked, and with the traces of a payment: it was paid before.
		a.Standing = channel.Unpaid
		if t.SuccessTime != "" || t.payer() != "" {
			a.Standing = channel.GivenBack
		}
	case "PAYERROR":
		a.Standing, a.Failure = channel.Unpaid, channel.ChannelRefused
	default:
		r.fault = unread
		a.Fault = r.line(what)
	}
	return a
}

// paid believes a payment that says all that it has to, over the amount that
// was asked for.
func (c *connection) paid(what string, r reply, t *transaction, want *money.Amount) channel.Answer {
	amount := t.amount()
	switch {
	case t.TransactionID == "" || !amount.Positive():
		r.fault = unread
	case want != nil && amount != *want:
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return channel.Answer{Fault: r.line(what)}
	}
	at, _ := time.Parse(time.RFC3339, t.SuccessTime)
	return channel.Answer{Standing: channel.Paid, Transaction: t.TransactionID, Payer: t.payer(), Amount: amount, PaidAt: at.UTC()}
}

// failures are what WeChat Pay's error codes mean at the till. Codes of its
// older interfaces stand beside the new ones, for both are seen.
var failures = map[string]channel.Failure{
	"NOTENOUGH": channel.InsufficientFunds, "NOT_ENOUGH": channel.InsufficientFunds,
	"AUTH_CODE_INVALID": channel.CodeRefused, "AUTH_CODE_ERROR": channel.CodeRefused, "AUTHCODEEXPIRE": channel.CodeRefused,
	"AUTH_CODE_EXPIRED": channel.CodeRefused,
	"TRADE_ERROR":       channel.PayerStopped,
	"SYSTEM_ERROR":      channel.ChannelBusy, "SYSTEMERROR": channel.ChannelBusy, "BANKERROR": channel.ChannelBusy, "BANK_ERROR": channel.ChannelBusy,
	"FREQUENCY_LIMITED": channel.ChannelBusy, "FREQUENCY_LIMIT_EXCEED": channel.ChannelBusy, "RATELIMIT_EXCEEDED": channel.ChannelBusy,
	"USERPAYING": channel.NoFailure,
}

// hint is what an answer that proves nothing lets the till say meanwhile.
func (r reply) hint() channel.Failure {
	if r.fault != refused {
		return channel.NoFailure
	}
	if f, known := failures[r.code]; known {
		return f
	}
	switch {
	case r.missing():
		return channel.NoFailure
	case r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests:
		return channel.ChannelBusy
	}
	return channel.ChannelRefused
}

const (
	// codesMax bounds the QR codes that are remembered: those of the five minutes
	// for which a signed answer can be repeated, at 25 a second.
	codesMax = 8192
	// codeBytesMax is more than any QR code or session of WeChat Pay holds.
	codeBytesMax = 512
)

// seenCodes remembers which payment a QR code, or which contract a session for
// signing, was given for: the signed answer does not say, and whoever repeats an
// old one would have the payer pay another order, or sign another contract.
type seenCodes struct {
	mu    sync.Mutex
	of    map[string]string
	order [codesMax]string
	next  int
}

func newSeenCodes() *seenCodes { return &seenCodes{of: map[string]string{}} }

// take reports whether the code is usable and nobody else's.
func (s *seenCodes) take(code, owner string) bool {
	if code == "" || len(code) > codeBytesMax {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if of, seen := s.of[code]; seen {
		return of == owner
	}
	delete(s.of, s.order[s.next])
	s.order[s.next], s.of[code] = code, owner
	s.next = (s.next + 1) % codesMax
	return true
}
