package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// packFlags choose the packs that a subcommand on files works with: as serve
// would have them, and single files besides.
type packFlags struct {
	Packs    []string `placeholder:"ID,…" help:"Which of the shipped rule packs to take, by identifier; by default those that serve takes; none for no shipped one." zh:"使用哪些随附规则包（按标识）；默认与 serve 相同；none 表示不用随附规则包。"`
	PacksDir string   `placeholder:"DIR" help:"Folder of your own rule packs (*.yaml). One with the identifier of a shipped pack takes its place." zh:"自备规则包（*.yaml）所在目录；标识与随附规则包相同的，取代随附规则包。"`
	Pack     []string `sep:"none" placeholder:"FILE" help:"One more rule pack, in the place of one with its identifier. May be given several times." zh:"另加一个规则包文件，取代标识相同的规则包；可多次给出。"`
}

// load reads the packs that the flags choose.
func (f *packFlags) load() ([]pinfree.Pack, error) {
	list, err := f.shipped()
	if err != nil {
		return nil, err
	}
	if f.PacksDir != "" {
		own, err := readFolder("--packs-dir", f.PacksDir)
		if err != nil {
			return nil, err
		}
		for _, p := range own {
			list = replacePack(list, p)
		}
	}
	for _, file := range f.Pack {
		p, err := readPack(file)
		if err != nil {
			return nil, fmt.Errorf("--pack: %w", err)
		}
		list = replacePack(list, p)
	}
	return list, nil
}

func (f *packFlags) shipped() ([]pinfree.Pack, error) {
	if len(f.Packs) == 0 {
		return packs.Default()
	}
	list, err := packs.Embedded()
	if err != nil || slices.Equal(f.Packs, []string{"none"}) {
		return nil, err
	}
	var ids []string
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	for _, id := range f.Packs {
		if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("--packs: there is no pack %q; there are %s", id, strings.Join(ids, ", "))
		}
	}
	return slices.DeleteFunc(list, func(p pinfree.Pack) bool { return !slices.Contains(f.Packs, p.ID) }), nil
}

// compile reads the packs and compiles them together.
func (f *packFlags) compile() (*pinfree.RuleSet, error) {
	list, err := f.load()
	if err != nil {
		return nil, err
	}
	return pinfree.Compile(list)
}

// replacePack returns the packs with p, in place of one with its identifier.
func replacePack(list []pinfree.Pack, p pinfree.Pack) []pinfree.Pack {
	return append(slices.DeleteFunc(slices.Clone(list), func(o pinfree.Pack) bool { return o.ID == p.ID }), p)
}

// readFolder reads every pack of a folder; one without packs is a slip.
func readFolder(flag, dir string) (list []pinfree.Pack, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	list, err = packs.Load(root.FS())
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: no *.yaml in %s", flag, dir)
	}
	return list, err
}

// chosenPacks reads a comma list: each item is a file, a folder, "usual" for
// the packs that are in force by default, "shipped" for all that are shipped, or
// the identifier of one of those. Later items replace packs with the same
// identifier.
func chosenPacks(what, items string) ([]pinfree.Pack, error) {
	shipped, err := packs.Embedded()
	if err != nil {
		return nil, err
	}
	var out []pinfree.Pack
	for item := range strings.SplitSeq(items, ",") {
		var some []pinfree.Pack
		some, err = packsOf(what, item, shipped)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			out = replacePack(out, p)
		}
	}
	return out, nil
}

func packsOf(what, item string, shipped []pinfree.Pack) ([]pinfree.Pack, error) {
	switch item {
	case "shipped":
		return shipped, nil
	case "usual":
		return packs.Default()
	}
	if i := slices.IndexFunc(shipped, func(p pinfree.Pack) bool { return p.ID == item }); i >= 0 {
		return shipped[i : i+1], nil
	}
	info, err := os.Stat(item)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: %q is no file, no folder and no pack that is shipped (mianmi rules list shows those)", what, item)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case info.IsDir():
		return readFolder(what, item)
	}
	p, err := readPack(item)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return []pinfree.Pack{p}, nil
}
