package store

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
)

// What is open is listed a page at a time, in the order of keys, after the last
// one of the page before: to close all of it while it changes.

const selectOpenScopes = `SELECT scope, subject FROM policy WHERE pin_free = 1 AND (scope, subject) > ($1, $2) ORDER BY scope, subject LIMIT $3`

// OpenScopes lists scopes whose policy has PIN-free on.
func (db *DB) OpenScopes(ctx context.Context, after merchant.Scope, limit int) ([]merchant.Scope, error) {
	return readAll(ctx, db.read, func(scan scanner) (s merchant.Scope, err error) {
		err = scan(&s.Level, &s.Subject)
		return s, err
	}, selectOpenScopes, int64(after.Level), after.Subject, limit)
}

const selectOpenPayers = `SELECT id FROM payer WHERE (pin_free = 1 OR pending IS NOT NULL OR allowance IS NOT NULL)
AND (bucket, id) > ($1, $2) ORDER BY bucket, id LIMIT $3`

// OpenPayers lists payers whose switch is on, or will be, or who have an allowance.
func (db *DB) OpenPayers(ctx context.Context, after mianmi.PayerID, limit int) ([]mianmi.PayerID, error) {
	bucket := int64(-1)
	if after != "" {
		bucket = int64(after.Bucket())
	}
	return readAll(ctx, db.read, func(scan scanner) (id mianmi.PayerID, err error) {
		err = scan((*string)(&id))
		return id, err
	}, selectOpenPayers, bucket, string(after), limit)
}

const selectOpenAgreements = `SELECT ` + agreementColumns + ` FROM agreement WHERE open = 1
AND (bucket, payer, merchant) > ($1, $2, $3) ORDER BY bucket, payer, merchant LIMIT $4`

// OpenAgreements lists agreements that are open.
func (db *DB) OpenAgreements(ctx context.Context, after payer.Agreement, limit int) ([]payer.Agreement, error) {
	bucket := int64(-1)
	if after.Payer != "" {
		bucket = int64(after.Payer.Bucket())
	}
	return readAll(ctx, db.read, func(scan scanner) (payer.Agreement, error) { return scanAgreement(scan) },
		selectOpenAgreements, bucket, string(after.Payer), string(after.Merchant), limit)
}
