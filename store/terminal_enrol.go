package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/terminal"
)

var _ terminal.EnrolRecords = (*DB)(nil)

const upsertEnrolment = `INSERT INTO terminal_enrolment (terminal, digest, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (terminal) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at`

// AddEnrolment implements terminal.EnrolRecords.
func (db *DB) AddEnrolment(ctx context.Context, e terminal.Enrolment, entry evidence.Entry) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, upsertEnrolment, string(e.Terminal), e.Digest, micros(e.ExpiresAt)); err != nil {
			return wrapDriver("add an enrolment code", err)
		}
		return writeSettingEntries(ctx, tx, noEpoch, entry)
	})
}

const selectEnrolment = `SELECT terminal, digest, expires_at FROM terminal_enrolment WHERE digest = $1 AND expires_at > $2`

// Enrolment implements terminal.EnrolRecords.
func (db *DB) Enrolment(ctx context.Context, digest []byte, now time.Time) (terminal.Enrolment, error) {
	return readOne(ctx, db.read, "enrolment code", scanEnrolment, selectEnrolment, digest, micros(now))
}

func scanEnrolment(scan scanner) (e terminal.Enrolment, err error) {
	var expires int64
	err = scan(&e.Terminal, &e.Digest, &expires)
	e.ExpiresAt = fromMicros(expires)
	return e, err
}

const (
	dropEnrolment = `DELETE FROM terminal_enrolment WHERE terminal = $1`
	useEnrolment  = dropEnrolment + ` AND digest = $2`
)

// writeEnrolment uses a code up, or removes the one that waits. Of two who use
// it at once, and of a use and a revocation, one alone finds it.
func writeEnrolment(ctx context.Context, tx *sql.Tx, id mianmi.TerminalID, l *terminal.Left) error {
	if l.NoEnrolment {
		_, err := tx.ExecContext(ctx, dropEnrolment, string(id))
		return wrapDriver("remove an enrolment code", err)
	}
	if l.Enrolment == nil {
		return nil
	}
	done, err := tx.ExecContext(ctx, useEnrolment, string(id), l.Enrolment.Digest)
	if err != nil {
		return wrapDriver("use an enrolment code up", err)
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		return terminal.ErrCode
	}
	return wrapDriver("use an enrolment code up", err)
}
