package packs

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

var update = flag.Bool("update", false, "write docs/rules-sources.md and docs/rules-sources.zh-CN.md")

// TestSourcesPage proves that the pages of sources say what the packs say.
func TestSourcesPage(t *testing.T) {
	t.Parallel()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	pages := map[mianmi.Lang]string{mianmi.EN: "../../docs/rules-sources.md", mianmi.ZH: "../../docs/rules-sources.zh-CN.md"}
	for lang, file := range pages {
		want := Sources(all, lang)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, string(have)); d != "" {
			t.Errorf("%s is not what the packs say; run go test ./pinfree/packs -run TestSourcesPage -update\n%s", file, d)
		}
	}
}

// TestSourcesSayEverything proves that nothing that a pack says of its sources
// is left off its section.
func TestSourcesSayEverything(t *testing.T) {
	t.Parallel()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, lang := range []mianmi.Lang{mianmi.EN, mianmi.ZH} {
			text := Sources([]pinfree.Pack{p}, lang)
			want := []string{p.ID, p.Title.In(lang), p.Edition, p.Effective.From, p.Effective.To, p.Jurisdiction, leftOut[p.ID].In(lang)}
			for _, s := range p.Sources {
				want = append(want, s.Title, s.URL, s.Read, "`"+s.Quality+"`")
			}
			for _, r := range p.Readings {
				want = append(want, r.Text.In(lang))
			}
			for _, list := range [][]mianmi.Text{p.Assumes, p.Open} {
				for _, s := range list {
					want = append(want, s.In(lang))
				}
			}
			for _, s := range want {
				if !strings.Contains(text, s) {
					t.Errorf("%s: the page does not say %q", p.ID, s)
				}
			}
			for _, bad := range []string{"%!", "``", "\t"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s: the page has %q", p.ID, bad)
				}
			}
		}
	}
}
