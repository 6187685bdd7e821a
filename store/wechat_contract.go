package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/wechat"
)

const (
	contractColumns = `merchant, family, service, code, openid, shown, out_user, notify, session, session_until, tries, created_at,
		payer, agreement, opened_at, signed_at, ended_at, ended_by, remark`

	// One that nobody has signed gets the new session, and what was asked for with it.
	putContract = `INSERT INTO wechat_contract (bucket, key, ` + contractColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, '', '', 0, NULL, NULL, '', '')
		ON CONFLICT (bucket, key) DO UPDATE SET openid = excluded.openid, shown = excluded.shown, out_user = excluded.out_user,
			notify = excluded.notify, session = excluded.session, session_until = excluded.session_until, tries = 0
		WHERE wechat_contract.signed_at IS NULL`
	selectContract = `SELECT ` + contractColumns + ` FROM wechat_contract WHERE bucket = $1 AND key = $2`
	tryContract    = `UPDATE wechat_contract SET tries = tries + 1
		WHERE bucket = $1 AND key = $2 AND session = $3 AND session_until > $4 AND tries < $5 AND signed_at IS NULL`
	leaveContract = `UPDATE wechat_contract SET session = $4 WHERE bucket = $1 AND key = $2 AND session = $3 AND signed_at IS NULL`
	signContract  = `UPDATE wechat_contract SET session = $3, payer = $4, agreement = $5, opened_at = $6, signed_at = $7, remark = $8
		WHERE bucket = $1 AND key = $2`
	// Contracts of all merchants with a payer are few; bucket is that of another key.
	contractsOn    = `SELECT ` + contractColumns + ` FROM wechat_contract WHERE payer = $1 AND agreement = $2 AND opened_at = $3 ORDER BY bucket, key LIMIT $4`
	countContracts = `SELECT count(*) FROM wechat_contract WHERE payer = $1 AND agreement = $2 AND opened_at = $3`
	endContracts   = `UPDATE wechat_contract SET ended_at = $4, ended_by = $5 WHERE payer = $1 AND agreement = $2 AND opened_at = $3 AND ended_at IS NULL`
)

func contractAt(k wechat.ContractKey) (bucket int16, key []byte) { return int16(k[0]), k[:] }

func scanContract(scan scanner) (c wechat.Contract, err error) {
	var until, created, opened int64
	var signed, ended sql.NullInt64
	err = scan(&c.Merchant, &c.Family, &c.Service, &c.Code, &c.OpenID, &c.Shown, &c.OutUser, &c.Notify, &c.Session, &until, &c.Tries, &created,
		&c.Payer, &c.Agreement, &opened, &signed, &ended, &c.EndedBy, &c.Remark)
	c.SessionUntil, c.CreatedAt, c.SignedAt, c.EndedAt = fromMicros(until), fromMicros(created), fromNullMicros(signed), fromNullMicros(ended)
	if opened != 0 {
		c.OpenedAt = fromMicros(opened)
	}
	return c, err
}

// PutContract implements wechat.ContractStore.
func (db *DB) PutContract(ctx context.Context, c wechat.Contract) error {
	bucket, key := contractAt(c.Key())
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, putContract, bucket, key, string(c.Merchant), int64(c.Family), c.Service, c.Code, c.OpenID, c.Shown, c.OutUser,
			c.Notify, c.Session, micros(c.SessionUntil), micros(c.CreatedAt))
		return touched(res, err, "write a contract", wechat.ErrContractUsed)
	})
}

// touched is nil when a statement changed a row, else otherwise.
func touched(res sql.Result, err error, doing string, otherwise error) error {
	if err != nil {
		return wrapDriver(doing, err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = otherwise
	}
	return err
}

// WechatContract implements wechat.ContractStore.
func (db *DB) WechatContract(ctx context.Context, k wechat.ContractKey) (wechat.Contract, error) {
	bucket, key := contractAt(k)
	return readOne(ctx, db.read, "contract", scanContract, selectContract, bucket, key)
}

// TryContract implements wechat.ContractStore.
func (db *DB) TryContract(ctx context.Context, k wechat.ContractKey, session []byte, now time.Time, most int) error {
	bucket, key := contractAt(k)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, tryContract, bucket, key, session, micros(now), most)
		return touched(res, err, "count a try", mianmi.Missing("signing session"))
	})
}

// LeaveContract implements wechat.ContractStore.
func (db *DB) LeaveContract(ctx context.Context, k wechat.ContractKey, session []byte) error {
	bucket, key := contractAt(k)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, leaveContract, bucket, key, session, []byte{})
		return wrapDriver("leave a contract", err)
	})
}

// ChangeContract implements wechat.ContractStore.
func (db *DB) ChangeContract(ctx context.Context, k wechat.ContractKey, id mianmi.PayerID, fn func(*wechat.ContractChange) error) error {
	c, err := db.WechatContract(ctx, k)
	if err != nil {
		return err
	}
	bucket, key := contractAt(k)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return db.changeAgreement(ctx, tx, id, c.Merchant, func(p *payer.Change, a *payer.Agreement) error {
			c, err := readOne(ctx, tx, "contract", scanContract, selectContract+db.dialect.forUpdate, bucket, key)
			if err != nil {
				return err
			}
			x := &wechat.ContractChange{Contract: &c, Payer: p, Agreement: a}
			err = tx.QueryRowContext(ctx, countContracts, string(id), string(a.ID), micros(a.OpenedAt)).Scan(&x.Siblings)
			if err != nil {
				return wrapDriver("count contracts", err)
			}
			if err := fn(x); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, signContract, bucket, key, c.Session, string(c.Payer), string(c.Agreement), micros(c.OpenedAt), nullMicros(c.SignedAt), c.Remark)
			if err != nil {
				return wrapDriver("write a contract", err)
			}
			if x.Tell == "" {
				return nil
			}
			_, err = db.enqueue(ctx, tx, x.Tell, &notice.Fact{At: c.SignedAt, Subject: string(id), Seq: p.Payer.Version, Topic: notice.Test, Ref: wechat.ContractRef(k)})
			return err
		})
	})
}

// WechatContracts implements wechat.ContractStore.
func (db *DB) WechatContracts(ctx context.Context, id mianmi.PayerID, a mianmi.AgreementID, opened time.Time, most int) ([]wechat.Contract, error) {
	return readAll(ctx, db.read, scanContract, contractsOn, string(id), string(a), micros(opened), most)
}

// Agreement implements wechat.ContractStore.
func (db *DB) Agreement(ctx context.Context, id mianmi.PayerID, m mianmi.MerchantID) (payer.Agreement, error) {
	a, err := scanAgreement(db.read.QueryRowContext(ctx, selectAgreement, int64(id.Bucket()), string(id), string(m)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return a, mianmi.Missing("agreement")
	}
	return a, wrapDriver("read an agreement", err)
}

// endContractsOf notes at the contracts that stood on an agreement who closed it.
func endContractsOf(ctx context.Context, tx *sql.Tx, c *payer.Change, a *payer.Agreement) error {
	_, err := tx.ExecContext(ctx, endContracts, string(a.Payer), string(a.ID), micros(a.OpenedAt), micros(a.ClosedAt), lastActor(c.Entries))
	return wrapDriver("end contracts", err)
}

// lastActor is who made the last of the entries: of a change that closes, the closing.
func lastActor(entries []evidence.Entry) string {
	if len(entries) == 0 {
		return ""
	}
	return entries[len(entries)-1].Actor
}
