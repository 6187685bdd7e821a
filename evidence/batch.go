package evidence

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// BatchType is the type of an entry that stands for many records, by the root
// of a tree of their own.
const BatchType = "batch"

// Batch is the body of such an entry.
type Batch struct {
	Kind  string    `json:"kind"` // of its records: "payment.decided"
	Count int64     `json:"count"`
	Root  tlog.Hash `json:"root"`
}

// RecordsMax bounds a batch: four times what a transaction of payments holds.
const RecordsMax = 4096

// NewBatch returns the body for records, which must not be empty.
func NewBatch(kind string, records [][]byte) (Batch, error) {
	if len(records) == 0 || len(records) > RecordsMax {
		return Batch{}, fmt.Errorf("a batch of %d records; want 1 to %d", len(records), RecordsMax)
	}
	leaves := make([]tlog.Hash, len(records))
	for i, r := range records {
		leaves[i] = tlog.RecordHash(r)
	}
	return Batch{kind, int64(len(records)), rootOf(leaves)}, nil
}

// rootOf is the hash of a tree with these leaves, at least one (RFC 6962,
// section 2.1). tlog's own way keeps every hash between, which a root of its own
// does not need: it took three times as long.
func rootOf(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	left := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of two below
	return tlog.NodeHash(rootOf(leaves[:left]), rootOf(leaves[left:]))
}

// Bundle is an entry of BatchType with the records that it stands for. The
// zero Bundle is none.
type Bundle struct {
	Entry   Entry
	Records [][]byte
}

// NewBundle makes the entry of the records; identifier and time are given.
func NewBundle(id mianmi.EntryID, at time.Time, kind string, records [][]byte) (Bundle, error) {
	b, err := NewBatch(kind, records)
	if err != nil {
		return Bundle{}, err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return Bundle{}, fmt.Errorf("encode a batch: %w", err)
	}
	return Bundle{Entry{ID: id, At: at, Type: BatchType, Body: body}, records}, nil
}

// ProveRecord proves that record i is one of those that a batch stands for.
func ProveRecord(records [][]byte, i int64) (tlog.RecordProof, error) {
	if i < 0 || i >= int64(len(records)) || len(records) > RecordsMax {
		return nil, mianmi.Missing("record")
	}
	proof, err := tlog.ProveRecord(int64(len(records)), i, recordTree(records))
	if err != nil {
		return nil, fmt.Errorf("prove record %d of %d: %w", i, len(records), err)
	}
	return proof, nil
}

// Check verifies a proof of ProveRecord.
func (b Batch) Check(proof tlog.RecordProof, i int64, record []byte) error {
	if b.Count < 1 || b.Count > RecordsMax || i < 0 || i >= b.Count {
		return mianmi.InvalidField("record_index", "is outside of the batch")
	}
	if tlog.CheckRecord(proof, b.Count, b.Root, i, tlog.RecordHash(record)) != nil {
		return mianmi.InvalidField("record_proof", "does not lead from the record to the batch")
	}
	return nil
}

// recordTree is a tree of records in memory, by tlog's numbering of hashes.
func recordTree(records [][]byte) tlog.HashReaderFunc {
	var hashes []tlog.Hash
	read := tlog.HashReaderFunc(func(list []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(list))
		for i, at := range list {
			if at < 0 || at >= int64(len(hashes)) {
				return nil, fmt.Errorf("no hash %d", at)
			}
			out[i] = hashes[at]
		}
		return out, nil
	})
	for i, r := range records {
		more, err := tlog.StoredHashes(int64(i), r, read)
		if err != nil { // all that it asks for is there
			panic(err)
		}
		hashes = append(hashes, more...)
	}
	return read
}
