package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

var rewrite = flag.Bool("update", false, "write the tables of docs/configuration.md")

const (
	configPage  = "../../docs/configuration.md"
	tablesBegin = "<!-- tables: begin; written by go test ./cmd/mianmi -run TestConfigurationPage -update -->\n"
	tablesEnd   = "<!-- tables: end -->\n"
)

// docs/configuration.md has every setting of every subcommand, with its
// variable, default and meaning in both languages, and none that is gone.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(configPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(page), tablesBegin)
	have, after, ok2 := strings.Cut(rest, tablesEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has lost the marks of its tables", configPage)
	}
	want := tables(t)
	if *rewrite {
		if err := os.WriteFile(configPage, []byte(before+tablesBegin+want+tablesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("the page is not what the flags say; run go test ./cmd/mianmi -run TestConfigurationPage -update\n%s", d)
	}
}

// tables draws one table for the shared settings and one for each subcommand
// that has its own.
func tables(t *testing.T) string {
	t.Helper()
	parsers := [2]*kong.Kong{}
	for _, lang := range []mianmi.Lang{mianmi.ZH, mianmi.EN} {
		k, err := newParser(&cli{}, &app{lang: lang}, &settings{})
		if err != nil {
			t.Fatal(err)
		}
		parsers[lang] = k
	}
	var out strings.Builder
	zh, en := parsers[mianmi.ZH].Model.Node, parsers[mianmi.EN].Model.Node
	table(&out, "Every subcommand 所有命令", zh, en)
	for i := range en.Children {
		if en.Children[i].Hidden {
			continue // nobody is to start it
		}
		table(&out, "`mianmi "+en.Children[i].Name+"`", zh.Children[i], en.Children[i])
	}
	return out.String()
}

func table(out *strings.Builder, title string, zh, en *kong.Node) {
	var rows []string
	for i, f := range en.Flags {
		if f.Name == "help" {
			continue
		}
		def := "–"
		if f.Default != "" {
			def = "`" + f.Default + "`"
		}
		key := "`" + f.Name + "`"
		if slices.Contains(notInFile, f.Name) {
			key += " (not in the file 不能写入文件)"
		}
		meaning := func(s string) string {
			s, _, _ = strings.Cut(s, " ($")
			return strings.ReplaceAll(s, "|", "\\|")
		}
		rows = append(rows, fmt.Sprintf("| %s | `%s` | %s | %s | %s |\n", key, envName(f.Name), def, meaning(f.Help), meaning(zh.Flags[i].Help)))
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(out, "\n### %s\n\n| key 键 | environment 环境变量 | default 默认值 | meaning | 含义 |\n|---|---|---|---|---|\n%s", title, strings.Join(rows, ""))
}
