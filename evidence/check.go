package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Check says what part of the log to check, and against what.
type Check struct {
	// From and To are sizes of the log: entries From to To-1 are read. To 0 is
	// the size of the newest checkpoint. What lies before From is taken from the
	// stored hashes, which the checkpoints after it confirm.
	From, To int64
	// Against are checkpoints that somebody kept elsewhere, in a receipt perhaps:
	// those of a size in the range must be of this log. The caller has checked
	// their signatures.
	Against []Checkpoint
	// Progress is told how far the check is; nil: nobody is.
	Progress func(done, to int64)
}

// Checked is what a check has seen until its end, or until the first fault.
type Checked struct {
	From, To    int64
	Entries     int64
	Batches     int64
	Records     int64 // in the batches
	Checkpoints int64 // of the log
	Against     int64 // of those to check against
	// Cosigned is what each witness has cosigned last, with good signatures.
	Cosigned []StoredCosigned
	Fault    *Fault
}

// Pages of a check, for its memory: entries, their hashes and checkpoints.
const (
	checkLeaves      = 256
	checkCheckpoints = 256
	straysMax        = 1
)

// Check recomputes the log from its entries as stored and compares each stored
// hash, each batch with its records, each checkpoint with what was there when
// it was signed, and its signature with the key in force. It needs memory for
// a page of entries. An error says that it could not be done; what does not
// fit is the Fault, the first one in the order of the log.
func (l *Log) Check(ctx context.Context, c Check) (Checked, error) {
	out := Checked{From: c.From, To: c.To}
	cosigned, err := l.store.Cosigned(ctx) // first: what is cosigned later may be longer than what is newest now
	if err != nil {
		return out, err
	}
	newest, err := l.store.Checkpoint(ctx)
	if err != nil {
		return out, err
	}
	if out.To == 0 {
		out.To = newest.Size
	}
	if c.From < 0 || c.From > out.To || out.To > newest.Size {
		return out, mianmi.InvalidField("from", fmt.Sprintf("want 0 <= from <= to <= %d, the size of the log", newest.Size))
	}
	for _, kept := range c.Against {
		if kept.Size > newest.Size { // a log that was cut, or set back
			out.Fault = &Fault{Kind: FaultAgainst, At: kept.Size}
			return out, nil
		}
	}
	k := &checker{Check: c, log: l, out: &out, next: c.From}
	if k.keys, err = l.Keys(ctx); err != nil {
		return out, err
	}
	if err := l.checkBelieved(k.keys); err != nil {
		return out, err
	}
	if out.Fault = checkKeys(l.key.name, k.keys, newest); out.Fault != nil {
		return out, nil
	}
	if err := k.witnesses(ctx, cosigned, newest); err != nil || out.Fault != nil {
		return out, err
	}
	if err := k.begin(ctx); err != nil {
		return out, err
	}
	for out.Fault == nil && k.next < out.To {
		if err := k.page(ctx); err != nil {
			return out, err
		}
	}
	if out.Fault == nil {
		err = k.end(ctx)
	}
	return out, err
}

// checker is a check on its way.
type checker struct {
	Check
	log  *Log
	out  *Checked
	keys []KeyInForce
	next int64 // leaf to come
	edge []subtree

	cosigned []Checkpoint       // by witnesses
	stored   []StoredCheckpoint // of the log, those to come
	from     int64              // size of the first one that was not read yet
	ended    bool               // there are no more
	seen     int                // changes of keys that were entries so far
}

// subtree is a complete part of the tree, the larger ones to the left.
type subtree struct {
	level int
	hash  tlog.Hash
}

// checkKeys checks that each key handed over to the next.
func checkKeys(name string, keys []KeyInForce, newest StoredCheckpoint) *Fault {
	if len(keys) == 0 && newest.Note != "" {
		return &Fault{Kind: FaultKey, At: 0}
	}
	for i, k := range keys {
		if i == 0 {
			if _, err := ParseKey(k.Public); err != nil || k.Statement != "" {
				return &Fault{Kind: FaultKey, At: 0}
			}
			continue
		}
		c, err := OpenKeyChange(k.Statement)
		if err != nil || c.Origin != name || c.Old != keys[i-1].Public || c.New != k.Public || c.Size != k.Size || k.Size < keys[i-1].Size {
			return &Fault{Kind: FaultKey, At: k.Size}
		}
	}
	return nil
}

// begin takes what lies before the range from the stored hashes.
func (k *checker) begin(ctx context.Context) error {
	var at []int64
	for level, begin := 62, int64(0); level >= 0; level-- {
		if k.From>>level&1 == 1 {
			at = append(at, tlog.StoredHashIndex(level, begin>>level))
			k.edge = append(k.edge, subtree{level: level})
			begin += 1 << level
		}
	}
	hashes, err := k.log.store.Hashes(ctx, at)
	for i := range hashes {
		k.edge[i].hash = hashes[i]
	}
	if err != nil {
		return fmt.Errorf("read hashes before entry %d: %w", k.From, err)
	}
	return k.compare(ctx)
}

// page checks the entries of one page.
func (k *checker) page(ctx context.Context) error {
	leaves, err := k.log.store.Leaves(ctx, k.next, int(min(checkLeaves, k.out.To-k.next)))
	if err != nil {
		return err
	}
	if len(leaves) == 0 {
		k.fault(FaultMissing, k.next, "")
		return nil
	}
	first := tlog.StoredHashCount(k.next)
	stored, err := k.log.store.HashRange(ctx, first, int(tlog.StoredHashCount(k.next+int64(len(leaves)))-first))
	if err != nil {
		return err
	}
	for _, leaf := range leaves {
		if leaf.Index != k.next {
			k.fault(FaultMissing, k.next, "")
			return nil
		}
		if k.leaf(&leaf); k.out.Fault != nil {
			return nil
		}
		n := k.push(leaf.Bytes, stored)
		if k.out.Fault != nil {
			k.out.Fault.ID = leaf.ID
			return nil
		}
		stored = stored[n:]
		k.next++
		k.out.Entries++
		if err := k.compare(ctx); err != nil || k.out.Fault != nil {
			return err
		}
	}
	if k.Progress != nil {
		k.Progress(k.next, k.out.To)
	}
	return nil
}

func (k *checker) fault(kind FaultKind, at int64, id mianmi.EntryID) {
	if k.out.Fault == nil {
		k.out.Fault = &Fault{Kind: kind, At: at, ID: id}
	}
}

// leaf checks what an entry says of itself.
func (k *checker) leaf(leaf *Leaf) {
	e, err := Decode(leaf.Bytes)
	if err != nil || e.ID != leaf.ID {
		k.fault(FaultEntry, leaf.Index, leaf.ID)
		return
	}
	switch {
	case e.Type == BatchType:
		k.batch(e, leaf)
		return
	case leaf.Records != nil:
		k.fault(FaultRecords, leaf.Index, leaf.ID)
	case e.Type == KeyChangeType:
		var b KeyChangeBody
		known := e.ReadBody(&b) == nil && slices.ContainsFunc(k.keys, func(i KeyInForce) bool { return i.Statement == b.Statement })
		if !known {
			k.fault(FaultKey, leaf.Index, leaf.ID)
		}
		k.seen++
	}
}

func (k *checker) batch(e Entry, leaf *Leaf) {
	var b Batch
	if e.ReadBody(&b) != nil || int64(len(leaf.Records)) != b.Count {
		k.fault(FaultRecords, leaf.Index, leaf.ID)
		return
	}
	again, err := NewBatch(b.Kind, leaf.Records)
	if err != nil || again.Root != b.Root {
		k.fault(FaultRecords, leaf.Index, leaf.ID)
		return
	}
	k.out.Batches++
	k.out.Records += b.Count
}

// push adds a leaf to the tree and compares each hash that this completes with
// the stored one. It returns how many that were.
func (k *checker) push(text []byte, stored []tlog.Hash) int {
	n := 0
	check := func(s subtree, kind FaultKind) {
		if n >= len(stored) {
			k.fault(FaultHash, k.next, "")
			return
		}
		if stored[n] != s.hash {
			k.fault(kind, k.next, "")
		}
		n++
	}
	s := subtree{hash: tlog.RecordHash(text)}
	check(s, FaultChanged)
	for last := len(k.edge) - 1; last >= 0 && k.edge[last].level == s.level; last-- {
		s = subtree{s.level + 1, tlog.NodeHash(k.edge[last].hash, s.hash)}
		k.edge = k.edge[:last]
		check(s, FaultHash)
	}
	k.edge = append(k.edge, s)
	return n
}

// root is that of the entries so far (RFC 6962, section 2.1).
func (k *checker) root() tlog.Hash {
	if len(k.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := k.edge[len(k.edge)-1].hash
	for _, s := range slices.Backward(k.edge[:len(k.edge)-1]) {
		h = tlog.NodeHash(s.hash, h)
	}
	return h
}

// compare holds the checkpoints of this size against the entries so far.
func (k *checker) compare(ctx context.Context) error {
	for _, c := range k.Against {
		if c.Size != k.next {
			continue
		}
		if c.Origin != k.log.key.name || c.Root != k.root() {
			k.fault(FaultAgainst, c.Size, "")
		}
		k.out.Against++
	}
	for _, c := range k.cosigned {
		if c.Size == k.next && c.Root != k.root() {
			k.fault(FaultAgainst, c.Size, "")
		}
	}
	for {
		if len(k.stored) == 0 && !k.ended {
			list, err := k.log.store.Checkpoints(ctx, max(k.from, k.next), checkCheckpoints)
			if err != nil {
				return err
			}
			if k.ended = len(list) == 0; !k.ended {
				k.stored, k.from = list, list[len(list)-1].Size+1
			}
		}
		if len(k.stored) == 0 || k.stored[0].Size > k.next {
			return nil
		}
		c := k.stored[0]
		k.stored = k.stored[1:]
		k.checkpoint(c)
	}
}

// checkpoint checks one of ours: signature, key, root.
func (k *checker) checkpoint(c StoredCheckpoint) {
	v, err := ParseKey(keyAt(k.keys, c.Size))
	if err != nil {
		k.fault(FaultKey, c.Size, "")
		return
	}
	signed, err := OpenCheckpoint(c.Note, v)
	switch {
	case err != nil || signed.Size != c.Size:
		k.fault(FaultSignature, c.Size, "")
	case signed.Root != k.root():
		k.fault(FaultRoot, c.Size, "")
	}
	k.out.Checkpoints++
}

// keyAt is the key that was in force when a checkpoint of this size was signed.
func keyAt(keys []KeyInForce, size int64) string {
	for _, k := range slices.Backward(keys) {
		if k.Size < size || k.Statement == "" {
			return k.Public
		}
	}
	return ""
}

// end looks for what is there and belongs to no entry of the log.
func (k *checker) end(ctx context.Context) error {
	if k.From == 0 && k.seen < len(k.keys)-2 { // the newest change may wait
		k.fault(FaultKey, k.keys[k.seen+1].Size, "")
		return nil
	}
	newest, err := k.log.store.Checkpoint(ctx)
	if err != nil || newest.Size > k.out.To {
		return err // the log grew, or the range ends before it does
	}
	strays, err := k.log.store.Strays(ctx, straysMax)
	if err == nil && len(strays) > 0 {
		k.fault(FaultStray, k.out.To, strays[0])
	}
	return err
}

// ReadCheckpoint reads what somebody kept to hold the log to it: a signed
// checkpoint, or a receipt with one. Every signature in it is checked, that of
// the log by one of the log's own keys.
func (l *Log) ReadCheckpoint(ctx context.Context, text []byte) (Checkpoint, error) {
	list, err := l.Keys(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	var keys []note.Verifier
	for _, k := range list {
		v, err := ParseKey(k.Public)
		if err != nil {
			return Checkpoint{}, err
		}
		keys = append(keys, v)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		r, err := ParseReceipt(text)
		if err != nil {
			return Checkpoint{}, err
		}
		p, err := r.Verify(Trust{Log: keys})
		return p.Checkpoint, err
	}
	n, err := note.Open(text, note.VerifierList(keys...))
	if err != nil {
		return Checkpoint{}, mianmi.InvalidField("checkpoint", signatureFault(err))
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, mianmi.InvalidField("checkpoint", err.Error())
	}
	return c, nil
}
