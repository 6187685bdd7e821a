package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/store"
)

// RulePacks is the contract of rule packs in force. nodes opens an empty, migrated
// database.
func RulePacks(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"the first start puts everything in force":               firstStart,
		"a later start tightens at once and proposes the rest":   laterStart,
		"a start follows the folder and leaves persons alone":    startAndPersons,
		"a start that cannot be read stops":                      startStops,
		"a tightening takes one person":                          rulesTightened,
		"everything else takes two":                              rulesTakeTwo,
		"proposals lapse, expire, are rejected and taken back":   ruleProposalsEnd,
		"versions go up, and one version has one text":           ruleVersionsGoUp,
		"bad packs are told whole":                               badPacksAreTold,
		"a dry run says what a change would do and does nothing": rulesDryRun,
		"every change is recorded":                               rulesAreRecorded,
		"old titles are found":                                   oldTitles,
		"two persons approve at once":                            approveAtOnce,
		"an approval meets another change":                       approvalMeetsChange,
		"several nodes start at once":                            startsAtOnce,
		"packs that cannot be read let nothing pass":             unreadablePacks,
		"no payment passes by the rules before a tightening":     paymentsMeetTightening,
		"a step-up counts by the rules in force":                 stepUpCounts,
		"a reversal counts by the rules in force":                reversalCounts,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

// rulesWorld is the rules of one database, and who changes them.
type rulesWorld struct {
	db    *store.DB
	clock *settable
	rules *rules.Service

	first, second, risk, support, auditor, start mianmi.Actor
}

func newRulesWorld(nodes Nodes) *rulesWorld {
	w := &rulesWorld{clock: NewClock(), first: Operator, second: Operator2, risk: mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf3"}, support: Support,
		auditor: mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf5"}, start: mianmi.System("start")}
	return w.on(nodes(), &repeatable{n: 1 << 40})
}

// on is the same world at another node.
func (w *rulesWorld) on(db *store.DB, random *repeatable) *rulesWorld {
	other := *w
	other.db, other.rules = db, rules.New(rules.Parts{Records: db, Clock: w.clock, Random: random})
	return &other
}

// pack is the text of a pack that permits payment codes in CNY up to a limit.
type pack struct {
	id      string
	version int64
	atMost  int64 // minor units
	more    string
}

func (p pack) text() string {
	return fmt.Sprintf(`id: %s
version: %d
edition: "1"
layer: regulation
title: {zh: 规则 %[1]s 第 %[2]d 版, en: "pack %[1]s, version %[2]d"}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org", read: "2026-01-01", quality: primary}]
when: {methods: [payment_code, card_tap], currencies: [CNY]}
limits:
  - {id: each, title: {zh: 单笔第 %[2]d 版, en: "each payment, version %[2]d"}, amount: {at_most: %[3]d}, above: step_up}
%[4]s`, p.id, p.version, p.atMost, p.more)
}

// refuses is a limit more: above it nothing helps.
func (p pack) refuses(above int64) pack {
	p.more += fmt.Sprintf("  - {id: never, title: {zh: 上限, en: most}, amount: {at_most: %d}, above: refuse}\n", above)
	return p
}

func put(list ...pack) rules.Order {
	var o rules.Order
	for _, p := range list {
		o.Put = append(o.Put, p.from(rules.API))
	}
	return o
}

func (p pack) from(s rules.Source) rules.Text {
	return rules.Text{Name: p.id + ".yaml", YAML: p.text(), Source: s}
}

// begin starts on packs that are shipped.
func (w *rulesWorld) begin(t *testing.T, list ...pack) rules.Synced {
	t.Helper()
	return w.starts(t, rules.Start{Packs: texts(rules.Shipped, list...)})
}

func (w *rulesWorld) starts(t *testing.T, in rules.Start) rules.Synced {
	t.Helper()
	return must(w.rules.Sync(t.Context(), w.start, in))(t)
}

func texts(s rules.Source, list ...pack) (out []rules.Text) {
	for _, p := range list {
		out = append(out, p.from(s))
	}
	return out
}

// live is what a fresh node has in force: "id@version source" of each pack.
func (w *rulesWorld) live(t *testing.T) string {
	t.Helper()
	set := must(w.db.RuleSet(t.Context()))(t)
	if err := set.Fault(); err != nil {
		t.Errorf("the packs in force cannot be read: %v", err)
	}
	var out []string
	for _, p := range set.Packs() {
		out = append(out, fmt.Sprintf("%s@%d %s", p.ID, p.Version, p.Source))
	}
	return strings.Join(out, ", ")
}

func (w *rulesWorld) wantLive(t *testing.T, want string) {
	t.Helper()
	if got := w.live(t); got != want {
		t.Errorf("in force are %s, want %s", got, want)
	}
}

// outcome is how a payment of the amount by code is decided by the rules in force.
func (w *rulesWorld) outcome(t *testing.T, minor int64) pinfree.Outcome {
	t.Helper()
	set := must(w.db.RuleSet(t.Context()))(t).Rules()
	in := pinfree.Input{Amount: money.Of(minor, "CNY"), Method: pinfree.PaymentCode, Entry: pinfree.Scanned, At: w.clock.Now(), Rules: set,
		Counts: set.Roll(nil, pinfree.Counters{}, pinfree.Subject{}, w.clock.Now()), Can: pinfree.ByPhonePassword}
	for _, k := range []pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		in.Layers = append(in.Layers, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return pinfree.Decide(in).Outcome
}

func rulesTightened(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	other := w.on(nodes(), &repeatable{})
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	if got := other.outcome(t, 1000); got != pinfree.PinFree {
		t.Fatalf("before the change: %s", got)
	}
	c := must(w.rules.Propose(ctx, w.risk, put(pack{id: "a", version: 2, atMost: 999})))(t)
	if c.State != rules.InForce || !c.Tightening || c.DecidedBy != w.risk.String() || len(c.Packs) != 1 || !c.Packs[0].Live() {
		t.Errorf("change %+v", c)
	}
	if got := other.outcome(t, 1000); got != pinfree.StepUp {
		t.Errorf("another node after the change: %s", got)
	}
	other.wantLive(t, "a@2 api")
	if d := cmp.Diff(c, must(other.rules.Change(ctx, w.auditor, c.ID))(t)); d != "" {
		t.Errorf("read back (-returned +read):\n%s", d)
	}
	must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	other.wantLive(t, "")
	if got := other.outcome(t, 1); got != pinfree.StepUp {
		t.Errorf("with no pack in force: %s", got)
	}
	history := must(w.rules.History(ctx, w.auditor, "a"))(t)
	var got []string
	for i := range history {
		got = append(got, fmt.Sprint(history[i].Version, " ", history[i].Withdraws, " ", history[i].State(rules.InForce)))
	}
	if d := cmp.Diff([]string{"2 true in_force", "2 false withdrawn", "1 false replaced"}, got); d != "" {
		t.Errorf("history:\n%s", d)
	}
	for i := range history[1:] {
		if p := history[i+1]; p.UntilEpoch == 0 || p.FromEpoch >= p.UntilEpoch || p.Until.IsZero() || p.YAML == "" {
			t.Errorf("a version that is over: %+v", p)
		}
	}
	_, err := w.rules.History(ctx, w.auditor, "never")
	wantKind(t, err, mianmi.NotFound, "")
}

func rulesTakeTwo(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	o := put(pack{id: "a", version: 2, atMost: 2000}, pack{id: "b", version: 1, atMost: 5000})
	o.Note = "新的限额\nnew limits"
	c := must(w.rules.Propose(ctx, w.first, o))(t)
	if c.State != rules.Proposed || c.Tightening || c.ProposedBy != w.first.String() || !c.ExpiresAt.Equal(w.clock.Now().Add(rules.ChangeLife)) {
		t.Errorf("change %+v", c)
	}
	w.wantLive(t, "a@1 shipped")
	for _, who := range []mianmi.Actor{w.support, w.auditor, mianmi.System("command-line"), {Role: mianmi.RoleMerchantAdmin, ID: "sf6", Merchant: "mc1"}} {
		_, err := w.rules.Approve(ctx, who, c.ID)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.rules.Reject(ctx, who, c.ID)
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	_, err := w.rules.Approve(ctx, w.first, c.ID)
	wantKind(t, err, mianmi.Denied, "same_person")
	_, err = w.rules.Approve(ctx, mianmi.Actor{Role: mianmi.RoleRisk, ID: w.first.ID}, c.ID)
	wantKind(t, err, mianmi.Denied, "same_person")
	if got := must(w.rules.Changes(ctx, w.auditor, rules.ChangeQuery{Waiting: true}))(t); len(got) != 1 || got[0].ID != c.ID || got[0].Packs[0].YAML != "" {
		t.Errorf("waiting: %+v", got)
	}
	w.wantLive(t, "a@1 shipped")
	w.clock.Add(time.Hour)
	done := must(w.rules.Approve(ctx, w.second, c.ID))(t)
	if done.State != rules.InForce || done.DecidedBy != w.second.String() || done.Note != o.Note {
		t.Errorf("approved: %+v", done)
	}
	w.wantLive(t, "a@2 api, b@1 api")
	_, err = w.rules.Approve(ctx, w.second, c.ID)
	wantKind(t, err, mianmi.Conflict, "approval_decided")

	crew := newCrew(t, nodes)
	puppet := crew.made(t, crew.first, mianmi.RoleOperator)
	c = must(w.rules.Propose(ctx, crew.first, put(pack{id: "b", version: 2, atMost: 6000})))(t)
	_, err = w.rules.Approve(ctx, puppet, c.ID)
	wantKind(t, err, mianmi.Denied, "not_independent")
	must(w.rules.Approve(ctx, crew.second, c.ID))(t)
	w.wantLive(t, "a@2 api, b@2 api")
}

func ruleProposalsEnd(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000}, pack{id: "b", version: 1, atMost: 1000})
	looser := put(pack{id: "a", version: 2, atMost: 2000})
	propose := func() mianmi.RuleChangeID {
		w.clock.Add(time.Second)
		return must(w.rules.Propose(ctx, w.first, looser))(t).ID
	}
	state := func(id mianmi.RuleChangeID) rules.State { return must(w.rules.Change(ctx, w.auditor, id))(t).State }

	lapses := propose()
	w.clock.Add(time.Second)
	must(w.rules.Propose(ctx, w.second, put(pack{id: "b", version: 2, atMost: 10})))(t)
	_, err := w.rules.Approve(ctx, w.second, lapses)
	wantKind(t, err, mianmi.Conflict, "approval_lapsed")

	rejected := propose()
	must(w.rules.Reject(ctx, w.second, rejected))(t)
	_, err = w.rules.Approve(ctx, w.second, rejected)
	wantKind(t, err, mianmi.Conflict, "approval_decided")

	back := propose()
	_, err = w.rules.TakeBack(ctx, w.second, back)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	must(w.rules.TakeBack(ctx, w.first, back))(t)

	expires := propose()
	w.clock.Add(rules.ChangeLife)
	_, err = w.rules.Approve(ctx, w.second, expires)
	wantKind(t, err, mianmi.Conflict, "approval_expired")
	if got := must(w.rules.Changes(ctx, w.auditor, rules.ChangeQuery{Waiting: true}))(t); len(got) != 0 {
		t.Errorf("waiting: %+v", got)
	}
	for id, want := range map[mianmi.RuleChangeID]rules.State{lapses: rules.Lapsed, rejected: rules.Rejected, back: rules.TakenBack, expires: rules.Expired} {
		if got := state(id); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	w.wantLive(t, "a@1 shipped, b@2 api")
	page := must(w.rules.Changes(ctx, w.auditor, rules.ChangeQuery{Limit: 4}))(t)
	rest := must(w.rules.Changes(ctx, w.auditor, rules.ChangeQuery{Before: page[3].ID}))(t)
	if len(rest) != 2 || page[0].ID != expires || rest[1].Packs[0].Source != rules.Shipped {
		t.Errorf("pages of %d and %d changes, the newest %s", len(page), len(rest), page[0].ID)
	}
	_, err = w.rules.Changes(ctx, w.auditor, rules.ChangeQuery{Limit: 201})
	wantKind(t, err, mianmi.Invalid, "limit")
	_, err = w.rules.Approve(ctx, w.second, "rc0")
	wantKind(t, err, mianmi.NotFound, "")
	for i := range 20 {
		if _, err = w.rules.Propose(ctx, w.first, looser); err != nil {
			break
		}
		if i == 19 {
			t.Error("20 proposals wait at once")
		}
	}
	wantKind(t, err, mianmi.Conflict, "too_many_proposals")
}

func rulesAreRecorded(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 2, atMost: 900})))(t)
	c := must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 3, atMost: 1000})))(t)
	must(w.rules.Approve(ctx, w.second, c.ID))(t)
	c = must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 4, atMost: 9000})))(t)
	must(w.rules.Reject(ctx, w.second, c.ID))(t)
	c = must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 4, atMost: 9000})))(t)
	must(w.rules.TakeBack(ctx, w.first, c.ID))(t)
	must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 4, atMost: 9000})))(t)
	must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	const subject = "rule_pack:a"
	var got []string
	for _, e := range must(w.db.Entries(ctx, payer.EntryQuery{Bucket: mianmi.BucketOf(subject), Subject: subject, Limit: 200}))(t) {
		got = append(got, e.Type+" "+e.Actor)
		if !strings.Contains(string(e.Body), `"change":"rc`) || strings.Contains(string(e.Body), "9000") {
			t.Errorf("%s: %s", e.Type, e.Body)
		}
	}
	want := []string{"rule.pack.in_force system:start", "rule.pack.in_force operator:sf1", "rule.pack.proposed operator:sf1", "rule.pack.in_force operator:sf2",
		"rule.pack.proposed operator:sf1", "rule.pack.rejected operator:sf2", "rule.pack.proposed operator:sf1", "rule.pack.taken_back operator:sf1",
		"rule.pack.proposed operator:sf1", "rule.pack.withdrawn operator:sf1", "rule.pack.lapsed operator:sf1"}
	if d := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); d != "" {
		t.Errorf("recorded (-want +got):\n%s", d)
	}
}

func oldTitles(t *testing.T, nodes Nodes) {
	w, ctx := newRulesWorld(nodes), t.Context()
	w.begin(t, pack{id: "a", version: 1, atMost: 1000})
	must(w.rules.Propose(ctx, w.first, put(pack{id: "a", version: 2, atMost: 900})))(t)
	must(w.rules.Propose(ctx, w.first, rules.Order{Withdraw: []string{"a"}}))(t)
	for _, tt := range []struct {
		rule    string
		version int64
		want    string
	}{
		{"a/each", 1, "each payment, version 1"}, {"a/each", 2, "each payment, version 2"}, {"a", 1, "pack a, version 1"},
		{"a/each", 0, "each payment, version 2"}, {"a/gone", 1, ""}, {"b/each", 1, ""},
	} {
		for range 2 { // the second time from memory
			if got := w.rules.Title(ctx, tt.rule, tt.version); got.EN != tt.want {
				t.Errorf("title of %s, version %d: %q, want %q", tt.rule, tt.version, got.EN, tt.want)
			}
		}
	}
}
