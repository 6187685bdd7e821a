package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Complaint is what a payer complains of. Title, Text and those of the steps are
// people's own words.
type Complaint struct {
	ID       mianmi.ComplaintID `json:"id"`
	Channel  string             `json:"channel"`
	Account  string             `json:"account"`
	Number   string             `json:"number"` // the channel's
	Merchant mianmi.MerchantID  `json:"merchant"`
	State    string             `json:"state"` // pending, processing, processed
	Problem  string             `json:"problem"`
	Title    string             `json:"title"`
	Text     string             `json:"text"`
	Asked    *money.Amount      `json:"asked"`
	Times    int64              `json:"times"`
	Pictures []string           `json:"pictures"`
	Payments []ComplaintPayment `json:"payments"`

	Waiting   bool `json:"waiting"`
	Platform  bool `json:"platform"`
	Immediate bool `json:"immediate"`
	Refunded  bool `json:"refunded"`
	Trusted   bool `json:"trusted"`
	HighRisk  bool `json:"high_risk"`

	At        time.Time       `json:"at"`
	ChangedAt time.Time       `json:"changed_at"`
	SeenAt    time.Time       `json:"seen_at"`
	Version   int64           `json:"version"`
	Steps     []ComplaintStep `json:"steps"` // oldest first; not in lists

	Answers []ComplaintAnswer `json:"answers"` // oldest first; not in lists

	Case mianmi.CaseID `json:"case"` // that the support desk keeps about it; for mianmi's own people
}

// ComplaintPayment is a payment that a complaint is about.
type ComplaintPayment struct {
	Payment     mianmi.PaymentID `json:"payment"` // empty: not known there
	Transaction string           `json:"transaction"`
	Amount      money.Amount     `json:"amount"`
}

// ComplaintStep is one step of a complaint's history.
type ComplaintStep struct {
	Number   string    `json:"number"`
	At       time.Time `json:"at"`
	By       string    `json:"by"` // payer, merchant, platform
	What     string    `json:"what"`
	Text     string    `json:"text"`
	Pictures []string  `json:"pictures"`
}

// ComplaintQuery asks for complaints; what is empty does not narrow it.
type ComplaintQuery struct {
	Merchant mianmi.MerchantID
	Payment  mianmi.PaymentID
	Open     bool // those alone that are not over
	Before   string
	Limit    int
}

// Complaints lists complaints, newest first, without history.
func (c *Client) Complaints(ctx context.Context, q ComplaintQuery) (List[Complaint], error) {
	return call[List[Complaint]](ctx, c, http.MethodGet, "/v1/complaints"+query(map[string]any{
		"merchant": q.Merchant, "payment": q.Payment, "before": q.Before, "open": q.Open, "limit": q.Limit,
	}), nil)
}

// Complaint shows a complaint with its history.
func (c *Client) Complaint(ctx context.Context, id mianmi.ComplaintID) (Complaint, error) {
	return call[Complaint](ctx, c, http.MethodGet, "/v1/complaints/"+seg(id), nil)
}

// NewComplaintAnswer is what is to be said.
type NewComplaintAnswer struct {
	Key     string           `json:"key"`
	Kind    string           `json:"kind"` // reply, complete, approve, refuse
	Text    string           `json:"text,omitzero"`
	Version int64            `json:"version,omitzero"` // as seen; complete needs it
	Payment mianmi.PaymentID `json:"payment,omitzero"`
	Amount  *money.Amount    `json:"amount,omitzero"`
	Days    int              `json:"days,omitzero"`
}

// ComplaintAnswer is what was ordered to be said.
type ComplaintAnswer struct {
	ID       mianmi.AnswerID  `json:"id"`
	Key      string           `json:"key"`
	Kind     string           `json:"kind"` // promise, too: software of the merchant's gives money back by itself
	Text     string           `json:"text"`
	Payment  mianmi.PaymentID `json:"payment"`
	Amount   *money.Amount    `json:"amount"`
	Days     int              `json:"days"`
	Pictures []string         `json:"pictures"`
	State    string           `json:"state"` // ordered, done, failed
	Fault    string           `json:"fault"`
	By       string           `json:"by"`
	At       time.Time        `json:"at"`
	EndedAt  *time.Time       `json:"ended_at"`
}

// AnswerComplaint orders an answer; a repeat of its key returns it as it is now.
func (c *Client) AnswerComplaint(ctx context.Context, id mianmi.ComplaintID, n NewComplaintAnswer) (ComplaintAnswer, error) {
	return call[ComplaintAnswer](ctx, c, http.MethodPost, "/v1/complaints/"+seg(id)+"/answers", n)
}
