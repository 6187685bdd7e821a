package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// Alarm is something that looks wrong. What of it the caller may not see is empty.
type Alarm struct {
	ID          mianmi.AlarmID    `json:"id"`
	Rule        string            `json:"rule"`
	Key         string            `json:"key"`
	Severity    string            `json:"severity"` // low, medium, high, critical
	State       string            `json:"state"`    // open, acknowledged, resolved
	Says        mianmi.Text       `json:"says"`
	Payer       mianmi.PayerID    `json:"payer"`
	Merchant    mianmi.MerchantID `json:"merchant"`
	Store       mianmi.StoreID    `json:"store"`
	Terminal    mianmi.TerminalID `json:"terminal"`
	Payment     mianmi.PaymentID  `json:"payment"`
	Reporter    string            `json:"reporter"` // mianmi.Actor.String(); empty: a rule found it
	Said        string            `json:"said"`     // what the reporter wrote last
	Count       int64             `json:"count"`
	First       mianmi.EntryID    `json:"first"`
	Last        mianmi.EntryID    `json:"last"`
	FirstAt     time.Time         `json:"first_at"`
	LastAt      time.Time         `json:"last_at"`
	DueAt       *time.Time        `json:"due_at"`
	EscalatedAt *time.Time        `json:"escalated_at"`
	TakenBy     string            `json:"acknowledged_by"`
	TakenAt     *time.Time        `json:"acknowledged_at"`
	ResolvedBy  string            `json:"resolved_by"`
	ResolvedAt  *time.Time        `json:"resolved_at"`
	Verdict     string            `json:"verdict"` // fraud, fault, harmless, false_alarm, unclear
	Note        string            `json:"note"`
	Version     int64             `json:"version"`
}

// AlarmQuery asks for alarms; what is empty does not narrow it.
type AlarmQuery struct {
	State    string
	Unsolved bool // those alone that are not resolved
	Severity string
	Rule     string
	Payer    mianmi.PayerID
	Merchant mianmi.MerchantID
	Terminal mianmi.TerminalID
	Before   string
	Limit    int
}

// Alarms lists alarms, newest first.
func (c *Client) Alarms(ctx context.Context, q AlarmQuery) (List[Alarm], error) {
	return call[List[Alarm]](ctx, c, http.MethodGet, "/v1/alarms"+query(map[string]any{
		"state": q.State, "severity": q.Severity, "rule": q.Rule, "payer": q.Payer, "merchant": q.Merchant, "terminal": q.Terminal,
		"before": q.Before, "unsolved": q.Unsolved, "limit": q.Limit,
	}), nil)
}

// Alarm shows an alarm.
func (c *Client) Alarm(ctx context.Context, id mianmi.AlarmID) (Alarm, error) {
	return call[Alarm](ctx, c, http.MethodGet, "/v1/alarms/"+seg(id), nil)
}

// AcknowledgeAlarm takes an alarm up.
func (c *Client) AcknowledgeAlarm(ctx context.Context, id mianmi.AlarmID) (Alarm, error) {
	return call[Alarm](ctx, c, http.MethodPost, "/v1/alarms/"+seg(id)+"/acknowledgement", nil)
}

// Resolution is what an alarm turned out to be.
type Resolution struct {
	Verdict string `json:"verdict"`
	Note    string `json:"note,omitzero"`
}

// ResolveAlarm ends an alarm.
func (c *Client) ResolveAlarm(ctx context.Context, id mianmi.AlarmID, r Resolution) (Alarm, error) {
	return call[Alarm](ctx, c, http.MethodPost, "/v1/alarms/"+seg(id)+"/resolution", r)
}
