package api

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// The two routes here are measured. They are plain handlers: the framework
// decodes a body twice and validates it against a schema, which costs more
// than the rest of the way to the service.

// Authorization asks for one payment.
type Authorization struct {
	Terminal   string `json:"terminal" doc:"Which terminal takes the payment" example:"tm01j9zq…"`
	OrderNo    string `json:"order_no" maxLength:"32" pattern:"^[0-9A-Za-z_*-]{1,32}$" doc:"The merchant's own number; charged at most once"`
	Amount     Amount `json:"amount"`
	Method     string `json:"method" enum:"payment_code,card_tap,card_insert,card_swipe,dynamic_qr,cash" doc:"dynamic_qr only with channel"`
	Code       string `json:"code,omitzero" doc:"payment_code: its 18 digits" pattern:"^[0-9]{18}$"`
	Entry      string `json:"entry,omitzero" enum:"scanned,typed" doc:"How the code was read; typed, or left out, always asks for the password"`
	Instrument string `json:"instrument,omitzero" doc:"Cards and devices: the token that mianmi issued; never a card number"`
	CVM        string `json:"cvm,omitzero" enum:"none,cdcvm,offline_pin" doc:"What the card's kernel reports as done"`
	Channel    string `json:"channel,omitzero" doc:"With dynamic_qr: the payment system whose QR code is shown; a code says itself whose it is"`
	Member     string `json:"member,omitzero" doc:"A payer here who pays with another system's code or app, and has an agreement with the merchant: then the payer's own switch and limits count"`
}

// AuthorizationBatch asks for up to 100 payments.
type AuthorizationBatch struct {
	Payments []Authorization `json:"payments" minItems:"1" maxItems:"100"`
}

// BatchAnswer has one result for each payment asked for, in their order.
type BatchAnswer struct {
	Results []BatchResult `json:"results"`
}

// BatchResult is either a payment or the problem with it.
type BatchResult struct {
	Payment *Payment `json:"payment,omitzero"`
	Problem *Problem `json:"problem,omitzero"`
}

const (
	batchMax     = 100
	batchBodyMax = 1 << 20 // 100 payments of 400 bytes, with room
)

func (s *Server) registerMeasured() {
	may := only(shopPeople...).keys(mianmi.ScopePay)
	s.plain(route{
		method: "POST", path: "/v1/payments", name: "authorize", tag: "payments", may: may.and(mianmi.RoleTerminal),
		summary: "Take a payment", cached: true, measured: true,
		about: "Decides whether the payment may pass without a PIN and, if so, takes it; the answer is durable. " +
			"The same request again gets the first answer; the same order number with another content is the conflict order_conflict. " +
			"step_up_required means: show step_up to the payer and wait for the state to change. " +
			"verifying, unknown and undoing are those of a payment system that is asked over a network: wait for the state to change; nothing is over yet.",
	}, describe[Authorization, Payment], s.authorize)
	s.plain(route{
		method: "POST", path: "/v1/payment-batches", name: "authorizeBatch", tag: "payments", may: may, bodyMax: batchBodyMax,
		summary: "Take up to 100 payments", cached: true, measured: true,
		about: "Each payment is decided for itself and has its own result: a payment, or a problem document.",
	}, describe[AuthorizationBatch, BatchAnswer], s.authorizeBatch)
}

// describe puts a body and an answer into the document.
func describe[I, O any](schemas huma.Registry, op *huma.Operation) {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[I](), true, "")}}}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[O](), true, "")}}}
}

func (s *Server) authorize(c *call) {
	var in Authorization
	if err := s.read(c, &in); err != nil {
		s.fail(c, err)
		return
	}
	req, err := in.request()
	if err != nil {
		s.fail(c, err)
		return
	}
	p, err := s.Payments.Authorize(c.r.Context(), c.actor, req)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.metrics.payment(p)
	v := s.showPayment(c.r.Context(), c.actor, p)
	s.write(c, v.appendTo)
}

func (s *Server) authorizeBatch(c *call) {
	var in AuthorizationBatch
	if err := s.read(c, &in); err != nil {
		s.fail(c, err)
		return
	}
	if len(in.Payments) == 0 || len(in.Payments) > batchMax {
		s.fail(c, mianmi.InvalidField("payments", "1 to 100 payments"))
		return
	}
	out := BatchAnswer{Results: make([]BatchResult, len(in.Payments))}
	reqs, at := make([]payment.Request, 0, len(in.Payments)), make([]int, 0, len(in.Payments))
	for i := range in.Payments {
		req, err := in.Payments[i].request()
		if err != nil {
			out.Results[i].Problem = problem(c, err)
			continue
		}
		reqs, at = append(reqs, req), append(at, i)
	}
	if len(reqs) > 0 {
		results, err := s.Payments.AuthorizeMany(c.r.Context(), c.actor, reqs)
		if err != nil {
			s.fail(c, err)
			return
		}
		for i := range results {
			s.result(c, &out.Results[at[i]], &results[i])
		}
	}
	s.write(c, out.appendTo)
}

func (a *BatchAnswer) appendTo(b []byte) []byte {
	b = append(b, `{"results":[`...)
	for i := range a.Results {
		if i > 0 {
			b = append(b, ',')
		}
		switch r := &a.Results[i]; {
		case r.Payment != nil:
			b = append(r.Payment.appendTo(append(b, `{"payment":`...)), '}')
		case r.Problem != nil:
			b = append(r.Problem.appendTo(append(b, `{"problem":`...)), '}')
		default:
			b = append(b, `{}`...)
		}
	}
	return append(b, `]}`...)
}

func (s *Server) result(c *call, out *BatchResult, r *payment.Result) {
	if r.Err != nil {
		out.Problem = problem(c, r.Err)
		if out.Problem.Status == http.StatusInternalServerError {
			c.err = r.Err
		}
		return
	}
	s.metrics.payment(r.Payment)
	p := s.showPayment(c.r.Context(), c.actor, r.Payment)
	out.Payment = &p
}

// request turns names into the service's words; what they mean together is
// the service's to check.
func (in *Authorization) request() (payment.Request, error) {
	r := payment.Request{Terminal: mianmi.TerminalID(in.Terminal), OrderNo: in.OrderNo, Amount: in.Amount.money(),
		Code: in.Code, Instrument: mianmi.InstrumentID(in.Instrument), Channel: in.Channel, Member: mianmi.PayerID(in.Member)}
	var ok bool
	if r.Method, ok = pinfree.ParseMethod(in.Method); !ok {
		return r, mianmi.InvalidField("method", "one of payment_code, card_tap, card_insert, card_swipe, cash")
	}
	if r.Entry, ok = pinfree.ParseEntry(in.Entry); !ok {
		return r, mianmi.InvalidField("entry", "scanned or typed")
	}
	if r.CVM, ok = pinfree.ParseCVM(in.CVM); !ok {
		return r, mianmi.InvalidField("cvm", "none, cdcvm or offline_pin")
	}
	return r, nil
}

// buffers are shared by the measured routes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// bufferKeepMax bounds what one large batch leaves in the pool.
const bufferKeepMax = 256 << 10

func giveBack(b *bytes.Buffer) {
	if b.Cap() <= bufferKeepMax {
		b.Reset()
		buffers.Put(b)
	}
}

// read decodes a body of a measured route.
func (s *Server) read(c *call, v any) error {
	b := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool makes nothing else
	defer giveBack(b)
	n, err := io.Copy(b, io.LimitReader(c.r.Body, c.route.bodyMax+1))
	switch {
	case err != nil:
		return bodyError(err)
	case n > c.route.bodyMax:
		return transport("body_too_large", "the body is too large")
	}
	if err := decode(b.Bytes(), v); err != nil {
		return bodyFault(err)
	}
	return nil
}

// bodyFault names the member that could not be decoded.
func bodyFault(err error) error {
	var meaning *json.SemanticError
	if errors.As(err, &meaning) {
		return mianmi.InvalidField(memberName(meaning.JSONPointer), memberFault(meaning))
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		e := &mianmi.Error{Kind: mianmi.Invalid, Code: "malformed_json", Field: memberName(syntax.JSONPointer), Msg: "not JSON"}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			e.Msg = "a member is there twice"
		}
		return e
	}
	return transport("malformed_json", "not JSON")
}

func memberFault(e *json.SemanticError) string {
	if errors.Is(e, json.ErrUnknownName) {
		return "there is no such member"
	}
	if e.JSONKind != 0 && e.GoType != nil {
		return "does not fit: want " + kindWord(e.GoType)
	}
	return "does not fit"
}

func kindWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int64, reflect.Int:
		return "a whole number"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// memberName is a JSON pointer in dotted form: "/payments/3/amount" is
// "payments[3].amount".
func memberName(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 31); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return bounded(b.String())
}

// bounded cuts a text from outside to what a problem document may repeat.
func bounded(text string) string {
	const textMax = 100
	if len(text) <= textMax {
		return text
	}
	return strings.ToValidUTF8(text[:textMax], "") + "…"
}

// write sends the answer of a measured route.
func (s *Server) write(c *call, appendTo func([]byte) []byte) {
	b := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool makes nothing else
	defer giveBack(b)
	text := appendTo(b.AvailableBuffer())
	h := c.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	_, _ = c.Write(text) // the caller has gone: nobody to tell
	b.Write(text)        // the pool keeps the longer buffer
}
