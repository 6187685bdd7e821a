package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// RiskQuestion is that a payer is asked "was it you?".
type RiskQuestion struct {
	ID         mianmi.MeasureID `json:"id"`
	Rule       string           `json:"rule"`
	Payment    mianmi.PaymentID `json:"payment"`
	AskedAt    time.Time        `json:"asked_at"`
	Until      time.Time        `json:"until"`
	Answer     string           `json:"answer"` // yes, no, none; empty: none yet
	AnsweredAt *time.Time       `json:"answered_at"`
}

// Questions lists what a payer is and was asked, newest first.
func (c *Client) Questions(ctx context.Context, id mianmi.PayerID) (List[RiskQuestion], error) {
	return call[List[RiskQuestion]](ctx, c, http.MethodGet, "/v1/payers/"+string(id)+"/questions", nil)
}

// AnswerQuestion says whether it was the payer; yes needs the payment password, no
// has none.
func (c *Client) AnswerQuestion(ctx context.Context, id mianmi.PayerID, question mianmi.MeasureID, yes bool, password string) (RiskQuestion, error) {
	answer := "no"
	if yes {
		answer = "yes"
	}
	return call[RiskQuestion](ctx, c, http.MethodPost, "/v1/payers/"+string(id)+"/questions/"+string(question)+"/answer", map[string]string{"answer": answer, "password": password})
}

// RiskBacktest is what a rule would have found.
type RiskBacktest struct {
	Rule     string           `json:"rule"`
	From     time.Time        `json:"from"`
	To       time.Time        `json:"to"`
	Cut      bool             `json:"cut"` // it took too long and stopped at To
	Entries  int64            `json:"entries"`
	Events   int64            `json:"events"`
	Faults   int64            `json:"faults"`
	Findings int64            `json:"findings"`
	Keys     int64            `json:"keys"`
	ByDay    map[string]int64 `json:"by_day"`
}

// BacktestRiskRule tries a rule, as YAML, on the last days, 1 to 31.
func (c *Client) BacktestRiskRule(ctx context.Context, yaml string, days int) (RiskBacktest, error) {
	return call[RiskBacktest](ctx, c, http.MethodPost, "/v1/risk/backtest", map[string]any{"yaml": yaml, "days": days})
}
