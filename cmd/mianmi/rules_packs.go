package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// rulesPacks are the life of the packs in force. They work on the database,
// without a server, like the subcommands of staff.
type rulesPacks struct {
	DryRun rulesDryRunCmd `cmd:"" help:"Compile a rule pack beside those that are shipped, and list every fault with its line." zh:"将规则包与随附规则包一起编译，逐行列出全部错误。"`
}

type rulesDryRunCmd struct {
	File string `arg:"" placeholder:"FILE" help:"Rule pack in YAML." zh:"YAML 格式的规则包。"`
}

// Run compiles the pack and tells what is wrong with it.
func (c *rulesDryRunCmd) Run(_ context.Context, a *app) error {
	p, err := readPack(c.File)
	if err != nil {
		return err
	}
	set, err := packs.Embedded()
	if err != nil {
		return err
	}
	set = append(slices.DeleteFunc(set, func(o pinfree.Pack) bool { return o.ID == p.ID }), p)
	if _, err := pinfree.Compile(set); err != nil {
		return err
	}
	ok := mianmi.Text{ZH: "规则包 %s 可以编译\n", EN: "pack %s compiles\n"}
	_, err = fmt.Fprintf(a.stdout, ok.In(a.lang), p.ID)
	return err
}

// packBytesMax bounds a file before it is read; packs.Parse has its own bound.
const packBytesMax = 1 << 20

func readPack(file string) (p pinfree.Pack, err error) {
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.LimitReader(f, packBytesMax))
	if err != nil {
		return p, err
	}
	return packs.Parse(filepath.Base(file), text)
}
