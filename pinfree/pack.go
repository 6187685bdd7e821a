package pinfree

import (
	"slices"

	"github.com/mianmi/mianmi"
)

// Pack is one set of rules of a regulator or a scheme, as data. Its YAML form
// has the same fields; package packs loads it. Compile checks it.
//
// A pack applies to the payments that match When inside its dates. Then every
// limit whose own When matches must hold. Of the packs that apply, at least one
// must permit the payment, or nobody has allowed it to go without a PIN.
type Pack struct {
	ID           string      `json:"id" yaml:"id"`           // "cn-unionpay-2018": a-z, 0-9, hyphen
	Version      int64       `json:"version" yaml:"version"` // of this encoding: 1, and one more at each change
	Edition      string      `json:"edition" yaml:"edition"` // of the text that it encodes
	Layer        string      `json:"layer" yaml:"layer"`     // "regulation", "scheme" or "issuer"
	Jurisdiction string      `json:"jurisdiction" yaml:"jurisdiction"`
	Title        mianmi.Text `json:"title" yaml:"title"`
	Effective    Period      `json:"effective" yaml:"effective"`
	Zone         string      `json:"zone" yaml:"zone"` // of the dates and of calendar days ("Asia/Shanghai")
	// Permits: the text allows the payments in When to go without a PIN. A pack
	// that does not permit only restricts.
	Permits bool `json:"permits" yaml:"permits"`
	// Unlimited must be set on a pack that permits without any limit (unattended
	// transport fares); otherwise a payment that no limit of it reaches is not covered.
	Unlimited bool `json:"unlimited,omitempty" yaml:"unlimited"`
	// Beside names packs that this one is meant to stand beside, for it builds on
	// their counters or their permission.
	Beside []string `json:"beside,omitempty" yaml:"beside"`
	// Readings are the ways in which the text can be read; Reading is the one taken.
	Readings []Reading `json:"readings,omitempty" yaml:"readings"`
	Reading  string    `json:"reading,omitempty" yaml:"reading"`
	// Assumes lists what the operator vouches for by putting the pack in force.
	Assumes []mianmi.Text `json:"assumes,omitempty" yaml:"assumes"`
	// Open lists what the sources leave open, and what of the text the pack
	// does not encode.
	Open     []mianmi.Text `json:"open,omitempty" yaml:"open"`
	Sources  []Source      `json:"sources" yaml:"sources"`
	When     Condition     `json:"when" yaml:"when"`
	Counters []Counter     `json:"counters,omitempty" yaml:"counters"`
	Limits   []Limit       `json:"limits,omitempty" yaml:"limits"`

	// Authentication, Answers and Compensation are what the text says beyond the
	// decision on a payment.
	Authentication *Authentication `json:"authentication,omitempty" yaml:"authentication"`
	Answers        []Answer        `json:"answers,omitempty" yaml:"answers"`
	Compensation   []Compensation  `json:"compensation,omitempty" yaml:"compensation"`

	Origin Origin `json:"-" yaml:"-"`
}

// Period is from the first to the last day, both included, as dates
// ("2018-06-01") in the pack's zone. An empty end is open.
type Period struct {
	From string `json:"from,omitempty" yaml:"from"`
	To   string `json:"to,omitempty" yaml:"to"`
}

// Reading is one way to read the pack's text, and why.
type Reading struct {
	ID   string      `json:"id" yaml:"id"`
	Text mianmi.Text `json:"text" yaml:"text"`
}

// Condition says which payments are meant: those that match every part that is
// given. The zero Condition means all.
//
// A part about which the payment says nothing (card scheme unknown, say) is
// neither met nor missed: such a payment is restricted by the pack and not
// permitted by it.
type Condition struct {
	Methods          []string    `json:"methods,omitempty" yaml:"methods"`
	Entries          []string    `json:"entries,omitempty" yaml:"entries"`
	Currencies       []string    `json:"currencies,omitempty" yaml:"currencies"` // ISO 4217
	Countries        []string    `json:"countries,omitempty" yaml:"countries"`   // of the terminal, ISO 3166 alpha-2
	Schemes          []string    `json:"schemes,omitempty" yaml:"schemes"`
	Kinds            []string    `json:"kinds,omitempty" yaml:"kinds"`
	Domestic         *bool       `json:"domestic,omitempty" yaml:"domestic"`
	MCC              []string    `json:"mcc,omitempty" yaml:"mcc"`         // "5411" or "7800-7999"
	NotMCC           []string    `json:"not_mcc,omitempty" yaml:"not_mcc"` // none of these
	Unattended       *bool       `json:"unattended,omitempty" yaml:"unattended"`
	Purposes         []string    `json:"purposes,omitempty" yaml:"purposes"`
	NoPINMerchant    *bool       `json:"no_pin_merchant,omitempty" yaml:"no_pin_merchant"`
	UpgradedMerchant *bool       `json:"upgraded_merchant,omitempty" yaml:"upgraded_merchant"`
	Except           []Condition `json:"except,omitempty" yaml:"except"` // and none of these
	CEL              string      `json:"cel,omitempty" yaml:"cel"`       // and this expression is true
}

// Counter is what a pack adds up over several payments.
type Counter struct {
	ID     string   `json:"id" yaml:"id"`
	Bucket string   `json:"bucket" yaml:"bucket"` // payer, instrument, funding, account
	Counts string   `json:"counts" yaml:"counts"` // executed_unauthenticated, executed_all
	Resets []string `json:"resets" yaml:"resets"` // calendar_day, sca_non_remote, sca_any, sca_out_of_band, top_up_with_authentication
	Zone   string   `json:"zone,omitempty" yaml:"zone"`
	// When says which payments count; left out, those of the pack.
	When *Condition `json:"when,omitempty" yaml:"when"`
}

// Limit is one bound of a pack: on the payment itself, on a counter, or, with
// Always, on nothing at all.
type Limit struct {
	ID       string      `json:"id" yaml:"id"`
	Title    mianmi.Text `json:"title" yaml:"title"`
	Sources  []string    `json:"sources,omitempty" yaml:"sources"`   // where it is written, by Source.ID; see Pack.Cited
	Readings []string    `json:"readings,omitempty" yaml:"readings"` // in force with these alone; empty: with any
	When     *Condition  `json:"when,omitempty" yaml:"when"`
	Counter  string      `json:"counter,omitempty" yaml:"counter"` // empty: this payment alone
	Amount   *Range      `json:"amount,omitempty" yaml:"amount"`   // minor units
	Number   *Range      `json:"number,omitempty" yaml:"number"`   // payments
	Always   bool        `json:"always,omitempty" yaml:"always"`   // whatever the amount
	Above    string      `json:"above" yaml:"above"`               // step_up, refuse
}

// Range is a bound in a pack: exactly one of AtMost (<=), Below (<)
// and the two that name a figure.
type Range struct {
	// Scope, for counters: previous (payments before this one) or
	// including_current.
	Scope  string `json:"scope,omitempty" yaml:"scope"`
	AtMost *int64 `json:"at_most,omitempty" yaml:"at_most"`
	Below  *int64 `json:"below,omitempty" yaml:"below"`
	// AtMostOf and BelowOf name a Figure in place of a number. A figure that is
	// not known allows nothing.
	AtMostOf string `json:"at_most_of,omitempty" yaml:"at_most_of"`
	BelowOf  string `json:"below_of,omitempty" yaml:"below_of"`
}

// Origin is where a pack was read, for error messages.
type Origin struct {
	File  string
	Lines map[string]int // field path ("limits[1].above") to line
}

// Take returns the pack with another of its readings.
func (p Pack) Take(reading string) (Pack, error) {
	known := func(r Reading) bool { return r.ID == reading }
	if !slices.ContainsFunc(p.Readings, known) {
		return Pack{}, mianmi.InvalidField("reading", "pack "+p.ID+" has no reading "+reading)
	}
	p.Reading = reading
	return p, nil
}

// inForce reports whether the limit belongs to the reading taken.
func (p *Pack) inForce(l *Limit) bool {
	return len(l.Readings) == 0 || slices.Contains(l.Readings, p.Reading)
}
