package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
)

var _ merchant.Records = (*DB)(nil)

const merchantColumns = `id, name, currency, country, mcc, no_pin, upgraded, agreement_required, risk, version, created_at`

func scanMerchant(scan scanner) (m merchant.Merchant, err error) {
	var created int64
	f := &m.Facts
	err = scan(&m.ID, &m.Name, &m.Currency, &f.Country, &f.MCC, &f.NoPIN, &f.Upgraded, &f.AgreementRequired, &f.Risk, &m.Version, &created)
	m.CreatedAt = fromMicros(created)
	return m, err
}

const selectMerchant = `SELECT ` + merchantColumns + ` FROM merchant WHERE id = $1`

// Merchant reads a merchant.
func (db *DB) Merchant(ctx context.Context, id mianmi.MerchantID) (merchant.Merchant, error) {
	return readMerchant(ctx, db.read, id)
}

func readMerchant(ctx context.Context, q querier, id mianmi.MerchantID) (merchant.Merchant, error) {
	return readOne(ctx, q, "merchant", scanMerchant, selectMerchant, string(id))
}

const selectMerchants = `SELECT ` + merchantColumns + ` FROM merchant WHERE id > $1 ORDER BY id LIMIT $2`

// Merchants reads a page of all merchants.
func (db *DB) Merchants(ctx context.Context, after mianmi.MerchantID, limit int) ([]merchant.Merchant, error) {
	return readAll(ctx, db.read, scanMerchant, selectMerchants, string(after), limit)
}

const insertMerchant = `INSERT INTO merchant
(id, name, currency, country, mcc, no_pin, upgraded, agreement_required, risk, version, created_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// CreateMerchant writes a merchant and the entry of its creation.
func (db *DB) CreateMerchant(ctx context.Context, m merchant.Merchant, e evidence.Entry) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		f := m.Facts
		_, err := tx.ExecContext(ctx, insertMerchant, string(m.ID), m.Name, string(m.Currency), f.Country, int64(f.MCC),
			bit(f.NoPIN), bit(f.Upgraded), bit(f.AgreementRequired), f.Risk, m.Version, micros(m.CreatedAt), epoch)
		if err != nil {
			return wrapDriver("create merchant", err)
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

const updateMerchant = `UPDATE merchant SET name = $2, country = $3, mcc = $4, no_pin = $5, upgraded = $6,
agreement_required = $7, risk = $8, version = $9, epoch = $10 WHERE id = $1`

func writeMerchant(ctx context.Context, tx *sql.Tx, epoch int64, m merchant.Merchant) error {
	f := m.Facts
	_, err := tx.ExecContext(ctx, updateMerchant, string(m.ID), m.Name, f.Country, int64(f.MCC),
		bit(f.NoPIN), bit(f.Upgraded), bit(f.AgreementRequired), f.Risk, m.Version, epoch)
	return wrapDriver("change merchant", err)
}

const storeColumns = `id, merchant, name, address, lat_e6, lon_e6, created_at`

func scanStore(scan scanner) (s merchant.Store, err error) {
	var created int64
	var lat, lon sql.Null[int32]
	err = scan(&s.ID, &s.Merchant, &s.Name, &s.Address, &lat, &lon, &created)
	if lat.Valid && lon.Valid {
		s.Coordinates = &merchant.Coordinates{LatE6: lat.V, LonE6: lon.V}
	}
	s.CreatedAt = fromMicros(created)
	return s, err
}

const selectStore = `SELECT ` + storeColumns + ` FROM store WHERE id = $1`

// Store reads a store.
func (db *DB) Store(ctx context.Context, id mianmi.StoreID) (merchant.Store, error) {
	return readOne(ctx, db.read, "store", scanStore, selectStore, string(id))
}

const selectStores = `SELECT ` + storeColumns + ` FROM store WHERE merchant = $1 AND id > $2 ORDER BY id LIMIT $3`

// Stores reads a page of a merchant's stores.
func (db *DB) Stores(ctx context.Context, q merchant.StoreQuery) ([]merchant.Store, error) {
	return readAll(ctx, db.read, scanStore, selectStores, string(q.Merchant), string(q.After), q.Limit)
}

const insertStore = `INSERT INTO store (id, merchant, name, address, lat_e6, lon_e6, created_at, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// CreateStore writes a store and the entry of its creation.
func (db *DB) CreateStore(ctx context.Context, s merchant.Store, e evidence.Entry) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		lat, lon := coordinates(s)
		_, err := tx.ExecContext(ctx, insertStore, string(s.ID), string(s.Merchant), s.Name, s.Address, lat, lon,
			micros(s.CreatedAt), epoch)
		if err != nil {
			return wrapDriver("create store", err)
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

const updateStore = `UPDATE store SET name = $2, address = $3, lat_e6 = $4, lon_e6 = $5, epoch = $6 WHERE id = $1`

// ChangeStore writes what decide makes of a store, and its entry.
func (db *DB) ChangeStore(ctx context.Context, id mianmi.StoreID, decide func(merchant.Store) (merchant.Store, evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		before, err := readOne(ctx, tx, "store", scanStore, selectStore, string(id))
		if err != nil {
			return err
		}
		after, e, err := decide(before)
		if err != nil {
			return err
		}
		lat, lon := coordinates(after)
		if _, err := tx.ExecContext(ctx, updateStore, string(id), after.Name, after.Address, lat, lon, epoch); err != nil {
			return wrapDriver("change store", err)
		}
		if err := markScope(ctx, tx, epoch, merchant.OfStore(id), e.At, false); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

func coordinates(s merchant.Store) (lat, lon sql.NullInt64) {
	if c := s.Coordinates; c != nil {
		lat = sql.NullInt64{Int64: int64(c.LatE6), Valid: true}
		lon = sql.NullInt64{Int64: int64(c.LonE6), Valid: true}
	}
	return lat, lon
}
