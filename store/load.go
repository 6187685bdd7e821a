package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/terminal"
)

// Load fills tables in bulk, for a benchmark's world: payers with PIN-free
// open and a balance that the journal accounts for, and codes. It is not for
// a database in use: it writes no evidence.

// LoadPayers adds the payers; each has the Balance and Settings given.
func (db *DB) LoadPayers(ctx context.Context, list []payer.Payer) error {
	payers := make([][]any, len(list))
	journal := make([][]any, len(list))
	for i, p := range list {
		b, at := int16(p.ID.Bucket()), micros(p.CreatedAt)
		payers[i] = []any{b, string(p.ID), at, p.Version, int16(1), at, string(p.Balance.Currency()), int16(0), int16(0),
			p.Balance.Minor(), "", at, int16(0)}
		journal[i] = []any{b, "load" + string(p.ID), int16(0), int16(channel.TopUp), string(channel.Funding), string(channel.OfPayer(p.ID)),
			p.Balance.Minor(), string(p.Balance.Currency()), at}
	}
	err := db.load(ctx, "payer", []string{"bucket", "id", "created_at", "version", "pin_free", "since", "currency", "quiet_from", "quiet_to",
		"balance", "counters", "verifiable_from", "agreements"}, payers)
	if err != nil {
		return err
	}
	return db.load(ctx, "journal", []string{"bucket", "ref", "line", "kind", "debit", "credit", "amount", "currency", "at"}, journal)
}

// LoadCodes adds payment codes.
func (db *DB) LoadCodes(ctx context.Context, list []payer.Code) error {
	rows := make([][]any, len(list))
	for i, c := range list {
		rows[i] = []any{int16(c.Payer.Bucket()), c.Digest, string(c.Payer), micros(c.ExpiresAt)}
	}
	return db.load(ctx, "payment_code", []string{"bucket", "digest", "payer", "expires_at"}, rows)
}

const selectSettingTimes = `SELECT ` + settingNoBytes + ` FROM terminal_setting WHERE version = $1`

// SettingTimes are the lives of one version of a config at every terminal that
// has fetched it.
func (db *DB) SettingTimes(ctx context.Context, version int64) ([]terminal.Setting, error) {
	return readAll(ctx, db.read, scanSetting, selectSettingTimes, version)
}

// loadRowsMax bounds one INSERT on SQLite, which takes at most 32,766 parameters.
const loadRowsMax = 500

func (db *DB) load(ctx context.Context, table string, columns []string, rows [][]any) error {
	if db.pool != nil {
		_, err := db.pool.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		return wrapDriver("load "+table, err)
	}
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for len(rows) > 0 {
			n := min(len(rows), loadRowsMax)
			marks := strings.Repeat(",("+strings.Repeat(",?", len(columns))[1:]+")", n)[1:]
			args := make([]any, 0, n*len(columns))
			for _, r := range rows[:n] {
				args = append(args, r...)
			}
			//nolint:gosec // table and columns are constants of this file
			query := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", table, strings.Join(columns, ", "), marks)
			if _, err := tx.ExecContext(ctx, query, args...); err != nil {
				return wrapDriver("load "+table, err)
			}
			rows = rows[n:]
		}
		return nil
	})
}

// Analyze tells PostgreSQL the size of what was loaded. SQLite is left without
// statistics, as in service: with samples of its indexes it compiles a prepared
// statement anew for each new value, which took a third of a payment's time.
func (db *DB) Analyze(ctx context.Context) error {
	if db.pool == nil {
		return nil
	}
	_, err := db.write.ExecContext(ctx, "ANALYZE")
	return wrapDriver("analyze", err)
}

// Usage is how much a database has written and holds.
type Usage struct {
	Log       int64 // bytes of write-ahead log since the server began; 0 when unknown
	Disk      int64 // bytes
	ServerPID int   // of PostgreSQL's first process; 0 for SQLite
}

// Usage reads the sizes, for a benchmark.
func (db *DB) Usage(ctx context.Context) (u Usage, err error) {
	if db.pool == nil {
		err = db.read.QueryRowContext(ctx, `SELECT (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size())`).Scan(&u.Disk)
		return u, wrapDriver("read the size", err)
	}
	err = db.read.QueryRowContext(ctx, `SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint, pg_database_size(current_database()),
		coalesce(split_part(pg_read_file('postmaster.pid', 0, 20, true), E'\n', 1), '0')::int`).Scan(&u.Log, &u.Disk, &u.ServerPID)
	return u, wrapDriver("read the sizes", err)
}

// Books compares what payers hold with what the journal says of them.
type Books struct {
	Payers    int64
	Unequal   int64 // payers whose balance is not what the journal leaves them
	Captured  int64 // payments that moved money
	Unmatched int64 // approved payments without their capture, or captures without their payment
	Guarantee int64 // guarantee accounts whose balance is not what the journal leaves them
}

const sqlUnequal = `SELECT count(*), coalesce(sum(CASE WHEN p.balance = coalesce(c.sum, 0) - coalesce(d.sum, 0) THEN 0 ELSE 1 END), 0)
	FROM payer p
	LEFT JOIN (SELECT bucket, credit, sum(amount) AS sum FROM journal GROUP BY bucket, credit) c ON c.bucket = p.bucket AND c.credit = 'payer:' || p.id
	LEFT JOIN (SELECT bucket, debit, sum(amount) AS sum FROM journal GROUP BY bucket, debit) d ON d.bucket = p.bucket AND d.debit = 'payer:' || p.id`

const sqlUnmatched = `SELECT
	(SELECT count(*) FROM journal WHERE kind = 1),
	(SELECT count(*) FROM payment p LEFT JOIN journal j ON j.bucket = p.bucket AND j.ref = p.id AND j.line = 0
		WHERE p.channel <> 'cash' AND p.state IN (4, 10, 11, 12) AND (j.ref IS NULL OR j.amount <> p.amount))
	+ (SELECT count(*) FROM journal j LEFT JOIN payment p ON p.bucket = j.bucket AND p.id = j.ref
		WHERE j.kind = 1 AND (p.id IS NULL OR p.state NOT IN (4, 8, 10, 11, 12)))`

const sqlGuaranteeOff = `SELECT count(*) FROM guarantee g
	LEFT JOIN (SELECT currency, sum(CASE WHEN credit = 'house:guarantee' THEN amount ELSE -amount END) AS left_there
		FROM journal WHERE credit = 'house:guarantee' OR debit = 'house:guarantee' GROUP BY currency) j ON j.currency = g.currency
	WHERE g.balance <> coalesce(j.left_there, 0)`

// CheckBooks reads every payer, payment and journal row: slow on a large
// database. All figures are of one snapshot.
func (db *DB) CheckBooks(ctx context.Context) (b Books, err error) {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if db.pool == nil {
		opts = nil // every transaction of SQLite is a snapshot
	}
	tx, err := db.read.BeginTx(ctx, opts)
	if err != nil {
		return b, wrapDriver("check the books", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := tx.QueryRowContext(ctx, sqlUnequal).Scan(&b.Payers, &b.Unequal); err != nil {
		return b, wrapDriver("check balances", err)
	}
	if err := tx.QueryRowContext(ctx, sqlUnmatched).Scan(&b.Captured, &b.Unmatched); err != nil {
		return b, wrapDriver("check payments against the journal", err)
	}
	err = tx.QueryRowContext(ctx, sqlGuaranteeOff).Scan(&b.Guarantee)
	return b, wrapDriver("check the guarantee account", err)
}

// OK reports whether nothing is out of balance.
func (b Books) OK() bool { return b.Unequal == 0 && b.Unmatched == 0 && b.Guarantee == 0 }

// CountPayers counts the payers.
func (db *DB) CountPayers(ctx context.Context) (n int, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT count(*) FROM payer`).Scan(&n)
	return n, wrapDriver("count payers", err)
}
