package evidence

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Store keeps entries, the tree's hashes, checkpoints and the keys that signed.
type Store interface {
	WitnessStore
	// Sequence calls fn in a transaction that holds the log's lock, with the
	// size of the log and at most max entries that wait, oldest first, and writes
	// what fn returns. Without waiting entries, or when another node holds the
	// lock, fn is not called and the answer is 0.
	Sequence(ctx context.Context, max int, fn func(Waiting) (Appended, error)) (int, error)
	// HandOverLogKey calls fn in a transaction that holds the log's lock, with
	// the size of the log and the key in force, empty when there is none, and
	// writes the key and the entry that fn returns. When another node holds the
	// lock for long it is Unavailable.
	HandOverLogKey(ctx context.Context, fn func(size int64, inForce string) (KeyInForce, Entry, error)) error
	// LogKeys returns every key that the log has had, the first one first.
	LogKeys(ctx context.Context) ([]KeyInForce, error)
	// LogState tells how far the log is.
	LogState(ctx context.Context) (State, error)
	// Hashes returns stored hashes by their index in tlog's numbering.
	Hashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
	// HashRange returns count hashes in order, fewer where one is missing.
	HashRange(ctx context.Context, from int64, count int) ([]tlog.Hash, error)
	// Leaf returns an entry by its identifier. NotFound when there is none; one
	// that is not sequenced yet has a negative index.
	Leaf(ctx context.Context, id mianmi.EntryID) (Leaf, error)
	// Leaves returns sequenced entries from an index on, at most limit, and fewer
	// when they are large; none at the end of the log.
	Leaves(ctx context.Context, from int64, limit int) ([]Leaf, error)
	// Checkpoint returns the newest checkpoint; the empty text when there is none.
	Checkpoint(ctx context.Context) (StoredCheckpoint, error)
	// Checkpoints returns those that were kept, from a size on, in order.
	Checkpoints(ctx context.Context, from int64, limit int) ([]StoredCheckpoint, error)
	// Strays returns entries that are neither in the log nor wait for it.
	Strays(ctx context.Context, limit int) ([]mianmi.EntryID, error)
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
	Size   int64  // of the log
	Key    string // verifier key in force; empty: the log begins
	Bytes  [][]byte
	Facts  []time.Time     // of the entries' facts
	Hashes tlog.HashReader // those stored so far
}

// Appended is what a round of sequencing adds.
type Appended struct {
	Hashes     []tlog.Hash // stored from tlog.StoredHashCount(Waiting.Size) on
	Checkpoint StoredCheckpoint
	First      string // verifier key with which the log begins; else empty
}

// StoredCheckpoint is a checkpoint as it is kept.
type StoredCheckpoint struct {
	Size int64
	At   time.Time
	Note string
}

// State is how far a log is.
type State struct {
	Size    int64
	Waiting int64     // entries that are not in the log yet, counted up to WaitingMax
	Oldest  time.Time // of the fact of the first one that waits; zero: none waits
	Newest  StoredCheckpoint
}

// WaitingMax bounds the count of what waits: beyond it only the size of the
// trouble is unknown.
const WaitingMax = 100_000

// Log is the transparency log of an installation.
type Log struct {
	store Store
	key   Key
	clock mianmi.Clock
	known atomic.Pointer[[]KeyInForce] // keys of the log as last read

	witnesses []WitnessAt
}

// roundMax bounds one round of sequencing: some seconds of a busy server.
const roundMax = 2000

// NewLog returns the log that key signs. Its name, the origin, is the key's.
func NewLog(store Store, key Key, clock mianmi.Clock) *Log {
	return &Log{store: store, key: key, clock: clock}
}

// Name is the log's, the origin of its checkpoints.
func (l *Log) Name() string { return l.key.name }

// State tells how far the log is.
func (l *Log) State(ctx context.Context) (State, error) { return l.store.LogState(ctx) }

// Round is what one round of sequencing did.
type Round struct {
	Entries int
	Size    int64       // of the log after it
	At      time.Time   // of its checkpoint
	Facts   []time.Time // of the facts that it appended
}

// Sequence appends what waits to the log. Any number of nodes may call it at
// any time; the zero Round says that nothing waited, or that another node does it.
func (l *Log) Sequence(ctx context.Context) (Round, error) {
	var done Round
	n, err := l.store.Sequence(ctx, roundMax, func(w Waiting) (Appended, error) {
		a, err := l.round(w)
		done = Round{Entries: len(w.Bytes), Size: a.Checkpoint.Size, At: a.Checkpoint.At, Facts: w.Facts}
		return a, err
	})
	if err != nil || n == 0 {
		return Round{}, err
	}
	return done, nil
}

// round computes what the waiting entries make of the log.
func (l *Log) round(w Waiting) (Appended, error) {
	out := Appended{}
	if w.Key == "" {
		out.First = l.key.Public()
		w.Key = out.First
	}
	signer, _ := l.key.own(w.Key)
	if !l.key.Has(w.Key) {
		return out, l.key.unknown(w.Key)
	}
	base := tlog.StoredHashCount(w.Size)
	read := withMore(w.Hashes, base, &out.Hashes)
	for i, b := range w.Bytes {
		more, err := tlog.StoredHashes(w.Size+int64(i), b, read)
		if err != nil {
			return out, fmt.Errorf("hash entry %d: %w", w.Size+int64(i), err)
		}
		out.Hashes = append(out.Hashes, more...)
	}
	size := w.Size + int64(len(w.Bytes))
	root, err := tlog.TreeHash(size, read)
	if err != nil {
		return out, fmt.Errorf("root of %d entries: %w", size, err)
	}
	signed, err := Checkpoint{l.key.name, size, root}.Sign(signer.signer)
	if err != nil {
		return out, err
	}
	out.Checkpoint = StoredCheckpoint{Size: size, At: l.clock.Now().UTC(), Note: signed}
	return out, nil
}

// ChangeKey lets the key in force hand over to the newest key that this server
// has: from the next round on that one signs. The statement of both is an entry
// of the log, by which whoever knows the old key can follow.
func (l *Log) ChangeKey(ctx context.Context, actor mianmi.Actor, random io.Reader) (KeyInForce, error) {
	var done KeyInForce
	err := l.store.HandOverLogKey(ctx, func(size int64, inForce string) (KeyInForce, Entry, error) {
		if inForce == "" {
			return KeyInForce{}, Entry{}, mianmi.Conflicts("log_empty", "the log has no entry yet: it will begin with the newest key")
		}
		k, body, err := l.key.changeKey(size, inForce)
		if err != nil {
			return KeyInForce{}, Entry{}, err
		}
		k.At = l.clock.Now().UTC()
		id, err := mianmi.NewID("en", k.At, random)
		if err != nil {
			return KeyInForce{}, Entry{}, err
		}
		done = k
		return k, Entry{ID: mianmi.EntryID(id), At: k.At, Type: KeyChangeType, Subject: SubjectOf(l.key.name), Actor: actor.String(), Body: body}, nil
	})
	l.known.Store(nil)
	return done, err
}

// Keys returns every key that the log has had, the first one first; none before
// the first entry is in the log.
func (l *Log) Keys(ctx context.Context) ([]KeyInForce, error) {
	list, err := l.store.LogKeys(ctx)
	if err == nil {
		l.known.Store(&list)
	}
	return list, err
}

// CheckKey reports whether this server could sign now: a Conflict when the key
// in force is none of its own.
func (l *Log) CheckKey(ctx context.Context) error {
	list, err := l.Keys(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	if inForce := list[len(list)-1].Public; !l.key.Has(inForce) {
		return l.key.unknown(inForce)
	}
	return nil
}

// checkBelieved reports whether a key of the log is one of ours: else somebody
// who can write the database has put another log in its place.
func (l *Log) checkBelieved(list []KeyInForce) error {
	for _, k := range list {
		if _, ours := l.key.own(k.Public); ours {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return l.key.unknown(list[0].Public)
}

// signedBy returns the keys of the log up to the one that signed a checkpoint.
// They are read anew when none of those known fits: another node may have
// changed the key.
func (l *Log) signedBy(ctx context.Context, signed string) ([]KeyInForce, error) {
	if list := l.known.Load(); list != nil {
		if keys := upTo(*list, signed); keys != nil {
			return keys, nil
		}
	}
	list, err := l.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if keys := upTo(list, signed); keys != nil {
		return keys, nil
	}
	return nil, fmt.Errorf("no key of log %s has signed its checkpoint", l.key.name)
}

func upTo(list []KeyInForce, signed string) []KeyInForce {
	for i, k := range list {
		v, err := ParseKey(k.Public)
		if err != nil {
			continue
		}
		if _, err := OpenCheckpoint(signed, v); err == nil {
			return list[:i+1]
		}
	}
	return nil
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
	return l.receipt(ctx, id, l.stampFor, noBatch)
}

// RecordReceipt proves one record of a batch: the first that find accepts.
func (l *Log) RecordReceipt(ctx context.Context, id mianmi.EntryID, find func(record []byte) bool) (*Receipt, error) {
	return l.receipt(ctx, id, l.stampFor, recordOf(find))
}

func noBatch(leaf Leaf, _ *Receipt) error {
	if leaf.Records != nil {
		return mianmi.Missing("entry")
	}
	return nil
}

func recordOf(find func(record []byte) bool) func(Leaf, *Receipt) error {
	return func(leaf Leaf, r *Receipt) error {
		for i, b := range leaf.Records {
			if !find(b) {
				continue
			}
			proof, err := ProveRecord(leaf.Records, int64(i))
			r.Record, r.RecordIndex, r.RecordProof = string(b), int64(i), proof
			return err
		}
		return mianmi.Missing("record")
	}
}

func (l *Log) receipt(ctx context.Context, id mianmi.EntryID, under func(context.Context, int64) (Stamp, error), fill func(Leaf, *Receipt) error) (*Receipt, error) {
	leaf, err := l.store.Leaf(ctx, id)
	if err != nil {
		return nil, err
	}
	if leaf.Index < 0 {
		return nil, ErrNotYet
	}
	c, err := under(ctx, leaf.Index)
	if err != nil {
		return nil, err
	}
	if c.Size <= leaf.Index {
		return nil, ErrNotYet
	}
	keys, err := l.signedBy(ctx, c.Note)
	if err != nil {
		return nil, err
	}
	r := &Receipt{Version: receiptVersion, Entry: string(leaf.Bytes), Index: leaf.Index, Checkpoint: c.Note + c.Cosignatures, Key: keys[len(keys)-1].Public,
		WitnessKeys: c.Witnesses}
	for _, k := range keys[1:] {
		r.KeyChanges = append(r.KeyChanges, k.Statement)
	}
	if r.Proof, err = tlog.ProveRecord(c.Size, leaf.Index, l.hashes(ctx)); err != nil {
		return nil, fmt.Errorf("prove entry %s: %w", id, err)
	}
	if err := fill(leaf, r); err != nil {
		return nil, err
	}
	first, err := ParseKey(keys[0].Public)
	if err != nil {
		return nil, fmt.Errorf("the log's first key: %w", err)
	}
	if _, err := r.Verify(Trust{Log: []note.Verifier{first}}); err != nil { // what we hand out must hold, for those who know our first key too
		return nil, fmt.Errorf("receipt of entry %s does not verify: %w", id, err)
	}
	return r, nil
}

func (l *Log) hashes(ctx context.Context) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) { return l.store.Hashes(ctx, indexes) }
}
