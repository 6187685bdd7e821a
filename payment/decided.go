package payment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// DecidedKind is the kind of a batch whose records are decisions of payments.
const DecidedKind = "payment.decided"

// Decided is what the log says of a payment's decision: who paid whom where and
// how, what became of it, all reasons, and which settings were read. There is
// one for each payment, cash and refused ones too.
type Decided struct {
	Payment    mianmi.PaymentID
	At         time.Time
	Merchant   mianmi.MerchantID
	Store      mianmi.StoreID
	Terminal   mianmi.TerminalID
	Payer      mianmi.PayerID      // empty for cash
	Instrument mianmi.InstrumentID // a card's token
	Amount     money.Amount
	Method     pinfree.Method
	Entry      pinfree.Entry
	CVM        pinfree.CVM // performed before the decision
	Channel    string

	Outcome pinfree.Outcome // meaningless for cash
	Reasons []pinfree.Why
	State   State
	Failure channel.Failure
	StepUp  pinfree.StepUpMethods

	Rules        string // version of the rule set
	Epoch        int64  // of the settings
	PayerVersion int64  // of the payer's settings
	Actor        string
}

// decidedVersion is the form of records.
const decidedVersion = 1

// decidedForm is the form of a record: one JSON object without spaces. What is
// zero is left out; the reasons have the form of pinfree.EncodeReasons. The
// bytes are hashed: never change a key.
type decidedForm struct {
	Payment      mianmi.PaymentID    `json:"payment"` // first, so that a record is found by it unread
	Version      int                 `json:"v"`
	At           time.Time           `json:"at"`
	Merchant     mianmi.MerchantID   `json:"merchant"`
	Store        mianmi.StoreID      `json:"store"`
	Terminal     mianmi.TerminalID   `json:"terminal"`
	Payer        mianmi.PayerID      `json:"payer,omitempty"`
	Instrument   mianmi.InstrumentID `json:"instrument,omitempty"`
	Minor        int64               `json:"amount"`
	Currency     money.Currency      `json:"currency"`
	Method       string              `json:"method"`
	Entry        string              `json:"entry,omitempty"`
	CVM          string              `json:"cvm"`
	Channel      string              `json:"channel"`
	Outcome      string              `json:"outcome,omitempty"`
	State        string              `json:"state"`
	Failure      string              `json:"failure,omitempty"`
	StepUp       string              `json:"step_up,omitempty"`
	Reasons      json.RawMessage     `json:"reasons,omitempty"`
	Rules        string              `json:"rules,omitempty"`
	Epoch        int64               `json:"epoch"`
	PayerVersion int64               `json:"payer_version,omitempty"`
	Actor        string              `json:"actor"`
}

// appendDecided writes the record of a payment that has just been decided, by
// hand: by reflection it took three times as long.
func appendDecided(b []byte, p *Payment) []byte {
	b = append(append(append(b, `{"payment":"`...), p.ID...), `","v":1,"at":"`...)
	b = append(p.CreatedAt.AppendFormat(b, time.RFC3339Nano), '"')
	b = member(b, `,"merchant":`, string(p.Merchant))
	b = member(b, `,"store":`, string(p.Store))
	b = member(b, `,"terminal":`, string(p.Terminal))
	b = member(b, `,"payer":`, string(p.Payer))
	b = member(b, `,"instrument":`, string(p.Instrument))
	b = strconv.AppendInt(append(b, `,"amount":`...), p.Amount.Minor(), 10)
	b = member(b, `,"currency":`, string(p.Amount.Currency()))
	b = member(b, `,"method":`, p.Method.String())
	b = member(b, `,"entry":`, p.Entry.String())
	b = member(b, `,"cvm":`, p.CVM.String())
	b = member(b, `,"channel":`, p.Channel)
	if p.Method != pinfree.Cash {
		b = member(b, `,"outcome":`, p.Outcome.String())
	}
	b = member(b, `,"state":`, p.State.String())
	b = member(b, `,"failure":`, p.Failure.String())
	if p.StepUp != 0 {
		b = member(b, `,"step_up":`, p.StepUp.String())
	}
	if len(p.Reasons) > 0 {
		b = pinfree.AppendReasons(append(b, `,"reasons":`...), p.Reasons)
	}
	b = member(b, `,"rules":`, p.Rules)
	b = strconv.AppendInt(append(b, `,"epoch":`...), p.Epoch, 10)
	if p.PayerVersion != 0 {
		b = strconv.AppendInt(append(b, `,"payer_version":`...), p.PayerVersion, 10)
	}
	return append(member(b, `,"actor":`, p.Actor), '}')
}

// member appends a member of an object, unless it is empty.
func member(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	b, _ = jsontext.AppendQuote(append(b, name...), s) // the error says that what is no UTF-8 was replaced
	return b
}

// IsDecided returns what finds the record of a payment among those of its batch.
func IsDecided(id mianmi.PaymentID) func(record []byte) bool {
	begin := []byte(`{"payment":"` + string(id) + `",`)
	return func(record []byte) bool { return bytes.HasPrefix(record, begin) }
}

// ReadDecided reads a record of a batch of the kind DecidedKind. Anything but
// the form in which this package writes it is an Invalid error.
func ReadDecided(record []byte) (Decided, error) {
	var f decidedForm
	if err := strict(record, &f); err != nil {
		return Decided{}, &mianmi.Error{Kind: mianmi.Invalid, Field: "record", Msg: "is not the record of a payment", Err: err}
	}
	if f.Version != decidedVersion {
		return Decided{}, mianmi.InvalidField("record", "is of a version that this program does not know")
	}
	d := Decided{Payment: f.Payment, At: f.At, Merchant: f.Merchant, Store: f.Store, Terminal: f.Terminal, Payer: f.Payer, Instrument: f.Instrument,
		Amount: money.Of(f.Minor, f.Currency), Channel: f.Channel, Rules: f.Rules, Epoch: f.Epoch, PayerVersion: f.PayerVersion, Actor: f.Actor}
	var known [7]bool
	d.Method, known[0] = pinfree.ParseMethod(f.Method)
	d.Entry, known[1] = pinfree.ParseEntry(f.Entry)
	d.CVM, known[2] = pinfree.ParseCVM(f.CVM)
	d.State, known[3] = ParseState(f.State)
	d.Failure, known[4] = channel.ParseFailure(f.Failure)
	d.StepUp, known[5] = pinfree.ParseStepUpMethods(f.StepUp)
	d.Outcome, known[6] = pinfree.ParseOutcome(f.Outcome)
	known[6] = known[6] || f.Outcome == "" && d.Method == pinfree.Cash
	for i, name := range [...]string{"method", "entry", "cvm", "state", "failure", "step_up", "outcome"} {
		if !known[i] {
			return Decided{}, mianmi.InvalidField("record."+name, "is none that this program knows")
		}
	}
	if f.Reasons == nil {
		return d, nil
	}
	var err error
	if d.Reasons, err = pinfree.DecodeReasons(f.Reasons); err != nil {
		return Decided{}, fmt.Errorf("record of payment %s: %w", d.Payment, err)
	}
	return d, nil
}

// strict decodes one JSON value with known fields and nothing after it.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}
