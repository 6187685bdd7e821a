package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support/desk"
)

const (
	payoutColumns = `id, case_id, key, payer, payment, source, state, amount, currency, basis, asked_by, asked_at, approved_by, approved_at,
		ended_at, failure, refund, due_at`
	upsertPayout = `INSERT INTO payout (` + payoutColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, approved_by = excluded.approved_by, approved_at = excluded.approved_at,
		ended_at = excluded.ended_at, failure = excluded.failure, refund = excluded.refund, due_at = excluded.due_at`
	selectPayout     = `SELECT ` + payoutColumns + ` FROM payout WHERE id = $1`
	payoutsOfCase    = `SELECT ` + payoutColumns + ` FROM payout WHERE case_id = $1 ORDER BY id LIMIT $2`
	payoutsOfPayment = `SELECT ` + payoutColumns + ` FROM payout WHERE payment = $1 AND payment <> '' ORDER BY id LIMIT $2`
	payoutsDue       = `SELECT id FROM payout WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`
	claimPayout      = `UPDATE payout SET due_at = $2 WHERE id = $1 RETURNING ` + payoutColumns

	// A cap is one statement, and it guards the first row, too.
	spendOfDay = `INSERT INTO payout_day (actor, day, currency, spent)
		SELECT CAST($1 AS text), CAST($2 AS text), CAST($3 AS text), CAST($4 AS bigint) WHERE CAST($4 AS bigint) <= CAST($5 AS bigint)
		ON CONFLICT (actor, day, currency) DO UPDATE SET spent = payout_day.spent + excluded.spent WHERE payout_day.spent + excluded.spent <= $5
		RETURNING spent`

	takeGuarantee = `UPDATE guarantee SET balance = balance - $2 WHERE currency = $1 AND balance >= $2 RETURNING balance`
	giveGuarantee = `INSERT INTO guarantee (currency, balance) VALUES ($1, $2)
		ON CONFLICT (currency) DO UPDATE SET balance = guarantee.balance + excluded.balance RETURNING balance`
	selectGuarantees = `SELECT balance, currency FROM guarantee ORDER BY currency`

	insertFunding = `INSERT INTO guarantee_funding (reference, id, amount, currency, actor, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (reference) DO NOTHING`
	selectFunding = `SELECT id, amount, currency, actor, at FROM guarantee_funding WHERE reference = $1`
)

// Pay implements desk.PayoutStore.
func (db *DB) Pay(ctx context.Context, l desk.Lock, fn func(*desk.Paying) error) error {
	return db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := readOne(ctx, tx, "case", scanCase, selectCase+db.dialect.forUpdate, string(l.Case))
		if err != nil {
			return err
		}
		p := &desk.Paying{Change: &desk.Change{Case: c}, Makers: func(id string) ([]string, error) { return readMakers(ctx, tx, id) }}
		if p.Was, err = readWhole(ctx, tx, c); err != nil {
			return err
		}
		account, err := db.lockPaying(ctx, tx, l, p)
		if err != nil {
			return err
		}
		if p.OfCase, err = readAll(ctx, tx, scanPayout, payoutsOfCase, string(c.ID), caseRowsMax); err != nil {
			return err
		}
		if err := fn(p); err != nil || p.Payout == nil || len(p.Entries) == 0 {
			return err
		}
		return writePaying(ctx, tx, p, account)
	})
}

// lockPaying locks the payer and the payment, and reads what was given already.
func (db *DB) lockPaying(ctx context.Context, tx *sql.Tx, l desk.Lock, p *desk.Paying) (account *payment.Account, err error) {
	if l.Payer != "" {
		if account, err = db.lockAccount(ctx, tx, l.Payer); err != nil {
			return nil, err
		}
		p.Balance = account.Balance
	}
	if l.Payment == "" {
		return account, nil
	}
	bucket, err := l.Payment.Bucket()
	if err != nil {
		return nil, mianmi.Missing("payment")
	}
	var r paymentRow
	if err := tx.QueryRowContext(ctx, sqlPaymentByID+db.dialect.forUpdate, int16(bucket), string(l.Payment)).Scan(r.dest()...); err != nil {
		return nil, missing("payment", err)
	}
	if p.Payment, err = r.payment(); err != nil {
		return nil, err
	}
	if p.Refunds, err = refunds(ctx, tx, bucket, l.Payment); err != nil {
		return nil, err
	}
	p.OfPayment, err = readAll(ctx, tx, scanPayout, payoutsOfPayment, string(l.Payment), caseRowsMax)
	return account, err
}

func writePaying(ctx context.Context, tx *sql.Tx, p *desk.Paying, account *payment.Account) error {
	o := p.Payout
	if s := p.Spend; s != nil {
		var spent int64
		err := tx.QueryRowContext(ctx, spendOfDay, s.Actor, s.Day, string(s.Amount.Currency()), s.Amount.Minor(), s.Max).Scan(&spent)
		if errors.Is(err, sql.ErrNoRows) {
			return desk.ErrDayMax
		}
		if err != nil {
			return wrapDriver("count what was ordered today", err)
		}
	}
	if _, err := tx.ExecContext(ctx, upsertPayout, payoutArgs(o)...); err != nil {
		return wrapDriver("write a payout", err)
	}
	if account != nil && account.Balance != p.Balance {
		account.Balance = p.Balance
		if err := writeAccount(ctx, tx, account); err != nil {
			return err
		}
	}
	if err := moveGuarantee(ctx, tx, p.Postings); err != nil {
		return err
	}
	if err := writePostings(ctx, tx, int16(o.Payer.Bucket()), string(o.ID), micros(p.Case.ChangedAt), p.Postings); err != nil {
		return err
	}
	return writeCase(ctx, tx, p.Change, updateCase)
}

// moveGuarantee lets the balance of the guarantee account follow the journal.
func moveGuarantee(ctx context.Context, tx *sql.Tx, postings []channel.Posting) error {
	for _, p := range postings {
		var query string
		switch channel.Guarantee {
		case p.Debit:
			query = takeGuarantee
		case p.Credit:
			query = giveGuarantee
		default:
			continue
		}
		var left int64
		err := tx.QueryRowContext(ctx, query, string(p.Amount.Currency()), p.Amount.Minor()).Scan(&left)
		if errors.Is(err, sql.ErrNoRows) {
			return desk.ErrNotCovered
		}
		if err != nil {
			return wrapDriver("move the guarantee account", err)
		}
	}
	return nil
}

func payoutArgs(o *desk.Payout) []any {
	return []any{string(o.ID), string(o.Case), o.Key, string(o.Payer), string(o.Payment), int64(o.Source), int64(o.State), o.Amount.Minor(), string(o.Amount.Currency()),
		string(o.Basis), o.AskedBy, micros(o.AskedAt), o.ApprovedBy, nullMicros(o.ApprovedAt), nullMicros(o.EndedAt), o.Failure, string(o.Refund), nullMicros(o.DueAt)}
}

func scanPayout(scan scanner) (o desk.Payout, err error) {
	var amount, asked int64
	var currency string
	var approved, ended, due sql.NullInt64
	err = scan((*string)(&o.ID), (*string)(&o.Case), &o.Key, (*string)(&o.Payer), (*string)(&o.Payment), &o.Source, &o.State, &amount, &currency,
		(*string)(&o.Basis), &o.AskedBy, &asked, &o.ApprovedBy, &approved, &ended, &o.Failure, (*string)(&o.Refund), &due)
	o.Amount, o.AskedAt = money.Of(amount, money.Currency(currency)), fromMicros(asked)
	o.ApprovedAt, o.EndedAt, o.DueAt = fromNullMicros(approved), fromNullMicros(ended), fromNullMicros(due)
	return o, err
}

// Payout implements desk.PayoutStore.
func (db *DB) Payout(ctx context.Context, id mianmi.PayoutID) (desk.Payout, error) {
	return readOne(ctx, db.read, "payout", scanPayout, selectPayout, string(id))
}

// Payouts implements desk.PayoutStore.
func (db *DB) Payouts(ctx context.Context, id mianmi.CaseID) ([]desk.Payout, error) {
	return readAll(ctx, db.read, scanPayout, payoutsOfCase, string(id), caseRowsMax)
}

// ClaimPayouts implements desk.PayoutStore.
func (db *DB) ClaimPayouts(ctx context.Context, now, until time.Time, most int) (out []desk.Payout, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = nil
		ids, err := readAll(ctx, tx, scanText, payoutsDue+db.dialect.forClaim, micros(now), most)
		if err != nil {
			return err
		}
		for _, id := range ids {
			o, err := readOne(ctx, tx, "payout", scanPayout, claimPayout, id, micros(until))
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return nil
	})
	return out, err
}

func scanText(scan scanner) (text string, err error) {
	err = scan(&text)
	return text, err
}

// FundGuarantee implements desk.PayoutStore.
func (db *DB) FundGuarantee(ctx context.Context, f desk.Funding, p channel.Posting, e evidence.Entry) (got desk.Funding, err error) {
	err = db.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, insertFunding, f.Reference, f.ID, f.Amount.Minor(), string(f.Amount.Currency()), f.Actor, micros(f.At))
		if err != nil {
			return wrapDriver("write a funding", err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return wrapDriver("write a funding", err)
		}
		if n == 0 {
			got, err = readOne(ctx, tx, "funding", scanFunding, selectFunding, f.Reference)
			got.Reference = f.Reference
			return err
		}
		got = f
		list := []channel.Posting{p}
		if err := moveGuarantee(ctx, tx, list); err != nil {
			return err
		}
		bucket := mianmi.BucketOf(f.ID)
		if err := writePostings(ctx, tx, int16(bucket), f.ID, micros(f.At), list); err != nil {
			return err
		}
		return writeEntries(ctx, tx, bucket, 1, e)
	})
	return got, err
}

func scanFunding(scan scanner) (f desk.Funding, err error) {
	var amount, at int64
	var currency string
	err = scan(&f.ID, &amount, &currency, &f.Actor, &at)
	f.Amount, f.At = money.Of(amount, money.Currency(currency)), fromMicros(at)
	return f, err
}

// compensation is what cases gave, or give, for a payment.
func compensation(ctx context.Context, tx *sql.Tx, id mianmi.PaymentID) ([]payment.Compensation, error) {
	list, err := readAll(ctx, tx, scanPayout, payoutsOfPayment, string(id), caseRowsMax)
	var out []payment.Compensation
	for i := range list {
		o := &list[i]
		out = append(out, payment.Compensation{Number: string(o.ID), Amount: o.Amount, Due: o.State == desk.PayoutDue,
			Apart: o.Source == desk.FromGuarantee && o.State == desk.PayoutPaid})
	}
	return out, err
}

// Guarantees implements desk.PayoutStore.
func (db *DB) Guarantees(ctx context.Context) ([]money.Amount, error) {
	return readAll(ctx, db.read, func(scan scanner) (money.Amount, error) {
		var minor int64
		var currency string
		err := scan(&minor, &currency)
		return money.Of(minor, money.Currency(currency)), err
	}, selectGuarantees)
}
