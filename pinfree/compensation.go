package pinfree

import (
	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Compensation is what a text promises to the holder of a lost or stolen card
// for PIN-free payments that were not theirs.
type Compensation struct {
	ID       string         `json:"id" yaml:"id"`
	Title    mianmi.Text    `json:"title" yaml:"title"`
	Readings []string       `json:"readings,omitempty" yaml:"readings"` // in force with these alone; empty: with any
	Currency money.Currency `json:"currency" yaml:"currency"`
	// WindowHours is how long before the loss report a payment may lie.
	WindowHours int64 `json:"window_hours" yaml:"window_hours"`
	// CaseCap and AnnualCap bound one case and all of a holder's year, in minor
	// units; nil: no cap.
	CaseCap   *int64 `json:"case_cap,omitempty" yaml:"case_cap"`
	AnnualCap *int64 `json:"annual_cap,omitempty" yaml:"annual_cap"`
	// AfterWindow is what holds for older payments: nothing, or full_if_confirmed.
	AfterWindow string `json:"after_window" yaml:"after_window"`
}

// TODO(rules): checked in the next commit.
func (f *faults) compensation(*Pack) {}
