package wechatpay

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"

	"github.com/mianmi/mianmi"
)

// NotifyPath is where WeChat Pay's notifications arrive:
// /v3-notify/{connection}/{kind}.
const NotifyPath = "/v3-notify/"

// Kinds of notification, in their addresses.
const (
	transactionKind = "transaction"
	refundKind      = "refund"
	contractKind    = "contract"
	complaintKind   = "complaint"
	echoKind        = "echo"
)

// notifyBytesMax bounds a notification; a real one has some kilobytes.
const notifyBytesMax = 64 << 10

func (c *connection) notifyURL(kind string) string {
	return c.Notify.JoinPath(NotifyPath, c.Name, kind).String()
}

// Hint says that there is news at WeChat Pay of a payment, of its refund, of a
// contract or of a complaint. It is no news by itself: a notification may be old,
// or made by whoever has the keys, so it only makes somebody ask.
type Hint struct {
	Payment mianmi.PaymentID
	Refund  mianmi.RefundID // empty: of the payment itself
	// Contract is set, and Payment is not, when it is about a contract. Its Merchant
	// is any of those that share the account.
	Contract ContractRef
	// Complaint is set, and nothing else is but Connection, when it is about one.
	Complaint  string
	Connection string
}

// Hinted is who asks WeChat Pay when there is a hint. After an error WeChat Pay
// notifies again; a hint may come any number of times.
type Hinted interface {
	Hinted(ctx context.Context, h Hint) error
}

// Notifications receives what WeChat Pay sends; mount it at NotifyPath.
func (ch *Channel) Notifications(to Hinted, log *slog.Logger) (http.Handler, error) {
	handlers := map[string]*notify.Handler{}
	for name, c := range ch.connections {
		h, err := notify.NewRSANotifyHandler(c.APIv3Key, c.verifier.verifier)
		if err != nil {
			return nil, mianmi.InvalidField("connections["+name+"].api_v3_key", "cannot be used")
		}
		handlers[name] = h
	}
	return &receiver{channel: ch, handlers: handlers, to: to, log: log}, nil
}

type receiver struct {
	channel  *Channel
	handlers map[string]*notify.Handler
	to       Hinted
	log      *slog.Logger
}

// ServeHTTP is part of http.Handler. It answers 204, or WeChat Pay's form of a
// failure, after which it comes again.
func (n *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, kind, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, NotifyPath), "/")
	c := n.channel.connections[name]
	switch {
	case !ok || c == nil || !slices.Contains([]string{transactionKind, refundKind, contractKind, complaintKind, echoKind}, kind):
		fail(w, http.StatusNotFound, "no such address")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "want POST")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, notifyBytesMax))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "too large or cut off")
		return
	}
	h, event, ok := n.parse(r, c, body)
	switch {
	case !ok:
		// WeChat Pay sends badly signed ones on purpose, to see them refused.
		n.log.WarnContext(r.Context(), "a notification was refused: badly signed, or not as WeChat Pay makes them", "connection", name, "kind", kind)
		fail(w, http.StatusUnauthorized, "not accepted")
		return
	case h == Hint{}:
		n.log.InfoContext(r.Context(), "a notification that names no payment here", "connection", name, "event", event)
	default:
		if err := n.to.Hinted(r.Context(), h); err != nil {
			n.log.ErrorContext(r.Context(), "a notification could not be taken; WeChat Pay sends it again", "connection", name, "payment", string(h.Payment), "error", err.Error())
			fail(w, http.StatusInternalServerError, "try again")
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// fail answers in WeChat Pay's form.
func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"code":"FAIL","message":"`+message+`"}`)
}

// parse verifies and reads a notification. A good one that is not about a
// payment of this connection gives no hint.
func (n *receiver) parse(r *http.Request, c *connection, body []byte) (h Hint, event string, ok bool) {
	// The SDK panics on a signed notification without a resource, and its errors
	// quote the whole request: they go nowhere.
	defer func() {
		if recover() != nil {
			h, ok = Hint{}, false
		}
	}()
	if c.certs != nil {
		_ = c.certs.ready(r.Context()) // without certificates nothing verifies
	}
	var content struct {
		account
		contractNote
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		ComplaintID string `json:"complaint_id"`
	}
	read := func() (*notify.Request, error) {
		signed := r.Clone(r.Context())
		signed.Body = io.NopCloser(bytes.NewReader(body))
		return n.handlers[c.Name].ParseNotifyRequest(r.Context(), signed, &content)
	}
	got, err := read()
	if err != nil && c.certs.renewed(r.Context()) {
		got, err = read()
	}
	if err != nil || got == nil {
		return Hint{}, "", false
	}
	event = plain(strings.ReplaceAll(got.EventType, ".", "_"), codeForm)
	if complaintForm.MatchString(content.ComplaintID) {
		return Hint{Complaint: content.ComplaintID, Connection: c.Name}, event, true
	}
	if ref, is := content.ref(event, c.Merchants); is && content.MchID == c.MchID {
		return Hint{Contract: ref}, event, true
	}
	payment, refund := mianmi.PaymentID(content.OutTradeNo), mianmi.RefundID(content.OutRefundNo)
	if _, err := payment.Bucket(); err != nil || !c.named(content.account) {
		return Hint{}, event, true
	}
	if _, err := refund.Bucket(); err != nil {
		refund = ""
	}
	if refund == "" && !strings.HasPrefix(event, "TRANSACTION_") {
		return Hint{}, event, true
	}
	return Hint{Payment: payment, Refund: refund}, event, true
}

// named reports whether a notification's account is this connection's.
func (c *connection) named(a account) bool {
	if c.partner() {
		return a.SpMchID == c.MchID && a.SubMchID == c.SubMchID
	}
	return a.MchID == c.MchID
}

// contractNote is what a notification of a contract names it by.
type contractNote struct {
	Service   digits `json:"service_id"`
	Plan      digits `json:"plan_id"`
	Code      string `json:"out_contract_code"`
	ScoreCode string `json:"authorization_code"`
}

// ref is the contract that is meant. The family is told by the numbers that the
// note has: WeChat Pay's documents do not name all events.
func (n contractNote) ref(event string, merchants []mianmi.MerchantID) (ContractRef, bool) {
	if len(merchants) == 0 {
		return ContractRef{}, false
	}
	ref := ContractRef{Merchant: merchants[0], Family: PasswordExempt, Service: string(n.Service), Code: n.Code}
	switch {
	case n.ScoreCode != "":
		ref.Family, ref.Code = PayScore, n.ScoreCode
	case n.Plan != "":
		ref.Family, ref.Service = Papay, string(n.Plan)
	case strings.HasPrefix(event, "PAYSCORE_"):
		return ContractRef{}, false
	}
	return ref, ref.good()
}
