package api_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// The policy on terminals goes out whole, and comes back as it was given: a
// stricter one at once, a looser one after a second person.
func TestTerminalPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	first := get[client.TerminalPolicy](t)(w.operator.TerminalPolicy(ctx))
	if first.Version != 0 || len(first.Terms.Rules) == 0 {
		t.Fatalf("the shipped one: %+v", first)
	}
	if r := get[client.TerminalPolicyResult](t)(w.operator.SetTerminalPolicy(ctx, first.Terms, nil)); r.Change != "same" || r.Policy.Version != 0 {
		t.Errorf("as it was: %+v", r)
	}
	terms := first.Terms
	terms.LeaseSeconds, terms.ReportSeconds, terms.MenuLocked = 120, 30, true
	terms.Rules = append(terms.Rules, client.TerminalRule{ID: "battery_low", Unsafe: "device.battery >= 0 && device.battery < 5",
		Says: mianmi.Text{ZH: "电量不足", EN: "its battery is nearly empty"}})
	r := get[client.TerminalPolicyResult](t)(w.operator.SetTerminalPolicy(ctx, terms, nil))
	if r.Change != "tightening" || r.Proposal != nil || r.Policy.Version != 1 || r.Policy.Since == nil {
		t.Errorf("stricter: %+v", r)
	}
	if d := cmp.Diff(terms, get[client.TerminalPolicy](t)(w.second.TerminalPolicy(ctx)).Terms, cmp.AllowUnexported(money.Amount{})); d != "" {
		t.Errorf("in force (-want +got):\n%s", d)
	}
	terms.KeypadAbove = []money.Amount{money.Of(500_00, "CNY")} // so far not on a screen at all
	r = get[client.TerminalPolicyResult](t)(w.operator.SetTerminalPolicy(ctx, terms, &r.Policy.Version))
	if r.Change != "loosening" || r.Proposal == nil || r.Policy.Version != 1 {
		t.Fatalf("looser: %+v", r)
	}
	a := get[client.Approval](t)(w.second.Approve(ctx, r.Proposal.ID))
	if a.Scope != "everything" || a.Terminals == nil {
		t.Errorf("approved: %+v", a)
	}
	if d := cmp.Diff(terms, get[client.TerminalPolicy](t)(w.operator.TerminalPolicy(ctx)).Terms, cmp.AllowUnexported(money.Amount{})); d != "" {
		t.Errorf("in force (-want +got):\n%s", d)
	}
	terms.Rules[0].Unsafe = "network.colour"
	_, err := w.operator.SetTerminalPolicy(ctx, terms, nil)
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || p.Field != "rules[0].unsafe" {
		t.Errorf("a bad condition: %v", err)
	}
}
