package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

type restoreCmd struct {
	From         string   `required:"" placeholder:"FILE" help:"Backup to put in the place of the database." zh:"要恢复的备份文件。"`
	Checkpoint   []string `placeholder:"FILE,…" help:"Checkpoints or receipts that somebody kept, from after the backup perhaps: how far the log had come at least." zh:"他人保存的检查点或凭证（可能晚于备份），用来确认日志至少到过哪里。"`
	Lose         *int64   `placeholder:"N" help:"Restore although N entries of the log are lost by it, N being the number that this command names without the flag." zh:"即使日志因此丢失 N 条存证也要恢复；N 为不带此参数时本命令报告的条数。"`
	KeepSwitches bool     `help:"When nobody knows what was closed after the backup, leave single switches as the backup has them. PIN-free payment stays closed for everything until two persons open it." zh:"无从得知备份之后关闭过什么时，各项开关仍按备份保留；全局免密保持关闭，直至两人复核开启。"`
}

// Validate is called by kong once every flag is set.
func (c *restoreCmd) Validate() error {
	if c.Lose != nil && *c.Lose < 0 {
		return errors.New("--lose: want 0 or more")
	}
	return nil
}

// restoringSuffix ends the name of a database that is being put in place.
const restoringSuffix = ".restoring"

// Run makes the database that is to be in place, whole and checked, beside the
// present one, and then swaps them by one rename. Until then the present
// database is as it was; from then on what would let PIN-free payment come back
// unseen is closed already (docs/adr/0011).
func (c *restoreCmd) Run(ctx context.Context, a *app) (err error) {
	to, err := a.sqliteFile()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(to); err == nil { // the link stays, and leads to the new one
		to = real
	}
	if err := c.checkFrom(to); err != nil {
		return err
	}
	if _, err := secret.Load(a.shared.keysFile()); err != nil {
		return fmt.Errorf("put the keys file back first, from where it was kept: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("make the folder of the database: %w", err)
	}
	part, err := takePart(to + restoringSuffix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.drop()) }()
	r := &restoration{cmd: c, app: a, to: to, part: part}
	if err := r.present.claim(ctx, to); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.present.Close()) }()
	return r.run(ctx)
}

// checkFrom refuses a database in use, of which the file alone is no backup.
func (c *restoreCmd) checkFrom(to string) error {
	from, err := os.Stat(c.From)
	if err != nil {
		return err
	}
	if present, err := os.Stat(to); err == nil && os.SameFile(from, present) {
		return mianmi.InvalidField("from", c.From+" is the database itself")
	}
	if wal, err := os.Stat(c.From + "-wal"); err == nil && wal.Size() > 0 {
		return mianmi.InvalidField("from", c.From+" has a write-ahead log beside it, so it is a database in use or one whose server was killed: "+
			"make a backup of it with mianmi backup --db sqlite:"+c.From)
	}
	return nil
}

// restoration is a restore on its way.
type restoration struct {
	cmd     *restoreCmd
	app     *app
	to      string
	part    *part
	present present
	copy    copyFacts // of the backup, read from what will be in place
	loss    loss
	done    applied
	kept    string // where the former database is; empty: there was none
}

func (r *restoration) run(ctx context.Context) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if !r.agreed() {
		return errors.Join(r.tellRefusal(), errFound)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.swap(); err != nil {
		return err
	}
	if r.done.seen != nil {
		if err := (memory{r.app.shared.seenFile()}).keep(*r.done.seen); err != nil {
			r.app.log.WarnContext(ctx, "how far the log is could not be noted; the next server does", "error", err)
		}
	}
	return r.tellDone()
}

// present is the database that is to be replaced.
type present struct {
	*store.DB       // nil: there is none, or it cannot be read
	there     bool  // there is a file
	damage    error // why it cannot be read, or not to the end
}

// claim takes the present database, so that nobody writes to it any more.
func (p *present) claim(ctx context.Context, file string) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	p.there = true
	db, err := store.Claim(ctx, file)
	switch {
	case err == nil:
		p.DB = db
	case store.InUse(err):
		return err
	default:
		p.damage = err
	}
	return nil
}

// Close gives the database back.
func (p *present) Close() error {
	if p.DB == nil {
		return nil
	}
	return p.DB.Close()
}

// read copies the backup to where it will stand and examines the copy: what is
// checked is what will be in place.
func (r *restoration) read(ctx context.Context) error {
	from, err := os.Open(r.cmd.From)
	if err != nil {
		return err
	}
	_, err = io.Copy(r.part.File, from)
	if err = errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	if err := r.part.Sync(); err != nil {
		return fmt.Errorf("sync the copy: %w", err)
	}
	if r.copy, err = r.app.examineCopy(ctx, r.part.name); err == nil && r.copy.older {
		if err = r.migrate(ctx); err == nil {
			r.copy, err = r.app.examineCopy(ctx, r.part.name)
		}
	}
	if err != nil {
		return fmt.Errorf("the backup %s is no good, and nothing was changed: %w", r.cmd.From, err)
	}
	return nil
}

// migrate brings a backup of an older program up to this one's schema.
func (r *restoration) migrate(ctx context.Context) error {
	db, err := r.open(ctx)
	if err != nil {
		return err
	}
	_, err = db.Migrate(ctx)
	return errors.Join(err, r.close(ctx, db))
}

// open opens what will be in place for writing. It is not in service yet, so
// its writes are synced once, in the end.
func (r *restoration) open(ctx context.Context) (*store.DB, error) {
	return store.Open(ctx, "sqlite:"+r.part.name, store.Options{NoSync: true})
}

// close makes one whole, durable file of it.
func (r *restoration) close(ctx context.Context, db *store.DB) error {
	if err := db.Close(); err != nil {
		return err
	}
	whole, err := store.Claim(ctx, r.part.name) // folds the write-ahead log in
	if err != nil {
		return err
	}
	if err := whole.Close(); err != nil {
		return err
	}
	return r.part.Sync()
}

// swap puts the prepared file in the place of the database by one rename. The
// former one keeps all that it had, under another name.
func (r *restoration) swap() error {
	kept := r.to + ".before-" + r.app.clock.Now().UTC().Format("20060102T150405.000Z")
	// Beside a database that was claimed lies nothing that counts. What lies
	// beside one that is damaged, or is gone, must not be taken for the new one's.
	for _, beside := range besides {
		if r.present.DB != nil {
			break
		}
		if err := os.Rename(r.to+beside, kept+beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep what lies beside the former database: %w", err)
		}
	}
	if !r.present.there { // a server that made a database meanwhile is not to lose it
		if err := os.Link(r.part.name, r.to); err != nil {
			return fmt.Errorf("put the backup in place: %w", err)
		}
		return syncDir(filepath.Dir(r.to))
	}
	if err := os.Link(r.to, kept); err != nil {
		return fmt.Errorf("keep the former database: %w", err)
	}
	if err := os.Rename(r.part.name, r.to); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	r.part.done, r.kept = true, kept
	return syncDir(filepath.Dir(r.to))
}
