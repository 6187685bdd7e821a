package mianmi_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	fileLinesMax = 400
	funcLinesMax = 70
	// textMax bounds what is searched for hosts and folders: no text that a
	// person wrote is longer.
	textMax = 1 << 20
)

// notOurs are folders that hold nothing of the tree.
var notOurs = []string{".git", ".tools", "bin", "node_modules", "mianmi-data"}

// source is one Go file under check.
type source struct {
	path      string // from the root of the tree, with slashes
	pkg       string // as in mayImport
	test      bool
	generated bool
	text      []byte
	fset      *token.FileSet
	ast       *ast.File
	faults    []string
}

// checkTree returns every fault of a tree, as "file:line: fault".
func checkTree(tree fs.FS) ([]string, error) {
	var faults []string
	documented := map[string]bool{} // packages with code: have they a comment?
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(notOurs, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || slices.Contains(notOurs, name): // .git may be a file
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		faults = append(faults, checkText(name, text)...)
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(name, text)
		if err != nil {
			return err
		}
		if !f.test {
			documented[f.pkg] = documented[f.pkg] || f.ast.Doc != nil
		}
		faults = append(faults, f.check()...)
		return nil
	})
	for pkg, ok := range documented {
		if !ok {
			faults = append(faults, pkg+": no package comment")
		}
	}
	return faults, err
}

var (
	hosts = regexp.MustCompile(`(proxy|sum)[.]golang[.]org|goproxy[.](cn|io)|registry[.]npm|(deb|ftp|security)[.]debian[.]org|files[.]pythonhosted|mirrors[.](aliyun|tuna)`)
	// A folder that exists on the machine of whoever wrote it.
	folders = regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])/(home|root|work|Users)/[\w.]`)
)

// checkText looks for what ties the tree to one place: names of package
// registries, folders of one machine.
func checkText(name string, text []byte) []string {
	if len(text) > textMax || bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	var faults []string
	for i, line := range bytes.Split(text, []byte("\n")) {
		if m := hosts.Find(line); m != nil {
			faults = append(faults, fmt.Sprintf("%s:%d: names a host that packages come from: %s", name, i+1, m))
		}
		if m := folders.Find(line); m != nil {
			faults = append(faults, fmt.Sprintf("%s:%d: names a folder of one machine: %s", name, i+1, m))
		}
	}
	return faults
}

func parse(name string, text []byte) (*source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	pkg := path.Dir(name)
	if pkg == "." {
		pkg = "mianmi"
	}
	return &source{path: name, pkg: pkg, text: text, fset: fset, ast: f,
		test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(f)}, nil
}

func (f *source) fault(at token.Pos, format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf("%s:%d: ", f.path, f.fset.Position(at).Line)+fmt.Sprintf(format, args...))
}

func (f *source) check() []string {
	if _, known := mayImport[f.pkg]; !known {
		f.fault(f.ast.Package, "package %s is not in the table of layout_test.go", f.pkg)
		return f.faults
	}
	for _, i := range f.ast.Imports {
		f.checkImport(i)
	}
	f.checkCalls()
	f.checkSizes()
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			if strings.Contains(strings.ReplaceAll(c.Text, "TODO(#", ""), "TODO") {
				f.fault(c.Pos(), "TODO without its issue; write TODO(#12)")
			}
		}
	}
	return f.faults
}

// ambient reports whether the file may ask the machine for time and chance:
// the program and tests may.
func (f *source) ambient() bool {
	return f.test || slices.Contains([]string{"cmd/mianmi", "bench", "torture", "store/pgtest", "store/storetest", "channel/channeltest", "channel/wechatpay/wechatpaytest", "agent/agenttest"}, f.pkg)
}

func (f *source) checkImport(i *ast.ImportSpec) {
	name, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		f.fault(i.Pos(), "%v", err)
		return
	}
	if i.Name != nil && i.Name.Name == "." {
		f.fault(i.Pos(), "dot import of %q", name)
	}
	if f.test {
		return
	}
	if name == module || strings.HasPrefix(name, module+"/") {
		f.checkArrow(i.Pos(), strings.TrimPrefix(strings.TrimPrefix(name, module), "/"))
		return
	}
	if allowed, pure := outside[f.pkg]; pure && !listed(allowed, name) {
		f.fault(i.Pos(), "%s may not import %q: it is pure", f.pkg, name)
	}
	chance := name == "crypto/rand" || name == "math/rand" || name == "math/rand/v2"
	if chance && !f.ambient() {
		f.fault(i.Pos(), "%s may not import %q: take an io.Reader", f.pkg, name)
	}
}

func (f *source) checkArrow(at token.Pos, to string) {
	if to == "" {
		to = "mianmi"
	}
	from := mayImport[f.pkg]
	everything := slices.Contains(from, "*") && to != "cmd/mianmi"
	if !everything && !slices.Contains(from, to) {
		f.fault(at, "%s may not import %s", f.pkg, to)
	}
}

func listed(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		prefix, many := strings.CutSuffix(a, "/…")
		return name == prefix || many && strings.HasPrefix(name, prefix+"/")
	})
}

// checkCalls looks for the machine's clock and for contexts without a caller
// outside the program, and for sleeping tests.
func (f *source) checkCalls() {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch what := f.qualified(sel); what {
		case "time.Now", "time.Since", "time.Until":
			if !f.ambient() {
				f.fault(sel.Pos(), "%s outside cmd: take a mianmi.Clock or now", what)
			}
		case "context.Background", "context.TODO":
			if !f.ambient() {
				f.fault(sel.Pos(), "%s outside cmd: take the caller's", what)
			}
		case "time.Sleep":
			if f.test {
				f.fault(sel.Pos(), "%s in a test: wait for what must happen, or use testing/synctest", what)
			}
		}
		return true
	})
}

// qualified returns "path.Name" when the selector is of an imported package.
func (f *source) qualified(sel *ast.SelectorExpr) string {
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil { // declared in this file: no package
		return ""
	}
	for _, i := range f.ast.Imports {
		imported, _ := strconv.Unquote(i.Path.Value)
		name := path.Base(imported)
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == x.Name {
			return imported + "." + sel.Sel.Name
		}
	}
	return ""
}

func (f *source) checkSizes() {
	if f.generated {
		return
	}
	if n := bytes.Count(f.text, []byte("\n")); n > fileLinesMax {
		f.fault(f.ast.FileEnd, "%d lines, at most %d a file", n, fileLinesMax)
	}
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.lines(fn) - f.tableLines(fn); n > funcLinesMax {
			f.fault(fn.Pos(), "%s has %d lines, at most %d a function", fn.Name.Name, n, funcLinesMax)
		}
	}
}

// lines is how many lines a piece of code takes, its first and last included.
func (f *source) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// tableLines is how many lines of a test are a table of cases: data, which
// may be as long as there are cases.
func (f *source) tableLines(fn *ast.FuncDecl) int {
	if !f.test {
		return 0
	}
	sum := 0
	ast.Inspect(fn, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch lit.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			sum += f.lines(lit) - 1
			return false
		}
		return true
	})
	return sum
}
