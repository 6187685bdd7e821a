package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/store"
)

const (
	// replayPayments and replayTime bound what a dry run of a change looks at: an
	// answer that a person waits for, and that the API gives 10 s in all.
	replayPayments = 10_000
	replayTime     = 5 * time.Second
	replayExamples = 5 // of each kind of difference
	// storedMax bounds what the command line reads: some 500 MB of payments.
	storedMax = 500_000
)

// newReplayer tells the dry run of a change what it would have made of the
// newest payments.
func newReplayer(h payment.History) rules.Replayer {
	return replayer{payment.Replayer{History: h, Query: payment.PastQuery{Limit: replayPayments}, Time: replayTime, Examples: replayExamples}}
}

// replayer is a payment.Replayer in the words of the life of packs.
type replayer struct{ payment.Replayer }

// Replay implements rules.Replayer.
func (r replayer) Replay(ctx context.Context, before, after *pinfree.RuleSet) (*rules.Replay, error) {
	report, err := r.Replayer.Replay(ctx, before, after)
	if err != nil {
		return nil, err
	}
	out := &rules.Replay{Payments: report.Payments}
	out.Stricter, out.Looser = report.Differing()
	for _, e := range report.Examples {
		out.Examples = append(out.Examples, rules.Example{Payment: mianmi.PaymentID(e.ID), Before: e.A.Decision, After: e.B.Decision})
	}
	return out, nil
}

// storedFlags choose the stored payments that a comparison replays.
type storedFlags struct {
	Stored bool          `help:"Replay the newest payments that are stored in the database (--db) through both." zh:"用两套规则回放数据库（--db）中最新的付款。"`
	Since  string        `placeholder:"TIME" help:"With --stored: payments from then on: 2026-01-31, 2026-01-31T12:00:00+08:00, or 720h for so long until now." zh:"与 --stored 同用：只回放此后的付款：2026-01-31、2026-01-31T12:00:00+08:00，或 720h 表示最近这么长时间。"`
	Max    int           `placeholder:"N" default:"10000" help:"With --stored: at most so many payments." zh:"与 --stored 同用：最多回放的付款笔数。"`
	Time   time.Duration `placeholder:"TIME" default:"1m" help:"With --stored: the longest time that it may take." zh:"与 --stored 同用：最长用时。"`
}

func (f *storedFlags) validate() error {
	switch {
	case f.Max < 1 || f.Max > storedMax:
		return fmt.Errorf("--max: want 1 to %d", storedMax)
	case f.Time < time.Second || f.Time > time.Hour:
		return errors.New("--time: want 1s to 1h")
	case f.Since != "" && !f.Stored:
		return errors.New("--since: belongs to --stored")
	}
	_, err := f.since(time.Time{})
	return err
}

// since is the first instant; zero when it is not given.
func (f *storedFlags) since(now time.Time) (time.Time, error) {
	if f.Since == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(f.Since); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, f.Since); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since: %q is not a time; write it like 2026-01-31, 2026-01-31T12:00:00+08:00 or 720h", f.Since)
}

// replay reads the payments and compares.
func (f *storedFlags) replay(ctx context.Context, a *app, d *difference, examples int) (r compare.Report, err error) {
	db, err := a.stored(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	since, err := f.since(a.clock.Now())
	if err != nil {
		return r, err
	}
	return payment.Replayer{History: db, Query: payment.PastQuery{Since: since, Limit: f.Max}, Time: f.Time, Examples: examples}.Replay(ctx, d.a, d.b)
}

// stored opens a database that is there, to read it: nothing is made and
// nothing is migrated.
func (a *app) stored(ctx context.Context) (*store.DB, error) {
	if file, ok := strings.CutPrefix(a.shared.dsn(), "sqlite:"); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--db: there is no database %s", file)
		}
	}
	db, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	have, want, err := db.Schema(ctx)
	if err == nil && have != want {
		err = mianmi.Conflicts("schema", fmt.Sprintf("the schema is at version %d and this program reads %d: run mianmi migrate", have, want))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
