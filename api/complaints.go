package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
)

func (s *Server) registerComplaints() {
	may := only(readers...).and(mianmi.RoleMerchantAdmin).keys(mianmi.ScopeRead)
	add(s, route{method: "GET", path: "/v1/complaints", name: "complaints", tag: "complaints", may: may,
		summary: "List complaints", about: "What payers complain of at the channels, newest first, without history. A merchant's people see their merchant's."}, s.complaints)
	add(s, route{method: "GET", path: "/v1/complaints/{complaint}", name: "complaint", tag: "complaints", may: may,
		summary: "Show a complaint with its history", about: "As the channel had it at seen_at; a notification or the next look brings what is newer."}, s.complaint)
	add(s, route{method: "POST", path: "/v1/complaints/{complaint}/answers", name: "answerComplaint", tag: "complaints", status: 202, bodyMax: 8 << 10,
		may:     only(mianmi.RoleMerchantAdmin, mianmi.RoleSupport, mianmi.RoleOperator).keys(mianmi.ScopeRefund),
		summary: "Answer a complaint", about: "Taken at once, and said as soon as the channel can be reached; until then it is ordered. One of a complaint at a time. key makes a repeat harmless. " +
			"approve refunds that part of the payment and tells the channel. complete is refused while a refund is pending, and when there is news since the version. " +
			"Software needs the scopes read and refund."}, s.answerComplaint)
	s.plain(route{method: "GET", path: "/v1/complaints/{complaint}/pictures/{picture}", name: "complaintPicture", tag: "complaints", may: may,
		summary: "A picture of a complaint", about: "One that the complaint or a step of it names, from the channel as it is: JPEG, PNG, BMP, GIF or WebP."}, describePicture("complaint", "picture"), s.complaintPicture)
}

// Complaint is what a payer complains of.
type Complaint struct {
	ID       string            `json:"id"`
	Channel  string            `json:"channel"`
	Account  string            `json:"account" doc:"The connection's name"`
	Number   string            `json:"number" doc:"The channel's"`
	Merchant string            `json:"merchant,omitzero" doc:"Left out: not known; mianmi's own people see it"`
	State    string            `json:"state" enum:"pending,processing,processed," doc:"Empty: a state that this program does not know"`
	Problem  string            `json:"problem" enum:"refund,service_not_work,other,"`
	Title    string            `json:"title" doc:"The problem in the channel's words"`
	Text     string            `json:"text" doc:"The payer's own words"`
	Asked    *Amount           `json:"asked,omitzero" doc:"What the payer wants back"`
	Times    int64             `json:"times" doc:"How often this payer has complained"`
	Pictures []string          `json:"pictures,omitzero"`
	Payments []ComplainPayment `json:"payments"`

	Waiting   bool `json:"waiting" doc:"The payer wrote, and nobody has answered"`
	Platform  bool `json:"platform" doc:"The channel's own people help"`
	Immediate bool `json:"immediate" doc:"The payer is to be served at once"`
	Refunded  bool `json:"refunded" doc:"Everything is given back, says the channel"`
	Trusted   bool `json:"trusted" doc:"The channel trusts this payer"`
	HighRisk  bool `json:"high_risk" doc:"The channel warns of this one"`

	At        time.Time       `json:"at"`
	ChangedAt time.Time       `json:"changed_at"`
	SeenAt    time.Time       `json:"seen_at"`
	Version   int64           `json:"version"`
	Steps     []ComplaintStep `json:"steps,omitzero" doc:"Oldest first; not in lists"`

	Answers []ComplaintAnswer `json:"answers,omitzero" doc:"What was ordered here, oldest first; not in lists"`

	Case string `json:"case,omitzero" doc:"That the support desk keeps about it; for mianmi's own people"`
}

// NewComplaintAnswer is what is to be said.
type NewComplaintAnswer struct {
	Key     string  `json:"key" doc:"1 to 32 letters, digits, _ and -, of the caller's own"`
	Kind    string  `json:"kind" enum:"reply,complete,approve,refuse"`
	Text    string  `json:"text,omitzero" doc:"Of reply and refuse: 1 to 200 characters, for the payer"`
	Version int64   `json:"version,omitzero" doc:"The complaint's, as you have seen it; complete needs it"`
	Payment string  `json:"payment,omitzero" doc:"Of approve: one that the complaint is about"`
	Amount  *Amount `json:"amount,omitzero" doc:"Of approve: what is given back"`
	Days    int     `json:"days,omitzero" doc:"Of approve: within how many days the payer has it, 0 to 30"`
}

// ComplaintAnswer is what was ordered to be said.
type ComplaintAnswer struct {
	ID       string     `json:"id"`
	Key      string     `json:"key"`
	Kind     string     `json:"kind" enum:"reply,complete,approve,refuse,promise" doc:"promise: software of the merchant's says that it gives money back by itself"`
	Text     string     `json:"text,omitzero"`
	Payment  string     `json:"payment,omitzero"`
	Amount   *Amount    `json:"amount,omitzero"`
	Days     int        `json:"days,omitzero"`
	Pictures []string   `json:"pictures,omitzero"`
	State    string     `json:"state" enum:"ordered,done,failed"`
	Fault    string     `json:"fault,omitzero" doc:"complaint_over, complaint_changed, refund_pending, refund_refused, or unclear after a day"`
	By       string     `json:"by"`
	At       time.Time  `json:"at"`
	EndedAt  *time.Time `json:"ended_at,omitzero"`
}

// ComplainPayment is a payment that a complaint is about.
type ComplainPayment struct {
	Payment     string `json:"payment,omitzero" doc:"Left out: not known here"`
	Transaction string `json:"transaction,omitzero" doc:"The channel's number"`
	Amount      Amount `json:"amount"`
}

// ComplaintStep is one step of a complaint's history.
type ComplaintStep struct {
	Number   string    `json:"number"`
	At       time.Time `json:"at"`
	By       string    `json:"by" enum:"payer,merchant,platform,"`
	What     string    `json:"what" doc:"The channel's word, as USER_CREATE_COMPLAINT"`
	Text     string    `json:"text,omitzero"`
	Pictures []string  `json:"pictures,omitzero"`
}

func askedAmount(a money.Amount) *Amount {
	if a.Currency() == "" {
		return nil
	}
	v := amountOf(a)
	return &v
}

func showComplaint(c *support.Complaint) Complaint {
	v := Complaint{ID: string(c.ID), Channel: c.Channel, Account: c.Account, Number: c.Number, Merchant: string(c.Merchant), State: c.State.String(),
		Problem: c.Problem.String(), Title: c.Title, Text: c.Text, Asked: askedAmount(c.Asked), Times: c.Times, Pictures: c.Images,
		Payments: make([]ComplainPayment, len(c.Payments)),
		Waiting:  c.Flags.Has(support.Waiting), Platform: c.Flags.Has(support.Platform), Immediate: c.Flags.Has(support.Immediate),
		Refunded: c.Flags.Has(support.Refunded), Trusted: c.Flags.Has(support.Trusted), HighRisk: c.Flags.Has(support.HighRisk),
		At: c.At.UTC(), ChangedAt: c.ChangedAt.UTC(), SeenAt: c.SeenAt.UTC(), Version: c.Version}
	for i, a := range c.Payments {
		v.Payments[i] = ComplainPayment{string(a.Payment), a.Transaction, amountOf(a.Amount)}
	}
	return v
}

func showSteps(steps []support.Step) []ComplaintStep {
	out := make([]ComplaintStep, len(steps))
	for i, t := range steps {
		out[i] = ComplaintStep{t.Number, t.At.UTC(), t.By.String(), t.What, t.Text, t.Images}
	}
	return out
}

func (s *Server) complaints(ctx context.Context, a mianmi.Actor, in *struct {
	Merchant string `query:"merchant" doc:"mc…; left out: of all merchants"`
	Payment  string `query:"payment" doc:"pm…; those that are about it"`
	Open     bool   `query:"open" doc:"Those alone that are not over"`
	Before   string `query:"before" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body List[Complaint] }, error) {
	list, err := s.Complaints.Complaints(ctx, a, support.Query{Merchant: mianmi.MerchantID(in.Merchant), Payment: mianmi.PaymentID(in.Payment), Open: in.Open,
		Before: mianmi.ComplaintID(in.Before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showComplaint, func(c *support.Complaint) string { return string(c.ID) }), nil
}

// ComplaintInput names a complaint.
type ComplaintInput struct {
	Complaint string `path:"complaint" doc:"cp…"`
}

func (s *Server) complaint(ctx context.Context, a mianmi.Actor, in *ComplaintInput) (*struct{ Body Complaint }, error) {
	c, steps, err := s.Complaints.Complaint(ctx, a, mianmi.ComplaintID(in.Complaint))
	if err != nil {
		return nil, err
	}
	out := showComplaint(&c)
	if a.Is(readers...) {
		out.Case = string(c.Case)
	}
	out.Steps = showSteps(steps)
	answers, err := s.Complaints.Answers(ctx, a, c.ID)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		out.Answers = append(out.Answers, showAnswer(&answers[i]))
	}
	return &struct{ Body Complaint }{out}, nil
}

func describePicture(names ...string) func(huma.Registry, *huma.Operation) {
	return func(_ huma.Registry, op *huma.Operation) {
		for _, name := range names {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(512)}})
		}
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"image/*": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	}
}

func (s *Server) complaintPicture(c *call) {
	picture, err := s.Complaints.Picture(c.r.Context(), c.actor, mianmi.ComplaintID(c.r.PathValue("complaint")), c.r.PathValue("picture"))
	s.handOn(c, picture, err)
}

// handOn hands a picture on. A stranger made it: a browser must show it as a
// picture or not at all, never as a page.
func (s *Server) handOn(c *call, picture []byte, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	h := c.Header()
	h.Set("Content-Type", http.DetectContentType(picture))
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Length", strconv.Itoa(len(picture)))
	_, _ = c.Write(picture) // the caller has gone: nobody to tell
}

func showAnswer(a *support.Answer) ComplaintAnswer {
	return ComplaintAnswer{ID: string(a.ID), Key: a.Key, Kind: a.Kind.String(), Text: a.Text, Payment: string(a.Payment), Amount: askedAmount(a.Amount), Days: a.Days, Pictures: a.Images,
		State: a.State.String(), Fault: a.Fault, By: a.Actor.String(), At: a.Began.UTC(), EndedAt: timeOrNone(a.Ended)}
}

func (s *Server) answerComplaint(ctx context.Context, a mianmi.Actor, in *struct {
	ComplaintInput
	Body NewComplaintAnswer
}) (*struct{ Body ComplaintAnswer }, error) {
	b := &in.Body
	kind, _ := support.ParseKind(b.Kind) // the service refuses none
	o := support.Order{Key: b.Key, Kind: kind, Text: b.Text, Version: b.Version, Payment: mianmi.PaymentID(b.Payment), Days: b.Days}
	if b.Amount != nil {
		o.Amount = b.Amount.money()
	}
	out, err := s.Complaints.Answer(ctx, a, mianmi.ComplaintID(in.Complaint), o)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ComplaintAnswer }{showAnswer(&out)}, nil
}
