package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
	// KeyChanges are the statements by which each key handed over to the next, from
	// the log's first key to Key, so that whoever knows an old key can follow.
	KeyChanges []string `json:"key_changes,omitempty"`
	// WitnessKeys are the verifier keys of the witnesses that cosigned the
	// checkpoint: a convenience, too.
	WitnessKeys []string `json:"witness_keys,omitempty"`
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

// witnessesMax bounds the witnesses of a log: a few who are independent.
const witnessesMax = 16

// Trust is whom a reader of receipts believes. The zero Trust believes the keys
// in the receipt itself: it proves that the receipt is whole, but not who issued it.
type Trust struct {
	Log       []note.Verifier // keys of the log, of today or former ones
	Witnesses []*Witness
	// Quorum is how many of Witnesses must have cosigned.
	Quorum int
}

// Proved is what a receipt says, once it is verified.
type Proved struct {
	Entry      Entry
	Record     []byte // of a batch; nil: the entry is what was proved
	Batch      Batch
	Checkpoint Checkpoint
	Key        string // that signed the checkpoint
	Believed   bool   // Key is one of Trust.Log, or follows from one by its statements
	Cosigned   []Cosigned
}

// Cosigned is the cosignature of a witness.
type Cosigned struct {
	Key      string
	Name     string
	At       time.Time
	Believed bool // it is one of Trust.Witnesses
}

// Verify checks the receipt: that the entry is in the log whose key signed the
// checkpoint, and that this log, and as many witnesses, are believed. An error
// is Invalid and names the part that does not fit.
func (r *Receipt) Verify(t Trust) (Proved, error) {
	own, err := ParseKey(r.Key)
	if err != nil {
		return Proved{}, err
	}
	witnesses, err := r.witnesses()
	if err != nil {
		return Proved{}, err
	}
	all := []note.Verifier{own}
	for _, w := range witnesses {
		all = append(all, w)
	}
	c, err := OpenCheckpoint(r.Checkpoint, all...)
	if err != nil {
		return Proved{}, err
	}
	out := Proved{Checkpoint: c.Checkpoint, Key: r.Key}
	if out.Believed, err = r.believed(c.Origin, own, t.Log); err != nil {
		return Proved{}, err
	}
	if out.Cosigned, err = cosigned(c, witnesses, t); err != nil {
		return Proved{}, err
	}
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

// witnesses reads the keys of witnesses that the receipt brings along.
func (r *Receipt) witnesses() ([]*Witness, error) {
	if len(r.WitnessKeys) > witnessesMax {
		return nil, mianmi.InvalidField("witness_keys", fmt.Sprintf("are %d; at most %d", len(r.WitnessKeys), witnessesMax))
	}
	var list []*Witness
	for i, k := range r.WitnessKeys {
		w, err := ParseWitness(k)
		if err != nil || slices.Contains(r.WitnessKeys[:i], k) {
			return nil, mianmi.InvalidField(fmt.Sprintf("witness_keys[%d]", i), "is not the key of another witness")
		}
		list = append(list, w)
	}
	return list, nil
}

// believed reports whether own is one of the keys, or one that they handed over
// to. With keys given that is demanded.
func (r *Receipt) believed(origin string, own note.Verifier, keys []note.Verifier) (bool, error) {
	if len(r.KeyChanges) >= keysMax {
		return false, mianmi.InvalidField("key_changes", fmt.Sprintf("are %d; at most %d", len(r.KeyChanges), keysMax-1))
	}
	trusted := slices.Clone(keys)
	last, err := follow(origin, r.KeyChanges, &trusted)
	if err != nil {
		return false, err
	}
	if last != "" && last != r.Key {
		return false, mianmi.InvalidField("key_changes", "do not end at the key that signed the checkpoint")
	}
	if len(keys) == 0 {
		return false, nil
	}
	if !slices.ContainsFunc(trusted, func(k note.Verifier) bool { return k.Name() == origin && signs(k, r.Checkpoint) }) {
		return false, mianmi.InvalidField("key", "of the receipt ("+r.Key+") is none of the keys that were given, nor did one of them hand over to it")
	}
	return true, nil
}

// signs reports whether a note bears a good signature by the key.
func signs(k note.Verifier, signed string) bool {
	n, err := note.Open([]byte(signed), note.VerifierList(k))
	return err == nil && len(n.Sigs) == 1
}

// cosigned lists the cosignatures and demands as many of those that are
// believed as the quorum says.
func cosigned(c Signed, witnesses []*Witness, t Trust) ([]Cosigned, error) {
	var list []Cosigned
	found := 0
	for i, w := range witnesses {
		at := slices.IndexFunc(c.By, signatureOf(w))
		if at < 0 {
			return nil, mianmi.InvalidField(fmt.Sprintf("witness_keys[%d]", i), "is of a witness that did not cosign")
		}
		known := slices.ContainsFunc(t.Witnesses, func(k *Witness) bool { return k.public == w.public })
		if known {
			found++
		}
		list = append(list, Cosigned{Key: w.public, Name: w.name, At: cosignedAt(c.By[at]), Believed: known})
	}
	if found < t.Quorum {
		return nil, mianmi.InvalidField("checkpoint", fmt.Sprintf("is cosigned by %d of the witnesses that were given; want %d", found, t.Quorum))
	}
	return list, nil
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
