package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/wechat"
)

// DB is where wechat keeps what it needs.
var _ wechat.Store = (*DB)(nil)

const (
	identityColumns = `merchant, mchid, appid, terminal, api_key, webhook, version, created_by, created_at, changed_at, complaint_at`

	insertIdentity = `INSERT INTO wechat_identity (` + identityColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	selectIdentity = `SELECT ` + identityColumns + ` FROM wechat_identity WHERE merchant = $1`
	updateIdentity = `UPDATE wechat_identity SET terminal = $2, api_key = $3, version = $4, changed_at = $5, complaint_at = $6 WHERE merchant = $1`

	insertSerial = `INSERT INTO wechat_serial (serial, merchant, api_key, public, created_at) VALUES ($1, $2, $3, $4, $5)`
	listSerials  = `SELECT s.serial, s.merchant, s.api_key, s.public, s.created_at, k.revoked_at
		FROM wechat_serial s JOIN api_key k ON k.id = s.api_key WHERE s.merchant = $1 ORDER BY s.created_at DESC, s.serial LIMIT $2`
	liveSerials = `SELECT count(*) FROM wechat_serial s JOIN api_key k ON k.id = s.api_key WHERE s.merchant = $1 AND k.revoked_at IS NULL`

	selectSigner = `SELECT i.mchid, i.appid, i.terminal, i.api_key, i.webhook, s.serial, s.public, s.created_at,
		k.id, k.merchant, k.scopes, k.created_by, k.created_at, k.expires_at, k.revoked_at
		FROM wechat_serial s JOIN wechat_identity i ON i.merchant = s.merchant JOIN api_key k ON k.id = s.api_key WHERE s.serial = $1`

	insertWechatOrder = `INSERT INTO wechat_order (bucket, key, merchant, order_no, trade, terminal, device, amount, currency, attach, notify, fault, ended, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13) ON CONFLICT DO NOTHING`
	selectWechatOrder = `SELECT merchant, order_no, trade, terminal, device, amount, currency, attach, notify, fault, ended, created_at
		FROM wechat_order WHERE bucket = $1 AND key = $2`
	endWechatOrder = `UPDATE wechat_order SET ended = $3 WHERE bucket = $1 AND key = $2 AND ended = 0`

	insertWechatRefund = `INSERT INTO wechat_refund (bucket, key, merchant, refund_no, payment, notify, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`
	selectWechatRefund = `SELECT merchant, refund_no, payment, notify, created_at FROM wechat_refund WHERE bucket = $1 AND key = $2`

	// serialsListed bounds a list: five live ones, and those that were revoked.
	serialsListed = 100
)

// InsertIdentity implements wechat.Store.
func (db *DB) InsertIdentity(ctx context.Context, n wechat.NewIdentity) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		if err := checkWorkplace(ctx, tx, access.Staff{Merchant: n.Merchant}); err != nil {
			return err
		}
		_, err := readOne(ctx, tx, "WeChat Pay identity", scanIdentity, selectIdentity, string(n.Merchant))
		if err == nil {
			return wechat.ErrIdentityExists
		}
		if !errors.Is(err, mianmi.NotFound) {
			return err
		}
		i := &n.Identity
		_, err = tx.ExecContext(ctx, insertIdentity, string(i.Merchant), i.MchID, i.AppID, string(i.Terminal), i.Key, string(i.Webhook), i.Version,
			i.CreatedBy, micros(i.CreatedAt), micros(i.ChangedAt), notNull(i.ComplaintAt))
		if err != nil {
			return wrapDriver("write a WeChat Pay identity", err)
		}
		if err := writeSerial(ctx, tx, &n.Serial); err != nil {
			return err
		}
		if err := writeWebhook(ctx, tx, epoch, &n.Queue); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, n.Entries...)
	})
}

// notNull is an empty value in the place of none: SQLite reads an empty one as none.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func scanIdentity(scan scanner) (i wechat.Identity, err error) {
	var created, changed int64
	err = scan(&i.Merchant, &i.MchID, &i.AppID, &i.Terminal, &i.Key, &i.Webhook, &i.Version, &i.CreatedBy, &created, &changed, &i.ComplaintAt)
	i.CreatedAt, i.ChangedAt = fromMicros(created), fromMicros(changed)
	return i, err
}

func writeSerial(ctx context.Context, tx *sql.Tx, s *wechat.Serial) error {
	_, err := tx.ExecContext(ctx, insertSerial, s.Serial, string(s.Merchant), string(s.Key), s.Public, micros(s.CreatedAt))
	return wrapDriver("write a serial", err)
}

// ChangeIdentity implements wechat.Store.
func (db *DB) ChangeIdentity(ctx context.Context, m mianmi.MerchantID, fn func(*wechat.Identity) ([]evidence.Entry, error)) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		i, err := readOne(ctx, tx, "WeChat Pay identity", scanIdentity, selectIdentity+db.dialect.forUpdate, string(m))
		if err != nil {
			return err
		}
		entries, err := fn(&i)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, updateIdentity, string(m), string(i.Terminal), i.Key, i.Version, micros(i.ChangedAt), notNull(i.ComplaintAt)); err != nil {
			return wrapDriver("change a WeChat Pay identity", err)
		}
		return writeSettingEntries(ctx, tx, epoch, entries...)
	})
}

// WechatIdentity implements wechat.Store.
func (db *DB) WechatIdentity(ctx context.Context, m mianmi.MerchantID) (wechat.Identity, error) {
	return readOne(ctx, db.read, "WeChat Pay identity", scanIdentity, selectIdentity, string(m))
}

// InsertSerial implements wechat.Store.
func (db *DB) InsertSerial(ctx context.Context, s wechat.Serial, e evidence.Entry, most int) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		var live int
		if err := tx.QueryRowContext(ctx, liveSerials, string(s.Merchant)).Scan(&live); err != nil {
			return wrapDriver("count serials", err)
		}
		if live >= most {
			return mianmi.Conflicts("too_many_serials", "there are as many serials as there may be: revoke one first")
		}
		if err := writeSerial(ctx, tx, &s); err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, e)
	})
}

// Serials implements wechat.Store.
func (db *DB) Serials(ctx context.Context, m mianmi.MerchantID) ([]wechat.Serial, error) {
	return readAll(ctx, db.read, func(scan scanner) (s wechat.Serial, err error) {
		var created int64
		var revoked sql.NullInt64
		err = scan(&s.Serial, &s.Merchant, &s.Key, &s.Public, &created, &revoked)
		s.CreatedAt, s.RevokedAt = fromMicros(created), fromNullMicros(revoked)
		return s, err
	}, listSerials, string(m), serialsListed)
}

// Signer implements wechat.Store.
func (db *DB) Signer(ctx context.Context, serial string) (wechat.Signer, error) {
	return readOne(ctx, db.read, "serial", func(scan scanner) (g wechat.Signer, err error) {
		var added, created int64
		var expires, revoked sql.NullInt64
		i, k := &g.Identity, &g.Key
		err = scan(&i.MchID, &i.AppID, &i.Terminal, &i.Key, &i.Webhook, &g.Serial.Serial, &g.Public, &added,
			&k.ID, &k.Merchant, &k.Scopes, &k.CreatedBy, &created, &expires, &revoked)
		i.Merchant, g.Serial.Merchant, g.Serial.Key = k.Merchant, k.Merchant, k.ID
		g.Serial.CreatedAt, k.CreatedAt, k.ExpiresAt, k.RevokedAt = fromMicros(added), fromMicros(created), fromNullMicros(expires), fromNullMicros(revoked)
		return g, err
	}, selectSigner, serial)
}

// wechatKey is where an order or a refund lies: a hash of its merchant and number.
func wechatKey(kind string, m mianmi.MerchantID, no string) (bucket int16, key []byte) {
	sum := sha256.Sum256([]byte(kind + "\x00" + string(m) + "\x00" + no))
	return int16(sum[0]), sum[:16]
}

// PutOrder implements wechat.Store.
func (db *DB) PutOrder(ctx context.Context, o wechat.Order) (have wechat.Order, err error) {
	bucket, key := wechatKey("order", o.Merchant, o.No)
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertWechatOrder, bucket, key, string(o.Merchant), o.No, int64(o.Trade), string(o.Terminal), o.Device,
			o.Amount.Minor(), string(o.Amount.Currency()), o.Attach, o.Notify, int64(o.Fault), micros(o.CreatedAt))
		if err != nil {
			return wrapDriver("write an order", err)
		}
		have, err = readOne(ctx, tx, "order", scanWechatOrder, selectWechatOrder, bucket, key)
		return err
	})
	return have, err
}

func scanWechatOrder(scan scanner) (o wechat.Order, err error) {
	var amount, created int64
	var currency string
	err = scan(&o.Merchant, &o.No, &o.Trade, &o.Terminal, &o.Device, &amount, &currency, &o.Attach, &o.Notify, &o.Fault, &o.Ended, &created)
	o.Amount, o.CreatedAt = money.Of(amount, money.Currency(currency)), fromMicros(created)
	return o, err
}

// WechatOrder implements wechat.Store.
func (db *DB) WechatOrder(ctx context.Context, m mianmi.MerchantID, no string) (wechat.Order, error) {
	bucket, key := wechatKey("order", m, no)
	return readOne(ctx, db.read, "order", scanWechatOrder, selectWechatOrder, bucket, key)
}

// EndWechatOrder implements wechat.Store.
func (db *DB) EndWechatOrder(ctx context.Context, m mianmi.MerchantID, no string, end payment.OrderEnd) error {
	bucket, key := wechatKey("order", m, no)
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, endWechatOrder, bucket, key, int64(end))
		return wrapDriver("end an order", err)
	})
}

// PutRefund implements wechat.Store.
func (db *DB) PutRefund(ctx context.Context, r wechat.Refund) (have wechat.Refund, err error) {
	bucket, key := wechatKey("refund", r.Merchant, r.No)
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertWechatRefund, bucket, key, string(r.Merchant), r.No, string(r.Payment), r.Notify, micros(r.CreatedAt))
		if err != nil {
			return wrapDriver("write a refund's number", err)
		}
		have, err = readOne(ctx, tx, "refund", scanWechatRefund, selectWechatRefund, bucket, key)
		return err
	})
	return have, err
}

func scanWechatRefund(scan scanner) (r wechat.Refund, err error) {
	var created int64
	err = scan(&r.Merchant, &r.No, &r.Payment, &r.Notify, &created)
	r.CreatedAt = fromMicros(created)
	return r, err
}

// WechatRefund implements wechat.Store.
func (db *DB) WechatRefund(ctx context.Context, m mianmi.MerchantID, no string) (wechat.Refund, error) {
	bucket, key := wechatKey("refund", m, no)
	return readOne(ctx, db.read, "refund", scanWechatRefund, selectWechatRefund, bucket, key)
}
