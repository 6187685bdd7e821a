// Package posture says what a terminal and its network must be like for
// PIN-free payment, and how long a proof of its settings counts: a policy as
// data, whose conditions are CEL over what the terminal reports.
//
// It is pure. Who may set a policy, and what a failed condition means for a
// payment, is left to terminal and pinfree.
package posture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver" // versions of programs, by semver.org

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Terms are what a policy says. The zero Terms are not valid: a policy says
// all of it, so that nothing is left to a guess.
type Terms struct {
	// LeaseSeconds is how long an attestation counts, ReportSeconds the longest
	// time between two reports.
	LeaseSeconds  int64 `json:"lease_seconds"`
	ReportSeconds int64 `json:"report_seconds"`
	// DeadlineSeconds is how long after an OFF every terminal must have proved
	// it; those that have not are escalated then.
	DeadlineSeconds int64 `json:"deadline_seconds"`
	// KeypadAbove holds, for a currency each, the amount up to which a PIN may be
	// typed on a screen; above it, and in other currencies, a physical keypad alone.
	KeypadAbove []money.Amount `json:"keypad_above"`
	// MenuLocked: a terminal's own menu shows the setting and cannot change it.
	MenuLocked bool `json:"menu_locked"`
	// AppMin is the oldest program that may take PIN-free payments; empty: any.
	AppMin string `json:"app_min"`
	Rules  []Rule `json:"rules"`
}

// Rule is a condition under which a terminal is not safe enough.
type Rule struct {
	ID     string      `json:"id"`     // "captive_portal"; lower case, digits and _
	Unsafe string      `json:"unsafe"` // CEL: true, or not to be told, means unsafe
	Says   mianmi.Text `json:"says"`   // what is wrong, as the end of a sentence
}

// Policy is the terms that are in force.
type Policy struct {
	Version int64 // 0: those that are shipped
	Epoch   int64 // of the settings, from which they are in force; 0: from the first
	// Tightened is the epoch of the newest policy that asked for more: a verdict
	// by an older one does not count.
	Tightened int64
	Since     time.Time
	Actor     string // mianmi.Actor.String() of who brought it into force
	Terms     Terms
}

// Bounds of a policy. A lease of less than a minute asks for a report each few
// seconds of every terminal; one of more than a day is no proof of today.
const (
	leaseMin, leaseMax       = 60, 24 * 60 * 60
	reportMin                = 10
	deadlineMin, deadlineMax = 60, 7 * 24 * 60 * 60
	rulesMax                 = 32
	currenciesMax            = 32
	idMax                    = 32
	saysMax                  = 200
	appMax                   = 64
	termsMax                 = 32 << 10 // an entry of the log holds them (evidence.EntryMax)
)

// Validate returns an Invalid error that names the first field at fault. It
// compiles every rule.
func (t Terms) Validate() error {
	if _, err := Compile(Policy{Terms: t}); err != nil {
		return err
	}
	if b, err := t.Encode(); err != nil || len(b) > termsMax {
		return mianmi.InvalidField("rules", "too long: 32 KiB in all, as JSON")
	}
	return nil
}

// Same reports whether both say the same.
func (t Terms) Same(o Terms) bool {
	a, err := t.Encode()
	b, also := o.Encode()
	return err == nil && also == nil && bytes.Equal(a, b)
}

func (t Terms) check() error {
	switch {
	case t.LeaseSeconds < leaseMin || t.LeaseSeconds > leaseMax:
		return mianmi.InvalidField("lease_seconds", "want 60 to 86400")
	case t.ReportSeconds < reportMin || t.ReportSeconds > t.LeaseSeconds/2:
		return mianmi.InvalidField("report_seconds", "want at least 10, and at most half of the lease: one report may be lost")
	case t.DeadlineSeconds < deadlineMin || t.DeadlineSeconds > deadlineMax:
		return mianmi.InvalidField("deadline_seconds", "want 60 to 604800")
	case len(t.KeypadAbove) > currenciesMax:
		return mianmi.InvalidField("keypad_above", "too many currencies")
	case t.AppMin != "" && (len(t.AppMin) > appMax || !semver.IsValid("v"+t.AppMin)):
		return mianmi.InvalidField("app_min", "want a version like 1.4.0, or nothing")
	case len(t.Rules) > rulesMax:
		return mianmi.InvalidField("rules", "at most 32")
	}
	for i, a := range t.KeypadAbove {
		if !a.Positive() || slices.ContainsFunc(t.KeypadAbove[:i], func(b money.Amount) bool { return a.Currency() == b.Currency() }) {
			return mianmi.InvalidField(fmt.Sprintf("keypad_above[%d]", i), "want more than nothing, once for a currency")
		}
	}
	for i, r := range t.Rules {
		if err := r.check(); err != "" {
			return mianmi.InvalidField(fmt.Sprintf("rules[%d]", i), err)
		}
		if slices.ContainsFunc(t.Rules[:i], func(o Rule) bool { return o.ID == r.ID }) {
			return mianmi.InvalidField(fmt.Sprintf("rules[%d].id", i), "stands there twice")
		}
	}
	return nil
}

func (r Rule) check() string {
	switch {
	case r.ID == "" || len(r.ID) > idMax || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return "id: want lower-case letters, digits and _, at most 32"
	case r.Says.ZH == "" || r.Says.EN == "" || len(r.Says.ZH) > saysMax || len(r.Says.EN) > saysMax:
		return "says: want a text in Chinese and one in English, at most 200 bytes each"
	}
	return ""
}

// Encode returns the terms as they are stored: no list is as good as an empty
// one.
func (t Terms) Encode() ([]byte, error) {
	if t.KeypadAbove == nil {
		t.KeypadAbove = []money.Amount{}
	}
	if t.Rules == nil {
		t.Rules = []Rule{}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode the terms of a terminal policy: %w", err)
	}
	return b, nil
}

// Decode reads what Encode wrote. A field that it does not know is an error: a
// policy is read whole or not at all.
func Decode(b []byte) (Terms, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var t Terms
	if err := d.Decode(&t); err != nil {
		return Terms{}, fmt.Errorf("read the terms of a terminal policy: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Terms{}, errors.New("read the terms of a terminal policy: something follows")
	}
	return t, nil
}

// ScreenMax is the largest amount for which a PIN may be typed on a screen; 0:
// on a physical keypad alone.
func (t Terms) ScreenMax(c money.Currency) int64 {
	for _, a := range t.KeypadAbove {
		if a.Currency() == c {
			return a.Minor()
		}
	}
	return 0
}

// Lease is how long an attestation counts.
func (t Terms) Lease() time.Duration { return time.Duration(t.LeaseSeconds) * time.Second }

// Report is the longest time between two reports.
func (t Terms) Report() time.Duration { return time.Duration(t.ReportSeconds) * time.Second }

// Deadline is how long terminals have to prove an OFF.
func (t Terms) Deadline() time.Duration { return time.Duration(t.DeadlineSeconds) * time.Second }

// Tightens reports whether nothing is allowed by after that before did not
// allow. It is proved from the form: a condition that was reworded counts as
// another, and so as a loosening.
func Tightens(before, after Terms) bool {
	if after.LeaseSeconds > before.LeaseSeconds || after.ReportSeconds > before.ReportSeconds || after.DeadlineSeconds > before.DeadlineSeconds ||
		before.MenuLocked && !after.MenuLocked || older(after.AppMin, before.AppMin) {
		return false
	}
	if after.AppMin != before.AppMin && slices.ContainsFunc(before.Rules, oddlyVersioned) {
		return false
	}
	for _, a := range after.KeypadAbove {
		if a.Minor() > before.ScreenMax(a.Currency()) {
			return false
		}
	}
	for _, r := range before.Rules {
		if !slices.ContainsFunc(after.Rules, func(o Rule) bool { return o.ID == r.ID && o.Unsafe == r.Unsafe }) {
			return false
		}
	}
	return true
}

// appRule is the condition by which a newer AppMin fails more terminals.
const appRule = `older(device.app, app_min)`

// oddlyVersioned reports a rule of which one cannot tell what another AppMin
// makes of it.
func oddlyVersioned(r Rule) bool { return strings.Contains(r.Unsafe, "app_min") && r.Unsafe != appRule }

// older reports whether the version is below the least one, or is none. Without
// a least one nothing is older.
func older(version, least string) bool {
	if least == "" {
		return false
	}
	v := "v" + version
	return !semver.IsValid(v) || semver.Compare(v, "v"+least) < 0
}
