package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
)

// record reads what was recorded about a subject since the call before.
func record(t *testing.T, w *merchantWorld, subject string, seen map[mianmi.EntryID]bool) (fresh []evidence.Entry) {
	t.Helper()
	all := must(w.db.Entries(t.Context(), payer.EntryQuery{Bucket: mianmi.BucketOf(subject), Subject: subject, Limit: 200}))(t)
	for _, e := range all {
		if !seen[e.ID] {
			fresh = append(fresh, e)
			seen[e.ID] = true
		}
	}
	return fresh
}

func typesOf(es []evidence.Entry) []string {
	var out []string
	for _, e := range es {
		out = append(out, e.Type)
	}
	slices.Sort(out)
	return out
}

// everythingIsRecorded does one change after the other and compares the types
// of what was recorded about its subject, and who did it.
func everythingIsRecorded(t *testing.T, nodes Nodes) {
	w, ctx := newMerchantWorld(t, nodes()), t.Context()
	seen := map[mianmi.EntryID]bool{}
	scope := merchant.OfMerchant(w.merchant.ID)
	var approval, second mianmi.ApprovalID
	var stop merchant.Stop
	propose := func(id *mianmi.ApprovalID) error {
		res, err := w.merchants.SetPolicy(ctx, w.admin, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}})
		if err == nil {
			*id = res.Proposal.ID
		}
		return err
	}
	facts := merchant.Facts{Country: "CN", MCC: 5411, Upgraded: true}
	steps := []struct {
		name, subject string
		by            mianmi.Actor
		do            func() error
		want          []string
	}{
		{"proposals", string(w.merchant.ID), w.admin, func() error { return propose(&approval) }, []string{"merchant.created", "merchant.policy.loosening_proposed"}},
		{"another proposal", string(w.merchant.ID), w.admin, func() error { return propose(&second) }, []string{"merchant.policy.loosening_proposed"}},
		{"approve one", string(w.merchant.ID), w.admin2, func() error { _, err := w.merchants.Approve(ctx, w.admin2, approval); return err },
			[]string{"merchant.approval.lapsed", "merchant.policy.loosened"}},
		{"close", string(w.merchant.ID), w.admin, func() error { _, err := w.merchants.Close(ctx, w.admin, scope); return err }, []string{"merchant.policy.tightened"}},
		{"close again", string(w.merchant.ID), w.admin, func() error { _, err := w.merchants.Close(ctx, w.admin, scope); return err }, nil},
		{"stop", "everything", w.risk, func() (err error) {
			stop, err = w.merchants.Place(ctx, w.risk, merchant.StopOrder{Scope: merchant.Everything(), Reason: "盗刷", For: time.Hour})
			return err
		}, []string{"merchant.stop.placed"}},
		{"ask to lift it", "everything", w.risk, func() error {
			a, err := w.merchants.Lift(ctx, w.risk, stop.ID)
			approval = a.ID
			return err
		}, []string{"merchant.stop.lift_proposed"}},
		{"lift it", "everything", w.operator, func() error { _, err := w.merchants.Approve(ctx, w.operator, approval); return err }, []string{"merchant.stop.lifted"}},
		{"facts", string(w.merchant.ID), w.operator, func() error {
			_, a, err := w.merchants.SetFacts(ctx, w.operator, w.merchant.ID, facts)
			approval = a.ID
			return err
		}, []string{"merchant.facts.loosening_proposed", "merchant.facts.tightened"}},
		{"refuse them", string(w.merchant.ID), w.operator2, func() error { _, err := w.merchants.Reject(ctx, w.operator2, approval); return err },
			[]string{"merchant.approval.rejected"}},
		{"rename a terminal", string(w.terminal.ID), w.manager, func() error { _, err := w.terminals.Rename(ctx, w.manager, w.terminal.ID, "老张"); return err },
			[]string{"terminal.created", "terminal.renamed"}},
		{"change a store", string(w.store.ID), w.manager, func() error {
			_, err := w.merchants.ChangeStore(ctx, w.manager, merchant.Store{ID: w.store.ID, Name: "老张的店", Address: "人民路 2 号"})
			return err
		}, []string{"store.changed", "store.created"}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		fresh := record(t, w, s.subject, seen)
		if d := cmp.Diff(s.want, typesOf(fresh)); d != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, d)
		}
		for _, e := range fresh {
			checkEntry(t, s.name, s.by, e)
		}
	}
}

func checkEntry(t *testing.T, step string, by mianmi.Actor, e evidence.Entry) {
	t.Helper()
	if e.Actor != by.String() && !strings.HasSuffix(e.Type, ".created") {
		t.Errorf("%s: %s is by %s, want %s", step, e.Type, e.Actor, by)
	}
	var body map[string]any
	if err := json.Unmarshal(e.Body, &body); err != nil {
		t.Errorf("%s: %s has the body %q", step, e.Type, e.Body)
	}
	for _, text := range []string{"老张", "人民路", "盗刷", "茶店"} {
		if strings.Contains(string(e.Body), text) {
			t.Errorf("%s: %s holds a name or a free text: %s", step, e.Type, e.Body)
		}
	}
	if strings.HasSuffix(e.Type, "tightened") || strings.HasSuffix(e.Type, "loosened") {
		if body["before"] == nil || body["after"] == nil || body["version"] == nil || cmp.Equal(body["before"], body["after"]) {
			t.Errorf("%s: %s does not say before, after and version: %s", step, e.Type, e.Body)
		}
	}
}
