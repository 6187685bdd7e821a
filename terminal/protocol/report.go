package protocol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
)

// Setting names a config: what a terminal runs, has saved, or refuses.
type Setting struct {
	Version int64 `json:"version"`
	Hash    Hash  `json:"hash"`
}

// Report is what a terminal says of itself. The one with the greatest boot
// count, and in it the greatest number, is the newest: clocks prove nothing.
type Report struct {
	Form     int               `json:"form"`
	Terminal mianmi.TerminalID `json:"terminal"`
	Boot     Boot              `json:"boot"`
	Number   int64             `json:"number"` // in this boot, from 1
	At       time.Time         `json:"at"`     // by the terminal's clock

	Running    *Setting `json:"running"`           // nil: nothing yet, so PIN-free is off
	PinFree    bool     `json:"pin_free"`          // what it does now: config and local setting together
	Local      *Local   `json:"local,omitempty"`   // set in its own menu and running
	Pending    *Local   `json:"pending,omitempty"` // set in its own menu, runs after the next boot or the host's consent
	Saved      *Setting `json:"saved,omitempty"`   // on its disk, runs after the next boot
	Refused    *Refusal `json:"refused,omitempty"`
	Tightening int64    `json:"tightening"` // Config.Tightened of the newest config that it has seen

	Device    Device    `json:"device"`
	Update    *Update   `json:"update,omitempty"` // nil: nothing to say
	Network   Network   `json:"network"`
	Decided   time.Time `json:"decided,omitzero"` // the last answer to a payment that came from the host
	Proposals []Local   `json:"proposals,omitempty"`
	Checks    []Check   `json:"checks,omitempty"`
	Troubles  []Trouble `json:"troubles,omitempty"`
}

// Boot is one run of the terminal, from power on or restart to its end.
type Boot struct {
	ID    string    `json:"id"`    // random, another one at each boot
	Count int64     `json:"count"` // of boots, from 1
	At    time.Time `json:"at"`
}

// Local is a change made in the terminal's own menu.
type Local struct {
	ID      string    `json:"id"`      // random; the host answers by it
	Version int64     `json:"version"` // of the local setting, raised by each change
	PinFree bool      `json:"pin_free"`
	Author  string    `json:"author"`   // who was signed in at the menu: a name chosen there, no person's data
	BasedOn int64     `json:"based_on"` // version of the config that was running
	At      time.Time `json:"at"`
}

// Refusal says that a terminal does not run a config, and why.
type Refusal struct {
	Setting
	Reason string `json:"reason"` // for the record; at most 200 bytes
}

// Device is the machine and its programs.
type Device struct {
	Model    string `json:"model"` // family of the model: "android_smart", …
	OS       string `json:"os"`
	Firmware string `json:"firmware"`
	App      string `json:"app"`
	Keypad   bool   `json:"keypad"`            // a physical one
	Battery  *int   `json:"battery,omitempty"` // percent; nil: on the mains
}

// Update says how a terminal stands with a program that is not simply running.
type Update struct {
	State   string `json:"state"`             // "waiting" for a restart, "trial": runs and is not confirmed yet, "refused"
	Version string `json:"version,omitempty"` // of the program; empty: of all that the host offers
	Reason  string `json:"reason,omitempty"`  // of a refusal: "unsigned", "expired", "frozen", "wrong_hash", "not_attested", …
}

// Network is the verdict of the terminal's own link checks. What it means for
// PIN-free is the host's policy. The zero Network is unsafe.
type Network struct {
	Kind   string `json:"kind"`    // "ethernet", "mobile", "wifi", "wifi_open", "local": the host is this machine, "" not known
	DNS    bool   `json:"dns"`     // the host's name leads where it should
	TLS    bool   `json:"tls"`     // chain and pinned key fit
	Portal bool   `json:"portal"`  // something on the way answers in the host's place
	RTTms  int64  `json:"rtt_ms"`  // median; -1: not measured
	LossPC int64  `json:"loss_pc"` // percent of probes without an answer; -1: not measured
}

// Check is a test that a terminal ran after a change.
type Check struct {
	Kind    string           `json:"kind"` // "test_payment" or "method"
	Method  string           `json:"method"`
	Payment mianmi.PaymentID `json:"payment,omitempty"` // of a test payment
	Passed  bool             `json:"passed"`
	Detail  string           `json:"detail,omitempty"` // outcome or fault, by its code
	At      time.Time        `json:"at"`
}

// Trouble is what a person at the terminal says is wrong, in one tap. It comes
// again until a report with it has been accepted; ID tells repeats.
type Trouble struct {
	ID      string           `json:"id"`   // random
	Kind    string           `json:"kind"` // "not_me", "no_pin_asked", "wrong_amount", "device", "display", "other"
	OrderNo string           `json:"order_no,omitempty"`
	Payment mianmi.PaymentID `json:"payment,omitempty"`
	At      time.Time        `json:"at"`
}

// Signed is a report as it travels: the bytes that were signed, and by which
// key. It is kept as it came, for it is the proof.
type Signed struct {
	Report    []byte `json:"report"`    // JSON of Report, in base64
	Signature []byte `json:"signature"` // ECDSA P-256 over SHA-256, ASN.1 (FIPS 186-5)
	Key       string `json:"key"`       // KeyID of the key
}

// domain keeps a signature for one purpose from serving another.
const domain = "mianmi-terminal-report-v1\n"

func digest(report []byte) []byte {
	h := sha256.New()
	_, _ = io.WriteString(h, domain) // a hash never fails
	h.Write(report)
	return h.Sum(nil)
}

// KeyID is the first 16 bytes of SHA-256 of the key's SubjectPublicKeyInfo
// (RFC 5280, section 4.1), in hexadecimal.
func KeyID(key *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("encode a terminal's key: %w", err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:16]), nil
}

// Sign encodes and signs a report. random feeds the signature.
func (r Report) Sign(random io.Reader, key *ecdsa.PrivateKey) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a report: %w", err)
	}
	s := Signed{Report: text}
	if s.Signature, err = ecdsa.SignASN1(random, key, digest(text)); err != nil {
		return nil, fmt.Errorf("sign a report: %w", err)
	}
	if s.Key, err = KeyID(&key.PublicKey); err != nil {
		return nil, err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode a signed report: %w", err)
	}
	return b, nil
}

// ParseSigned reads a signed report without checking it: to find the key.
func ParseSigned(b []byte) (Signed, error) {
	var s Signed
	if err := decode(b, ReportMax, &s); err != nil {
		return Signed{}, mianmi.InvalidField("report", err.Error())
	}
	return s, nil
}

// Open checks the signature by the terminal's key and reads the report.
func (s Signed) Open(key *ecdsa.PublicKey) (Report, error) {
	v, err := NewVerifier(key)
	if err != nil {
		return Report{}, err
	}
	return v.Open(s)
}

// Verifier checks the signatures of one key, again and again.
type Verifier struct {
	key *ecdsa.PublicKey
	id  string
}

// NewVerifier works the name of a key out.
func NewVerifier(key *ecdsa.PublicKey) (*Verifier, error) {
	id, err := KeyID(key)
	return &Verifier{key, id}, err
}

// Open checks the signature and reads the report.
func (v *Verifier) Open(s Signed) (Report, error) {
	if v.key.Curve != elliptic.P256() || s.Key != v.id || !ecdsa.VerifyASN1(v.key, digest(s.Report), s.Signature) {
		return Report{}, mianmi.InvalidField("signature", "does not fit the report and the terminal's key")
	}
	var r Report
	if err := decode(s.Report, ReportMax, &r); err != nil {
		return Report{}, mianmi.InvalidField("report", err.Error())
	}
	if err := r.check(); err != nil {
		return Report{}, err
	}
	return r, nil
}

// Bounds of lists and texts in a report: what a terminal gathers in a long time
// without the host; the rest waits for the next report.
const (
	listMax = 32
	textMax = 200
)

func (r Report) check() error {
	switch {
	case r.Form != Form:
		return mianmi.InvalidField("form", "is one that this program does not know")
	case r.Terminal == "":
		return mianmi.InvalidField("terminal", "which terminal?")
	case r.Boot.Count < 1 || r.Number < 1:
		return mianmi.InvalidField("boot.count", "boots and reports are counted from 1")
	case len(r.Boot.ID) < 16 || len(r.Boot.ID) > 64:
		return mianmi.InvalidField("boot.id", "want 16 to 64 random characters")
	case len(r.Proposals) > listMax:
		return mianmi.InvalidField("proposals", "at most 32 a report")
	case len(r.Checks) > listMax:
		return mianmi.InvalidField("checks", "at most 32 a report")
	case len(r.Troubles) > listMax:
		return mianmi.InvalidField("troubles", "at most 32 a report")
	case r.Refused != nil && len(r.Refused.Reason) > textMax:
		return mianmi.InvalidField("refused.reason", "at most 200 bytes")
	case r.PinFree && r.Running == nil:
		return mianmi.InvalidField("pin_free", "is on without a config")
	}
	for _, text := range []string{r.Device.Model, r.Device.OS, r.Device.Firmware, r.Device.App, r.Network.Kind} {
		if len(text) > textMax {
			return mianmi.InvalidField("device", "texts have at most 200 bytes")
		}
	}
	if u := r.Update; u != nil && (len(u.State) > textMax || len(u.Version) > textMax || len(u.Reason) > textMax) {
		return mianmi.InvalidField("update", "texts have at most 200 bytes")
	}
	for _, l := range r.Proposals {
		if len(l.ID) < 16 || len(l.ID) > 64 || len(l.Author) > textMax || l.Version < 1 {
			return mianmi.InvalidField("proposals", "each has a random id, a version and an author")
		}
	}
	for _, t := range r.Troubles {
		if len(t.ID) < 16 || len(t.ID) > 64 || len(t.Kind) > textMax || len(t.OrderNo) > textMax || len(t.Payment) > textMax {
			return mianmi.InvalidField("troubles", "each has a random id, and texts of at most 200 bytes")
		}
	}
	return nil
}

// Newer reports whether the report comes after one of the boot count and
// number.
func (r Report) Newer(bootCount, number int64) bool {
	return r.Boot.Count > bootCount || r.Boot.Count == bootCount && r.Number > number
}
