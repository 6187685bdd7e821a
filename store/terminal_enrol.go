package store

import (
	"context"
	"database/sql"
	"errors"
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

const takeEnrolment = `DELETE FROM terminal_enrolment WHERE digest = $1 AND expires_at > $2 RETURNING terminal`

// TakeEnrolment implements terminal.EnrolRecords.
func (db *DB) TakeEnrolment(ctx context.Context, digest []byte, now time.Time) (id mianmi.TerminalID, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, takeEnrolment, digest, micros(now)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return mianmi.Missing("enrolment code")
		}
		return wrapDriver("take an enrolment code", err)
	})
	return id, err
}
