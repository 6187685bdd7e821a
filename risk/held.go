package risk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// Stage is how far a rule is. The numbers are stored.
type Stage uint8

// The stages. The zero Stage is none.
const (
	NoStage   Stage = iota
	Shadow          // its findings are counted, and nothing else comes of them
	Live            // they become alarms
	Withdrawn       // it is not asked
)

var stageNames = []string{"", "shadow", "live", "withdrawn"}

// String is the stage's name in the API.
func (s Stage) String() string { return stageNames[min(int(s), len(stageNames)-1)] }

// Held is a rule that is shipped or that an operator has added, as it stands now.
type Held struct {
	ID      string
	Rule    Rule
	Shipped bool
	Stage   Stage
	Version int64 // 0: shipped, and nobody has changed anything
	Since   time.Time
	By      string // mianmi.Actor.String() of who brought it to this stage
	// ProposedBy asks a second person to withdraw a live rule; empty: nobody does.
	ProposedBy string
	ProposedAt time.Time

	Found  int64          // while in shadow
	LastAt time.Time      // of those
	Last   mianmi.EntryID // at which
}

// RuleChange is a rule that is locked; nil: there is none of that identifier yet.
type RuleChange struct {
	Held  *Held
	All   int64 // rules that are not withdrawn, added ones alone
	Entry evidence.Entry
}

// RuleStore is where changed and added rules are kept.
type RuleStore interface {
	// ChangeRule locks all rules, lets fn say what becomes of one, and writes that;
	// nothing when fn sets no entry.
	ChangeRule(ctx context.Context, id string, fn func(*RuleChange) error) (Held, error)
	// HeldRules are those that were changed or added, by identifier, with a number
	// that every change raises.
	HeldRules(ctx context.Context) (list []Held, revision int64, err error)
	// RulesRevision is that number alone.
	RulesRevision(ctx context.Context) (int64, error)
}

// The types of entries about rules. Their subject is "risk_rule:" and the rule.
const (
	TypeRuleAdded    = "risk.rule.added" // in shadow
	TypeRulePromoted = "risk.rule.promoted"
	TypeRuleProposed = "risk.rule.withdrawal_proposed"
	TypeRuleKept     = "risk.rule.kept" // a proposal to withdraw it was refused, or taken back
	TypeRuleGone     = "risk.rule.withdrawn"
)

// ruleNote is the body of those entries.
type ruleNote struct {
	Version int64  `json:"version"`
	Stage   string `json:"stage"`
	Shipped bool   `json:"shipped,omitempty"`
	Rule    *Rule  `json:"rule,omitempty"` // of one that was added
	Asked   string `json:"proposed_by,omitempty"`
}

// addedMax bounds rules of the operator's own: each is asked at each event, and
// may remember 25 MB.
const addedMax = 40

// Rules lists the rules: the shipped ones, then the operator's own.
func (s *Service) Rules(ctx context.Context, actor mianmi.Actor) ([]Held, error) {
	if err := access.Allow(actor, access.AlarmShow, access.Target{}); err != nil {
		return nil, err
	}
	list, _, err := s.held(ctx)
	return list, err
}

// held joins what is shipped with what is stored.
func (s *Service) held(ctx context.Context) ([]Held, int64, error) {
	shipped, err := Shipped()
	if err != nil {
		return nil, 0, err
	}
	stored, revision, err := s.Store.HeldRules(ctx)
	if err != nil {
		return nil, 0, err
	}
	out := make([]Held, 0, len(shipped)+len(stored))
	for _, c := range shipped {
		out = append(out, Held{ID: c.ID, Rule: c.Rule, Shipped: true, Stage: Live})
	}
	for _, h := range stored {
		if i := slices.IndexFunc(out, func(o Held) bool { return o.ID == h.ID }); i >= 0 {
			h.Rule, h.Shipped = out[i].Rule, true
			out[i] = h
			continue
		}
		out = append(out, h)
	}
	return out, revision, nil
}

// ruleSet are rules that are asked, compiled.
type ruleSet struct {
	list     []*Compiled
	shadow   map[string]bool  // those whose findings are counted alone
	versions map[string]int64 // of each
	revision int64            // of all
}

// asked are the rules that are asked.
func (s *Service) asked(ctx context.Context) (ruleSet, error) {
	held, revision, err := s.held(ctx)
	out := ruleSet{shadow: map[string]bool{}, versions: map[string]int64{}, revision: revision}
	for i := range held {
		h := &held[i]
		if h.Stage != Live && h.Stage != Shadow {
			continue
		}
		c, err := Compile(h.Rule)
		if err != nil { // of another version of this program: the others are asked all the same
			s.Log.ErrorContext(ctx, "risk: a rule cannot be read and is not asked", "rule", h.ID, "error", err)
			continue
		}
		out.list = append(out.list, c)
		out.shadow[h.ID], out.versions[h.ID] = h.Stage == Shadow, h.Version
	}
	return out, err
}

// AddRule takes a rule of the operator's own into shadow: its findings are counted.
// One that was withdrawn may be added again; another one of the identifier is a
// Conflict with the code "risk_rule_exists".
func (s *Service) AddRule(ctx context.Context, actor mianmi.Actor, r Rule) (Held, error) {
	if err := access.Allow(actor, access.RiskRuleManage, access.Target{}); err != nil {
		return Held{}, err
	}
	if _, err := Compile(r); err != nil {
		return Held{}, err
	}
	return s.changeRule(ctx, r.ID, func(c *RuleChange) error {
		switch {
		case s.ships(r.ID) || c.Held != nil && c.Held.Stage != Withdrawn:
			return mianmi.Conflicts("risk_rule_exists", "there is a rule of this identifier; withdraw it, or take another identifier")
		case c.All >= addedMax:
			return mianmi.Conflicts("too_many_risk_rules", "there are 40 rules of your own; withdraw one")
		case c.Held == nil:
			c.Held = &Held{ID: r.ID}
		}
		*c.Held = Held{ID: r.ID, Rule: r, Stage: Shadow, Version: c.Held.Version}
		return s.note(c, actor, TypeRuleAdded)
	})
}

// Promote lets a rule raise alarms: a tightening, by one person, at once.
func (s *Service) Promote(ctx context.Context, actor mianmi.Actor, id string) (Held, error) {
	if err := access.Allow(actor, access.RiskRuleManage, access.Target{}); err != nil {
		return Held{}, err
	}
	return s.changeRule(ctx, id, func(c *RuleChange) error {
		if err := s.find(c, id); err != nil || c.Held.Stage == Live && c.Held.ProposedBy == "" {
			return err
		}
		if c.Held.Stage == Withdrawn && !s.ships(id) {
			return mianmi.Conflicts("risk_rule_withdrawn", "this rule was withdrawn; add it again")
		}
		c.Held.Stage, c.Held.ProposedBy, c.Held.ProposedAt = Live, "", time.Time{}
		return s.note(c, actor, TypeRulePromoted)
	})
}

// Withdraw takes a rule away. One in shadow goes at once. A live one is a
// loosening: the first person proposes it, and a second one does it; until then
// the answer has ProposedBy, and the rule is asked as before.
func (s *Service) Withdraw(ctx context.Context, actor mianmi.Actor, id string) (Held, error) {
	if err := access.Allow(actor, access.RiskRuleManage, access.Target{}); err != nil {
		return Held{}, err
	}
	return s.changeRule(ctx, id, func(c *RuleChange) error {
		if err := s.find(c, id); err != nil || c.Held.Stage == Withdrawn {
			return err
		}
		h := c.Held
		if h.Stage == Live && h.ProposedBy == "" {
			h.ProposedBy, h.ProposedAt = actor.String(), s.now()
			return s.note(c, actor, TypeRuleProposed)
		}
		if h.Stage == Live && (h.ProposedBy == actor.String() || !actor.Is(mianmi.RoleRisk, mianmi.RoleOperator)) {
			return mianmi.Conflicts("second_person", "a second person must withdraw a rule that is live")
		}
		h.Stage, h.ProposedBy, h.ProposedAt = Withdrawn, "", time.Time{}
		return s.note(c, actor, TypeRuleGone)
	})
}

// Keep refuses a proposal to withdraw a rule, or takes one's own back.
func (s *Service) Keep(ctx context.Context, actor mianmi.Actor, id string) (Held, error) {
	if err := access.Allow(actor, access.RiskRuleManage, access.Target{}); err != nil {
		return Held{}, err
	}
	return s.changeRule(ctx, id, func(c *RuleChange) error {
		if err := s.find(c, id); err != nil || c.Held.ProposedBy == "" {
			return err
		}
		c.Held.ProposedBy, c.Held.ProposedAt = "", time.Time{}
		return s.note(c, actor, TypeRuleKept)
	})
}

// changeRule changes a rule, and fills in a shipped one's text.
func (s *Service) changeRule(ctx context.Context, id string, fn func(*RuleChange) error) (Held, error) {
	h, err := s.Store.ChangeRule(ctx, id, fn)
	if err != nil {
		return Held{}, err
	}
	shipped, err := Shipped()
	for _, c := range shipped {
		if c.ID == h.ID {
			h.Rule, h.Shipped = c.Rule, true
		}
	}
	return h, err
}

func (s *Service) ships(id string) bool {
	shipped, err := Shipped()
	return err == nil && slices.ContainsFunc(shipped, func(c *Compiled) bool { return c.ID == id })
}

// find makes sure that there is a rule.
func (s *Service) find(c *RuleChange, id string) error {
	if c.Held != nil {
		return nil
	}
	if !s.ships(id) {
		return mianmi.Missing("rule")
	}
	c.Held = &Held{ID: id, Shipped: true, Stage: Live}
	return nil
}

// note makes a version of a rule, with its entry.
func (s *Service) note(c *RuleChange, actor mianmi.Actor, kind string) error {
	h := c.Held
	h.Version++
	if kind != TypeRuleProposed && kind != TypeRuleKept {
		h.Since, h.By = s.now(), actor.String()
	}
	n := ruleNote{Version: h.Version, Stage: h.Stage.String(), Shipped: s.ships(h.ID), Asked: h.ProposedBy}
	if kind == TypeRuleAdded {
		n.Rule = &h.Rule
	}
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	id, err := mianmi.NewOrderedID("en", s.now(), h.Version, s.Random)
	c.Entry = evidence.Entry{ID: mianmi.EntryID(id), At: s.now(), Type: kind, Subject: "risk_rule:" + h.ID, Actor: actor.String(), Body: text}
	return err
}

// EncodeRule is a rule as it is stored.
func EncodeRule(r Rule) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode rule %s: %w", r.ID, err)
	}
	return b, nil
}

// DecodeRule reads what EncodeRule wrote.
func DecodeRule(b []byte) (Rule, error) {
	var r Rule
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Rule{}, fmt.Errorf("read a rule of signals: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Rule{}, errors.New("read a rule of signals: something follows")
	}
	return r, nil
}
