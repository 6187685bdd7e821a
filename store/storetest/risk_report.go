package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// A payer's report is one alarm of them, kind and payment, that is counted until it
// is resolved; its words are in no entry, and its case is opened again until it is.
func riskReport(t *testing.T, w *riskWorld) {
	ctx, me := t.Context(), w.p.Actor()
	paid := w.spend(t, w.p, 1)
	var cases []risk.ReportedCase
	w.a.OpenReported = func(_ context.Context, _ mianmi.Actor, c risk.ReportedCase) (risk.CaseRef, error) {
		if cases = append(cases, c); len(cases) == 1 {
			return risk.CaseRef{}, errors.New("the desk is away")
		}
		return risk.CaseRef{ID: "cs1", Number: "ABCD2345"}, nil
	}
	r := risk.Report{Kind: "not_me", Payment: paid.ID, Note: "我当时在家"}
	first := must(w.a.Report(ctx, me, r))(t)
	a := first.Alarm
	if first.Known || first.Case != nil || !slices.Equal(first.Next, []risk.NextStep{risk.NextCloseAll, risk.NextReportLoss, risk.NextOpenCase}) {
		t.Errorf("the desk was away: %+v", first)
	}
	if a.Rule != "report_not_me" || a.Severity != risk.High || a.State != risk.Open || a.Reporter != me.String() || a.Said != r.Note || a.Payer != w.p.ID ||
		a.Terminal != w.shop.Terminal || a.Merchant != "" || a.First != a.Last || !a.DueAt.Equal(w.clock.Now().Add(time.Hour)) {
		t.Errorf("the alarm is %+v", a)
	}
	w.clock.Add(time.Minute)
	r.Note = ""
	again := must(w.a.Report(ctx, me, r))(t)
	if !again.Known || again.Alarm.ID != a.ID || again.Alarm.Count != 2 || again.Alarm.Last <= a.Last || again.Alarm.First != a.First || again.Case == nil || again.Case.Number == "" {
		t.Errorf("again: %+v", again)
	}
	if len(cases) != 2 || cases[0].Text != "我当时在家" || cases[1].Text == "" || cases[1].Alarm != a.ID || cases[1].Payment != paid.ID || cases[1].Kind != "not_me" {
		t.Errorf("cases: %+v", cases)
	}
	other := must(w.a.Report(ctx, me, risk.Report{Kind: "device", Payment: paid.ID}))(t)
	bare := must(w.a.Report(ctx, me, risk.Report{Kind: "other"}))(t)
	if other.Alarm.ID == a.ID || bare.Alarm.ID == a.ID || bare.Alarm.Payer != w.p.ID || len(cases) != 2 {
		t.Errorf("of another kind: %+v, about nothing: %+v", other, bare)
	}
	if got := w.told(t, a.ID); !slices.Equal(got, []string{risk.TypeReported, risk.TypeReported}) {
		t.Errorf("recorded: %v", got)
	}
	list := must(w.node.DB.Entries(ctx, payer.EntryQuery{Bucket: mianmi.BucketOf(string(a.ID)), Subject: string(a.ID), Limit: 10}))(t)
	for i, e := range list {
		rec := must(risk.ReadRecord(e))(t)
		if bytes.Contains(e.Body, []byte("我当时在家")) || e.Actor != me.String() || rec.Reporter != me.String() || (rec.Said == "") != (i == 1) || rec.Count != int64(i)+1 {
			t.Errorf("entry %d: %s", i, e.Body)
		}
	}
	must(w.b.Resolve(ctx, Analyst, a.ID, risk.Resolution{Verdict: "fraud"}))(t)
	if anew := must(w.a.Report(ctx, me, r))(t); anew.Known || anew.Alarm.ID == a.ID || anew.Alarm.Count != 1 {
		t.Errorf("after it was resolved: %+v", anew)
	}
}

// What one may not see looks as if it were not there, and what is wrong is named.
func riskReportRights(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	paid := w.spend(t, w.q, 1)
	shop := must(w.node.newShop(ctx, merchant.Facts{}))(t)
	cashier := mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf7", Merchant: w.shop.Merchant, Store: w.shop.Store}
	for field, list := range map[string][]reportCall{
		"kind":    {{w.p.Actor(), risk.Report{}}, {Support, risk.Report{Kind: "report_other", Terminal: w.shop.Terminal}}},
		"payment": {{w.p.Actor(), risk.Report{Kind: "not_me", Payment: paid.ID}}, {w.p.Actor(), risk.Report{Kind: "not_me", Payment: "pm0"}}, {shop.Manager, risk.Report{Kind: "not_me", Payment: paid.ID}}},
		"terminal": {{cashier, risk.Report{Kind: "device"}}, {cashier, risk.Report{Kind: "device", Terminal: shop.Terminal}}, {w.q.Actor(), risk.Report{Kind: "device", Terminal: w.shop.Terminal}},
			{cashier, risk.Report{Kind: "device", Terminal: w.shop.Bare, Payment: paid.ID}}, {Support, risk.Report{Kind: "device", Terminal: "tm0"}}},
		"note": {{w.p.Actor(), risk.Report{Kind: "other", Note: "4111 1111 1111 1111"}}, {w.p.Actor(), risk.Report{Kind: "other", Note: "a\x00"}},
			{w.p.Actor(), risk.Report{Kind: "other", Note: string(bytes.Repeat([]byte("字"), 501))}}},
	} {
		for _, c := range list {
			_, err := w.a.Report(ctx, c.actor, c.report)
			wantField(t, err, field)
		}
	}
	for _, a := range []mianmi.Actor{{Role: mianmi.RoleAuditor, ID: "sf6"}, {Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: mianmi.ScopePay | mianmi.ScopeTighten}} {
		if _, err := w.a.Report(ctx, a, risk.Report{Kind: "device", Terminal: w.shop.Terminal}); !errors.Is(err, mianmi.Denied) {
			t.Errorf("%s reports: %v", a, err)
		}
	}
	if list := w.alarms(t, risk.Query{}); len(list) != 0 {
		t.Fatalf("written: %v", list)
	}
	own := must(w.a.Report(ctx, cashier, risk.Report{Kind: "device", Terminal: w.shop.Terminal, Note: "外壳松了"}))(t)
	w.clock.Add(time.Minute)
	must(w.a.Report(ctx, Support, risk.Report{Kind: "display", Payment: paid.ID, Note: "来电反映"}))(t)
	if !slices.Equal(own.Next, []risk.NextStep{risk.NextCloseTerminal}) || own.Alarm.Merchant != w.shop.Merchant || own.Alarm.Store != w.shop.Store {
		t.Errorf("a cashier's: %+v", own)
	}
	admin := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: w.shop.Merchant}
	seen := must(w.b.Alarms(ctx, admin, risk.Query{}))(t)
	if len(seen) != 2 || seen[1].Reporter != cashier.String() || seen[1].Said != "外壳松了" || seen[0].Reporter != "" || seen[0].Said != "" || seen[0].Payer != "" {
		t.Errorf("the merchant sees %+v", seen)
	}
}

type reportCall struct {
	actor  mianmi.Actor
	report risk.Report
}

// Of many reports at once as many as are allowed are taken, on all nodes together, and
// those of the same are one alarm.
func riskReportOften(t *testing.T, w *riskWorld) {
	ctx, me := t.Context(), w.p.Actor()
	var group sync.WaitGroup
	var mu sync.Mutex
	var taken, refused int
	for i := range 24 {
		s := []*risk.Service{w.a, w.b}[i%2]
		group.Go(func() {
			_, err := s.Report(ctx, me, risk.Report{Kind: "other"})
			var told *mianmi.Error
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken++
			case errors.As(err, &told) && told.Code == "too_many_reports" && told.RetryAfter == 3*time.Minute:
				refused++
			default:
				t.Errorf("report %d: %v", i, err)
			}
		})
	}
	group.Wait()
	list := w.alarms(t, risk.Query{})
	if taken != 10 || refused != 14 || len(list) != 1 || list[0].Count != 10 || len(w.told(t, list[0].ID)) != 10 {
		t.Fatalf("%d taken, %d refused: %+v", taken, refused, list)
	}
	must(w.a.Report(ctx, w.q.Actor(), risk.Report{Kind: "other"}))(t) // another's allowance
	w.clock.Add(3*time.Minute - time.Second)
	_, err := w.b.Report(ctx, me, risk.Report{Kind: "other"})
	var told *mianmi.Error
	if !errors.As(err, &told) || told.RetryAfter != time.Second {
		t.Errorf("a second too early: %v", err)
	}
	w.clock.Add(told.RetryAfter)
	if again := must(w.b.Report(ctx, me, risk.Report{Kind: "other"}))(t); again.Alarm.Count != 11 {
		t.Errorf("after three minutes: %+v", again)
	}
}

// What is said at a terminal is an alarm of that terminal, once however often it is
// told; a payment that was made elsewhere is left out.
func riskReportTerminal(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	m := must(w.node.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "L1", Keypad: true, Methods: pinfree.Methods(0).Set(pinfree.PaymentCode)}))(t)
	x := must(w.node.Terminals.Create(ctx, Operator, terminal.Terminal{Store: w.shop.Store, Model: m.ID, Name: "收银台 9"}))(t)
	d := must(NewDevice(ctx, w.node.DB, x.ID, w.clock))(t)
	fleet := w.node.Terminals.WithPolicies(w.node.Merchants)
	paid := w.spend(t, w.p, 1) // at another terminal
	d.Change = func(r *protocol.Report) {
		r.Troubles = []protocol.Trouble{{ID: "0123456789abcdef", Kind: "display", At: w.clock.Now()}, {ID: "0123456789abcdeg", Kind: "unheard", Payment: paid.ID, At: w.clock.Now()}}
	}
	for range 2 { // its receipt was lost
		must(d.Report(ctx, fleet))(t)
	}
	w.follow(t, w.a)
	admin := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: w.shop.Merchant}
	list := must(w.b.Alarms(ctx, admin, risk.Query{Terminal: x.ID}))(t)
	if len(list) != 2 {
		t.Fatalf("alarms: %+v", list)
	}
	for i, rule := range []string{"report_display", "report_other"} {
		a := list[slices.IndexFunc(list, func(a risk.Alarm) bool { return a.Rule == rule })]
		if a.Reporter != "terminal:"+string(x.ID) || a.Count != 1 || a.Payment != "" || a.Store != w.shop.Store || a.First == "" || a.State != risk.Open {
			t.Errorf("alarm %d: %+v", i, a)
		}
		if got := w.told(t, a.ID); !slices.Equal(got, []string{risk.TypeOpened}) {
			t.Errorf("recorded: %v", got)
		}
	}
}
