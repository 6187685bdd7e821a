package notice

import (
	"strings"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/risk"
)

// alarmData is an alarm after a step. Who the payer is, and with it the key, is
// for mianmi's own webhooks.
type alarmData struct {
	Alarm    string `json:"alarm"`
	Step     string `json:"step"` // opened, reported, escalated, resolved
	Rule     string `json:"rule"`
	Key      string `json:"key,omitempty"`
	Severity string `json:"severity"`
	State    string `json:"state"`
	Payer    string `json:"payer,omitempty"`
	Terminal string `json:"terminal,omitempty"`
	Merchant string `json:"merchant,omitempty"`
	Payment  string `json:"payment,omitempty"`
	Count    int64  `json:"count"`
	First    string `json:"first"` // entries of the evidence
	Last     string `json:"last"`
	Verdict  string `json:"verdict,omitempty"`
}

func (e *envelope) alarm(w *Webhook, entry evidence.Entry) error {
	r, err := risk.ReadRecord(entry)
	if err != nil {
		return err
	}
	d := alarmData{Alarm: entry.Subject, Step: strings.TrimPrefix(entry.Type, "alarm."), Rule: r.Rule, Severity: string(r.Severity), State: r.State,
		Terminal: string(r.Terminal), Merchant: string(r.Merchant), Payment: string(r.Payment), Count: r.Count, First: string(r.First),
		Last: string(r.Last), Verdict: r.Verdict}
	if w.Merchant == "" {
		d.Key, d.Payer = r.Key, string(r.Payer)
	}
	e.Data = d
	return nil
}
