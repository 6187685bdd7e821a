package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// backupBusy is how long a copy waits for a lock of another process: readers
// and the writer do not block each other, so only recovery after a crash does.
const backupBusy = 10 * time.Second

// sqliteHandle opens a file that exists, on one connection without any setting
// of ours: it changes neither the file's mode nor its schema.
func sqliteHandle(file string, params url.Values) (*sql.DB, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	params.Set("_pragma", fmt.Sprintf("busy_timeout(%d)", backupBusy.Milliseconds()))
	db, err := sql.Open("sqlite", "file:"+file+"?"+params.Encode())
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// CopySQLite writes all that an SQLite database held at one instant to a file
// that is empty or not there, also while servers write to the database: they
// are not held up. The copy is not synced. (SQLite documentation, VACUUM INTO.)
func CopySQLite(ctx context.Context, file, to string) (err error) {
	db, err := sqliteHandle(file, url.Values{"mode": {"rw"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, to)
	return wrapDriver("copy the database", err)
}

// OpenCopy opens an SQLite file that nobody writes to, for reading alone: it
// leaves no trace beside it. What it holds is checked by Examine and the log.
func OpenCopy(ctx context.Context, file string) (*DB, error) {
	read, err := sqliteHandle(file, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	if err != nil {
		return nil, err
	}
	db := &DB{write: read, read: read, dialect: sqliteDialect, opts: Options{}.withDefaults()}
	if err := read.PingContext(ctx); err != nil {
		return nil, errors.Join(unavailable("open the copy", err), db.Close())
	}
	return db, nil
}

// Held is what a copy holds, for those who look at it.
type Held struct {
	Bytes    int64
	Payers   int64
	Payments int64
	Newest   time.Time // of the newest payment; zero: none
	Epoch    int64     // of the settings
	Keys     []byte    // digest of the server keys that it was filled with; nil: none yet
}

const selectHeld = `SELECT (SELECT count(*) FROM payer), (SELECT count(*) FROM payment), COALESCE((SELECT created_at FROM payment ORDER BY id DESC LIMIT 1), 0),
(SELECT epoch FROM settings_epoch WHERE id = 1)`

// Holds reads what the database holds.
func (db *DB) Holds(ctx context.Context) (h Held, err error) {
	var newest int64
	if err := db.read.QueryRowContext(ctx, selectHeld).Scan(&h.Payers, &h.Payments, &newest, &h.Epoch); err != nil {
		return h, wrapDriver("look at what the database holds", err)
	}
	if newest != 0 {
		h.Newest = fromMicros(newest)
	}
	err = db.read.QueryRowContext(ctx, selectInstallation).Scan(&h.Keys)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, wrapDriver("read the installation", err)
}

// Damage lists what SQLite finds wrong with a file, at most ten faults; none
// when it is whole.
func (db *DB) Damage(ctx context.Context) ([]string, error) {
	text := func(scan scanner) (s string, err error) {
		err = scan(&s)
		return s, err
	}
	list, err := readAll(ctx, db.read, text, `PRAGMA integrity_check(10)`)
	if err != nil || len(list) != 1 || strings.ToLower(list[0]) != "ok" {
		return list, err
	}
	return readAll(ctx, db.read, func(scan scanner) (string, error) {
		var table, parent string
		var row, key sql.NullInt64
		err := scan(&table, &row, &parent, &key)
		return table + " row " + strconv.FormatInt(row.Int64, 10) + " refers to what is not in " + parent, err
	}, `SELECT "table", rowid, parent, fkid FROM pragma_foreign_key_check() LIMIT 10`)
}
