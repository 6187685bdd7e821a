package evidence

import (
	"context"

	"github.com/mianmi/mianmi"
)

// Stamp is a checkpoint with its cosignatures, under which receipts are made.
type Stamp struct {
	Size         int64    `json:"size"` // of the log
	Note         string   `json:"note"` // as the log signed it
	Cosignatures string   `json:"cosignatures,omitempty"`
	Witnesses    []string `json:"witnesses,omitempty"` // verifier keys of who cosigned
}

// StampFor is the checkpoint that receipts of all these entries can be made under,
// the one with the most cosignatures. It is ErrNotYet while one of them waits.
func (l *Log) StampFor(ctx context.Context, ids []mianmi.EntryID) (Stamp, error) {
	last := int64(-1)
	for _, id := range ids {
		leaf, err := l.store.Leaf(ctx, id)
		if err != nil {
			return Stamp{}, err
		}
		if leaf.Index < 0 {
			return Stamp{}, ErrNotYet
		}
		last = max(last, leaf.Index)
	}
	p, err := l.stampFor(ctx, last)
	if err == nil && p.Size <= last {
		err = ErrNotYet
	}
	return p, err
}

// Under makes receipts under one checkpoint, so that the same entry has the same
// receipt at any time.
type Under struct {
	log   *Log
	stamp Stamp
}

// Under is the log as of a checkpoint that it has given out.
func (l *Log) Under(p Stamp) Under { return Under{l, p} }

func (u Under) fixed(context.Context, int64) (Stamp, error) { return u.stamp, nil }

// Receipt proves an entry that is no batch.
func (u Under) Receipt(ctx context.Context, id mianmi.EntryID) (*Receipt, error) {
	return u.log.receipt(ctx, id, u.fixed, noBatch)
}

// RecordReceipt proves one record of a batch: the first that find accepts.
func (u Under) RecordReceipt(ctx context.Context, id mianmi.EntryID, find func(record []byte) bool) (*Receipt, error) {
	return u.log.receipt(ctx, id, u.fixed, recordOf(find))
}
