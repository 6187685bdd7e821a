package wechatpay

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mianmi/mianmi"
)

// fields reads a YAML mapping key by key. It keeps the first fault, names where
// it is, and never quotes a value, which may be a key in the wrong place.
type fields struct {
	at     string
	values map[string]*yaml.Node
	known  map[string]bool
	order  []string
	err    error
}

func fieldsOf(at string, n *yaml.Node) (*fields, error) {
	if n.Kind != yaml.MappingNode {
		return nil, mianmi.InvalidField(orTop(at), "want lines of the form key: value")
	}
	f := &fields{at: at, values: map[string]*yaml.Node{}, known: map[string]bool{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || f.values[key.Value] != nil {
			return nil, mianmi.InvalidField(f.where(key.Value), "stands there twice, or is no plain key")
		}
		f.values[key.Value] = n.Content[i+1]
		f.order = append(f.order, key.Value)
	}
	return f, nil
}

func orTop(at string) string {
	if at == "" {
		return "wechatpay"
	}
	return at
}

func (f *fields) where(name string) string { return strings.Trim(f.at+"."+name, ".") }

func (f *fields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) fault(name, msg string) { f.keep(mianmi.InvalidField(f.where(name), msg)) }

func (f *fields) has(name string) bool { return f.values[name] != nil }

func (f *fields) take(name string) *yaml.Node {
	f.known[name] = true
	return f.values[name]
}

// text reads a plain value; the empty text stands for none.
func (f *fields) text(name string) string {
	n := f.take(name)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		f.fault(name, "want a plain value")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

func (f *fields) matching(name string, into *string, form *regexp.Regexp, want string) {
	*into = f.text(name)
	switch {
	case *into == "":
		f.keep(missing(f.where(name)))
	case !form.MatchString(*into):
		f.fault(name, want)
	}
}

// choice reads one of two words, of which the first is the default; true is the
// second.
func (f *fields) choice(name, def, other string) bool {
	word := f.text(name)
	if !slices.Contains([]string{"", def, other}, word) {
		f.fault(name, "want "+def+" or "+other)
	}
	return word == other
}

func (f *fields) truth(name string) bool { return f.choice(name, "false", "true") }

func (f *fields) below(name string) *fields {
	n := f.take(name)
	if n == nil {
		return nil
	}
	p, err := fieldsOf(f.where(name), n)
	f.keep(err)
	return p
}

func (f *fields) items(name string) ([]*yaml.Node, error) {
	n := f.take(name)
	if n == nil {
		return nil, missing(f.where(name))
	}
	if n.Kind != yaml.SequenceNode {
		return nil, mianmi.InvalidField(f.where(name), "want a list")
	}
	return n.Content, nil
}

// rest is the first fault, or the first key that nobody asked for.
func (f *fields) rest() error {
	if f.err != nil {
		return f.err
	}
	for _, name := range f.order {
		if !f.known[name] {
			return mianmi.InvalidField(f.where(name), "unknown key")
		}
	}
	return nil
}
