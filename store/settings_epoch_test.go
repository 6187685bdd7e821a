package store

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// writesSettings finds statements that write what payments read from the
// settings snapshot.
var writesSettings = regexp.MustCompile(`(?is)\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|REPLACE\s+INTO|COPY)\s+` +
	`(merchant|store|model|terminal|policy|emergency_stop|api_key|rule_pack|scope_change|terminal_policy|merchant_channel)\b`)

// settingsFaults parses the store's source and names every statement that
// writes settings without marking its rows with the epoch, or stands in a
// function that has no epoch to mark them with. Only changeSettings hands out
// an epoch, and it has raised it first.
func settingsFaults(dir fs.FS) (faults []string, writes int, err error) {
	names, err := fs.Glob(dir, "*.go")
	if err != nil {
		return nil, 0, err
	}
	consts := map[string]string{} // constant → fault of its text, "" for none
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, 0, err
		}
		f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
		if err != nil {
			return nil, 0, err
		}
		parsed = append(parsed, f)
	}
	c := checker{files: files, consts: consts}
	for _, f := range parsed {
		ast.Inspect(f, c.constant)
	}
	for _, f := range parsed {
		c.walk(f, false)
	}
	return c.faults, c.writes, nil
}

type checker struct {
	files  *token.FileSet
	consts map[string]string
	faults []string
	writes int
}

// constant remembers the package's constants and variables that write settings.
func (c *checker) constant(n ast.Node) bool {
	spec, ok := n.(*ast.ValueSpec)
	if !ok {
		return true
	}
	for i, v := range spec.Values {
		if text := literals(v); i < len(spec.Names) && writesSettings.MatchString(text) {
			c.consts[spec.Names[i].Name] = text
		}
	}
	return true
}

// literals joins all string literals below a node.
func literals(n ast.Node) string {
	var b strings.Builder
	ast.Inspect(n, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, _ := strconv.Unquote(l.Value)
			b.WriteString(s)
		}
		return true
	})
	return b.String()
}

// walk looks at every use. hasEpoch says that an enclosing function takes one.
func (c *checker) walk(n ast.Node, hasEpoch bool) {
	ast.Inspect(n, func(m ast.Node) bool {
		if m == n {
			return true
		}
		switch m := m.(type) {
		case *ast.FuncDecl:
			if m.Body != nil {
				c.walk(m.Body, takesEpoch(m.Type))
			}
			return false
		case *ast.FuncLit:
			c.walk(m.Body, hasEpoch || takesEpoch(m.Type))
			return false
		case *ast.ValueSpec:
			return false // a definition; its uses count
		case *ast.Ident:
			if text, ok := c.consts[m.Name]; ok {
				c.use(m, text, hasEpoch)
			}
		case *ast.BasicLit:
			if text := literals(m); writesSettings.MatchString(text) {
				c.use(m, text, hasEpoch)
			}
		}
		return true
	})
}

func (c *checker) use(n ast.Node, text string, hasEpoch bool) {
	c.writes++
	at := c.files.Position(n.Pos())
	switch {
	case !hasEpoch:
		c.faults = append(c.faults, fmt.Sprintf("%s: writes settings outside of changeSettings", at))
	case strings.Contains(strings.ToUpper(text), "DELETE") || !strings.Contains(text, "epoch"):
		c.faults = append(c.faults, fmt.Sprintf("%s: writes settings without marking the rows with the epoch", at))
	}
}

func takesEpoch(f *ast.FuncType) bool {
	return slices.ContainsFunc(f.Params.List, func(p *ast.Field) bool {
		typ, ok := p.Type.(*ast.Ident)
		return ok && typ.Name == "int64" && slices.ContainsFunc(p.Names, func(n *ast.Ident) bool { return n.Name == "epoch" })
	})
}

// Whatever payments read from the snapshot is written with the epoch raised
// and its rows marked: else an acknowledged OFF is not seen (ADR 1).
func TestSettingsAreWrittenWithTheirEpoch(t *testing.T) {
	t.Parallel()
	faults, writes, err := settingsFaults(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
	if writes < 8 {
		t.Errorf("found %d writes, want all of merchant, store, model, terminal, policy, emergency_stop", writes)
	}
}

// The check above finds what it is there for.
func TestSettingsFaultsAreFound(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source string
		fault  bool
	}{
		"marked, in changeSettings":  {"const q = `UPDATE store SET epoch = $1`\nfunc f() { changeSettings(func(epoch int64) { exec(q, epoch) }) }", false},
		"marked, by a helper":        {"const q = `INSERT INTO policy (epoch) VALUES ($1)`\nfunc f(epoch int64) { exec(q, epoch) }", false},
		"another table":              {"const q = `UPDATE payment SET state = 1`\nfunc f() { exec(q) }", false},
		"a longer name":              {"const q = `INSERT INTO merchant_order (key) VALUES ($1)`\nfunc f() { exec(q) }", false},
		"outside of changeSettings":  {"const q = `UPDATE store SET epoch = $1`\nfunc f() { exec(q) }", true},
		"not marked":                 {"const q = `UPDATE store SET name = $1`\nfunc f(epoch int64) { exec(q) }", true},
		"no constant":                {"func f() { exec(`UPDATE  terminal\nSET epoch = 1`) }", true},
		"a row disappears":           {"const q = `DELETE FROM policy WHERE epoch = $1`\nfunc f(epoch int64) { exec(q) }", true},
		"put together from two":      {"const q = `UPDATE ` + `model SET name = ''`\nfunc f(epoch int64) { exec(q) }", true},
		"in a method's plain helper": {"const q = `UPDATE api_key SET epoch = 1`\nfunc (d *DB) f() { g := func() { exec(q) }; g() }", true},
	} {
		faults, _, err := settingsFaults(fstest.MapFS{"x.go": {Data: []byte("package store\n" + tt.source)}})
		if err != nil || (len(faults) > 0) != tt.fault {
			t.Errorf("%s: faults %v, %v", name, faults, err)
		}
	}
}
