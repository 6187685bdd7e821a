package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// envPrefix starts the name of every environment variable of mianmi.
const envPrefix = "MIANMI_"

// fileBytesMax bounds a configuration file; a real one has a few hundred.
const fileBytesMax = 1 << 20

// settings resolves flags that the command line leaves open: from the
// environment first, then from the YAML file. Keys are the flags' names.
type settings struct {
	environ []string
	file    string
	values  map[string]setting
}

// setting is a value of the file and the line that it stands on.
type setting struct {
	value any
	line  int
}

// notInFile are flags that the file cannot set.
var notInFile = []string{"help", "config"}

// readSettings finds and reads the YAML file, if one is named.
func readSettings(args, environ []string) (*settings, error) {
	s := &settings{environ: environ, values: map[string]setting{}}
	file, ok := flagValue(args, "config")
	if !ok {
		file, _ = env(environ, envName("config"))
	}
	if file == "" {
		return s, nil
	}
	s.file = file
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if info.Size() > fileBytesMax {
		return nil, fmt.Errorf("--config: %s is larger than %d bytes", file, fileBytesMax)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return s, s.parse(text)
}

// flagValue finds --name VALUE or --name=VALUE, before kong parses: the file
// must be known by then.
func flagValue(args []string, name string) (string, bool) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if v, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			return v, true
		}
		if arg == "--"+name && i+1 < len(args) {
			return args[i+1], true
		}
	}
	return "", false
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parse reads the file's keys with their lines. Errors name file and line and
// never quote a value: an address may hold a password.
func (s *settings) parse(text []byte) error {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return s.syntax(err)
	}
	if len(f.Docs) > 1 {
		return fmt.Errorf("%s: want one YAML document, there are %d", s.file, len(f.Docs))
	}
	for _, doc := range f.Docs {
		if err := s.document(doc.Body); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) document(body ast.Node) error {
	var pairs []*ast.MappingValueNode
	switch n := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return fmt.Errorf("%s:%d: want lines of the form \"key: value\"", s.file, line(body))
	}
	for _, p := range pairs {
		key := p.Key.GetToken().Value
		if _, twice := s.values[key]; twice {
			return fmt.Errorf("%s:%d: %s stands there twice", s.file, line(p.Key), key)
		}
		v, err := plainValue(p.Value)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", s.file, line(p.Key), key, err)
		}
		s.values[key] = setting{value: v, line: line(p.Key)}
	}
	return nil
}

func line(n ast.Node) int { return n.GetToken().Position.Line }

// plainValue is the text of a value, or the texts of a list.
func plainValue(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, errors.New("has no value")
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for _, v := range n.Values {
			one, err := plainValue(v)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case ast.ScalarNode:
		return n.GetToken().Value, nil
	}
	return nil, errors.New("want a plain value or a list of them")
}

// syntax names file and line of a fault that the YAML parser found.
func (s *settings) syntax(err error) error {
	var fault *yaml.SyntaxError
	if errors.As(err, &fault) && fault.Token != nil {
		return fmt.Errorf("%s:%d: not YAML: %s", s.file, fault.Token.Position.Line, fault.Message)
	}
	return fmt.Errorf("%s: not YAML", s.file)
}

// check refuses keys that no subcommand has.
func (s *settings) check(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(v kong.Visitable, next kong.Next) error {
		if f, ok := v.(*kong.Flag); ok {
			known[f.Name] = !slices.Contains(notInFile, f.Name)
		}
		return next(nil)
	})
	var unknown []string
	for key, v := range s.values {
		if !known[key] {
			unknown = append(unknown, fmt.Sprintf("%s:%d: unknown key %s", s.file, v.line, key))
		}
	}
	slices.Sort(unknown)
	if len(unknown) > 0 {
		return errors.New(strings.Join(unknown, "\n"))
	}
	return nil
}

// Validate is part of kong.Resolver.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve gives a flag that is not on the command line its value.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	if v, ok := env(s.environ, envName(flag.Name)); ok && v != "" {
		return v, nil
	}
	if v, ok := s.values[flag.Name]; ok {
		return v.value, nil
	}
	return nil, nil
}

// place adds to kong's error where the bad value of a flag came from.
func (s *settings) place(err error) error {
	for name, v := range s.values {
		if over, _ := env(s.environ, envName(name)); over != "" || !mentions(err, name) {
			continue
		}
		return fmt.Errorf("%s:%d: %w", s.file, v.line, err)
	}
	for _, kv := range s.environ {
		name, _, _ := strings.Cut(kv, "=")
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))
		if strings.HasPrefix(name, envPrefix) && mentions(err, flag) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return err
}

func mentions(err error, flag string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(err.Error(), func(r rune) bool {
		return strings.ContainsRune(" :=,", r)
	}), func(word string) bool { return word == "--"+flag })
}
