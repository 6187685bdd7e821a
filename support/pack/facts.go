package pack

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/terminal"
)

// Words are in both languages.
type Words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

func both(t mianmi.Text) Words { return Words{t.ZH, t.EN} }

// Amount is money, in minor units.
type Amount struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// CaseFacts are case.json.
type CaseFacts struct {
	ID        string      `json:"id"`
	Number    string      `json:"number"`
	Kind      string      `json:"kind"`
	Category  string      `json:"category,omitzero"`
	Rail      string      `json:"rail,omitzero"`
	Payer     string      `json:"payer,omitzero"`
	Merchant  string      `json:"merchant,omitzero"`
	State     string      `json:"state"`
	OpenedAt  time.Time   `json:"opened_at"`
	OpenedBy  string      `json:"opened_by"` // the role
	DecidedAt *time.Time  `json:"decided_at,omitzero"`
	ClosedAt  *time.Time  `json:"closed_at,omitzero"`
	Verdict   string      `json:"verdict,omitzero"`
	Award     *Amount     `json:"award,omitzero"`
	Links     []string    `json:"links"`
	Checks    []CheckFact `json:"identity_checks"`
	Files     []FileFact  `json:"attachments"`
}

// CheckFact is an identity check.
type CheckFact struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Asked  []string  `json:"asked"`
	Passed bool      `json:"passed"`
	By     string    `json:"by"`
}

// FileFact is an attachment.
type FileFact struct {
	File string    `json:"file"` // in the pack
	Name string    `json:"name"` // as it was called
	Type string    `json:"type"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
}

// Event is one line of timeline.json.
type Event struct {
	At      time.Time `json:"at"`
	Type    string    `json:"type"`
	Ref     string    `json:"ref,omitzero"`
	Words   Words     `json:"words"`
	Switch  *Switch   `json:"switch_after,omitzero"` // of a change of the payer's
	Case    string    `json:"case_after,omitzero"`   // state of the case after a step of it
	Verdict string    `json:"verdict,omitzero"`      // of a decision
	Act     string    `json:"act,omitzero"`          // what was done for the payer
	Receipt string    `json:"receipt,omitzero"`      // file in the pack that proves it
}

// Switch is what a payer's record says after a change.
type Switch struct {
	PinFree   bool       `json:"pin_free"`
	FrozenAt  *time.Time `json:"frozen_at,omitzero"`
	HoldUntil *time.Time `json:"hold_until,omitzero"`
	PendingAt *time.Time `json:"pending_at,omitzero"`
}

// same reports whether two say the same.
func (s *Switch) same(o *Switch) bool {
	if s == nil || o == nil {
		return s == o
	}
	eq := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
	return s.PinFree == o.PinFree && eq(s.FrozenAt, o.FrozenAt) && eq(s.HoldUntil, o.HoldUntil) && eq(s.PendingAt, o.PendingAt)
}

// PaymentFacts are payments/pm….json.
type PaymentFacts struct {
	ID           string        `json:"id"`
	OrderNo      string        `json:"order_no,omitzero"`
	At           time.Time     `json:"at"`
	Amount       Amount        `json:"amount"`
	Refunded     int64         `json:"refunded_minor"`
	Merchant     string        `json:"merchant"`
	Store        string        `json:"store,omitzero"`
	Terminal     string        `json:"terminal,omitzero"`
	Method       string        `json:"method"`
	Verification string        `json:"verification"`
	Outcome      string        `json:"outcome,omitzero"` // of the decision; left out for cash
	State        string        `json:"state"`
	Channel      string        `json:"channel"`
	Transaction  string        `json:"channel_transaction,omitzero"`
	Failure      string        `json:"channel_failure,omitzero"`
	Reasons      []ReasonFact  `json:"reasons"`
	Rules        string        `json:"rules,omitzero"`
	Epoch        int64         `json:"settings_epoch"`
	PayerVersion int64         `json:"payer_version,omitzero"`
	Refunds      []RefundFact  `json:"refunds"`
	InForce      []LayerFact   `json:"in_force"` // who had a say when it was decided
	Again        string        `json:"decided_again,omitzero"`
	AtTerminal   *TerminalFact `json:"at_terminal,omitzero"`
	Shares       []ShareFact   `json:"proposed_shares"` // the system's proposal; the decision is a person's
	Receipt      string        `json:"receipt,omitzero"`
}

// ReasonFact is one reason of a decision.
type ReasonFact struct {
	Reason string `json:"reason"`
	Layer  string `json:"layer,omitzero"`
	Words  Words  `json:"words"`
}

// RefundFact is money given back.
type RefundFact struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Amount Amount    `json:"amount"`
	State  string    `json:"state"`
}

// LayerFact is one who had a say, with the entry that tells it.
type LayerFact struct {
	Layer   string     `json:"layer"`
	ID      string     `json:"id,omitzero"`
	Version int64      `json:"version,omitzero"`
	State   string     `json:"state"`
	Because string     `json:"because,omitzero"`
	Since   *time.Time `json:"since,omitzero"`
	Until   *time.Time `json:"until,omitzero"`
	By      string     `json:"by,omitzero"`
	Receipt string     `json:"receipt,omitzero"` // left out: nobody had set anything, the default held
}

// TerminalFact is what a terminal ran when a payment was decided.
type TerminalFact struct {
	Proof      string     `json:"proof"`  // attestation, or host: the model proves nothing, the host alone enforces
	Proved     bool       `json:"proved"` // a proof of its settings held then
	RunFrom    *time.Time `json:"ran_from,omitzero"`
	RunUntil   *time.Time `json:"ran_until,omitzero"`
	Version    int64      `json:"version,omitzero"`
	ConfigHash string     `json:"config_hash,omitzero"`
	PinFree    bool       `json:"pin_free"` // of the config
	Boot       int64      `json:"boot,omitzero"`
	Desired    *time.Time `json:"desired_at,omitzero"`
	Delivered  *time.Time `json:"delivered_at,omitzero"`
	Saved      *time.Time `json:"saved_at,omitzero"`
	Rebooted   *time.Time `json:"rebooted_at,omitzero"`
	Attested   *time.Time `json:"attested_at,omitzero"`
	Refused    *time.Time `json:"refused_at,omitzero"`
	Superseded *time.Time `json:"superseded_at,omitzero"`
	Tests      []TestFact `json:"tests"`
}

// TestFact is a test that the terminal ran after a change.
type TestFact struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Method  string    `json:"method,omitzero"`
	Claimed bool      `json:"passed_as_it_says"`
	Verdict string    `json:"verdict"`
}

// ShareFact is what one is to bear, as the system proposes.
type ShareFact struct {
	Bearer  string `json:"bearer"`
	Amount  Amount `json:"amount"`
	Reason  string `json:"reason"`
	Words   Words  `json:"words"`
	Receipt string `json:"receipt,omitzero"` // of what was off
}

// at is a time to be left out when it is zero.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func paymentFacts(p *payment.Payment) PaymentFacts {
	out := PaymentFacts{ID: string(p.ID), OrderNo: p.OrderNo, At: p.CreatedAt.UTC(), Amount: Amount{p.Amount.Minor(), string(p.Amount.Currency())}, Refunded: p.Refunded,
		Merchant: string(p.Merchant), Store: string(p.Store), Terminal: string(p.Terminal), Method: p.Method.String(), Verification: p.CVM.String(),
		State: p.State.String(), Channel: p.Channel, Transaction: p.Transaction, Rules: p.Rules, Epoch: p.Epoch, PayerVersion: p.PayerVersion,
		Reasons: []ReasonFact{}, Refunds: []RefundFact{}, InForce: []LayerFact{}, Shares: []ShareFact{}}
	if p.Method != pinfree.Cash {
		out.Outcome = p.Outcome.String()
	}
	if p.Failure != 0 {
		out.Failure = p.Failure.String()
	}
	for _, w := range p.Reasons {
		out.Reasons = append(out.Reasons, ReasonFact{w.Reason.String(), w.Layer.String(), both(w.Words(pinfree.ForSupport, ""))})
	}
	return out
}

// OutcomeWords are the outcome for people; of cash none.
func (p *PaymentFacts) OutcomeWords() mianmi.Text {
	o, known := pinfree.ParseOutcome(p.Outcome)
	if !known {
		return mianmi.Text{}
	}
	return receipt.Outcome(o)
}

func layerFact(r *asof.Row) LayerFact {
	out := LayerFact{Layer: r.Kind.String(), ID: r.ID, Version: r.Version, State: r.State.String(), Since: at(r.Since), Until: at(r.Until), By: mianmi.RecordedRole(r.By)}
	if r.State != pinfree.On {
		out.Because = r.Because.String()
	}
	return out
}

func terminalFact(a *terminal.AsOf, proof terminal.Proof, checks []terminal.Checked) *TerminalFact {
	out := TerminalFact{Proof: proof.String(), Proved: a.InForce, Tests: []TestFact{}}
	if r := a.Run; r != nil {
		out.RunFrom, out.RunUntil, out.Version, out.ConfigHash, out.PinFree, out.Boot = at(r.From), at(r.Until), r.Version, r.Hash.String(), r.PinFree, r.Boot
	}
	if s := a.Setting; s != nil {
		out.Desired, out.Delivered, out.Saved, out.Rebooted = at(s.Desired), at(s.Delivered), at(s.Saved), at(s.Rebooted)
		out.Attested, out.Refused, out.Superseded = at(s.Attested), at(s.Refused), at(s.Superseded)
	}
	for _, c := range checks {
		if a.Run != nil && c.Version == a.Run.Version {
			out.Tests = append(out.Tests, TestFact{c.At.UTC(), c.Kind, c.Method, c.Claimed, c.Verdict})
		}
	}
	return &out
}

func shareFact(s *liability.Share) ShareFact {
	return ShareFact{Bearer: s.Bearer.String(), Amount: Amount{s.Amount.Minor(), string(s.Amount.Currency())}, Reason: s.Reason.String(), Words: both(s.Words)}
}

func caseFacts(w *desk.Whole) CaseFacts {
	out := CaseFacts{ID: string(w.ID), Number: w.Number, Kind: w.Kind.String(), Category: w.Category, Rail: w.Rail, Payer: string(w.Payer), Merchant: string(w.Merchant),
		State: w.State.String(), OpenedAt: w.OpenedAt.UTC(), OpenedBy: mianmi.RecordedRole(w.OpenedBy), DecidedAt: at(w.DecidedAt), ClosedAt: at(w.ClosedAt), Verdict: w.Verdict.String(),
		Links: []string{}, Checks: []CheckFact{}, Files: []FileFact{}}
	if w.Award.Minor() != 0 {
		out.Award = &Amount{w.Award.Minor(), string(w.Award.Currency())}
	}
	for _, l := range w.Links {
		out.Links = append(out.Links, l.Kind.String()+" "+l.Ref)
	}
	for _, c := range w.Checks {
		out.Checks = append(out.Checks, CheckFact{c.At.UTC(), c.Method, c.Asked, c.Passed, mianmi.RecordedRole(c.Actor)})
	}
	return out
}
