package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/wechat"
)

const (
	ofWallet       = ` FROM complaint WHERE channel = $1 AND merchant = $2 AND at >= $3 AND at < $4`
	walletPage     = `SELECT ` + complaintRead + ofWallet + ` ORDER BY at DESC, id DESC LIMIT $5 OFFSET $6`
	walletCount    = `SELECT count(*)` + ofWallet
	lockMerchant   = `SELECT id FROM merchant WHERE id = $1`
	dropPictures   = `DELETE FROM complaint_picture WHERE merchant = $1 AND at < CASE used WHEN 0 THEN CAST($2 AS bigint) ELSE CAST($3 AS bigint) END`
	touchPicture   = `UPDATE complaint_picture SET at = $3 WHERE merchant = $1 AND hash = $2`
	sumPictures    = `SELECT coalesce(sum(size), 0) FROM complaint_picture WHERE merchant = $1`
	addPicture     = `INSERT INTO complaint_picture (merchant, hash, size, bytes, used, at) VALUES ($1, $2, $3, $4, 0, $5)`
	usePicture     = `UPDATE complaint_picture SET used = 1 WHERE merchant = $1 AND hash = $2`
	selectPicture  = `SELECT bytes FROM complaint_picture WHERE merchant = $1 AND hash = $2`
	whoIsTold      = `SELECT webhook FROM wechat_identity WHERE merchant = $1 AND length(complaint_at) > 0`
	walletPagesMax = 100_000 // rows that one query may pass over
)

// WalletComplaints implements support.Store.
func (db *DB) WalletComplaints(ctx context.Context, q support.WalletQuery) ([]support.Complaint, int64, error) {
	var all int64
	err := db.read.QueryRowContext(ctx, walletCount, support.Wallet.Channel, string(q.Merchant), micros(q.From), micros(q.To)).Scan(&all)
	if err != nil {
		return nil, 0, wrapDriver("count complaints", err)
	}
	list, err := readAll(ctx, db.read, scanComplaint, walletPage, support.Wallet.Channel, string(q.Merchant), micros(q.From), micros(q.To), q.Limit, min(q.Offset, walletPagesMax))
	for i := range list {
		if err == nil {
			list[i].Payments, err = readAll(ctx, db.read, scanAbout, complaintPayments, string(list[i].ID))
		}
	}
	return list, all, err
}

// PutPicture implements support.Store. The merchant's row is locked, so that two
// who upload at once keep the bound.
func (db *DB) PutPicture(ctx context.Context, p support.Picture, room support.PictureRoom) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := readOne(ctx, tx, "merchant", func(scan scanner) (id string, err error) {
			err = scan(&id)
			return id, err
		}, lockMerchant+db.dialect.forUpdate, string(p.Merchant))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, dropPictures, string(p.Merchant), micros(room.Unused), micros(room.Used)); err != nil {
			return wrapDriver("remove pictures", err)
		}
		res, err := tx.ExecContext(ctx, touchPicture, string(p.Merchant), p.ID, micros(p.At))
		if err := touched(res, err, "keep a picture", mianmi.NotFound); !errors.Is(err, mianmi.NotFound) {
			return err // it is there already
		}
		var have int64
		if err := tx.QueryRowContext(ctx, sumPictures, string(p.Merchant)).Scan(&have); err != nil {
			return wrapDriver("count pictures", err)
		}
		if have+int64(len(p.Bytes)) > room.Bytes {
			return mianmi.Conflicts("too_many_pictures", "this merchant has as many pictures as there may be; those that no answer names go after a week, the others after 360 days")
		}
		_, err = tx.ExecContext(ctx, addPicture, string(p.Merchant), p.ID, len(p.Bytes), p.Bytes, micros(p.At))
		return wrapDriver("write a picture", err)
	})
}

// UsePictures implements support.Store.
func (db *DB) UsePictures(ctx context.Context, m mianmi.MerchantID, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			res, err := tx.ExecContext(ctx, usePicture, string(m), id)
			if err := touched(res, err, "use a picture", mianmi.Missing("picture")); err != nil {
				return err
			}
		}
		return nil
	})
}

// Picture implements support.Store.
func (db *DB) Picture(ctx context.Context, m mianmi.MerchantID, id string) ([]byte, error) {
	return readOne(ctx, db.read, "picture", func(scan scanner) (b []byte, err error) {
		err = scan(&b)
		return b, err
	}, selectPicture, string(m), id)
}

// tellSteps lets software of the merchant's be told of the steps of a complaint,
// if it has said where.
func (db *DB) tellSteps(ctx context.Context, tx *sql.Tx, w *support.Change) error {
	c := w.Complaint
	queue, err := readOne(ctx, tx, "identity", func(scan scanner) (id mianmi.WebhookID, err error) {
		err = scan(&id)
		return id, err
	}, whoIsTold, string(c.Merchant))
	if errors.Is(err, mianmi.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, t := range w.Steps {
		f := notice.Fact{At: t.At, Subject: string(c.ID), Seq: c.Version, Topic: notice.Test, Ref: wechat.ComplaintRef(c.Number, t.What)}
		if _, err := db.enqueue(ctx, tx, queue, &f); err != nil {
			return err
		}
	}
	return nil
}
