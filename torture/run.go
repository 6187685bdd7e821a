package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
)

// Report is what a run did and found.
type Report struct {
	Seed     uint64
	Rounds   int
	Faults   map[Fault]int
	Checked  map[Promise]int64
	Breaches []Breach
	More     int // breaches that are not listed

	Payments, PinFree, StepUps, Refunds, Repeats, Offs int64
	CutOff                                             int64            // requests that ended without an answer
	Problems                                           map[string]int64 // "503 unavailable" → how many
	Slowest                                            time.Duration    // answer of a server that ran
	Messages, Again                                    int64            // of the webhook; repeats
	Took                                               time.Duration
}

// OK reports whether nothing was broken.
func (r *Report) OK() bool { return len(r.Breaches) == 0 }

// With returns both runs as one; either may be nil.
func (r *Report) With(more *Report) *Report {
	if r == nil || more == nil {
		return cmp.Or(r, more)
	}
	out := *r
	out.Rounds += more.Rounds
	out.Faults, out.Checked, out.Problems = add(r.Faults, more.Faults), add(r.Checked, more.Checked), add(r.Problems, more.Problems)
	out.Breaches, out.More = append(slices.Clone(r.Breaches), more.Breaches...), r.More+more.More
	out.Payments, out.PinFree, out.StepUps = r.Payments+more.Payments, r.PinFree+more.PinFree, r.StepUps+more.StepUps
	out.Refunds, out.Repeats, out.Offs, out.CutOff = r.Refunds+more.Refunds, r.Repeats+more.Repeats, r.Offs+more.Offs, r.CutOff+more.CutOff
	out.Messages, out.Again = r.Messages+more.Messages, r.Again+more.Again
	out.Slowest, out.Took = max(r.Slowest, more.Slowest), r.Took+more.Took
	return &out
}

func add[K comparable, V int | int64](a, b map[K]V) map[K]V {
	out := maps.Clone(a)
	if out == nil {
		out = map[K]V{}
	}
	for k, v := range b {
		out[k] += v
	}
	return out
}

// Run drives a deployment until its time is over, its rounds are done or a
// promise is broken. An error says that the run itself could not go on.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v, t, begun := &verdict{}, &tally{}, time.Now()
	s, err := newStage(ctx, cfg, v, t)
	if err != nil {
		return nil, err
	}
	defer s.close()
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go s.watch(watching)
	if err := s.openShop(ctx); err != nil {
		return nil, err
	}
	for !v.failed() && (cfg.Rounds == 0 || s.rounds < cfg.Rounds) && (cfg.Length == 0 || time.Since(begun) < cfg.Length) {
		if err = s.play(ctx); err != nil {
			break
		}
		s.tell(begun)
	}
	stopped := ctx.Err() != nil
	if stopped { // by hand: what was done is checked and told
		err = nil
	}
	if err == nil {
		err = s.checkLog(context.WithoutCancel(ctx)) // before its servers stop
	}
	if err == nil && !v.failed() {
		err = s.checkTold(context.WithoutCancel(ctx)) // they send
	}
	if err == nil {
		s.end()
		err = s.checkAll(context.WithoutCancel(ctx))
	}
	if err != nil {
		for _, n := range s.nodes {
			err = errors.Join(err, fmt.Errorf("node %d said at last:\n%s", n.n, n.log.tail(10)))
		}
	}
	if v.failed() || err != nil {
		s.keepLogs()
	}
	return report(s, time.Since(begun)), err
}

// keepLogs writes what the servers said at last beside the histories.
func (s *stage) keepLogs() {
	for _, n := range s.nodes {
		file := filepath.Join(s.cfg.Dir, fmt.Sprintf("node-%d.log", n.n))
		if err := os.WriteFile(file, []byte(n.log.tail(linesMax)), 0o600); err != nil && s.cfg.Tell != nil {
			s.cfg.Tell(mianmi.Text{ZH: err.Error(), EN: err.Error()})
		}
	}
}

func (c *Config) check() error {
	switch {
	case c.Target == nil || c.Server == nil || c.Operator == nil || c.Log == nil || c.Dir == "":
		return errors.New("torture: a required part is missing")
	case c.Nodes < 1 || c.Nodes > nodesMax:
		return mianmi.InvalidField("nodes", fmt.Sprintf("want 1 to %d", nodesMax))
	case c.Rounds == 0 && c.Length == 0:
		return mianmi.InvalidField("minutes", "a run needs an end")
	case len(c.Faults) == 0:
		return mianmi.InvalidField("faults", "none of them can be done here")
	}
	return nil
}

// nodesMax bounds the servers of a run: more share nothing new.
const nodesMax = 8

// openShop switches the merchant on: a merchant begins with PIN-free off.
func (s *stage) openShop(ctx context.Context) error {
	_, err := s.openScope(ctx, s.rand(0), s.scene.scopes[2])
	if err != nil {
		return fmt.Errorf("open the shop: %w", err)
	}
	return nil
}

// tellEvery is how many rounds pass between two lines of progress.
const tellEvery = 25

func (s *stage) tell(begun time.Time) {
	if s.cfg.Tell == nil || s.rounds%tellEvery != 0 {
		return
	}
	took, payments, offs := time.Since(begun).Round(time.Second), s.tally.payments.Load(), s.tally.offs.Load()
	s.cfg.Tell(mianmi.Text{ZH: fmt.Sprintf("%v：%d 轮，付款 %d 笔，关闭开关 %d 次", took, s.rounds, payments, offs),
		EN: fmt.Sprintf("%v: %d rounds, %d payments, %d switches thrown off", took, s.rounds, payments, offs)})
}

func report(s *stage, took time.Duration) *Report {
	v, t := s.verdict, s.tally
	out := &Report{Seed: s.cfg.Seed, Rounds: s.rounds, Faults: s.faults, Checked: map[Promise]int64{}, Breaches: v.breaches, More: v.more,
		Payments: t.payments.Load(), PinFree: t.pinFree.Load(), StepUps: t.stepUps.Load(), Refunds: t.refunds.Load(), Repeats: t.repeats.Load(),
		Offs: t.offs.Load(), CutOff: t.cutOff.Load(), Problems: t.problems, Slowest: time.Duration(t.slowest.Load()), Took: took, Messages: t.messages, Again: t.again}
	for p := range promises {
		out.Checked[p] = v.checked[p]
	}
	return out
}
