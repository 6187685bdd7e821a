package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// DB is what access.Service keeps.
var _ access.Store = (*DB)(nil)

const (
	staffColumns = `id, login, name, role, merchant, store, active, created_at, created_by, reset_by`

	insertStaff = `INSERT INTO staff (id, login, name, role, merchant, store, active, created_at, created_by, reset_by, hash, tries, locked_until, totp, totp_step, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

	anyStaff    = `SELECT count(*) FROM staff`
	storeExists = `SELECT count(*) FROM store WHERE id = $1 AND merchant = $2`
)

// InsertStaff implements access.Store.
func (db *DB) InsertStaff(ctx context.Context, n access.StaffInsert) error {
	m, c := n.Staff, n.Credential
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		if n.OnlyFirst {
			var have int
			if err := tx.QueryRowContext(ctx, anyStaff).Scan(&have); err != nil {
				return wrapDriver("count staff", err)
			}
			if have > 0 {
				return mianmi.Conflicts("staff_exists", "there is staff already")
			}
		}
		if err := checkWorkplace(ctx, tx, m); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertStaff, string(m.ID), m.Login, m.Name, m.Role.String(), string(m.Merchant), string(m.Store),
			truth(m.Active), micros(m.CreatedAt), m.CreatedBy, m.ResetBy, c.Hash, c.Tries, nullMicros(c.LockedUntil), c.TOTP, c.TOTPStep, epoch)
		if isUnique(err) {
			return mianmi.Conflicts("login_taken", "there is a member of staff with this login")
		}
		if err != nil {
			return wrapDriver("write staff", err)
		}
		return writeSettingEntries(ctx, tx, epoch, n.Entry)
	})
}

// checkWorkplace makes sure that merchant and store, if any, exist together.
func checkWorkplace(ctx context.Context, tx *sql.Tx, m access.Staff) error {
	for _, place := range []struct {
		what, query string
		args        []any
		given       bool
	}{
		{"merchant", merchantExists, []any{string(m.Merchant)}, m.Merchant != ""},
		{"store", storeExists, []any{string(m.Store), string(m.Merchant)}, m.Store != ""},
	} {
		if !place.given {
			continue
		}
		var known int
		if err := tx.QueryRowContext(ctx, place.query, place.args...).Scan(&known); err != nil {
			return wrapDriver("look for a "+place.what, err)
		}
		if known == 0 {
			return mianmi.Missing(place.what)
		}
	}
	return nil
}

const (
	selectStaff = `SELECT ` + staffColumns + ` FROM staff WHERE id = $1`

	lockStaff = `SELECT ` + staffColumns + `, hash, tries, locked_until, totp, totp_step FROM staff WHERE id = $1`

	selectStaffByLogin = `SELECT ` + staffColumns + `, hash, tries, locked_until, totp, totp_step FROM staff WHERE login = $1`

	otherOperators = `SELECT count(*) FROM staff WHERE role = 'operator' AND active = 1 AND id <> $1`

	listStaff = `SELECT ` + staffColumns + ` FROM staff
WHERE id > $1 AND ($2 = '' OR merchant = $2) AND ($3 = '' OR store = $3) ORDER BY id LIMIT $4`
)

// staffRow holds the columns of a member that are not of their Go type.
type staffRow struct {
	access.Staff
	role    string
	created int64
}

func (r *staffRow) dest() []any {
	return []any{(*string)(&r.ID), &r.Login, &r.Name, &r.role, (*string)(&r.Merchant), (*string)(&r.Store), &r.Active, &r.created,
		&r.CreatedBy, &r.ResetBy}
}

func (r *staffRow) staff() access.Staff {
	r.Role, r.CreatedAt = mianmi.ParseRole(r.role), fromMicros(r.created)
	return r.Staff
}

func scanStaff(scan func(...any) error) (access.Staff, error) {
	var r staffRow
	err := scan(r.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return access.Staff{}, mianmi.Missing("member of staff")
	}
	return r.staff(), wrapDriver("read staff", err)
}

func scanStaffWhole(row *sql.Row) (access.Staff, access.Credential, error) {
	var c access.Credential
	var locked sql.NullInt64
	m, err := scanStaff(func(dest ...any) error {
		return row.Scan(append(dest, &c.Hash, &c.Tries, &locked, &c.TOTP, &c.TOTPStep)...)
	})
	c.LockedUntil = fromNullMicros(locked)
	return m, c, err
}

// StaffByID implements access.Store.
func (db *DB) StaffByID(ctx context.Context, id mianmi.StaffID) (access.Staff, error) {
	return scanStaff(db.read.QueryRowContext(ctx, selectStaff, string(id)).Scan)
}

// StaffByLogin implements access.Store.
func (db *DB) StaffByLogin(ctx context.Context, login string) (access.Staff, access.Credential, error) {
	return scanStaffWhole(db.read.QueryRowContext(ctx, selectStaffByLogin, login))
}

// ListStaff implements access.Store.
func (db *DB) ListStaff(ctx context.Context, q access.StaffQuery) (_ []access.Staff, err error) {
	rows, err := db.read.QueryContext(ctx, listStaff, string(q.After), string(q.Merchant), string(q.Store), q.Limit)
	if err != nil {
		return nil, wrapDriver("list staff", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []access.Staff
	for rows.Next() {
		m, err := scanStaff(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, wrapDriver("list staff", rows.Err())
}

const (
	updateStaff = `UPDATE staff SET name = $2, active = $3, reset_by = $4, epoch = $5 WHERE id = $1`

	updateCredential = `UPDATE staff SET hash = $2, tries = $3, locked_until = $4, totp = $5, totp_step = $6 WHERE id = $1`
)

// ChangeStaff implements access.Store.
func (db *DB) ChangeStaff(ctx context.Context, id mianmi.StaffID, fn func(*access.StaffChange) error) error {
	return db.changeSettings(ctx, func(ctx context.Context, tx *sql.Tx, epoch int64) error {
		entries, err := db.changeStaff(ctx, tx, id, func(c *access.StaffChange) error {
			if err := tx.QueryRowContext(ctx, otherOperators, string(id)).Scan(&c.Operators); err != nil {
				return wrapDriver("count operators", err)
			}
			if err := fn(c); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, updateStaff, string(id), c.Staff.Name, truth(c.Staff.Active), c.Staff.ResetBy, epoch)
			return wrapDriver("write staff", err)
		})
		if err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, epoch, entries...)
	})
}

// ChangeCredential implements access.Store.
func (db *DB) ChangeCredential(ctx context.Context, id mianmi.StaffID, fn func(*access.StaffChange) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		entries, err := db.changeStaff(ctx, tx, id, fn)
		if err != nil {
			return err
		}
		return writeSettingEntries(ctx, tx, noEpoch, entries...)
	})
}

// changeStaff returns what is to be recorded.
func (db *DB) changeStaff(ctx context.Context, tx *sql.Tx, id mianmi.StaffID, fn func(*access.StaffChange) error) ([]evidence.Entry, error) {
	m, cred, err := scanStaffWhole(tx.QueryRowContext(ctx, lockStaff+db.dialect.forUpdate, string(id)))
	if err != nil {
		return nil, err
	}
	c := &access.StaffChange{Staff: m, Credential: cred}
	if err := fn(c); err != nil {
		return nil, err
	}
	cred = c.Credential
	_, err = tx.ExecContext(ctx, updateCredential, string(id), cred.Hash, cred.Tries, nullMicros(cred.LockedUntil), cred.TOTP, cred.TOTPStep)
	if err != nil {
		return nil, wrapDriver("write a credential", err)
	}
	if c.EndSessions {
		if _, err := tx.ExecContext(ctx, endSessions, string(id)); err != nil {
			return nil, wrapDriver("end sessions", err)
		}
	}
	return c.Entries, nil
}
