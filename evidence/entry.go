// Package evidence is the record of who changed what, when.
//
// An Entry is opaque bytes and a type name. It is written in the transaction
// of the fact that it records; the bytes that were stored are the bytes that
// count. What a record means is left to the package that wrote it.
package evidence

import (
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
}
