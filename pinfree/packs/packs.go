// Package packs holds the rule packs that mianmi ships, as YAML, and reads
// packs in that form from any folder.
//
// A pack is facts: limits, conditions and dates, each with its source. What
// the fields mean is said at pinfree.Pack; checking and applying them is left
// to pinfree.Compile and pinfree.Decide.
package packs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

//go:embed *.yaml
var files embed.FS

const (
	// sizeMax bounds one file: the longest shipped pack is a twentieth of it.
	sizeMax = 256 << 10
	// filesMax and sizeAllMax bound a folder, so that a wrong one is noticed.
	filesMax   = 500
	sizeAllMax = 8 << 20
)

// Embedded returns the packs that mianmi ships.
func Embedded() ([]pinfree.Pack, error) { return Load(files) }

// Load reads every *.yaml and *.yml file at the top of a file system, one pack
// a file, in order of their names. Errors are Invalid; the Field says file, line
// and key, and every file's faults are listed.
func Load(fsys fs.FS) ([]pinfree.Pack, error) {
	texts, err := Texts(fsys)
	if err != nil {
		return nil, err
	}
	var out []pinfree.Pack
	var faults []error
	for _, t := range texts {
		p, err := Parse(t.File, []byte(t.YAML))
		faults = append(faults, err)
		out = append(out, p)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return out, nil
}

// Parse reads one pack. The error lists every fault: keys that packs do not
// have or that are there twice, values of the wrong kind, and what of YAML is
// not part of the language.
func Parse(file string, b []byte) (pinfree.Pack, error) {
	if len(b) > sizeMax {
		return pinfree.Pack{}, mianmi.InvalidField(file, fmt.Sprintf("is %d bytes long; at most %d", len(b), sizeMax))
	}
	if err := legible(file, b); err != nil {
		return pinfree.Pack{}, err
	}
	tree, err := tree(file, b)
	if err != nil {
		return pinfree.Pack{}, err
	}
	var p pinfree.Pack
	r := &reader{file: file, lines: map[string]int{}}
	r.value("", tree, reflect.ValueOf(&p).Elem(), 0)
	if err := errors.Join(r.faults...); err != nil {
		return pinfree.Pack{}, err
	}
	p.Origin = pinfree.Origin{File: file, Lines: r.lines}
	return p, nil
}

// legible refuses a text that does not show what it holds to the person who
// has to approve it.
func legible(file string, b []byte) error {
	line := 1
	for rest := bytes.TrimPrefix(b, []byte("\ufeff")); len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		switch {
		case c == utf8.RuneError && size == 1:
			return mianmi.InvalidField(file+":"+strconv.Itoa(line), "is not UTF-8; save the file in it")
		case invisible(c):
			return mianmi.InvalidField(file+":"+strconv.Itoa(line), fmt.Sprintf("holds the invisible character %U; leave it out", c))
		case c == '\n':
			line++
		}
		rest = rest[size:]
	}
	return nil
}

// tree is the one document of a file.
func tree(file string, b []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, mianmi.InvalidField(file, "is empty; write one pack a file")
	} else if err != nil {
		return nil, fault(file, err)
	}
	if err := dec.Decode(&more); err == nil {
		return nil, mianmi.InvalidField(file+":"+strconv.Itoa(more.Line), "begins a second document; write one pack a file")
	} else if !errors.Is(err, io.EOF) {
		return nil, fault(file, err)
	}
	return doc.Content[0], nil
}

// yamlFault is an error of the YAML reader: where, if it knows, and what.
var yamlFault = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// fault turns a YAML error into ours: file and line in the field, one line of text.
func fault(file string, err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n")
	if m := yamlFault.FindStringSubmatch(msg); m != nil {
		if msg = m[2]; m[1] != "" {
			file += ":" + m[1]
		}
	}
	return mianmi.InvalidField(file, "is not YAML: "+msg)
}
