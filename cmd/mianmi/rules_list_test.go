package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// tooWide returns a line that is wider than a page although it could be broken.
func tooWide(page string) (string, bool) {
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if columns(line) > pageColumns && len(breakable(strings.TrimLeft(line, " *-"))) > 1 {
			return line, true
		}
	}
	return "", false
}

// Every pack is listed, and shown whole, on a page of 80 columns in both
// languages: each limit, reading, counter and source of it.
func TestRulesList(t *testing.T) {
	t.Parallel()
	all, err := packs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, lang := range []string{"zh", "en"} {
		r := w.run(t, "rules", "list", "--lang", lang)
		if line, bad := tooWide(r.stdout); bad || r.code != exitOK {
			t.Errorf("%s: status %d, %s, too wide: %s", lang, r.code, r.stderr, line)
		}
		for i := range all {
			p := &all[i]
			if !strings.Contains(r.stdout, p.ID) {
				t.Errorf("%s: %s is not listed", lang, p.ID)
			}
			one := w.run(t, "rules", "list", p.ID, "--lang", lang)
			if line, bad := tooWide(one.stdout); bad || one.code != exitOK {
				t.Errorf("%s %s: status %d, %s, too wide: %s", p.ID, lang, one.code, one.stderr, line)
			}
			for _, want := range partsToShow(p) {
				if !strings.Contains(one.stdout, want) {
					t.Errorf("%s %s: %q is not shown", p.ID, lang, want)
				}
			}
		}
	}
}

func partsToShow(p *pinfree.Pack) []string {
	var out []string
	for i := range p.Limits {
		out = append(out, p.Limits[i].ID)
	}
	for i := range p.Counters {
		out = append(out, p.Counters[i].ID)
	}
	for _, r := range p.Readings {
		out = append(out, r.ID)
	}
	for _, s := range p.Sources {
		out = append(out, s.URL, s.Read)
	}
	return out
}

// A folder stands in the place of the shipped packs, JSON is the packs
// themselves, and what is not there is told.
func TestRulesListOfAFolder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../pinfree/packs/cn-unionpay-2018.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	file := w.file(t, "mine.yaml", strings.Replace(string(text), "id: cn-unionpay-2018", "id: mine", 1))
	dir := strings.TrimSuffix(file, "/mine.yaml")
	r := w.run(t, "rules", "list", "--json", "--packs-dir", dir)
	var got []pinfree.Pack
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || len(got) != 1 || got[0].ID != "mine" || len(got[0].Limits) == 0 {
		t.Errorf("status %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	for name, args := range map[string][]string{
		"pack":        {"rules", "list", "nope"},
		"--packs-dir": {"rules", "list", "--packs-dir", dir + "/nowhere"},
		"no *.yaml":   {"rules", "list", "--packs-dir", t.TempDir()},
	} {
		if r := w.run(t, args...); r.code != exitFailed || !strings.Contains(r.stderr, name) {
			t.Errorf("%v: status %d, %s; want %q told", args, r.code, r.stderr, name)
		}
	}
	w.file(t, "bad.yaml", strings.Replace(string(text), "above: step_up", "above: ask", 1))
	if r := w.run(t, "rules", "list", "--packs-dir", dir); r.code != exitFailed || !strings.Contains(r.stderr, "bad.yaml") {
		t.Errorf("a bad pack: status %d, %s", r.code, r.stderr)
	}
}
