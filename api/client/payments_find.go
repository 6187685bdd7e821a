package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// Find asks for payments; what is empty does not narrow it.
type Find struct {
	Around       time.Time
	Minutes      int // before and after Around; 0: 30
	Since, Until time.Time
	Merchant     mianmi.MerchantID
	Store        mianmi.StoreID
	Terminal     mianmi.TerminalID
	Payer        mianmi.PayerID
	PhoneEnd     string // the last 4 to 11 digits
	OrderNo      string
	Min, Max     int64 // minor units
	Outcome      string
	State        string
	Before       mianmi.PaymentID
	Limit        int
}

// FoundPayments is a page of a search. It may be short, or empty, and have a next.
type FoundPayments struct {
	List[Payment]
	Reached time.Time `json:"reached"` // how far back the page looked
}

// FindPayments finds payments, newest first.
func (c *Client) FindPayments(ctx context.Context, f Find) (FoundPayments, error) {
	return call[FoundPayments](ctx, c, http.MethodGet, "/v1/payments"+query(map[string]any{
		"merchant": f.Merchant, "store": f.Store, "terminal": f.Terminal, "payer": f.Payer, "phone_end": f.PhoneEnd, "order_no": f.OrderNo,
		"outcome": f.Outcome, "state": f.State, "before": f.Before, "around": f.Around, "since": f.Since, "until": f.Until,
		"minutes": f.Minutes, "amount_min": f.Min, "amount_max": f.Max, "limit": f.Limit,
	}), nil)
}
