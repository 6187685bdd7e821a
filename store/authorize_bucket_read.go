package store

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

// The statements that a decision reads by, in this order. Each names one
// bucket. Codes and cards are read again after the payers' rows are locked:
// what belongs to a payer changes only under that lock.
const (
	sqlBucketAccounts = `SELECT ` + accountColumns + ` FROM payer p WHERE p.bucket = $1 AND p.id IN (
		SELECT c.payer FROM payment_code c WHERE c.bucket = $1 AND c.digest = ANY($2)
		UNION ALL SELECT i.payer FROM instrument i WHERE i.bucket = $1 AND i.id = ANY($3)
		UNION ALL SELECT unnest($4::text[])) ORDER BY p.id FOR UPDATE OF p`
	sqlBucketCodes      = `SELECT digest, payer, expires_at FROM payment_code WHERE bucket = $1 AND digest = ANY($2)`
	sqlBucketCards      = `SELECT id, payer, scheme, kind, domestic, issuer FROM instrument WHERE bucket = $1 AND id = ANY($2)`
	sqlBucketAgreements = `SELECT payer, merchant, id, open, per_payment, version, opened_at FROM agreement
		WHERE bucket = $1 AND payer = ANY($2) AND merchant = ANY($3)`
	sqlBucketPayments = `SELECT ` + paymentColumns + ` FROM payment WHERE bucket = $1 AND id = ANY($2)`
)

// bucketKeys are what the asks lead by, each once for every ask.
type bucketKeys struct {
	codes  [][]byte
	cards  []string
	payers []string
	codeOf map[string][]int // asks by the digest of their code
	cardOf map[string][]int
}

func (b *bucketBatch) leads() bucketKeys {
	k := bucketKeys{codeOf: map[string][]int{}, cardOf: map[string][]int{}}
	for i := range b.asks {
		if b.facts[i].Prior != nil {
			continue
		}
		switch a := &b.asks[i]; {
		case a.Code != nil:
			k.codes, k.codeOf[string(a.Code)] = append(k.codes, a.Code), append(k.codeOf[string(a.Code)], i)
		case a.Instrument != "":
			k.cards, k.cardOf[string(a.Instrument)] = append(k.cards, string(a.Instrument)), append(k.cardOf[string(a.Instrument)], i)
		case a.Payer != "":
			k.payers = append(k.payers, string(a.Payer))
		}
	}
	return k
}

func (b *bucketBatch) read() error {
	var epoch int64
	k := b.leads()
	q := &pgx.Batch{}
	q.Queue("BEGIN")
	if len(k.codes)+len(k.cards)+len(k.payers) > 0 {
		q.Queue(sqlBucketAccounts, b.bucket, k.codes, k.cards, k.payers).Query(b.accounts)
	}
	if len(k.codes) > 0 {
		q.Queue(sqlBucketCodes, b.bucket, k.codes).Query(func(rows pgx.Rows) error { return b.codes(rows, k.codeOf) })
	}
	if len(k.cards) > 0 {
		q.Queue(sqlBucketCards, b.bucket, k.cards).Query(func(rows pgx.Rows) error { return b.cards(rows, k.cardOf) })
	}
	found := proofs{}
	if ids := proving(b.asks, b.l.db.settings.current.Load()); len(ids) > 0 {
		q.Queue(sqlProofs, ids).Query(func(rows pgx.Rows) error { return scanProofs(rows, found) })
	}
	q.Queue(ReadEpoch).QueryRow(func(row pgx.Row) error { return row.Scan(&epoch) })
	if err := b.conn.SendBatch(b.ctx, q).Close(); err != nil {
		return fmt.Errorf("read a batch: %w", err)
	}
	found.give(b.asks, b.facts)
	for i := range b.asks {
		if id := b.asks[i].Payer; id != "" && b.facts[i].Prior == nil {
			b.facts[i].Account = b.seen.accounts[id]
		}
	}
	if len(b.seen.agreed) > 0 {
		if err := b.agreements(); err != nil {
			return fmt.Errorf("read agreements: %w", err)
		}
	}
	var err error
	b.snap, err = b.l.db.settingsAt(b.ctx, epoch)
	return err
}

func (b *bucketBatch) accounts(rows pgx.Rows) error {
	var r accountRow
	_, err := pgx.ForEachRow(rows, r.dest(), func() error { b.seen.account(&r); return nil })
	return err
}

func (b *bucketBatch) codes(rows pgx.Rows, of map[string][]int) error {
	var digest []byte
	var owner string
	var until int64
	_, err := pgx.ForEachRow(rows, []any{&digest, &owner, &until}, func() error {
		for _, i := range of[string(digest)] {
			b.facts[i].Account = b.seen.accounts[mianmi.PayerID(owner)]
			b.facts[i].Code = b.seen.code(digest, until)
		}
		return nil
	})
	return err
}

func (b *bucketBatch) cards(rows pgx.Rows, of map[string][]int) error {
	var id, owner, scheme, kind, issuer string
	var domestic int16
	_, err := pgx.ForEachRow(rows, []any{&id, &owner, &scheme, &kind, &domestic, &issuer}, func() error {
		for _, i := range of[id] {
			b.facts[i].Account = b.seen.accounts[mianmi.PayerID(owner)]
			b.facts[i].Instrument = &payer.Instrument{ID: mianmi.InstrumentID(id), Payer: mianmi.PayerID(owner),
				Scheme: scheme, Kind: kind, Domestic: domestic == 1, Issuer: issuer}
		}
		return nil
	})
	return err
}

// agreements reads what payers of the batch agreed with its merchants.
func (b *bucketBatch) agreements() error {
	type pair struct{ payer, merchant string }
	of := map[pair][]int{}
	var payers, merchants []string
	for i := range b.facts {
		if a := b.facts[i].Account; a != nil && b.seen.agreed[a.ID] {
			p := pair{string(a.ID), string(b.asks[i].Merchant)}
			of[p] = append(of[p], i)
			payers, merchants = append(payers, p.payer), append(merchants, p.merchant)
		}
	}
	if len(of) == 0 {
		return nil
	}
	rows, err := b.conn.Query(b.ctx, sqlBucketAgreements, b.bucket, payers, merchants)
	if err != nil {
		return err
	}
	var p pair
	var g agreementRow
	_, err = pgx.ForEachRow(rows, []any{&p.payer, &p.merchant, &g.id, &g.open, &g.perPayment, &g.version, &g.opened}, func() error {
		for _, i := range of[p] {
			b.facts[i].Agreement = g.agreement(b.asks[i].Merchant)
		}
		g = agreementRow{} // its pointers are the agreement's now
		return nil
	})
	return err
}
