package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store"
)

// guard notices a log that went back: entries that this node has seen are not
// there any more, or are others. Then switches may have been thrown that the
// database knows nothing of, so PIN-free payment is closed for everything until
// two persons open it again (docs/adr/0011).
type guard struct {
	memory    memory
	log       *evidence.Log
	db        *store.DB
	merchants *merchant.Service
	clock     mianmi.Clock
	random    io.Reader
	out       *slog.Logger
	ended     chan error // takes one error, with which the server is to end

	here   *seenLog // what this process has seen, when the file cannot be written
	behind *seenLog // what the file said of that log then; nil: nothing
	warned bool     // that it cannot
}

// rememberEvery is how often a node notes how far the log is. What a crash
// leaves unremembered is this much of the log, and backups are older.
const rememberEvery = time.Second

// guardActor is who closes everything when the log went back.
var guardActor = mianmi.System("log-guard")

var (
	errWentBack = errors.New("the database went back while this server ran, so what the server has in memory may be of what is lost: " +
		"it ends, and reads everything anew when it is started again")
	errReplaced = errors.New("another file was put in the place of the database while this server ran: what it would write is lost, so it ends")
)

// begin is the look before the server answers anybody.
func (g *guard) begin(ctx context.Context) error {
	g.memory.tidy(g.clock.Now())
	_, err := g.check(ctx)
	return err
}

// worker looks again and again while the server runs, and ends it when the
// database is not the one any more that its memory comes from.
func (g *guard) worker() worker {
	return worker{"remember the checkpoint", rememberEvery, func(ctx context.Context) (bool, error) {
		if g.db.Replaced() {
			g.end(errReplaced)
			return false, errReplaced
		}
		back, err := g.check(ctx)
		if back {
			g.end(errWentBack)
		}
		return false, err
	}}
}

const (
	// lastMax bounds the last look: the database may be why the server ends.
	lastMax = 2 * time.Second
	// lastRounds puts what the last requests left into the log: two rounds are
	// enough, unless the log is far behind.
	lastRounds = 10
)

// last is the look when everything has ended, at a log that has all that was
// answered. What it cannot note is seconds of the log.
func (g *guard) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastMax)
	defer cancel()
	for range lastRounds {
		if r, err := g.log.Sequence(ctx); err != nil || r.Entries == 0 {
			break // the look will tell
		}
	}
	if _, err := g.check(ctx); err != nil {
		g.out.WarnContext(ctx, "how far the log is could not be noted at the end", "error", err)
	}
}

func (g *guard) end(err error) {
	select {
	case g.ended <- err:
	default: // it is ending
	}
}

// check compares the log with what this node remembers of it, and remembers.
func (g *guard) check(ctx context.Context) (back bool, err error) {
	v, err := g.compare(ctx)
	if err != nil {
		return false, err
	}
	list, err := setBacks(ctx, g.db, g.log)
	if err != nil {
		return false, err
	}
	back = v.stands != evidence.Grown
	if back && !acknowledged(list, v.known) {
		if err := g.close(ctx, v); err != nil {
			return true, err
		}
		list = append(list, evidence.SetBack{})
	}
	if !v.begun || v.known != nil && (v.known.checkpoint() == v.head || !back && v.head.Size < v.known.Size) {
		return back, nil // nothing new, or what is known waits to be sequenced again
	}
	return back, g.remember(ctx, seenLog{First: v.first, SetBacks: len(list)}, v)
}

// view is how the log stands to what is known.
type view struct {
	known   *seenLog // nil: nothing
	file    *seenLog // what the file says of this log; nil: nothing
	first   tlog.Hash
	begun   bool
	head    evidence.Checkpoint
	stands  evidence.Standing
	waiting int64 // entries behind the head that were looked at
}

// compare holds the log to what this node remembers, which is read first: it is
// of a moment before the log is read.
func (g *guard) compare(ctx context.Context) (v view, err error) {
	list, err := g.memory.load()
	if err != nil {
		return v, err
	}
	if v.first, v.begun, err = g.log.First(ctx); err != nil {
		return v, err
	}
	if v.begun {
		v.known = of(list, v.first)
	} else if v.known, err = g.withoutLog(ctx, list); err != nil {
		return v, err
	}
	v.file = v.known
	if h := g.here; v.begun && h != nil && h.First == v.first && same(v.file, g.behind) { // no other process has it written since
		v.known = h
	}
	return v, g.look(ctx, &v)
}

// withoutLog is what is known of a database without a log, which is none when
// it is new. One with entries that are in no log has lost its log.
func (g *guard) withoutLog(ctx context.Context, list []seenLog) (*seenLog, error) {
	strays, err := g.db.Strays(ctx, 1)
	if err != nil || len(strays) == 0 {
		return nil, err
	}
	return largest(list, g.log.Name()), nil
}

// remember notes the head of a log. A folder that cannot be written is no reason
// to serve nobody: this process remembers, and the next look tries again.
func (g *guard) remember(ctx context.Context, s seenLog, v view) error {
	var err error
	if s.Epoch, err = g.db.Epoch(ctx); err != nil {
		return err
	}
	s.Origin, s.Size, s.Root, s.At = v.head.Origin, v.head.Size, v.head.Root, g.clock.Now().UTC()
	g.here = nil
	if err := g.memory.keep(s); err != nil {
		if g.here, g.behind = &s, v.file; !g.warned {
			g.out.WarnContext(ctx, "this node cannot note how far the log is, and when it is started again it would not notice that the database went back",
				"error", err)
		}
	}
	g.warned = g.here != nil
	return nil
}

// looksMax bounds how often the log is looked at again because it grew meanwhile.
const looksMax = 20

func (g *guard) look(ctx context.Context, v *view) (err error) {
	for range looksMax {
		if v.head, err = g.log.Head(ctx); err != nil {
			return err
		}
		v.stands = evidence.Grown
		if v.known == nil || v.known.checkpoint() == v.head {
			return nil
		}
		// Entries that wait are there, if not in the log: they will come in this order.
		more, err := g.db.WaitingLeaves(ctx, -1, int(max(0, min(v.known.Size-v.head.Size, evidence.WaitingMax))))
		if err != nil {
			return err
		}
		v.waiting = int64(len(more))
		if v.stands, err = g.log.Stands(ctx, v.known.checkpoint(), bytesOf(more)...); err != nil || v.stands == evidence.Grown {
			return err
		}
		// Was it moving while we looked?
		if again, err := g.log.Head(ctx); err != nil || again == v.head {
			return err
		}
	}
	return &mianmi.Error{Kind: mianmi.Unavailable, Msg: "the log grows too fast to be compared with what this node has seen of it"}
}

func bytesOf(list []store.WaitingLeaf) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i].Bytes
	}
	return out
}

// setBacksMax bounds what is read of them: a log goes back a few times in its life.
const setBacksMax = 200

// setBacks are the entries of a log that say that it went back, newest first.
func setBacks(ctx context.Context, db *store.DB, log *evidence.Log) ([]evidence.SetBack, error) {
	leaves, err := db.EntriesOf(ctx, asof.Query{Subject: evidence.SubjectOf(log.Name()), Upto: math.MaxInt64,
		Skip: []string{evidence.KeyChangeType}, Limit: setBacksMax})
	if err != nil {
		return nil, err
	}
	var out []evidence.SetBack
	for _, l := range leaves {
		e, err := evidence.Decode(l.Bytes)
		if err != nil {
			return nil, err
		}
		var b evidence.SetBack
		if e.Type != evidence.SetBackType && e.Type != evidence.RestoredType {
			continue
		}
		if err := e.ReadBody(&b); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// acknowledged reports whether the log itself says that what was seen is gone,
// by an entry that came after it was seen: another node was faster, or somebody
// has restored a backup and been told.
func acknowledged(list []evidence.SetBack, known *seenLog) bool {
	if len(list) <= known.SetBacks {
		return false
	}
	return slices.ContainsFunc(list[:len(list)-known.SetBacks], func(b evidence.SetBack) bool { // newest first
		return b.Known.Size > known.Size || b.Known == known.point()
	})
}

// epochsUnseen is more than the changes of settings that can have been made
// since a node remembered the last one.
const epochsUnseen = 10_000

// close closes PIN-free for everything and says so in the log. The epoch goes
// beyond all that other nodes have in memory first, so that they see it.
func (g *guard) close(ctx context.Context, v view) error {
	known := v.known
	if err := g.db.SkipEpochs(ctx, known.Epoch+epochsUnseen); err != nil {
		return err
	}
	if _, err := g.merchants.Close(ctx, guardActor, merchant.Everything()); err != nil {
		return fmt.Errorf("the log went back, and PIN-free payment could not be closed: %w", err)
	}
	b := evidence.SetBack{Known: known.point(), Left: evidence.Point{Size: v.head.Size, Root: v.head.Root},
		Lost: max(0, known.Size-v.head.Size-v.waiting), AtLeast: true, Forked: v.stands == evidence.Forked}
	e, err := g.log.NewSetBack(evidence.SetBackType, guardActor, g.random, b)
	if err == nil {
		err = g.db.WriteAboutLog(ctx, e)
	}
	if err != nil {
		return err
	}
	g.out.ErrorContext(ctx, "the database went back to an older copy: "+v.missing().EN+". What was switched off meanwhile is on again in it, "+
		"so PIN-free payment is closed for everything until two persons open it; docs/backup.md says what they do first",
		"seen", known.Size, "seen_at", known.At, "have", v.head.Size, "waiting", v.waiting, "forked", b.Forked)
	return nil
}

// missing says how a log that went back stands to what is known.
func (v *view) missing() mianmi.Text {
	if v.stands == evidence.Forked {
		return say("日志有 %d 条存证，与本节点见过的 %d 条不是同一份", "the log has %d entries, and those that this node has seen, %d, are others", v.head.Size, v.known.Size)
	}
	have := v.head.Size + v.waiting
	return say("日志有 %d 条存证，本节点见过 %d 条，至少缺少 %d 条", "the log has %d entries, and this node has seen %d: at least %d are missing", have, v.known.Size, v.known.Size-have)
}
