package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/update"
)

type updateCmd struct {
	Updates    string   `placeholder:"DIR" help:"Folder of the update repository; default is updates in the data folder." zh:"更新库目录；默认为数据目录下的 updates。"`
	UpdateKeys []string `placeholder:"DIR,…" help:"Folders of the keys that sign it, for example one on this machine and one on a stick; new keys go into the first. Default is update-keys in the data folder." zh:"签名密钥所在目录，例如本机一个、U 盘一个；新密钥写入第一个。默认为数据目录下的 update-keys。"`

	Init     updateInitCmd     `cmd:"" help:"Begin a repository, with a key for each role." zh:"建立更新库，并为每个角色生成密钥。"`
	Publish  updatePublishCmd  `cmd:"" help:"Sign a program and offer it to the terminals of a model." zh:"签发一个程序，提供给某机型的终端。"`
	Withdraw updateWithdrawCmd `cmd:"" help:"No longer offer a version; terminals that have it keep it." zh:"不再提供某个版本；已安装的终端不受影响。"`
	Refresh  updateRefreshCmd  `cmd:"" help:"Sign anew what expires; run it daily." zh:"续签即将到期的信息；建议每天运行。"`
	Rotate   updateRotateCmd   `cmd:"" help:"Give a role another key; the former one signs nothing any more." zh:"为某个角色更换密钥，旧密钥随即失效。"`
	Status   updateStatusCmd   `cmd:"" help:"Show programs, keys and expiry; exit status 1 when something has expired." zh:"显示程序、密钥与到期时间；有过期项时退出码为 1。"`
}

func (a *app) updatesDir(flag string) string {
	if flag != "" {
		return flag
	}
	return filepath.Join(a.shared.Data, "updates")
}

// updates is the repository by the flags that name it.
func (a *app) updates(dir string, keys []string) *update.Repository {
	if len(keys) == 0 {
		keys = []string{filepath.Join(a.shared.Data, "update-keys")}
	}
	return &update.Repository{Dir: a.updatesDir(dir), Keys: keys, Clock: a.clock, Random: a.random}
}

// open returns the repository, which nobody else changes until it is closed.
func (c *updateCmd) open(a *app) (*update.Repository, io.Closer, error) {
	r := a.updates(c.Updates, c.UpdateKeys)
	_, lock, err := disk.Open(r.Dir)
	return r, lock, err
}

// in runs do on the repository, and says what it returns in the language.
func (c *updateCmd) in(a *app, do func(*update.Repository) (zh, en string, err error)) (err error) {
	r, lock, err := c.open(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	zh, en, err := do(r)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, mianmi.Text{ZH: zh, EN: en}.In(a.lang)+"\n")
	return err
}

type updateInitCmd struct{}

// Run begins a repository.
func (updateInitCmd) Run(a *app, c *updateCmd) error {
	return c.in(a, func(r *update.Repository) (string, string, error) {
		return fmt.Sprintf("更新库已建立：%s\n密钥在 %s：请把 root.*.pem 和 targets.*.pem 移到离线介质上妥善保管，签发和换钥时再用；snapshot 与 timestamp 留在本机，用于每天续签", r.Dir, r.Keys[0]),
			fmt.Sprintf("repository begun in %s\nIts keys are in %s. Move root.*.pem and targets.*.pem to a medium that is kept offline, for publishing and rotation; snapshot and timestamp stay for the daily refresh", r.Dir, r.Keys[0]), r.Init()
	})
}

type updatePublishCmd struct {
	Model           string        `arg:"" placeholder:"FAMILY" help:"Family of the model." zh:"机型类别。"`
	Release         string        `arg:"" placeholder:"VERSION" help:"Version of the program, such as 1.4.0: the one that it reports itself." zh:"程序版本，如 1.4.0，须与程序自报的一致。"`
	File            string        `arg:"" placeholder:"FILE" help:"The program." zh:"程序文件。"`
	Platform        string        `placeholder:"OS-ARCH" help:"System and processor, such as linux-arm64; default is read from the program." zh:"系统与处理器，如 linux-arm64；默认从程序中读取。"`
	MinimumApp      string        `placeholder:"VERSION" help:"Oldest program that may be replaced by it." zh:"可由它替换的最低程序版本。"`
	MinimumOS       string        `name:"minimum-os" placeholder:"VERSION" help:"Oldest operating system that it runs on." zh:"所需的最低系统版本。"`
	MinimumFirmware string        `placeholder:"VERSION" help:"Oldest firmware that it runs on." zh:"所需的最低固件版本。"`
	Staged          []string      `placeholder:"STAGE,…" help:"Let it come to terminals in stages (5%,25% or tm…+st…,10%), as mianmi fleet stage does, with the usual thresholds; needs the server's database. Without it every terminal of the family may have it at once." zh:"分批下发（如 5%,25% 或 tm…+st…,10%），与 mianmi fleet stage 相同，采用通常的阈值；须能访问服务端数据库。不设则该机型的全部终端可立即获取。"`
	AttestWithin    time.Duration `placeholder:"TIME" default:"10m" help:"How long it may run until the host has accepted a report of it; after that the terminal goes back." zh:"启动后须在多长时间内得到主机证实，否则终端退回原版本。"`
}

// Run signs a program.
func (p *updatePublishCmd) Run(ctx context.Context, a *app, c *updateCmd) error {
	if !slices.Contains(model.Families(), p.Model) {
		return mianmi.InvalidField("model", "want one of "+strings.Join(model.Families(), ", "))
	}
	file, err := os.Open(p.File)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if p.Platform, err = p.builtFor(file); err != nil {
		return err
	}
	one := update.Program{Model: p.Model, Version: p.Release, Platform: p.Platform, Size: info.Size(), AttestSeconds: int64(p.AttestWithin / time.Second),
		Minimum: update.Minimum{App: p.MinimumApp, OS: p.MinimumOS, Firmware: p.MinimumFirmware}}
	if len(p.Staged) > 0 { // first, or somebody takes it in between
		stages, err := parseStages("staged", p.Staged)
		if err == nil {
			err = a.stageProgram(ctx, p.Model, p.Release, stages)
		}
		if err != nil {
			return err
		}
	}
	return c.in(a, func(r *update.Repository) (string, string, error) {
		return fmt.Sprintf("已签发：%s %s（%s，%d 字节）", one.Model, one.Version, one.Platform, one.Size),
			fmt.Sprintf("published: %s %s (%s, %d bytes)", one.Model, one.Version, one.Platform, one.Size), r.Publish(one, file)
	})
}

// builtFor reads from the program what it was built for, and refuses one that
// would report another version: it would never be believed.
func (p *updatePublishCmd) builtFor(file io.ReaderAt) (string, error) {
	info, err := buildinfo.Read(file)
	if err != nil { // not of Go: its maker says what it is
		if p.Platform == "" {
			return "", mianmi.InvalidField("platform", "cannot be read from the program: say it, such as linux-arm64")
		}
		return p.Platform, nil
	}
	v, platform := callsItself(info)
	if v != "" && v != "(devel)" && !update.Same(v, p.Release) {
		return "", mianmi.InvalidField("version", "the program calls itself "+v)
	}
	if p.Platform != "" && p.Platform != platform {
		return "", mianmi.InvalidField("platform", "the program was built for "+platform)
	}
	return platform, nil
}

// callsItself is the version that a program will report, and its platform.
func callsItself(info *buildinfo.BuildInfo) (v, platform string) {
	built := map[string]string{}
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	v = info.Main.Version
	if _, said, ok := strings.Cut(built["-ldflags"], "main.release="); ok {
		v, _, _ = strings.Cut(said, " ")
		v = strings.Trim(v, `"'`)
	}
	return v, built["GOOS"] + "-" + built["GOARCH"]
}

type updateWithdrawCmd struct {
	Model   string `arg:"" placeholder:"FAMILY" help:"Family of the model." zh:"机型类别。"`
	Release string `arg:"" placeholder:"VERSION" help:"Version to be offered no longer." zh:"不再提供的版本。"`
}

// Run takes a version back.
func (p *updateWithdrawCmd) Run(a *app, c *updateCmd) error {
	return c.in(a, func(r *update.Repository) (string, string, error) {
		return fmt.Sprintf("已撤下：%s %s", p.Model, p.Release), fmt.Sprintf("withdrawn: %s %s", p.Model, p.Release), r.Withdraw(p.Model, p.Release)
	})
}

type updateRefreshCmd struct{}

// Run signs what expires.
func (updateRefreshCmd) Run(a *app, c *updateCmd) error {
	return c.in(a, func(r *update.Repository) (string, string, error) {
		signed, err := r.Refresh()
		return "已续签：" + strings.Join(signed, "、"), "signed anew: " + strings.Join(signed, ", "), err
	})
}

type updateRotateCmd struct {
	Role string `arg:"" placeholder:"ROLE" help:"root, targets, snapshot or timestamp." zh:"root、targets、snapshot 或 timestamp。"`
}

// Run gives a role another key.
func (p *updateRotateCmd) Run(a *app, c *updateCmd) error {
	return c.in(a, func(r *update.Repository) (string, string, error) {
		return fmt.Sprintf("%s 的新密钥已启用，在 %s；旧密钥已失效，请销毁", p.Role, r.Keys[0]),
			fmt.Sprintf("%s has a new key, in %s; the former one signs nothing any more: destroy it", p.Role, r.Keys[0]), r.Rotate(p.Role)
	})
}

type updateStatusCmd struct{}

// Run shows how the repository stands.
func (updateStatusCmd) Run(a *app, c *updateCmd) error {
	r := &update.Repository{Dir: a.updatesDir(c.Updates), Keys: c.UpdateKeys, Clock: a.clock, Random: a.random}
	if len(r.Keys) == 0 {
		r.Keys = []string{filepath.Join(a.shared.Data, "update-keys")}
	}
	s, err := r.Standing()
	if err != nil {
		return err
	}
	page, late := a.updateStanding(s)
	if _, err := io.WriteString(a.stdout, page); err != nil {
		return err
	}
	if late {
		return errFound
	}
	return nil
}

// updateStanding is the page of a repository; late says that something has expired.
func (a *app) updateStanding(s update.Standing) (page string, late bool) {
	say := func(zh, en string) string { return mianmi.Text{ZH: zh, EN: en}.In(a.lang) }
	out := &strings.Builder{}
	roles := textTable{}
	roles.add(say("角色", "role"), say("版本", "version"), say("到期", "expires"), say("密钥", "key"), "")
	for _, one := range s.Roles {
		note := say("密钥不在本机", "its key is not here")
		if one.KeyHere {
			note = say("密钥在本机", "its key is here")
		}
		left := one.Expires.Sub(a.clock.Now())
		switch {
		case left < 0:
			late = true
			note += say("；已过期，终端不再接受更新", "; expired: terminals take no updates")
		case left < 2*24*time.Hour:
			note += say("；即将到期", "; expires soon")
		}
		roles.add(one.Role, fmt.Sprint(one.Version), one.Expires.Format("2006-01-02 15:04"), one.Key, note)
	}
	roles.write(out)
	if len(s.Programs) == 0 {
		return out.String() + say("尚未签发任何程序\n", "no programs are published\n"), late
	}
	out.WriteString("\n")
	programs := textTable{}
	programs.add(say("机型", "model"), say("版本", "version"), say("平台", "platform"), say("字节", "bytes"), say("要求", "needs"))
	for _, p := range s.Programs {
		var needs []string
		for _, n := range [][2]string{{say("程序 ", "program "), p.Minimum.App}, {say("系统 ", "system "), p.Minimum.OS}, {say("固件 ", "firmware "), p.Minimum.Firmware}} {
			if n[1] != "" {
				needs = append(needs, n[0]+n[1])
			}
		}
		needs = append(needs, say("证实限期 ", "proof within ")+(time.Duration(p.AttestSeconds)*time.Second).String())
		programs.add(p.Model, p.Version, p.Platform, fmt.Sprint(p.Size), strings.Join(needs, say("，", ", ")))
	}
	programs.write(out)
	return out.String(), late
}
