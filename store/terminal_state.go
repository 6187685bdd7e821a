package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi/terminal"
)

// provenColumns are what payments read of a terminal.
const provenColumns = `terminal, attested, floor, lease_until, pin_free, posture, posture_epoch, drift, drift_since, revoked_at`

// provenRow is the row of provenColumns.
type provenRow struct {
	p       terminal.Proven
	pinFree int64
	posture string

	lease, drift, revoked sql.NullInt64
}

func (r *provenRow) dest() []any {
	return []any{&r.p.Terminal, &r.p.Attested, &r.p.Floor, &r.lease, &r.pinFree, &r.posture, &r.p.PostureEpoch, &r.p.Drift, &r.drift, &r.revoked}
}

func (r *provenRow) proven() terminal.Proven {
	p := r.p
	p.PinFree, p.Posture = r.pinFree == 1, words(r.posture)
	p.LeaseUntil, p.DriftSince, p.RevokedAt = fromNullMicros(r.lease), fromNullMicros(r.drift), fromNullMicros(r.revoked)
	return p
}

// words splits a list that is stored with commas between.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

const stateColumns = provenColumns + `, boot_id, boot, number, running, running_hash, attested_at, run_from, delivered, saved,
refused, said, alarms, refusal_at, reported_at, seen_at`

func scanState(scan scanner) (st terminal.State, err error) {
	var r provenRow
	var hash []byte
	var said, alarms string
	var attested, from, refusal, reported, seen sql.NullInt64
	err = scan(append(r.dest(), &st.BootID, &st.Boot, &st.Number, &st.Running.Version, &hash, &attested, &from, &st.Delivered, &st.Saved,
		&st.Refused, &said, &alarms, &refusal, &reported, &seen)...)
	if err != nil {
		return st, err
	}
	st.Proven, st.Alarms = r.proven(), words(alarms)
	copy(st.Running.Hash[:], hash)
	st.AttestedAt, st.RunFrom, st.RefusalAt = fromNullMicros(attested), fromNullMicros(from), fromNullMicros(refusal)
	st.ReportedAt, st.SeenAt = fromNullMicros(reported), fromNullMicros(seen)
	if said != "" {
		if err := json.Unmarshal([]byte(said), &st.Said); err != nil {
			return st, fmt.Errorf("read what terminal %s said: %w", st.Terminal, err)
		}
	}
	return st, nil
}

const upsertState = `INSERT INTO terminal_state (` + stateColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
ON CONFLICT (terminal) DO UPDATE SET attested = excluded.attested, floor = excluded.floor, lease_until = excluded.lease_until,
pin_free = excluded.pin_free, posture = excluded.posture, posture_epoch = excluded.posture_epoch, drift = excluded.drift,
drift_since = excluded.drift_since, revoked_at = excluded.revoked_at, boot_id = excluded.boot_id, boot = excluded.boot,
number = excluded.number, running = excluded.running, running_hash = excluded.running_hash, attested_at = excluded.attested_at,
run_from = excluded.run_from, delivered = excluded.delivered, saved = excluded.saved, refused = excluded.refused, said = excluded.said,
alarms = excluded.alarms, refusal_at = excluded.refusal_at, reported_at = excluded.reported_at, seen_at = excluded.seen_at`

func stateRow(st *terminal.State) ([]any, error) {
	said, err := json.Marshal(st.Said)
	if err != nil {
		return nil, fmt.Errorf("encode what terminal %s said: %w", st.Terminal, err)
	}
	return []any{string(st.Terminal), st.Attested, st.Floor, nullMicros(st.LeaseUntil), bit(st.PinFree), strings.Join(st.Posture, ","),
		st.PostureEpoch, st.Drift, nullMicros(st.DriftSince), nullMicros(st.RevokedAt), st.BootID, st.Boot, st.Number, st.Running.Version,
		st.Running.Hash[:], nullMicros(st.AttestedAt), nullMicros(st.RunFrom), st.Delivered, st.Saved, st.Refused, string(said),
		strings.Join(st.Alarms, ","), nullMicros(st.RefusalAt), nullMicros(st.ReportedAt), nullMicros(st.SeenAt)}, nil
}

const settingFacts = `pin_free, stops_until, tightened, desired_at, delivered_at, delivered_boot, saved_at, saved_boot, rebooted_at,
attested_at, refused_at, refused_reason, superseded_at`

const (
	settingColumns = `terminal, version, hash, config, ` + settingFacts
	// settingNoBytes are the same columns for a list.
	settingNoBytes = `terminal, version, hash, NULL, ` + settingFacts
)

func scanSetting(scan scanner) (s terminal.Setting, err error) {
	var hash []byte
	var delivered int64
	var stops, desired, saved, rebooted, attested, refused, superseded sql.NullInt64
	err = scan(&s.Terminal, &s.Version, &hash, &s.Config, &s.PinFree, &stops, &s.Tightened, &desired, &delivered, &s.DeliveredBoot, &saved,
		&s.SavedBoot, &rebooted, &attested, &refused, &s.RefusedReason, &superseded)
	copy(s.Hash[:], hash)
	s.StopsUntil, s.Desired, s.Delivered, s.Saved = fromNullMicros(stops), fromNullMicros(desired), fromMicros(delivered), fromNullMicros(saved)
	s.Rebooted, s.Attested, s.Refused = fromNullMicros(rebooted), fromNullMicros(attested), fromNullMicros(refused)
	s.Superseded = fromNullMicros(superseded)
	return s, err
}

// What a config says never changes once it was delivered, and nobody asks for
// its bytes again once a newer one was attested. Boots are another machine's
// when one takes the place of the one before.
const upsertSetting = `INSERT INTO terminal_setting (` + settingColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (terminal, version) DO UPDATE SET
config = CASE WHEN excluded.superseded_at IS NULL THEN COALESCE(terminal_setting.config, excluded.config) END,
delivered_boot = excluded.delivered_boot, saved_at = excluded.saved_at, saved_boot = excluded.saved_boot,
rebooted_at = excluded.rebooted_at, attested_at = excluded.attested_at, refused_at = excluded.refused_at,
refused_reason = excluded.refused_reason, superseded_at = excluded.superseded_at`

func settingRow(s *terminal.Setting) []any {
	var config any // no bytes are NULL, not empty
	if s.Config != nil {
		config = s.Config
	}
	return []any{string(s.Terminal), s.Version, s.Hash[:], config, bit(s.PinFree), nullMicros(s.StopsUntil), s.Tightened, nullMicros(s.Desired),
		micros(s.Delivered), s.DeliveredBoot, nullMicros(s.Saved), s.SavedBoot, nullMicros(s.Rebooted), nullMicros(s.Attested),
		nullMicros(s.Refused), s.RefusedReason, nullMicros(s.Superseded)}
}

const runColumns = `terminal, from_at, version, hash, pin_free, boot, until_at`

func scanRun(scan scanner) (r terminal.Run, err error) {
	var from int64
	var until sql.NullInt64
	var hash []byte
	err = scan(&r.Terminal, &from, &r.Version, &hash, &r.PinFree, &r.Boot, &until)
	copy(r.Hash[:], hash)
	r.From, r.Until = fromMicros(from), fromNullMicros(until)
	return r, err
}

const (
	// A run that ended in the instant in which it began leaves nothing.
	insertRun = `INSERT INTO terminal_run (` + runColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (terminal, from_at) DO UPDATE SET version = excluded.version, hash = excluded.hash, pin_free = excluded.pin_free,
boot = excluded.boot, until_at = excluded.until_at`
	endRun = `UPDATE terminal_run SET until_at = $3 WHERE terminal = $1 AND from_at = $2 AND until_at IS NULL`
)

const refusalColumns = `terminal, id, at, reason, key, boot, number, digest`

func scanRefusal(scan scanner) (r terminal.Refusal, err error) {
	var at int64
	var digest []byte
	err = scan(&r.Terminal, &r.ID, &at, &r.Reason, &r.Key, &r.Boot, &r.Number, &digest)
	r.At = fromMicros(at)
	copy(r.Digest[:], digest)
	return r, err
}

const insertRefusal = `INSERT INTO terminal_refusal (` + refusalColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

const menuColumns = `terminal, id, version, pin_free, author, based_on, at, received_at, state, approval`

func scanMenu(scan scanner) (c terminal.MenuChange, err error) {
	var at, received int64
	err = scan(&c.Terminal, &c.ID, &c.Version, &c.PinFree, &c.Author, &c.BasedOn, &at, &received, &c.State, &c.Approval)
	c.At, c.Received = fromMicros(at), fromMicros(received)
	return c, err
}

const insertMenu = `INSERT INTO terminal_menu (` + menuColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

const checkColumns = `id, terminal, version, kind, method, payment, claimed, detail, at, received_at, verdict, because`

func scanCheck(scan scanner) (c terminal.Checked, err error) {
	var at, received int64
	err = scan(&c.ID, &c.Terminal, &c.Version, &c.Kind, &c.Method, &c.Payment, &c.Claimed, &c.Detail, &at, &received, &c.Verdict, &c.Because)
	c.At, c.Received = fromMicros(at), fromMicros(received)
	return c, err
}

// A verdict is given once.
const upsertCheck = `INSERT INTO terminal_check (` + checkColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET verdict = excluded.verdict, because = excluded.because WHERE terminal_check.verdict = 'pending'`

const alarmColumns = `id, terminal, kind, detail, opened_at, closed_at`

func scanAlarm(scan scanner) (a terminal.Alarm, err error) {
	var opened int64
	var closed sql.NullInt64
	err = scan(&a.ID, &a.Terminal, &a.Kind, &a.Detail, &opened, &closed)
	a.OpenedAt, a.ClosedAt = fromMicros(opened), fromNullMicros(closed)
	return a, err
}

const (
	insertAlarm = `INSERT INTO terminal_alarm (` + alarmColumns + `) VALUES ($1, $2, $3, $4, $5, $6)`
	closeAlarm  = `UPDATE terminal_alarm SET closed_at = $3 WHERE terminal = $1 AND kind = $2 AND closed_at IS NULL`
)
