package merchant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rollout"
)

// Rollout is a loosening of a policy that comes to the terminals of its scope
// in stages (docs/adr/0013). Terminals that it has not reached keep the former
// policy.
type Rollout struct {
	ID       mianmi.RolloutID  `json:"id"`
	Kind     rollout.Kind      `json:"kind"`
	Scope    Scope             `json:"scope"`
	Merchant mianmi.MerchantID `json:"merchant,omitempty"` // whose scope it is, as in Place
	Store    mianmi.StoreID    `json:"store,omitempty"`

	Terms   Terms  `json:"terms"`   // of the policy, for terminals that are reached
	Version int64  `json:"version"` // of the policy
	Former  Former `json:"former"`

	rollout.Progress
	Epoch int64 `json:"epoch"` // of the change that began the stage; set by the store

	Approval   mianmi.ApprovalID `json:"approval"`
	ProposedBy string            `json:"proposed_by"`
}

// Former is the policy that holds for terminals that are not reached.
type Former struct {
	Terms   Terms     `json:"terms"`
	Version int64     `json:"version"` // 0: nobody had set one, these are the default terms
	Since   time.Time `json:"since,omitzero"`
	Actor   string    `json:"actor,omitempty"`
}

// Reaches reports whether the rollout has come to a terminal of its scope. One
// of a kind that this program does not know has come to none.
func (r *Rollout) Reaches(at rollout.Place) bool {
	return r.Kind == rollout.Setting && r.Plan.Reaches(r.ID, r.Stage, at)
}

// For is the policy as it holds for a terminal of its scope.
func (p *Policy) For(at rollout.Place) *Policy {
	r := p.Rollout
	if r == nil || r.Reaches(at) {
		return p
	}
	f := &r.Former
	return &Policy{Scope: p.Scope, Terms: f.Terms, Version: f.Version, Since: f.Since, Actor: f.Actor}
}

// ReadRollout reads a rollout as json.Marshal wrote it. What it cannot read, a
// field of a later version among that, is an error: see Unreadable.
func ReadRollout(text []byte) (*Rollout, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := new(Rollout)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("read a rollout: %w", err)
	}
	return r, nil
}

// Unreadable stands for the rollout of a policy that is missing or that this
// program cannot read: it has come to no terminal. Of text the former terms are
// taken when they can be read by themselves, else PIN-free is off.
func Unreadable(p *Policy, text []byte) *Rollout {
	r := &Rollout{Scope: p.Scope, Version: p.Version, Former: Former{Version: p.Version, Since: p.Since, Actor: p.Actor}}
	r.State = rollout.Paused
	var part struct {
		ID     mianmi.RolloutID `json:"id"`
		Former json.RawMessage  `json:"former"`
	}
	if json.Unmarshal(text, &part) != nil {
		return r
	}
	r.ID = part.ID
	d := json.NewDecoder(bytes.NewReader(part.Former))
	d.DisallowUnknownFields()
	var f Former
	if d.Decode(&f) == nil {
		r.Former = f
	}
	return r
}

// rolloutNote is what the entry of a policy says of the rollout that it comes
// with: all but how far it is, which entries of type rollout.… say.
type rolloutNote struct {
	ID     mianmi.RolloutID `json:"id"`
	Kind   rollout.Kind     `json:"kind"`
	Plan   rollout.Plan     `json:"plan"`
	Former Former           `json:"former"`
}

// stageNote is the body of facts about a rollout. Each says how far it is.
type stageNote struct {
	Scope    string            `json:"scope"`
	Rollout  mianmi.RolloutID  `json:"rollout"`
	Version  int64             `json:"version"` // of the policy
	State    string            `json:"state"`
	Stage    int               `json:"stage"` // from 0
	Stages   int               `json:"stages"`
	Because  *rollout.Because  `json:"because,omitempty"`
	Approval mianmi.ApprovalID `json:"approval,omitempty"`
	// Paused is, of one that goes on after a pause, why it had stood still.
	Paused *rollout.Because `json:"paused,omitempty"`
}

// startRollout makes the rollout of a loosening that two persons have agreed on.
func (d *decision) startRollout(a Approval) {
	before := d.held.Policy
	id, err := mianmi.NewID("ro", d.now, d.s.random)
	d.fail(err)
	r := &Rollout{ID: mianmi.RolloutID(id), Kind: rollout.Setting, Scope: d.held.Scope, Merchant: d.held.Place.Merchant, Store: d.held.Place.Store,
		Terms: *a.Proposal.Terms, Version: before.Version + 1, Former: Former{before.Terms, before.Version, before.Since, before.Actor},
		Progress: rollout.Begin(*a.Proposal.Rollout, d.actor.String(), d.now), Approval: a.ID, ProposedBy: a.ProposedBy}
	d.putPolicy(r.Terms, r, "merchant.policy.loosened", a)
	d.putRollout(r, rollout.HasStarted, nil)
}

// putRollout writes a rollout that has changed, and records what it has become.
func (d *decision) putRollout(r *Rollout, what string, paused *rollout.Because) {
	d.out.Reached = what == rollout.HasStarted || what == rollout.HasAdvanced
	n := stageNote{Scope: d.held.Scope.String(), Rollout: r.ID, Version: r.Version, State: r.State.String(), Stage: r.Stage, Stages: len(r.Plan.Stages), Paused: paused}
	if r.Because != (rollout.Because{}) {
		n.Because = &r.Because
	}
	if what == rollout.HasStarted {
		n.Approval = r.Approval
	}
	d.keepRollout(r)
	e, err := d.s.entry(d.actor, d.now, note{Type: "rollout." + what, Subject: d.held.Scope.evidenceSubject(), Body: n})
	d.fail(err)
	d.out.Entries = append(d.out.Entries, e)
}

func (d *decision) keepRollout(r *Rollout) {
	r.Changed(d.actor.String(), d.now)
	d.out.Rollout = r
}

// tighten brings terms into force that allow no more than those in force, for
// all at once. A rollout goes on with the former terms made as strict, unless it
// was switched off or nothing is left of it: then it ends, and what stays is the
// stricter of both in each part, so that nothing comes into force unseen later.
func (d *decision) tighten(t Terms) Policy {
	before := d.held.Policy
	if before.Rollout == nil {
		return d.putPolicy(t, nil, policyTightened, Approval{})
	}
	r := *before.Rollout
	former := Meet(r.Former.Terms, t)
	closes := before.Terms.PinFree && !t.PinFree
	if closes || former.Equal(t) {
		why := rollout.Overtaken
		if closes {
			why = rollout.ClosedBetween
		}
		p := d.putPolicy(former, nil, policyTightened, Approval{})
		d.endRollout(&r, rollout.Because{Reason: why})
		return p
	}
	r.Terms, r.Version = t, before.Version+1
	if !former.Equal(r.Former.Terms) {
		r.Former = Former{former, r.Version, d.now, d.actor.String()}
	}
	p := d.putPolicy(t, &r, policyTightened, Approval{})
	d.keepRollout(&r)
	return p
}

// endRollout records that the former terms are back for everybody.
func (d *decision) endRollout(r *Rollout, why rollout.Because) {
	r.Stop(why)
	d.putRollout(r, rollout.HasStopped, nil)
}

// rolloutRuns is the answer to a loosening while another one is on its way.
func (d *decision) rolloutRuns() error {
	if d.held.Policy.Rollout == nil {
		return nil
	}
	return mianmi.Conflicts("rollout_running", "a staged rollout runs here: let it finish or stop it first")
}
