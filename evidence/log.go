package evidence

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Store keeps entries, the tree's hashes and checkpoints.
type Store interface {
	// Sequence calls fn in a transaction that holds the log's lock, with the
	// size of the log and at most max entries that wait, oldest first, and writes
	// what fn returns. Without waiting entries, or when another node holds the
	// lock, fn is not called and the answer is 0.
	Sequence(ctx context.Context, max int, fn func(Waiting) (Appended, error)) (int, error)
	// Hashes returns stored hashes by their index in tlog's numbering.
	Hashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
	// Leaf returns an entry by its identifier. NotFound when there is none; one
	// that is not sequenced yet has a negative index.
	Leaf(ctx context.Context, id mianmi.EntryID) (Leaf, error)
	// Leaves returns sequenced entries from an index on, at most limit.
	Leaves(ctx context.Context, from int64, limit int) ([]Leaf, error)
	// Checkpoint returns the newest checkpoint; the empty text when there is none.
	Checkpoint(ctx context.Context) (StoredCheckpoint, error)
}

// Leaf is an entry with its place in the log.
type Leaf struct {
	ID      mianmi.EntryID
	Index   int64
	Bytes   []byte
	Records [][]byte // of a batch; nil: the entry is no batch
}

// Waiting is what there is to sequence.
type Waiting struct {
	Size   int64 // of the log
	Bytes  [][]byte
	Hashes tlog.HashReader // those stored so far
}

// Appended is what a round of sequencing adds.
type Appended struct {
	Hashes     []tlog.Hash // stored from tlog.StoredHashCount(Waiting.Size) on
	Checkpoint StoredCheckpoint
}

// StoredCheckpoint is a checkpoint as it is kept.
type StoredCheckpoint struct {
	Size int64
	At   time.Time
	Note string
}

// Log is the transparency log of an installation.
type Log struct {
	store  Store
	origin string
	signer note.Signer
	keys   []note.Verifier // the log's own, the present one first
	key    string          // the present verifier key as text
	clock  mianmi.Clock
}

// roundMax bounds one round of sequencing: some seconds of a busy server.
const roundMax = 2000

// NewLog returns the log that key signs. Its name, the origin, is the key's.
// Keys of former times verify the checkpoints that they signed.
func NewLog(store Store, key Key, clock mianmi.Clock) *Log {
	return &Log{store: store, origin: key.name, signer: key.signer, keys: append([]note.Verifier{key.verifier}, key.former...),
		key: key.public, clock: clock}
}

// Sequence appends what waits to the log and returns how many entries that
// were. Any number of nodes may call it at any time.
func (l *Log) Sequence(ctx context.Context) (int, error) {
	return l.store.Sequence(ctx, roundMax, func(w Waiting) (Appended, error) {
		out := Appended{}
		base := tlog.StoredHashCount(w.Size)
		read := withMore(w.Hashes, base, &out.Hashes)
		for i, b := range w.Bytes {
			more, err := tlog.StoredHashes(w.Size+int64(i), b, read)
			if err != nil {
				return Appended{}, fmt.Errorf("hash entry %d: %w", w.Size+int64(i), err)
			}
			out.Hashes = append(out.Hashes, more...)
		}
		size := w.Size + int64(len(w.Bytes))
		root, err := tlog.TreeHash(size, read)
		if err != nil {
			return Appended{}, fmt.Errorf("root of %d entries: %w", size, err)
		}
		signed, err := Checkpoint{l.origin, size, root}.Sign(l.signer)
		if err != nil {
			return Appended{}, err
		}
		out.Checkpoint = StoredCheckpoint{Size: size, At: l.clock.Now().UTC(), Note: signed}
		return out, nil
	})
}

// withMore reads hashes that are stored, and from base on those not stored yet.
func withMore(stored tlog.HashReader, base int64, more *[]tlog.Hash) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		var old, at []int64
		for i, x := range indexes {
			switch {
			case x < base:
				old, at = append(old, x), append(at, int64(i))
			case x-base < int64(len(*more)):
				out[i] = (*more)[x-base]
			default:
				return nil, fmt.Errorf("no hash %d yet", x)
			}
		}
		if len(old) == 0 {
			return out, nil
		}
		hashes, err := stored.ReadHashes(old)
		if err != nil {
			return nil, err
		}
		for i, h := range hashes {
			out[at[i]] = h
		}
		return out, nil
	}
}

// ErrNotYet says that an entry waits to be sequenced: ask again in a second.
var ErrNotYet = &mianmi.Error{Kind: mianmi.Unavailable, Code: "receipt_not_ready",
	Msg: "the receipt is not ready yet: the entry will be in the log within a second"}

// Receipt proves an entry that is no batch.
func (l *Log) Receipt(ctx context.Context, id mianmi.EntryID) (*Receipt, error) {
	return l.receipt(ctx, id, func(leaf Leaf, r *Receipt) error {
		if leaf.Records != nil {
			return mianmi.Missing("entry")
		}
		return nil
	})
}

// RecordReceipt proves one record of a batch: the first that find accepts.
func (l *Log) RecordReceipt(ctx context.Context, id mianmi.EntryID, find func(record []byte) bool) (*Receipt, error) {
	return l.receipt(ctx, id, func(leaf Leaf, r *Receipt) error {
		for i, b := range leaf.Records {
			if !find(b) {
				continue
			}
			proof, err := ProveRecord(leaf.Records, int64(i))
			r.Record, r.RecordIndex, r.RecordProof = string(b), int64(i), proof
			return err
		}
		return mianmi.Missing("record")
	})
}

func (l *Log) receipt(ctx context.Context, id mianmi.EntryID, fill func(Leaf, *Receipt) error) (*Receipt, error) {
	leaf, err := l.store.Leaf(ctx, id)
	if err != nil {
		return nil, err
	}
	if leaf.Index < 0 {
		return nil, ErrNotYet
	}
	c, err := l.store.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if c.Size <= leaf.Index {
		return nil, ErrNotYet
	}
	r := &Receipt{Version: receiptVersion, Entry: string(leaf.Bytes), Index: leaf.Index, Checkpoint: c.Note, Key: l.key}
	if r.Proof, err = tlog.ProveRecord(c.Size, leaf.Index, l.hashes(ctx)); err != nil {
		return nil, fmt.Errorf("prove entry %s: %w", id, err)
	}
	if err := fill(leaf, r); err != nil {
		return nil, err
	}
	if _, err := r.Verify(l.keys...); err != nil { // what we hand out must hold
		return nil, fmt.Errorf("receipt of entry %s does not verify: %w", id, err)
	}
	return r, nil
}

func (l *Log) hashes(ctx context.Context) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) { return l.store.Hashes(ctx, indexes) }
}
