package client

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
)

// ReaderParameters are the values that a terminal's EMV configuration needs.
type ReaderParameters struct {
	Terminal  mianmi.TerminalID `json:"terminal"`
	At        time.Time         `json:"at"`
	DecidedBy struct {
		Rules         string `json:"rules"`
		SettingsEpoch int64  `json:"settings_epoch"`
	} `json:"decided_by"`
	Schemes []ReaderScheme `json:"schemes"`
}

// ReaderScheme is the values for one scheme's cards.
type ReaderScheme struct {
	Scheme   string        `json:"scheme"`
	Currency string        `json:"currency"`
	Kernel   string        `json:"kernel"`   // entry_point, c2, unionpay
	PinFree  int64         `json:"pin_free"` // the largest amount that needs no PIN, in minor units; 0: none
	Reason   *Reason       `json:"reason"`
	Values   []ReaderValue `json:"values"`
	TLV      string        `json:"tlv"`
	Field62  string        `json:"field62"`
}

// ReaderValue is one parameter.
type ReaderValue struct {
	Tag   string      `json:"tag"`
	Title mianmi.Text `json:"title"`
	Value string      `json:"value"`
	Minor *int64      `json:"minor"` // nil for a flag
}

// ReaderParameters computes the values for schemes; none are the usual ones. An
// empty currency is the merchant's.
func (c *Client) ReaderParameters(ctx context.Context, id mianmi.TerminalID, currency string, schemes ...string) (ReaderParameters, error) {
	path := "/v1/terminals/" + seg(id) + "/reader-parameters" + Page{}.query("currency", currency, "schemes", strings.Join(schemes, ","))
	return call[ReaderParameters](ctx, c, http.MethodGet, path, nil)
}
