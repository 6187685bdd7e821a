package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// Hold is a protective measure on a payer.
type Hold struct {
	Since      time.Time   `json:"since"`
	Until      time.Time   `json:"until"`
	By         string      `json:"by"`
	Because    string      `json:"because"` // unusual, reported, case, asked, restored
	Words      mianmi.Text `json:"words"`
	Answerable bool        `json:"answerable"`
	Rule       string      `json:"rule"` // the risk rule that placed it
}

// NewHold asks for a hold; basis is for staff.
type NewHold struct {
	Until   time.Time `json:"until"`
	Because string    `json:"because"`
	Basis   *Basis    `json:"basis,omitzero"`
}

// HoldLifting is the ground on which staff lift a hold, or the payer's password.
type HoldLifting struct {
	Basis    *Basis `json:"basis,omitzero"`
	Password string `json:"password,omitzero"`
}

// Hold makes every payment ask for authentication until its end.
func (c *Client) Hold(ctx context.Context, id mianmi.PayerID, n NewHold) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/hold", n)
}

// LiftHold ends a hold before its time.
func (c *Client) LiftHold(ctx context.Context, id mianmi.PayerID, l HoldLifting) (Status, error) {
	return c.status(ctx, http.MethodPost, id, "/hold/lift", l)
}
