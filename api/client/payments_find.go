package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
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

// FindPayments finds payments, newest first.
func (c *Client) FindPayments(ctx context.Context, f Find) (List[Payment], error) {
	v := url.Values{}
	for name, text := range map[string]string{"merchant": string(f.Merchant), "store": string(f.Store), "terminal": string(f.Terminal), "payer": string(f.Payer),
		"phone_end": f.PhoneEnd, "order_no": f.OrderNo, "outcome": f.Outcome, "state": f.State, "before": string(f.Before)} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"around": f.Around, "since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			v.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, n := range map[string]int64{"minutes": int64(f.Minutes), "amount_min": f.Min, "amount_max": f.Max, "limit": int64(f.Limit)} {
		if n != 0 {
			v.Set(name, strconv.FormatInt(n, 10))
		}
	}
	return call[List[Payment]](ctx, c, http.MethodGet, "/v1/payments?"+v.Encode(), nil)
}
