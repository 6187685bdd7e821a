package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mianmi/mianmi/support/help"
)

// TestHelpArticlesNameCommands proves that every command that a help article
// names is one of this program's.
func TestHelpArticlesNameCommands(t *testing.T) {
	t.Parallel()
	k, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../support/help/articles/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d articles, %v", len(files), err)
	}
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`mianmi ([^`]+)`").FindAllStringSubmatch(string(text), -1) {
			named++
			at := k.Model.Node
			for _, word := range strings.Fields(m[1]) {
				var next *kong.Node
				for _, c := range at.Children {
					if c.Name == word {
						next = c
					}
				}
				if next == nil {
					t.Errorf("%s: no command is called %q", file, m[0])
					break
				}
				at = next
			}
		}
	}
	if named == 0 {
		t.Error("no article names a command: what do they look like now?")
	}
}

// TestOwnHelpArticles proves that --help-articles reads an operator's folder,
// and says which file and field is at fault.
func TestOwnHelpArticles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(lang, kind string) {
		text := "---\nid: ours\ntitle: T\nsummary: S\nkind: " + kind + "\naudience: [payer]\nreviewed: \"2026-12-01\"\n---\nx\n"
		if err := os.WriteFile(filepath.Join(dir, "ours."+lang+".md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("zh", "faq")
	write("en", "faq")
	s := &services{}
	if err := s.withHelp(&tuning{HelpArticles: dir}); err != nil {
		t.Fatal(err)
	}
	if found, err := s.help.Search(help.Query{Limit: 200}, time.Unix(0, 0)); err != nil || len(found) < 20 || found[0].ID != "ours" {
		t.Errorf("the operator's article is not among %d, %v", len(found), err)
	}
	write("en", "news")
	err := s.withHelp(&tuning{HelpArticles: dir})
	if err == nil || !strings.Contains(err.Error(), "--help-articles: ours.en.md: kind: ") {
		t.Errorf("a file at fault: %v", err)
	}
	if err := s.withHelp(&tuning{HelpArticles: filepath.Join(dir, "none")}); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
