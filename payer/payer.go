// Package payer is the people who pay: their PIN-free switch, own limits,
// agreements with merchants, one-off allowance, loss report and payment
// password.
//
// Tightening takes one step and is in force when it is acknowledged.
// Loosening takes identity, the current risk text and a cooling-off. What a
// payment may do with these settings is left to pinfree; taking payments to
// payment; who is calling to access.
package payer

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Payer is one person's (or wallet's) settings. The zero Payer has PIN-free
// off and no password.
type Payer struct {
	ID        mianmi.PayerID
	CreatedAt time.Time

	Settings Settings
	Version  int64     // raised by every change of settings, agreements, password
	Since    time.Time // when Settings came into force
	Pending  *Pending  // a loosening that waits for its cooling-off

	Frozen    time.Time // loss report; zero: none
	Hold      *Hold     // may be over by now: see Held
	Allowance *Allowance

	// VerifiableFrom is when the payment password may be used: nil when none
	// is set, a past time when it may, a future one while it is locked.
	VerifiableFrom *time.Time

	Balance money.Amount
	// Counters belong to payments: this package neither reads nor writes them.
	Counters pinfree.Counters
}

// Settings are the payer's own. The zero Settings is off.
type Settings struct {
	PinFree    bool           `json:"pin_free"`
	Currency   money.Currency `json:"currency,omitempty"` // of the limits
	PerPayment *int64         `json:"per_payment,omitempty"`
	DayAmount  *int64         `json:"day_amount,omitempty"`
	DayCount   *int64         `json:"day_count,omitempty"`
	QuietFrom  int            `json:"quiet_from,omitempty"` // minute of the payer's day; equal to QuietTo: none
	QuietTo    int            `json:"quiet_to,omitempty"`   // up to 1440, the end of the day
}

// Pending is a loosening in its cooling-off.
type Pending struct {
	Settings Settings  `json:"settings"`
	At       time.Time `json:"at"` // when it comes into force
}

// At returns the settings in force at now: the pending ones once their
// cooling-off is over.
func (p *Payer) At(now time.Time) Settings {
	if p.Pending != nil && !now.Before(p.Pending.At) {
		return p.Pending.Settings
	}
	return p.Settings
}

// Allowance is leave for one PIN-free payment while PIN-free is closed or
// above the own limits. It overrides nobody but the payer, and dies with any
// tightening.
type Allowance struct {
	ID        mianmi.AllowanceID `json:"id"`
	Max       money.Amount       `json:"max"`
	Merchant  mianmi.MerchantID  `json:"merchant,omitempty"` // empty: any
	ExpiresAt time.Time          `json:"expires_at"`
}

// Agreement is a payer's consent to PIN-free charges by one merchant (免密签约).
type Agreement struct {
	ID             mianmi.AgreementID
	Payer          mianmi.PayerID
	Merchant       mianmi.MerchantID
	Open           bool
	ConsentVersion string
	PerPayment     *int64 // minor units of the payer's currency; nil: none
	Version        int64
	OpenedAt       time.Time
	ClosedAt       time.Time // zero while open
}

// Instrument is a card or device known by a token that mianmi issued. No card
// number is ever stored; Last4 is what a receipt may show.
type Instrument struct {
	ID        mianmi.InstrumentID
	Payer     mianmi.PayerID
	Scheme    string
	Kind      string
	Domestic  bool
	Issuer    string // "icbc", …; empty: unknown
	Last4     string
	CreatedAt time.Time
}

// Person is what identifies a payer to people. It stays in its own table, so
// that it can be erased.
type Person struct {
	Payer mianmi.PayerID
	Phone string // E.164, "+8613800000000"
	Name  string
	Lang  mianmi.Lang
}

// MaskedPhone shows the last four digits only.
func (p Person) MaskedPhone() string {
	if len(p.Phone) < 4 {
		return "****"
	}
	return "****" + p.Phone[len(p.Phone)-4:]
}

// Password is the state of a payment password. The zero Password is none.
type Password struct {
	Hash        string    // argon2id in PHC form; empty: none is set
	Tries       int       // consecutive failures; each lock fills them up to a multiple of Config.TriesMax
	LockedUntil time.Time // zero: not locked

	// Renew is set by a loss report and cleared by a new password: whoever has
	// the phone may know the old one, so the report is not lifted before.
	Renew bool

	// ResetDigest is of a one-time code that sets a new password until ResetUntil.
	ResetDigest []byte
	ResetUntil  time.Time
}
