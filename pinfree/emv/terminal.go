package emv

import (
	"strconv"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// TTQ is the terminal transaction qualifiers (tag 9F66), with which a terminal
// tells a Visa or UnionPay card what it can do and wants.
type TTQ [4]byte

// ParseTTQ reads eight hexadecimal digits. Errors are Invalid.
func ParseTTQ(s string) (q TTQ, err error) { return q, parse("9F66", s, q[:]) }

// String writes the qualifiers in hexadecimal.
func (q TTQ) String() string { return text(q[:]) }

// OnlinePIN: the terminal can take an online PIN (byte 1 bit 3).
func (q TTQ) OnlinePIN() bool { return q[0]&0x04 != 0 }

// OfflineOnly: the terminal never goes online (byte 1 bit 4).
func (q TTQ) OfflineOnly() bool { return q[0]&0x08 != 0 }

// CDCVM: the terminal takes verification on the holder's device (byte 3 bit 7).
// UnionPay's layout (qPBOC) does not have this bit.
func (q TTQ) CDCVM() bool { return q[2]&0x40 != 0 }

// CVMRequired: the reader's limit asks for verification (byte 2 bit 7).
func (q TTQ) CVMRequired() bool { return q[1]&0x40 != 0 }

// OnlineRequired: the reader asks for an online cryptogram (byte 2 bit 8).
func (q TTQ) OnlineRequired() bool { return q[1]&0x80 != 0 }

// For returns the qualifiers as Entry Point sets them for an amount in minor
// units: both bits of byte 2 by its limits, the rest as it was (Book B 3.1.1).
func (q TTQ) For(minor int64, e EntryPoint) TTQ {
	q[1] &^= 0xC0
	if e.AsksCVM(minor) {
		q[1] |= 0x40
	}
	if minor > e.FloorLimit {
		q[1] |= 0x80
	}
	return q
}

// Capabilities is the terminal capabilities (tag 9F33). Byte 2 says how it can
// verify the holder.
type Capabilities [3]byte

// ParseCapabilities reads six hexadecimal digits. Errors are Invalid.
func ParseCapabilities(s string) (c Capabilities, err error) { return c, parse("9F33", s, c[:]) }

// String writes the capabilities in hexadecimal.
func (c Capabilities) String() string { return text(c[:]) }

// OnlinePIN: enciphered PIN for the host (byte 2, 0x40).
func (c Capabilities) OnlinePIN() bool { return c[1]&0x40 != 0 }

// Signature (byte 2, 0x20).
func (c Capabilities) Signature() bool { return c[1]&0x20 != 0 }

// OfflinePIN: enciphered PIN for the chip (byte 2, 0x10).
func (c Capabilities) OfflinePIN() bool { return c[1]&0x10 != 0 }

// EntryMode is field 22 of ISO 8583 (n 3): how the card was read, and whether a
// PIN could be entered.
type EntryMode struct {
	Read int // 0 to 99: 5 chip, 7 contactless chip, 91 contactless stripe …
	PIN  PINEntry
}

// PINEntry is the third digit of field 22. The zero PINEntry is unknown.
type PINEntry uint8

// The digits that have a meaning; any other is unknown as well.
const (
	PINEntryUnknown PINEntry = 0
	PINPossible     PINEntry = 1
	PINImpossible   PINEntry = 2
	PINOutOfService PINEntry = 8 // there is a keypad, and it does not work
	PINVerified     PINEntry = 9 // by the terminal
)

// Possible says whether a PIN can be entered, as far as it is known.
func (p PINEntry) Possible() pinfree.Flag {
	switch p {
	case PINPossible, PINVerified:
		return pinfree.Yes
	case PINImpossible, PINOutOfService:
		return pinfree.No
	case PINEntryUnknown:
	}
	return pinfree.NotKnown
}

// ParseEntryMode reads just three digits. Errors are Invalid.
func ParseEntryMode(s string) (EntryMode, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || len(s) != 3 {
		return EntryMode{}, mianmi.InvalidField("22", strconv.Quote(s)+" is not three digits")
	}
	return EntryMode{Read: int(n / 10), PIN: PINEntry(n % 10)}, nil
}

// String writes the three digits.
func (m EntryMode) String() string {
	return n12(int64(m.Read)*10 + int64(m.PIN))[9:]
}

// Method is how the card was read. Keyed and unknown modes are MethodUnknown,
// which is refused.
func (m EntryMode) Method() pinfree.Method {
	switch m.Read {
	case 2, 80, 90: // 80: the chip could not be read
		return pinfree.CardSwipe
	case 3:
		return pinfree.PaymentCode
	case 5, 95:
		return pinfree.CardInsert
	case 7, 91:
		return pinfree.CardTap
	case 81:
		return pinfree.Remote
	}
	return pinfree.MethodUnknown
}
