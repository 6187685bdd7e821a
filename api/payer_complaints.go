package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/support"
)

func (s *Server) registerPayerComplaints() {
	const all, one = "/v1/payers/{payer}/complaints", "/v1/payers/{payer}/complaints/{complaint}"
	writes := only(mianmi.RolePayer, mianmi.RoleSupport, mianmi.RoleOperator).keys(mianmi.ScopePayers)
	reads := only(readers...).and(mianmi.RolePayer).keys(mianmi.ScopePayers)
	add(s, route{method: "POST", path: all, name: "complain", tag: "complaints", status: 201, may: writes, bodyMax: 8 << 10,
		summary: "Complain of a payment", about: "Of one that was taken from the payer's balance in the last 180 days; one complaint about a payment is open at a time. " +
			"key makes a repeat harmless. The merchant's people and its software read it, and mianmi's own. What looks like a card number is struck out."}, s.complain)
	add(s, route{method: "GET", path: all, name: "payerComplaints", tag: "complaints", may: reads,
		summary: "List a payer's complaints", about: "Those that were made here, newest first, without history."}, s.payerComplaints)
	add(s, route{method: "GET", path: one, name: "payerComplaint", tag: "complaints", may: reads,
		summary: "Show a payer's complaint with its history"}, s.payerComplaint)
	add(s, route{method: "POST", path: one + "/messages", name: "writeToComplaint", tag: "complaints", may: writes, bodyMax: 8 << 10,
		summary: "Write about a complaint, or end it", about: "reply adds a text; resolved says that it is settled, withdrawn takes it back: both end it. key makes a repeat harmless."}, s.writeToComplaint)
	s.plain(route{method: "GET", path: one + "/pictures/{picture}", name: "payerComplaintPicture", tag: "complaints", may: reads,
		summary: "A picture of an answer to a payer's complaint", about: "One that a step names: JPEG, PNG or BMP."}, describePicture("payer", "complaint", "picture"), s.payerComplaintPicture)
}

// NewPayerComplaint is what a payer complains of.
type NewPayerComplaint struct {
	Key     string  `json:"key" doc:"1 to 32 letters, digits, _ and -, of the payer's own"`
	Payment string  `json:"payment" doc:"pm…"`
	Problem string  `json:"problem" enum:"refund,service_not_work,other"`
	Text    string  `json:"text" doc:"1 to 500 characters"`
	Asked   *Amount `json:"asked,omitzero" doc:"Of refund: how much the payer wants back"`
}

// PayerComplaint is a complaint as its payer sees it.
type PayerComplaint struct {
	ID        string          `json:"id"`
	Number    string          `json:"number" doc:"As the merchant knows it"`
	Merchant  string          `json:"merchant"`
	Payment   string          `json:"payment"`
	Amount    Amount          `json:"amount" doc:"Of the payment"`
	State     string          `json:"state" enum:"pending,processing,processed,"`
	Problem   string          `json:"problem" enum:"refund,service_not_work,other,"`
	Text      string          `json:"text"`
	Asked     *Amount         `json:"asked,omitzero"`
	Waiting   bool            `json:"waiting" doc:"The payer wrote, and nobody has answered"`
	At        time.Time       `json:"at"`
	ChangedAt time.Time       `json:"changed_at"`
	Version   int64           `json:"version"`
	Steps     []ComplaintStep `json:"steps,omitzero" doc:"Oldest first; not in lists"`
}

// NewComplaintMessage is what a payer says about a complaint.
type NewComplaintMessage struct {
	Key  string `json:"key" doc:"1 to 32 letters, digits, _ and -, of the payer's own"`
	Kind string `json:"kind" enum:"reply,resolved,withdrawn"`
	Text string `json:"text,omitzero" doc:"Of reply: 1 to 500 characters"`
}

func showPayerComplaint(c *support.Complaint) PayerComplaint {
	v := PayerComplaint{ID: string(c.ID), Number: c.Number, Merchant: string(c.Merchant), Payment: string(c.Own()), State: c.State.String(), Problem: c.Problem.String(),
		Text: c.Text, Asked: askedAmount(c.Asked), Waiting: c.Flags.Has(support.Waiting), At: c.At.UTC(), ChangedAt: c.ChangedAt.UTC(), Version: c.Version}
	if len(c.Payments) > 0 {
		v.Amount = amountOf(c.Payments[0].Amount)
	}
	return v
}

func showWithSteps(c *support.Complaint, steps []support.Step) *struct{ Body PayerComplaint } {
	out := showPayerComplaint(c)
	out.Steps = showSteps(steps)
	return &struct{ Body PayerComplaint }{out}
}

func (s *Server) complain(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body NewPayerComplaint
}) (*struct{ Body PayerComplaint }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	problem, _ := support.ParseProblem(b.Problem) // the service refuses none
	n := support.NewComplaint{Key: b.Key, Payment: mianmi.PaymentID(b.Payment), Problem: problem, Text: b.Text}
	if b.Asked != nil {
		n.Asked = b.Asked.money()
	}
	c, err := s.Complaints.Complain(ctx, a, id, n)
	if err != nil {
		return nil, err
	}
	return &struct{ Body PayerComplaint }{showPayerComplaint(&c)}, nil
}

func (s *Server) payerComplaints(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Payment string `query:"payment" doc:"pm…; those that are about it"`
	Open    bool   `query:"open" doc:"Those alone that are not over"`
	Before  string `query:"before" doc:"next of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[PayerComplaint] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	list, err := s.Complaints.PayerComplaints(ctx, a, id, support.Query{Payment: mianmi.PaymentID(in.Payment), Open: in.Open, Before: mianmi.ComplaintID(in.Before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showPayerComplaint, func(c *support.Complaint) string { return string(c.ID) }), nil
}

func (s *Server) payerComplaint(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	ComplaintInput
}) (*struct{ Body PayerComplaint }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	c, steps, err := s.Complaints.PayerComplaint(ctx, a, id, mianmi.ComplaintID(in.Complaint))
	if err != nil {
		return nil, err
	}
	return showWithSteps(&c, steps), nil
}

func (s *Server) payerComplaintPicture(c *call) {
	id, err := payerID(c.actor, c.r.PathValue("payer"))
	if err != nil {
		s.fail(c, err)
		return
	}
	picture, err := s.Complaints.PayerPicture(c.r.Context(), c.actor, id, mianmi.ComplaintID(c.r.PathValue("complaint")), c.r.PathValue("picture"))
	s.handOn(c, picture, err)
}

func (s *Server) writeToComplaint(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	ComplaintInput
	Body NewComplaintMessage
}) (*struct{ Body PayerComplaint }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	what, _ := support.ParseWriting(in.Body.Kind) // the service refuses none
	c, steps, err := s.Complaints.Write(ctx, a, id, mianmi.ComplaintID(in.Complaint), support.Message{Key: in.Body.Key, What: what, Text: in.Body.Text})
	if err != nil {
		return nil, err
	}
	return showWithSteps(&c, steps), nil
}
