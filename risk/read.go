package risk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// Paid is what a payment's later entries do not repeat.
type Paid struct {
	Payer    mianmi.PayerID
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
	Terminal mianmi.TerminalID
	Amount   money.Amount
	Method   pinfree.Method
}

// Site is whose a terminal is.
type Site struct {
	Merchant mianmi.MerchantID
	Store    mianmi.StoreID
}

// World is what events are completed from.
type World interface {
	// Paid finds payments; those that are not there are left out.
	Paid(ctx context.Context, ids []mianmi.PaymentID) (map[mianmi.PaymentID]Paid, error)
	// Sites finds which merchant and store terminals are of; those that are not there
	// are left out.
	Sites(ctx context.Context, ids []mianmi.TerminalID) (map[mianmi.TerminalID]Site, error)
	// Where finds where stores are; those of which that is not known are left out.
	Where(ctx context.Context, ids []mianmi.StoreID) (map[mianmi.StoreID]*merchant.Coordinates, error)
}

// Read returns the events of a page of the log, in its order. An entry of a type
// that no signal is made of is no event. One that should be and cannot be read is
// told of in faults and left out: it must not keep the others from being seen.
func Read(ctx context.Context, w World, leaves []evidence.Leaf) (out []Event, faults []error, err error) {
	for i := range leaves {
		events, err := readLeaf(&leaves[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("leaf %d, entry %s: %w", leaves[i].Index, leaves[i].ID, err))
		}
		for j := range events {
			events[j].Leaf = leaves[i].Index
		}
		out = append(out, events...)
	}
	return out, faults, complete(ctx, w, out)
}

// readLeaf returns the events of one leaf.
func readLeaf(l *evidence.Leaf) ([]Event, error) {
	e, err := evidence.Decode(l.Bytes)
	if err != nil {
		return nil, err
	}
	if e.Type == evidence.BatchType {
		return readBatch(e, l.Records)
	}
	read, known := readers[e.Type]
	if !known {
		return nil, nil
	}
	ev := Event{Kind: read.kind, At: e.At, Entry: e.ID, Actor: e.Actor}
	if err := read.fill(&ev, e); err != nil || ev.Kind == "" {
		return nil, err
	}
	return []Event{ev}, nil
}

// complete adds to events what their entries do not say.
func complete(ctx context.Context, w World, events []Event) error {
	paid, stores := map[mianmi.PaymentID]Paid{}, map[mianmi.StoreID]*merchant.Coordinates{}
	if err := locate(ctx, w, events); err != nil {
		return err
	}
	for i := range events {
		if e := &events[i]; e.Payment != "" && (e.Merchant == "" || e.Kind == Trouble) {
			paid[e.Payment] = Paid{}
		}
	}
	if len(paid) > 0 {
		found, err := w.Paid(ctx, slices.Sorted(maps.Keys(paid)))
		if err != nil {
			return err
		}
		for i := range events {
			events[i].complete(found)
		}
	}
	for i := range events {
		if id := events[i].Store; id != "" {
			stores[id] = nil
		}
	}
	if len(stores) == 0 {
		return nil
	}
	found, err := w.Where(ctx, slices.Sorted(maps.Keys(stores)))
	if err != nil {
		return err
	}
	for i := range events {
		events[i].Where = found[events[i].Store]
	}
	return nil
}

// locate adds which merchant and store the terminals are of.
func locate(ctx context.Context, w World, events []Event) error {
	ids := map[mianmi.TerminalID]bool{}
	for i := range events {
		if e := &events[i]; e.Terminal != "" && e.Payment == "" && e.Merchant == "" || e.Kind == Trouble {
			ids[e.Terminal] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := w.Sites(ctx, slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return err
	}
	for i := range events {
		if e := &events[i]; ids[e.Terminal] && e.Merchant == "" {
			e.Merchant, e.Store = found[e.Terminal].Merchant, found[e.Terminal].Store
		}
	}
	return nil
}

// complete adds what a payment's later entry does not say.
func (ev *Event) complete(found map[mianmi.PaymentID]Paid) {
	p, ok := found[ev.Payment]
	if ev.Kind == Trouble {
		if !ok || p.Terminal != ev.Terminal { // a terminal speaks of its own payments
			ev.Payment = ""
			return
		}
	} else if !ok || ev.Merchant != "" {
		return
	}
	ev.Payer, ev.Merchant, ev.Store, ev.Terminal, ev.Method = p.Payer, p.Merchant, p.Store, p.Terminal, p.Method.String()
	if ev.Amount.Currency() == "" {
		ev.Amount = p.Amount
	}
}

// outcomes are the kinds of decisions.
var outcomes = map[pinfree.Outcome]Kind{pinfree.Refused: Refused, pinfree.StepUp: SteppedUp, pinfree.PinFree: PinFree, pinfree.Authenticated: Authenticated}

// readBatch returns the decisions of a batch.
func readBatch(e evidence.Entry, records [][]byte) ([]Event, error) {
	var b evidence.Batch
	if err := e.ReadBody(&b); err != nil || b.Kind != payment.DecidedKind {
		return nil, err
	}
	if int64(len(records)) != b.Count {
		return nil, fmt.Errorf("stands for %d records, and %d are there", b.Count, len(records))
	}
	out := make([]Event, 0, len(records))
	for _, r := range records {
		d, err := payment.ReadDecided(r)
		if err != nil {
			return out, err
		}
		out = append(out, decided(e.ID, &d))
	}
	return out, nil
}

func decided(entry mianmi.EntryID, d *payment.Decided) Event {
	ev := Event{Kind: outcomes[d.Outcome], At: d.At, Entry: entry, Payment: d.Payment, Payer: d.Payer, Instrument: d.Instrument, Merchant: d.Merchant,
		Store: d.Store, Terminal: d.Terminal, Actor: d.Actor, Amount: d.Amount, Method: d.Method.String(), Typed: d.Entry.String(),
		State: d.State.String(), Version: d.PayerVersion}
	if d.Method == pinfree.Cash {
		ev.Kind = CashTaken
	}
	for _, why := range d.Reasons {
		ev.Reasons = append(ev.Reasons, why.Reason.String())
	}
	if ev.Kind == PinFree && len(d.Reasons) > 0 && d.Reasons[0].Currency != "" {
		ev.Limit, ev.Left = d.Reasons[0].Limit, d.Reasons[0].Limit-d.Reasons[0].Actual
	}
	return ev
}

// reader is how entries of a type become events. A fill that leaves the kind
// empty says that this one is none.
type reader struct {
	kind Kind
	fill func(*Event, evidence.Entry) error
}

var readers = map[string]reader{
	payment.TypeVerified:  {Verified, ofPayment},
	payment.TypeTryFailed: {TryFailed, ofPayment},
	payment.TypeCancelled: {Cancelled, ofPayment},
	payment.TypeExpired:   {Expired, ofPayment},
	payment.TypeReversed:  {Reversed, ofPayment},
	payment.TypeRefunded:  {Refunded, ofPayment},

	"payer.password.failed":   {PasswordFailed, ofPayer},
	"payer.password.locked":   {PasswordLocked, ofPayer},
	"payer.password.changed":  {PasswordReset, ofPayer},
	"payer.password.reset":    {PasswordReset, ofPayer},
	"payer.pin_free.closed":   {PayerClosed, ofPayer},
	"payer.loss.reported":     {PayerClosed, ofPayer},
	"payer.pin_free.reopened": {PayerOpened, ofPayer},
	"payer.settings.in_force": {PayerOpened, ofPayer},
	"payer.loss.lifted":       {PayerOpened, ofPayer},
	"payer.limits.changed":    {PayerLoosened, ofPayer},
	"payer.agreement.opened":  {AgreementOpened, ofPayer},
	"payer.agreement.closed":  {AgreementClosed, ofPayer},

	"terminal.posture.changed":  {PostureUnsafe, ofPosture},
	"terminal.setting.attested": {ProofGiven, ofTerminal},
	"terminal.setting.lost":     {ProofLost, ofTerminal},
	"terminal.drift.began":      {ProofLost, ofTerminal},
	"terminal.keys.revoked":     {ProofLost, ofTerminal},
	"terminal.trouble.reported": {Trouble, ofTrouble},
}

func ofPayment(ev *Event, e evidence.Entry) error {
	c, err := payment.ReadChanged(e)
	if err != nil {
		return err
	}
	ev.Payment, ev.State, ev.Tries = mianmi.PaymentID(e.Subject), c.State.String(), int64(c.Tries)
	if e.Type == payment.TypeRefunded {
		ev.Amount = c.Amount
	}
	return nil
}

func ofPayer(ev *Event, e evidence.Entry) error {
	ev.Payer = mianmi.PayerID(e.Subject)
	r, err := payer.ReadRecord(e)
	if err != nil {
		return err
	}
	ev.Version = r.Version
	if a := r.Agreement; a != nil {
		ev.Merchant = a.Merchant
	}
	switch ev.Kind { //nolint:exhaustive // the others are as their type says
	case PayerOpened:
		// A loss report that is lifted may leave the switch off.
		if n := r.After; n.FrozenAt != nil || !n.Settings.PinFree && (n.Pending == nil || !n.Pending.Settings.PinFree) {
			ev.Kind = ""
		}
	case PayerLoosened:
		if r.Detail["loosened"] != true {
			ev.Kind = ""
		}
	}
	return nil
}

func ofTerminal(ev *Event, e evidence.Entry) error {
	ev.Terminal = mianmi.TerminalID(e.Subject)
	return nil
}

func ofTrouble(ev *Event, e evidence.Entry) error {
	ev.Terminal = mianmi.TerminalID(e.Subject)
	kind, paid, err := terminal.ReadTrouble(e)
	ev.Payment, ev.Reasons = paid, []string{kind}
	return err
}

func ofPosture(ev *Event, e evidence.Entry) error {
	ev.Terminal = mianmi.TerminalID(e.Subject)
	unsafe, err := terminal.ReadPosture(e)
	if len(unsafe) == 0 {
		ev.Kind = PostureSafe
	}
	ev.Reasons = unsafe
	return err
}

// local is the event's time on the payer's clock.
func (ev *Event) local() time.Time { return payer.Local(ev.At) }
