package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Receipt proves that an entry is in the log: the entry, the way from it to the
// root, and the signed checkpoint. It needs nothing else but the log's key.
type Receipt struct {
	Version int `json:"mianmi_receipt"` // 1
	// Record is one of a batch; left out, the entry itself is what is proved.
	Record      string           `json:"record,omitempty"`
	RecordIndex int64            `json:"record_index,omitempty"`
	RecordProof tlog.RecordProof `json:"record_proof,omitempty"`

	Entry      string           `json:"entry"` // its bytes
	Index      int64            `json:"index"` // in the log, from 0
	Proof      tlog.RecordProof `json:"proof"`
	Checkpoint string           `json:"checkpoint"`
	// Key is the log's verifier key as the issuer gave it: a convenience. Who
	// trusts no copy compares it with the published one.
	Key string `json:"key"`
}

const (
	receiptVersion = 1
	// receiptMax bounds a receipt's text: an entry, two proofs and a note.
	receiptMax = 1 << 18
)

// Text is the receipt as JSON, in the only form that ParseReceipt takes.
func (r *Receipt) Text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}
	return b.Bytes(), nil
}

// ParseReceipt reads a receipt. It has one form alone, so that no byte of a
// file can change unnoticed, not even one that means nothing.
func ParseReceipt(text []byte) (*Receipt, error) {
	if len(text) > receiptMax {
		return nil, mianmi.InvalidField("receipt", fmt.Sprintf("has %d bytes; at most %d", len(text), receiptMax))
	}
	var r Receipt
	if err := strict(text, &r); err != nil {
		return nil, mianmi.InvalidField("receipt", err.Error())
	}
	if r.Version != receiptVersion {
		return nil, mianmi.InvalidField("mianmi_receipt", "is of a version that this program does not know")
	}
	again, err := r.Text()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, mianmi.InvalidField("receipt", "is not in the form in which it was issued: it was changed or reformatted")
	}
	return &r, nil
}

// Proved is what a receipt says, once it is verified.
type Proved struct {
	Entry      Entry
	Record     []byte // of a batch; nil: the entry is what was proved
	Batch      Batch
	Checkpoint Signed
}

// Verify checks the receipt against keys that the caller trusts: the log's, and
// those of the witnesses that signed. With no key the receipt's own is taken,
// which proves that it is whole but not who issued it.
func (r *Receipt) Verify(keys ...note.Verifier) (Proved, error) {
	own, err := note.NewVerifier(r.Key)
	if err != nil || !strings.HasPrefix(r.Key, fmt.Sprintf("%s+%08x+", own.Name(), own.KeyHash())) {
		return Proved{}, mianmi.InvalidField("key", "is not a verifier key")
	}
	if len(keys) == 0 {
		keys = []note.Verifier{own}
	}
	c, err := OpenCheckpoint(r.Checkpoint, keys...)
	if err != nil {
		return Proved{}, err
	}
	if _, err := OpenCheckpoint(r.Checkpoint, append([]note.Verifier{own}, others(keys, own)...)...); err != nil {
		return Proved{}, mianmi.InvalidField("key", "is not the key that signed the checkpoint")
	}
	out := Proved{Checkpoint: c}
	if r.Index < 0 || r.Index >= c.Size {
		return Proved{}, mianmi.InvalidField("index", "is outside of the checkpoint's log")
	}
	if tlog.CheckRecord(r.Proof, c.Size, c.Root, r.Index, tlog.RecordHash([]byte(r.Entry))) != nil {
		return Proved{}, mianmi.InvalidField("proof", "does not lead from the entry to the signed root: one of them was changed")
	}
	if out.Entry, err = Decode([]byte(r.Entry)); err != nil {
		return Proved{}, err
	}
	return out, r.verifyRecord(&out)
}

// others are the keys that do not speak for the log that own speaks for.
func others(keys []note.Verifier, own note.Verifier) []note.Verifier {
	var out []note.Verifier
	for _, k := range keys {
		if k.Name() != own.Name() {
			out = append(out, k)
		}
	}
	return out
}

// verifyRecord checks the second step, from a record to its batch.
func (r *Receipt) verifyRecord(out *Proved) error {
	if out.Entry.Type != BatchType {
		if r.Record != "" || r.RecordIndex != 0 || r.RecordProof != nil {
			return mianmi.InvalidField("record", "is there, but the entry is not a batch")
		}
		return nil
	}
	if err := strict(out.Entry.Body, &out.Batch); err != nil {
		return mianmi.InvalidField("entry", "the body of a batch "+err.Error())
	}
	if r.Record == "" {
		return mianmi.InvalidField("record", "is missing: the entry is a batch")
	}
	out.Record = []byte(r.Record)
	return out.Batch.Check(r.RecordProof, r.RecordIndex, out.Record)
}
