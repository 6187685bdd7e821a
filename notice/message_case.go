package notice

import (
	"strings"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/support/desk"
)

// caseData is a case of the support desk after a step: no word that people wrote.
type caseData struct {
	Case     string  `json:"case"`
	Step     string  `json:"step"` // opened, moved, noted, …
	Kind     string  `json:"kind"`
	State    string  `json:"state"`
	Queue    string  `json:"queue"`
	Category string  `json:"category,omitempty"`
	Payer    string  `json:"payer,omitempty"`
	Merchant string  `json:"merchant,omitempty"`
	Assignee string  `json:"assignee,omitempty"`
	Deadline string  `json:"deadline,omitempty"` // first_answer_due, first_answer_late, decision_due, decision_late
	Verdict  string  `json:"verdict,omitempty"`
	Award    *amount `json:"award,omitempty"`
	Payout   *payout `json:"payout,omitempty"` // of a step of one
}

type payout struct {
	ID      string `json:"id"`
	Payment string `json:"payment,omitempty"`
	From    string `json:"from"`
	Basis   string `json:"basis"`
	Amount  amount `json:"amount"`
	Failure string `json:"failure,omitempty"`
}

func (e *envelope) supportCase(entry evidence.Entry) error {
	r, err := desk.ReadRecord(entry)
	if err != nil {
		return err
	}
	d := caseData{Case: entry.Subject, Step: strings.TrimPrefix(entry.Type, "case."), Kind: r.Kind, State: r.State, Queue: r.Queue, Category: r.Category,
		Payer: string(r.Payer), Merchant: string(r.Merchant), Assignee: string(r.Assignee), Deadline: r.Deadline, Verdict: r.Verdict}
	if r.Award > 0 {
		d.Award = &amount{r.Award, r.Currency}
	}
	if r.Payout != "" {
		d.Payout = &payout{string(r.Payout), string(r.Payment), r.Source, r.Basis, amount{r.Amount, r.Currency}, r.Failure}
	}
	e.Data = d
	return nil
}
