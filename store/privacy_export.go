package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	contractsOf = `SELECT id FROM channel_contract WHERE payer = $1`
	alarmsOf    = `SELECT id FROM risk_alarm WHERE payer = $1`
)

// kept are the kinds of rows on a person, in the order of the export: $1 is the
// payer. own is the condition under which the person may have a row: none where it
// is empty. A column that is in privateColumns is in no export.
var kept = []struct{ kind, query, own string }{
	{"person", `SELECT phone, name, lang FROM payer_person WHERE payer = $1`, always},
	{"account", `SELECT * FROM payer WHERE id = $1`, always},
	{"password", `SELECT tries, locked_until, renew FROM payer_password WHERE payer = $1`, always},
	{"inbox", `SELECT seen FROM payer_inbox WHERE payer = $1`, always},
	{"instruments", `SELECT * FROM instrument WHERE payer = $1 ORDER BY id`, always},
	{"agreements", `SELECT * FROM agreement WHERE payer = $1 ORDER BY id`, always},
	{"contracts", `SELECT * FROM channel_contract WHERE payer = $1 ORDER BY id`, always},
	{"contracts_of_merchants", `SELECT * FROM wechat_contract WHERE payer = $1 ORDER BY created_at`, always},
	{"known_at_channels", `SELECT channel, merchant FROM channel_name WHERE payer = $1 ORDER BY channel, merchant`, always},
	{"payment_codes", `SELECT expires_at FROM payment_code WHERE payer = $1 ORDER BY expires_at`, always},
	{"top_ups", `SELECT * FROM top_up WHERE payer = $1 ORDER BY at`, always},
	{"payments", `SELECT * FROM payment WHERE payer = $1 ORDER BY id`, always},
	{"refunds", `SELECT * FROM refund WHERE payment IN (` + paymentIDsOf + `) ORDER BY id`, always},
	{"complaints", `SELECT * FROM complaint WHERE id IN (` + complaintsOf + `) ORDER BY id`, always},
	{"complaint_payments", `SELECT * FROM complaint_payment WHERE complaint IN (` + complaintsOf + `) ORDER BY complaint, n`, always},
	{"complaint_steps", `SELECT * FROM complaint_step WHERE complaint IN (` + complaintsOf + `) ORDER BY complaint, at, number`, always},
	{"complaint_answers", `SELECT * FROM complaint_answer WHERE complaint IN (` + complaintsOf + `) ORDER BY complaint, began_at`, always},
	{"cases", `SELECT * FROM support_case WHERE payer = $1 ORDER BY id`, always},
	{"case_notes", `SELECT * FROM support_note WHERE case_id IN (` + casesOf + `) AND %s ORDER BY case_id, n`, fmt.Sprintf("audience = %d", desk.ForPayer)},
	{"case_links", `SELECT * FROM support_link WHERE case_id IN (` + casesOf + `) ORDER BY case_id, kind, ref`, always},
	{"case_checks", `SELECT * FROM support_check WHERE case_id IN (` + casesOf + `) ORDER BY case_id, n`, always},
	{"case_files", `SELECT * FROM support_file WHERE case_id IN (` + casesOf + `) AND %s ORDER BY case_id, id`, fmt.Sprintf("audience = %d", desk.ForPayer)},
	{"case_packs", `SELECT case_id, n, digest, size, actor, at FROM support_pack WHERE case_id IN (` + casesOf + `) ORDER BY case_id, n`, ""},
	{"payouts", `SELECT id, case_id, payment, source, state, amount, currency, basis, asked_at, ended_at, failure, refund FROM payout WHERE payer = $1 ORDER BY id`, always},
	{"alarms", `SELECT * FROM risk_alarm WHERE payer = $1 ORDER BY id`, ""},
	{"measures", `SELECT * FROM risk_measure WHERE payer = $1 ORDER BY id`, ""},
	{"sessions", `SELECT id, created_at, idle_at, expires_at FROM session WHERE actor = $1 ORDER BY id`, always},
}

// always is the condition of what the person may have without one.
const always = "1 = 1"

// privateColumns are secrets, digests and what serves the database alone.
var privateColumns = []string{"bucket", "key", "digest", "hash", "notify", "session", "seq", "case_due", "case_tries"}

// Kept implements privacy.Store.
func (db *DB) Kept(ctx context.Context, id mianmi.PayerID, own bool) (out []privacy.Rows, err error) {
	for _, k := range kept {
		query := k.query
		switch {
		case own && k.own == "":
			continue
		case strings.Contains(query, "%s") && own:
			query = fmt.Sprintf(query, k.own)
		case strings.Contains(query, "%s"):
			query = fmt.Sprintf(query, always)
		}
		rows, err := db.rowsOf(ctx, query, string(id))
		if err != nil {
			return nil, fmt.Errorf("%s of a person: %w", k.kind, err)
		}
		out = append(out, privacy.Rows{Kind: k.kind, Rows: rows})
	}
	if len(out[1].Rows) == 0 {
		return nil, mianmi.Missing("payer")
	}
	entries, err := db.entriesOn(ctx, id, own)
	return append(out, privacy.Rows{Kind: "log", Rows: entries}), err
}

// rowsOf reads rows with the names of their columns.
func (db *DB) rowsOf(ctx context.Context, query string, args ...any) (out []map[string]any, err error) {
	rows, err := db.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrapDriver("export", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, wrapDriver("export", err)
	}
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, wrapDriver("export", err)
		}
		row := map[string]any{}
		for i, name := range names {
			if v, shown := shownValue(name, values[i]); shown {
				row[name] = v
			}
		}
		out = append(out, row)
	}
	return out, wrapDriver("export", rows.Err())
}

// shownValue is a column's value as people and programs read it: times in RFC 3339,
// money in minor units.
func shownValue(name string, v any) (any, bool) {
	if v == nil || slices.Contains(privateColumns, name) {
		return nil, false
	}
	switch v := v.(type) {
	case []byte:
		return nil, false
	case int64:
		if v > 0 && (name == "at" || name == "until" || name == "since" || strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_until") || strings.HasSuffix(name, "_by") || name == "verifiable_from") {
			return fromMicros(v).Format(time.RFC3339Nano), true
		}
	case string:
		if json.Valid([]byte(v)) && (strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[")) {
			return json.RawMessage(v), true
		}
	}
	return v, true
}

// entriesOn are the entries of the log that name the payer, and what the payer's
// payments, contracts, complaints and cases are; of cases and alarms only for staff.
func (db *DB) entriesOn(ctx context.Context, id mianmi.PayerID, own bool) (out []map[string]any, err error) {
	about := paymentIDsOf + ` UNION ` + contractsOf + ` UNION ` + complaintsOf
	if !own {
		about += ` UNION ` + casesOf + ` UNION ` + alarmsOf
	}
	rows, err := readAll(ctx, db.read, func(scan scanner) (text []byte, err error) { err = scan(&text); return text, err },
		`SELECT bytes FROM entry WHERE subject = $1 OR subject IN (`+about+`) ORDER BY at, id`, string(id))
	if err != nil {
		return nil, err
	}
	for _, text := range rows {
		e, err := evidence.Decode(text)
		if err != nil {
			return nil, err
		}
		row := map[string]any{"entry": e.ID, "at": e.At.UTC().Format(time.RFC3339Nano), "type": e.Type, "subject": e.Subject, "actor": e.Actor}
		if json.Valid(e.Body) {
			row["body"] = json.RawMessage(e.Body)
		}
		out = append(out, row)
	}
	return out, nil
}

var _ privacy.Store = (*DB)(nil)
