package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

const (
	selectNamed = `SELECT payer FROM channel_name WHERE bucket = $1 AND digest = $2 ORDER BY payer LIMIT 2`
	selectName  = `SELECT count(*) FROM channel_name WHERE bucket = $1 AND digest = $2 AND payer = $3`
	insertName  = `INSERT INTO channel_name (bucket, digest, payer, channel, merchant) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
	// Those of a payer may be of any bucket.
	dropNameBefore = `DELETE FROM channel_name WHERE payer = $1 AND channel = $2 AND merchant = $3 AND digest <> $4`
	dropNames      = `DELETE FROM channel_name WHERE payer = $1`
)

// NamedPayers implements payment.Books.
func (db *DB) NamedPayers(ctx context.Context, digest []byte) ([]mianmi.PayerID, error) {
	return readAll(ctx, db.read, func(scan scanner) (id mianmi.PayerID, err error) {
		err = scan((*string)(&id))
		return id, err
	}, selectNamed, int16(digest[0]), digest)
}

// LearnName implements payment.Books. A payer has one name at a channel for each
// merchant, so nothing is written while it stays the same. The payer's lock keeps
// a name from being noted behind an erasure.
func (db *DB) LearnName(ctx context.Context, n payment.NameDigest) error {
	bucket, id := int16(n.Digest[0]), string(n.Payer)
	var known int
	if err := db.read.QueryRowContext(ctx, selectName, bucket, n.Digest, id).Scan(&known); err != nil || known > 0 {
		return wrapDriver("look for a channel's name", err)
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := db.lockAccount(ctx, tx, n.Payer); err != nil {
			return err
		}
		if key, err := readPersonKey(ctx, tx, n.Payer); err != nil || key == nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, dropNameBefore, id, n.Channel, string(n.Merchant), n.Digest); err != nil {
			return wrapDriver("drop a channel's name", err)
		}
		_, err := tx.ExecContext(ctx, insertName, bucket, n.Digest, id, n.Channel, string(n.Merchant))
		return wrapDriver("write a channel's name", err)
	})
}
