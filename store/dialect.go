package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mianmi/mianmi"
)

// dialect is all that differs between the engines, side by side.
type dialect struct {
	name      string
	goose     string
	forUpdate string // locks the rows of a SELECT until the transaction ends
	forClaim  string // the same for claiming work: skips what others hold
	// tryLogLock answers 1 when this transaction has the lock of the log now, and
	// lets the server end a transaction whose process sleeps with the lock.
	tryLogLock []string
	lockLog    string // waits for that lock
	// tryOutboxLock is the same for the outbox.
	tryOutboxLock []string
	// now is the database's clock, as it was when the statement began.
	now string
	// rowByRow: an INSERT of many rows costs more to read than its rows to write,
	// for its numbered parameters are looked up one by one (measured: a quarter of
	// the processor's time of an OFF over 500 terminals).
	rowByRow bool
	// inList is "IN ($1)" of a list that is one parameter: for the same reason
	// not one for each value. jsonLists: it is in JSON.
	inList    string
	jsonLists bool
	// versionTables counts the tables that hold the schema's version: 0 or 1.
	versionTables string
	// Payments of past times lie by bucket and identifier, or by identifier alone:
	// in how many places one looks, and the condition that picks one.
	pastPlaces int
	pastOf     string
}

var (
	// SQLite has one writer at a time: a transaction that begins immediate
	// holds everything.
	sqliteDialect = dialect{name: "sqlite", goose: "sqlite3", pastPlaces: 1, rowByRow: true, inList: `IN (SELECT value FROM json_each($1))`, jsonLists: true, tryLogLock: []string{`SELECT 1`}, lockLog: `SELECT 1`,
		tryOutboxLock: []string{`SELECT 1`}, now: `CAST(round(unixepoch('subsec') * 1000000.0) AS integer)`,
		versionTables: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`}

	postgresDialect = dialect{name: "postgres", goose: "postgres", pastPlaces: mianmi.Buckets, pastOf: "AND p.bucket = $4",
		tryLogLock:    []string{`SET LOCAL idle_in_transaction_session_timeout = '5s'`, `SELECT CASE WHEN pg_try_advisory_xact_lock(7233011) THEN 1 ELSE 0 END`},
		lockLog:       `SELECT pg_advisory_xact_lock(7233011)`,
		tryOutboxLock: []string{`SET LOCAL idle_in_transaction_session_timeout = '5s'`, `SELECT CASE WHEN pg_try_advisory_xact_lock(7233012) THEN 1 ELSE 0 END`},
		forUpdate:     " FOR UPDATE", forClaim: " FOR UPDATE SKIP LOCKED",
		inList:        `= ANY($1)`,
		now:           `CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS bigint)`,
		versionTables: `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'goose_db_version'`}
)

// isUnique reports a violated unique or primary key.
func isUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) &&
		(lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// isForeign reports a reference to a row that is not there.
func isForeign(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23503"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// isLocked reports a lock that another transaction held for longer than
// lock_timeout allows.
func isLocked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// isTransient reports a transaction that lost against another and may be run
// again from its start: deadlock, serialization, a busy file.
func isTransient(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// 22012: a guard in a statement met other rows than were read before.
		// 25P03: this process stood still for so long that the server has rolled back.
		return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "22012" || pg.Code == "25P03"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}

// isUnsent reports a statement that never left for the server, because the
// connection had ended before: the transaction may be run again on another.
func isUnsent(err error) bool { return pgconn.SafeToRetry(err) }

// isAway reports a database that is gone, refuses, or ran out of time.
func isAway(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || isUnsent(err) {
		return true
	}
	var connect *pgconn.ConnectError
	var net net.Error
	var pg *pgconn.PgError
	var lite *sqlite.Error
	switch {
	case errors.As(err, &pg): // 08 connection, 53 resources (a full disk), 57P shutdown, 58 the machine beneath
		return isLocked(err) || len(pg.Code) == 5 &&
			(pg.Code[:2] == "08" || pg.Code[:2] == "53" || pg.Code[:2] == "58" || pg.Code[:3] == "57P")
	case errors.As(err, &lite):
		return awayCodes[lite.Code()&0xff]
	}
	return errors.As(err, &connect) || errors.As(err, &net) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// awayCodes are SQLite's errors of the disk beneath it. What failed was rolled
// back; it can be tried again when there is room, or when the disk is back.
var awayCodes = map[int]bool{sqlite3.SQLITE_FULL: true, sqlite3.SQLITE_IOERR: true, sqlite3.SQLITE_CANTOPEN: true,
	sqlite3.SQLITE_READONLY: true, sqlite3.SQLITE_PROTOCOL: true}
