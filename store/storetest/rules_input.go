package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/rules"
)

func ruleVersionsGoUp(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 2, atMost: 1000})
	refused := func(what string, o rules.Order, kind mianmi.Kind, code string) {
		t.Helper()
		_, err := w.rules.Propose(ctx, w.first, o)
		if err == nil {
			t.Errorf("%s was taken", what)
		}
		wantKind(t, err, kind, code)
		_, err = w.rules.DryRun(ctx, w.first, o)
		wantKind(t, err, kind, code)
	}
	refused("an older version", put(pack{id: "a", version: 1, atMost: 10}), mianmi.Conflict, "pack_version_old")
	refused("the same version with another text", put(pack{id: "a", version: 2, atMost: 10}), mianmi.Conflict, "pack_version_taken")
	refused("what is in force", put(pack{id: "a", version: 2, atMost: 1000}), mianmi.Conflict, "rules_unchanged")
	refused("what is in force with a comment more", put(pack{id: "a", version: 2, atMost: 1000, more: "# a comment\n"}), mianmi.Conflict, "rules_unchanged")
	refused("nothing", rules.Order{}, mianmi.Invalid, "packs")
	refused("the end of what is not in force", rules.Order{Withdraw: []string{"b"}}, mianmi.NotFound, "withdraw")
	refused("the end of one pack twice", rules.Order{Withdraw: []string{"a", "a"}}, mianmi.Invalid, "withdraw")
	o := put(pack{id: "a", version: 3, atMost: 10})
	o.Withdraw = []string{"a"}
	refused("a new version and the end of one pack", o, mianmi.Invalid, "withdraw")
	o = put(pack{id: "a", version: 3, atMost: 10})
	o.Note = strings.Repeat("长", 501)
	refused("a note without end", o, mianmi.Invalid, "note")
	refused("one pack twice", put(pack{id: "a", version: 3, atMost: 10}, pack{id: "a", version: 4, atMost: 10}), mianmi.Invalid, "a.yaml: id")
	w.wantLive(t, "a@2 shipped")

	// After its end a version comes back as it was, or as a newer one.
	must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	refused("another text by the version of one that is over", put(pack{id: "a", version: 2, atMost: 10}), mianmi.Conflict, "pack_version_taken")
	c := must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 2, atMost: 1000})))(t)
	must(w.rules.Approve(ctx, w.second, c.ID))(t)
	w.wantLive(t, "a@2 api")
}

func badPacksAreTold(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	before := must(w.db.Settings(ctx))(t).Epoch()
	o := put(pack{id: "b", version: 1, atMost: 10}, pack{id: "c", version: 1, atMost: 10})
	o.Put[0].YAML = strings.Replace(o.Put[0].YAML, "layer: regulation", "layer: law", 1)
	o.Put[0].YAML = strings.Replace(o.Put[0].YAML, "above: step_up", "above: ask", 1)
	_, err := w.rules.Propose(ctx, w.first, o)
	wantKind(t, err, mianmi.Invalid, "")
	for _, want := range []string{"b.yaml:4: layer", "b.yaml:11: limits[0].above"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("told %v, want %s in it", err, want)
		}
	}
	o.Put[0].YAML, o.Put[1].YAML = "id: b\nidd: c\n", "id: [\n"
	_, err = w.rules.DryRun(ctx, w.first, o)
	for _, want := range []string{"b.yaml:2", "c.yaml:1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("told %v, want %s in it", err, want)
		}
	}
	if got := must(w.db.Settings(ctx))(t).Epoch(); got != before {
		t.Errorf("a refused change raised the epoch from %d to %d", before, got)
	}
	for _, who := range []mianmi.Actor{w.support, w.auditor, {Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: 1<<6 - 1}} {
		_, err := w.rules.Propose(ctx, who, put(pack{id: "a", version: 2, atMost: 1}))
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	_, err = w.rules.DryRun(ctx, mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf8", Merchant: "mc1", Store: "st1"}, put(pack{id: "a", version: 2, atMost: 1}))
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = w.rules.Sync(ctx, w.first, rules.Start{})
	wantKind(t, err, mianmi.Denied, "not_allowed")
}

func rulesDryRun(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000}, pack{id: "b", version: 1, atMost: 1000})
	before := must(w.db.Settings(ctx))(t).Epoch()
	tight := must(w.rules.DryRun(ctx, w.auditor, put(pack{id: "a", version: 2, atMost: 10})))(t)
	if !tight.Tightening || len(tight.Obstacles) != 0 || len(tight.Parts) != 1 || tight.BasedOn == "" {
		t.Errorf("a tightening: %+v", tight)
	}
	want := rules.Difference{Pack: "a", Limit: "each", Field: "amount.at_most", Before: "1000", After: "10"}
	if !slices.Contains(tight.Differences, want) {
		t.Errorf("no %+v among %+v", want, tight.Differences)
	}
	o := put(pack{id: "a", version: 2, atMost: 10})
	o.Withdraw = []string{"b"}
	loose := must(w.rules.DryRun(ctx, w.auditor, o))(t)
	if loose.Tightening || fmt.Sprint(loose.Obstacles[0].Pack) != "b" {
		t.Errorf("b goes, and a permits what it limited: %+v", loose)
	}
	if got := must(w.db.Settings(ctx))(t).Epoch(); got != before {
		t.Errorf("a dry run raised the epoch from %d to %d", before, got)
	}
	w.wantLive(t, "a@1 shipped, b@1 shipped")
}
