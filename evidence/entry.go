// Package evidence is the record of who changed what, when, and its proof: a
// transparency log whose receipts verify without the server (docs/adr/0008).
//
// An Entry is opaque bytes and a type name. It is written in the transaction
// of the fact that it records; the bytes that were stored are the bytes that
// are hashed. What a record means is left to the package that wrote it, where
// it is kept to store, and who may see it to the transports.
package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mianmi/mianmi"
)

// Entry records one fact. Body is JSON as stored; it holds no name, phone
// number, PIN, password or card number: identifiers and figures only.
type Entry struct {
	ID      mianmi.EntryID
	At      time.Time
	Type    string // "payer.pin_free.closed"
	Subject string // identifier of what changed
	Actor   string // mianmi.Actor.String()
	Body    []byte
	// Epoch numbers the changes of what payments share (merchants, terminals,
	// policies, packs, keys): the change that the entry records. The store fills
	// it; 0: no such change.
	Epoch int64
}

// ReadBody decodes the body, all of whose fields into must know: half of a
// fact is not the fact.
func (e Entry) ReadBody(into any) error {
	if err := strict(e.Body, into); err != nil {
		return fmt.Errorf("entry %s of type %s: its body %w", e.ID, e.Type, err)
	}
	return nil
}

// entryVersion is the form of stored entries.
const entryVersion = 1

// EntryMax bounds an entry: tiles give its length 16 bits (c2sp.org/tlog-tiles).
const EntryMax = 1<<16 - 1

// stored is the form of an entry that is stored and hashed.
type stored struct {
	Version int             `json:"v"`
	Type    string          `json:"type"`
	ID      mianmi.EntryID  `json:"id"`
	At      time.Time       `json:"at"`
	Subject string          `json:"subject,omitempty"`
	Actor   string          `json:"actor,omitempty"`
	Epoch   int64           `json:"epoch,omitempty"`
	Body    json.RawMessage `json:"body"`
}

// Encode returns the bytes of an entry. It is called once, when the entry is
// written: from then on the bytes are the entry.
func (e Entry) Encode() ([]byte, error) {
	b, err := json.Marshal(stored{entryVersion, e.Type, e.ID, e.At.UTC(), e.Subject, e.Actor, e.Epoch, e.Body})
	if err != nil {
		return nil, fmt.Errorf("encode entry %s: %w", e.ID, err)
	}
	if len(b) > EntryMax {
		return nil, fmt.Errorf("entry %s of type %s has %d bytes; at most %d fit", e.ID, e.Type, len(b), EntryMax)
	}
	return b, nil
}

// Decode reads the bytes of an entry. Anything but that form is an Invalid error.
func Decode(b []byte) (Entry, error) {
	var s stored
	if err := strict(b, &s); err != nil {
		return Entry{}, mianmi.InvalidField("entry", err.Error())
	}
	if s.Version != entryVersion || s.Type == "" || s.ID == "" || s.At.IsZero() || len(s.Body) == 0 {
		return Entry{}, mianmi.InvalidField("entry", "is of a form that this program does not know")
	}
	return Entry{ID: s.ID, At: s.At, Type: s.Type, Subject: s.Subject, Actor: s.Actor, Epoch: s.Epoch, Body: s.Body}, nil
}

// strict decodes one JSON value with known fields and nothing after it.
func strict(b []byte, into any) error {
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
