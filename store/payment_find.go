package store

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

// findTerminalsMax is the most terminals of a merchant whose payments are looked
// for one terminal after the other; of a chain with more, time is searched.
const findTerminalsMax = 200

// findQuery builds a search of payments from the conditions that are asked for.
type findQuery struct {
	where []string
	args  []any
}

// arg adds an argument and returns its place.
func (q *findQuery) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *findQuery) and(condition string, v any) {
	q.where = append(q.where, strings.Replace(condition, "?", q.arg(v), 1))
}

// FindPayments implements payment.Books. Identifiers sort by time, so a search is
// a walk back from its end through the places that hold the payments: a payer's, a
// terminal's each, or, when nobody is named, each bucket's.
func (db *DB) FindPayments(ctx context.Context, f payment.Find) ([]payment.Payment, error) {
	var q findQuery
	if err := q.narrow(&f); err != nil {
		return nil, err
	}
	if id := f.Only(); id != "" {
		b, err := id.Bucket()
		if err != nil {
			return nil, err
		}
		q.and("p.bucket = ?", int16(b))
		q.and("p.id = ?", string(id))
		return db.listPayments(ctx, q.walk(f.Limit), q.args...)
	}
	if f.Payer != "" {
		q.and("p.bucket = ?", int16(f.Payer.Bucket()))
		q.and("p.payer = ?", string(f.Payer))
		return db.listPayments(ctx, q.walk(f.Limit), q.args...)
	}
	terminals, few, err := db.terminalsOf(ctx, &f)
	switch {
	case err != nil:
		return nil, err
	case few && len(terminals) == 0:
		return nil, nil
	case few && db.dialect.pastOf == "":
		return db.listPayments(ctx, q.union(terminals, f.Limit), q.args...)
	case few:
		return db.listPayments(ctx, q.lateral("unnest("+q.arg(terminals)+"::text[])", "p.terminal", f.Limit), q.args...)
	case db.dialect.pastOf == "":
		return db.listPayments(ctx, q.walk(f.Limit), q.args...)
	}
	return db.listPayments(ctx, q.lateral("generate_series(0, "+strconv.Itoa(mianmi.Buckets-1)+")", "p.bucket", f.Limit), q.args...)
}

// narrow adds what is asked for besides the place.
func (q *findQuery) narrow(f *payment.Find) error {
	first, err := firstPayment(f.Since)
	if err != nil {
		return err
	}
	last, err := firstPayment(f.Until)
	if err != nil {
		return err
	}
	if f.Before != "" && string(f.Before) < last {
		last = string(f.Before)
	}
	q.and("p.id >= ?", first)
	q.and("p.id < ?", last)
	if f.Merchant != "" {
		q.and("p.merchant = ?", string(f.Merchant))
	}
	if f.Store != "" {
		q.and("p.store = ?", string(f.Store))
	}
	if f.Terminal != "" {
		q.and("p.terminal = ?", string(f.Terminal))
	}
	if f.OrderNo != "" {
		q.and("p.order_no = ?", f.OrderNo)
	}
	if f.Min > 0 {
		q.and("p.amount >= ?", f.Min)
	}
	if f.Max > 0 {
		q.and("p.amount <= ?", f.Max)
	}
	if f.Decided {
		q.and("p.outcome = ?", int16(f.Outcome))
	}
	if f.InState {
		q.and("p.state = ?", int16(f.State))
	}
	if f.PhoneEnd != "" {
		q.and("EXISTS (SELECT 1 FROM payer_person x WHERE x.bucket = p.bucket AND x.payer = p.payer AND x.phone LIKE ?)", "%"+f.PhoneEnd)
	}
	return nil
}

// paymentCols are paymentColumns of p.
var paymentCols = "p." + strings.Join(strings.Fields(paymentColumns), " p.")

// walk reads one place.
func (q *findQuery) walk(limit int) string {
	return `SELECT ` + paymentCols + ` FROM payment p WHERE ` + strings.Join(q.where, " AND ") + ` ORDER BY p.id DESC LIMIT ` + q.arg(limit)
}

// lateral reads the newest of each of several places, and of those the newest.
func (q *findQuery) lateral(places, column string, limit int) string {
	n := q.arg(limit)
	return `SELECT x.* FROM ` + places + ` AS place(v) CROSS JOIN LATERAL (SELECT ` + paymentCols + ` FROM payment p WHERE ` + column + ` = place.v AND ` +
		strings.Join(q.where, " AND ") + ` ORDER BY p.id DESC LIMIT ` + n + `) AS x ORDER BY x.id DESC LIMIT ` + n
}

// union is lateral for an engine that has none.
func (q *findQuery) union(terminals []string, limit int) string {
	n, where := q.arg(limit), strings.Join(q.where, " AND ")
	arms := make([]string, len(terminals))
	for i, t := range terminals {
		arms[i] = `SELECT * FROM (SELECT ` + paymentCols + ` FROM payment p WHERE p.terminal = ` + q.arg(t) + ` AND ` + where + ` ORDER BY p.id DESC LIMIT ` + n + `)`
	}
	return strings.Join(arms, " UNION ALL ") + ` ORDER BY id DESC LIMIT ` + n
}

// terminalsOf are those at which the payments that are looked for can have been
// made; few: they are all, and no more than findTerminalsMax. A terminal may have
// stood in another store of its merchant.
func (db *DB) terminalsOf(ctx context.Context, f *payment.Find) (list []string, few bool, err error) {
	of := string(f.Merchant)
	switch {
	case f.Terminal != "":
		return []string{string(f.Terminal)}, true, nil
	case of == "" && f.Store != "":
		err := db.read.QueryRowContext(ctx, `SELECT merchant FROM store WHERE id = $1`, string(f.Store)).Scan(&of)
		if err = missing("store", err); errors.Is(err, mianmi.NotFound) {
			return nil, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	case of == "":
		return nil, false, nil
	}
	list, err = readAll(ctx, db.read, func(scan scanner) (id string, err error) {
		err = scan(&id)
		return id, err
	}, `SELECT t.id FROM store s JOIN terminal t ON t.store = s.id WHERE s.merchant = $1 LIMIT $2`, of, findTerminalsMax+1)
	return list, len(list) <= findTerminalsMax, err
}
