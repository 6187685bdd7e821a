package receipt_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/receipt"
)

// typeName is the form of types of entries.
var typeName = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)

// notType reports a text that looks like a type of entry and is none: the
// topics of webhooks are names of messages, given as name in one table.
func notType(file string) bool {
	return file == "notice/topic.go" || strings.HasPrefix(file, "support/pack/") // its names are of files
}

// typesInTree finds the texts that look like types, in packages that make
// entries: those that import evidence and are not named here.
func typesInTree(t *testing.T) map[string]string {
	t.Helper()
	root := os.DirFS("..")
	writes, texts := map[string]bool{}, map[string]map[string]bool{} // by folder
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		switch top, _, _ := strings.Cut(path, "/"); top {
		case "receipt", "cmd", "api", "bench", "demo", "torture", "store", "web", "pdf", "pinfree", "tools":
			return nil // they write no entries of their own
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		writes[dir] = writes[dir] || dir == "evidence" || imports(file, "github.com/mianmi/mianmi/evidence")
		if texts[dir] == nil {
			texts[dir] = map[string]bool{}
		}
		collect(path, file, texts[dir])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for dir, list := range texts {
		for s := range list {
			if writes[dir] {
				found[s] = dir
			}
		}
	}
	return found
}

func collect(path string, file *ast.File, into map[string]bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr: // mianmi.InvalidField("amount.minor", …)
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "InvalidField" {
				return false
			}
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && typeName.MatchString(s) && !notType(path) {
				into[s] = true
			}
		}
		return true
	})
}

func imports(f *ast.File, path string) bool {
	for _, i := range f.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p == path {
			return true
		}
	}
	return false
}

// Every type of entry that some package writes has a sentence in both
// languages, with its actor or subject in it.
func TestEveryTypeHasWords(t *testing.T) {
	t.Parallel()
	types := typesInTree(t)
	if len(types) < 50 {
		t.Errorf("only %d types found in the tree: does the test still look where they are?", len(types))
	}
	for kind, path := range types {
		words, known := receipt.Sentence(kind, "py1", "operator:sf1")
		if !known {
			t.Errorf("%s writes %q, which has no words in receipt/words.go", path, kind)
			continue
		}
		for _, s := range []string{words.ZH, words.EN} {
			if strings.ContainsAny(s, "{}") || !strings.Contains(s, "py1") && !strings.Contains(s, "sf1") {
				t.Errorf("%q: %s", kind, s)
			}
		}
	}
}

// Actors and subjects of every kind are named, and what is not known is quoted.
func TestSentences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, subject, actor, zh, en string }{
		{"payer.pin_free.closed", "py1", "payer:py1", "付款人 py1 关闭了付款人 py1 的小额免密支付。", "Payer py1 closed PIN-free payment for payer py1."},
		{"merchant.policy.tightened", "everything", "risk_analyst:sf2", "风控人员 sf2 收紧了全部终端的免密策略，立即生效。",
			"Risk analyst sf2 tightened the PIN-free policy of everything, in force at once."},
		{"payer.settings.in_force", "py1", "system:cooling-off", "冷静期结束，付款人 py1 放宽后的设置生效。",
			"The cooling-off was over, and the loosened settings of payer py1 came into force."},
		{"merchant.stop.placed", "wallet", "api_client:ak1", "接口密钥 ak1 对“wallet”紧急停用免密支付。",
			"API key ak1 placed an emergency stop of PIN-free payment on “wallet”."},
		{"rule.pack.in_force", "rule_pack:cn-x", "operator:sf1", "规则包 cn-x 由运营人员 sf1 启用。", "Operator sf1 put rule pack cn-x in force."},
		{"what.is_this", "zz1", "robot:7", "robot:7 对“zz1”做了一项本程序版本不认识的变更。",
			"Robot:7 made a change to “zz1” of a kind that this version of the program does not know."},
	} {
		words, _ := receipt.Sentence(tt.kind, tt.subject, tt.actor)
		if words.ZH != tt.zh || words.EN != tt.en {
			t.Errorf("%s:\n%s\n%s", tt.kind, words.ZH, words.EN)
		}
	}
}
