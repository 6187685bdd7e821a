package store

import (
	"context"
	"strings"

	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/support/desk"
)

// LoadPersons adds who payers are. None has a key of its own: what is sealed
// for a person cannot be written for these.
func (db *DB) LoadPersons(ctx context.Context, list []payer.Person) error {
	rows := make([][]any, len(list))
	for i, p := range list {
		rows[i] = []any{int16(p.Payer.Bucket()), string(p.Payer), p.Phone, p.Name, int16(p.Lang), []byte{}}
	}
	return db.load(ctx, "payer_person", []string{"bucket", "payer", "phone", "name", "lang", "key"}, rows)
}

// LoadPayments adds payments with the claims of their order numbers, and nothing
// else behind them: no journal, no evidence. They are for searches alone.
func (db *DB) LoadPayments(ctx context.Context, list []payment.Payment) error {
	rows, claims := make([][]any, len(list)), make([][]any, len(list))
	for i := range list {
		key := payment.OrderKey(list[i].Merchant, list[i].OrderNo)
		claims[i] = []any{int16(key.Bucket()), key[:], key[:], string(list[i].ID)}
		r, err := newPaymentRow(&list[i])
		if err != nil {
			return err
		}
		rows[i] = r.values()
	}
	if err := db.load(ctx, "merchant_order", []string{"bucket", "key", "digest", "payment"}, claims); err != nil {
		return err
	}
	return db.load(ctx, "payment", columnsOf(paymentColumns), rows)
}

// LoadCases adds cases with their links, without evidence.
func (db *DB) LoadCases(ctx context.Context, list []desk.Change) error {
	var cases, links [][]any
	for i := range list {
		c := &list[i].Case
		cases = append(cases, caseArgs(c))
		for _, l := range list[i].Links {
			links = append(links, []any{string(c.ID), int64(l.Kind), l.Ref, l.Actor, micros(l.At)})
		}
	}
	if err := db.load(ctx, "support_case", columnsOf(caseColumns), cases); err != nil {
		return err
	}
	return db.load(ctx, "support_link", []string{"case_id", "kind", "ref", "actor", "at"}, links)
}

func columnsOf(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}
