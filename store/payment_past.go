package store

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
)

var _ payment.History = (*DB)(nil)

// sqlPast reads a page of payments, newest first; dialect.pastOf keeps it to
// one bucket where the rows lie by buckets.
var sqlPast = `SELECT p.` + strings.Join(strings.Fields(paymentColumns), " p.") + `,
	coalesce(i.scheme, ''), coalesce(i.kind, ''), coalesce(i.domestic, 0), coalesce(i.issuer, '')
	FROM payment p LEFT JOIN instrument i ON i.bucket = p.bucket AND i.id = p.instrument
	WHERE p.id >= $1 AND p.id < $2 `

const sqlPastOrder = ` ORDER BY p.id DESC LIMIT $3`

const (
	// A page of one cursor: small where there are many cursors, for most of what
	// the last pages bring is not needed.
	pastPageMin = 16
	pastPageMax = 500
	// pastEnd comes after the identifier of every payment.
	pastEnd = "pn"
)

// Past implements payment.History. Identifiers sort by time, so a cursor for
// each place where payments lie and the newest of all of them is enough; no
// index by time is kept for it.
func (db *DB) Past(ctx context.Context, q payment.PastQuery) iter.Seq2[payment.Past, error] {
	return func(yield func(payment.Past, error) bool) {
		first, err := firstPayment(q.Since)
		if err != nil {
			yield(payment.Past{}, err)
			return
		}
		cursors := make([]pastCursor, db.dialect.pastPlaces)
		page := min(max(2*q.Limit/len(cursors), pastPageMin), pastPageMax)
		for i := range cursors {
			cursors[i] = pastCursor{db: db, bucket: i, first: first, next: pastEnd, page: page}
		}
		for range q.Limit {
			c, err := newest(ctx, cursors)
			if err != nil {
				yield(payment.Past{}, err)
				return
			}
			if c == nil || !yield(c.rows[0], nil) {
				return
			}
			c.rows = c.rows[1:]
		}
	}
}

// firstPayment is the least identifier that a payment made at since can have.
func firstPayment(since time.Time) (string, error) {
	if since.IsZero() {
		return "pm", nil
	}
	return mianmi.NewID("pm", since, bytes.NewReader(make([]byte, 16)))
}

// newest returns the cursor that holds the newest payment; nil: there is none.
func newest(ctx context.Context, cursors []pastCursor) (*pastCursor, error) {
	var out *pastCursor
	for i := range cursors {
		c := &cursors[i]
		if len(c.rows) == 0 && !c.done {
			if err := c.fill(ctx); err != nil {
				return nil, err
			}
		}
		if len(c.rows) > 0 && (out == nil || c.rows[0].ID > out.rows[0].ID) {
			out = c
		}
	}
	return out, nil
}

// pastCursor walks back through one bucket, or through all where they lie together.
type pastCursor struct {
	db          *DB
	bucket      int
	first, next string // identifiers at or after first and before next are to come
	page        int
	rows        []payment.Past
	done        bool
}

func (c *pastCursor) fill(ctx context.Context) error {
	args := []any{c.first, c.next, c.page}
	if c.db.dialect.pastOf != "" {
		args = append(args, c.bucket)
	}
	rows, err := c.db.read.QueryContext(ctx, sqlPast+c.db.dialect.pastOf+sqlPastOrder, args...)
	if err != nil {
		return wrapDriver("read past payments", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		var r paymentRow
		var in payer.Instrument
		var domestic int16
		if err := rows.Scan(append(r.dest(), &in.Scheme, &in.Kind, &domestic, &in.Issuer)...); err != nil {
			return wrapDriver("read past payments", err)
		}
		p, err := r.payment()
		if err != nil {
			return err
		}
		past := payment.Past{Payment: *p}
		if in.Scheme != "" {
			in.ID, in.Payer, in.Domestic = p.Instrument, p.Payer, domestic == 1
			past.Instrument = &in
		}
		c.rows = append(c.rows, past)
		c.next = r.id
	}
	c.done = len(c.rows) < c.page
	return wrapDriver("read past payments", rows.Err())
}
