package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/payer"
)

// DB is where contract keeps what it needs.
var _ contract.Store = (*DB)(nil)

const (
	channelContractColumns = `id, payer, merchant, agreement, channel, kind, service, standing, number, opened_at, until, signed_at, ended_at, ended_by,
		revoked_at, revoked_by, asked_at, told_at, due_at, tries, version`

	upsertChannelContract = `INSERT INTO channel_contract (bucket, ` + channelContractColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT (bucket, id) DO UPDATE SET standing = excluded.standing, number = excluded.number, signed_at = excluded.signed_at,
	ended_at = excluded.ended_at, ended_by = excluded.ended_by, revoked_at = excluded.revoked_at, revoked_by = excluded.revoked_by, asked_at = excluded.asked_at,
	told_at = excluded.told_at, due_at = excluded.due_at, tries = excluded.tries,
	version = excluded.version`

	selectChannelContract  = `SELECT ` + channelContractColumns + ` FROM channel_contract WHERE bucket = $1 AND id = $2`
	selectChannelContracts = `SELECT ` + channelContractColumns + ` FROM channel_contract WHERE bucket = $1 AND payer = $2 ORDER BY id DESC LIMIT $3`

	// As calls are claimed: its due time guards a claim.
	contractsDue  = `SELECT bucket, id FROM channel_contract WHERE due_at <= $1 AND channel = $2 ORDER BY due_at, id LIMIT $3`
	claimContract = `UPDATE channel_contract SET due_at = $4 WHERE bucket = $1 AND id = $2 AND due_at <= $3 RETURNING ` + channelContractColumns

	tellContract = `UPDATE channel_contract SET told_at = $3, due_at = $3 WHERE bucket = $1 AND id = $2 AND standing < 3`

	countLiveContracts = `SELECT count(*) FROM channel_contract WHERE bucket = $1 AND payer = $2 AND merchant = $3 AND standing < 3 AND id <> $4`

	revokeAllContracts = `UPDATE channel_contract SET revoked_at = $3, revoked_by = $4, due_at = $3, tries = 0
WHERE bucket = $1 AND payer = $2 AND standing < 3 AND revoked_at IS NULL`
	revokeContractsWith = revokeAllContracts + ` AND merchant = $5`

	countUnconfirmed = `SELECT count(*) FROM (SELECT 1 FROM channel_contract WHERE revoked_at IS NOT NULL AND standing = 2 LIMIT $1) AS few`
)

// contractArgs is the row of a contract.
func contractArgs(c *contract.Contract) []any {
	return []any{int64(c.Payer.Bucket()), string(c.ID), string(c.Payer), string(c.Merchant), string(c.Agreement), c.Channel, c.Kind, c.Service,
		int64(c.Standing), c.Number, micros(c.OpenedAt), micros(c.Until), nullMicros(c.SignedAt), nullMicros(c.EndedAt), c.EndedBy,
		nullMicros(c.RevokedAt), c.RevokedBy, nullMicros(c.AskedAt), nullMicros(c.ToldAt), nullMicros(c.Due), c.Tries, c.Version}
}

func scanChannelContract(scan scanner) (c contract.Contract, err error) {
	var standing, opened, until int64
	var signed, ended, revoked, asked, told, due sql.NullInt64
	err = scan((*string)(&c.ID), (*string)(&c.Payer), (*string)(&c.Merchant), (*string)(&c.Agreement), &c.Channel, &c.Kind, &c.Service, &standing,
		&c.Number, &opened, &until, &signed, &ended, &c.EndedBy, &revoked, &c.RevokedBy, &asked, &told, &due, &c.Tries, &c.Version)
	c.Standing = channel.ContractStanding(standing) //nolint:gosec // as stored
	c.OpenedAt, c.Until, c.SignedAt, c.EndedAt = fromMicros(opened), fromMicros(until), fromNullMicros(signed), fromNullMicros(ended)
	c.RevokedAt, c.AskedAt, c.ToldAt, c.Due = fromNullMicros(revoked), fromNullMicros(asked), fromNullMicros(told), fromNullMicros(due)
	return c, err
}

func writeChannelContract(ctx context.Context, tx *sql.Tx, c *contract.Contract) error {
	_, err := tx.ExecContext(ctx, upsertChannelContract, contractArgs(c)...)
	return wrapDriver("write a contract", err)
}

// revoking says which contracts at channels are to be ended, since when and by whom.
type revoking struct {
	payer    mianmi.PayerID
	merchant mianmi.MerchantID // empty: with all of them
	at       time.Time
	by       string
}

// revokeContracts wants the payer's contracts at channels ended.
func revokeContracts(ctx context.Context, tx *sql.Tx, r revoking) error {
	query, args := revokeAllContracts, []any{int64(r.payer.Bucket()), string(r.payer), micros(r.at), r.by}
	if r.merchant != "" {
		query, args = revokeContractsWith, append(args, string(r.merchant))
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return wrapDriver("revoke contracts", err)
}

// liveContracts counts the contracts of payer and merchant that are not ended,
// besides one.
func liveContracts(ctx context.Context, tx *sql.Tx, id mianmi.PayerID, m mianmi.MerchantID, besides mianmi.ContractID) (n int64, err error) {
	err = tx.QueryRowContext(ctx, countLiveContracts, int64(id.Bucket()), string(id), string(m), string(besides)).Scan(&n)
	return n, wrapDriver("count contracts", err)
}

// InsertChannelContract implements contract.Store.
func (db *DB) InsertChannelContract(ctx context.Context, c *contract.Contract, fn func(*contract.Change, []contract.Contract) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return db.inContract(ctx, tx, c, func(ch *contract.Change) error {
			others, err := readAll(ctx, tx, scanChannelContract, selectChannelContracts, int64(c.Payer.Bucket()), string(c.Payer), channelContractsMax)
			if err != nil {
				return err
			}
			before := slices.Clone(others)
			if err := fn(ch, others); err != nil {
				return err
			}
			for i := range others {
				if others[i] != before[i] {
					if err := writeChannelContract(ctx, tx, &others[i]); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// channelContractsMax bounds what is read of a payer's contracts.
const channelContractsMax = 200

// ChangeChannelContract implements contract.Store.
func (db *DB) ChangeChannelContract(ctx context.Context, id mianmi.ContractID, fn func(*contract.Change) error) error {
	found, err := db.ChannelContract(ctx, id) // whose it is never changes
	if err != nil {
		return err
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return db.inContract(ctx, tx, &found, func(ch *contract.Change) error {
			c, err := readOne(ctx, tx, "contract", scanChannelContract, selectChannelContract+db.dialect.forUpdate, int64(found.Payer.Bucket()), string(id))
			if err != nil {
				return err
			}
			*ch.Contract = c
			return fn(ch)
		})
	})
}

// inContract runs fn with a contract's payer under lock and its agreement, and
// writes what it left. The contract is written before the agreement, whose end
// revokes what is not ended.
func (db *DB) inContract(ctx context.Context, tx *sql.Tx, c *contract.Contract, fn func(*contract.Change) error) error {
	one := *c
	ch := &contract.Change{Contract: &one}
	err := db.changePayer(ctx, tx, c.Payer, func(p *payer.Change) error {
		a, err := readAgreement(ctx, tx, c.Payer, c.Merchant)
		if err != nil {
			return err
		}
		if p.Contracts, err = liveContracts(ctx, tx, c.Payer, c.Merchant, c.ID); err != nil {
			return err
		}
		before, open := a.Version, a.Open
		ch.Payer, ch.Agreement = p, &a
		if err := fn(ch); err != nil {
			return err
		}
		if one.ID != c.ID || one.Payer != c.Payer || one.Merchant != c.Merchant {
			return fmt.Errorf("contract %s became another", c.ID)
		}
		if err := writeChannelContract(ctx, tx, &one); err != nil || a.Version == before {
			return err
		}
		if err := writeAgreement(ctx, tx, a, lastActor(p.Entries)); err != nil || a.Open || !open {
			return err
		}
		return endContractsOf(ctx, tx, p, &a)
	})
	if err != nil {
		return err
	}
	return writeEntries(ctx, tx, c.Payer.Bucket(), one.Version-int64(len(ch.Entries))+1, ch.Entries...)
}

// ChannelContract implements contract.Store.
func (db *DB) ChannelContract(ctx context.Context, id mianmi.ContractID) (contract.Contract, error) {
	bucket, err := id.Bucket()
	if err != nil {
		return contract.Contract{}, mianmi.Missing("contract")
	}
	return readOne(ctx, db.read, "contract", scanChannelContract, selectChannelContract, int64(bucket), string(id))
}

// ChannelContracts implements contract.Store.
func (db *DB) ChannelContracts(ctx context.Context, id mianmi.PayerID, limit int) ([]contract.Contract, error) {
	return readAll(ctx, db.read, scanChannelContract, selectChannelContracts, int64(id.Bucket()), string(id), limit)
}

// ClaimContracts implements contract.Store.
func (db *DB) ClaimContracts(ctx context.Context, q contract.Claim) ([]contract.Contract, error) {
	type key struct {
		bucket int64
		id     string
	}
	var keys []key
	for _, name := range q.Channels {
		due, err := readAll(ctx, db.read, func(scan scanner) (k key, err error) {
			err = scan(&k.bucket, &k.id)
			return k, err
		}, contractsDue, micros(q.Now), name, q.Limit)
		if err != nil {
			return nil, err
		}
		keys = append(keys, due...)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var list []contract.Contract
	err := db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		list = list[:0]
		for _, k := range keys {
			c, err := scanChannelContract(tx.QueryRowContext(ctx, claimContract, k.bucket, k.id, micros(q.Now), micros(q.Lease)).Scan)
			switch {
			case errors.Is(err, sql.ErrNoRows): // somebody else has it
			case err != nil:
				return wrapDriver("claim a contract", err)
			default:
				list = append(list, c)
			}
		}
		return nil
	})
	return list, err
}

// TellContract implements contract.Store.
func (db *DB) TellContract(ctx context.Context, id mianmi.ContractID, at time.Time) (told bool, err error) {
	bucket, err := id.Bucket()
	if err != nil {
		return false, err
	}
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, tellContract, int64(bucket), string(id), micros(at))
		if err != nil {
			return wrapDriver("note a notification of a contract", err)
		}
		n, err := res.RowsAffected()
		told = n > 0
		return err
	})
	return told, err
}

// UnconfirmedContracts implements contract.Store.
func (db *DB) UnconfirmedContracts(ctx context.Context, limit int) (n int64, err error) {
	err = db.read.QueryRowContext(ctx, countUnconfirmed, limit).Scan(&n)
	return n, wrapDriver("count contracts", err)
}
