package help

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/model"
)

func ids(list []Article) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func asError(err error, to **mianmi.Error) bool { return errors.As(err, to) }

// wechatPath are the words on the way in WeChat's own settings: no screen of
// ours has them.
var wechatPath = []string{"我", "服务", "钱包", "支付设置", "免密支付"}

// TestArticlesSayWhatIsThere proves of every shipped article that each label
// in bold is a word of the product's screens, that each way through a terminal's
// menu is a way through the menu of a family that it is written for, and that
// each route of the API exists. Bold is for labels alone.
func TestArticlesSayWhatIsThere(t *testing.T) {
	t.Parallel()
	l := library(t, nil)
	words, ways, api := screenWords(t), menuWays(t), readText(t, "../../api/openapi.yaml")
	for i := range l.articles {
		a := &l.articles[i]
		for lang, c := range map[mianmi.Lang]*Content{mianmi.ZH: &a.ZH, mianmi.EN: &a.EN} {
			bold, code := quoted(c.Markdown)
			for _, b := range bold {
				if _, rest, way := strings.Cut(b, " › "); way && !strings.Contains(b, "→") {
					families := []string{}
					for _, m := range a.Models {
						families = append(families, m.Family)
					}
					if !slices.ContainsFunc(ways, func(w menuWay) bool {
						return w.text == rest && (len(families) == 0 || slices.Contains(families, w.family))
					}) {
						t.Errorf("%s (%d): no menu has the way %q", a.ID, lang, b)
					}
				}
				for _, part := range regexp.MustCompile(` › | → |…`).Split(b, -1) {
					if part = strings.TrimSpace(part); part != "" && !words(part) && !slices.Contains(wechatPath, part) {
						t.Errorf("%s (%d): no screen says %q", a.ID, lang, part)
					}
				}
			}
			for _, s := range code {
				verb, path, route := strings.Cut(s, " ")
				if !route || !strings.HasPrefix(path, "/v1/") {
					continue
				}
				path, _, _ = strings.Cut(path, "?")
				_, at, found := strings.Cut(api, "\n  "+path+":\n")
				at, _, _ = strings.Cut(at, "\n  /")
				if !found || !strings.Contains("\n"+at, "\n    "+strings.ToLower(verb)+":") {
					t.Errorf("%s (%d): the API has no %s", a.ID, lang, s)
				}
			}
		}
	}
}

// TestEveryFamilyHasItsGuide proves that there is a guide to closing for each
// family of terminals, and none for one that does not exist.
func TestEveryFamilyHasItsGuide(t *testing.T) {
	t.Parallel()
	l := library(t, nil)
	names := model.Families()
	for _, name := range names {
		if !slices.ContainsFunc(l.articles, func(a Article) bool {
			return strings.HasPrefix(a.ID, "close-at-") && len(a.Models) == 1 && a.Models[0].Family == name
		}) {
			t.Errorf("no article tells how PIN-free is closed at a %s", name)
		}
	}
	for family := range l.families {
		if !slices.Contains(names, family) {
			t.Errorf("there are articles for %s, which is no family", family)
		}
	}
}

// quoted returns what is bold and what is code in a body.
func quoted(body string) (bold, code []string) {
	source := []byte(body)
	inside := func(n ast.Node) string {
		var s strings.Builder
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if t, ok := c.(*ast.Text); ok {
				s.Write(t.Segment.Value(source))
			}
		}
		return s.String()
	}
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Emphasis:
			if entering {
				bold = append(bold, inside(n))
			}
		case *ast.CodeSpan:
			if entering {
				code = append(code, inside(n))
			}
		}
		return ast.WalkContinue, nil
	})
	return bold, code
}

// screenWords says whether a text stands on a screen, word for word: in the
// sources of the terminal's pages, in its menus, or in the page that checks
// receipts.
func screenWords(t *testing.T) func(string) bool {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"../../agent/screen/*.templ", "../../agent/screen/[a-z]*.go", "../../web/check/words.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") && !strings.HasSuffix(f, "_templ.go") {
				all.WriteString(readText(t, f))
			}
		}
	}
	sources := all.String()
	labels := map[string]bool{}
	for _, name := range model.Families() {
		m, err := model.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		labels[m.Name.ZH], labels[m.Name.EN] = true, true
		for _, w := range waysOf(name, "", "", m.Menu) {
			for _, label := range strings.Split(w.text, " › ") {
				labels[label] = true
			}
		}
	}
	return func(s string) bool {
		return labels[s] || strings.Contains(sources, `"`+s+`"`) || strings.Contains(sources, `"`+s+` "`) || strings.Contains(sources, `" `+s+`"`)
	}
}

// menuWay is one way through a family's menu, in one language.
type menuWay struct{ family, text string }

func menuWays(t *testing.T) (out []menuWay) {
	t.Helper()
	for _, name := range model.Families() {
		m, err := model.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, waysOf(name, "", "", m.Menu)...)
	}
	return out
}

func waysOf(family, zh, en string, items []model.Item) (out []menuWay) {
	for _, i := range items {
		z, e := zh+i.Label.ZH, en+i.Label.EN
		out = append(out, menuWay{family, z}, menuWay{family, e})
		out = append(out, waysOf(family, z+" › ", e+" › ", i.Items)...)
	}
	return out
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
