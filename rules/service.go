package rules

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/pinfree"
)

// Parts are what a Service needs; all but Replayer are required.
type Parts struct {
	Records  Records
	Clock    mianmi.Clock
	Random   io.Reader // safe for concurrent use
	Replayer Replayer  // nil: a dry run says nothing about stored payments
}

// Service changes the rule packs in force. Every method checks the actor's
// rights; without them it answers Denied.
type Service struct {
	Parts
	titles titles
}

// New returns a Service.
func New(p Parts) *Service { return &Service{Parts: p} }

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

// Replayer tells what other rules would have made of stored payments.
type Replayer interface {
	Replay(ctx context.Context, before, after *pinfree.RuleSet) (*Replay, error)
}

// Replay is how stored payments would be decided by packs in place of others.
type Replay struct {
	Payments int64 // that were looked at
	Stricter int64 // that would need more
	Looser   int64 // that would need less
	Examples []Example
}

// Example is a payment that would be decided otherwise.
type Example struct {
	Payment       mianmi.PaymentID
	Before, After pinfree.Decision
}

// Report is what an order would do.
type Report struct {
	Comparison
	Parts       []Pack
	Differences []Difference
	BasedOn     string  // SetDigest of the packs in force
	Replay      *Replay // nil: there is no Replayer
}

// DryRun says what an order would do and does nothing. The error of a pack
// that cannot be compiled lists every fault with its line and field.
func (s *Service) DryRun(ctx context.Context, actor mianmi.Actor, o Order) (Report, error) {
	if err := access.Allow(actor, access.RulesShow, access.Target{}); err != nil {
		return Report{}, err
	}
	put, err := o.read()
	if err != nil {
		return Report{}, err
	}
	set, err := s.Records.RuleSet(ctx)
	if err != nil {
		return Report{}, err
	}
	live := set.Packs()
	p, err := stateOf(live, func(pack string) ([]Pack, error) { return s.Records.RuleVersions(ctx, pack) }).plan(put, o.Withdraw)
	if err != nil {
		return Report{}, err
	}
	r := Report{Comparison: p.comparison, Parts: p.parts, Differences: Differences(p.before, p.after), BasedOn: SetDigest(live)}
	if s.Replayer == nil {
		return r, nil
	}
	after, err := pinfree.Compile(p.after)
	if err != nil {
		return Report{}, err
	}
	r.Replay, err = s.Replayer.Replay(ctx, set.Rules(), after)
	return r, err
}

func (o *Order) read() ([]candidate, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return readTexts(o.Put)
}

// InForce is the packs in force at this moment; for everybody.
func (s *Service) InForce(ctx context.Context) (*Set, error) { return s.Records.RuleSet(ctx) }

// Change returns a change with its texts and its state at this moment.
func (s *Service) Change(ctx context.Context, actor mianmi.Actor, id mianmi.RuleChangeID) (Change, error) {
	if err := access.Allow(actor, access.RulesShow, access.Target{}); err != nil {
		return Change{}, err
	}
	c, err := s.Records.RuleChange(ctx, id)
	c.State = c.At(s.now())
	return c, err
}

// Bounds of a page: a screen, and what one answer can carry.
const (
	pageDefault = 50
	pageMax     = 200
)

// Changes returns a page of changes, newest first, without texts.
func (s *Service) Changes(ctx context.Context, actor mianmi.Actor, q ChangeQuery) ([]Change, error) {
	if err := access.Allow(actor, access.RulesShow, access.Target{}); err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = pageDefault
	}
	if q.Limit < 0 || q.Limit > pageMax {
		return nil, mianmi.InvalidField("limit", "want 1 to 200")
	}
	q.Now = s.now()
	list, err := s.Records.RuleChanges(ctx, q)
	for i := range list {
		list[i].State = list[i].At(q.Now)
	}
	return list, err
}

// History returns what has been in force of a pack, and when it was withdrawn,
// newest first, with texts. It is NotFound for a pack that never was.
func (s *Service) History(ctx context.Context, actor mianmi.Actor, pack string) ([]Pack, error) {
	if err := access.Allow(actor, access.RulesShow, access.Target{}); err != nil {
		return nil, err
	}
	list, err := s.Records.RuleVersions(ctx, pack)
	if err == nil && len(list) == 0 {
		err = mianmi.Missing("rule pack")
	}
	return list, err
}

// titles remembers the names of rules that are no longer in force.
type titles struct {
	mu    sync.Mutex
	known map[titleKey]mianmi.Text
}

type titleKey struct {
	rule    string
	version int64
}

// titlesMax bounds the memory: some hundred versions of packs.
const titlesMax = 10_000
