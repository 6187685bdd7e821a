package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mianmi/mianmi"
)

type doctorCmd struct {
	wechatPayFlag
	filesFlags

	JSON bool `name:"json" help:"Write one JSON array of findings." zh:"以 JSON 数组输出检查结果。"`
}

// status of a finding. The order is that of gravity.
type status uint8

const (
	ok status = iota
	warn
	fail
)

// MarshalText writes "ok", "warn" or "fail".
func (s status) MarshalText() ([]byte, error) {
	return []byte([...]string{"ok", "warn", "fail"}[s]), nil
}

var statusWords = [...]mianmi.Text{ok: {ZH: "正常", EN: "ok  "}, warn: {ZH: "注意", EN: "warn"}, fail: {ZH: "失败", EN: "fail"}}

// finding is the result of one check: what was found and, unless it is ok,
// what to do about it.
type finding struct {
	check  string // stable name, "durability.fsync"
	status status
	found  mianmi.Text
	remedy mianmi.Text
}

// Run checks the deployment and tells each finding; it changes nothing.
func (c doctorCmd) Run(ctx context.Context, a *app) error {
	findings := append(a.examine(ctx), a.examineWeChatPay(ctx, c.WeChatPay)...)
	findings = append(findings, c.examineFiles(ctx, a)...)
	var err error
	if c.JSON {
		err = a.printJSON(findings)
	} else {
		err = a.printText(findings)
	}
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.status == fail {
			return errFound
		}
	}
	return nil
}

func (a *app) printJSON(findings []finding) error {
	type row struct {
		Check  string `json:"check"`
		Status status `json:"status"`
		Found  string `json:"found"`
		Remedy string `json:"remedy,omitempty"`
	}
	rows := make([]row, 0, len(findings))
	for _, f := range findings {
		rows = append(rows, row{f.check, f.status, f.found.In(a.lang), f.remedy.In(a.lang)})
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(rows)
}

func (a *app) printText(findings []finding) error {
	var page strings.Builder
	var count [3]int
	for _, f := range findings {
		count[f.status]++
		fmt.Fprintf(&page, "%s  %-30s %s\n", statusWords[f.status].In(a.lang), f.check, f.found.In(a.lang))
		if f.status != ok {
			fmt.Fprintf(&page, "      → %s\n", f.remedy.In(a.lang))
		}
	}
	sum := mianmi.Text{ZH: "%d 项正常，%d 项需注意，%d 项失败\n", EN: "%d ok, %d warnings, %d failed\n"}
	fmt.Fprintf(&page, sum.In(a.lang), count[ok], count[warn], count[fail])
	_, err := fmt.Fprint(a.stdout, page.String())
	return err
}

// say fills both languages of a sentence with the same figures.
func say(zh, en string, figures ...any) mianmi.Text {
	return mianmi.Text{ZH: fmt.Sprintf(zh, figures...), EN: fmt.Sprintf(en, figures...)}
}

func good(check, zh, en string, figures ...any) finding {
	return finding{check: check, found: say(zh, en, figures...)}
}

// but is a finding that is not ok; the remedy follows with then.
func but(s status, check, zh, en string, figures ...any) finding {
	return finding{check: check, status: s, found: say(zh, en, figures...)}
}

func (f finding) then(zh, en string, figures ...any) finding {
	f.remedy = say(zh, en, figures...)
	return f
}
