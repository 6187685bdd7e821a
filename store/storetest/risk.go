package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/secret"
)

// Risk is the contract of signals and alarms on two nodes of one database.
func Risk(t *testing.T, open func(*testing.T) Engine) {
	tests := map[string]func(*testing.T, *riskWorld){
		"a burst is one alarm, that is counted on":             riskBurst,
		"who takes over knows what the other had seen":         riskTakeover,
		"one follows, and who has lost that writes nothing":    riskLease,
		"what people and tills do is seen with its place":      riskReads,
		"a closed switch and agreement that hold are no alarm": riskPromises,
		"an alarm is taken up, resolved and found anew":        riskLife,
		"an alarm that nobody takes is escalated once":         riskEscalate,
		"who sees which alarm":                                 riskRights,
		"own rules go through the shadow":                      riskOwnRules,
		"a live rule goes by a second person":                  riskWithdraw,
		"rules are tried on the past":                          riskBacktest,
		"a finding steps its payer up once":                    riskStepUp,
		"a freeze is a person's to lift":                       riskFreeze,
		"a terminal is stopped":                                riskStop,
		"a payer who says no is protected":                     riskDenied,
		"yes needs the password":                               riskConfirmed,
		"silence steps the payer up":                           riskSilence,
		"what cannot be taken is tried again until its end":    riskRetry,
		"a place that was not written is read again":           riskUnwritten,
		"a payer's report is one alarm, that is counted":       riskReport,
		"who may report what":                                  riskReportRights,
		"of many reports at once those allowed are taken":      riskReportOften,
		"what is said at a terminal is an alarm":               riskReportTerminal,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newRiskWorld(t, open(t)))
		})
	}
}

// riskWorld is two nodes on one database, a shop and two persons.
type riskWorld struct {
	clock  *Clock
	node   *Node
	log    *evidence.Log
	a, b   *risk.Service
	shop   Shop
	p, q   Person
	orders int
}

// Analyst is a risk analyst.
var Analyst = mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf5"}

func newRiskWorld(t *testing.T, e Engine) *riskWorld {
	t.Helper()
	w := &riskWorld{clock: NewClock()}
	keys := must(secret.New(rand.Reader))(t)
	for _, s := range []**risk.Service{&w.a, &w.b} {
		w.node = must(NewNode(t.Context(), NodeConfig{DB: e.Open(t), Keys: keys, Clock: w.clock}))(t)
		t.Cleanup(w.node.Payments.Stop)
		*s = must(risk.New(risk.Parts{Store: w.node.DB, Keys: keys, Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
			Payers: w.node.Payers, Merchants: w.node.Merchants}))(t)
	}
	w.log = evidence.NewLog(w.node.DB, must(evidence.NewKey("log.example", bytes.Repeat([]byte{7}, 32)))(t), w.clock)
	w.shop = must(w.node.NewShop(t.Context(), merchant.Facts{}))(t)
	w.p, w.q = must(w.node.NewPerson(t.Context(), 100_000_00))(t), must(w.node.NewPerson(t.Context(), 100_000_00))(t)
	w.follow(t, w.a) // from here on
	return w
}

// follow puts all that waits into the log and lets a node read it.
func (w *riskWorld) follow(t *testing.T, s *risk.Service) {
	t.Helper()
	for must(w.log.Sequence(t.Context()))(t).Entries > 0 {
	}
	for must(s.Follow(t.Context()))(t) {
	}
}

// spend has a person pay PIN-free, a minute apart.
func (w *riskWorld) spend(t *testing.T, p Person, n int) (paid *payment.Payment) {
	t.Helper()
	for range n {
		w.clock.Add(time.Minute)
		w.orders++
		paid = must(w.node.Payments.Authorize(t.Context(), w.shop.Manager, p.Tap(w.shop.Terminal, fmt.Sprintf("R%d", w.orders), 12_00)))(t)
		if paid.State != payment.Approved || paid.CVM != 0 {
			t.Fatalf("payment %d: %v", w.orders, paid.Reasons)
		}
	}
	return paid
}

func (w *riskWorld) alarms(t *testing.T, q risk.Query) []risk.Alarm {
	t.Helper()
	return must(w.b.Alarms(t.Context(), Analyst, q))(t)
}

func (w *riskWorld) rules(t *testing.T) (out []string) {
	t.Helper()
	for _, a := range w.alarms(t, risk.Query{}) {
		out = append(out, a.Rule)
	}
	slices.Sort(out)
	return out
}

func (w *riskWorld) told(t *testing.T, id mianmi.AlarmID) (out []string) {
	t.Helper()
	list := must(w.node.DB.Entries(t.Context(), payer.EntryQuery{Bucket: mianmi.BucketOf(string(id)), Subject: string(id), Limit: 200}))(t)
	for i, e := range list {
		if r := must(risk.ReadRecord(e))(t); r.Version != int64(i)+1 {
			t.Errorf("entry %d bears version %d", i, r.Version)
		}
		out = append(out, e.Type)
	}
	return out
}

func riskBurst(t *testing.T, w *riskWorld) {
	w.spend(t, w.q, 2)
	paid := w.spend(t, w.p, 5)
	w.follow(t, w.a)
	list := w.alarms(t, risk.Query{})
	if len(list) != 1 {
		t.Fatalf("alarms: %v", list)
	}
	a := list[0]
	if a.Rule != "payer_burst" || a.Key != string(w.p.ID) || a.Payer != w.p.ID || a.Payment != paid.ID || a.Terminal != w.shop.Terminal || a.Count != 1 ||
		a.State != risk.Open || a.Merchant != "" || a.Says.EN != "5 PIN-free payments by one payer within 10 minutes." {
		t.Errorf("the alarm is %+v", a)
	}
	for _, id := range []mianmi.EntryID{a.First, a.Last} { // they lead to the evidence
		if leaf := must(w.node.DB.Leaf(t.Context(), id))(t); len(leaf.Records) == 0 {
			t.Errorf("entry %s is no batch of payments", id)
		}
	}
	if at := must(w.node.Payments.Entries(t.Context(), Support, paid.ID))(t); at.Decided != a.Last || a.First >= a.Last {
		t.Errorf("the entries are %s to %s, and the payment's is %s", a.First, a.Last, at.Decided)
	}
	w.spend(t, w.p, 2) // within the quiet time
	w.clock.Add(7 * time.Hour)
	w.spend(t, w.p, 5)
	w.follow(t, w.a)
	if again := w.alarms(t, risk.Query{Rule: "payer_burst"}); len(again) != 1 || again[0].ID != a.ID || again[0].Count != 2 || again[0].Last <= a.Last {
		t.Errorf("afterwards: %v", again)
	}
	if got := w.told(t, a.ID); !slices.Equal(got, []string{risk.TypeOpened}) {
		t.Errorf("recorded: %v", got)
	}
	if lag := must(w.b.Lag(t.Context()))(t); lag != 0 && lag != 1 { // the alarm's own entry may not be in the log yet
		t.Errorf("%d entries are not read", lag)
	}
}

func riskTakeover(t *testing.T, w *riskWorld) {
	w.spend(t, w.p, 3)
	w.follow(t, w.a)
	if err := w.a.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.spend(t, w.p, 2)
	w.follow(t, w.b)
	if got := w.rules(t); !slices.Equal(got, []string{"payer_burst"}) {
		t.Fatalf("alarms: %v", got)
	}
	if err := w.b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.follow(t, w.a) // sees all of it again, silently
	if list := w.alarms(t, risk.Query{}); len(list) != 1 || list[0].Count != 1 {
		t.Errorf("after two handovers: %v", list)
	}
}

func riskLease(t *testing.T, w *riskWorld) {
	ctx, db := t.Context(), w.node.DB
	w.spend(t, w.p, 5)
	for must(w.log.Sequence(ctx))(t).Entries > 0 {
	}
	if more := must(w.b.Follow(ctx))(t); more || w.b.Figures().Follows {
		t.Error("two follow at once")
	}
	if err := w.a.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	next, held, err := db.Follow(ctx, "ghost", time.Microsecond) // and dies at once
	if err != nil || !held {
		t.Fatal(held, err)
	}
	for !must(w.b.Follow(ctx))(t) { // its lease ends by the database's clock
	}
	err = db.Found(ctx, risk.Step{Holder: "ghost", From: next, Next: next + 1})
	if !errors.Is(err, mianmi.Conflict) {
		t.Errorf("a follower that has lost its lease wrote: %v", err)
	}
	w.follow(t, w.b)
	if got := w.rules(t); !slices.Equal(got, []string{"payer_burst"}) {
		t.Errorf("alarms: %v", got)
	}
}

func riskReads(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	cashier := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: w.shop.Merchant}
	for i := range 3 {
		paid := w.spend(t, w.p, 1)
		w.clock.Add(time.Hour)
		must(w.node.Payments.Refund(ctx, cashier, paid.ID, payment.RefundRequest{RefundNo: fmt.Sprint("F", i), Amount: paid.Amount}))(t)
	}
	for range 4 {
		if err := w.node.Payers.Verify(ctx, w.q.ID, "000000"); mianmi.KindOf(err) != mianmi.Unauthenticated {
			t.Fatal(err)
		}
	}
	w.follow(t, w.a)
	if got := w.rules(t); !slices.Equal(got, []string{"cashier_same_payer", "payer_wrong_passwords"}) {
		t.Fatalf("alarms: %v", got)
	}
	refunds := w.alarms(t, risk.Query{Rule: "cashier_same_payer"})[0]
	if refunds.Merchant != w.shop.Merchant || refunds.Payer != w.p.ID || refunds.Terminal != w.shop.Terminal || refunds.Key != "merchant_admin:sf9 "+string(w.p.ID) {
		t.Errorf("the refunds' alarm is %+v", refunds)
	}
}

func riskPromises(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	g := must(w.node.Payers.OpenAgreement(ctx, w.p.Actor(), w.p.ID, payer.AgreementInput{Merchant: w.shop.Merchant, Password: PaymentPassword,
		ConsentVersion: payer.ConsentText.Version}))(t)
	w.spend(t, w.p, 1)
	w.clock.Add(time.Minute)
	must(w.node.Payers.CloseAgreement(ctx, w.p.Actor(), w.p.ID, g.ID))(t)
	must(w.node.Payers.Close(ctx, w.q.Actor(), w.q.ID, payer.Basis{}))(t)
	w.clock.Add(time.Minute)
	for i, p := range []Person{w.p, w.q} {
		paid := must(w.node.Payments.Authorize(ctx, w.shop.Manager, p.Tap(w.shop.Terminal, fmt.Sprint("S", i), 12_00)))(t)
		if paid.State == payment.Approved {
			t.Errorf("paid: %v", paid.Reasons)
		}
	}
	w.follow(t, w.a)
	if got := w.rules(t); len(got) != 0 {
		t.Errorf("alarms: %v", got)
	}
	if f := w.a.Figures(); f.Faults != 0 || f.Failed != 0 || f.Events == 0 {
		t.Errorf("figures: %+v", f)
	}
}

func riskLife(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	w.spend(t, w.p, 5)
	w.follow(t, w.a)
	a := w.alarms(t, risk.Query{Unsolved: true})[0]
	for range 2 {
		taken := must(w.b.Acknowledge(ctx, Analyst, a.ID))(t)
		if taken.State != risk.Acknowledged || taken.TakenBy != Analyst.String() || !taken.DueAt.IsZero() {
			t.Errorf("taken: %+v", taken)
		}
	}
	_, err := w.a.Resolve(ctx, Analyst, a.ID, risk.Resolution{Verdict: "guilty"})
	wantField(t, err, "verdict")
	_, err = w.a.Resolve(ctx, Analyst, a.ID, risk.Resolution{Verdict: "fraud", Note: "卡 4111 1111 1111 1111"})
	wantField(t, err, "note")
	end := risk.Resolution{Verdict: "harmless", Note: "已电话核实"}
	for range 2 {
		done := must(w.a.Resolve(ctx, Analyst, a.ID, end))(t)
		if done.State != risk.Resolved || done.Verdict != "harmless" || done.Note != end.Note {
			t.Errorf("resolved: %+v", done)
		}
	}
	_, err = w.a.Resolve(ctx, Analyst, a.ID, risk.Resolution{Verdict: "fraud"})
	wantCode(t, err, "alarm_resolved")
	if got := w.told(t, a.ID); !slices.Equal(got, []string{risk.TypeOpened, risk.TypeAcknowledged, risk.TypeResolved}) {
		t.Errorf("recorded: %v", got)
	}
	list := must(w.node.DB.Entries(ctx, payer.EntryQuery{Bucket: mianmi.BucketOf(string(a.ID)), Subject: string(a.ID), Limit: 200}))(t)
	for _, e := range list {
		if bytes.Contains(e.Body, []byte(end.Note)) {
			t.Error("words of people are in an entry")
		}
	}
	w.clock.Add(7 * time.Hour)
	w.spend(t, w.p, 5)
	w.follow(t, w.a)
	if open := w.alarms(t, risk.Query{Unsolved: true}); len(open) != 1 || open[0].ID == a.ID {
		t.Errorf("found anew: %v", open)
	}
	if all := w.alarms(t, risk.Query{State: risk.Resolved, Payer: w.p.ID, Severity: risk.Medium}); len(all) != 1 || all[0].ID != a.ID {
		t.Errorf("resolved: %v", all)
	}
}

func riskEscalate(t *testing.T, w *riskWorld) {
	ctx := t.Context()
	w.spend(t, w.p, 5)
	w.follow(t, w.a)
	a := w.alarms(t, risk.Query{})[0]
	w.clock.Add(3 * time.Hour)
	if n := must(w.a.Escalate(ctx))(t); n != 0 {
		t.Errorf("%d escalated after three hours; four is the time", n)
	}
	w.clock.Add(time.Hour)
	if n := must(w.a.Escalate(ctx))(t) + must(w.b.Escalate(ctx))(t); n != 1 {
		t.Errorf("%d escalated", n)
	}
	if got := w.told(t, a.ID); !slices.Equal(got, []string{risk.TypeOpened, risk.TypeEscalated}) {
		t.Errorf("recorded: %v", got)
	}
	if a = w.alarms(t, risk.Query{})[0]; a.State != risk.Open || a.EscalatedAt.IsZero() {
		t.Errorf("escalated: %+v", a)
	}
}

func riskRights(t *testing.T, w *riskWorld) {
	riskReads(t, w) // one of the merchant's people, one about a payer alone
	ctx := t.Context()
	admin := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: w.shop.Merchant}
	list := must(w.a.Alarms(ctx, admin, risk.Query{}))(t)
	if len(list) != 1 || list[0].Rule != "cashier_same_payer" || list[0].Payer != "" || list[0].Key != "" {
		t.Errorf("the merchant sees %+v", list)
	}
	others := w.alarms(t, risk.Query{Rule: "payer_wrong_passwords"})[0]
	if _, err := w.a.Alarm(ctx, admin, others.ID); !errors.Is(err, mianmi.NotFound) {
		t.Errorf("a payer's alarm, for a merchant: %v", err)
	}
	if _, err := w.a.Acknowledge(ctx, admin, list[0].ID); !errors.Is(err, mianmi.Denied) {
		t.Errorf("a merchant takes an alarm up: %v", err)
	}
	for _, a := range []mianmi.Actor{w.p.Actor(), {Role: mianmi.RoleCashier, ID: "sf7", Merchant: w.shop.Merchant, Store: w.shop.Store}} {
		if _, err := w.a.Alarms(ctx, a, risk.Query{}); !errors.Is(err, mianmi.Denied) {
			t.Errorf("%s lists alarms: %v", a, err)
		}
	}
}
