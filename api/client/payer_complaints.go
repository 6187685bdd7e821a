package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// NewPayerComplaint is what a payer complains of.
type NewPayerComplaint struct {
	Key     string           `json:"key"`
	Payment mianmi.PaymentID `json:"payment"`
	Problem string           `json:"problem"` // refund, service_not_work, other
	Text    string           `json:"text"`
	Asked   *money.Amount    `json:"asked,omitzero"`
}

// PayerComplaint is a complaint as its payer sees it.
type PayerComplaint struct {
	ID        mianmi.ComplaintID `json:"id"`
	Number    string             `json:"number"`
	Merchant  mianmi.MerchantID  `json:"merchant"`
	Payment   mianmi.PaymentID   `json:"payment"`
	Amount    money.Amount       `json:"amount"`
	State     string             `json:"state"` // pending, processing, processed
	Problem   string             `json:"problem"`
	Text      string             `json:"text"`
	Asked     *money.Amount      `json:"asked"`
	Waiting   bool               `json:"waiting"`
	At        time.Time          `json:"at"`
	ChangedAt time.Time          `json:"changed_at"`
	Version   int64              `json:"version"`
	Steps     []ComplaintStep    `json:"steps"` // oldest first; not in lists
}

// Complain makes a complaint; a repeat of its key returns it as it is now.
func (c *Client) Complain(ctx context.Context, id mianmi.PayerID, n NewPayerComplaint) (PayerComplaint, error) {
	return call[PayerComplaint](ctx, c, http.MethodPost, "/v1/payers/"+seg(id)+"/complaints", n)
}

// PayerComplaintQuery asks for a payer's complaints; what is empty does not narrow it.
type PayerComplaintQuery struct {
	Payment mianmi.PaymentID
	Open    bool // those alone that are not over
	Before  string
	Limit   int
}

// PayerComplaints lists a payer's complaints, newest first, without history.
func (c *Client) PayerComplaints(ctx context.Context, id mianmi.PayerID, q PayerComplaintQuery) (List[PayerComplaint], error) {
	return call[List[PayerComplaint]](ctx, c, http.MethodGet, "/v1/payers/"+seg(id)+"/complaints"+query(map[string]any{
		"payment": q.Payment, "before": q.Before, "open": q.Open, "limit": q.Limit,
	}), nil)
}

// PayerComplaint shows a payer's complaint with its history.
func (c *Client) PayerComplaint(ctx context.Context, id mianmi.PayerID, complaint mianmi.ComplaintID) (PayerComplaint, error) {
	return call[PayerComplaint](ctx, c, http.MethodGet, "/v1/payers/"+seg(id)+"/complaints/"+seg(complaint), nil)
}

// NewComplaintMessage is what a payer says about a complaint.
type NewComplaintMessage struct {
	Key  string `json:"key"`
	Kind string `json:"kind"` // reply; resolved and withdrawn, which end it
	Text string `json:"text,omitzero"`
}

// WriteToComplaint writes about a complaint, or ends it; a repeat of the key changes nothing.
func (c *Client) WriteToComplaint(ctx context.Context, id mianmi.PayerID, complaint mianmi.ComplaintID, n NewComplaintMessage) (PayerComplaint, error) {
	return call[PayerComplaint](ctx, c, http.MethodPost, "/v1/payers/"+seg(id)+"/complaints/"+seg(complaint)+"/messages", n)
}
