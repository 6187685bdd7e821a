package storetest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/risk"
)

// own takes a rule of two payments in an hour live, with measures of its own.
func (w *riskWorld) own(t *testing.T, change func(*risk.Rule)) risk.Rule {
	t.Helper()
	r := pairs
	change(&r)
	must(w.a.AddRule(t.Context(), Analyst, r))(t)
	must(w.a.Promote(t.Context(), Analyst, r.ID))(t)
	return r
}

func (w *riskWorld) measures(t *testing.T, q risk.MeasureQuery) []risk.Protection {
	t.Helper()
	return must(w.b.Measures(t.Context(), Analyst, q))(t)
}

// protect lets both nodes take what is due, at once.
func (w *riskWorld) protect(t *testing.T) {
	t.Helper()
	var done sync.WaitGroup
	for _, s := range []*risk.Service{w.a, w.b} {
		done.Go(func() {
			if _, err := s.TakeMeasures(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

// entries are those of a type about somebody.
func (w *riskWorld) entries(t *testing.T, subject, kind string) (out []evidence.Entry) {
	t.Helper()
	for _, e := range must(w.node.DB.Entries(t.Context(), payer.EntryQuery{Bucket: mianmi.BucketOf(subject), Subject: subject, Limit: 200}))(t) {
		if e.Type == kind {
			out = append(out, e)
		}
	}
	return out
}

// A live rule's measure is in force for its time, is recorded with the finding and
// the rule, explains itself in payments, and ends by the payer's password. Two
// nodes take it once, and what somebody lifted does not come back.
func riskStepUp(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	shadow := pairs
	shadow.ID, shadow.Measures, shadow.For = "own_shadow", []risk.Measure{risk.Freeze}, "24h"
	must(w.a.AddRule(ctx, Analyst, shadow))(t)
	r := w.own(t, func(r *risk.Rule) { r.Measures, r.For = []risk.Measure{risk.Tell, risk.StepUp}, "24h" })
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	found := w.measures(t, risk.MeasureQuery{})
	if len(found) != 1 || found[0].State != risk.Waiting || found[0].Measure != risk.StepUp || found[0].Payer != w.p.ID || found[0].Rule != r.ID {
		t.Fatalf("found: %+v", found)
	}
	w.protect(t)
	w.protect(t)
	list := w.entries(t, string(w.p.ID), "payer.hold.placed")
	if len(list) != 1 {
		t.Fatalf("%d holds were placed", len(list))
	}
	alarm := w.alarms(t, risk.Query{Rule: r.ID})[0]
	rec := must(payer.ReadRecord(list[0]))(t)
	if m := rec.Measure; m == nil || m.ID != found[0].ID || m.Rule != r.ID || m.RuleVersion != 2 || len(m.RuleDigest) != 16 || m.Alarm != alarm.ID || m.Finding != alarm.Last {
		t.Errorf("recorded: %+v", m)
	}
	if h := rec.After.Hold; h == nil || !h.Until.Equal(found[0].Until) || h.Rule != r.ID || !h.Answerable() {
		t.Errorf("held: %+v", h)
	}
	paid := must(w.node.Payments.Authorize(ctx, w.shop.Manager, w.p.Tap(w.shop.Terminal, "M1", 12_00)))(t)
	if why := paid.Reasons[0]; paid.State != payment.StepUpRequired || why.Reason != pinfree.RiskStepUp || why.Rule != "risk/"+r.ID || why.At != found[0].Until.Unix() {
		t.Errorf("paid: %v", paid.Reasons)
	}
	w.stands(t, risk.StepUp, risk.Taken)
	if taken := w.measures(t, risk.MeasureQuery{Alarm: alarm.ID, State: risk.Taken}); len(taken) != 1 || taken[0].TakenAt.IsZero() || !taken[0].DueAt.IsZero() {
		t.Errorf("taken: %+v", taken)
	}
	must(w.node.Payers.LiftHold(ctx, w.p.Actor(), w.p.ID, payer.HoldLifting{Password: PaymentPassword}))(t)
	w.protect(t)
	w.stands(t, risk.StepUp, risk.Taken) // it was lifted
	w.spend(t, w.p, 1)                   // passes again
	// The order that a node gave before it died changes nothing any more.
	_, err := w.node.Payers.Hold(ctx, mianmi.System("risk"), w.p.ID, payer.HoldOrder{Until: found[0].Until, Because: payer.HoldUnusual, Measure: rec.Measure})
	wantCode(t, err, "measure_taken")
	_, err = w.node.Payers.Hold(ctx, Analyst, w.p.ID, payer.HoldOrder{Until: found[0].Until, Because: payer.HoldUnusual, Measure: rec.Measure})
	wantField(t, err, "measure")
	w.spend(t, w.p, 1)
}

// A freeze is no payer's to lift: not with the password either.
func riskFreeze(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	w.own(t, func(r *risk.Rule) { r.Measures, r.For = []risk.Measure{risk.StepUp, risk.Freeze}, "48h" })
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	w.protect(t)
	if got := w.measures(t, risk.MeasureQuery{Payer: w.p.ID, State: risk.Taken}); len(got) != 2 {
		t.Fatalf("taken: %+v", got)
	}
	_, err := w.node.Payers.LiftHold(ctx, w.p.Actor(), w.p.ID, payer.HoldLifting{Password: PaymentPassword})
	wantCode(t, err, "not_allowed")
	st := must(w.node.Payers.LiftHold(ctx, Analyst, w.p.ID, payer.HoldLifting{Basis: onRisk}))(t)
	if st.State != payer.Open || st.Hold != nil {
		t.Errorf("lifted: %+v", st)
	}
}

// A rule about a terminal stops the terminal, for everybody, until its end.
func riskStop(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	r := w.own(t, func(r *risk.Rule) { r.Key, r.Measures, r.For = []string{"terminal"}, []risk.Measure{risk.Freeze}, "1h" })
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	w.protect(t)
	w.protect(t)
	stops := must(w.node.Merchants.Stops(ctx, Operator, merchant.StopQuery{Scope: merchant.OfTerminal(w.shop.Terminal)}))(t)
	found := w.measures(t, risk.MeasureQuery{})
	if len(stops) != 1 || len(found) != 1 || found[0].Terminal != w.shop.Terminal || found[0].Payer != "" || stops[0].Until.After(found[0].Until) {
		t.Fatalf("stops %+v of %+v", stops, found)
	}
	list := w.entries(t, string(w.shop.Terminal), "merchant.stop.placed")
	if len(list) != 1 || !slices.ContainsFunc(list, func(e evidence.Entry) bool {
		_, err := merchant.ReadEntry(e)
		return err == nil && e.Actor == "system:risk"
	}) {
		t.Errorf("recorded: %v", list)
	}
	w.clock.Add(time.Minute)
	paid := must(w.node.Payments.Authorize(ctx, w.shop.Manager, w.q.Tap(w.shop.Terminal, "M1", 12_00)))(t)
	if paid.State != payment.StepUpRequired || paid.Reasons[0].Layer != pinfree.LayerStop || paid.Reasons[0].ID != string(stops[0].ID) {
		t.Errorf("paid: %v, rule %s", paid.Reasons, r.ID)
	}
	w.stands(t, risk.Freeze, risk.Taken)
	w.clock.Add(time.Hour)
	w.spend(t, w.q, 1)
	if f := must(w.b.MeasureFigures(ctx))(t); len(f.Counts) != 0 {
		t.Errorf("after its end: %+v", f)
	}
}

// stands checks that there is one measure in a state, and that nothing that was taken
// is gone.
func (w *riskWorld) stands(t *testing.T, m risk.Measure, s risk.MeasureState) {
	t.Helper()
	if f := must(w.b.MeasureFigures(t.Context()))(t); f.Of(m, s) != 1 || f.In(s) != 1 || f.Oldest.IsZero() != (s != risk.Waiting) {
		t.Errorf("figures: %+v", f)
	}
	if gone := must(w.b.Gone(t.Context(), Analyst))(t); len(gone) != 0 {
		t.Errorf("gone: %+v", gone)
	}
}

// deaf fails to hold anybody for some tries.
type deaf struct {
	risk.Payers
	fails int
}

func (d *deaf) Hold(ctx context.Context, a mianmi.Actor, id mianmi.PayerID, o payer.HoldOrder) (payer.Status, error) {
	if d.fails--; d.fails >= 0 {
		return payer.Status{}, errors.New("the line is down")
	}
	return d.Payers.Hold(ctx, a, id, o)
}

func riskRetry(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	r := w.own(t, func(r *risk.Rule) { r.Measures, r.For = []risk.Measure{risk.StepUp}, "1h" })
	parts := w.a.Parts
	line := &deaf{w.node.Payers, 2}
	parts.Payers, parts.Log = line, slog.New(slog.DiscardHandler)
	s := must(risk.New(parts))(t)
	w.spend(t, w.p, 2)
	w.spend(t, w.q, 2)
	w.follow(t, w.a)
	if _, err := s.TakeMeasures(ctx); err == nil { // of both
		t.Error("a failure was told to nobody")
	}
	if _, err := s.TakeMeasures(ctx); err != nil {
		t.Error("tried again at once:", err)
	}
	w.clock.Add(2 * time.Second)
	if _, err := s.TakeMeasures(ctx); err != nil {
		t.Error(err)
	}
	if got := w.measures(t, risk.MeasureQuery{State: risk.Taken}); len(got) != 2 || got[0].Tries != 1 || got[0].Rule != r.ID {
		t.Errorf("taken: %+v", got)
	}
	w.clock.Add(2 * time.Hour)
	line.fails = 1
	w.spend(t, w.p, 2)
	w.follow(t, w.a)
	if _, err := s.TakeMeasures(ctx); err == nil {
		t.Error("a failure was told to nobody")
	}
	w.clock.Add(2 * time.Hour)
	if _, err := s.TakeMeasures(ctx); err != nil {
		t.Error(err)
	}
	if got := w.measures(t, risk.MeasureQuery{State: risk.Lapsed}); len(got) != 1 || got[0].Payer != w.p.ID || !got[0].TakenAt.IsZero() {
		t.Errorf("lapsed: %+v", got)
	}
	if f := must(w.b.MeasureFigures(ctx))(t); f.LapsedOpen != 1 || f.Of(risk.StepUp, risk.Lapsed) != 1 || f.In(risk.Waiting) != 0 {
		t.Errorf("figures: %+v", f)
	}
	must(w.a.Resolve(ctx, Analyst, w.alarms(t, risk.Query{Rule: r.ID, Payer: w.p.ID})[0].ID, risk.Resolution{Verdict: "harmless"}))(t)
	if f := must(w.b.MeasureFigures(ctx))(t); f.LapsedOpen != 0 {
		t.Errorf("after the alarm was resolved: %+v", f)
	}
	w.spend(t, w.p, 1)
}
