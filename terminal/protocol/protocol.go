// Package protocol is what a host and a terminal say to each other about the
// terminal's settings: what it is to run, what it reports that it runs, and
// where both are asked for. docs/terminal-protocol.md is the same for makers.
//
// It is pure: forms, their checks, hashes and signatures. Carrying it is left
// to fleet and agent, judging a report to terminal. Payments are not part of
// it: a terminal asks for them with the API's own routes.
package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Form is the version of every form of this package. A terminal that gets a
// form that it does not know keeps what it runs, with PIN-free off.
const Form = 1

// Bounds of what one side takes from the other: a few times what is ever sent.
const (
	ConfigMax = 64 << 10
	ReportMax = 32 << 10
)

// Hash is SHA-256 of the bytes of a Config.
type Hash [sha256.Size]byte

// HashOf returns the hash of a config's bytes as delivered.
func HashOf(config []byte) Hash { return sha256.Sum256(config) }

// String is the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: 64 lower-case digits.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != string(text) {
		return errors.New("want a SHA-256 in 64 lower-case hexadecimal digits")
	}
	copy(h[:], b)
	return nil
}

// Config is all that a terminal is to run. The host computes it from its
// settings; the terminal keeps the bytes as they came, for their hash is what
// it attests. The zero Config allows nothing.
type Config struct {
	Form     int               `json:"form"`
	Terminal mianmi.TerminalID `json:"terminal"`
	// Version is the settings epoch of the newest change that concerns the
	// terminal. A terminal never goes from a version to a smaller one.
	Version int64 `json:"version"`
	// Tightened is the version of the newest tightening that concerns the
	// terminal, and when it was acknowledged; 0: there was none.
	Tightened   int64     `json:"tightened,omitempty"`
	TightenedAt time.Time `json:"tightened_at,omitzero"`

	PinFree    bool          `json:"pin_free"`
	PerPayment *money.Amount `json:"per_payment,omitempty"` // most for one PIN-free payment; nil: what the rules say
	// KeypadAbove is the amount above which a PIN is taken from a physical
	// keypad alone; nil: never from another.
	KeypadAbove *money.Amount `json:"keypad_above,omitempty"`
	Methods     []string      `json:"methods"` // accepted, by the API's names, sorted
	Stops       []Stop        `json:"stops,omitempty"`
	Because     []Say         `json:"because"` // who has a say, the one that binds first

	Reader []Reader `json:"reader,omitempty"` // what the card reader is to be set to; none: it keeps what it has

	LeaseSeconds  int64  `json:"lease_seconds"`           // how long an attestation counts
	ReportSeconds int64  `json:"report_seconds"`          // longest time between two reports
	MenuLock      string `json:"menu_lock,omitempty"`     // "host": the menu shows the setting and cannot change it
	AppMin        string `json:"app_min,omitempty"`       // oldest program that may take PIN-free payments
	HostEnforced  bool   `json:"host_enforced,omitempty"` // the model proves nothing: only the host's word counts

	// MerchantID is whose orders the terminal asks for: a lost answer is found by
	// merchant and order number.
	MerchantID mianmi.MerchantID `json:"merchant_id"`
	Currency   string            `json:"currency"` // of the merchant
	// Names for slip and screen.
	Merchant string `json:"merchant"`
	Store    string `json:"store"`
	Address  string `json:"address,omitempty"`
	Name     string `json:"name"` // of the terminal
}

// Reader is what a reader is set to for one scheme's cards.
type Reader struct {
	Scheme   string `json:"scheme"`
	Currency string `json:"currency"`
	Kernel   string `json:"kernel"`            // "entry_point", "c2", "unionpay"
	PinFree  int64  `json:"pin_free"`          // largest amount without a PIN, in minor units; 0: none
	TLV      string `json:"tlv"`               // the EMV data objects, in hexadecimal
	Field62  string `json:"field62,omitempty"` // UnionPay parameters, as field 62 loads them
}

// Stop is an emergency stop that concerns the terminal. It ends by the host's
// clock, which the terminal knows from the receipts.
type Stop struct {
	ID    mianmi.StopID `json:"id"`
	Until time.Time     `json:"until"`
}

// Say is one level's word on PIN-free.
type Say struct {
	Level   string    `json:"level"` // "merchant", "store", "model", "terminal", "everything", "channel", "emergency_stop"
	ID      string    `json:"id,omitempty"`
	Version int64     `json:"version"`
	PinFree bool      `json:"pin_free"`
	Since   time.Time `json:"since,omitzero"`
	// PerPayment is the level's most for one PIN-free payment; nil: it sets none.
	PerPayment *money.Amount `json:"per_payment,omitempty"`
}

// Allows reports whether the config lets a PIN-free payment be asked for at now.
func (c Config) Allows(now time.Time) bool {
	return c.Form == Form && c.PinFree &&
		!slices.ContainsFunc(c.Stops, func(s Stop) bool { return now.Before(s.Until) })
}

// Encode returns the bytes of a config. The host calls it once; from then on
// the bytes are the config.
func (c Config) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode config %d of %s: %w", c.Version, c.Terminal, err)
	}
	if len(b) > ConfigMax {
		return nil, fmt.Errorf("config %d of %s has %d bytes; at most %d", c.Version, c.Terminal, len(b), ConfigMax)
	}
	return b, nil
}

// DecodeConfig reads the bytes of a config. Anything but that form is an
// Invalid error: a terminal must not run half of a setting.
func DecodeConfig(b []byte) (Config, error) {
	var c Config
	if err := decode(b, ConfigMax, &c); err != nil {
		return Config{}, mianmi.InvalidField("config", err.Error())
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c Config) check() error {
	switch {
	case c.Form != Form:
		return mianmi.InvalidField("form", "is one that this program does not know")
	case c.Terminal == "":
		return mianmi.InvalidField("terminal", "which terminal?")
	case c.Version < 1 || c.Tightened < 0 || c.Tightened > c.Version:
		return mianmi.InvalidField("version", "want at least 1, and no tightening that is newer")
	case c.LeaseSeconds < 1 || c.ReportSeconds < 1 || c.ReportSeconds > c.LeaseSeconds:
		return mianmi.InvalidField("lease_seconds", "want a lease, and reports within it")
	case c.MenuLock != "" && c.MenuLock != "host":
		return mianmi.InvalidField("menu_lock", "want host, or leave it out")
	}
	return nil
}

// decode reads one JSON value with known fields and nothing after it.
func decode(b []byte, most int, into any) error {
	if len(b) > most {
		return fmt.Errorf("has %d bytes; at most %d", len(b), most)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("is not the JSON of this form: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("is followed by more")
	}
	return nil
}
