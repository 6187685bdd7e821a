package payer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Record is the body of every entry about a payer: no personal data. After is
// all of the payer's settings, so that the newest entry alone tells them.
type Record struct {
	Version   int64              `json:"version"`
	Before    Snapshot           `json:"before"`
	After     Snapshot           `json:"after"`
	Session   string             `json:"session,omitempty"`
	Basis     *RecordedBasis     `json:"basis,omitempty"`
	Document  string             `json:"document_version,omitempty"` // of the text that was accepted
	Agreement *RecordedAgreement `json:"agreement,omitempty"`        // after the change
	Detail    map[string]any     `json:"detail,omitempty"`           // identifiers and figures only
	Measure   *mianmi.Measure    `json:"measure,omitempty"`          // of a risk rule, that the change follows from
}

// Snapshot is a payer's settings as a record shows them.
type Snapshot struct {
	Settings       Settings   `json:"settings"`
	Since          time.Time  `json:"since"`
	Pending        *Pending   `json:"pending,omitempty"`
	FrozenAt       *time.Time `json:"frozen_at,omitempty"`
	Hold           *Hold      `json:"hold,omitempty"`
	Allowance      *Allowance `json:"allowance,omitempty"`
	VerifiableFrom *time.Time `json:"verifiable_from,omitempty"` // of the payment password; none: there is no password
}

func (p *Payer) snapshot() Snapshot {
	n := Snapshot{Settings: p.Settings, Since: p.Since, Pending: p.Pending, Hold: p.Hold, Allowance: p.Allowance, VerifiableFrom: p.VerifiableFrom}
	if !p.Frozen.IsZero() {
		at := p.Frozen
		n.FrozenAt = &at
	}
	return n
}

// RecordedBasis is a basis as a record shows it. The number of a note or case
// may be somebody's own (a phone number, say), so the record holds a digest of
// it, whose key stands with the payer's name: whoever knows the number can have
// it checked, and once the key is erased nobody can tell what it was.
type RecordedBasis struct {
	Method    BasisMethod `json:"method"`
	RefDigest string      `json:"ref_digest,omitempty"` // none: there was no key any more
}

// PersonKeyBytes is the length of a person's key: 128 random bits.
const PersonKeyBytes = 16

// Recorded is the basis as a record shows it, by the key of the payer's person.
func (b Basis) Recorded(key []byte) *RecordedBasis {
	if b == (Basis{}) {
		return nil
	}
	r := &RecordedBasis{Method: b.Method}
	if len(key) == PersonKeyBytes {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, b.Ref) // a hash never fails
		r.RefDigest = hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return r
}

// RecordedAgreement is an agreement as a record shows it.
type RecordedAgreement struct {
	ID             mianmi.AgreementID `json:"id"`
	Merchant       mianmi.MerchantID  `json:"merchant"`
	Open           bool               `json:"open"`
	ConsentVersion string             `json:"consent_version"`
	PerPayment     *int64             `json:"per_payment,omitempty"`
	Version        int64              `json:"version"`
	OpenedAt       time.Time          `json:"opened_at"`
	ClosedAt       *time.Time         `json:"closed_at,omitempty"`
}

func (a Agreement) record() *RecordedAgreement {
	r := &RecordedAgreement{ID: a.ID, Merchant: a.Merchant, Open: a.Open, ConsentVersion: a.ConsentVersion, PerPayment: a.PerPayment,
		Version: a.Version, OpenedAt: a.OpenedAt}
	if !a.ClosedAt.IsZero() {
		r.ClosedAt = &a.ClosedAt
	}
	return r
}

// ReadRecord reads the body of an entry about a payer.
func ReadRecord(e evidence.Entry) (Record, error) {
	var r Record
	if err := e.ReadBody(&r); err != nil {
		return Record{}, err
	}
	if r.Version < 1 {
		return Record{}, fmt.Errorf("entry %s of type %s bears no version", e.ID, e.Type)
	}
	return r, nil
}

// Payer is what the record left of the payer's settings. Balance, counters and
// the time of creation are not in it.
func (r Record) Payer(id mianmi.PayerID) Payer {
	n := r.After
	p := Payer{ID: id, Version: r.Version, Settings: n.Settings, Since: n.Since, Pending: n.Pending, Hold: n.Hold, Allowance: n.Allowance,
		VerifiableFrom: n.VerifiableFrom}
	if n.FrozenAt != nil {
		p.Frozen = *n.FrozenAt
	}
	return p
}

// Of is the agreement of the payer.
func (r RecordedAgreement) Of(id mianmi.PayerID) Agreement {
	a := Agreement{ID: r.ID, Payer: id, Merchant: r.Merchant, Open: r.Open, ConsentVersion: r.ConsentVersion, PerPayment: r.PerPayment,
		Version: r.Version, OpenedAt: r.OpenedAt}
	if r.ClosedAt != nil {
		a.ClosedAt = *r.ClosedAt
	}
	return a
}
