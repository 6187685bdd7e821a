package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

// claim is what holds the order number of an ask.
type claim struct {
	mine    bool             // by this ask: now, or in a try whose end is not known
	before  bool             // by an earlier try or request: there may be a payment
	payment mianmi.PaymentID // that it was claimed for
}

const (
	sqlBucketClaim  = `INSERT INTO merchant_order (bucket, key, digest, payment) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING key`
	sqlBucketClaims = `SELECT key, digest, payment FROM merchant_order WHERE bucket = $1 AND key = ANY($2)`
	// Whoever completes a claim holds it, so that nobody gives it back meanwhile.
	sqlBucketPin     = `SELECT key, digest, payment FROM merchant_order WHERE bucket = $1 AND key = ANY($2) ORDER BY key FOR SHARE`
	sqlBucketHold    = `SELECT key, digest, payment FROM merchant_order WHERE bucket = $1 AND key = ANY($2) ORDER BY key FOR UPDATE`
	sqlBucketUnclaim = `DELETE FROM merchant_order WHERE bucket = $1 AND key = ANY($2)`
	sqlBucketPaid    = `SELECT id FROM payment WHERE bucket = $1 AND id = ANY($2)`
)

// claim takes the order numbers in a commit of its own, which touches claims
// alone. For those that were taken before it finds their payments; a claim of
// the same request that has none yet is pinned, to be completed.
func (b *bucketBatch) claim() error {
	byKey := make(map[payment.Hash16]int, len(b.asks))
	for i := range b.asks {
		byKey[b.asks[i].Key] = i
	}
	if err := b.claimNew(byKey); err != nil {
		return err
	}
	var old, others []int
	for i := range b.asks {
		if !b.claims[i].mine {
			old = append(old, i)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := b.readClaims(old, byKey); err != nil {
		return err
	}
	for _, i := range old {
		if b.facts[i].PriorDigest != b.asks[i].Digest {
			others = append(others, i)
		}
	}
	if err := b.await(others, byKey); err != nil {
		return err
	}
	if err := b.priors(b.l.side); err != nil {
		return err
	}
	return b.pin(old, byKey)
}

// readClaims reads who holds the order numbers; each is held by somebody, or
// else the batch is to be run again.
func (b *bucketBatch) readClaims(list []int, byKey map[payment.Hash16]int) error {
	found := 0
	err := eachClaim(b.ctx, b.l.side, sqlBucketClaims, b.keys(list), func(k payment.Hash16, digest []byte, id string) {
		i := byKey[k]
		b.claims[i] = claim{mine: id == string(b.asks[i].Payment), before: true, payment: mianmi.PaymentID(id)}
		copy(b.facts[i].PriorDigest[:], digest)
		found++
	})
	switch {
	case err != nil:
		return fmt.Errorf("read claims: %w", err)
	case found < len(list):
		return errClaimGone
	}
	return nil
}

// A request that finds its order number claimed by one with another content
// waits this long for that one's payment, or for the number to be given back:
// awaitMax is longer than a batch takes. After it the claim's maker is gone.
const (
	awaitStep = 5 * time.Millisecond
	awaitMax  = time.Second
)

// await waits until each of the claims of other requests has led to a payment.
// Nothing is locked meanwhile.
func (b *bucketBatch) await(others []int, byKey map[payment.Hash16]int) error {
	for range awaitMax / awaitStep {
		var err error
		if others, err = b.unpaid(others); err != nil || len(others) == 0 {
			return err
		}
		select {
		case <-time.After(awaitStep):
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
		if err := b.readClaims(others, byKey); err != nil {
			return err
		}
	}
	return nil
}

// unpaid keeps the claims that have no payment.
func (b *bucketBatch) unpaid(list []int) ([]int, error) {
	ids := map[int16][]string{}
	list = slices.DeleteFunc(list, func(i int) bool { return b.claims[i].payment == "" }) // an end never has one
	for _, i := range list {
		of, err := b.claims[i].payment.Bucket()
		if err != nil {
			return nil, err
		}
		ids[int16(of)] = append(ids[int16(of)], string(b.claims[i].payment))
	}
	paid := map[string]bool{}
	for of, list := range ids {
		rows, err := b.l.side.Query(b.ctx, sqlBucketPaid, of, list)
		if err != nil {
			return nil, fmt.Errorf("look for payments: %w", err)
		}
		var id string
		if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { paid[id] = true; return nil }); err != nil {
			return nil, fmt.Errorf("look for payments: %w", err)
		}
	}
	return slices.DeleteFunc(list, func(i int) bool { return paid[string(b.claims[i].payment)] }), nil
}

// errClaimGone says that a claim was given back while we looked: try again.
var errClaimGone = &mianmi.Error{Kind: mianmi.Conflict, Code: "lost", Msg: "another transaction came between"}

// claimNew inserts the claims in the order of their keys, so that two batches
// do not wait for each other, and marks those that it got.
func (b *bucketBatch) claimNew(byKey map[payment.Hash16]int) error {
	all := make([]int, len(b.asks))
	for i := range all {
		all[i] = i
	}
	slices.SortFunc(all, func(x, y int) int { return bytes.Compare(b.asks[x].Key[:], b.asks[y].Key[:]) })
	return inSteps(len(all), func(from, n int) error {
		args := make([]any, 0, 4*n)
		for _, i := range all[from : from+n] {
			ask := &b.asks[i]
			args = append(args, int16(ask.Key.Bucket()), ask.Key[:], ask.Digest[:], string(ask.Payment))
		}
		rows, err := b.l.side.Query(b.ctx, bucketRows[rowsOf{sqlBucketClaim, n}], args...)
		if err != nil {
			return fmt.Errorf("claim orders: %w", err)
		}
		var key []byte
		_, err = pgx.ForEachRow(rows, []any{&key}, func() error {
			i := byKey[payment.Hash16(key)]
			b.claims[i] = claim{mine: true, payment: b.asks[i].Payment}
			return nil
		})
		if err != nil {
			return fmt.Errorf("claim orders: %w", err)
		}
		return nil
	})
}

// pin holds the claims that others made of the same requests and that have no
// payment yet: their makers may be gone. Nobody who holds a payer waits for
// what is pinned here.
func (b *bucketBatch) pin(old []int, byKey map[payment.Hash16]int) error {
	var orphans []int
	for _, i := range old {
		if f := &b.facts[i]; f.Prior == nil && f.PriorDigest == b.asks[i].Digest && !b.claims[i].mine {
			orphans = append(orphans, i)
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	var err error
	if b.pinned, err = b.l.side.Acquire(b.ctx); err != nil {
		return unavailable("get a connection", err)
	}
	if _, err := b.pinned.Exec(b.ctx, "BEGIN"); err != nil {
		return fmt.Errorf("hold claims: %w", err)
	}
	held := 0
	err = eachClaim(b.ctx, b.pinned, sqlBucketPin, b.keys(orphans), func(k payment.Hash16, _ []byte, id string) {
		i := byKey[k]
		if b.claims[i].payment == mianmi.PaymentID(id) {
			b.facts[i].Payment = mianmi.PaymentID(id)
			held++
		}
	})
	if err != nil {
		return fmt.Errorf("hold claims: %w", err)
	}
	if held < len(orphans) {
		return errClaimGone
	}
	return nil
}

// priors reads the payments of requests that were made before.
func (b *bucketBatch) priors(q pgxQueryer) error {
	var ids []string
	at := map[string]int{}
	for i := range b.claims {
		c, f := &b.claims[i], &b.facts[i]
		if !c.before || f.Prior != nil || f.PriorDigest != b.asks[i].Digest {
			continue
		}
		if pb, err := c.payment.Bucket(); err != nil || int16(pb) != b.bucket {
			// A channel named the payer for one of two equal requests alone: the next
			// one sees the claim, and with it the bucket.
			return errClaimGone
		}
		ids, at[string(c.payment)] = append(ids, string(c.payment)), i
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := q.Query(b.ctx, sqlBucketPayments, b.bucket, ids)
	if err != nil {
		return fmt.Errorf("read earlier payments: %w", err)
	}
	var r paymentRow
	if _, err := pgx.ForEachRow(rows, r.dest(), func() (err error) {
		b.facts[at[r.id]].Prior, err = r.payment()
		return err
	}); err != nil {
		return fmt.Errorf("read earlier payments: %w", err)
	}
	return nil
}

// keyed are order numbers by the bucket of their claims.
type keyed map[int16][][]byte

func (b *bucketBatch) keys(list []int) keyed {
	k := keyed{}
	for _, i := range list {
		key := &b.asks[i].Key
		bucket := int16(key.Bucket())
		k[bucket] = append(k[bucket], key[:])
	}
	return k
}

// pgxQueryer is a connection, a pool or a transaction of pgx.
type pgxQueryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// eachClaim asks bucket by bucket, in order, and calls fn for each claim.
func eachClaim(ctx context.Context, q pgxQueryer, query string, keys keyed, fn func(k payment.Hash16, digest []byte, id string)) error {
	for bucket := range int16(mianmi.Buckets) {
		if len(keys[bucket]) == 0 {
			continue
		}
		rows, err := q.Query(ctx, query, bucket, keys[bucket])
		if err != nil {
			return err
		}
		var key, digest []byte
		var id string
		if _, err := pgx.ForEachRow(rows, []any{&key, &digest, &id}, func() error {
			fn(payment.Hash16(key), digest, id)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// unclaimMax bounds the time that giving order numbers back may take: their
// callers wait for it.
const unclaimMax = 2 * time.Second

// unclaim gives the order numbers of asks back that this batch claimed, each
// bucket in a transaction of its own. A number whose claim somebody completes
// meanwhile stays taken. What fails here stays claimed, for a repeat of the
// same request to find.
func (b *bucketBatch) unclaim(dropped []int) {
	if len(dropped) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), unclaimMax)
	defer cancel()
	mine := map[string]bool{}
	for _, i := range dropped {
		mine[string(b.asks[i].Payment)] = true
	}
	for of, keys := range b.keys(dropped) {
		_ = pgx.BeginFunc(ctx, b.l.side, func(tx pgx.Tx) error {
			held := map[string][]byte{}
			err := eachClaim(ctx, tx, sqlBucketHold, keyed{of: keys}, func(k payment.Hash16, _ []byte, id string) {
				if mine[id] {
					held[id] = k[:]
				}
			})
			if err != nil || len(held) == 0 {
				return err
			}
			// Not in this transaction: payments are another bucket's.
			rows, err := b.l.db.pool.Query(ctx, sqlBucketPaid, b.bucket, slices.Collect(maps.Keys(held)))
			if err != nil {
				return err
			}
			var paid string
			if _, err := pgx.ForEachRow(rows, []any{&paid}, func() error { delete(held, paid); return nil }); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, sqlBucketUnclaim, of, slices.Collect(maps.Values(held)))
			return err
		})
	}
}
