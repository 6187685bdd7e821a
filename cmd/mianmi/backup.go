package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

type backupCmd struct {
	File string `arg:"" placeholder:"FILE" help:"File to write; it must not be there yet." zh:"要写入的文件，不得已存在。"`
}

// Run copies the database, checks the copy, and only then gives it its name:
// a file of that name is a whole backup or none.
func (c *backupCmd) Run(ctx context.Context, a *app) (err error) {
	from, err := a.sqliteFile()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.File); !errors.Is(err, fs.ErrNotExist) {
		return mianmi.InvalidField("file", c.File+" is there already, and a backup replaces nothing: name another file")
	}
	part, err := takePart(c.File + partSuffix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.drop()) }()
	if err := store.CopySQLite(ctx, from, part.name); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return fmt.Errorf("sync the copy: %w", err)
	}
	got, err := a.examineCopy(ctx, part.name)
	if err != nil {
		return fmt.Errorf("the copy is no good, and was removed: %w", err)
	}
	if got.sum, err = part.sum(); err != nil {
		return err
	}
	if err := part.become(c.File); err != nil {
		return err
	}
	return a.tellBackup(c.File, got)
}

// sqliteFile is the database's file. A PostgreSQL database has ways of its own.
func (a *app) sqliteFile() (string, error) {
	file, sqlite := strings.CutPrefix(a.shared.dsn(), "sqlite:")
	if !sqlite {
		return "", mianmi.InvalidField("db", "is a PostgreSQL database: back it up and restore it with PostgreSQL's own means, as docs/backup.md says")
	}
	return file, nil
}

// partSuffix ends the name of a file that is not whole yet.
const partSuffix = ".part"

// part is a file that is being written; nobody else writes it. What a process
// that was killed has left is taken over.
type part struct {
	*os.File
	name string
	done bool
}

func takePart(name string) (*part, error) {
	f, err := openAlone(name)
	if errors.Is(err, fs.ErrExist) {
		return nil, mianmi.Conflicts("in_use", name+" is being written by another process")
	}
	if err != nil {
		return nil, err
	}
	return &part{File: f, name: name}, nil
}

// drop removes the file unless it has got its name, and what SQLite has left
// beside it.
func (p *part) drop() error {
	var err error
	if !p.done {
		for _, beside := range besides {
			_ = os.Remove(p.name + beside) // mostly there is none
		}
		err = os.Remove(p.name)
	}
	return errors.Join(err, p.Close())
}

// besides end the names of files that SQLite has beside a database.
var besides = []string{"-wal", "-shm", "-journal"}

// sum is the SHA-256 of the file, in hexadecimal.
func (p *part) sum() (string, error) {
	if _, err := p.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, p.File); err != nil {
		return "", fmt.Errorf("read the copy back: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// become gives the file its name, which nobody has taken meanwhile.
func (p *part) become(name string) error {
	if err := os.Link(p.name, name); err != nil {
		return fmt.Errorf("name the backup: %w", err)
	}
	p.done = true
	return errors.Join(os.Remove(p.name), syncDir(filepath.Dir(name)))
}

// syncDir makes names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// copyFacts are what was found in a copy of the database.
type copyFacts struct {
	store.Held
	head   evidence.Checkpoint
	sum    string
	schema int64
	older  bool // schema of an older program: books and log were not checked
	books  store.Books
	log    evidence.Checked
	state  evidence.State
}

// examineCopy reads a copy of the database from end to end: the file, the
// books, and every entry of the log. It leaves the file as it is.
func (a *app) examineCopy(ctx context.Context, file string) (got copyFacts, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return got, err
	}
	db, err := store.OpenCopy(ctx, file)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	damage, err := db.Damage(ctx)
	if err != nil || len(damage) > 0 {
		return got, errors.Join(err, fmt.Errorf("the file is damaged: %s", strings.Join(damage, "; ")))
	}
	have, want, err := db.Schema(ctx)
	switch {
	case err != nil:
		return got, err
	case have < 1 || have > want:
		return got, mianmi.Conflicts("schema", fmt.Sprintf("its schema is of version %d, and this program knows up to %d", have, want))
	}
	if got.schema, got.older = have, have < want; !got.older {
		if err := a.examineContents(ctx, db, &got); err != nil {
			return got, err
		}
	}
	got.Bytes = info.Size()
	return got, nil
}

// examineContents checks what is in a copy of this program's schema.
func (a *app) examineContents(ctx context.Context, db *store.DB, got *copyFacts) (err error) {
	if got.Held, err = db.Holds(ctx); err != nil {
		return err
	}
	if got.books, err = db.CheckBooks(ctx); err != nil {
		return err
	}
	if !got.books.OK() {
		return fmt.Errorf("its books do not balance: %d payers, %d payments, %d guarantee accounts", got.books.Unequal, got.books.Unmatched, got.books.Guarantee)
	}
	if got.Keys == nil { // no server has ever run on it
		return nil
	}
	keys, err := secret.Load(a.shared.keysFile())
	if err != nil {
		return err
	}
	if string(keys.Digest("installation", "server keys")) != string(got.Keys) {
		return mianmi.Conflicts("other_keys", "it was filled with other server keys than those in "+a.shared.keysFile())
	}
	log, err := a.openLog(ctx, db, keys)
	if err != nil {
		return err
	}
	if got.log, err = log.Check(ctx, evidence.Check{}); err != nil {
		return err
	}
	if f := got.log.Fault; f != nil {
		return errors.New("its log does not verify: " + f.Words().In(a.lang))
	}
	if got.state, err = log.State(ctx); err != nil {
		return err
	}
	got.head, err = log.Head(ctx)
	return err
}

func (a *app) tellBackup(file string, got copyFacts) error {
	page := &strings.Builder{}
	say := func(zh, en string, figures ...any) {
		fmt.Fprintf(page, mianmi.Text{ZH: zh, EN: en}.In(a.lang), figures...)
	}
	say("备份已写好：%s（%d 字节）\nSHA-256：%s\n", "backup written: %s, %d bytes\nSHA-256 %s\n", file, got.Bytes, got.sum)
	if got.older {
		say("数据库结构版本 %d，早于本程序：已核对文件完整，账目和日志未核对\n", "its schema is of version %d, older than this program: the file is whole, books and log were not checked\n", got.schema)
	} else {
		say("付款人 %d 位，付款 %d 笔；文件完整，账目平衡，日志 %d 条存证全部相符，另有 %d 条待写入\n",
			"%d payers, %d payments; the file is whole, the books balance, all %d entries of the log fit, %d more wait\n",
			got.Payers, got.Payments, got.log.Entries, got.state.Waiting)
	}
	say("密钥文件不在备份中：请另行保管 %s，没有它这份备份无法使用；不要与备份放在一处\n",
		"The keys file is not in it: keep %s too, for without it this backup is of no use; and keep it elsewhere than the backup\n", a.shared.keysFile())
	if note := got.state.Newest.Note; note != "" {
		say("日志的检查点如下，请与备份分开保存，日后供 mianmi restore --checkpoint 和 mianmi evidence check --against 使用：\n\n", "The log's checkpoint follows. Keep it apart from the backup, for mianmi restore --checkpoint and mianmi evidence check --against:\n\n")
		page.WriteString(note)
	}
	_, err := io.WriteString(a.stdout, page.String())
	return err
}
