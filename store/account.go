package store

import (
	"encoding/json"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// accountColumns are what a payment reads of a payer; accountRow scans them in
// this order. The table is named p.
const accountColumns = `p.id, p.version, p.pin_free, p.since, p.currency, p.per_payment, p.day_amount, p.day_count,
	p.quiet_from, p.quiet_to, p.pending, p.frozen_at, p.hold, p.allowance, p.verifiable_from, p.balance, p.counters, p.agreements`

// accountRow is one scanned row. Pointers are columns that may be NULL.
type accountRow struct {
	id                              string
	version, since                  int64
	pinFree                         int16
	currency                        string
	perPayment, dayAmount, dayCount *int64
	quietFrom, quietTo              int16
	pending                         *string
	frozenAt                        *int64
	hold, allowance                 *string
	verifiableFrom                  *int64
	balance                         int64
	counters                        string
	agreements                      int16 // how many rows the payer has in agreement
}

func (r *accountRow) dest() []any {
	return []any{&r.id, &r.version, &r.pinFree, &r.since, &r.currency, &r.perPayment, &r.dayAmount, &r.dayCount,
		&r.quietFrom, &r.quietTo, &r.pending, &r.frozenAt, &r.hold, &r.allowance, &r.verifiableFrom, &r.balance, &r.counters, &r.agreements}
}

// account reads the row. What cannot be read makes the account Unreadable,
// which leads to step-up, never to PIN-free.
func (r *accountRow) account() *payment.Account {
	cur := money.Currency(r.currency)
	a := &payment.Account{Payer: payer.Payer{
		ID: mianmi.PayerID(r.id), Version: r.version, Since: fromMicros(r.since),
		Settings: payer.Settings{PinFree: r.pinFree == 1, Currency: cur, PerPayment: r.perPayment, DayAmount: r.dayAmount,
			DayCount: r.dayCount, QuietFrom: int(r.quietFrom), QuietTo: int(r.quietTo)},
		Frozen: fromPtrMicros(r.frozenAt), Balance: money.Of(r.balance, cur),
	}}
	if r.verifiableFrom != nil {
		t := fromMicros(*r.verifiableFrom)
		a.VerifiableFrom = &t
	}
	if r.pending != nil {
		a.Pending = &payer.Pending{}
		a.Unreadable = json.Unmarshal([]byte(*r.pending), a.Pending) != nil
	}
	if r.hold != nil {
		a.Hold = &payer.Hold{}
		a.Unreadable = json.Unmarshal([]byte(*r.hold), a.Hold) != nil || a.Unreadable
	}
	if r.allowance != nil {
		a.Allowance = &payer.Allowance{}
		a.Unreadable = json.Unmarshal([]byte(*r.allowance), a.Allowance) != nil || a.Unreadable
	}
	counters, err := pinfree.ParseCounters(r.counters)
	a.Counters, a.Unreadable = counters, a.Unreadable || err != nil
	return a
}

// allowanceText is the column's value: NULL when there is none.
func allowanceText(a *payer.Allowance) (*string, error) {
	if a == nil {
		return nil, nil
	}
	b, err := json.Marshal(a)
	s := string(b)
	return &s, err
}

func fromPtrMicros(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return fromMicros(*us)
}

func ptrMicros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	us := t.UnixMicro()
	return &us
}
