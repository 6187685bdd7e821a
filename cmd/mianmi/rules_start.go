package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/store"
)

// rules is what changes the packs in force.
func (a *app) rules(db *store.DB) *rules.Service {
	return rules.New(rules.Parts{Records: db, Clock: a.clock, Random: a.random, Replayer: newReplayer(db)})
}

// startRules brings the packs in force up to what the program is started with,
// and tells what waits for an operator. Packs that cannot be compiled, and
// packs in force that cannot be read, end the start.
func (a *app) startRules(ctx context.Context, db *store.DB, t *tuning) (*rules.Service, error) {
	in, err := t.start()
	if err != nil {
		return nil, err
	}
	s := a.rules(db)
	got, err := s.Sync(ctx, mianmi.System("start"), in)
	if err != nil {
		return nil, fmt.Errorf("rule packs: %w", err)
	}
	a.tellStart(ctx, &got)
	return s, nil
}

func (a *app) tellStart(ctx context.Context, got *rules.Synced) {
	if c := got.Applied; c != nil {
		text := "rule packs were tightened"
		if got.First {
			text = "rule packs are in force"
		}
		a.log.InfoContext(ctx, text, "packs", packNames(c.Packs), "change", string(c.ID))
	}
	if c := got.Proposed; c != nil {
		a.tellWaiting(ctx, c.ID, c.Packs)
	}
	for _, p := range got.Waits {
		a.tellWaiting(ctx, p.Change, []rules.Pack{p})
	}
	for _, k := range got.Kept {
		a.log.InfoContext(ctx, "a rule pack is left as it is", "pack", fmt.Sprintf("%s@%d", k.Pack, k.Version), "why", k.Why)
	}
}

func (a *app) tellWaiting(ctx context.Context, id mianmi.RuleChangeID, list []rules.Pack) {
	a.log.WarnContext(ctx, "rule packs wait for a second person, for they may let more pass: look with mianmi rules changes "+string(id)+
		", approve with mianmi rules approve "+string(id)+" --login LOGIN or over the API", "packs", packNames(list), "change", string(id))
}

// packNames is "id@version" of each, "-id" for one that goes.
func packNames(list []rules.Pack) string {
	var out []string
	for i := range list {
		name := fmt.Sprintf("%s@%d", list[i].ID, list[i].Version)
		if list[i].Withdraws {
			name = "-" + list[i].ID
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// start is the packs that the flags name.
func (t *tuning) start() (rules.Start, error) {
	var in rules.Start
	shipped, err := packs.EmbeddedTexts()
	if err != nil {
		return in, err
	}
	own, err := t.folder()
	if err != nil {
		return in, err
	}
	in.Folder = t.PacksDir != ""
	replaced := map[string]bool{}
	for _, text := range own {
		p, err := packs.Parse(text.File, []byte(text.YAML))
		if err != nil {
			return in, err
		}
		replaced[p.ID] = true
		in.Packs = append(in.Packs, rules.Text{Name: text.File, YAML: text.YAML, Source: rules.Folder})
	}
	usual, err := packs.Default()
	if err != nil {
		return in, err
	}
	var ids []string
	for _, text := range shipped {
		id := strings.TrimSuffix(text.File, ".yaml") // a test of the packs holds it to its file
		ids = append(ids, id)
		switch {
		case replaced[id]:
		case len(t.Packs) == 0 && !slices.ContainsFunc(usual, func(p pinfree.Pack) bool { return p.ID == id }):
		case len(t.Packs) == 0 || slices.Contains(t.Packs, id):
			in.Packs = append(in.Packs, rules.Text{Name: text.File, YAML: text.YAML, Source: rules.Shipped})
		default:
			in.Left = append(in.Left, id)
		}
	}
	for _, id := range t.Packs {
		if !slices.Contains(ids, id) {
			return in, fmt.Errorf("--packs: there is no pack %q; shipped are %s", id, strings.Join(ids, ", "))
		}
	}
	return in, nil
}

// folder reads the operator's own packs; their names are their paths.
func (t *tuning) folder() ([]packs.Text, error) {
	if t.PacksDir == "" {
		return nil, nil
	}
	if info, err := os.Stat(t.PacksDir); err != nil {
		return nil, fmt.Errorf("--packs-dir: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("--packs-dir: %s is not a folder", t.PacksDir)
	}
	list, err := packs.Texts(os.DirFS(t.PacksDir))
	if err != nil {
		return nil, fmt.Errorf("--packs-dir: %w", err)
	}
	for i := range list {
		list[i].File = filepath.Join(t.PacksDir, list[i].File)
	}
	return list, nil
}
