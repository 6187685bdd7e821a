package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

func (s *Server) registerPayerPayments() {
	own := only(mianmi.RolePayer)
	add(s, route{method: "POST", path: "/v1/payers/{payer}/top-ups", name: "topUp", tag: "payers", status: 201, may: only(mianmi.RoleOperator).keys(mianmi.ScopePayers),
		summary: "Load a payer's balance", about: "key makes a repeat harmless: the same again returns the first answer."}, s.topUp)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/payments", name: "payerPayments", tag: "payers", may: only(readers...).and(mianmi.RolePayer),
		summary: "List a payer's payments", about: "Newest first; each names terminal, store, merchant, and why no PIN was asked."}, s.payerPayments)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/step-ups", name: "stepUps", tag: "payers", may: own, wait: true,
		summary: "Payments that wait for my password", about: "With wait the answer comes as soon as there is one, or after that many seconds."}, s.stepUps)
	s.plain(route{method: "GET", path: "/v1/payers/{payer}/events", name: "events", tag: "payers", may: own, wait: true,
		summary: "Changes of my payments as they happen",
		about: "Server-sent events (text/event-stream): the event stepups carries the payments that wait for the password, at the start and after each change. " +
			"The stream ends after ten minutes; connect again."}, describeEvents, s.events)
}

// TopUpBody loads a balance.
type TopUpBody struct {
	Key    string `json:"key" doc:"The caller's own number for this; makes a repeat harmless"`
	Amount Amount `json:"amount"`
	// Authenticated is the word of the caller, who has asked the payer.
	Authenticated bool `json:"authenticated,omitzero" doc:"The payer has authenticated for this top-up: what rules count begins again, where they say so"`
}

// TopUp is money that came onto a balance.
type TopUp struct {
	ID      string    `json:"id"`
	Key     string    `json:"key"`
	Amount  Amount    `json:"amount"`
	Balance *Amount   `json:"balance,omitzero" doc:"After it; in the first answer only"`
	At      time.Time `json:"at"`
}

func (s *Server) topUp(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body TopUpBody
}) (*struct{ Body TopUp }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	t, err := s.Payments.TopUp(ctx, a, payment.TopUpRequest{Payer: id, Key: in.Body.Key, Amount: in.Body.Amount.money(), Authenticated: in.Body.Authenticated})
	if err != nil {
		return nil, err
	}
	out := TopUp{ID: t.ID, Key: t.Key, Amount: amountOf(t.Amount), At: t.At.UTC()}
	if t.Balance.Currency() != "" {
		balance := amountOf(t.Balance)
		out.Balance = &balance
	}
	return &struct{ Body TopUp }{out}, nil
}

func (s *Server) payerPayments(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Before string `query:"before" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Payment] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	list, err := s.Payments.Payments(ctx, a, id, mianmi.PaymentID(in.Before), in.Limit)
	if err != nil {
		return nil, err
	}
	show := func(p *payment.Payment) Payment { return s.showPayment(ctx, a, p) }
	return listOf(list, in.Limit, show, func(p *payment.Payment) string { return string(p.ID) }), nil
}

const (
	// waitMax bounds a long poll: below what proxies cut off.
	waitMax = 30 * time.Second
	// lookEvery is how soon a change on another node is seen.
	lookEvery = 3 * time.Second
)

func (s *Server) stepUps(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Wait string `query:"wait" doc:"At most 30s" example:"20s"`
}) (*struct{ Body List[Payment] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	var wait time.Duration
	if in.Wait != "" {
		if wait, err = time.ParseDuration(in.Wait); err != nil || wait < 0 || wait > waitMax {
			return nil, mianmi.InvalidField("wait", `want a time such as "20s", at most 30s`)
		}
	}
	news, done := s.Payments.Watch(id) // before the first look, so that nothing is missed
	defer done()
	end, look := time.NewTimer(wait), time.NewTicker(lookEvery)
	defer end.Stop()
	defer look.Stop()
	for {
		list, err := s.waiting(ctx, a, id)
		if err != nil || len(list.Items) > 0 || wait == 0 {
			return &struct{ Body List[Payment] }{list}, err
		}
		select {
		case <-news:
		case <-look.C:
		case <-end.C:
			return &struct{ Body List[Payment] }{list}, nil
		case <-s.stopping:
			return &struct{ Body List[Payment] }{list}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Server) waiting(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (List[Payment], error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Deadline)
	defer cancel()
	rows, err := s.Payments.StepUps(ctx, a, id)
	if err != nil {
		return List[Payment]{}, err
	}
	list := List[Payment]{Items: make([]Payment, len(rows))}
	for i := range rows {
		list.Items[i] = s.showPayment(ctx, a, &rows[i])
	}
	return list, nil
}

const (
	// eventsLife bounds a stream, so that a lost session ends with it.
	eventsLife = 10 * time.Minute
	// eventsBeat keeps proxies from closing a quiet stream, finds out who has
	// gone, and ends the stream of a session that has ended.
	eventsBeat = 15 * time.Second
	// eventWriteMax is how long one event may take to go out.
	eventWriteMax = 10 * time.Second
)

func describeEvents(schemas huma.Registry, op *huma.Operation) {
	op.Parameters = append(op.Parameters, &huma.Param{Name: "payer", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	op.Responses["200"] = &huma.Response{Description: "A stream of events; data of stepups is a list of payments",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schemas.Schema(reflect.TypeFor[List[Payment]](), true, "")}}}
}

func (s *Server) events(c *call) {
	id, err := payerID(c.actor, c.r.PathValue("payer"))
	if err != nil {
		s.fail(c, err)
		return
	}
	last := ""
	s.stream(c, id, lookEvery, func(ctx context.Context) error {
		text, err := s.waitingText(ctx, c.actor, id)
		if err == nil && text != last {
			err = s.sendEvent(c, "event: stepups\ndata: "+text+"\n\n")
			last = text
		}
		return err
	})
}

// stream calls look at once, when there is news of the payer's payments, and after
// each pause, until the caller, the session, the server or the stream's time ends.
func (s *Server) stream(c *call, id mianmi.PayerID, pause time.Duration, look func(context.Context) error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), eventsLife)
	defer cancel()
	news, done := s.Payments.Watch(id)
	defer done()
	beat, again := time.NewTicker(eventsBeat), time.NewTicker(pause)
	defer beat.Stop()
	defer again.Stop()
	for {
		if err := look(ctx); err != nil {
			if !errors.Is(err, errGone) {
				s.fail(c, err)
			}
			return
		}
		select {
		case <-news:
		case <-again.C:
		case <-beat.C:
			if !s.stillIn(c) || s.sendEvent(c, ": \n\n") != nil { // a comment
				return
			}
		case <-s.stopping:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) waitingText(ctx context.Context, a mianmi.Actor, id mianmi.PayerID) (string, error) {
	list, err := s.waiting(ctx, a, id)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(list)
	return string(text), err
}

// stillIn reports whether the session that a stream began with goes on.
func (s *Server) stillIn(c *call) bool {
	token, err := bearer(c.r.Header)
	if err != nil {
		return false
	}
	_, err = s.Access.Authenticate(c.r.Context(), token)
	return mianmi.KindOf(err) != mianmi.Unauthenticated || err == nil
}

// sendEvent writes one event and makes it leave.
func (s *Server) sendEvent(c *call, event string) error {
	if c.status == 0 {
		c.Header().Set("Content-Type", "text/event-stream")
		c.Header().Set("X-Accel-Buffering", "no") // nginx: do not hold it back
		c.WriteHeader(http.StatusOK)
	}
	// The server's own deadline is for answers that end. A deadline in the past
	// ends a write that hangs; a writer without a connection has none.
	rc := http.NewResponseController(c.w)
	_ = rc.SetWriteDeadline(time.Time{})
	defer time.AfterFunc(eventWriteMax, func() { _ = rc.SetWriteDeadline(time.Unix(1, 0)) }).Stop()
	if _, err := fmt.Fprint(c, event); err != nil {
		return errGone
	}
	if rc.Flush() != nil {
		return errGone
	}
	return nil
}

// errGone says that nobody listens to a stream any more, which is no fault.
var errGone = errors.New("the caller has gone")
