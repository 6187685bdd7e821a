package wechat

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// Trade is how an order is paid. The numbers are stored.
type Trade uint8

const (
	CodePay Trade = 1 // the payer's code was scanned
	Native  Trade = 2 // the payer scans a code
	Debit   Trade = 3 // charged under a contract
)

// String is the trade's name in WeChat Pay's form.
func (t Trade) String() string {
	switch t {
	case CodePay:
		return "MICROPAY"
	case Native:
		return "NATIVE"
	case Debit:
		return "PAP"
	}
	return ""
}

// Order is what WeChat Pay's form says of an order beyond its payment.
type Order struct {
	Merchant  mianmi.MerchantID
	No        string
	Trade     Trade
	Terminal  mianmi.TerminalID
	Device    string // scene_info.device_id, as it was sent
	Amount    money.Amount
	Attach    string
	Notify    []byte // the address of its notification, sealed; empty: none
	Fault     Fault  // of its notifications, for tests of merchants' software
	Ended     payment.OrderEnd
	CreatedAt time.Time
}

// Refund is what WeChat Pay's form says of a refund beyond payment's: a number
// that is the merchant's alone, and who is told.
type Refund struct {
	Merchant  mianmi.MerchantID
	No        string
	Payment   mianmi.PaymentID
	Notify    []byte // sealed; empty: none
	CreatedAt time.Time
}

// NewOrder asks for an order.
type NewOrder struct {
	No        string
	Device    string
	Amount    money.Amount
	Attach    string
	NotifyURL string
	Fault     Fault

	Code      string        // CodePay: the payer's
	Entry     pinfree.Entry // CodePay
	ExpiresAt time.Time     // Native; zero: two hours, as at WeChat Pay
}

// nativeLife is how long a code of Native lives when the merchant says nothing.
const nativeLife = 2 * time.Hour

// errUsed says that a number stands for something else.
var errUsed = mianmi.Conflicts("out_trade_no_used", "this order number was used with another content; use a new number")

// PayCode charges a payer by the code that was scanned. A repeat of the same
// request gets the same payment.
func (s *Service) PayCode(ctx context.Context, c *Caller, n NewOrder) (Order, *payment.Payment, error) {
	o, err := s.put(ctx, c, CodePay, &n)
	if err != nil {
		return o, nil, err
	}
	p, err := s.Payments.Authorize(ctx, c.Actor, payment.Request{Terminal: o.Terminal, OrderNo: o.No, Amount: o.Amount,
		Method: pinfree.PaymentCode, Code: n.Code, Entry: n.Entry})
	return o, p, err
}

// Prepay opens an order that a payer confirms on the phone, and returns the
// text of its QR code. A repeat returns a further code of the same order.
func (s *Service) Prepay(ctx context.Context, c *Caller, n NewOrder) (string, error) {
	o, err := s.put(ctx, c, Native, &n)
	if err != nil {
		return "", err
	}
	p, end, err := s.Payments.Order(ctx, c.Actor, o.No)
	switch {
	case err != nil && mianmi.KindOf(err) != mianmi.NotFound:
		return "", err
	case end == payment.OrderReversed:
		return "", mianmi.Conflicts("order_reversed", "this order was reversed")
	case end != 0:
		return "", mianmi.Conflicts("order_closed", "this order was closed")
	case p != nil:
		return "", mianmi.Conflicts("order_paid", "this order was paid")
	}
	if n.ExpiresAt.IsZero() {
		n.ExpiresAt = s.now().Add(nativeLife)
	}
	_, token, err := s.Payments.OpenQR(ctx, c.Actor, payment.QRRequest{Terminal: o.Terminal, OrderNo: o.No, Amount: o.Amount, ExpiresAt: n.ExpiresAt})
	if err != nil {
		return "", err
	}
	return s.cfg.QRPrefix + token, nil
}

// put writes the order, or finds it as it was written first.
func (s *Service) put(ctx context.Context, c *Caller, t Trade, n *NewOrder) (Order, error) {
	o := Order{Merchant: c.Merchant, No: n.No, Trade: t, Device: n.Device, Amount: n.Amount, Attach: n.Attach, Fault: n.Fault, CreatedAt: s.now()}
	var err error
	if o.Terminal, err = s.terminal(ctx, c, n.Device); err != nil {
		return o, err
	}
	if o.Notify, err = s.sealNotify(c.Merchant, n.NotifyURL); err != nil {
		return o, err
	}
	have, err := s.Store.PutOrder(ctx, o)
	if err != nil {
		return o, err
	}
	notify, err := s.openNotify(c.Merchant, have.Notify)
	if err != nil {
		return o, err
	}
	if have.Trade != t || have.Device != o.Device || have.Amount != o.Amount || have.Attach != o.Attach || notify != n.NotifyURL {
		return o, errUsed
	}
	return have, nil
}

// terminal is the one that a device number names, or the merchant's default.
func (s *Service) terminal(ctx context.Context, c *Caller, device string) (mianmi.TerminalID, error) {
	snap, err := s.Store.Settings(ctx)
	if err != nil {
		return "", err
	}
	if site, ok := snap.Site(mianmi.TerminalID(device)); ok && site.Merchant.ID == c.Merchant {
		return site.Terminal.ID, nil
	}
	return c.Identity.Terminal, nil
}

func (s *Service) sealNotify(m mianmi.MerchantID, url string) ([]byte, error) {
	if url == "" {
		return []byte{}, nil
	}
	if err := s.Guard.CheckURL(url); err != nil {
		var e *mianmi.Error
		if errors.As(err, &e) {
			return nil, mianmi.InvalidField("notify_url", e.Msg)
		}
		return nil, err
	}
	return s.Keys.Seal(forNotify, []byte(url), string(m), s.Random)
}

func (s *Service) openNotify(m mianmi.MerchantID, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	text, err := s.Keys.Open(forNotify, sealed, string(m))
	return string(text), err
}

// Find is an order with what has become of it. NotFound: the number is not
// known here, and nothing has been taken by it so far.
func (s *Service) Find(ctx context.Context, c *Caller, no string) (Order, *payment.Payment, payment.OrderEnd, error) {
	o, err := s.Store.WechatOrder(ctx, c.Merchant, no)
	known := err == nil
	if !known && mianmi.KindOf(err) != mianmi.NotFound {
		return o, nil, 0, err
	}
	p, end, err := s.Payments.Order(ctx, c.Actor, no)
	switch {
	case mianmi.KindOf(err) == mianmi.NotFound && known && o.Trade == Native:
		return o, nil, 0, nil // it waits for a payer
	case err != nil:
		return o, nil, 0, err
	case !known:
		o = Order{Merchant: c.Merchant, No: no}
	}
	if p != nil && !known { // taken by another door of mianmi
		o.Terminal, o.Amount = p.Terminal, p.Amount
	}
	return o, p, end, nil
}

// Close ends a Native order that nobody has paid. A repeat changes nothing.
func (s *Service) Close(ctx context.Context, c *Caller, no string) error {
	o, err := s.Store.WechatOrder(ctx, c.Merchant, no)
	switch {
	case err != nil:
		return err
	case o.Trade != Native:
		return mianmi.Conflicts("not_native", "only an order that waits for a payer to scan it is closed")
	}
	p, _, err := s.Payments.EndOrder(ctx, c.Actor, no, payment.OrderClosed)
	if err == nil && p != nil {
		err = mianmi.Conflicts("order_paid", "this order was paid")
	}
	return err
}

// reverseTries bounds how often a reversal meets a payer who confirms at the
// same moment: once confirmed, the payment is approved and can be reversed.
const reverseTries = 3

// Reverse undoes an order by payment code: what was taken goes back, what waits
// is called off, and a request that never came finds its number ended. When it
// returns nil nothing of the payer's is with the merchant, nor will be.
func (s *Service) Reverse(ctx context.Context, c *Caller, no string) error {
	if o, err := s.Store.WechatOrder(ctx, c.Merchant, no); err == nil && o.Trade != CodePay {
		return mianmi.Conflicts("not_code_pay", "an order that waits for a payer is closed, and a paid one refunded")
	} else if err != nil && mianmi.KindOf(err) != mianmi.NotFound {
		return err
	}
	p, _, err := s.Payments.EndOrder(ctx, c.Actor, no, payment.OrderReversed)
	for range reverseTries {
		if err != nil || p == nil {
			return err
		}
		switch p.State {
		case payment.Declined, payment.Expired, payment.Refused, payment.Reversed:
			return s.Store.EndWechatOrder(ctx, c.Merchant, no, payment.OrderReversed)
		}
		if p, err = s.Payments.Reverse(ctx, c.Actor, p.ID); hasCode(err, "not_waiting") {
			p, _, err = s.Payments.Order(ctx, c.Actor, no)
		}
	}
	return &mianmi.Error{Kind: mianmi.Unavailable, Msg: "the payment changes at this moment; reverse it again", RetryAfter: time.Second}
}

func hasCode(err error, code string) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Code == code
}

// NewRefund asks for money back, of the payment that one of the two names.
type NewRefund struct {
	Transaction mianmi.PaymentID
	OrderNo     string
	No          string
	Amount      money.Amount
	Total       money.Amount // of the order, as the merchant knows it
	Reason      string
	NotifyURL   string
}

// Refund gives money back. A repeat returns the first refund.
func (s *Service) Refund(ctx context.Context, c *Caller, n NewRefund) (*payment.Payment, *payment.Refund, error) {
	p, err := s.paid(ctx, c, n.Transaction, n.OrderNo)
	if err != nil {
		return nil, nil, err
	}
	if p.Amount != n.Total {
		return nil, nil, mianmi.InvalidField("amount.total", "is not what was paid")
	}
	r := Refund{Merchant: c.Merchant, No: n.No, Payment: p.ID, CreatedAt: s.now()}
	if r.Notify, err = s.sealNotify(c.Merchant, n.NotifyURL); err != nil {
		return nil, nil, err
	}
	have, err := s.Store.PutRefund(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if have.Payment != p.ID {
		return nil, nil, mianmi.Conflicts("refund_no_used", "this refund number was used for another order; use a new number")
	}
	out, err := s.Payments.Refund(ctx, c.Actor, p.ID, payment.RefundRequest{RefundNo: n.No, Amount: n.Amount, Reason: n.Reason})
	if err != nil {
		return nil, nil, err
	}
	p, err = s.Payments.Payment(ctx, c.Actor, p.ID)
	return p, out, err
}

// paid finds the payment that a refund is of.
func (s *Service) paid(ctx context.Context, c *Caller, id mianmi.PaymentID, no string) (*payment.Payment, error) {
	if id != "" {
		p, err := s.Payments.Payment(ctx, c.Actor, id)
		if err == nil && no != "" && p.OrderNo != no {
			return nil, mianmi.InvalidField("out_trade_no", "is not the number of this transaction_id")
		}
		return p, err
	}
	p, end, err := s.Payments.Order(ctx, c.Actor, no)
	if err == nil && end != 0 {
		return nil, mianmi.Conflicts("not_refundable", "this order was closed unpaid")
	}
	return p, err
}

// FindRefund is a refund by the merchant's number.
func (s *Service) FindRefund(ctx context.Context, c *Caller, no string) (*payment.Payment, *payment.Refund, error) {
	r, err := s.Store.WechatRefund(ctx, c.Merchant, no)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.Payments.Payment(ctx, c.Actor, r.Payment)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.Payments.Refunds(ctx, c.Actor, r.Payment)
	if err != nil {
		return nil, nil, err
	}
	for i := range list {
		if list[i].RefundNo == no {
			return p, &list[i], nil
		}
	}
	return nil, nil, mianmi.Missing("refund")
}
