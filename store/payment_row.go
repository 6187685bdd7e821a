package store

import (
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

const paymentColumns = `bucket, id, payer, merchant, store, terminal, order_no, amount, currency, method, entry, cvm,
	instrument, channel, outcome, state, failure, step_up, tries, reasons, rules, epoch, payer_version, actor,
	created_at, state_at, expires_at, refunded, version`

// paymentRow is one row of payment, in the order of paymentColumns.
type paymentRow struct {
	bucket                                        int16
	id, payer, merchant, store, terminal, orderNo string
	amount                                        int64
	currency                                      string
	method, entry, cvm                            int16
	instrument, channel                           string
	outcome, state, failure, stepUp, tries        int16
	reasons, rules                                string
	epoch, payerVersion                           int64
	actor                                         string
	createdAt, stateAt                            int64
	expiresAt                                     *int64
	refunded, version                             int64
}

func (r *paymentRow) dest() []any {
	return []any{&r.bucket, &r.id, &r.payer, &r.merchant, &r.store, &r.terminal, &r.orderNo, &r.amount, &r.currency,
		&r.method, &r.entry, &r.cvm, &r.instrument, &r.channel, &r.outcome, &r.state, &r.failure, &r.stepUp, &r.tries,
		&r.reasons, &r.rules, &r.epoch, &r.payerVersion, &r.actor, &r.createdAt, &r.stateAt, &r.expiresAt, &r.refunded, &r.version}
}

func (r *paymentRow) values() []any {
	return []any{r.bucket, r.id, r.payer, r.merchant, r.store, r.terminal, r.orderNo, r.amount, r.currency,
		r.method, r.entry, r.cvm, r.instrument, r.channel, r.outcome, r.state, r.failure, r.stepUp, r.tries,
		r.reasons, r.rules, r.epoch, r.payerVersion, r.actor, r.createdAt, r.stateAt, r.expiresAt, r.refunded, r.version}
}

func newPaymentRow(p *payment.Payment) (paymentRow, error) {
	b, err := p.ID.Bucket()
	if err != nil {
		return paymentRow{}, fmt.Errorf("payment %s: %w", p.ID, err)
	}
	return paymentRow{
		bucket: int16(b), id: string(p.ID), payer: string(p.Payer), merchant: string(p.Merchant), store: string(p.Store),
		terminal: string(p.Terminal), orderNo: p.OrderNo, amount: p.Amount.Minor(), currency: string(p.Amount.Currency()),
		method: int16(p.Method), entry: int16(p.Entry), cvm: int16(p.CVM), instrument: string(p.Instrument), channel: p.Channel,
		outcome: int16(p.Outcome), state: int16(p.State), failure: int16(p.Failure), stepUp: int16(p.StepUp),
		tries:   int16(min(p.Tries, 1000)), //nolint:gosec // bounded
		reasons: string(pinfree.EncodeReasons(p.Reasons)), rules: p.Rules, epoch: p.Epoch, payerVersion: p.PayerVersion,
		actor: p.Actor, createdAt: micros(p.CreatedAt), stateAt: micros(p.StateAt), expiresAt: ptrMicros(p.ExpiresAt),
		refunded: p.Refunded, version: p.Version,
	}, nil
}

func (r *paymentRow) payment() (*payment.Payment, error) {
	reasons, err := pinfree.DecodeReasons([]byte(r.reasons))
	if err != nil {
		return nil, fmt.Errorf("reasons of payment %s: %w", r.id, err)
	}
	return &payment.Payment{
		ID: mianmi.PaymentID(r.id), Payer: mianmi.PayerID(r.payer), Merchant: mianmi.MerchantID(r.merchant),
		Store: mianmi.StoreID(r.store), Terminal: mianmi.TerminalID(r.terminal), OrderNo: r.orderNo,
		Amount: money.Of(r.amount, money.Currency(r.currency)), Method: pinfree.Method(r.method), Entry: pinfree.Entry(r.entry), //nolint:gosec // as stored
		CVM: pinfree.CVM(r.cvm), Instrument: mianmi.InstrumentID(r.instrument), Channel: r.channel, //nolint:gosec // as stored
		Outcome: pinfree.Outcome(r.outcome), Reasons: reasons, Rules: r.rules, Epoch: r.epoch, PayerVersion: r.payerVersion, //nolint:gosec // as stored
		State: payment.State(r.state), Failure: channel.Failure(r.failure), StepUp: pinfree.StepUpMethods(r.stepUp), //nolint:gosec // as stored
		Tries: int(r.tries), ExpiresAt: fromPtrMicros(r.expiresAt), Refunded: r.refunded, Actor: r.actor,
		CreatedAt: fromMicros(r.createdAt), StateAt: fromMicros(r.stateAt), Version: r.version,
	}, nil
}
