package rules

import (
	"context"
	"errors"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// Start is what a start of the program brings.
type Start struct {
	Packs []Text // chosen of those that are shipped, and those of the folder
	// Left are the identifiers of packs that this program ships and the operator
	// did not choose.
	Left []string
	// Folder: the operator named a folder, so a pack that came from one and is
	// not in it any more is to go.
	Folder bool
}

// Synced is what a start made of the packs in force.
type Synced struct {
	First    bool    // the database had never held packs: all were put in force
	Applied  *Change // tightenings, in force now; on the first start, everything
	Proposed *Change // the rest, waiting for a second person; nil: none
	Waits    []Pack  // differences that a proposal from before waits for
	Kept     []Kept  // what is not followed
}

// Kept is a pack that stays as it is, though the start differs.
type Kept struct {
	Pack    string
	Version int64  // that was brought, or stays
	Why     string // KeptByPerson …, for the log
}

// Why a difference is not followed.
const (
	KeptByPerson = "a person has put in force, withdrawn or rejected it"
	KeptNewer    = "a newer version is in force"
	KeptClash    = "the same version is in force with another text"
	KeptFolder   = "it came from a folder, and no folder was named"
)

// errNothing ends a transaction that would write nothing, so that the settings
// stay at their epoch.
var errNothing = errors.New("nothing to write")

// Sync compares what the program was started with against the packs in force.
// On the first start of a database everything is put in force. Later,
// tightenings are applied and the rest becomes one proposal; packs that persons
// have brought, withdrawn or rejected are left alone. Several nodes may do so
// at once. The error of a pack that cannot be compiled names file, line and
// field; so does that of packs in force that this program cannot read.
func (s *Service) Sync(ctx context.Context, actor mianmi.Actor, in Start) (Synced, error) {
	if !actor.Is(mianmi.RoleSystem) {
		return Synced{}, mianmi.Forbidden("not_allowed", "this is done by the program itself")
	}
	put, err := readTexts(in.Packs)
	if err != nil {
		return Synced{}, err
	}
	if _, err := compileAll(put); err != nil {
		return Synced{}, err
	}
	var out Synced
	err = s.Records.ChangeRules(ctx, func(h Held) (Outcome, error) {
		y := &syncing{decision: s.begin(actor, h), in: in, state: stateOf(h.Live, h.Versions)}
		y.run(put)
		out = y.out
		if y.err == nil && len(y.decision.out.Changes) == 0 {
			return Outcome{}, errNothing
		}
		return y.decision.out, y.err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err != nil {
		return Synced{}, err
	}
	return out, nil
}

func compileAll(put []candidate) (*pinfree.RuleSet, error) {
	list := make([]pinfree.Pack, 0, len(put))
	for _, c := range put {
		list = append(list, c.parsed)
	}
	return pinfree.Compile(list)
}

type syncing struct {
	*decision
	in    Start
	state *state
	out   Synced
}

// difference is a step of Sync: a pack to put in force, or one to go.
type difference struct {
	put      []candidate // one or none
	withdraw string
	part     Pack
}

func (y *syncing) run(put []candidate) {
	if !y.held.Known {
		y.first(put)
		return
	}
	for _, e := range y.state.live {
		if e.fault != nil {
			y.fail(e.fault)
			return
		}
	}
	var tight, loose []difference
	for _, d := range y.differences(put) {
		p, err := y.plan(d)
		if err != nil {
			y.fail(err)
			return
		}
		if p.comparison.Tightening {
			tight = append(tight, d)
		} else {
			loose = append(loose, d)
		}
	}
	if len(tight) > 0 {
		loose = append(loose, y.tighten(tight)...)
	}
	y.propose(loose)
}

// tighten applies differences that are tightenings one by one, and returns
// them when together they are not.
func (y *syncing) tighten(list []difference) []difference {
	p, err := y.plan(list...)
	if err != nil {
		y.fail(err)
		return nil
	}
	if !p.comparison.Tightening {
		return list
	}
	c := y.order(p, "")
	y.out.Applied = &c
	y.followed(&c)
	return nil
}

// first puts everything in force: there is nothing to compare with, and
// without packs nothing passes.
func (y *syncing) first(put []candidate) {
	y.out.First = true
	if len(put) == 0 {
		return
	}
	p, err := y.state.plan(put, nil)
	if err != nil {
		y.fail(err)
		return
	}
	c := y.change(p, "")
	y.apply(&c)
	y.out.Applied = &c
}

// followed makes the packs of a change those that the next step starts from.
func (y *syncing) followed(c *Change) {
	for i := range c.Packs {
		p := c.Packs[i]
		y.held.Live = slices.DeleteFunc(slices.Clone(y.held.Live), func(l Pack) bool { return l.ID == p.ID })
		if !p.Withdraws {
			y.held.Live = append(y.held.Live, p)
		}
	}
	y.held.Waiting = nil // they have lapsed
	y.state = stateOf(y.held.Live, y.held.Versions)
}

// propose makes one proposal of the differences that no proposal waits for.
func (y *syncing) propose(loose []difference) {
	loose = slices.DeleteFunc(loose, func(d difference) bool {
		i := slices.IndexFunc(y.held.Waiting, func(c Change) bool {
			return c.At(y.now) == Proposed && slices.ContainsFunc(c.Packs, func(p Pack) bool { return sameChange(&p, &d.part) })
		})
		if i >= 0 {
			d.part.Change = y.held.Waiting[i].ID
			y.out.Waits = append(y.out.Waits, d.part)
		}
		return i >= 0
	})
	if len(loose) == 0 || y.err != nil {
		return
	}
	p, err := y.plan(loose...)
	if err != nil {
		y.fail(err)
		return
	}
	c := y.change(p, "")
	if c.Tightening { // beside the others it is one
		y.apply(&c)
		y.out.Applied = &c
		return
	}
	y.decision.propose(&c)
	y.out.Proposed = &c
}

func sameChange(a, b *Pack) bool {
	return a.ID == b.ID && a.Version == b.Version && a.Withdraws == b.Withdraws && a.Digest == b.Digest
}

func (y *syncing) plan(list ...difference) (*plan, error) {
	var put []candidate
	var withdraw []string
	for _, d := range list {
		put = append(put, d.put...)
		if d.withdraw != "" {
			withdraw = append(withdraw, d.withdraw)
		}
	}
	p, err := y.state.plan(put, withdraw)
	if err != nil {
		return nil, err
	}
	for i := range p.parts {
		if d := slices.IndexFunc(list, func(d difference) bool { return d.part.ID == p.parts[i].ID }); d >= 0 {
			p.parts[i].Source = list[d].part.Source
		}
	}
	return p, nil
}

// differences are the steps from the packs in force to those of the start.
func (y *syncing) differences(put []candidate) []difference {
	var out []difference
	for _, c := range put {
		if part := y.wanted(c); part != nil {
			out = append(out, difference{put: []candidate{c}, part: *part})
		}
	}
	for i := range y.held.Live {
		p := &y.held.Live[i]
		left := p.Source == Shipped && slices.Contains(y.in.Left, p.ID)
		if p.Source == Folder && !slices.ContainsFunc(put, func(c candidate) bool { return c.parsed.ID == p.ID }) {
			if left = y.in.Folder; !left {
				y.keep(*p, KeptFolder)
			}
		}
		if part := (Pack{ID: p.ID, Version: p.Version, Digest: p.Digest, Withdraws: true, Source: p.Source}); left && !y.rejected(part) {
			out = append(out, difference{withdraw: p.ID, part: part})
		}
	}
	return out
}

// wanted is the part that a pack of the start makes; nil when it is in force,
// or is not to be followed.
func (y *syncing) wanted(c candidate) *Pack {
	part := Pack{ID: c.parsed.ID, Version: c.parsed.Version, YAML: c.text.YAML, Digest: digestOf(c.text.YAML), Source: c.text.Source}
	if e := y.state.find(part.ID); e != nil {
		switch {
		case e.row.Digest == part.Digest || sameJSON(e.parsed, c.parsed):
			return nil
		case !e.row.Source.atStart():
			y.keep(part, KeptByPerson)
			return nil
		case e.row.Version > part.Version:
			y.keep(part, KeptNewer)
			return nil
		case e.row.Version == part.Version && part.Source == Shipped:
			y.keep(part, KeptClash)
			return nil
		}
	} else if y.withdrawn(&part) {
		y.keep(part, KeptByPerson)
		return nil
	}
	if y.rejected(part) {
		return nil
	}
	return &part
}

// withdrawn reports whether a person has withdrawn this version or a newer one
// after it was last put in force.
func (y *syncing) withdrawn(part *Pack) bool {
	list, err := y.held.Versions(part.ID)
	y.fail(err)
	return err == nil && len(list) > 0 && list[0].Withdraws && list[0].Source == API && list[0].Version >= part.Version
}

func (y *syncing) rejected(part Pack) bool {
	no, err := y.held.Rejected(part)
	if y.fail(err); no {
		y.keep(part, KeptByPerson)
	}
	return no
}

func (y *syncing) keep(p Pack, why string) {
	y.out.Kept = append(y.out.Kept, Kept{p.ID, p.Version, why})
}
