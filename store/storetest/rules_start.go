package storetest

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rules"
)

func firstStart(t *testing.T, nodes Nodes) {
	w := newRulesWorld(nodes)
	if set := must(w.db.RuleSet(t.Context()))(t); set.Known() || set.Rules() != nil {
		t.Error("an empty database knows packs")
	}
	in := rules.Start{Packs: append(texts(rules.Shipped, pack{id: "a", version: 3, atMost: 1000}), texts(rules.Folder, pack{id: "b", version: 1, atMost: 10})...), Folder: true}
	got := w.starts(t, in)
	if !got.First || got.Applied == nil || got.Proposed != nil {
		t.Errorf("first start: %+v", got)
	}
	w.wantLive(t, "a@3 shipped, b@1 folder")
	epoch := must(w.db.Settings(t.Context()))(t).Epoch()
	if d := cmp.Diff(rules.Synced{}, w.starts(t, in)); d != "" {
		t.Errorf("the same start again: %s", d)
	}
	if now := must(w.db.Settings(t.Context()))(t).Epoch(); now != epoch {
		t.Errorf("a start that changes nothing raised the epoch from %d to %d", epoch, now)
	}
}

func laterStart(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000}, pack{id: "b", version: 1, atMost: 1000}, pack{id: "c", version: 1, atMost: 1000})
	next := []pack{{id: "a", version: 2, atMost: 900}, {id: "b", version: 2, atMost: 2000}, {id: "c", version: 1, atMost: 1000}, {id: "d", version: 1, atMost: 10}}
	got := w.begin(t, next...)
	if got.First || got.Applied == nil || len(got.Applied.Packs) != 1 || got.Proposed == nil || len(got.Proposed.Packs) != 2 {
		t.Errorf("applied %+v, proposed %+v", got.Applied, got.Proposed)
	}
	w.wantLive(t, "a@2 shipped, b@1 shipped, c@1 shipped")
	again := w.begin(t, next...)
	if again.Applied != nil || again.Proposed != nil || len(again.Waits) != 2 {
		t.Errorf("the same start again: %+v", again)
	}
	must(w.rules.Reject(ctx, w.first, got.Proposed.ID))(t)
	rejected := w.begin(t, next...)
	if rejected.Proposed != nil || len(rejected.Kept) != 2 || rejected.Kept[0].Why != rules.KeptByPerson {
		t.Errorf("after a rejection: %+v", rejected)
	}
	next[1].version, next[3].version = 3, 2
	got = w.begin(t, next...)
	must(w.rules.Approve(ctx, w.second, got.Proposed.ID))(t)
	w.wantLive(t, "a@2 shipped, b@3 shipped, c@1 shipped, d@2 shipped")

	// An older program starts beside, and one that knows nothing of d.
	older := w.begin(t, pack{id: "a", version: 1, atMost: 1000}, pack{id: "b", version: 1, atMost: 1000}, pack{id: "c", version: 1, atMost: 1000})
	if older.Applied != nil || older.Proposed != nil || len(older.Kept) != 2 || older.Kept[0].Why != rules.KeptNewer {
		t.Errorf("an older program: %+v", older)
	}
	clash := w.begin(t, pack{id: "a", version: 2, atMost: 800})
	if clash.Applied != nil || clash.Proposed != nil || len(clash.Kept) != 1 || clash.Kept[0].Why != rules.KeptClash {
		t.Errorf("the same version with another text: %+v", clash)
	}
	// What the operator does not choose goes: c was permitted by others too.
	left := w.starts(t, rules.Start{Packs: texts(rules.Shipped, next[0], next[1], next[3]), Left: []string{"c", "e"}})
	if left.Applied != nil || left.Proposed == nil || !left.Proposed.Packs[0].Withdraws || left.Proposed.Packs[0].ID != "c" {
		t.Errorf("c is not chosen: %+v", left)
	}
	w.wantLive(t, "a@2 shipped, b@3 shipped, c@1 shipped, d@2 shipped")
}

func startAndPersons(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	shipped := pack{id: "a", version: 1, atMost: 1000}
	w.begin(t, shipped)
	// A file of the folder takes the place of the shipped pack.
	file := pack{id: "a", version: 2, atMost: 500}
	in := rules.Start{Packs: texts(rules.Folder, file), Folder: true}
	if got := w.starts(t, in); got.Applied == nil {
		t.Errorf("a stricter file: %+v", got)
	}
	w.wantLive(t, "a@2 folder")
	if got := w.starts(t, rules.Start{}); len(got.Kept) != 1 || got.Kept[0].Why != rules.KeptFolder {
		t.Errorf("a start without the folder: %+v", got)
	}
	// A person's pack is a person's.
	must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 3, atMost: 100})))(t)
	in.Packs = texts(rules.Folder, pack{id: "a", version: 9, atMost: 1})
	if got := w.starts(t, in); got.Applied != nil || len(got.Kept) != 1 || got.Kept[0].Why != rules.KeptByPerson {
		t.Errorf("a start over a person's pack: %+v", got)
	}
	must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	in.Packs = texts(rules.Folder, file)
	if got := w.starts(t, in); got.Applied != nil || got.Proposed != nil || len(got.Kept) != 1 || got.Kept[0].Why != rules.KeptByPerson {
		t.Errorf("a start brings back what a person has withdrawn: %+v", got)
	}
	in.Packs = texts(rules.Folder, pack{id: "a", version: 4, atMost: 1})
	got := w.starts(t, in)
	if got.Proposed == nil {
		t.Fatalf("a newer version after that: %+v", got)
	}
	must(w.rules.Approve(ctx, w.first, got.Proposed.ID))(t)
	w.wantLive(t, "a@4 folder")
	if got := w.starts(t, rules.Start{Folder: true}); got.Applied == nil || !got.Applied.Packs[0].Withdraws {
		t.Errorf("the file is gone, and nothing else permits: %+v", got)
	}
	w.wantLive(t, "")
	if got := w.starts(t, in); got.Proposed == nil {
		t.Errorf("the file is back: %+v", got)
	}
}

func startStops(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	in := rules.Start{Packs: texts(rules.Folder, pack{id: "a", version: 1, atMost: 1000})}
	bad := in
	bad.Packs = []rules.Text{{Name: "packs/a.yaml", Source: rules.Folder, YAML: strings.Replace(in.Packs[0].YAML, "above: step_up", "above: ask", 1)}}
	_, err := w.rules.Sync(ctx, w.start, bad)
	wantKind(t, err, mianmi.Invalid, "packs/a.yaml:11: limits[0].above")
	w.starts(t, in)
	in.Packs = texts(rules.Folder, pack{id: "a", version: 1, atMost: 900})
	_, err = w.rules.Sync(ctx, w.start, in)
	wantKind(t, err, mianmi.Conflict, "pack_version_taken")
	w.wantLive(t, "a@1 folder")
}

// As a newer program would write it: a pack that this one cannot read.
func unreadablePacks(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	other := w.on(nodes(), &repeatable{n: 1 << 20})
	w.begin(t, pack{id: "a", version: 1, atMost: 1000}.refuses(5000), pack{id: "b", version: 1, atMost: 2000})
	if got := other.outcome(t, 5); got != pinfree.PinFree {
		t.Fatalf("before: %s", got)
	}
	newer := strings.Replace(pack{id: "a", version: 2, atMost: 1}.text(), "permits:", "permit_when_the_moon_is_full:", 1)
	must(0, w.db.ChangeRules(ctx, func(h rules.Held) (rules.Outcome, error) {
		now := w.clock.Now()
		c := rules.Change{ID: "rc0", State: rules.InForce, ProposedBy: "operator:sf9", ProposedAt: now, ExpiresAt: now, DecidedBy: "operator:sf8", DecidedAt: now}
		over := h.Live[0]
		over.Until, over.UntilEpoch = now, h.Epoch
		return rules.Outcome{Changes: []rules.Change{c}, Packs: []rules.Pack{over, {Change: c.ID, ID: "a", Version: 2, YAML: newer, Digest: "x",
			Source: rules.API, From: now, FromEpoch: h.Epoch}}}, nil
	}))(t)
	for name, node := range map[string]*rulesWorld{"a node that saw it come": other, "a fresh node": w.on(nodes(), &repeatable{n: 1 << 30})} {
		set := must(node.db.RuleSet(ctx))(t)
		if err := set.Fault(); err == nil || !strings.Contains(err.Error(), "database/a@2:7") {
			t.Errorf("%s: fault %v, want pack, version and line", name, err)
		}
		if got := node.outcome(t, 5); got != pinfree.StepUp {
			t.Errorf("%s: %s, want step-up", name, got)
		}
	}
	// Limits that can be read hold on, those of the version before among them.
	if got := other.outcome(t, 6000); got != pinfree.Refused {
		t.Errorf("above the refusal of the version before: %s", got)
	}
	_, err := w.rules.Sync(ctx, w.start, rules.Start{Packs: texts(rules.Shipped, pack{id: "b", version: 1, atMost: 2000})})
	if err == nil || !strings.Contains(err.Error(), "database/a@2:7") {
		t.Errorf("a start on it: %v, want pack, version and line", err)
	}
	_, err = w.rules.Propose(ctx, w.first, put(pack{id: "b", version: 2, atMost: 1}))
	wantKind(t, err, mianmi.Conflict, "rules_unreadable")
	c := must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	if c.Tightening {
		t.Error("the end of what cannot be read is called a tightening")
	}
	must(w.rules.Approve(ctx, w.second, c.ID))(t)
	w.wantLive(t, "b@1 shipped")
	if got := other.outcome(t, 1500); got != pinfree.PinFree {
		t.Errorf("after the end of the unreadable pack: %s", got)
	}
}

func startsAtOnce(t *testing.T, nodes Nodes) {
	w := newRulesWorld(nodes)
	list := []pack{{id: "a", version: 1, atMost: 1000}, {id: "b", version: 1, atMost: 1000}}
	var all sync.WaitGroup
	var mu sync.Mutex
	firsts := 0
	for i := range 4 {
		node := w.on(nodes(), &repeatable{n: uint64(i+1) << 20})
		all.Go(func() {
			got, err := node.rules.Sync(t.Context(), w.start, rules.Start{Packs: texts(rules.Shipped, list...)})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got.First {
				firsts++
			}
		})
	}
	all.Wait()
	if firsts != 1 {
		t.Errorf("%d nodes made the first start", firsts)
	}
	w.wantLive(t, "a@1 shipped, b@1 shipped")
}
