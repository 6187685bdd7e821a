package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// rulesPages are the page of the language, in both languages.
var rulesPages = map[mianmi.Lang]string{mianmi.EN: "../../docs/rules.md", mianmi.ZH: "../../docs/rules.zh-CN.md"}

// fence is a block of code on a page.
type fence struct{ kind, text string }

var fences = regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$")

func blocks(page string) []fence {
	var out []fence
	for _, m := range fences.FindAllStringSubmatch(page, -1) {
		out = append(out, fence{m[1], m[2]})
	}
	return out
}

func readPage(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tables of names, written into the page between marks.
func nameTables(lang mianmi.Lang) map[string]string {
	head := mianmi.Text{ZH: "| 名称 | 类型 | 取值 | 含义 |\n|---|---|---|---|\n", EN: "| name | type | words | meaning |\n|---|---|---|---|\n"}
	names := head.In(lang)
	for _, v := range pinfree.Variables() {
		words := ""
		if v.Words != nil {
			words = "`" + strings.Join(v.Words, "` `") + "`"
		}
		names += fmt.Sprintf("| `%s` | %s | %s | %s |\n", v.Name, v.Kind, words, v.About.In(lang))
	}
	figures := mianmi.Text{ZH: "| 名称 | 含义 |\n|---|---|\n", EN: "| name | meaning |\n|---|---|\n"}.In(lang)
	for _, w := range pinfree.FigureWords() {
		figures += fmt.Sprintf("| `%s` | %s |\n", w.Name, w.About.In(lang))
	}
	return map[string]string{"names": names, "figures": figures}
}

// The tables of names and figures are those of the language, in both pages.
func TestRulesPageTables(t *testing.T) {
	t.Parallel()
	for lang, file := range rulesPages {
		page := readPage(t, file)
		for name, want := range nameTables(lang) {
			begin := "<!-- " + name + ": begin; written by go test ./cmd/mianmi -run TestRulesPageTables -update -->\n"
			before, rest, ok1 := strings.Cut(page, begin)
			have, after, ok2 := strings.Cut(rest, "<!-- "+name+": end -->\n")
			if !ok1 || !ok2 {
				t.Fatalf("%s has lost the marks of its table of %s", file, name)
			}
			if page = before + begin + want + "<!-- " + name + ": end -->\n" + after; *rewrite {
				continue
			}
			if d := gocmp.Diff(want, have); d != "" {
				t.Errorf("%s: %s are not those of the language; run with -update\n%s", file, name, d)
			}
		}
		if *rewrite {
			if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The pages have the same examples, in the same order, under as many headings.
func TestRulesPagesAreEqual(t *testing.T) {
	t.Parallel()
	en, zh := readPage(t, rulesPages[mianmi.EN]), readPage(t, rulesPages[mianmi.ZH])
	if d := gocmp.Diff(blocks(en), blocks(zh), gocmp.AllowUnexported(fence{})); d != "" {
		t.Errorf("examples (-English +Chinese):\n%s", d)
	}
	if a, b := strings.Count(en, "\n## "), strings.Count(zh, "\n## "); a != b {
		t.Errorf("%d headings in English, %d in Chinese", a, b)
	}
	if a, b := strings.Count(en, "\n|"), strings.Count(zh, "\n|"); a != b {
		t.Errorf("%d rows of tables in English, %d in Chinese", a, b)
	}
}

var topKey = regexp.MustCompile(`(?m)^([a-z_]+):`)

// complete adds what an example leaves out from the first example, the head.
func complete(head, example string) string {
	given := topKey.FindAllString(example, -1)
	starts := topKey.FindAllStringIndex(head, -1)
	for i, at := range starts {
		end := len(head)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		key := head[at[0]:at[1]]
		counted := (key == "counters:" || key == "limits:") && (slices.Contains(given, "counters:") || slices.Contains(given, "limits:"))
		if !counted && !slices.Contains(given, key) {
			example += head[at[0]:end]
		}
	}
	return example
}

// Every example is a pack that compiles, or one whose faults are told as the
// page says; together they use every key and every word of the language.
func TestRulesPageExamples(t *testing.T) {
	t.Parallel()
	page := readPage(t, rulesPages[mianmi.EN])
	var head string
	used := map[string][]string{}
	list := blocks(page)
	for i, b := range list {
		switch {
		case b.kind == "yaml wrong":
			if got := compileText(complete(head, b.text)); got == nil || got.Error()+"\n" != list[i+1].text {
				t.Errorf("the page says\n%sand the compiler\n%v", list[i+1].text, got)
			}
		case b.kind != "yaml":
		default:
			head = cmp.Or(head, b.text)
			if err := compileText(complete(head, b.text)); err != nil {
				t.Errorf("example does not compile: %v\n%s", err, b.text)
			}
			for _, f := range fieldsUsed(t, b.text) {
				used[f.Path] = append(used[f.Path], f.Value)
			}
		}
	}
	for _, key := range keysOf(reflect.TypeFor[pinfree.Pack](), "") {
		if used[key] == nil && !strings.HasPrefix(key, "limits.number.at_most_of") && !strings.HasPrefix(key, "limits.number.below_of") { // figures are amounts
			t.Errorf("no example uses %s", key)
		}
	}
	for field, words := range pinfree.ClosedWords() {
		for _, w := range words {
			if !strings.Contains(strings.Join(used[field], " "), w) && !strings.Contains(page, "`"+w+"`") {
				t.Errorf("%s: neither an example nor the text names %s", field, w)
			}
		}
	}
}

func compileText(text string) error {
	p, err := packs.Parse("shop-card.yaml", []byte(text))
	if err != nil {
		return err
	}
	_, err = pinfree.Compile([]pinfree.Pack{p})
	return err
}

var indexes = regexp.MustCompile(`\[[^\]]*\]`)

// fieldsUsed are the fields that an example itself gives.
func fieldsUsed(t *testing.T, text string) []compare.Field {
	t.Helper()
	p, err := packs.Parse("shop-card.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out := compare.Fields(&p)
	for i := range out {
		out[i].Path = indexes.ReplaceAllString(out[i].Path, "")
	}
	return out
}

// keysOf lists the keys of the language below a type. Conditions hold
// conditions; those inside are the same.
func keysOf(typ reflect.Type, at string) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return []string{at}
	}
	var out []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "-" || key == "" || at != "" && f.Type == reflect.TypeFor[[]pinfree.Condition]() && strings.Contains(at, "except") {
			continue
		}
		path := key
		if at != "" {
			path = at + "." + key
		}
		if f.Type == reflect.TypeFor[[]pinfree.Condition]() || at != "" && f.Type == reflect.TypeFor[*pinfree.Condition]() {
			continue // told of by their own keys under "when"
		}
		out = append(out, keysOf(f.Type, path)...)
	}
	return out
}

// Every command of the page is one that the program takes; those that need no
// file of the reader's own are run.
func TestRulesPageCommands(t *testing.T) {
	t.Parallel()
	files := []string{rulesPages[mianmi.EN], "../../README.md", "../../README.zh-CN.md"}
	for _, file := range files {
		ran := 0
		for _, b := range blocks(readPage(t, file)) {
			for line := range strings.Lines(b.text) {
				_, command, ok := strings.Cut(strings.TrimSpace(line), "mianmi rules ")
				if b.kind != "sh" || !ok {
					continue
				}
				command, _, _ = strings.Cut(command, " #")
				args := append([]string{"rules"}, words(command)...)
				w := newWorld(t)
				if needsFiles := regexp.MustCompile(`\.(json|yaml|jsonl)\b|changes|approve|history|--stored`); !needsFiles.MatchString(command) {
					ran++
					if r := w.run(t, args...); r.code != exitOK {
						t.Errorf("%s: %s: status %d: %s", file, line, r.code, r.stderr)
					}
					continue
				}
				if r := w.run(t, append(args, "--help")...); r.code != exitOK {
					t.Errorf("%s: %s is no command: %s", file, line, r.stderr)
				}
				a, _, _ := w.app()
				k, err := newParser(&cli{}, a, &settings{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := k.Parse(args); err != nil {
					t.Errorf("%s: %s: %v", file, line, err)
				}
			}
		}
		if ran < 2 {
			t.Errorf("%s: only %d commands can be run as they stand", file, ran)
		}
	}
}

// words splits a command as a shell would, quotes included.
func words(command string) []string {
	var out []string
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// The log on the page is read, and the page names every key of a log.
func TestRulesPageLog(t *testing.T) {
	t.Parallel()
	for _, file := range rulesPages {
		page := readPage(t, file)
		for _, b := range blocks(page) {
			if b.kind != "json" {
				continue
			}
			log, n := compare.NewLog(strings.NewReader(b.text)), 0
			for {
				_, err := log.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if n++; err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
			if n < 3 || !json.Valid([]byte(strings.SplitN(b.text, "\n", 2)[0])) {
				t.Errorf("%s: %d lines", file, n)
			}
		}
		variables := pinfree.Variables()
		for _, key := range compare.LogKeys() {
			isFact := slices.ContainsFunc(variables, func(v pinfree.Variable) bool { return v.Name == key })
			short := strings.TrimPrefix(key, "amount.")
			if !isFact && !strings.HasPrefix(key, "figures.") && !strings.Contains(page, "`"+key+"`") && !strings.Contains(page, "`"+short+"`") {
				t.Errorf("%s does not name the key %s", file, key)
			}
		}
	}
}
