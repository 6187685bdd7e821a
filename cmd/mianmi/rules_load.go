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

// packFlags choose the packs that a subcommand on files works with.
type packFlags struct {
	Packs    []string `placeholder:"ID,…" help:"Rule packs to take, by identifier; by default the usual ones, or all of --packs-dir." zh:"要使用的规则包标识；默认为常用规则包，或 --packs-dir 中的全部。"`
	PacksDir string   `placeholder:"DIR" help:"Folder of rule packs (*.yaml), in place of those that are shipped." zh:"规则包所在文件夹（*.yaml），代替随附的规则包。"`
	Pack     []string `sep:"none" placeholder:"FILE" help:"Rule pack to add; it replaces the one with the same identifier. May be given several times." zh:"另外加入的规则包文件，替换标识相同的规则包；可多次给出。"`
}

// load reads the packs that the flags choose.
func (f *packFlags) load() ([]pinfree.Pack, error) {
	list, err := f.offered()
	if err != nil {
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
	if len(f.Packs) > 0 {
		list = slices.DeleteFunc(list, func(p pinfree.Pack) bool { return !slices.Contains(f.Packs, p.ID) })
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

// offered are the packs that may be chosen from; without a choice they are taken.
func (f *packFlags) offered() ([]pinfree.Pack, error) {
	switch {
	case f.PacksDir != "":
		return readFolder("--packs-dir", f.PacksDir)
	case len(f.Packs) == 0:
		return packs.Default()
	}
	return packs.Embedded()
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
