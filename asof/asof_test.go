package asof_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// rounds is how many stories are told on each engine.
var rounds = map[bool]int{false: 1, true: 20}[os.Getenv("MIANMI_TEST_FULL") != ""]

// What is rebuilt from the log alone is what the tables said, at every epoch
// and every payer's version of a random story told by two nodes whose clocks
// differ; and every payment that was taken in it is decided again as it was,
// but for what rests on counters.
func TestRebuiltEqualsTables(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		for seed := range uint64(rounds) {
			t.Run(fmt.Sprint(engine, " ", seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine, seed)
				w.play(200)
				w.checkEpochs()
				w.checkPayers()
				w.checkPayments()
			})
		}
	}
}

// checkEpochs compares each terminal, key and rule set at every epoch.
func (w *world) checkEpochs() {
	t := w.t
	compared, live, staged := 0, 0, 0
	for i, m := range w.moments {
		if i > 0 && w.moments[i-1].epoch == m.epoch && w.moments[i-1].now.Equal(m.now) {
			continue
		}
		for _, s := range w.shops {
			for _, id := range []mianmi.TerminalID{s.Terminal, s.Bare} {
				want, ok := m.snap.Site(id)
				if !ok {
					t.Fatalf("epoch %d: no terminal %s in the tables", m.epoch, id)
				}
				got := must(w.asof.SiteAt(t.Context(), m.epoch, m.now, id, "wallet"))(t)
				compared++
				live += len(got.Stops)
				for i := range got.Policies {
					if got.Policies[i].Value.Rollout != nil {
						staged++
					}
				}
				w.sameSite(m, want, got)
			}
		}
		for id, want := range m.keys {
			got := must(w.asof.CallerAt(t.Context(), m.epoch, "api_client:"+string(id)))(t)
			if (got == nil) != (want.ID == "") {
				t.Fatalf("epoch %d: key %s: %+v, want %+v", m.epoch, id, got, want)
			}
			if got == nil {
				continue
			}
			k := got.Key.Value
			have := settings.Key{ID: k.ID, Merchant: k.Merchant, Scopes: k.Scopes, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}
			if d := gocmp.Diff(want, have); d != "" {
				t.Fatalf("epoch %d: key %s (-table +log):\n%s", m.epoch, id, d)
			}
		}
	}
	if compared < 300 || live < 10 || staged < 20 {
		t.Errorf("%d comparisons, %d live stops, %d policies in stages: too few to prove anything", compared, live, staged)
	}
	t.Logf("%d sites compared at %d moments, %d live stops and %d policies in stages among them; rollouts that were moved: %v", compared, len(w.moments), live, staged, w.rolled)
}

// sameSite compares what payments read of a terminal. Texts for people are in
// no entry.
func (w *world) sameSite(m moment, want settings.Site, told *asof.Site) {
	w.t.Helper()
	got, ok := told.Snapshot.Site(want.Terminal.ID)
	if !ok {
		w.t.Fatalf("epoch %d: the rebuilt snapshot has no terminal %s", m.epoch, want.Terminal.ID)
	}
	for method := pinfree.MethodUnknown; method <= pinfree.DeviceWallet; method++ {
		ask := settings.Asked{Channel: "wallet", Method: method, Now: m.now}
		if d := gocmp.Diff(want.AppendLayers(nil, ask), got.AppendLayers(nil, ask)); d != "" {
			w.t.Fatalf("epoch %d, terminal %s, %v (-table +log):\n%s", m.epoch, want.Terminal.ID, method, d)
		}
		if a, b := want.Accepts("wallet", method), got.Accepts("wallet", method); a != b {
			w.t.Fatalf("epoch %d, terminal %s: takes %v: table %v, log %v", m.epoch, want.Terminal.ID, method, a, b)
		}
	}
	if d := gocmp.Diff(want.Place(), got.Place()); d != "" {
		w.t.Fatalf("epoch %d, terminal %s: what rules may ask (-table +log):\n%s", m.epoch, want.Terminal.ID, d)
	}
	texts := cmpopts.IgnoreFields
	for name, d := range map[string]string{
		"merchant": gocmp.Diff(*want.Merchant, *got.Merchant, texts(*want.Merchant, "Name", "CreatedAt")),
		"store":    gocmp.Diff(*want.Store, *got.Store, texts(*want.Store, "Name", "Address", "CreatedAt")),
		"model":    gocmp.Diff(*want.Model, *got.Model, texts(*want.Model, "Name", "CreatedAt")),
		"terminal": gocmp.Diff(*want.Terminal, *got.Terminal, texts(*want.Terminal, "Name", "CreatedAt")),
	} {
		if d != "" {
			w.t.Fatalf("epoch %d: %s of %s (-table +log):\n%s", m.epoch, name, want.Terminal.ID, d)
		}
	}
	a, b := m.snap.RulePacks(), told.Snapshot.RulePacks()
	if a.Rules().Version() != b.Rules().Version() || b.Fault() != nil || len(a.Packs()) != len(told.Packs) {
		w.t.Fatalf("epoch %d: rules %s of %d packs, rebuilt %s of %d, %v", m.epoch, a.Rules().Version(), len(a.Packs()), b.Rules().Version(), len(told.Packs), b.Fault())
	}
	for i, p := range a.Packs() {
		if d := gocmp.Diff(p, told.Packs[i].Value, cmpopts.IgnoreFields(p, "YAML")); d != "" {
			w.t.Fatalf("epoch %d: pack (-table +log):\n%s", m.epoch, d)
		}
	}
}

// checkPayers compares each version of each payer.
func (w *world) checkPayers() {
	t, versions := w.t, 0
	byMerchant := cmpopts.SortSlices(func(a, b payer.Agreement) bool { return a.Merchant < b.Merchant })
	byID := cmpopts.SortSlices(func(a, b payer.Instrument) bool { return a.ID < b.ID })
	ignore := cmpopts.IgnoreFields(payer.Payer{}, "CreatedAt", "Balance", "Counters", "Allowance.Max")
	amounts := gocmp.Transformer("amount", func(a payer.Allowance) string { return fmt.Sprint(a.ID, a.Max, a.Merchant, a.ExpiresAt) })
	for id, list := range w.payers {
		for version, want := range list {
			got := must(w.asof.PayerAt(t.Context(), version, id))(t)
			versions++
			var agreements []payer.Agreement
			for _, g := range got.Agreements {
				agreements = append(agreements, g.Value)
			}
			var instruments []payer.Instrument
			for _, in := range got.Instruments {
				instruments = append(instruments, in.Value)
			}
			if want.payer.Allowance == nil {
				got.Value.Allowance = nil // a payment may have used it up between the change and our look
			}
			for what, d := range map[string]string{
				"settings":    gocmp.Diff(want.payer, got.Value, ignore, amounts),
				"agreements":  gocmp.Diff(want.agreements, agreements, byMerchant, cmpopts.EquateEmpty()),
				"instruments": gocmp.Diff(want.instruments, instruments, byID, cmpopts.IgnoreFields(payer.Instrument{}, "Last4"), cmpopts.EquateEmpty()),
			} {
				if d != "" {
					t.Fatalf("%s of %s at version %d (-table +log):\n%s", what, id, version, d)
				}
			}
		}
	}
	if versions < 30 {
		t.Errorf("%d versions compared: too few to prove anything", versions)
	}
}

// checkPayments decides every payment again, by what the log tells.
func (w *world) checkPayments() {
	t := w.t
	auditor := mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf5"}
	verdicts, outcomes, reasons := map[string]int{}, map[string]int{}, map[string]int{}
	for _, id := range w.paid {
		a := must(w.asof.OfPayment(t.Context(), auditor, id))(t)
		p := a.Decided.Value
		if a.Site.Merchant.Value.ID != p.Merchant || a.Site.Store.Value.ID != p.Store {
			t.Errorf("payment %s was at %s, %s and is rebuilt at %s, %s", id, p.Merchant, p.Store, a.Site.Merchant.Value.ID, a.Site.Store.Value.ID)
		}
		if k := a.Caller; k != nil && k.Key != nil && !k.Key.Value.Live(p.At) {
			t.Errorf("payment %s was taken for a key that was over: %+v", id, k.Key)
		}
		if p.Method == pinfree.Cash {
			continue
		}
		verdicts[a.Again.Verdict.String()]++
		outcomes[p.Outcome.String()]++
		reasons[p.Reasons[0].Reason.String()]++
		if a.Again.Verdict == asof.Different {
			t.Errorf("payment %s: recorded %v %+v, decided again %+v, missing %+v, added %+v\npayer %+v", id, p.Outcome, p.Reasons, a.Again.Decision,
				a.Again.Missing, a.Again.Added, a.Payer.Value)
		}
		for _, r := range a.Rows {
			if !r.Source.Known() && r.Version != 0 {
				t.Errorf("payment %s: %v %s of version %d has no entry", id, r.Kind, r.ID, r.Version)
			}
		}
	}
	t.Logf("verdicts %v, outcomes %v, binding reasons %v", verdicts, outcomes, reasons)
	if verdicts["same"] < 30 || len(reasons) < 8 {
		t.Errorf("verdicts %v, reasons %v: too few to prove anything", verdicts, reasons)
	}
}

// A decision that names other settings than those that made it is found out:
// the comparison can fail.
func TestOtherSettingsAreFoundOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite", 7)
	w.play(160)
	for what, by := range map[string]func(*payment.Decided){
		"epoch":   func(d *payment.Decided) { d.Epoch -= 10 },
		"version": func(d *payment.Decided) { d.PayerVersion = max(d.PayerVersion-4, 1) },
		"amount":  func(d *payment.Decided) { d.Amount = money.Of(3*d.Amount.Minor(), "CNY") },
	} {
		found := 0
		for _, id := range w.paid {
			v, err := w.asof.DecidedOtherwise(t.Context(), id, by)
			if err == nil && v == asof.Different {
				found++
			}
		}
		if found < 5 {
			t.Errorf("another %s: %d of %d payments found out", what, found, len(w.paid))
		}
	}
}

// Entries that are not in the log yet are said to be so, and have their place
// once they are: the place at which the log has those bytes.
func TestPlaceInTheLog(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine, 3)
			ctx, auditor := t.Context(), mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf5"}
			for _, inLog := range []bool{false, true} {
				a := must(w.asof.OfTerminal(ctx, auditor, w.shops[0].Terminal, w.clock.Now()))(t)
				sources := []asof.Source{a.Site.Terminal.Source, a.Site.Model.Source, a.Site.Store.Source, a.Site.Merchant.Source, a.Site.Packs[0].Source}
				for _, p := range a.Site.Policies {
					sources = append(sources, p.Source)
				}
				for _, src := range sources {
					if src.InLog() != inLog {
						t.Errorf("%s at %d, want in the log: %v", src.Type, src.Index, inLog)
					}
					if !inLog {
						continue
					}
					leaf := must(w.nodes[0].DB.Leaves(ctx, src.Index, 1))(t)[0]
					e := must(evidence.Decode(leaf.Bytes))(t)
					if e.ID != src.Entry || e.Type != src.Type || e.Actor != src.Actor || e.Epoch != src.Number {
						t.Errorf("%+v is not what the log has there: %+v", src, e)
					}
				}
				for n := 1; n > 0; {
					n = must(w.log.Sequence(ctx))(t).Entries
				}
			}
		})
	}
}

// Every type of entry that a long story leaves is one that this package knows.
func TestTypesAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite", 5)
	w.play(200)
	for n := 1; n > 0; {
		n = must(w.log.Sequence(t.Context()))(t).Entries
	}
	known, seen := asof.KindsKnown(), map[string]bool{}
	for _, leaf := range must(w.nodes[0].DB.Leaves(t.Context(), 0, 1<<20))(t) {
		e := must(evidence.Decode(leaf.Bytes))(t)
		if !known[e.Type] && e.Type != evidence.BatchType && !strings.HasPrefix(e.Type, "payment.") { // what became of a payment sets nothing
			t.Errorf("%s is not known", e.Type)
		}
		seen[e.Type] = true
	}
	var list []string
	for kind := range seen {
		list = append(list, kind)
	}
	slices.SortFunc(list, cmp.Compare[string])
	if len(list) < 25 {
		t.Errorf("only %v", list)
	}
}
