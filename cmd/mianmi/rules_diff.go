package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/rules"
)

type rulesDiffCmd struct {
	A string `arg:"" placeholder:"A" help:"The packs of today: a comma list of files, folders, identifiers of shipped packs, or the words usual (in force by default) and shipped (all). Later ones replace earlier ones." zh:"现行规则：以逗号分隔的文件、文件夹、随附规则包标识，或 usual（默认启用的）与 shipped（全部随附）。后者替换前者中标识相同的规则包。"`
	B string `arg:"" placeholder:"B" help:"The packs of tomorrow, in the same form." zh:"拟用规则，格式相同。"`

	storedFlags
	Log      string `placeholder:"FILE" help:"Payment log to replay through both: JSON lines in order of time, as docs/rules.md says; - is standard input." zh:"用两套规则回放的付款日志：按时间排序的 JSON 行，格式见 docs/rules.zh-CN.md；- 表示标准输入。"`
	Examples int    `placeholder:"N" default:"5" help:"Most examples of each kind of difference." zh:"每类差异最多列出的示例数。"`
	JSON     bool   `name:"json" help:"Write the differences as JSON." zh:"以 JSON 输出差异。"`
}

// Validate is called by kong once every flag is set.
func (c *rulesDiffCmd) Validate() error {
	switch {
	case c.Examples < 1 || c.Examples > examplesMax:
		return fmt.Errorf("--examples: want 1 to %d", examplesMax)
	case c.Log != "" && c.Stored:
		return errors.New("--stored: not together with --log; replay one after the other")
	}
	return c.validate()
}

// examplesMax is more than anybody reads.
const examplesMax = 1000

// difference is what rules diff found.
type difference struct {
	Packs []compare.PackDiff `json:"packs"`
	// Tightening: B provably lets nothing pass that A stops. The obstacles say
	// why it is not proved.
	Tightening bool            `json:"tightening"`
	Obstacles  []obstacle      `json:"obstacles,omitempty"`
	Replay     *compare.Report `json:"replay,omitempty"` // nil: no payments were given

	a, b *pinfree.RuleSet
	note string
}

type obstacle struct {
	Pack  string      `json:"pack"`
	Field string      `json:"field,omitempty"` // empty: the whole pack
	Text  mianmi.Text `json:"text"`
}

// Run compares and tells; that there are differences is no failure.
func (c *rulesDiffCmd) Run(ctx context.Context, a *app) error {
	d, err := c.structure()
	if err != nil {
		return err
	}
	if err := c.replay(ctx, a, d); err != nil {
		return err
	}
	if c.JSON {
		return a.writeJSON(d)
	}
	var page strings.Builder
	d.write(&page, a.lang)
	_, err = fmt.Fprint(a.stdout, page.String())
	return err
}

// structure compares the packs as they are written.
func (c *rulesDiffCmd) structure() (*difference, error) {
	before, err := chosenPacks("packs A", c.A)
	if err != nil {
		return nil, err
	}
	after, err := chosenPacks("packs B", c.B)
	if err != nil {
		return nil, err
	}
	d := &difference{Packs: compare.Packs(before, after)}
	if d.a, err = pinfree.Compile(before); err != nil {
		return nil, fmt.Errorf("packs A: %w", err)
	}
	if d.b, err = pinfree.Compile(after); err != nil {
		return nil, fmt.Errorf("packs B: %w", err)
	}
	proof := rules.Compare(before, after)
	d.Tightening = proof.Tightening
	for _, o := range proof.Obstacles {
		d.Obstacles = append(d.Obstacles, obstacle(o))
	}
	return d, nil
}

// storedNote says what a replay of stored payments does not know.
var storedNote = mianmi.Text{ZH: "取自数据库：商户与终端的属性按当前设置，其他各层（付款人、商户、终端等）按当时的判定；不含付款之外的认证。",
	EN: "From the database: merchants and terminals as they are now, what payers, merchants and terminals had closed as it was then; without authentications apart from payments."}

// replay sends the payments that were given through both.
func (c *rulesDiffCmd) replay(ctx context.Context, a *app, d *difference) (err error) {
	switch {
	case c.Stored:
		r, err := c.storedFlags.replay(ctx, a, d, c.Examples)
		d.Replay, d.note = &r, storedNote.In(a.lang)
		return err
	case c.Log == "":
		return nil
	}
	file := os.Stdin
	if c.Log != "-" {
		if file, err = os.Open(c.Log); err != nil {
			return fmt.Errorf("--log: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	log := compare.NewLog(file)
	next := func() (compare.Payment, error) {
		if ctx.Err() != nil { // interrupted
			return compare.Payment{}, compare.ErrEnough
		}
		return log.Next()
	}
	r, err := compare.Replay(d.a, d.b, next, compare.Options{Examples: c.Examples})
	if err != nil {
		return fmt.Errorf("--log %s: %w", c.Log, err)
	}
	d.Replay = &r
	return nil
}
