package wechat

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
)

// Waits are WeChat Pay's between the tries of a notification: sixteen tries in
// a little more than 24 hours.
var Waits = []time.Duration{15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, 30 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 6 * time.Hour}

// NotifyTimeout is how long a receiver may take to answer.
const NotifyTimeout = 5 * time.Second

// Courier sends the notifications of orders, refunds, contracts, complaints and checks. It is a
// notice.Courier: its messages lie in the queue of the merchant's identity.
type Courier struct {
	Service *Service
	Poster  *notice.Poster
	Waits   []time.Duration // of all; default Waits, and for complaints WeChat Pay's of those
}

// Wait implements notice.Courier.
func (c *Courier) Wait(d *notice.Delivery, attempts int) (time.Duration, bool) {
	waits := c.Waits
	if len(waits) == 0 && isComplaint(d) {
		return complaintWait(d, attempts)
	}
	if len(waits) == 0 {
		waits = Waits
	}
	if attempts < 1 || attempts > len(waits) {
		return 0, false
	}
	return waits[attempts-1], true
}

// event is a notification before it is encrypted.
type event struct {
	url      string // empty: nobody is to be told
	kind     string // event_type
	original string // original_type
	summary  string
	resource any
	fault    Fault
}

// Send implements notice.Courier.
func (c *Courier) Send(ctx context.Context, w *notice.Webhook, d *notice.Delivery, r *notice.Record) notice.Answer {
	i, err := c.Service.Store.WechatIdentity(ctx, w.Merchant)
	if err != nil {
		return notice.Answer{Fault: failed(err)}
	}
	events, err := c.events(ctx, &i, d, r)
	if err != nil {
		return notice.Answer{Fault: failed(err)}
	}
	var a notice.Answer
	for n := range events { // none, or nowhere to go: nobody is to be told
		if e := &events[n]; e.url != "" {
			if a = c.sendOne(ctx, &i, d, e, n); a.Fault != notice.NoFault {
				return a // and all come again
			}
		}
	}
	return a
}

func (c *Courier) sendOne(ctx context.Context, i *Identity, d *notice.Delivery, e *event, n int) notice.Answer {
	how := c.Service.Normal()
	if e.fault != NoFault {
		if e.fault.drops(d.Attempts) {
			return notice.Answer{Fault: notice.Cut}
		}
		how = e.fault.How(how)
	}
	body, err := c.Service.message(i, d, e, n)
	if err != nil {
		return notice.Answer{Fault: failed(err)}
	}
	a := c.post(ctx, e.url, body, how)
	if e.fault == NotifyTwice && a.Fault == notice.NoFault {
		a = c.post(ctx, e.url, body, how)
	}
	return a
}

// failed says whether a notification can ever be built: while the database is
// away it waits, and what does not open or is gone never will be.
func failed(err error) notice.Fault {
	if mianmi.KindOf(err) == mianmi.Unavailable {
		return notice.Cut
	}
	return notice.Unbuildable
}

func (c *Courier) post(ctx context.Context, url string, body []byte, how How) notice.Answer {
	g, err := c.Service.Sign(ctx, body, how)
	if err != nil {
		return notice.Answer{Fault: failed(err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return notice.Answer{Fault: notice.Unresolved}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mianmi-wechat/1")
	req.Header.Set("Request-ID", g.Nonce)
	for name, value := range g.Headers() {
		req.Header.Set(name, value)
	}
	a := c.Poster.Do(req)
	if a.Fault == notice.NoFault && a.Status != http.StatusOK && a.Status != http.StatusNoContent {
		a.Fault = notice.Failing
	}
	return a
}

// events says what a delivery tells, and whom.
func (c *Courier) events(ctx context.Context, i *Identity, d *notice.Delivery, r *notice.Record) ([]event, error) {
	var e event
	var err error
	switch {
	case d.Topic == notice.AgreementClosed:
		return c.terminated(ctx, i, d, r)
	case d.Topic == notice.Topic(payment.TopicApproved), debitFailures>>d.Topic&1 == 1:
		e, err = c.paid(ctx, i, d, r)
	case d.Topic == notice.Topic(payment.TopicRefunded):
		e, err = c.refunded(ctx, i, d, r)
	case d.Topic == notice.Test && strings.HasPrefix(d.Ref, contractMark):
		e, err = c.signed(ctx, i, d.Ref)
	case isComplaint(d):
		e, err = c.complaint(i, d.Ref)
	case d.Topic == notice.Test:
		e, err = c.Service.openEcho(i, d.Ref)
	}
	return []event{e}, err
}

// paid tells of an order that a payer has confirmed, and of a charge under a
// contract that was not taken. Of one by payment code WeChat Pay sends none: its
// answer and queries tell.
func (c *Courier) paid(ctx context.Context, i *Identity, d *notice.Delivery, r *notice.Record) (event, error) {
	p, ok := r.Payments[mianmi.PaymentID(d.Subject)]
	if !ok {
		return event{}, mianmi.Missing("payment")
	}
	o, err := c.Service.Store.WechatOrder(ctx, i.Merchant, p.OrderNo)
	if mianmi.KindOf(err) == mianmi.NotFound || err == nil && (o.Trade == CodePay || o.Fault == NotifyLost) {
		return event{}, nil
	}
	if err != nil {
		return event{}, err
	}
	e := event{kind: "TRANSACTION.SUCCESS", original: "transaction", summary: "支付成功", fault: o.Fault}
	if e.url, err = c.Service.openNotify(i.Merchant, o.Notify); err != nil {
		return event{}, err
	}
	then := *p // as it was when the fact was made
	then.State, then.StateAt, then.Refunded = payment.Approved, d.At, 0
	if d.Topic != notice.Topic(payment.TopicApproved) {
		if o.Trade != Debit {
			return event{}, nil
		}
		then.State, e.kind, e.summary = payment.Declined, "TRANSACTION.FAIL", "支付失败"
	}
	e.resource = c.Service.Transaction(i, &o, &then, 0)
	return e, nil
}

// refundNotice is the resource of a refund's notification.
type refundNotice struct {
	MchID               string             `json:"mchid"`
	OutTradeNo          string             `json:"out_trade_no"`
	TransactionID       string             `json:"transaction_id"`
	OutRefundNo         string             `json:"out_refund_no"`
	RefundID            string             `json:"refund_id"`
	RefundStatus        string             `json:"refund_status"`
	SuccessTime         string             `json:"success_time"`
	UserReceivedAccount string             `json:"user_received_account"`
	Amount              refundNoticeAmount `json:"amount"`
}

type refundNoticeAmount struct {
	Total       int64 `json:"total"`
	Refund      int64 `json:"refund"`
	PayerTotal  int64 `json:"payer_total"`
	PayerRefund int64 `json:"payer_refund"`
}

func (c *Courier) refunded(ctx context.Context, i *Identity, d *notice.Delivery, r *notice.Record) (event, error) {
	p, ok := r.Payments[mianmi.PaymentID(d.Subject)]
	if !ok {
		return event{}, mianmi.Missing("payment")
	}
	at := slices.IndexFunc(r.Refunds[p.ID], func(f payment.Refund) bool { return f.State == payment.RefundDone && f.Settled == d.Seq })
	if at < 0 {
		return event{}, mianmi.Missing("refund")
	}
	f := &r.Refunds[p.ID][at]
	known, err := c.Service.Store.WechatRefund(ctx, i.Merchant, f.RefundNo)
	if mianmi.KindOf(err) == mianmi.NotFound || err == nil && known.Payment != p.ID {
		return event{}, nil
	}
	if err != nil {
		return event{}, err
	}
	e := event{kind: "REFUND.SUCCESS", original: "refund", summary: "退款成功"}
	if e.url, err = c.Service.openNotify(i.Merchant, known.Notify); err != nil {
		return event{}, err
	}
	total, back := p.Amount.Minor(), f.Amount.Minor()
	e.resource = refundNotice{MchID: i.MchID, OutTradeNo: p.OrderNo, TransactionID: string(p.ID), OutRefundNo: f.RefundNo, RefundID: string(f.ID),
		RefundStatus: "SUCCESS", SuccessTime: Stamp(f.At), UserReceivedAccount: receivedBy,
		Amount: refundNoticeAmount{Total: total, Refund: back, PayerTotal: total, PayerRefund: back}}
	return e, nil
}

// notification is the body of what is sent.
type notification struct {
	ID           string            `json:"id"`
	CreateTime   string            `json:"create_time"`
	EventType    string            `json:"event_type"`
	ResourceType string            `json:"resource_type"`
	Summary      string            `json:"summary"`
	Resource     EncryptedResource `json:"resource"`
}

// EncryptedResource is text that only the merchant's APIv3 key opens.
type EncryptedResource struct {
	Algorithm      string `json:"algorithm"`
	OriginalType   string `json:"original_type,omitempty"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
	Ciphertext     string `json:"ciphertext"`
}

// message builds what is sent; its identifier is the same each time. n is which of
// the delivery's messages it is.
func (s *Service) message(i *Identity, d *notice.Delivery, e *event, n int) ([]byte, error) {
	text, err := json.Marshal(e.resource)
	if err != nil {
		return nil, fmt.Errorf("encode a notification of %s: %w", i.Merchant, err)
	}
	sealed, err := s.Encrypt(i, text, e.original)
	if err != nil {
		return nil, err
	}
	sealed.OriginalType = e.original
	id := fmt.Sprintf("EV-%s-%d", d.Webhook, d.Number)
	if n > 0 {
		id += fmt.Sprintf("-%d", n)
	}
	return json.Marshal(notification{ID: id, CreateTime: Stamp(d.At), EventType: e.kind,
		ResourceType: "encrypt-resource", Summary: e.summary, Resource: sealed})
}

// Encrypt encrypts text under a merchant's APIv3 key (AES-256-GCM).
func (s *Service) Encrypt(i *Identity, text []byte, about string) (EncryptedResource, error) {
	key, err := s.apiKey(i)
	if err != nil {
		return EncryptedResource{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return EncryptedResource{}, fmt.Errorf("encrypt for %s: %w", i.Merchant, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return EncryptedResource{}, fmt.Errorf("encrypt for %s: %w", i.Merchant, err)
	}
	nonce, err := secret.Letters(s.Random, aead.NonceSize()) // 60 random bits of text, as the form wants it
	if err != nil {
		return EncryptedResource{}, err
	}
	sealed := aead.Seal(nil, []byte(nonce), text, []byte(about)) //nolint:gosec // the nonce was just drawn
	return EncryptedResource{Algorithm: "AEAD_AES_256_GCM", AssociatedData: about, Nonce: nonce, Ciphertext: base64.StdEncoding.EncodeToString(sealed)}, nil
}

// Echo is what a check of keys and network asks back.
type Echo struct {
	Message   string `json:"echo_message"`
	Encrypted string `json:"encrypt_echo_message,omitempty"`
}

// echoMark leads the reference of a delivery that is an echo.
const echoMark = "echo:"

type echoTo struct {
	URL  string
	Echo Echo
}

// SendEcho lets an echo be sent to an address of the merchant's, as a
// notification is. What it says lies sealed in its queue.
func (s *Service) SendEcho(ctx context.Context, c *Caller, url string, e Echo) error {
	if url == "" {
		return mianmi.InvalidField("notify_url", "is missing")
	}
	if _, err := s.sealNotify(c.Merchant, url); err != nil {
		return err
	}
	text, err := json.Marshal(echoTo{url, e})
	if err != nil {
		return fmt.Errorf("encode an echo: %w", err)
	}
	sealed, err := s.Keys.Seal(forNotify, text, echoMark+string(c.Merchant), s.Random)
	if err != nil {
		return err
	}
	now := s.now()
	id, err := mianmi.NewID("ec", now, s.Random)
	if err != nil {
		return err
	}
	_, err = s.Store.Enqueue(ctx, c.Identity.Webhook, notice.Fact{At: now, Subject: id, Topic: notice.Test,
		Ref: echoMark + base64.StdEncoding.EncodeToString(sealed)})
	return err
}

func (s *Service) openEcho(i *Identity, ref string) (event, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(ref, echoMark))
	if err != nil {
		return event{}, fmt.Errorf("an echo of %s cannot be read", i.Merchant)
	}
	text, err := s.Keys.Open(forNotify, raw, echoMark+string(i.Merchant))
	if err != nil {
		return event{}, err
	}
	var to echoTo
	if err := json.Unmarshal(text, &to); err != nil {
		return event{}, fmt.Errorf("an echo of %s cannot be read", i.Merchant)
	}
	return event{url: to.URL, kind: "SECURITY_ECHO.SUCCESS", original: "security", summary: "回显成功", resource: to.Echo}, nil
}

// Fault is a fault that a test of merchants' software asks for. The numbers are stored.
type Fault uint8

const (
	NoFault      Fault = iota
	NotifyLost         // the notification is never sent
	NotifyLate         // the first two tries are lost
	NotifyTwice        // it comes twice
	NotifyOther        // it is signed in the name of the other one of certificate and public key
	NotifySkewed       // it is signed with a time that is ten minutes off
)

var faultNames = []string{"", "notify-lost", "notify-late", "notify-twice", "notify-other-key", "notify-clock-skew"}

// ParseFault reads a fault's name; 0 and false for one that is not known.
func ParseFault(name string) (Fault, bool) {
	at := slices.Index(faultNames, name)
	return Fault(max(at, 0)), at > 0 //nolint:gosec // a table index
}

// Skew is how far a clock is off that a test wants wrong: more than the five
// minutes that are allowed.
const Skew = 10 * time.Minute

// How is what the fault makes of the way to sign.
func (f Fault) How(h How) How {
	switch f {
	case NotifyOther:
		h.Certificate = !h.Certificate
	case NotifySkewed:
		h.Skew = -Skew
	}
	return h
}

func (f Fault) drops(attempts int) bool { return f == NotifyLate && attempts < 2 }
