package pinfree

import (
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Compensation is what a text promises to the holder of a lost or stolen card
// for PIN-free payments that were not theirs.
type Compensation struct {
	ID       string         `json:"id" yaml:"id"`
	Title    mianmi.Text    `json:"title" yaml:"title"`
	Sources  []string       `json:"sources,omitempty" yaml:"sources"`   // as in Limit
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

const fullIfConfirmed = "full_if_confirmed"

var afterWindowNames = []string{"nothing", fullIfConfirmed}

// windowHoursMax keeps a slip of the pen from being a rule: a year.
const windowHoursMax = 366 * 24

// compensation checks what a pack promises to a holder.
func (f *faults) compensation(p *Pack) {
	for i := range p.Compensation {
		c := &p.Compensation[i]
		path := at("", "compensation", i)
		if !isWord(c.ID) || slices.ContainsFunc(p.Compensation[:i], func(o Compensation) bool { return o.ID == c.ID }) {
			f.add(path+".id", "%q is empty, there twice, or not a name; write at most 64 of a-z, 0-9, _ and -", c.ID)
		}
		f.text(path+".title", c.Title)
		f.cites(path, c.Sources)
		for j, r := range c.Readings {
			if !slices.ContainsFunc(p.Readings, func(o Reading) bool { return o.ID == r }) {
				f.add(at(path, "readings", j), "%q is not one of the pack's readings; define it under readings", r)
			}
		}
		if !c.Currency.Valid() {
			f.add(path+".currency", "%q is not a currency; write three upper-case letters (ISO 4217)", c.Currency)
		}
		if c.WindowHours < 1 || c.WindowHours > windowHoursMax {
			f.add(path+".window_hours", "%d is out of range; write 1 to %d", c.WindowHours, windowHoursMax)
		}
		f.cap(path+".case_cap", c.CaseCap)
		f.cap(path+".annual_cap", c.AnnualCap)
		f.choose(path+".after_window", c.AfterWindow, afterWindowNames)
	}
}

func (f *faults) cap(path string, n *int64) {
	if n != nil && (*n < 1 || *n > boundMax) {
		f.add(path, "%d is out of range; write minor units above 0, or leave it out when there is no cap", *n)
	}
}

// CompensationRule is a Compensation with the pack that promises it.
type CompensationRule struct {
	Pack    string // "cn-unionpay-compensation"
	Version int64
	Compensation
}

// Compensations lists what the packs promise to holders, of the readings taken,
// in order of the packs' IDs.
func (s *RuleSet) Compensations() []CompensationRule {
	var out []CompensationRule
	for _, p := range s.Packs() {
		for _, c := range p.Compensation {
			if len(c.Readings) == 0 || slices.Contains(c.Readings, p.Reading) {
				out = append(out, CompensationRule{p.ID, p.Version, c})
			}
		}
	}
	return out
}

// Promised is what is promised to the holder for a payment: by the first pack, in
// order of IDs, that surely meets it and promises something in its currency; nil:
// none does. What is not known of a payment promises nothing.
func (s *RuleSet) Promised(in *Input) *CompensationRule {
	if s == nil {
		return nil
	}
	currency := in.Amount.Currency()
	f := in.facts(&currency)
	for _, c := range s.Compensations() {
		i := slices.IndexFunc(s.rules, func(r rules) bool { return r.id == c.Pack })
		if i >= 0 && c.Currency == currency && min(s.rules[i].when.match(&f), s.rules[i].inForce(in)) == yes {
			return &c
		}
	}
	return nil
}

// Claim is one payment for which the holder of a lost or stolen card asks
// compensation.
type Claim struct {
	// HoursBefore is how many hours before the loss report the payment was made,
	// rounded up; negative: after the report, or not known.
	HoursBefore int64
	Minor       int64 // the loss, in minor units of the rule's currency; 0 or less: not known
	// PaidThisYear is what the holder has been paid under the rule in the year of
	// the claim, in minor units; negative: not known.
	PaidThisYear int64
	Confirmed    bool // the theft has been confirmed
}

// AwardReason says why an Award is what it is. The zero reason is that the
// claim is not known well enough.
type AwardReason uint8

const (
	ClaimUnknown         AwardReason = iota // something that must be known is not; nothing is covered
	AfterReport                             // made after the loss report; nothing is covered
	AfterWindow                             // too old, and no promise beyond the window; nothing is covered
	NotConfirmed                            // too old, and the theft is not confirmed; nothing is covered
	AnnualCapUsed                           // the year's cap has been paid out; nothing is covered
	AnnualCapLeft                           // covered up to what is left of the year's cap
	CaseCapReached                          // covered up to the cap of one case
	WithinWindow                            // covered in full
	ConfirmedAfterWindow                    // covered in full, for the theft is confirmed
)

var awardReasonNames = []string{"claim_unknown", "after_report", "after_window", "not_confirmed", "annual_cap_used",
	"annual_cap_left", "case_cap_reached", "within_window", "confirmed_after_window"}

// String returns the reason's name ("within_window").
func (r AwardReason) String() string { return nameOf(awardReasonNames, int(r)) }

// Award is what a holder gets for a Claim. The zero Award is nothing.
type Award struct {
	Covered int64 // minor units: 0 to the loss
	Reason  AwardReason

	claim Claim
	rule  Compensation
}

// Award says what the promise gives for a claim. Caps hold for payments inside
// and outside the window. It never covers more than the loss, and nothing that
// is not known.
func (c Compensation) Award(claim Claim) Award {
	a := Award{claim: claim, rule: c}
	if a.Reason = c.entitles(claim); a.Reason < WithinWindow {
		return a
	}
	a.Covered = claim.Minor
	if c.CaseCap != nil && a.Covered > *c.CaseCap {
		a.Covered, a.Reason = max(*c.CaseCap, 0), CaseCapReached
	}
	if c.AnnualCap == nil {
		return a
	}
	// Neither is negative, so that the difference fits.
	left := max(*c.AnnualCap, 0) - claim.PaidThisYear
	switch {
	case left <= 0:
		a.Covered, a.Reason = 0, AnnualCapUsed
	case a.Covered > left:
		a.Covered, a.Reason = left, AnnualCapLeft
	}
	return a
}

// entitles says why the claim is covered, caps apart, or why it is not.
func (c Compensation) entitles(claim Claim) AwardReason {
	switch {
	case claim.Minor <= 0 || claim.PaidThisYear < 0:
		return ClaimUnknown
	case claim.HoursBefore < 0:
		return AfterReport
	case claim.HoursBefore <= c.WindowHours:
		return WithinWindow
	case c.AfterWindow != fullIfConfirmed:
		return AfterWindow
	case !claim.Confirmed:
		return NotConfirmed
	}
	return ConfirmedAfterWindow
}

// Outcome returns "covered", "covered_partially" or "not_covered".
func (a Award) Outcome() string {
	switch {
	case a.Covered <= 0:
		return "not_covered"
	case a.Covered < a.claim.Minor:
		return "covered_partially"
	}
	return "covered"
}
