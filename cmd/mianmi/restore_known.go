package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/store"
)

// loss is what a restore takes away, as far as anybody can tell.
type loss struct {
	exact   bool // the present database was read to the end, and nobody knows of more
	entries int64
	forked  bool
	known   evidence.Checkpoint // the newest one that the backup does not cover
	what    mianmi.Text         // who knows of it
	epoch   int64               // of settings, the greatest that is known
	common  int64               // entries that backup and present database have in common
	sum     lostSum             // of the entries that are lost and were read
}

// none reports whether nothing is lost for certain.
func (l *loss) none() bool { return l.exact && l.entries == 0 && !l.forked }

// agreed reports whether the restore may go on: nothing is lost, or whoever
// runs it has said that so much may be.
func (r *restoration) agreed() bool {
	return r.loss.none() || r.cmd.Lose != nil && *r.cmd.Lose == r.loss.entries
}

// point is a checkpoint that somebody knows.
type point struct {
	evidence.Checkpoint
	what mianmi.Text
}

// compare holds the backup's log against every checkpoint that is known.
func (r *restoration) compare(ctx context.Context) (err error) {
	db, err := store.OpenCopy(ctx, r.part.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	log, err := r.app.logOf(ctx, db)
	if err != nil {
		return err
	}
	points, err := r.points(ctx, db, log)
	if err != nil {
		return err
	}
	waiting := int64(0)
	for _, p := range points {
		more, err := db.WaitingLeaves(ctx, -1, int(max(0, min(p.Size-r.copy.head.Size, evidence.WaitingMax))))
		if err != nil {
			return err
		}
		stands, err := log.Stands(ctx, p.Checkpoint, bytesOf(more)...)
		if err != nil {
			return fmt.Errorf("compare with %s: %w", p.what.EN, err)
		}
		if stands == evidence.Grown {
			continue
		}
		r.loss.forked = r.loss.forked || stands == evidence.Forked
		if p.Size >= r.loss.known.Size {
			r.loss.known, r.loss.what, waiting = p.Checkpoint, p.what, int64(len(more))
		}
	}
	r.loss.entries = max(0, r.loss.known.Size-r.copy.head.Size-waiting)
	if r.present.DB == nil || r.present.damage != nil {
		return nil
	}
	if err := r.readLost(ctx, db, log, points); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.present.damage = err // read in part: what is lost is not known
	}
	return nil
}

// points are the checkpoints that this node's memory, the operator and the
// present database know.
func (r *restoration) points(ctx context.Context, backup *store.DB, log *evidence.Log) ([]point, error) {
	var out []point
	first, begun, err := log.First(ctx)
	if err != nil {
		return nil, err
	}
	if begun {
		list, err := (memory{r.app.shared.seenFile()}).load()
		if err != nil {
			return nil, err
		}
		if seen := of(list, first); seen != nil {
			r.loss.epoch = seen.Epoch
			out = append(out, point{seen.checkpoint(), say("本节点 %s 记下的检查点", "what this node noted at %s", seen.At.Format(time.RFC3339))})
		}
	}
	for _, file := range r.cmd.Checkpoint {
		kept, err := readKept(ctx, log, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, point{kept, say("文件 %s", "the file %s", file)})
	}
	if r.present.DB == nil {
		return out, nil
	}
	more, err := r.presentPoints(ctx, backup, log)
	if err != nil {
		r.present.damage = err
	}
	return append(out, more...), ctx.Err()
}

// presentPoints are how far the present database's log is, and what it says of
// its own past that the backup does not say.
func (r *restoration) presentPoints(ctx context.Context, backup *store.DB, log *evidence.Log) ([]point, error) {
	theirs, err := r.app.logOf(ctx, r.present.DB)
	if err != nil {
		return nil, err
	}
	if err := theirs.CheckKey(ctx); err != nil {
		return nil, err
	}
	epoch, err := r.present.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	r.loss.epoch = max(r.loss.epoch, epoch)
	head, err := theirs.Head(ctx)
	if err != nil {
		return nil, err
	}
	out := []point{{head, say("现有数据库", "the present database")}}
	said, err := setBacks(ctx, r.present.DB, theirs)
	if err != nil {
		return out, err
	}
	known, err := setBacks(ctx, backup, log)
	if err != nil {
		return out, err
	}
	for _, b := range said {
		if b.Known.Size > 0 && !slices.Contains(known, b) {
			out = append(out, point{evidence.Checkpoint{Origin: log.Name(), Size: b.Known.Size, Root: b.Known.Root},
				say("现有数据库中一次倒退的记录", "what the present database says of a time when it went back")})
		}
	}
	return out, nil
}

// readLost reads what the present database has and the backup lacks.
func (r *restoration) readLost(ctx context.Context, backup *store.DB, log *evidence.Log, points []point) error {
	theirs, err := r.app.logOf(ctx, r.present.DB)
	if err != nil {
		return err
	}
	if r.loss.common, err = evidence.Common(ctx, log, theirs); err != nil {
		return err
	}
	var sum lostSum
	if err := r.eachLost(ctx, backup, func(l *evidence.Leaf) error { return sum.add(l) }); err != nil {
		return err
	}
	r.loss.sum = sum
	if r.loss.exact, err = r.knowsAll(ctx, theirs, points); err != nil {
		return err
	}
	if r.loss.exact {
		r.loss.entries = sum.entries
	} else {
		r.loss.entries = max(r.loss.entries, sum.entries)
	}
	return nil
}

// knowsAll reports whether the present database is the one that the backup was
// taken from, and has all that anybody knows of.
func (r *restoration) knowsAll(ctx context.Context, theirs *evidence.Log, points []point) (bool, error) {
	if r.loss.common == 0 {
		return false, nil
	}
	head, err := theirs.Head(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range points {
		more, err := r.present.WaitingLeaves(ctx, -1, int(max(0, min(p.Size-head.Size, evidence.WaitingMax))))
		if err != nil {
			return false, err
		}
		stands, err := theirs.Stands(ctx, p.Checkpoint, bytesOf(more)...)
		if err != nil || stands != evidence.Grown {
			return false, err
		}
	}
	return true, nil
}

// lostPage is how many entries are read at once.
const lostPage = 500

// eachLost calls fn with every entry that the present database has and the
// backup lacks, in the order of its log, those that waited for it last.
func (r *restoration) eachLost(ctx context.Context, backup *store.DB, fn func(*evidence.Leaf) error) error {
	lost := func(l *evidence.Leaf) error {
		_, err := backup.Leaf(ctx, l.ID)
		if errors.Is(err, mianmi.NotFound) {
			return fn(l)
		}
		return err
	}
	for next := r.loss.common; ; {
		page, err := r.present.Leaves(ctx, next, lostPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			if err := lost(&page[i]); err != nil {
				return err
			}
		}
		next = page[len(page)-1].Index + 1
	}
	for next := int64(-1); ; {
		page, err := r.present.WaitingLeaves(ctx, next, lostPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if err := lost(&page[i].Leaf); err != nil {
				return err
			}
			next = page[i].Number
		}
	}
}
