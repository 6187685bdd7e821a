package packs

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/mianmi/mianmi"
)

const (
	// depthMax bounds conditions inside conditions, the only part of a pack that
	// can hold itself; three levels are in use.
	depthMax = 20
	// faultsMax bounds what is listed of one file: more than anybody reads.
	faultsMax = 50
	// shownMax bounds the runes of a value that an error quotes.
	shownMax = 60
)

// reader takes a YAML tree into a pack field by field, as the types of
// pinfree.Pack and their yaml tags have it. It is stricter than YAML decoders
// are: a number is plain digits (010 is not eight, nor 1.5 one), a text is what
// stands there, and what is empty is a fault, for an empty condition would mean
// every payment. It notes the line of each field for later faults.
type reader struct {
	file   string
	lines  map[string]int
	faults []error
}

func (r *reader) fault(at string, n *yaml.Node, format string, args ...any) {
	if len(r.faults) >= faultsMax {
		return
	}
	where := r.file + ":" + strconv.Itoa(n.Line)
	if at != "" {
		where += ": " + at
	}
	r.faults = append(r.faults, mianmi.InvalidField(where, fmt.Sprintf(format, args...)))
}

// value reads a node into a field.
func (r *reader) value(at string, n *yaml.Node, into reflect.Value, depth int) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		r.fault(at, n, "anchors, aliases and tags are not part of the language; write it out")
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		r.fault(at, n, "is empty; write a value, or leave the key out")
		return
	case depth > depthMax:
		r.fault(at, n, "conditions are nested deeper than %d levels; use one expression in cel", depthMax)
		return
	}
	switch into.Kind() { //nolint:exhaustive // a test reads every field of a pack
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		r.value(at, n, into.Elem(), depth)
	case reflect.Struct:
		r.object(at, n, into, depth)
	case reflect.Slice:
		r.list(at, n, into, depth)
	case reflect.Bool:
		r.truth(at, n, into)
	case reflect.Int64:
		r.number(at, n, into)
	case reflect.String:
		r.text(at, n, into)
	default: // a pack's type has a field that this does not read: a bug
		panic("pinfree/packs: no reader for " + into.Type().String())
	}
}

func (r *reader) object(at string, n *yaml.Node, into reflect.Value, depth int) {
	k := keysOf(into.Type())
	if n.Kind != yaml.MappingNode {
		r.fault(at, n, "%s has no keys; write some of %s", shown(n), strings.Join(k.names, ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := shownPath(at, key)
		field, known := k.fields[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 || key.ShortTag() == "!!merge":
			r.fault(at, key, "%s is not a key; the keys here are %s", shown(key), strings.Join(k.names, ", "))
		case seen[key.Value]:
			r.fault(path, key, "is there twice; leave one out")
		case !known:
			r.fault(path, key, "no such key; the keys here are %s", strings.Join(k.names, ", "))
		default:
			r.lines[path] = key.Line
			r.value(path, value, into.FieldByIndex(field), depth+1)
		}
		seen[key.Value] = true
	}
}

// keys are those of a struct, in its own order, with the fields that they are.
type keys struct {
	names  []string
	fields map[string][]int
}

// keysByType holds the keys of the dozen types that a pack is made of.
var keysByType sync.Map // reflect.Type to *keys

func keysOf(t reflect.Type) *keys {
	if known, ok := keysByType.Load(t); ok {
		return known.(*keys) //nolint:forcetypeassert // nothing else is stored
	}
	k := &keys{fields: map[string][]int{}}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && name != "-" {
			k.names = append(k.names, name)
			k.fields[name] = f.Index
		}
	}
	keysByType.Store(t, k)
	return k
}

func (r *reader) list(at string, n *yaml.Node, into reflect.Value, depth int) {
	words := into.Type().Elem().Kind() == reflect.String
	switch {
	case n.Kind != yaml.SequenceNode:
		r.fault(at, n, "%s is not a list; write [ … ], or a line with - for each", shown(n))
		return
	case words && len(n.Content) == 0:
		r.fault(at, n, "is empty; name at least one, or leave the key out")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		path := at + "[" + strconv.Itoa(i) + "]"
		r.lines[path] = item.Line
		r.value(path, item, into.Index(i), depth)
	}
}

func (r *reader) truth(at string, n *yaml.Node, into reflect.Value) {
	if n.Kind != yaml.ScalarNode || n.Style != 0 || n.Value != "true" && n.Value != "false" {
		r.fault(at, n, "%s is neither true nor false", shown(n))
		return
	}
	into.SetBool(n.Value == "true")
}

func (r *reader) number(at string, n *yaml.Node, into reflect.Value) {
	whole, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || n.Kind != yaml.ScalarNode || n.Style != 0 || strconv.FormatInt(whole, 10) != n.Value {
		r.fault(at, n, "%s is not a whole number; write it in plain digits, an amount in minor units (50.00 is 5000)", shown(n))
		return
	}
	into.SetInt(whole)
}

func (r *reader) text(at string, n *yaml.Node, into reflect.Value) {
	switch bad := strings.IndexFunc(n.Value, invisible); {
	case n.Kind != yaml.ScalarNode:
		r.fault(at, n, "%s is not a text", shown(n))
	case strings.TrimSpace(n.Value) == "":
		r.fault(at, n, "is empty; write a text, or leave the key out")
	case bad >= 0:
		r.fault(at, n, "holds the invisible character %U; leave it out", []rune(n.Value[bad:])[0])
	default:
		into.SetString(n.Value)
	}
}

// invisible reports whether a character might show a reader something else than
// what is there: control characters, and those that turn the direction of text.
func invisible(c rune) bool { return !unicode.IsGraphic(c) && c != '\n' && c != '\r' && c != '\t' }

// shown is a value as an error quotes it.
func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "{ … }"
	case yaml.SequenceNode:
		return "[ … ]"
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
	if runes := []rune(n.Value); len(runes) > shownMax {
		return strconv.Quote(string(runes[:shownMax]) + "…")
	}
	return strconv.Quote(n.Value)
}

// shownPath is the path of a key that may be anything.
func shownPath(at string, key *yaml.Node) string {
	name := key.Value
	if len(name) > shownMax || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		name = shown(key)
	}
	return strings.TrimPrefix(at+"."+name, ".")
}
