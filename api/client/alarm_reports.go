package client

import (
	"context"
	"net/http"

	"github.com/mianmi/mianmi"
)

// AlarmReport is what a person says is wrong.
type AlarmReport struct {
	Kind     string            `json:"kind"` // not_me, no_pin_asked, wrong_amount, device, display, other
	Payment  mianmi.PaymentID  `json:"payment,omitzero"`
	Terminal mianmi.TerminalID `json:"terminal,omitzero"`
	Note     string            `json:"note,omitzero"` // at most 500 characters
}

// AlarmReported is what a report came to.
type AlarmReported struct {
	Alarm mianmi.AlarmID `json:"alarm"`
	Says  mianmi.Text    `json:"says"`
	State string         `json:"state"`
	Known bool           `json:"known"` // it was reported before
	Count int64          `json:"count"`
	Entry mianmi.EntryID `json:"entry"`
	Case  *struct {
		ID     mianmi.CaseID `json:"id"`
		Number string        `json:"number"`
	} `json:"case"` // nil: none was opened
	Next []struct {
		Do     string      `json:"do"` // close_pin_free, report_loss, close_terminal, open_case
		Says   mianmi.Text `json:"says"`
		Method string      `json:"method"`
		Path   string      `json:"path"`
	} `json:"next"`
}

// ReportAlarm says that something is wrong. After too_many_reports it may be tried
// again when the error's RetryAfter is over.
func (c *Client) ReportAlarm(ctx context.Context, r AlarmReport) (AlarmReported, error) {
	return call[AlarmReported](ctx, c, http.MethodPost, "/v1/alarms", r)
}
