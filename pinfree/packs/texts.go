package packs

import (
	"fmt"
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

// Texts reads the files that Load would, and does not parse them.
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
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read pack %s: %w", name, err)
		}
		out = append(out, Text{name, string(b)})
	}
	return out, nil
}
