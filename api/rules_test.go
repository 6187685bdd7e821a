package api_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	rulepacks "github.com/mianmi/mianmi/rules"
)

// codesText is a pack that permits payment codes in CNY up to a limit.
func codesText(id string, version, atMost int) string {
	return fmt.Sprintf(`id: %s
version: %d
edition: "1"
layer: regulation
title: {zh: 付款码规则, en: Payment codes}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org", read: "2026-01-01", quality: primary}]
when: {methods: [payment_code], currencies: [CNY]}
limits:
  - {id: each, title: {zh: 单笔限额第 %[2]d 版, en: "Each payment, version %[2]d"}, amount: {at_most: %[3]d}, above: step_up}
`, id, version, atMost)
}

// startRules puts packs in force as a first start does.
func (w *world) startRules(yaml ...string) {
	w.t.Helper()
	var in rulepacks.Start
	for _, text := range yaml {
		in.Packs = append(in.Packs, rulepacks.Text{Name: "shipped.yaml", YAML: text, Source: rulepacks.Shipped})
	}
	s := rulepacks.New(rulepacks.Parts{Records: w.db, Clock: w.clock, Random: rand.Reader})
	get[rulepacks.Synced](w.t)(s.Sync(w.t.Context(), mianmi.System("start"), in))
}

// An operator tightens a pack alone and loosens it with another one; payments
// follow at once, and old ones keep the titles that they were decided by.
func TestRulePacks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		was := codesText("codes", 1, 5000)
		w.startRules(was)
		s, p := w.shop("晨光超市"), w.person("+8613800000001")
		first := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "R1", 18_00)))
		wantPayment(t, first, "approved", "pin_free", "within_limits")

		order := client.RuleOrder{Packs: []string{codesText("codes", 2, 1000)}, Note: "先收紧"}
		report := get[client.RuleReport](t)(w.operator.DryRunRules(ctx, order))
		if !report.Tightening || len(report.Obstacles) != 0 || len(report.Differences) == 0 || report.Differences[0].Pack != "codes" {
			t.Fatalf("dry run: %+v", report)
		}
		change := get[client.RuleChange](t)(w.operator.ProposeRules(ctx, order))
		if change.State != "in_force" || !change.Tightening || change.Packs[0].State != "in_force" || change.Packs[0].Version != 2 {
			t.Errorf("a tightening: %+v", change)
		}
		second := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "R2", 18_00)))
		if second.State != "step_up_required" || second.Reasons[0].Rule != "codes/each" || second.Reasons[0].Version != 2 {
			t.Errorf("after the tightening: %s by %+v", second.State, second.Reasons)
		}

		proposal := get[client.RuleChange](t)(w.operator.ProposeRules(ctx, client.RuleOrder{Packs: []string{codesText("codes", 3, 5000)}}))
		if proposal.State != "proposed" || proposal.Tightening || proposal.DecidedAt != nil {
			t.Errorf("a loosening: %+v", proposal)
		}
		if list := get[client.List[client.RuleChange]](t)(w.second.RuleChanges(ctx, true, "", 0)); len(list.Items) != 1 || list.Items[0].ID != proposal.ID {
			t.Errorf("waiting: %+v", list)
		}
		wantProblem(t, failed(w.operator.ApproveRules(ctx, proposal.ID)), 403, "same_person", "")
		get[client.RuleChange](t)(w.second.ApproveRules(ctx, proposal.ID))
		third := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "R3", 18_00)))
		wantPayment(t, third, "approved", "pin_free", "within_limits")

		history := get[[]client.PackVersion](t)(w.operator.RulePack(ctx, "codes"))
		if len(history) != 3 || history[0].State != "in_force" || history[2].State != "replaced" || history[2].YAML != was || history[2].Source != "shipped" {
			t.Errorf("%d versions in the history", len(history))
		}
		old := get[client.Payment](t)(w.operator.Payment(ctx, second.ID))
		if got, want := old.Reasons[0].Words, second.Reasons[0].Words; got != want {
			t.Errorf("the old payment says %+v, said %+v", got, want)
		}
	})
}

// A bad pack is answered with every fault, each with its line and field.
func TestRuleFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	w.startRules(codesText("codes", 1, 5000))
	bad := strings.Replace(codesText("codes", 2, 1000), "layer: ", "layer: no-", 1)
	bad = strings.Replace(bad, "above: step_up", "above: ask", 1)
	err := failed(w.operator.ProposeRules(ctx, client.RuleOrder{Packs: []string{bad}}))
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		t.Fatalf("no list of faults: %v", err)
	}
	wantProblem(t, err, 422, "invalid", p.Errors[0].Field)
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
		if !strings.HasPrefix(e.Field, "packs[0]:") || e.Message == "" {
			t.Errorf("a fault without its place: %+v", e)
		}
	}
	if len(fields) != 2 || !strings.HasSuffix(fields[0], ": layer") || !strings.Contains(fields[1], ".above") {
		t.Errorf("faults at %v", fields)
	}
	wantProblem(t, failed(w.operator.ProposeRules(ctx, client.RuleOrder{Packs: []string{codesText("codes", 1, 5000)}})), 409, "rules_unchanged", "")
	wantProblem(t, failed(w.operator.ProposeRules(ctx, client.RuleOrder{Withdraw: []string{"none"}})), 404, "not_found", "withdraw")
	wantProblem(t, failed(w.operator.ProposeRules(ctx, client.RuleOrder{})), 422, "invalid", "packs")
	wantProblem(t, failed(w.operator.RuleChange(ctx, "rc0")), 404, "not_found", "")
	wantProblem(t, failed(w.operator.RulePack(ctx, "none")), 404, "not_found", "")
}

// The list of rules names version, source and time of each pack, and a
// proposal can be rejected and taken back.
func TestRulesInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	if before := get[client.Rules](t)(w.operator.Rules(ctx)); len(before.Packs) < 2 || before.Closed {
		t.Errorf("a server with rules of its own: %d packs", len(before.Packs))
	}
	w.startRules(codesText("codes", 1, 5000))
	rules := get[client.Rules](t)(w.operator.Rules(ctx))
	var pack struct {
		ID        string `json:"id"`
		Version   int64  `json:"version"`
		BroughtBy string `json:"brought_by"`
		Since     string `json:"since"`
	}
	must(t, json.Unmarshal(rules.Packs[0], &pack))
	if len(rules.Packs) != 1 || pack.ID != "codes" || pack.Version != 1 || pack.BroughtBy != "shipped" || pack.Since == "" {
		t.Errorf("in force: %+v", pack)
	}
	order := client.RuleOrder{Packs: []string{codesText("more", 1, 5000)}}
	one := get[client.RuleChange](t)(w.operator.ProposeRules(ctx, order))
	if r := get[client.RuleChange](t)(w.second.RejectRules(ctx, one.ID)); r.State != "rejected" || r.Packs[0].State != "rejected" {
		t.Errorf("rejected: %+v", r)
	}
	two := get[client.RuleChange](t)(w.operator.ProposeRules(ctx, order))
	wantProblem(t, failed(w.second.TakeBackRules(ctx, two.ID)), 403, "not_allowed", "")
	get[client.RuleChange](t)(w.operator.TakeBackRules(ctx, two.ID))
	wantProblem(t, failed(w.second.ApproveRules(ctx, two.ID)), 409, "approval_decided", "")
}
