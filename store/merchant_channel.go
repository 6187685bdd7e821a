package store

import (
	"context"
	"database/sql"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/settings"
)

const (
	selectUnconnected = `SELECT m.id FROM merchant m WHERE m.id IN ($1)
AND NOT EXISTS (SELECT 1 FROM merchant_channel c WHERE c.merchant = m.id AND c.channel = $2) ORDER BY m.id`

	insertConnection = `INSERT INTO merchant_channel (merchant, channel, since, epoch) VALUES ($1, $2, $3, $4)`

	newerConnections = `SELECT merchant, channel, since, epoch FROM merchant_channel WHERE epoch > $1`
)

// Connect implements merchant.Connections.
func (db *DB) Connect(ctx context.Context, channel string, of []mianmi.MerchantID,
	decide func([]mianmi.MerchantID) (merchant.Connected, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		d := &db.dialect
		fresh, err := readAll(ctx, tx, func(scan scanner) (id mianmi.MerchantID, err error) {
			err = scan(&id)
			return id, err
		}, d.withLists(selectUnconnected), list(d, of, func(id mianmi.MerchantID) string { return string(id) }), channel)
		if err != nil || len(fresh) == 0 { // another server was quicker
			return err
		}
		out, err := decide(fresh)
		if err != nil {
			return err
		}
		rows := make([][]any, len(fresh))
		for i, m := range fresh {
			rows[i] = []any{string(m), channel, micros(out.At), epoch}
		}
		if err := db.insertRows(ctx, tx, insertConnection, rows); err != nil {
			return wrapDriver("record connections", err)
		}
		return writeSettingEntries(ctx, tx, epoch, out.Entries...)
	})
}

func scanConnection(scan scanner) (c settings.Connection, err error) {
	var since int64
	err = scan(&c.Merchant, &c.Channel, &since, &c.Epoch)
	c.Since = fromMicros(since)
	return c, err
}
