package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/store"
)

// rulesPacks are the life of the packs in force. They work on the database,
// without a server, like the subcommands of staff.
type rulesPacks struct {
	DryRun   rulesDryRunCmd   `cmd:"" help:"Say what a change of the packs in force would do: compile, list every fault with its line, say whether it is a tightening and what differs." zh:"预演规则包变更：编译并逐行列出全部错误，说明是否属于收紧以及逐项差异。"`
	Propose  rulesProposeCmd  `cmd:"" help:"Put packs in force, each in place of its version before. A tightening is in force at once; everything else waits for a second person." zh:"启用规则包（取代其原有版本）。确属收紧的立即生效，其余须由第二人复核。"`
	Withdraw rulesWithdrawCmd `cmd:"" help:"Take packs out of force: at once when that is a tightening, else by a proposal." zh:"撤下规则包：确属收紧的立即生效，其余须复核。"`
	Changes  rulesChangesCmd  `cmd:"" help:"List the changes that wait for a second person, or show one whole." zh:"列出待复核的变更，或完整显示其中一项。"`
	Approve  rulesApproveCmd  `cmd:"" help:"Approve a change that another person proposed." zh:"复核通过他人提出的变更。"`
	Reject   rulesRejectCmd   `cmd:"" help:"Reject a change that waits." zh:"驳回待复核的变更。"`
	TakeBack rulesTakeBackCmd `cmd:"" help:"Take one's own change back." zh:"收回自己提出的变更。"`
	History  rulesHistoryCmd  `cmd:"" help:"List the versions of a pack that have been in force." zh:"列出某规则包曾经启用的各版本。"`
}

// orderFlags are a change of the packs in force.
type orderFlags struct {
	Files    []string `arg:"" name:"file" optional:"" placeholder:"FILE" help:"Rule packs in YAML." zh:"YAML 格式的规则包。"`
	Withdraw []string `placeholder:"PACK,…" help:"Packs to take out of force in the same change." zh:"同一变更中要撤下的规则包。"`
}

// order reads the files.
func (f *orderFlags) order() (rules.Order, error) {
	o := rules.Order{Withdraw: f.Withdraw}
	for _, name := range f.Files {
		text, err := readPackText(name)
		if err != nil {
			return o, err
		}
		o.Put = append(o.Put, rules.Text{Name: filepath.Base(name), YAML: string(text), Source: rules.API})
	}
	return o, nil
}

type rulesDryRunCmd struct{ orderFlags }

// Run compares with the packs in force; where there is no database yet it
// compiles the packs beside the usual ones.
func (c *rulesDryRunCmd) Run(ctx context.Context, a *app) error {
	o, err := c.order()
	if err != nil {
		return err
	}
	file, sqlite := strings.CutPrefix(a.shared.dsn(), "sqlite:")
	if _, err := os.Stat(file); sqlite && errors.Is(err, fs.ErrNotExist) {
		return a.compileAlone(c.Files)
	}
	return a.onRules(ctx, func(s *rules.Service, _ *store.DB) error {
		r, err := s.DryRun(ctx, commandLine, o)
		if err != nil {
			return err
		}
		return a.tellReport(&r)
	})
}

// compileAlone compiles packs where there is nothing to compare them with.
func (a *app) compileAlone(files []string) error {
	set, err := packs.Default()
	if err != nil {
		return err
	}
	var ids []string
	for _, name := range files {
		p, err := readPack(name)
		if err != nil {
			return err
		}
		set = append(slices.DeleteFunc(set, func(o pinfree.Pack) bool { return o.ID == p.ID }), p)
		ids = append(ids, p.ID)
	}
	if _, err := pinfree.Compile(set); err != nil {
		return err
	}
	text := mianmi.Text{ZH: "规则包 %s 可以编译；尚无数据库，无从比较\n", EN: "packs %s compile; there is no database yet to compare with\n"}
	_, err = fmt.Fprintf(a.stdout, text.In(a.lang), strings.Join(ids, ", "))
	return err
}

type rulesProposeCmd struct {
	orderFlags
	Note string `placeholder:"TEXT" help:"For those who decide." zh:"给复核人的说明。"`
	asStaff
}

// Run proposes, or tightens.
func (c *rulesProposeCmd) Run(ctx context.Context, a *app) error {
	o, err := c.order()
	if err != nil {
		return err
	}
	o.Note = c.Note
	return a.changeRules(ctx, &c.asStaff, func(s *rules.Service, who mianmi.Actor) (rules.Change, error) { return s.Propose(ctx, who, o) })
}

type rulesWithdrawCmd struct {
	Packs []string `arg:"" name:"pack" placeholder:"PACK" help:"Identifiers of the packs." zh:"规则包标识。"`
	Note  string   `placeholder:"TEXT" help:"For those who decide." zh:"给复核人的说明。"`
	asStaff
}

// Run takes packs out of force, or proposes it.
func (c *rulesWithdrawCmd) Run(ctx context.Context, a *app) error {
	o := rules.Order{Withdraw: c.Packs, Note: c.Note}
	return a.changeRules(ctx, &c.asStaff, func(s *rules.Service, who mianmi.Actor) (rules.Change, error) { return s.Propose(ctx, who, o) })
}

// changeFlag names a change.
type changeFlag struct {
	Change string `arg:"" placeholder:"CHANGE" help:"Identifier of the change (rc…)." zh:"变更标识（rc…）。"`
	asStaff
}

func (f *changeFlag) id() mianmi.RuleChangeID { return mianmi.RuleChangeID(f.Change) }

type rulesApproveCmd struct{ changeFlag }

// Run approves as a person: whoever has the database is no second one.
func (c *rulesApproveCmd) Run(ctx context.Context, a *app) error {
	if c.Login == "" {
		return mianmi.InvalidField("login", "an approval is a person's: name yours")
	}
	return a.changeRules(ctx, &c.asStaff, func(s *rules.Service, who mianmi.Actor) (rules.Change, error) { return s.Approve(ctx, who, c.id()) })
}

type rulesRejectCmd struct{ changeFlag }

// Run rejects as a person.
func (c *rulesRejectCmd) Run(ctx context.Context, a *app) error {
	if c.Login == "" {
		return mianmi.InvalidField("login", "a rejection is a person's: name yours")
	}
	return a.changeRules(ctx, &c.asStaff, func(s *rules.Service, who mianmi.Actor) (rules.Change, error) { return s.Reject(ctx, who, c.id()) })
}

type rulesTakeBackCmd struct{ changeFlag }

// Run takes a change back.
func (c *rulesTakeBackCmd) Run(ctx context.Context, a *app) error {
	return a.changeRules(ctx, &c.asStaff, func(s *rules.Service, who mianmi.Actor) (rules.Change, error) { return s.TakeBack(ctx, who, c.id()) })
}

type rulesChangesCmd struct {
	Change string `arg:"" optional:"" placeholder:"CHANGE" help:"Show this one, with the texts of its packs." zh:"显示这一项及其规则包原文。"`
	All    bool   `help:"List the others too, newest first: in force, rejected, lapsed." zh:"同时列出其余变更（已生效、已驳回、已失效），从新到旧。"`
}

// changesMax is how many changes are listed: what an operator can read.
const changesMax = 200

// Run lists changes, or shows one.
func (c *rulesChangesCmd) Run(ctx context.Context, a *app) error {
	return a.onRules(ctx, func(s *rules.Service, _ *store.DB) error {
		if c.Change != "" {
			one, err := s.Change(ctx, commandLine, mianmi.RuleChangeID(c.Change))
			if err != nil {
				return err
			}
			return a.tellWhole(&one)
		}
		list, err := s.Changes(ctx, commandLine, rules.ChangeQuery{Waiting: !c.All, Limit: changesMax})
		if err != nil {
			return err
		}
		return a.tellChanges(list)
	})
}

type rulesHistoryCmd struct {
	Pack    string `arg:"" placeholder:"PACK" help:"Identifier of the pack." zh:"规则包标识。"`
	Version int64  `placeholder:"N" help:"Print the text of this version." zh:"输出该版本的原文。"`
}

// Run lists the versions of a pack, newest first, or prints one.
func (c *rulesHistoryCmd) Run(ctx context.Context, a *app) error {
	return a.onRules(ctx, func(s *rules.Service, _ *store.DB) error {
		list, err := s.History(ctx, commandLine, c.Pack)
		if err != nil {
			return err
		}
		if c.Version == 0 {
			return a.tellHistory(list)
		}
		for i := range list {
			if list[i].Version == c.Version && !list[i].Withdraws {
				_, err := fmt.Fprint(a.stdout, list[i].YAML)
				return err
			}
		}
		return mianmi.Missing(fmt.Sprintf("version %d of %s", c.Version, c.Pack))
	})
}

// commandLine is who calls when no member of staff is named: whoever has the
// database.
var commandLine = mianmi.System("command-line")

// onRules opens the database.
func (a *app) onRules(ctx context.Context, do func(*rules.Service, *store.DB) error) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(a.rules(db), db)
}

// changeRules changes the packs and tells what became of it.
func (a *app) changeRules(ctx context.Context, as *asStaff, do func(*rules.Service, mianmi.Actor) (rules.Change, error)) error {
	return a.onRules(ctx, func(s *rules.Service, db *store.DB) error {
		who, err := as.identify(ctx, a, db)
		if err != nil {
			return err
		}
		c, err := do(s, who)
		if err != nil {
			return err
		}
		return a.tellChange(&c)
	})
}

// packBytesMax bounds a file before it is read; packs.Parse has its own bound.
const packBytesMax = 1 << 20

func readPack(file string) (p pinfree.Pack, err error) {
	text, err := readPackText(file)
	if err != nil {
		return p, err
	}
	return packs.Parse(filepath.Base(file), text)
}

func readPackText(file string) (_ []byte, err error) {
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, packBytesMax))
}
