package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi/settings"
)

// settingsCache holds the newest snapshot of the settings that this process
// has read. The zero cache is empty.
type settingsCache struct {
	current atomic.Pointer[settings.Snapshot]
	mu      sync.Mutex
	loading *settingsLoad // nil: none runs
}

// settingsLoad is one reading of what changed; many may wait for it.
type settingsLoad struct {
	done chan struct{}
	err  error // set before done is closed
}

// settingsThere is a reading that has ended well.
var settingsThere = func() *settingsLoad {
	l := &settingsLoad{done: make(chan struct{})}
	close(l.done)
	return l
}()

// settingsLoadMax bounds one reading: the first one reads everything.
const settingsLoadMax = 30 * time.Second

// settingsAt returns a snapshot that is at least as new as epoch, which the
// caller has read from the database: from memory when it has that already,
// else after reading what changed. A snapshot that is newer than epoch serves
// as well: a payment holds its payers' rows while it asks, so all that it sees
// was in force when the snapshot was read. When the settings cannot be read in
// time the answer is Unavailable, never an older snapshot.
func (db *DB) settingsAt(ctx context.Context, epoch int64) (*settings.Snapshot, error) {
	// A reading that began before the epoch was raised may bring too little;
	// the next one cannot.
	for range 3 {
		if s := db.settings.current.Load(); s != nil && s.Epoch() >= epoch {
			return s, nil
		}
		l := db.loadSettings(ctx, epoch)
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, unavailable("wait for settings", ctx.Err())
		}
		if l.err != nil {
			return nil, unavailable("read settings", l.err)
		}
	}
	return nil, unavailable("read settings", fmt.Errorf("the database does not have epoch %d", epoch))
}

// Settings returns the newest snapshot of what payments read.
func (db *DB) Settings(ctx context.Context) (*settings.Snapshot, error) {
	var epoch int64
	if err := db.read.QueryRowContext(ctx, ReadEpoch).Scan(&epoch); err != nil {
		return nil, unavailable("read the settings epoch", err)
	}
	return db.settingsAt(ctx, epoch)
}

// settingsIn returns a snapshot that is as new as this point of the transaction.
func (db *DB) settingsIn(ctx context.Context, tx *sql.Tx) (*settings.Snapshot, error) {
	var epoch int64
	if err := tx.QueryRowContext(ctx, ReadEpoch).Scan(&epoch); err != nil {
		return nil, wrapDriver("read the settings epoch", err)
	}
	return db.settingsAt(ctx, epoch)
}

// loadSettings joins the reading that runs, or begins one unless it came too
// late and epoch has been read. A reading does not end with the caller who
// began it, for others wait for it too.
func (db *DB) loadSettings(ctx context.Context, epoch int64) *settingsLoad {
	c := &db.settings
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loading != nil {
		return c.loading
	}
	if s := c.current.Load(); s != nil && s.Epoch() >= epoch {
		return settingsThere
	}
	l := &settingsLoad{done: make(chan struct{})}
	c.loading = l
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settingsLoadMax)
	go func() {
		defer cancel()
		next, err := db.readSettings(ctx, c.current.Load())
		c.mu.Lock()
		defer c.mu.Unlock()
		if l.err = err; err == nil {
			c.current.Store(next)
		}
		c.loading = nil
		close(l.done)
	}()
	return l
}

// readSettings brings a snapshot (nil: none yet) up to date, in one read-only
// transaction that sees one instant.
func (db *DB) readSettings(ctx context.Context, from *settings.Snapshot) (_ *settings.Snapshot, err error) {
	if from == nil {
		from = new(settings.Snapshot)
	}
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, wrapDriver("begin", err)
	}
	defer func() {
		if rb := tx.Rollback(); rb != nil && !errors.Is(rb, sql.ErrTxDone) {
			err = errors.Join(err, rb)
		}
	}()
	changes, err := readChanges(ctx, tx, from.Epoch())
	if err != nil {
		return nil, err
	}
	if changes.Epoch < from.Epoch() {
		return nil, fmt.Errorf("the settings went back from epoch %d to %d: was the database restored?", from.Epoch(), changes.Epoch)
	}
	return from.With(changes), nil
}

const (
	newerMerchants = `SELECT ` + merchantColumns + ` FROM merchant WHERE epoch > $1`
	newerStores    = `SELECT ` + storeColumns + ` FROM store WHERE epoch > $1`
	newerModels    = `SELECT ` + modelColumns + ` FROM model WHERE epoch > $1`
	newerTerminals = selectTerminalFrom + `WHERE t.epoch > $1`
	newerPolicies  = fromPolicy + `WHERE p.epoch > $1`
	// Stops that are lifted matter only to a snapshot that may hold them.
	newerStops = `SELECT ` + stopColumns + ` FROM emergency_stop WHERE epoch > $1 AND (lifted_at IS NULL OR $1 > 0)`
	newerKeys  = `SELECT id, merchant, scopes, expires_at, revoked_at FROM api_key WHERE epoch > $1`
	// The text of a pack that is over is of no use to payments; that there was
	// one is.
	newerPacks = `SELECT change, pack, version, withdraws, CASE WHEN until_epoch IS NULL THEN yaml ELSE '' END, digest, source,
from_epoch, from_at, until_epoch, until_at, withdrawn FROM rule_pack WHERE epoch > $1 AND from_epoch IS NOT NULL AND withdraws = 0`
)

// readChanges reads the epoch and every row that is marked with a newer one
// than since.
func readChanges(ctx context.Context, tx *sql.Tx, since int64) (c settings.Changes, err error) {
	if err := tx.QueryRowContext(ctx, ReadEpoch).Scan(&c.Epoch); err != nil {
		return c, wrapDriver("read the settings epoch", err)
	}
	var errs [12]error
	c.Merchants, errs[0] = readAll(ctx, tx, scanMerchant, newerMerchants, since)
	c.Stores, errs[1] = readAll(ctx, tx, scanStore, newerStores, since)
	c.Models, errs[2] = readAll(ctx, tx, scanModel, newerModels, since)
	c.Terminals, errs[3] = readAll(ctx, tx, scanTerminal, newerTerminals, since)
	c.Policies, errs[4] = readAll(ctx, tx, scanPolicy, newerPolicies, since)
	c.Stops, errs[5] = readAll(ctx, tx, scanStop, newerStops, since)
	c.Keys, errs[6] = readAll(ctx, tx, scanKey, newerKeys, since)
	c.Packs, errs[7] = readAll(ctx, tx, scanRulePack, newerPacks, since)
	c.Marks, errs[8] = readAll(ctx, tx, scanMark, newerMarks, since)
	c.Listeners, errs[9] = readAll(ctx, tx, scanListener, newerListeners, since)
	c.Posture, errs[10] = readAll(ctx, tx, scanTerminalPolicy, newerTerminalPolicies, since)
	c.Connections, errs[11] = readAll(ctx, tx, scanConnection, newerConnections, since)
	return c, errors.Join(errs[:]...)
}

func scanKey(scan scanner) (k settings.Key, err error) {
	var expires, revoked sql.NullInt64
	err = scan(&k.ID, &k.Merchant, &k.Scopes, &expires, &revoked)
	k.ExpiresAt, k.RevokedAt = fromNullMicros(expires), fromNullMicros(revoked)
	return k, err
}
