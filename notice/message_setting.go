package notice

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/terminal"
)

// payerData is what holds of a payer's PIN-free payment after the change.
type payerData struct {
	Payer     string         `json:"payer"`
	PinFree   bool           `json:"pin_free"`
	Since     time.Time      `json:"since"`
	Limits    payer.Settings `json:"settings"`
	Pending   *payer.Pending `json:"pending,omitempty"` // in its cooling-off
	FrozenAt  *time.Time     `json:"frozen_at,omitempty"`
	Hold      *payer.Hold    `json:"hold,omitempty"`
	Allowance *allowanceData `json:"allowance,omitempty"`
}

type allowanceData struct {
	ID        string       `json:"id"`
	Max       money.Amount `json:"max"`
	Merchant  string       `json:"merchant,omitempty"`
	ExpiresAt time.Time    `json:"expires_at"`
}

// agreementData is an agreement after the change.
type agreementData struct {
	ID         string     `json:"id"`
	Merchant   string     `json:"merchant"`
	Payer      string     `json:"payer,omitempty"` // for mianmi's own webhooks
	Open       bool       `json:"open"`
	PerPayment *int64     `json:"per_payment,omitempty"` // minor units of the payer's currency
	OpenedAt   time.Time  `json:"opened_at"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
}

// scopeData is what was said of a scope.
type scopeData struct {
	Scope      string     `json:"scope"`
	Merchant   string     `json:"merchant,omitempty"`
	Terms      *termsData `json:"terms,omitempty"` // in force, or proposed
	Facts      *factsData `json:"facts,omitempty"`
	Stop       string     `json:"stop,omitempty"`
	Until      string     `json:"until,omitempty"`
	Approval   string     `json:"approval,omitempty"`
	ProposedBy string     `json:"proposed_by,omitempty"`
	Rollout    string     `json:"rollout,omitempty"` // by which the terms come to terminals in stages
}

// factsData is what its acquirer says of a merchant.
type factsData struct {
	Country           string `json:"country"`
	MCC               uint16 `json:"mcc,omitempty"`
	NoPIN             bool   `json:"no_pin"`
	Upgraded          bool   `json:"upgraded"`
	AgreementRequired bool   `json:"agreement_required"`
	Risk              string `json:"risk,omitempty"`
}

type termsData struct {
	PinFree    bool          `json:"pin_free"`
	PerPayment *money.Amount `json:"per_payment,omitempty"`
	Methods    []string      `json:"methods,omitempty"` // none: all
}

// stagedData is how far a rollout is, and why it does not run.
type stagedData struct {
	Scope   string       `json:"scope"`
	Rollout string       `json:"rollout"`
	State   string       `json:"state"`
	Stage   int          `json:"stage"` // from 1
	Stages  int          `json:"stages"`
	Because *becauseData `json:"because,omitempty"`
}

// programData is how far the rollout of a program is, and why it does not run.
type programData struct {
	Rollout string       `json:"rollout"`
	Family  string       `json:"family"`
	Version string       `json:"program_version"`
	State   string       `json:"state"`
	Stage   int          `json:"stage"` // from 1
	Stages  int          `json:"stages"`
	Because *becauseData `json:"because,omitempty"`
}

// becauseData is a reason with its figures: count of so many terminals or payments.
type becauseData struct {
	Reason string `json:"reason"` // person, attested, refused, declined, unknown, closed, tightened
	Count  int    `json:"count,omitempty"`
	Of     int    `json:"of,omitempty"`
}

// packData is what was said of a rule pack.
type packData struct {
	Pack       string `json:"pack"`
	Change     string `json:"change"`
	Version    int64  `json:"pack_version,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Tightening bool   `json:"tightening"`
	ProposedBy string `json:"proposed_by,omitempty"`
}

// recorded fills a message about a fact that an entry records.
func (e *envelope) recorded(w *Webhook, d *Delivery, r *Record) error {
	entry, ok := r.Entries[mianmi.EntryID(d.Ref)]
	if !ok {
		return mianmi.Missing("entry")
	}
	e.Entry, e.Actor = d.Ref, entry.Actor
	kind, _, _ := strings.Cut(entry.Type, ".")
	switch kind {
	case "payer":
		return e.payer(w, entry)
	case "merchant":
		return e.scope(entry)
	case "rule":
		return e.pack(entry)
	case "rollout":
		return e.staged(entry)
	case "program":
		return e.program(entry)
	case "contract":
		return e.contract(w, entry)
	case "case":
		return e.supportCase(entry)
	case "alarm":
		return e.alarm(w, entry)
	}
	return fmt.Errorf("entries of type %s tell of nothing", entry.Type)
}

func (e *envelope) payer(w *Webhook, entry evidence.Entry) error {
	rec, err := payer.ReadRecord(entry)
	if err != nil {
		return err
	}
	e.Version = rec.Version
	if a := rec.Agreement; a != nil {
		v := agreementData{ID: string(a.ID), Merchant: string(a.Merchant), Open: a.Open, PerPayment: a.PerPayment, OpenedAt: a.OpenedAt, ClosedAt: a.ClosedAt}
		e.Data = v
		if w.Merchant == "" {
			v.Payer = entry.Subject
			e.Data = v
			return nil
		}
		// A merchant knows the agreement, not the payer.
		e.Subject, e.Version = string(a.ID), a.Version
		if e.Actor == (mianmi.Actor{Role: mianmi.RolePayer, ID: entry.Subject}).String() {
			e.Actor = mianmi.RolePayer.String()
		}
		return nil
	}
	n := rec.After
	v := payerData{Payer: entry.Subject, PinFree: n.Settings.PinFree, Since: n.Since, Limits: n.Settings, Pending: n.Pending, FrozenAt: n.FrozenAt, Hold: n.Hold}
	if l := n.Allowance; l != nil {
		v.Allowance = &allowanceData{string(l.ID), l.Max, string(l.Merchant), l.ExpiresAt}
	}
	e.Data = v
	return nil
}

// scopeBody is what merchant records, as far as it is told.
type scopeBody struct {
	Scope      string          `json:"scope"`
	After      json.RawMessage `json:"after"`
	Version    int64           `json:"version"`
	Approval   string          `json:"approval"`
	ProposedBy string          `json:"proposed_by"`
	Stop       string          `json:"stop"`
	Until      string          `json:"until"`
	Rollout    struct {
		ID string `json:"id"`
	} `json:"rollout"`
}

func (e *envelope) scope(entry evidence.Entry) error {
	var b scopeBody
	if err := json.Unmarshal(entry.Body, &b); err != nil {
		return fmt.Errorf("entry %s: %w", entry.ID, err)
	}
	v := scopeData{Scope: b.Scope, Stop: b.Stop, Until: b.Until, Approval: b.Approval, ProposedBy: b.ProposedBy, Rollout: b.Rollout.ID}
	e.Version = b.Version
	switch {
	case len(b.After) == 0:
	case strings.HasPrefix(entry.Type, "merchant.policy."):
		var t merchant.Terms
		if err := json.Unmarshal(b.After, &t); err != nil {
			return fmt.Errorf("terms of entry %s: %w", entry.ID, err)
		}
		v.Terms = &termsData{PinFree: t.PinFree, PerPayment: t.PerPayment, Methods: methodNames(t.Methods)}
	case strings.HasPrefix(entry.Type, "merchant.facts."):
		var f merchant.Facts
		if err := json.Unmarshal(b.After, &f); err != nil {
			return fmt.Errorf("facts of entry %s: %w", entry.ID, err)
		}
		v.Facts = (*factsData)(&f)
	}
	e.Data = v
	return nil
}

func (e *envelope) staged(entry evidence.Entry) error {
	rec, err := merchant.ReadEntry(entry)
	if err != nil || rec.Rollout == nil {
		return fmt.Errorf("entry %s tells of no rollout: %w", entry.ID, err)
	}
	s := rec.Rollout
	e.Version = s.Version
	e.Data = stagedData{Scope: s.Scope.String(), Rollout: string(s.ID), State: s.State.String(), Stage: s.Stage + 1, Stages: s.Stages, Because: because(s.Because)}
	return nil
}

func because(b rollout.Because) *becauseData {
	if b.Reason == rollout.NoReason {
		return nil
	}
	return &becauseData{string(b.Reason), b.Count, b.Of}
}

func (e *envelope) program(entry evidence.Entry) error {
	rec, err := terminal.ReadEntry(entry)
	if err != nil || rec.Program == nil {
		return fmt.Errorf("entry %s tells of no program: %w", entry.ID, err)
	}
	s := rec.Program
	e.Data = programData{Rollout: string(s.Rollout), Family: s.Family, Version: s.Version, State: s.State.String(), Stage: s.Stage + 1, Stages: s.Stages,
		Because: because(s.Because)}
	return nil
}

// contractData is a contract at a channel after what happened to it.
type contractData struct {
	Contract  string     `json:"contract"`
	Agreement string     `json:"agreement"`
	Merchant  string     `json:"merchant"`
	Payer     string     `json:"payer,omitempty"` // for mianmi's own webhooks
	Channel   string     `json:"channel"`
	Kind      string     `json:"kind"`
	Number    string     `json:"number,omitempty"` // the channel's own
	SignedAt  *time.Time `json:"signed_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	EndedBy   string     `json:"ended_by,omitempty"`
}

func (e *envelope) contract(w *Webhook, entry evidence.Entry) error {
	r, err := contract.ReadRecord(entry)
	if err != nil {
		return fmt.Errorf("entry %s: %w", entry.ID, err)
	}
	e.Version = r.Version
	v := contractData{Contract: entry.Subject, Agreement: string(r.Agreement), Merchant: string(r.Merchant), Channel: r.Channel, Kind: r.Kind,
		Number: r.Number, SignedAt: r.SignedAt, EndedAt: r.EndedAt, EndedBy: r.EndedBy}
	if w.Merchant == "" {
		v.Payer = string(r.Payer)
	}
	e.Data = v
	return nil
}

func methodNames(set *pinfree.Methods) []string {
	if set == nil {
		return nil
	}
	names := []string{}
	for m := pinfree.Method(1); m < 16; m++ { // a set has 16 bits
		if set.Has(m) {
			names = append(names, m.String())
		}
	}
	return names
}

// packBody is what rules records, as far as it is told.
type packBody struct {
	Change string `json:"change"`
	After  *struct {
		Version int64  `json:"version"`
		Digest  string `json:"digest"`
	} `json:"after"`
	Tightening bool   `json:"tightening"`
	ProposedBy string `json:"proposed_by"`
}

func (e *envelope) pack(entry evidence.Entry) error {
	var b packBody
	if err := json.Unmarshal(entry.Body, &b); err != nil {
		return fmt.Errorf("entry %s: %w", entry.ID, err)
	}
	_, pack, _ := strings.Cut(entry.Subject, ":")
	v := packData{Pack: pack, Change: b.Change, Tightening: b.Tightening, ProposedBy: b.ProposedBy}
	if b.After != nil {
		v.Version, v.Digest = b.After.Version, b.After.Digest
	}
	e.Data = v
	return nil
}
