package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal/posture"
)

var firmwareRule = posture.Rule{ID: "firmware_old", Unsafe: `older(device.firmware, "2.0.0")`,
	Says: mianmi.Text{ZH: "固件版本过低", EN: "its firmware is too old"}}

func stricterTerms() posture.Terms {
	t := posture.Shipped()
	t.LeaseSeconds = 600
	t.Rules = append(slices.Clone(t.Rules), firmwareRule)
	return t
}

// A stricter policy on terminals is in force with the answer: until a terminal
// is judged by it, and afterwards if it fails, nothing passes there.
func policyOnTerminalsTightens(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	w.sync(t, d)
	first := must(w.merchants.TerminalPolicy(ctx, w.support))(t)
	if diff := cmp.Diff(posture.Policy{Terms: posture.Shipped()}, first); diff != "" {
		t.Fatalf("before the first (-want +got):\n%s", diff)
	}
	r := must(w.merchants.SetTerminalPolicy(ctx, w.support, merchant.TerminalsOrder{Terms: stricterTerms()}))(t)
	if r.Change != merchant.Tightening || r.Proposal != nil || r.Policy.Version != 1 || r.Policy.Actor != w.support.String() {
		t.Fatalf("a tightening: %+v", r)
	}
	st := w.believed(t, "not judged by it yet", d, pinfree.PostureUnsafe)
	if st.Doubts[0].Rule != "not_judged" {
		t.Errorf("%+v", st.Doubts)
	}
	must(d.Report(ctx, w.fleet))(t)
	st = w.believed(t, "judged by it", d, pinfree.PostureUnsafe)
	if st.Doubts[0].Rule != firmwareRule.ID {
		t.Errorf("%+v", st.Doubts)
	}
	if want := w.clock.Now().Add(600 * time.Second); !st.State.LeaseUntil.Equal(want) {
		t.Errorf("the proof holds until %v, want %v", st.State.LeaseUntil, want)
	}
	if !must(d.Fetch(ctx, w.fleet, true))(t) || d.Config.LeaseSeconds != 600 {
		t.Errorf("the terminal got %+v", d.Config)
	}
	d.Device.Firmware = "2.1.0"
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "with newer firmware", d)
	// The same again is no change.
	if r := must(w.merchants.SetTerminalPolicy(ctx, w.support, merchant.TerminalsOrder{Terms: stricterTerms()}))(t); r.Change != merchant.Same || r.Policy.Version != 1 {
		t.Errorf("the same: %+v", r)
	}
	w.believed(t, "after the same", d)
}

// A looser policy on terminals waits for a second person, whole, also where it
// is stricter in another part.
func policyOnTerminalsLoosens(t *testing.T, w *fleetWorld) {
	ctx, d := t.Context(), w.device
	must(w.merchants.SetTerminalPolicy(ctx, w.operator, merchant.TerminalsOrder{Terms: stricterTerms()}))(t)
	w.sync(t, d)
	w.believed(t, "with old firmware", d, pinfree.PostureUnsafe)

	looser := posture.Shipped() // without the rule, and with the longer lease
	seen := int64(0)
	_, err := w.merchants.SetTerminalPolicy(ctx, w.operator, merchant.TerminalsOrder{Terms: looser, BasedOn: &seen})
	wantKind(t, err, mianmi.Conflict, "policy_changed")
	_, err = w.merchants.SetTerminalPolicy(ctx, w.support, merchant.TerminalsOrder{Terms: looser})
	wantKind(t, err, mianmi.Denied, "not_allowed")
	for _, who := range []mianmi.Actor{w.admin, w.manager, w.cashier} {
		_, err = w.merchants.SetTerminalPolicy(ctx, who, merchant.TerminalsOrder{Terms: stricterTerms()})
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	r := must(w.merchants.SetTerminalPolicy(ctx, w.operator, merchant.TerminalsOrder{Terms: looser}))(t)
	if r.Change != merchant.Loosening || r.Proposal == nil || r.Policy.Version != 1 {
		t.Fatalf("a loosening: %+v", r)
	}
	mixed := looser
	mixed.ReportSeconds = 60
	m := must(w.merchants.SetTerminalPolicy(ctx, w.operator, merchant.TerminalsOrder{Terms: mixed}))(t)
	if m.Change != merchant.Loosening || m.Proposal == nil || m.Policy.Terms.ReportSeconds != 300 {
		t.Fatalf("stricter and looser: %+v", m)
	}
	w.believed(t, "while it waits", d, pinfree.PostureUnsafe)
	_, err = w.merchants.Approve(ctx, w.operator, r.Proposal.ID)
	wantKind(t, err, mianmi.Denied, "")
	must(w.merchants.Approve(ctx, w.operator2, r.Proposal.ID))(t)
	now := must(w.merchants.TerminalPolicy(ctx, w.risk))(t)
	if now.Version != 2 || !now.Terms.Same(looser) || now.Actor != w.operator2.String() || now.Tightened == 0 || now.Tightened >= now.Epoch {
		t.Errorf("in force: %+v", now)
	}
	_, err = w.merchants.Approve(ctx, w.operator2, m.Proposal.ID)
	wantKind(t, err, mianmi.Conflict, "approval_lapsed")
	// What has asked for less leaves a verdict in force, and no new one is needed.
	w.believed(t, "a verdict of before", d, pinfree.PostureUnsafe)
	must(d.Report(ctx, w.fleet))(t)
	w.believed(t, "after the next report", d)
	mixedAgain := must(w.merchants.SetTerminalPolicy(ctx, w.operator, merchant.TerminalsOrder{Terms: func() posture.Terms {
		x := mixed
		x.LeaseSeconds = 1200
		return x
	}()}))(t)
	must(w.merchants.Approve(ctx, w.risk, mixedAgain.Proposal.ID))(t)
	if st := w.believed(t, "a policy that also asks for more", d, pinfree.PostureUnsafe); st.Doubts[0].Rule != "not_judged" {
		t.Errorf("%+v", st.Doubts)
	}
}

// A policy that is not right names the field, and nothing is written.
func badPolicyOnTerminals(t *testing.T, w *fleetWorld) {
	for field, change := range map[string]func(*posture.Terms){
		"lease_seconds":   func(t *posture.Terms) { t.LeaseSeconds = 59 },
		"report_seconds":  func(t *posture.Terms) { t.ReportSeconds = 451 },
		"rules[0].unsafe": func(t *posture.Terms) { t.Rules[0].Unsafe = "network.colour == 3" },
		"rules":           func(t *posture.Terms) { t.Rules = tooLong() },
		"app_min":         func(t *posture.Terms) { t.AppMin = "newest" },
	} {
		terms := posture.Shipped()
		terms.DeadlineSeconds = 60 // else tighter
		change(&terms)
		_, err := w.merchants.SetTerminalPolicy(t.Context(), w.operator, merchant.TerminalsOrder{Terms: terms})
		var e *mianmi.Error
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if p := must(w.merchants.TerminalPolicy(t.Context(), w.operator))(t); p.Version != 0 {
		t.Errorf("written: %+v", p)
	}
	if a := must(w.merchants.Waiting(t.Context(), w.operator, merchant.ApprovalQuery{}))(t); len(a) != 0 {
		t.Errorf("proposed: %+v", a)
	}
}

// tooLong are rules each of which is in its bounds.
func tooLong() (list []posture.Rule) {
	r := firmwareRule
	r.Unsafe += strings.Repeat(" || false", 100)
	for i := range 32 {
		r.ID = "rule_" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		list = append(list, r)
	}
	return list
}
