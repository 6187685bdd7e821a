package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// AsOf is what was in force at an instant, as the log tells it.
type AsOf struct {
	At       time.Time     `json:"at"`
	Layers   []AsOfLayer   `json:"layers" doc:"All who had a say besides the rule packs"`
	Packs    []AsOfPack    `json:"packs,omitzero" doc:"Rule packs in force"`
	Terminal *AsOfTerminal `json:"terminal,omitzero"`
	Merchant *AsOfMerchant `json:"merchant,omitzero"`
	Payer    *AsOfPayer    `json:"payer,omitzero" doc:"For the payer and mianmi's own people alone"`
	Caller   *AsOfCaller   `json:"caller,omitzero" doc:"Whose request the payment was: an API key, or a member of staff"`
	Decided  *AsOfDecision `json:"decided,omitzero" doc:"What the log says of the payment's decision"`
	Again    *AsOfAgain    `json:"again,omitzero" doc:"The decision that these settings lead to"`
}

// AsOfEntry is the entry of the log that tells something.
type AsOfEntry struct {
	ID     string    `json:"id" example:"en…"`
	Type   string    `json:"type" example:"merchant.policy.tightened"`
	Index  *int64    `json:"index,omitzero" doc:"In the log, from 0; left out while the entry waits to be sequenced"`
	Record *int64    `json:"record,omitzero" doc:"Of a batch: which of its records, from 0"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitzero" doc:"Role and identifier; the role alone for others than the owner and mianmi's own people"`
	Number int64     `json:"number,omitzero" doc:"Settings epoch of the change, or the payer's version"`
}

// AsOfLayer is one who had a say.
type AsOfLayer struct {
	Layer      string      `json:"layer" example:"terminal"`
	ID         string      `json:"id,omitzero"`
	Version    int64       `json:"version,omitzero"`
	State      string      `json:"state" enum:"on,off,unknown"`
	Because    string      `json:"because,omitzero" doc:"Reason of a state that is not on" example:"terminal_closed"`
	Refuses    bool        `json:"refuses,omitzero" doc:"It does not take the payment's method at all"`
	PerPayment *Amount     `json:"per_payment,omitzero"`
	DayAmount  *Amount     `json:"day_amount,omitzero"`
	DayCount   *int64      `json:"day_count,omitzero"`
	QuietHours *QuietHours `json:"quiet_hours,omitzero"`
	Methods    *[]string   `json:"methods,omitzero" doc:"That it takes; left out: all"`
	Rollout    string      `json:"rollout,omitzero" doc:"The staged rollout by which the policy came to terminals then"`
	Former     bool        `json:"former,omitzero" doc:"It had not come to this terminal: the former policy held"`
	Until      *time.Time  `json:"until,omitzero" doc:"End of an emergency stop, of a hold, or of the payer's cooling-off"`
	Since      *time.Time  `json:"since,omitzero"`
	By         string      `json:"by,omitzero"`
	Entry      *AsOfEntry  `json:"entry,omitzero" doc:"Left out when nobody had set anything: the default held"`
	Hidden     bool        `json:"hidden,omitzero" doc:"The caller may see the state alone"`
}

// AsOfPack is a rule pack in force.
type AsOfPack struct {
	Pack    string    `json:"pack"`
	Version int64     `json:"version"`
	Digest  string    `json:"digest" doc:"SHA-256 of the text, as the log names it"`
	Entry   AsOfEntry `json:"entry"`
}

// AsOfTerminal is a terminal with what it belonged to.
type AsOfTerminal struct {
	ID         string       `json:"id"`
	Store      string       `json:"store"`
	Model      string       `json:"model"`
	Unattended bool         `json:"unattended,omitzero"`
	Purpose    string       `json:"purpose,omitzero"`
	Keypad     bool         `json:"keypad" doc:"Of the model"`
	Display    bool         `json:"display" doc:"Of the model"`
	Entry      AsOfEntry    `json:"entry"`
	ModelEntry AsOfEntry    `json:"model_entry"`
	StoreEntry AsOfEntry    `json:"store_entry"`
	Merchant   AsOfMerchant `json:"merchant"`
}

// AsOfMerchant is what its acquirer said of a merchant.
type AsOfMerchant struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Facts   *Facts    `json:"facts,omitzero" doc:"Not for payers"`
	Entry   AsOfEntry `json:"entry"`
}

// AsOfPayer is what belonged to a payer.
type AsOfPayer struct {
	ID             string           `json:"id"`
	Version        int64            `json:"version"`
	FrozenAt       *time.Time       `json:"frozen_at,omitzero" doc:"Loss report"`
	Hold           *Hold            `json:"hold,omitzero" doc:"It may have been over"`
	PendingAt      *time.Time       `json:"pending_at,omitzero" doc:"End of the cooling-off of a loosening"`
	Allowance      *AsOfAllowance   `json:"allowance,omitzero" doc:"As it was granted; a payment may have used it up since"`
	VerifiableFrom *time.Time       `json:"verifiable_from,omitzero" doc:"Of the payment password; left out: there was none"`
	Instruments    []AsOfInstrument `json:"instruments,omitzero"`
	Entry          AsOfEntry        `json:"entry"`
}

// AsOfAllowance is leave for one payment.
type AsOfAllowance struct {
	ID        string    `json:"id"`
	Max       Amount    `json:"max"`
	Merchant  string    `json:"merchant,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
}

// AsOfInstrument is a card or device.
type AsOfInstrument struct {
	ID       string    `json:"id"`
	Scheme   string    `json:"scheme"`
	Kind     string    `json:"kind"`
	Domestic bool      `json:"domestic"`
	Issuer   string    `json:"issuer,omitzero"`
	Entry    AsOfEntry `json:"entry"`
}

// AsOfCaller is an API key or a member of staff.
type AsOfCaller struct {
	Kind   string    `json:"kind" enum:"api_key,staff"`
	ID     string    `json:"id"`
	Role   string    `json:"role,omitzero" doc:"Of a member of staff"`
	Scopes []string  `json:"scopes,omitzero" doc:"Of an API key"`
	Live   bool      `json:"live" doc:"Whether it could be used then"`
	Entry  AsOfEntry `json:"entry"`
}

// AsOfDecision is a payment's decision as the log has it.
type AsOfDecision struct {
	Payment  string    `json:"payment"`
	Outcome  string    `json:"outcome,omitzero" enum:"refused,step_up,pin_free,authenticated" doc:"Left out for cash"`
	Amount   Amount    `json:"amount"`
	Method   string    `json:"method"`
	Merchant string    `json:"merchant"`
	Store    string    `json:"store"`
	Terminal string    `json:"terminal"`
	Reasons  []Reason  `json:"reasons"`
	Basis    Basis     `json:"decided_by"`
	Entry    AsOfEntry `json:"entry"`
}

// AsOfAgain compares the decision that the rebuilt settings lead to with the
// recorded one.
type AsOfAgain struct {
	Verdict  string   `json:"verdict" enum:"same,same_but_counters,different,rules_untold" doc:"same_but_counters: all reasons that rest on settings are the same, others rest on what the payer had spent before, which is no setting. rules_untold: no rule pack was in force in the log."`
	Outcome  string   `json:"outcome,omitzero" doc:"With counters at zero"`
	Counters []Reason `json:"counters,omitzero" doc:"Recorded reasons that rest on counters"`
	Missing  []Reason `json:"missing,omitzero" doc:"Recorded, and not found again"`
	Added    []Reason `json:"added,omitzero" doc:"Found, and not recorded"`
}

func (s *Server) showAsOf(ctx context.Context, a *asof.Answer) AsOf {
	out := AsOf{At: a.At.UTC(), Layers: make([]AsOfLayer, len(a.Rows))}
	for i := range a.Rows {
		out.Layers[i] = showRow(&a.Rows[i])
	}
	if t := a.Site; t != nil {
		out.Terminal = showSite(t)
		for i := range t.Packs {
			p := &t.Packs[i].Value
			out.Packs = append(out.Packs, AsOfPack{p.ID, p.Version, p.Digest, *showSource(t.Packs[i].Source)})
		}
	}
	if m := a.Merchant; m != nil {
		out.Merchant = showToldMerchant(m)
	}
	if a.Payer != nil {
		out.Payer = showAsOfPayer(a.Payer)
	}
	out.Caller = showCaller(a)
	if a.Decided != nil {
		out.Decided, out.Again = s.showDecided(ctx, a)
	}
	return out
}

func showSource(src asof.Source) *AsOfEntry {
	if !src.Known() {
		return nil
	}
	out := &AsOfEntry{ID: string(src.Entry), Type: src.Type, At: src.At.UTC(), By: src.Actor, Number: src.Number}
	if src.InLog() {
		out.Index = &src.Index
	}
	if src.Type == payment.DecidedKind {
		out.Record = &src.Record
	}
	return out
}

func showRow(r *asof.Row) AsOfLayer {
	out := AsOfLayer{Layer: r.Kind.String(), ID: r.ID, Version: r.Version, State: r.State.String(), Because: r.Because.String(), Refuses: r.Refuses,
		DayCount: r.DayCount, Until: timeOrNone(r.Until), Since: timeOrNone(r.Since), By: r.By, Entry: showSource(r.Source), Hidden: r.Hidden}
	if r.PerPayment != nil {
		out.PerPayment = ptr(amountOf(*r.PerPayment))
	}
	if r.DayAmount != nil {
		out.DayAmount = ptr(amountOf(*r.DayAmount))
	}
	if r.Quiet != nil {
		out.QuietHours = &QuietHours{From: clockText(r.Quiet.From), To: clockText(r.Quiet.To)}
	}
	if r.Rollout != nil {
		out.Rollout, out.Former = string(r.Rollout.ID), r.Former
	}
	if r.Methods != nil {
		out.Methods = ptr(methodNames(*r.Methods))
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func showSite(s *asof.Site) *AsOfTerminal {
	t := &s.Terminal.Value
	return &AsOfTerminal{ID: string(t.ID), Store: string(t.Store), Model: string(t.Model), Unattended: t.Unattended, Purpose: t.Purpose,
		Keypad: s.Model.Value.Keypad, Display: s.Model.Value.Display, Entry: *showSource(s.Terminal.Source), ModelEntry: *showSource(s.Model.Source),
		StoreEntry: *showSource(s.Store.Source),
		Merchant:   *showToldMerchant(&s.Merchant)}
}

func showToldMerchant(m *asof.Told[merchant.Merchant]) *AsOfMerchant {
	out := &AsOfMerchant{ID: string(m.Value.ID), Version: m.Value.Version, Entry: *showSource(m.Source)}
	if m.Value.Facts.Country != "" {
		out.Facts = ptr(Facts(m.Value.Facts))
	}
	return out
}

func showAsOfPayer(p *asof.Payer) *AsOfPayer {
	v := &p.Value
	out := &AsOfPayer{ID: string(v.ID), Version: v.Version, FrozenAt: timeOrNone(v.Frozen), Hold: showHold(v.Hold), VerifiableFrom: v.VerifiableFrom, Entry: *showSource(p.Source)}
	if v.Pending != nil {
		out.PendingAt = timeOrNone(v.Pending.At)
	}
	if w := v.Allowance; w != nil {
		out.Allowance = &AsOfAllowance{string(w.ID), amountOf(w.Max), string(w.Merchant), w.ExpiresAt.UTC()}
	}
	for i := range p.Instruments {
		in := &p.Instruments[i].Value
		out.Instruments = append(out.Instruments, AsOfInstrument{string(in.ID), in.Scheme, in.Kind, in.Domestic, in.Issuer, *showSource(p.Instruments[i].Source)})
	}
	return out
}

func showCaller(a *asof.Answer) *AsOfCaller {
	switch c := a.Caller; {
	case c == nil:
		return nil
	case c.Key != nil:
		k := &c.Key.Value
		return &AsOfCaller{Kind: "api_key", ID: string(k.ID), Scopes: scopeNames(k.Scopes), Live: k.Live(a.At), Entry: *showSource(c.Key.Source)}
	default:
		m := &c.Staff.Value
		return &AsOfCaller{Kind: "staff", ID: string(m.ID), Role: m.Role.String(), Live: m.Active, Entry: *showSource(c.Staff.Source)}
	}
}

func (s *Server) showDecided(ctx context.Context, a *asof.Answer) (*AsOfDecision, *AsOfAgain) {
	d := &a.Decided.Value
	site, known := s.Payments.Site(ctx, d.Terminal)
	where := whereOf(&payment.Payment{Merchant: d.Merchant, Store: d.Store, Terminal: d.Terminal}, &site, known)
	out := &AsOfDecision{Payment: string(d.Payment), Amount: amountOf(d.Amount), Method: d.Method.String(), Merchant: string(d.Merchant),
		Store: string(d.Store), Terminal: string(d.Terminal), Reasons: s.reasons(ctx, d.Reasons, &where),
		Basis: Basis{Rules: d.Rules, SettingsEpoch: d.Epoch, PayerVersion: d.PayerVersion}, Entry: *showSource(a.Decided.Source)}
	if d.Method != pinfree.Cash {
		out.Outcome = d.Outcome.String()
	}
	if a.Again == nil {
		return out, nil
	}
	g := a.Again
	again := &AsOfAgain{Verdict: g.Verdict.String(), Counters: s.reasons(ctx, g.Counters, &where), Missing: s.reasons(ctx, g.Missing, &where),
		Added: s.reasons(ctx, g.Added, &where)}
	if g.Verdict != asof.RulesUntold {
		again.Outcome = g.Decision.Outcome.String()
	}
	return out, again
}
