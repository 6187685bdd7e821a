package store

import (
	"context"
	"strconv"
	"time"
)

// Facts are what a database says of itself, for a check of the deployment.
// What they mean is left to the caller.
type Facts struct {
	Engine  string    // "sqlite" or "postgres"
	Version string    // of the engine, as it writes it
	Major   int       // of PostgreSQL (15); 0 for SQLite
	Now     time.Time // the database's clock, between the call and its return
	Later   time.Time // the same clock, asked again
	Have    int64     // schema version, -1 without one
	Want    int64     // schema version of this program

	// Settings of durability by name, as the connections that write see them:
	// fsync, full_page_writes and synchronous_commit of PostgreSQL;
	// journal_mode, synchronous and foreign_keys of SQLite.
	Settings map[string]string
	// ConnsMax is how many connections the server takes; 0 for SQLite.
	ConnsMax int
	// Writable says that a write is taken: no standby, no read-only file, no
	// other process that sits on the file's write lock.
	Writable bool
}

// The statements of Facts. Each setting is one statement, in both engines.
const (
	postgresVersion = `SELECT current_setting('server_version')`
	postgresNumber  = `SELECT current_setting('server_version_num')`
	postgresNow     = `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`
	postgresConns   = `SELECT current_setting('max_connections')`
	// A standby answers reads and refuses every write.
	postgresWritable = `SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'`
	sqliteVersion    = `SELECT sqlite_version()`
	sqliteNow        = `SELECT CAST(round(unixepoch('subsec') * 1000000.0) AS integer)`
)

var durability = map[string]map[string]string{
	"postgres": {
		"fsync":              `SELECT current_setting('fsync')`,
		"full_page_writes":   `SELECT current_setting('full_page_writes')`,
		"synchronous_commit": `SELECT current_setting('synchronous_commit')`,
	},
	"sqlite": {
		"journal_mode": `SELECT journal_mode FROM pragma_journal_mode`,
		"synchronous":  `SELECT synchronous FROM pragma_synchronous`,
		"foreign_keys": `SELECT foreign_keys FROM pragma_foreign_keys`,
	},
}

// Facts asks the database about itself and changes nothing. An error is
// Unavailable when the database does not answer.
func (db *DB) Facts(ctx context.Context) (Facts, error) {
	f := Facts{Engine: db.Engine(), Settings: map[string]string{}}
	for name, query := range durability[f.Engine] {
		v, err := db.fact(ctx, query)
		if err != nil {
			return f, err
		}
		f.Settings[name] = v
	}
	var err error
	if f.Have, f.Want, err = db.Schema(ctx); err != nil {
		return f, err
	}
	if f.Engine == "postgres" {
		return f, db.postgresFacts(ctx, &f)
	}
	return f, db.sqliteFacts(ctx, &f)
}

func (db *DB) postgresFacts(ctx context.Context, f *Facts) error {
	var err error
	if f.Version, err = db.fact(ctx, postgresVersion); err != nil {
		return err
	}
	number, err := db.number(ctx, postgresNumber)
	if err != nil {
		return err
	}
	f.Major = int(number / 10000) // 150014 is 15.14
	conns, err := db.number(ctx, postgresConns)
	if err != nil {
		return err
	}
	f.ConnsMax = int(conns)
	writable, err := db.fact(ctx, postgresWritable)
	if err != nil {
		return err
	}
	f.Writable = writable == "true"
	f.Now, f.Later, err = db.clock(ctx, postgresNow)
	return err
}

func (db *DB) sqliteFacts(ctx context.Context, f *Facts) error {
	var err error
	if f.Version, err = db.fact(ctx, sqliteVersion); err != nil {
		return err
	}
	if f.Now, f.Later, err = db.clock(ctx, sqliteNow); err != nil {
		return err
	}
	f.Writable, err = db.tryWrite(ctx)
	return err
}

// tryWrite makes a table and takes it back, so that nothing is left: SQLite
// says only at the first write that a file or its folder is read only.
func (db *DB) tryWrite(ctx context.Context) (bool, error) {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return false, nil
	}
	_, writeErr := tx.ExecContext(ctx, `CREATE TABLE mianmi_doctor (n integer)`)
	return writeErr == nil, wrapDriver("take the trial write back", tx.Rollback())
}

// fact returns one value as text, read on a connection that writes.
func (db *DB) fact(ctx context.Context, query string) (string, error) {
	var v string
	if err := db.write.QueryRowContext(ctx, query).Scan(&v); err != nil {
		return "", wrapDriver("ask the database about itself", err)
	}
	return v, nil
}

func (db *DB) number(ctx context.Context, query string) (int64, error) {
	v, err := db.fact(ctx, query)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(v, 10, 64)
}

// clock reads the database's clock twice.
func (db *DB) clock(ctx context.Context, query string) (now, later time.Time, err error) {
	first, err := db.number(ctx, query)
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	second, err := db.number(ctx, query)
	return fromMicros(first), fromMicros(second), err
}
