package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// privacyCmd hands out and erases what is kept on a person, on the database itself,
// while servers run.
type privacyCmd struct {
	Export privacyExportCmd `cmd:"" help:"Write all that is kept on a person into one ZIP file." zh:"把所保存的某人全部数据导出为一个 ZIP 文件。"`
	Erase  privacyEraseCmd  `cmd:"" help:"Erase a person for good, once nothing hangs on them; the log stays whole. It cannot be taken back." zh:"在没有任何未了事项时永久删除某人的个人信息；日志保持完整。不可撤销。"`
}

// keepFlags are how long a person is kept.
type keepFlags struct {
	KeepPersons time.Duration `placeholder:"TIME" default:"87600h" help:"How long a person is kept after the last payment or top-up, as the law has it: 87600h are ten years. Earlier nobody can erase the person." zh:"最后一笔付款或充值之后，个人信息依法须保存的时间；87600h 即十年。期满之前任何人都不能删除。"`
}

func (f *keepFlags) check() error {
	if f.KeepPersons < 24*time.Hour || f.KeepPersons > 100*365*24*time.Hour {
		return errors.New("--keep-persons: want 24h to 876000h")
	}
	return nil
}

func (a *app) privacy(db *store.DB, keys *secret.Keys, files *filesFlags, keep time.Duration) (*privacy.Service, error) {
	folder, err := files.filesFolder(a, keys)
	if err != nil {
		return nil, err
	}
	return privacy.New(privacy.Parts{Store: db, Files: folder, Keys: keys, Clock: a.clock, Random: a.random, Keep: keep})
}

// onPersons identifies who asks, who has to be a member of staff.
func (a *app) onPersons(ctx context.Context, who *asStaff, files *filesFlags, keep time.Duration, fn func(context.Context, *fleetWork, *privacy.Service) error) error {
	return a.onFleet(ctx, who, func(ctx context.Context, w *fleetWork) error {
		keys, err := a.keys(ctx, w.db)
		if err != nil {
			return err
		}
		s, err := a.privacy(w.db, keys, files, keep)
		if err != nil {
			return err
		}
		return fn(ctx, w, s)
	})
}

// forgetMost bounds what one turn looks at of each kind.
const forgetMost = 100

// forgetWords removes what people wrote in cases and complaints that are long over.
func forgetWords(a *app, db *store.DB, t *tuning) worker {
	keep := t.KeepWords
	if keep <= 0 { // nobody said: as the flag has it
		keep = 3 * 365 * 24 * time.Hour
	}
	return worker{"forget words", time.Hour, func(ctx context.Context) (bool, error) {
		n, err := db.ForgetWords(ctx, a.clock.Now().Add(-keep), forgetMost)
		return n >= forgetMost, err
	}}
}

type privacyExportCmd struct {
	Payer string `arg:"" placeholder:"PAYER" help:"The payer: py…." zh:"付款人标识：py…。"`
	asStaff
	filesFlags
	Out string `short:"o" placeholder:"FILE" help:"File to write, which must not be there yet; by default mianmi-PAYER.zip here." zh:"输出文件，须尚不存在；默认为当前目录下的 mianmi-付款人标识.zip。"`
}

// Run writes the file.
func (c *privacyExportCmd) Run(ctx context.Context, a *app) error {
	return a.onPersons(ctx, &c.asStaff, &c.filesFlags, 0, func(ctx context.Context, w *fleetWork, s *privacy.Service) error {
		e, err := s.Export(ctx, w.actor, mianmi.PayerID(c.Payer))
		if err != nil {
			return err
		}
		name := c.Out
		if name == "" {
			name = e.Name
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it is all about a person
		if err != nil {
			return err
		}
		_, err = f.Write(e.Zip)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		return w.print(say("已写入 %s，%d 字节\nSHA-256 %s\n导出已存证：%s\n", "wrote %s, %d bytes\nSHA-256 %s\nrecorded as %s\n", name, len(e.Zip), e.Digest, e.Entry))
	})
}

type privacyEraseCmd struct {
	Payer string `arg:"" placeholder:"PAYER" help:"The payer: py…." zh:"付款人标识：py…。"`
	asStaff
	filesFlags
	keepFlags
	Basis string `required:"" placeholder:"NUMBER" help:"Number of the request that it is done on. It stays in the log for ever: no name, no phone number." zh:"所依据申请的编号。编号将永久留在日志中，不得写姓名或手机号。"`
}

// Run erases the person.
func (c *privacyEraseCmd) Run(ctx context.Context, a *app) error {
	if err := c.keepFlags.check(); err != nil {
		return err
	}
	return a.onPersons(ctx, &c.asStaff, &c.filesFlags, c.KeepPersons, func(ctx context.Context, w *fleetWork, s *privacy.Service) error {
		entry, err := s.Erase(ctx, w.actor, mianmi.PayerID(c.Payer), c.Basis)
		if err != nil {
			return err
		}
		return w.print(say("已删除 %s 的个人信息，存证 %s。附件由服务在一小时内清除。备份中的数据仍在，请按 docs/privacy.zh-CN.md 处理。\n",
			"erased the person of %s, recorded as %s. Servers remove the files of cases within the hour. Backups still hold it: see docs/privacy.md.\n", c.Payer, entry))
	})
}
