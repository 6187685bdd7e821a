package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi/bench"
	"github.com/mianmi/mianmi/risk"
)

type benchSignalsCmd struct {
	benchFlags
	Rounds int     `placeholder:"N" default:"5" help:"Rounds at each load, each with and without." zh:"每种负载的轮数，每轮有无各一次。"`
	Pace   float64 `placeholder:"N" default:"0" help:"Payments a second of the paced load; 0: half of the maximum." zh:"定速负载的每秒笔数；0 表示最大值的一半。"`
	Share  int     `placeholder:"PERCENT" help:"How much of one processor's time looking for signals may take; as --risk-share of serve." zh:"查找信号最多占用一个处理器的百分比，同 serve 的 --risk-share。"`
}

// Run measures with and without the follower, in turns.
func (b *benchSignalsCmd) Run(ctx context.Context, a *app) (err error) {
	switch err := b.check(); {
	case err != nil:
		return err
	case b.Rounds < 1 || b.Rounds > 100:
		return errors.New("--rounds: want 1 to 100")
	case b.Pace < 0 || b.Pace > 1_000_000:
		return errors.New("--pace: want 0 to 1000000")
	case b.Share < 0 || b.Share > 100:
		return errors.New("--share: want 1 to 100")
	case b.lacks():
		return errors.New("--compare, --no-sequencer, --no-follower: not of this measurement")
	}
	dsn, stop, err := b.database(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := bench.SignalsOptions{Options: b.options(a, dsn), Rounds: b.Rounds, Pace: b.Pace, Share: b.Share}
	if o.Share == 0 {
		o.Share = risk.ShareDefault
	}
	var f bench.SignalsFigures
	err = b.profiled(func() (err error) {
		f, err = bench.Signals(ctx, o, func(p bench.SignalsPart) { _, _ = fmt.Fprintln(a.stdout, p) }) // the last line has all
		return err
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stdout, "%s, %d rules, with to without: at maximum payments/s %.3f; at %.0f payments/s p50 %.3f, p95 %.3f, p99 %.3f, CPU %.3f\n",
		f.Engine, f.Rules, f.Throughput, f.Pace, f.P50, f.P95, f.P99, f.CPU)
	text, err := json.Marshal(f)
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	}
	return err
}

// lacks reports whether flags are given that leave nothing to compare.
func (b *benchSignalsCmd) lacks() bool { return b.Compare || b.NoSeq || b.NoFollow }
