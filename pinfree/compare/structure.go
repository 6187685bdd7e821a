// Package compare says what would change if one set of rule packs stood in the
// place of another: field by field of the packs, and payment by payment of a
// log that is replayed through both.
//
// It is pure. Where payments come from is left to the caller (a log file, the
// store), and so is what is done about the answer.
package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
)

// Field is one value of a pack. Lists whose elements have an identifier are
// told apart by it: "limits[per-payment].amount.at_most".
type Field struct {
	Path  string
	Value string
}

// Fields lists every value that a pack, or a part of one, has, in the order of
// the language's fields. What is left out in the pack is left out here.
func Fields(v any) []Field { return treeOf(v).fields("", nil) }

// Flow is a part of a pack in one line, as YAML would have it:
// "methods: [card_tap], currencies: [CNY]".
func Flow(v any) string {
	text := treeOf(v).flow()
	return strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
}

// PackDiff is what differs between two packs with one identifier.
type PackDiff struct {
	ID   string       `json:"id"`
	Kind Kind         `json:"kind"`
	A    *PackVersion `json:"a,omitempty"` // nil: only in B
	B    *PackVersion `json:"b,omitempty"` // nil: only in A
	// Changes are the fields that differ; of a pack on one side alone there are none.
	Changes []Change `json:"changes,omitempty"`
}

// PackVersion names one version of a pack.
type PackVersion struct {
	Version int64  `json:"version"`
	Edition string `json:"edition"`
}

// Kind says how a pack differs.
type Kind string

const (
	Same    Kind = "same"
	Changed Kind = "changed"
	Added   Kind = "added"   // only in B
	Removed Kind = "removed" // only in A
)

// Change is one field that differs; empty: not there.
type Change struct {
	Path string `json:"path"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// Packs compares two lists of packs, pack by pack in order of identifiers.
func Packs(a, b []pinfree.Pack) []PackDiff {
	var out []PackDiff
	for _, id := range identifiers(a, b) {
		d := PackDiff{ID: id}
		pa, pb := find(a, id), find(b, id)
		switch {
		case pb == nil:
			d.Kind, d.A = Removed, versionOf(pa)
		case pa == nil:
			d.Kind, d.B = Added, versionOf(pb)
		default:
			d.Kind, d.A, d.B = Same, versionOf(pa), versionOf(pb)
			if d.Changes = changes(pa, pb); len(d.Changes) > 0 {
				d.Kind = Changed
			}
		}
		out = append(out, d)
	}
	return out
}

func identifiers(lists ...[]pinfree.Pack) []string {
	var ids []string
	for _, list := range lists {
		for i := range list {
			ids = append(ids, list[i].ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func find(list []pinfree.Pack, id string) *pinfree.Pack {
	i := slices.IndexFunc(list, func(p pinfree.Pack) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func versionOf(p *pinfree.Pack) *PackVersion { return &PackVersion{p.Version, p.Edition} }

func changes(a, b *pinfree.Pack) []Change {
	fa, fb := Fields(a), Fields(b)
	if x, y := answerOrder(a), answerOrder(b); x != y { // the first that fits is taken
		fa, fb = append(fa, Field{"answers order", x}), append(fb, Field{"answers order", y})
	}
	inB := map[string]string{}
	for _, f := range fb {
		inB[f.Path] = f.Value
	}
	var out []Change
	seen := map[string]bool{}
	for _, f := range fa {
		seen[f.Path] = true
		if inB[f.Path] != f.Value {
			out = append(out, Change{f.Path, f.Value, inB[f.Path]})
		}
	}
	for _, f := range fb {
		if !seen[f.Path] {
			out = append(out, Change{f.Path, "", f.Value})
		}
	}
	return out
}

func answerOrder(p *pinfree.Pack) string {
	ids := make([]string, len(p.Answers))
	for i := range p.Answers {
		ids[i] = p.Answers[i].ID
	}
	return strings.Join(ids, ", ")
}

// tree is a value with its members in order.
type tree struct {
	object bool
	list   bool
	names  []string // of an object's members
	parts  []tree   // members or elements
	text   string   // of a scalar
}

// treeOf reads what encoding/json makes of a value: it knows which fields are
// left out, and every field that the language gains later.
func treeOf(v any) tree {
	text, err := json.Marshal(v)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var t tree
		if t, err = read(dec); err == nil {
			return t
		}
	}
	panic(fmt.Sprintf("compare: a pack cannot be written as JSON: %v", err)) // texts and numbers: cannot happen
}

func read(dec *json.Decoder) (t tree, err error) {
	tok, err := dec.Token()
	if err != nil {
		return t, err
	}
	delim, opens := tok.(json.Delim)
	if !opens {
		if tok != nil {
			t.text = fmt.Sprint(tok)
		}
		return t, nil
	}
	t.object, t.list = delim == '{', delim == '['
	for dec.More() {
		if t.object {
			name, err := dec.Token()
			if err != nil {
				return t, err
			}
			t.names = append(t.names, fmt.Sprint(name))
		}
		part, err := read(dec)
		if err != nil {
			return t, err
		}
		t.parts = append(t.parts, part)
	}
	if _, err = dec.Token(); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

func (t tree) empty() bool { return t.text == "" && len(t.parts) == 0 }

func (t tree) fields(path string, out []Field) []Field {
	switch {
	case t.empty():
		return out
	case t.object:
		for i, name := range t.names {
			if path != "" {
				name = path + "." + name
			}
			out = t.parts[i].fields(name, out)
		}
		return out
	case t.list && !slices.ContainsFunc(t.parts, func(p tree) bool { return !p.object }):
		for i, p := range t.parts {
			key := strconv.Itoa(i)
			if id := slices.Index(p.names, "id"); id >= 0 {
				key = p.parts[id].text
			}
			out = p.fields(path+"["+key+"]", out)
		}
		return out
	}
	return append(out, Field{path, t.flow()})
}

func (t tree) flow() string {
	var words []string
	for i, p := range t.parts {
		if p.empty() {
			continue
		}
		word := p.flow()
		if t.object {
			word = t.names[i] + ": " + word
		}
		words = append(words, word)
	}
	switch {
	case t.object:
		return "{" + strings.Join(words, ", ") + "}"
	case t.list:
		return "[" + strings.Join(words, ", ") + "]"
	}
	return t.text
}
