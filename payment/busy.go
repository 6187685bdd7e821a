package payment

import (
	"errors"
	"time"

	"github.com/mianmi/mianmi"
)

// busyRest is how long a lane leaves a bucket alone after one of its payers
// was locked by another transaction for longer than a payment may wait: a
// payer who stays locked then costs the lane a wait of the store's now and
// then, not all of its time.
const busyRest = 3 * time.Second

// ErrBusy says that a payer is locked by another transaction for longer than a
// payment may wait (the store sets how long). A Ledger returns it, from Begin
// and from Commit, only when its transaction wrote nothing. The same request
// may be sent again. It says nothing of an earlier request with the same order
// number, which may have been paid.
var ErrBusy = &mianmi.Error{Kind: mianmi.Unavailable, Code: "payer_busy", RetryAfter: busyRest,
	Msg: "another change of this payer is under way; this request did nothing, repeat it as it is"}

func isBusy(err error) bool {
	var e *mianmi.Error
	return errors.As(err, &e) && e.Code == ErrBusy.Code
}

// busy remembers for a lane which buckets rest, and until when. A payment code
// names its bucket and not its payer, so the payers of a bucket rest together.
// Zero is ready; it holds at most one entry a bucket.
type busy map[mianmi.Bucket]time.Time

// without answers the calls of buckets that rest and keeps the others.
func (b busy) without(calls []*call, now time.Time) []*call {
	if len(b) == 0 {
		return calls
	}
	var kept []*call
	for _, c := range calls {
		until, ok := b[c.ask.Bucket]
		if ok && now.Before(until) {
			fail([]*call{c}, ErrBusy)
			continue
		}
		delete(b, c.ask.Bucket)
		kept = append(kept, c)
	}
	return kept
}

// note lets the bucket of a call rest that was alone and met a locked payer.
func (b *busy) note(calls []*call, err error, now time.Time) {
	if len(calls) != 1 || !isBusy(err) {
		return
	}
	if *b == nil {
		*b = busy{}
	}
	(*b)[calls[0].ask.Bucket] = now.Add(busyRest)
}
