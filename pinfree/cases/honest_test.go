package cases

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

// No rule is special-cased in code: no text in the engine, in the reader of
// cases and in the life of packs names a shipped pack, a public case, or the
// currency of one country. (Tables of currencies by their numbers are not rules.)
func TestCodeKnowsNoRuleByName(t *testing.T) {
	t.Parallel()
	byID, _ := shipped(t)
	known := map[string]bool{}
	for id := range byID {
		known[id] = true
	}
	for _, c := range readFile(t, files[0]) {
		known[c.ID] = true
		if c.given.Currency != "" && c.given.Currency != "EUR" && c.given.Currency != "XPF" { // whose codes do not begin with their country
			known[string(c.given.Currency)] = true
		}
	}
	texts := 0
	for _, dir := range []string{".", "..", "../emv", "../compare", "../../rules"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			texts += checkTexts(t, name, known)
		}
	}
	if texts < 500 {
		t.Errorf("only %d texts were looked at", texts)
	}
}

// checkTexts looks at each text in a file, but not at the keys of tables.
func checkTexts(t *testing.T, name string, known map[string]bool) (texts int) {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			keys[kv.Key] = true
		}
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING || keys[n] {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		texts++
		for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \"'`(),;:/", c) }) {
			if known[word] {
				t.Errorf("%s names %s", fset.Position(lit.Pos()), word)
			}
		}
		return true
	})
	return texts
}

// Where a text can be read in two ways there is a case for each, and a pack
// passes the one of the reading that it takes and fails the other.
func TestPairedReadingsExclude(t *testing.T) {
	t.Parallel()
	byID, _ := shipped(t)
	all := map[string]Case{}
	for _, c := range readFile(t, files[0]) {
		all[c.ID] = c
	}
	for _, tt := range []struct{ pack, reading, passes, fails string }{
		{"eu-rts-art11", "amount_previous", "eu-11-amount-reading-previous", "eu-11-amount-reading-including"},
		{"eu-rts-art11", "amount", "eu-11-amount-reading-including", "eu-11-amount-reading-previous"},
		{"eu-rts-art16", "count_previous", "eu-16-count-reading-previous", "eu-16-count-reading-including"},
		{"eu-rts-art16", "count", "eu-16-count-reading-including", "eu-16-count-reading-previous"},
	} {
		taken, err := byID[tt.pack].Take(tt.reading)
		if err != nil {
			t.Fatal(err)
		}
		taken.Readings = []pinfree.Reading{{ID: tt.reading, Text: same("the only one")}}
		taken.Limits = slices.DeleteFunc(slices.Clone(taken.Limits), func(l pinfree.Limit) bool { return !inForce(l.Readings, tt.reading) })
		passes, fails := all[tt.passes], all[tt.fails]
		packs := map[string]pinfree.Pack{tt.pack: taken}
		if r := passes.Try(packs); !r.OK {
			t.Errorf("%s in reading %s: %v", tt.pack, tt.reading, r)
		}
		if r := fails.Try(packs); r.OK {
			t.Errorf("%s in reading %s passes %s as well", tt.pack, tt.reading, tt.fails)
		}
	}
}
