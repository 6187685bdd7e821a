package mianmi

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"time"
)

// Identifiers are types of their own, so that two kinds cannot be swapped.
// Each is a short ASCII text with a two-letter prefix that names its kind.
type (
	PayerID      string // "py…"
	MerchantID   string // "mc…"
	StoreID      string // "st…"
	ModelID      string // "md…"
	TerminalID   string // "tm…"
	PaymentID    string // "pm…", carries its bucket
	RefundID     string // "rf…", carries its bucket
	AgreementID  string // "ag…", carries its bucket
	ContractID   string // "cc…", of an agreement at a channel; carries its bucket
	InstrumentID string // "ci…", a card token issued by mianmi; carries its bucket
	AllowanceID  string // "al…"
	StopID       string // "es…", an emergency stop
	ApprovalID   string // "ap…", a change that waits for a second person
	RolloutID    string // "ro…", a loosening that comes in stages
	RuleChangeID string // "rc…", a change of the rule packs in force
	WebhookID    string // "wh…", who is told of facts
	ComplaintID  string // "cp…", what a payer complains of
	AnswerID     string // "ca…", what is said to that
	CaseID       string // "cs…", a case of the support desk
	PayoutID     string // "po…", compensation that a case gives
	AlarmID      string // "am…", something that looks wrong
	MeasureID    string // "ms…", a protective measure that follows from it
	StaffID      string // "sf…"
	KeyID        string // "ak…", an API key (its name, not its secret)
	SessionID    string // "se…" (its name, not its secret)
	EntryID      string // "en…", an entry of the evidence
)

// Buckets is the number of buckets that payers are spread over. It is fixed
// for ever: it is part of every key of a payer's rows.
const Buckets = 256

// Bucket is the part of the key space that a payer's rows belong to, 0 to 255.
type Bucket uint8

// Bucket returns the bucket of the payer: a fixed hash (FNV-1a, 32 bit, folded
// to 8) of its identifier. It never changes, for rows are stored under it.
func (id PayerID) Bucket() Bucket { return BucketOf(string(id)) }

// BucketOf folds the FNV-1a hash of any text to a bucket. Rows that belong to
// no payer (an order number, a login name) are spread by it.
func BucketOf(s string) Bucket {
	h := fnv.New32a()
	_, _ = io.WriteString(h, s) // a hash never fails
	v := h.Sum32()
	return Bucket((v ^ v>>8 ^ v>>16 ^ v>>24) & 0xff)
}

// crockford is base32 without letters that are misread, in sorting order.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns prefix + time (48 bit of milliseconds) + 80 random bits, in
// 26 characters after the prefix that sort by time. It reads 10 bytes of r.
func NewID(prefix string, now time.Time, r io.Reader) (string, error) {
	var b [16]byte
	putMillis(b[:6], now)
	if _, err := io.ReadFull(r, b[6:]); err != nil {
		return "", fmt.Errorf("read randomness for an id: %w", err)
	}
	return prefix + crockford.EncodeToString(b[:]), nil
}

// NewOrderedID is NewID for what happens to one subject, as entries of its record:
// within a millisecond identifiers sort by order, of which 24 bits are kept: it tells
// neighbours apart.
func NewOrderedID(prefix string, now time.Time, order int64, r io.Reader) (string, error) {
	n := binary.BigEndian.AppendUint32(nil, uint32(order)) //nolint:gosec // 24 bits are kept
	return NewID(prefix, now, io.MultiReader(bytes.NewReader(n[1:]), r))
}

// IDRange bounds the identifiers that NewID gives in the millisecond of an
// instant: from is the least of them, to the least of the next millisecond.
func IDRange(prefix string, at time.Time) (from, to string) {
	var b [16]byte
	putMillis(b[:6], at)
	from = prefix + crockford.EncodeToString(b[:])
	putMillis(b[:6], at.Add(time.Millisecond))
	return from, prefix + crockford.EncodeToString(b[:])
}

// IDTime is the millisecond that NewID was told, of an identifier with a prefix
// of two characters. InvalidField "id" for what is none.
func IDTime(id string) (time.Time, error) {
	const prefix, chars = 2, 10 // 50 bits, of which the time has the first 48
	if len(id) < prefix+chars {
		return time.Time{}, InvalidField("id", "not an identifier")
	}
	b, err := crockford.DecodeString(id[prefix : prefix+chars])
	if err != nil {
		return time.Time{}, InvalidField("id", "not an identifier")
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, b[:6]...)))).UTC(), nil //nolint:gosec // 48 bits
}

// NewBucketID is NewID for rows of a payer: two hexadecimal digits of the
// bucket end it, so that the row is found without its payer, and identifiers
// still sort by time.
func NewBucketID(prefix string, b Bucket, now time.Time, r io.Reader) (string, error) {
	id, err := NewID(prefix, now, r)
	return id + hex.EncodeToString([]byte{byte(b)}), err
}

func putMillis(b []byte, t time.Time) {
	ms := uint64(t.UnixMilli())
	for i := 5; i >= 0; i-- {
		b[i] = byte(ms)
		ms >>= 8
	}
}

// Bucket returns the bucket that the identifier carries.
func (id PaymentID) Bucket() (Bucket, error) { return bucketIn("pm", string(id)) }

// Bucket returns the bucket that the identifier carries.
func (id RefundID) Bucket() (Bucket, error) { return bucketIn("rf", string(id)) }

// Bucket returns the bucket that the identifier carries.
func (id AgreementID) Bucket() (Bucket, error) { return bucketIn("ag", string(id)) }

// Bucket returns the bucket that the identifier carries.
func (id InstrumentID) Bucket() (Bucket, error) { return bucketIn("ci", string(id)) }

// Bucket returns the bucket that the identifier carries.
func (id ContractID) Bucket() (Bucket, error) { return bucketIn("cc", string(id)) }

// bucketIDLen is prefix 2 + 26 characters + bucket 2.
const bucketIDLen = 30

func bucketIn(prefix, id string) (Bucket, error) {
	if len(id) != bucketIDLen || !strings.HasPrefix(id, prefix) {
		return 0, InvalidField("id", "not an identifier that starts with "+prefix)
	}
	b, err := hex.DecodeString(id[bucketIDLen-2:])
	if err != nil || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return 0, InvalidField("id", "not an identifier that starts with "+prefix)
	}
	return Bucket(b[0]), nil
}
