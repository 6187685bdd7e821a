// Package terminal is the machines that payments come from: their models and
// the terminals themselves. Its settings are those that the host applies; what
// a device itself runs and proves is not here yet.
//
// PIN-free policies of models and terminals are left to merchant, the decision
// to pinfree.
package terminal

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Model is a kind of terminal. Only its name changes: another keypad is
// another model, so that no terminal gains a method unseen, and none stops
// having to prove what it runs.
type Model struct {
	ID        mianmi.ModelID
	Name      string
	Keypad    bool            // a physical keypad for PINs
	Display   bool            // can show a QR code
	Reboot    bool            // runs a setting from the next boot on
	Proof     Proof           // how one knows what its terminals run
	Methods   pinfree.Methods // what it can read or show; cash needs no machine
	CreatedAt time.Time
}

// Proof is how one knows what the terminals of a model run (docs/adr/0009).
// The numbers are stored. The zero Proof is the one that has to be earned.
type Proof uint8

const (
	// ByAttestation: a terminal signs reports of what it runs, and PIN-free
	// needs one that is new enough.
	ByAttestation Proof = 0
	// ByHost: it runs nothing of ours. It is PIN-free by the host's word alone,
	// and whoever made the model answers for that.
	ByHost Proof = 1
)

var proofNames = [...]string{"attestation", "host"}

// String returns the proof's name as it stands in the API.
func (p Proof) String() string {
	if int(p) < len(proofNames) {
		return proofNames[p]
	}
	return ""
}

// ParseProof is the inverse of String; ok is false for an unknown name.
func ParseProof(name string) (p Proof, ok bool) {
	for i, n := range proofNames {
		if n == name {
			return Proof(i), true //nolint:gosec // there are two
		}
	}
	return ByAttestation, false
}

// Terminal is one machine in a store.
type Terminal struct {
	ID         mianmi.TerminalID
	Store      mianmi.StoreID
	Merchant   mianmi.MerchantID // the store's; filled by the store on reading
	Model      mianmi.ModelID
	Name       string
	Unattended bool
	Purpose    string // of an unattended terminal: "transport_fare", "parking_fee", "vending"; empty: general
	CreatedAt  time.Time
}

// Bounds of texts, in characters.
const (
	nameMax    = 100
	purposeMax = 32
)

// readable are the methods that need something of the machine.
var readable = pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap).
	Set(pinfree.CardInsert).Set(pinfree.CardSwipe).Set(pinfree.DynamicQR)

// Accepts reports whether a terminal of this model can take the method.
// Cash and whatever needs no machine is not its question.
func (m Model) Accepts(method pinfree.Method) bool {
	return m.Methods.Has(method) || method != pinfree.MethodUnknown && !readable.Has(method)
}

// Validate returns an Invalid error that names the first field at fault.
func (m Model) Validate() error {
	if err := checkName(m.Name); err != nil {
		return err
	}
	if m.Proof > ByHost {
		return mianmi.InvalidField("proof", "want attestation or host")
	}
	if m.Methods&^readable != 0 {
		return mianmi.InvalidField("methods", "want payment_code, card_tap, card_insert, card_swipe, dynamic_qr")
	}
	if m.Methods.Has(pinfree.DynamicQR) && !m.Display {
		return mianmi.InvalidField("display", "dynamic_qr needs a display that can show a QR code")
	}
	return nil
}

// Validate returns an Invalid error that names the first field at fault.
func (t Terminal) Validate() error {
	switch {
	case t.Store == "":
		return mianmi.InvalidField("store", "which store?")
	case t.Model == "":
		return mianmi.InvalidField("model", "which model?")
	case t.Purpose != "" && !t.Unattended:
		return mianmi.InvalidField("purpose", "only an unattended terminal has one")
	case len(t.Purpose) > purposeMax || strings.Trim(t.Purpose, "abcdefghijklmnopqrstuvwxyz_") != "":
		return mianmi.InvalidField("purpose", "want lower-case letters and _, at most 32")
	}
	return checkName(t.Name)
}

func checkName(s string) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return mianmi.InvalidField("name", "must be plain text")
	case strings.TrimSpace(s) != s:
		return mianmi.InvalidField("name", "must not begin or end with a space")
	case n == 0:
		return mianmi.InvalidField("name", "must not be empty")
	case n > nameMax:
		return mianmi.InvalidField("name", "is too long")
	}
	return nil
}
