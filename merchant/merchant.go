// Package merchant is who takes payments: merchants and their stores, the
// PIN-free policies of every level from everything down to one terminal, the
// changes that wait for a second person, and emergency stops.
//
// Tightening takes one person and is in force when it is acknowledged.
// Loosening takes two (docs/adr/0004). What a payment may do under these
// policies is left to settings and pinfree; terminals themselves to terminal.
package merchant

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Merchant is a business that takes payments. Its currency never changes: its
// limits and its books are in it.
type Merchant struct {
	ID        mianmi.MerchantID
	Name      string
	Currency  money.Currency
	Facts     Facts
	Version   int64 // raised by every change of Facts
	CreatedAt time.Time
}

// Facts are what its acquirer says of a merchant and what rule packs ask for.
type Facts struct {
	Country           string `json:"country"`            // ISO 3166 alpha-2
	MCC               uint16 `json:"mcc"`                // ISO 18245; 0: unknown
	NoPIN             bool   `json:"no_pin"`             // enabled for no PIN and no signature ("double-free", 双免)
	Upgraded          bool   `json:"upgraded"`           // upgraded to the scheme's present limit
	AgreementRequired bool   `json:"agreement_required"` // PIN-free only for payers with an open agreement
	Risk              string `json:"risk,omitempty"`     // its acquirer's rating: low, elevated or high; empty: unknown
}

// Store is one place of a merchant.
type Store struct {
	ID          mianmi.StoreID
	Merchant    mianmi.MerchantID
	Name        string
	Address     string
	Coordinates *Coordinates // nil: not known
	CreatedAt   time.Time
}

// Coordinates are WGS 84 degrees times a million.
type Coordinates struct {
	LatE6 int32 `json:"lat_e6"` // -90,000,000 to 90,000,000
	LonE6 int32 `json:"lon_e6"` // -180,000,000 to 180,000,000
}

// Bounds of texts, in characters.
const (
	nameMax    = 100
	addressMax = 300
	reasonMax  = 300
)

const (
	latE6Max = 90_000_000
	lonE6Max = 180_000_000
	mccMax   = 9999
)

// Validate returns an Invalid error that names the first field at fault.
func (m Merchant) Validate() error {
	if err := checkText("name", m.Name, 1, nameMax); err != nil {
		return err
	}
	if !m.Currency.Valid() {
		return mianmi.InvalidField("currency", "want an ISO 4217 code of three upper-case letters")
	}
	return m.Facts.Validate()
}

// Validate returns an Invalid error that names the first field at fault.
func (f Facts) Validate() error {
	if len(f.Country) != 2 || !upper(f.Country[0]) || !upper(f.Country[1]) {
		return mianmi.InvalidField("country", "want an ISO 3166 code of two upper-case letters")
	}
	if f.MCC > mccMax {
		return mianmi.InvalidField("mcc", "want 0 to 9999")
	}
	if f.Risk != "" && !slices.Contains(pinfree.Risks, f.Risk) {
		return mianmi.InvalidField("risk", "want low, elevated or high, or leave it out")
	}
	return nil
}

// Validate returns an Invalid error that names the first field at fault.
func (s Store) Validate() error {
	if s.Merchant == "" {
		return mianmi.InvalidField("merchant", "which merchant?")
	}
	if err := checkText("name", s.Name, 1, nameMax); err != nil {
		return err
	}
	if err := checkText("address", s.Address, 0, addressMax); err != nil {
		return err
	}
	if c := s.Coordinates; c != nil {
		if c.LatE6 < -latE6Max || c.LatE6 > latE6Max {
			return mianmi.InvalidField("lat_e6", "want -90000000 to 90000000")
		}
		if c.LonE6 < -lonE6Max || c.LonE6 > lonE6Max {
			return mianmi.InvalidField("lon_e6", "want -180000000 to 180000000")
		}
	}
	return nil
}

func upper(b byte) bool { return b >= 'A' && b <= 'Z' }

// checkText bounds a text in characters and keeps control characters out.
func checkText(field, s string, lengthMin, lengthMax int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return mianmi.InvalidField(field, "must be plain text")
	case strings.TrimSpace(s) != s:
		return mianmi.InvalidField(field, "must not begin or end with a space")
	case n < lengthMin:
		return mianmi.InvalidField(field, "must not be empty")
	case n > lengthMax:
		return mianmi.InvalidField(field, "is too long")
	}
	return nil
}
