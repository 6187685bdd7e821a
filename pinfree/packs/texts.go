package packs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/mianmi/mianmi"
)

// Text is a pack's file as it stands.
type Text struct {
	File string
	YAML string
}

// EmbeddedTexts returns the files of the packs that mianmi ships.
func EmbeddedTexts() ([]Text, error) { return Texts(files) }

// Texts reads every *.yaml and *.yml file at the top of a file system, in order
// of their names, and does not parse them.
func Texts(fsys fs.FS) ([]Text, error) {
	names, err := fs.Glob(fsys, "*.y*ml")
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return path.Ext(n) != ".yaml" && path.Ext(n) != ".yml" })
	if len(names) > filesMax {
		return nil, mianmi.InvalidField("packs", fmt.Sprintf("%d files; at most %d", len(names), filesMax))
	}
	out := make([]Text, 0, len(names))
	size := 0
	for _, name := range names {
		t, err := text(fsys, name)
		if err != nil {
			return nil, err
		}
		if size += len(t.YAML); size > sizeAllMax {
			return nil, mianmi.InvalidField("packs", fmt.Sprintf("the files are longer than %d bytes in all", sizeAllMax))
		}
		out = append(out, t)
	}
	return out, nil
}

// text reads a file up to its bound; of a pipe or device it reads nothing.
func text(fsys fs.FS, name string) (_ Text, err error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return Text{}, fmt.Errorf("read pack %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return Text{}, mianmi.InvalidField(name, "is not a file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return Text{}, fmt.Errorf("read pack %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, sizeMax+1))
	if err != nil {
		return Text{}, fmt.Errorf("read pack %s: %w", name, err)
	}
	if len(b) > sizeMax {
		return Text{}, mianmi.InvalidField(name, fmt.Sprintf("is longer than %d bytes", sizeMax))
	}
	return Text{name, string(b)}, nil
}
