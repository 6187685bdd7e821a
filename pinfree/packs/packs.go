// Package packs holds the rule packs that mianmi ships, as YAML, and reads
// packs in that form from any folder.
//
// A pack is facts: limits, conditions and dates, each with its source. What
// the fields mean is said at pinfree.Pack; checking and applying them is left
// to pinfree.Compile and pinfree.Decide.
package packs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

//go:embed *.yaml
var files embed.FS

const (
	// sizeMax bounds one file: the longest shipped pack is a twentieth of it.
	sizeMax = 256 << 10
	// filesMax bounds a folder, so that a wrong one is noticed.
	filesMax = 500
)

// Embedded returns the packs that mianmi ships.
func Embedded() ([]pinfree.Pack, error) { return Load(files) }

// Load reads every *.yaml and *.yml file at the top of a file system, one pack
// a file, in order of their names. Errors are Invalid; the Field says file, line
// and key, and every file's fault is listed.
func Load(fsys fs.FS) ([]pinfree.Pack, error) {
	names, err := fs.Glob(fsys, "*.y*ml")
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return path.Ext(n) != ".yaml" && path.Ext(n) != ".yml" })
	if len(names) > filesMax {
		return nil, mianmi.InvalidField("packs", fmt.Sprintf("%d files; at most %d", len(names), filesMax))
	}
	var out []pinfree.Pack
	var faults []error
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read pack %s: %w", name, err)
		}
		p, err := Parse(name, b)
		faults = append(faults, err)
		out = append(out, p)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return out, nil
}

// Parse reads one pack. A key that packs do not have, or that is there twice,
// is an error.
func Parse(file string, b []byte) (pinfree.Pack, error) {
	if len(b) > sizeMax {
		return pinfree.Pack{}, mianmi.InvalidField(file, fmt.Sprintf("is %d bytes long; at most %d", len(b), sizeMax))
	}
	tree, err := parser.ParseBytes(b, 0)
	if err != nil {
		return pinfree.Pack{}, fault(file, err)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return pinfree.Pack{}, mianmi.InvalidField(file, fmt.Sprintf("holds %d documents; write one pack a file", len(tree.Docs)))
	}
	w := &walker{lines: map[string]int{}}
	if err := w.walk("", tree.Docs[0].Body, 0); err != nil {
		return pinfree.Pack{}, mianmi.InvalidField(file+":"+strconv.Itoa(w.line), err.Error())
	}
	var p pinfree.Pack
	if err := yaml.NodeToValue(tree.Docs[0].Body, &p, yaml.Strict()); err != nil {
		return pinfree.Pack{}, fault(file, err)
	}
	p.Origin = pinfree.Origin{File: file, Lines: w.lines}
	return p, nil
}

// fault turns a YAML error into ours: file and line in the field, one line of text.
func fault(file string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		msg, _, _ := strings.Cut(err.Error(), "\n")
		return mianmi.InvalidField(file, msg)
	}
	if t := y.GetToken(); t != nil && t.Position != nil {
		file += ":" + strconv.Itoa(t.Position.Line)
	}
	msg, _, _ := strings.Cut(y.GetMessage(), "\n")
	return mianmi.InvalidField(file, msg)
}

// walker notes the line of every field, and refuses the parts of YAML that the
// language does without.
type walker struct {
	lines map[string]int
	line  int // of the node last visited
}

// numbers are the keys that hold figures of a rule.
var numbers = []string{"at_most", "below", "window_hours", "case_cap", "annual_cap"}

// depthMax bounds nesting; the language needs six levels.
const depthMax = 20

func (w *walker) walk(at string, n ast.Node, depth int) error {
	if depth > depthMax {
		return fmt.Errorf("%s: nested deeper than %d levels", at, depthMax)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		w.line = t.Position.Line
		if _, ok := w.lines[at]; !ok && at != "" {
			w.lines[at] = w.line
		}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := w.walk(at, v, depth+1); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		key := n.Key.GetToken().Value
		if at != "" {
			key = at + "." + key
		}
		w.line = n.Key.GetToken().Position.Line
		w.lines[key] = w.line
		if name := n.Key.GetToken().Value; slices.Contains(numbers, name) && !wholeNumber(n.Value) {
			return fmt.Errorf("%s: %s is not a whole number; write it in plain digits, amounts in minor units (50.00 is 5000)", key, n.Value.String())
		}
		return w.walk(key, n.Value, depth+1)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if err := w.walk(at+"["+strconv.Itoa(i)+"]", v, depth+1); err != nil {
				return err
			}
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		return fmt.Errorf("%s: anchors, aliases and tags are not part of the language; write it out", at)
	}
	return nil
}

// wholeNumber reports whether the value is written in plain decimal digits. YAML
// and its reader would also take 010 as eight, and cut "1.5" to one in silence.
func wholeNumber(n ast.Node) bool {
	if _, ok := n.(*ast.IntegerNode); !ok {
		return false
	}
	text := n.GetToken().Value
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil && (text == "0" || strings.TrimLeft(text, "-")[0] != '0')
}
