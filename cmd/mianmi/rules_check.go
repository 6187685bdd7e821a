package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/cases"
	"github.com/mianmi/mianmi/pinfree/packs"
)

type rulesCheckCmd struct {
	File string `arg:"" placeholder:"FILE" help:"Case file in JSON; - reads standard input." zh:"JSON 格式的案例文件；- 表示标准输入。"`
}

// Run replays the cases with the limits that stand in each.
func (c *rulesCheckCmd) Run(_ context.Context, a *app) error {
	all, err := a.readCases(c.File)
	if err != nil {
		return err
	}
	answers, err := answerTables()
	if err != nil {
		return err
	}
	return a.tellCases(all, func(c *cases.Case) cases.Result { return c.Check(answers) })
}

type rulesTestCmd struct {
	Files []string `arg:"" placeholder:"PACK" help:"Rule packs in YAML, and last the case file in JSON; - reads the cases from standard input." zh:"YAML 格式的规则包，最后一个为 JSON 格式的案例文件；- 表示从标准输入读取案例。"`
}

// Run replays the cases that name one of the packs, with the packs' own limits.
func (c *rulesTestCmd) Run(_ context.Context, a *app) error {
	last := len(c.Files) - 1
	if last < 1 {
		return mianmi.InvalidField("PACK", "want one or more rule packs and then the case file")
	}
	all, err := a.readCases(c.Files[last])
	if err != nil {
		return err
	}
	shipped, err := packs.Embedded()
	if err != nil {
		return err
	}
	known := map[string]pinfree.Pack{}
	for _, p := range shipped {
		known[p.ID] = p
	}
	own := map[string]pinfree.Pack{}
	for _, name := range c.Files[:last] {
		p, err := readPack(name)
		if err != nil {
			return err
		}
		if _, twice := own[p.ID]; twice {
			return mianmi.InvalidField(name, "pack "+p.ID+" is given twice")
		}
		own[p.ID], known[p.ID] = p, p
		if _, err := pinfree.Compile([]pinfree.Pack{p}); err != nil {
			return err
		}
	}
	mine := slices.DeleteFunc(slices.Clone(all), func(c cases.Case) bool { _, ok := own[c.Pack]; return !ok })
	ids := slices.Sorted(maps.Keys(own))
	if len(mine) == 0 {
		return mianmi.InvalidField(c.Files[last], "no case names "+strings.Join(ids, " or ")+" in pack")
	}
	if n := len(all) - len(mine); n > 0 {
		left := mianmi.Text{ZH: "略去 %d 个属于其他规则包的案例\n", EN: "%d cases of other packs are left out\n"}
		if _, err := fmt.Fprintf(a.stderr, left.In(a.lang), n); err != nil {
			return err
		}
	}
	return a.tellCases(mine, func(c *cases.Case) cases.Result { return c.Try(known) })
}

// tellCases prints a line for each case and a last one for all. What cannot be
// read in a case is told on standard error, fault by fault.
func (a *app) tellCases(all []cases.Case, replay func(*cases.Case) cases.Result) error {
	out := bufio.NewWriter(a.stdout)
	passed := 0
	var faults []error
	for i := range all {
		r := replay(&all[i])
		if r.OK {
			passed++
		}
		faults = append(faults, all[i].Err)
		if _, err := fmt.Fprintln(out, r); err != nil {
			return err
		}
	}
	failed := len(all) - passed
	if _, err := fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if failed > 0 {
		return errFound
	}
	return nil
}

func (a *app) readCases(file string) (all []cases.Case, err error) {
	if file == "-" {
		return cases.Read(a.stdin)
	}
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return cases.Read(f)
}

// answerTables are the shipped packs that say how issuers ask for authentication.
func answerTables() (*pinfree.RuleSet, error) {
	shipped, err := packs.Embedded()
	if err != nil {
		return nil, err
	}
	return pinfree.Compile(slices.DeleteFunc(shipped, func(p pinfree.Pack) bool { return len(p.Answers) == 0 }))
}
