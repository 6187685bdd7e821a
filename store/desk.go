package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support/desk"
)

// DB is where the support desk keeps its cases.
var _ desk.Store = (*DB)(nil)

const (
	caseColumns = `id, number, kind, category, rail, state, queue, assignee, payer, merchant, shared, opened_by, opened_at, changed_at,
		answered_at, decided_at, closed_at, reopened, repeats, began_at, first_by, decide_by, waited_at, escalated, due_at, verdict, award, currency, version`

	insertCase = `INSERT INTO support_case (` + caseColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
		$15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)`
	updateCase = insertCase + ` ON CONFLICT (id) DO UPDATE SET category = excluded.category, rail = excluded.rail, state = excluded.state, queue = excluded.queue,
		assignee = excluded.assignee, payer = excluded.payer, merchant = excluded.merchant, shared = excluded.shared, changed_at = excluded.changed_at,
		answered_at = excluded.answered_at, decided_at = excluded.decided_at, closed_at = excluded.closed_at, reopened = excluded.reopened,
		repeats = excluded.repeats, began_at = excluded.began_at, first_by = excluded.first_by, decide_by = excluded.decide_by, waited_at = excluded.waited_at,
		escalated = excluded.escalated, due_at = excluded.due_at, verdict = excluded.verdict, award = excluded.award, currency = excluded.currency,
		version = excluded.version`

	selectCase   = `SELECT ` + caseColumns + ` FROM support_case WHERE id = $1`
	caseByNumber = `SELECT id FROM support_case WHERE number = $1`
	casesDue     = `SELECT id FROM support_case WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`

	// Who complains again: open ones first, then the one that ended last.
	caseAbout = `SELECT ` + caseColumns + ` FROM support_case WHERE id IN (SELECT case_id FROM support_link WHERE ref = $1 AND kind = 1)
		AND (state <> 7 OR closed_at >= $2) ORDER BY CASE WHEN state <> 7 THEN 0 ELSE 1 END, closed_at DESC, id DESC LIMIT 1`
	caseOfKind = `SELECT ` + caseColumns + ` FROM support_case WHERE payer = $1 AND payer <> '' AND kind = $3
		AND (state <> 7 OR closed_at >= $2) ORDER BY CASE WHEN state <> 7 THEN 0 ELSE 1 END, closed_at DESC, id DESC LIMIT 1`
	casesLately = `SELECT count(*) FROM support_case WHERE payer = $1 AND payer <> '' AND opened_at >= $2`

	insertNote  = `INSERT INTO support_note (case_id, n, key, audience, actor, words, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	insertLink  = `INSERT INTO support_link (case_id, kind, ref, actor, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (case_id, kind, ref) DO NOTHING`
	insertCheck = `INSERT INTO support_check (case_id, n, method, asked, passed, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`

	selectNotes  = `SELECT n, key, audience, actor, words, at FROM support_note WHERE case_id = $1 ORDER BY n LIMIT $2`
	selectLinks  = `SELECT kind, ref, actor, at FROM support_link WHERE case_id = $1 ORDER BY at, kind, ref LIMIT $2`
	selectChecks = `SELECT n, method, asked, passed, actor, at FROM support_check WHERE case_id = $1 ORDER BY n LIMIT $2`

	// caseRowsMax bounds what is read of one case: more than the desk lets be written.
	caseRowsMax = 1000
)

// InsertCase implements desk.Store. Who opens cases of one payer, or about one
// payment, does it one after the other.
func (db *DB) InsertCase(ctx context.Context, c *desk.Change, g desk.Guard, fn func(desk.Before) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.lockGuard(ctx, tx, g); err != nil {
			return err
		}
		before, err := readBefore(ctx, tx, g)
		if err != nil {
			return err
		}
		if g.Complaint != "" {
			if before.Of, err = readOne(ctx, tx, "complaint", scanCaseID, caseOfComplaint+db.dialect.forUpdate, string(g.Complaint)); err != nil {
				return err
			}
		}
		if err := fn(before); err != nil {
			return err
		}
		return writeCase(ctx, tx, c, insertCase)
	})
}

func (db *DB) lockGuard(ctx context.Context, tx *sql.Tx, g desk.Guard) error {
	var one string
	if g.Payer != "" {
		err := tx.QueryRowContext(ctx, lockPayer+db.dialect.forUpdate, int64(g.Payer.Bucket()), string(g.Payer)).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return mianmi.InvalidField("payer", "there is no such payer")
		}
		return wrapDriver("lock a payer", err)
	}
	for _, id := range g.Payments {
		bucket, err := id.Bucket()
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT id FROM payment WHERE bucket = $1 AND id = $2`+db.dialect.forUpdate, int64(bucket), string(id)).Scan(&one)
		if err != nil {
			return missing("payment", err)
		}
	}
	return nil
}

func readBefore(ctx context.Context, tx *sql.Tx, g desk.Guard) (b desk.Before, err error) {
	if g.Payer != "" {
		if err := tx.QueryRowContext(ctx, casesLately, string(g.Payer), micros(g.Since)).Scan(&b.Lately); err != nil {
			return b, wrapDriver("count cases", err)
		}
	}
	look := func(query string, args ...any) error {
		c, err := readOne(ctx, tx, "case", scanCase, query, args...)
		switch {
		case errors.Is(err, mianmi.NotFound):
		case err != nil:
			return err
		case b.Same == nil || b.Same.State == desk.Closed && c.State != desk.Closed:
			b.Same = &c
		}
		return nil
	}
	for _, id := range g.Payments {
		if err := look(caseAbout, string(id), micros(g.Ended)); err != nil {
			return b, err
		}
	}
	if len(g.Payments) == 0 && (g.Kind == desk.Loss || g.Kind == desk.Fraud) {
		return b, look(caseOfKind, string(g.Payer), micros(g.Ended), int64(g.Kind))
	}
	return b, nil
}

// ChangeCase implements desk.Store.
func (db *DB) ChangeCase(ctx context.Context, id mianmi.CaseID, fn func(*desk.Change) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := readOne(ctx, tx, "case", scanCase, selectCase+db.dialect.forUpdate, string(id))
		if err != nil {
			return err
		}
		ch := &desk.Change{Case: c}
		if ch.Was, err = readWhole(ctx, tx, c); err != nil {
			return err
		}
		if err := fn(ch); err != nil || len(ch.Entries) == 0 {
			return err
		}
		if ch.Case.ID != c.ID || ch.Case.Number != c.Number {
			return fmt.Errorf("case %s became another", c.ID)
		}
		return writeCase(ctx, tx, ch, updateCase)
	})
}

func writeCase(ctx context.Context, tx *sql.Tx, ch *desk.Change, query string) error {
	c := &ch.Case
	if _, err := tx.ExecContext(ctx, query, caseArgs(c)...); err != nil {
		return wrapDriver("write a case", err)
	}
	for _, n := range ch.Notes {
		if _, err := tx.ExecContext(ctx, insertNote, string(c.ID), n.N, n.Key, int64(n.Audience), n.Actor, n.Text, micros(n.At)); err != nil {
			return wrapDriver("write a note", err)
		}
	}
	for _, l := range ch.Links {
		if _, err := tx.ExecContext(ctx, insertLink, string(c.ID), int64(l.Kind), l.Ref, l.Actor, micros(l.At)); err != nil {
			return wrapDriver("write a link", err)
		}
		if l.Kind == desk.ToComplaint {
			if _, err := tx.ExecContext(ctx, joinComplaint, l.Ref, string(c.ID)); err != nil {
				return wrapDriver("give a complaint its case", err)
			}
		}
	}
	for _, k := range ch.Checks {
		asked, err := json.Marshal(k.Asked)
		if err != nil {
			return fmt.Errorf("encode what was asked: %w", err)
		}
		if _, err := tx.ExecContext(ctx, insertCheck, string(c.ID), k.N, k.Method, string(asked), bit(k.Passed), k.Actor, micros(k.At)); err != nil {
			return wrapDriver("write an identity check", err)
		}
	}
	if err := writeFiles(ctx, tx, c.ID, ch.Files); err != nil {
		return err
	}
	if err := writePacks(ctx, tx, c.ID, ch.Packs); err != nil {
		return err
	}
	if err := newsToComplaints(ctx, tx, ch); err != nil {
		return err
	}
	return writeEntries(ctx, tx, mianmi.BucketOf(string(c.ID)), c.Version-int64(len(ch.Entries))+1, ch.Entries...)
}

func caseArgs(c *desk.Case) []any {
	return []any{string(c.ID), c.Number, int64(c.Kind), c.Category, c.Rail, int64(c.State), int64(c.Queue), string(c.Assignee), string(c.Payer), string(c.Merchant),
		bit(c.Shared), c.OpenedBy, micros(c.OpenedAt), micros(c.ChangedAt), nullMicros(c.AnsweredAt), nullMicros(c.DecidedAt), nullMicros(c.ClosedAt),
		c.Reopened, c.Repeats, micros(c.BeganAt), micros(c.FirstBy), micros(c.DecideBy), nullMicros(c.WaitedAt), c.Escalated, nullMicros(c.Due()),
		int64(c.Verdict), c.Award.Minor(), string(c.Award.Currency()), c.Version}
}

func scanCase(scan scanner) (c desk.Case, err error) {
	var shared, opened, changed, began, first, decide, award int64
	var answered, decided, closed, waited, due sql.NullInt64
	var currency string
	err = scan((*string)(&c.ID), &c.Number, &c.Kind, &c.Category, &c.Rail, &c.State, &c.Queue, (*string)(&c.Assignee), (*string)(&c.Payer), (*string)(&c.Merchant),
		&shared, &c.OpenedBy, &opened, &changed, &answered, &decided, &closed, &c.Reopened, &c.Repeats, &began, &first, &decide, &waited, &c.Escalated, &due,
		&c.Verdict, &award, &currency, &c.Version)
	if currency != "" {
		c.Award = money.Of(award, money.Currency(currency))
	}
	c.Shared, c.OpenedAt, c.ChangedAt = shared == 1, fromMicros(opened), fromMicros(changed)
	c.AnsweredAt, c.DecidedAt, c.ClosedAt = fromNullMicros(answered), fromNullMicros(decided), fromNullMicros(closed)
	c.BeganAt, c.FirstBy, c.DecideBy, c.WaitedAt = fromMicros(began), fromMicros(first), fromMicros(decide), fromNullMicros(waited)
	return c, err
}

// readWhole reads what hangs on a case.
func readWhole(ctx context.Context, q querier, c desk.Case) (w desk.Whole, err error) {
	w.Case = c
	if w.Notes, err = readAll(ctx, q, scanCaseNote, selectNotes, string(c.ID), caseRowsMax); err != nil {
		return w, err
	}
	if w.Links, err = readAll(ctx, q, scanCaseLink, selectLinks, string(c.ID), caseRowsMax); err != nil {
		return w, err
	}
	if w.Checks, err = readAll(ctx, q, scanCaseCheck, selectChecks, string(c.ID), caseRowsMax); err != nil {
		return w, err
	}
	if w.Complaints, err = readAll(ctx, q, scanOfComplaint, complaintsOfCase, string(c.ID), caseRowsMax); err != nil {
		return w, err
	}
	if w.Files, err = readAll(ctx, q, scanCaseFile, selectFiles, string(c.ID), caseRowsMax); err != nil {
		return w, err
	}
	w.Packs, err = readAll(ctx, q, scanCasePack, selectPacks, string(c.ID), caseRowsMax)
	return w, err
}

func scanCaseNote(scan scanner) (n desk.Note, err error) {
	var at int64
	err = scan(&n.N, &n.Key, &n.Audience, &n.Actor, &n.Text, &at)
	n.At = fromMicros(at)
	return n, err
}

func scanCaseLink(scan scanner) (l desk.Link, err error) {
	var at int64
	err = scan(&l.Kind, &l.Ref, &l.Actor, &at)
	l.At = fromMicros(at)
	return l, err
}

func scanCaseCheck(scan scanner) (k desk.Check, err error) {
	var passed, at int64
	var asked string
	if err = scan(&k.N, &k.Method, &asked, &passed, &k.Actor, &at); err != nil {
		return k, err
	}
	k.Passed, k.At = passed == 1, fromMicros(at)
	return k, json.Unmarshal([]byte(asked), &k.Asked)
}

// Case implements desk.Store.
func (db *DB) Case(ctx context.Context, id mianmi.CaseID) (desk.Whole, error) {
	c, err := readOne(ctx, db.read, "case", scanCase, selectCase, string(id))
	if err != nil {
		return desk.Whole{}, err
	}
	return readWhole(ctx, db.read, c)
}

// CaseByNumber implements desk.Store.
func (db *DB) CaseByNumber(ctx context.Context, number string) (id mianmi.CaseID, err error) {
	err = db.read.QueryRowContext(ctx, caseByNumber, number).Scan((*string)(&id))
	return id, missing("case", err)
}

// CasesDue implements desk.Store.
func (db *DB) CasesDue(ctx context.Context, now time.Time, most int) ([]mianmi.CaseID, error) {
	return readAll(ctx, db.read, func(scan scanner) (id mianmi.CaseID, err error) {
		err = scan((*string)(&id))
		return id, err
	}, casesDue, micros(now), most)
}
