package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
)

const (
	sqlUnclaim = `DELETE FROM merchant_order WHERE bucket = $1 AND key = $2`
	sqlUseCode = `DELETE FROM payment_code WHERE bucket = $1 AND digest = $2`
	sqlAccount = `UPDATE payer SET balance = $3, counters = $4, allowance = $5 WHERE bucket = $1 AND id = $2`
	sqlPayment = `INSERT INTO payment (` + paymentColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
		$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)`
	sqlJournal = `INSERT INTO journal (bucket, ref, line, kind, debit, credit, amount, currency, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	sqlOutbox  = `INSERT INTO outbox (bucket, at, subject, seq, topic, merchant, ref) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// Commit implements payment.Batch.
func (b *plainBatch) Commit(_ context.Context, writes []payment.Write, decided evidence.Bundle) error {
	err := b.write(writes)
	if err == nil && len(decided.Records) > 0 {
		err = b.writeBundle(int16(firstBucket(writes)), &decided)
	}
	if err == nil {
		err = b.tx.Commit()
	}
	if err != nil {
		return lost(err)
	}
	b.end()
	return nil
}

func (b *plainBatch) write(writes []payment.Write) error {
	var payments, postings, outbox [][]any
	for i := range writes {
		w := &writes[i]
		if w.Payment == nil {
			if err := b.unclaim(&b.asks[i], &b.facts[i]); err != nil {
				return err
			}
			continue
		}
		row, err := newPaymentRow(w.Payment)
		if err != nil {
			return err
		}
		payments = append(payments, row.values())
		if row.told(b.snap, w.Payment.Topic()) {
			outbox = append(outbox, row.fact(w.Payment.Topic()))
		}
		if p := w.Posting; p != nil {
			postings = append(postings, []any{row.bucket, row.id, 0, int16(p.Kind), string(p.Debit), string(p.Credit),
				p.Amount.Minor(), string(p.Amount.Currency()), row.stateAt})
		}
		if w.Call != nil {
			call, err := callRow(w.Call)
			if err != nil {
				return err
			}
			if _, err := b.exec(sqlCall, call...); err != nil {
				return fmt.Errorf("write a channel call: %w", err)
			}
		}
		if w.UseCode {
			if err := one(b.exec(sqlUseCode, int16(b.asks[i].Bucket), b.asks[i].Code)); err != nil {
				return fmt.Errorf("use a payment code: %w", err)
			}
		}
	}
	if err := errors.Join(b.insert(sqlPayment, payments), b.insert(sqlJournal, postings), b.insert(sqlOutbox, outbox)); err != nil {
		return fmt.Errorf("write payments: %w", err)
	}
	return b.writeAccounts()
}

// writeBundle writes the entry of what the batch decided.
func (b *plainBatch) writeBundle(bucket int16, decided *evidence.Bundle) error {
	row, err := bundleRow(bucket, decided)
	if err == nil {
		_, err = b.exec(insertEntry, row...)
	}
	if err == nil {
		_, err = b.exec(insertWaiting, row[:2]...)
	}
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	return nil
}

// unclaim gives the order number of a request that was an error back.
func (b *plainBatch) unclaim(ask *payment.Ask, f *payment.Facts) error {
	if f.Prior != nil || f.PriorDigest != (payment.Hash16{}) {
		return nil // it is another's
	}
	_, err := b.exec(sqlUnclaim, int16(ask.Key.Bucket()), ask.Key[:])
	return err
}

func (b *plainBatch) writeAccounts() error {
	for id, a := range b.seen.accounts {
		if !a.Dirty {
			continue
		}
		allowance, err := allowanceText(a.Allowance)
		if err != nil {
			return err
		}
		if err := one(b.exec(sqlAccount, int16(id.Bucket()), string(id), a.Balance.Minor(), a.Counters.String(), allowance)); err != nil {
			return fmt.Errorf("write a payer: %w", err)
		}
	}
	return nil
}

// rowsAtOnce is how many rows one INSERT writes when there are as many: each
// statement costs more than its row does.
const rowsAtOnce = 16

// many holds the statement of rowsAtOnce rows for each statement of one.
var many = map[string]string{sqlClaim: manyRows(sqlClaim), sqlPayment: manyRows(sqlPayment), sqlJournal: manyRows(sqlJournal), sqlOutbox: manyRows(sqlOutbox)}

func manyRows(query string) string {
	head, values, _ := strings.Cut(query, "VALUES")
	_, tail, _ := strings.Cut(values, ")")
	columns := strings.Count(query, "$")
	var b strings.Builder
	b.WriteString(head + "VALUES ")
	for row := range rowsAtOnce {
		for column := range columns {
			sep := ", "
			switch {
			case column == 0 && row == 0:
				sep = "("
			case column == 0:
				sep = "), ("
			}
			fmt.Fprintf(&b, "%s$%d", sep, row*columns+column+1)
		}
	}
	return b.String() + ")" + tail
}

// insert writes rows with a statement of one row, many at once where there are.
func (b *plainBatch) insert(query string, rows [][]any) error {
	for len(rows) >= rowsAtOnce {
		args := make([]any, 0, rowsAtOnce*len(rows[0]))
		for _, r := range rows[:rowsAtOnce] {
			args = append(args, r...)
		}
		if _, err := b.exec(many[query], args...); err != nil {
			return err
		}
		rows = rows[rowsAtOnce:]
	}
	for _, r := range rows {
		if _, err := b.exec(query, r...); err != nil {
			return err
		}
	}
	return nil
}
