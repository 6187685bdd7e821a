package storetest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
)

// aPast is a day of two people, a minute between payments: all ways in which a
// payment ends. It returns the order numbers, oldest first.
func (d *desk) aPast(t *testing.T) (orders []string, a, b Person) {
	t.Helper()
	a, b = d.person(t, 1000_00), d.person(t, 30_00)
	at := func(r payment.Request, want payment.State) *payment.Payment {
		defer d.clock.Add(time.Minute)
		orders = append(orders, r.OrderNo)
		return d.mustPay(t, r, want)
	}
	at(a.Tap(d.Terminal, order(), 20_00), payment.Approved)
	at(Code(d.Terminal, order(), 18_00, d.code(t, b)), payment.Approved)
	w := at(a.Tap(d.Terminal, order(), 1200_00), payment.StepUpRequired)
	must(d.a.Payments.Cancel(t.Context(), a.Actor(), w.ID))(t)
	at(payment.Request{Terminal: d.Terminal, OrderNo: order(), Amount: money.Of(50_00, "CNY"), Method: pinfree.Cash}, payment.Approved)
	at(b.Tap(d.Terminal, order(), 13_00), payment.Declined) // there is not so much left
	paid := at(b.Tap(d.Terminal, order(), 2_00), payment.Approved)
	must(d.a.Payments.Reverse(t.Context(), d.Manager, paid.ID))(t)
	must(d.a.Payers.Close(t.Context(), a.Actor(), a.ID, noBasis))(t)
	w = at(a.Tap(d.Terminal, order(), 30_00), payment.StepUpRequired)
	must(d.a.Payments.Confirm(t.Context(), a.Actor(), w.ID, PaymentPassword))(t)
	return orders, a, b
}

func past(t *testing.T, seq iter.Seq2[payment.Past, error]) []payment.Past {
	t.Helper()
	var out []payment.Past
	for p, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func orderNos(list []payment.Past) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.OrderNo)
	}
	return out
}

// pastPayments come newest first, over all buckets, from a time on, as many as
// asked, each as it is read alone, with its card.
func pastPayments(t *testing.T, d *desk) {
	orders, a, _ := d.aPast(t)
	newestFirst := slices.Clone(orders)
	slices.Reverse(newestFirst)
	all := past(t, d.b.DB.Past(t.Context(), payment.PastQuery{Limit: 100}))
	if diff := cmp.Diff(newestFirst, orderNos(all)); diff != "" {
		t.Fatalf("past payments (-want +got):\n%s", diff)
	}
	for _, p := range all {
		alone := must(d.a.DB.Payment(t.Context(), p.ID))(t)
		samePayment(t, "read with others", &p.Payment, alone)
		if (p.Instrument != nil) != (p.Method == pinfree.CardTap) {
			t.Errorf("payment by %s has the instrument %+v", p.Method, p.Instrument)
		}
	}
	if in := all[0].Instrument; in.ID != a.Card || in.Payer != a.ID || in.Scheme != "unionpay" || in.Kind != "debit" || !in.Domestic {
		t.Errorf("instrument = %+v", in)
	}
	few := past(t, d.b.DB.Past(t.Context(), payment.PastQuery{Limit: 2}))
	if diff := cmp.Diff(newestFirst[:2], orderNos(few)); diff != "" {
		t.Errorf("the newest two (-want +got):\n%s", diff)
	}
	since := past(t, d.b.DB.Past(t.Context(), payment.PastQuery{Limit: 100, Since: all[2].CreatedAt}))
	if diff := cmp.Diff(newestFirst[:3], orderNos(since)); diff != "" {
		t.Errorf("the last three minutes (-want +got):\n%s", diff)
	}
	if none := past(t, d.b.DB.Past(t.Context(), payment.PastQuery{Limit: 100, Since: d.clock.Now().Add(time.Hour)})); none != nil {
		t.Errorf("after the last one: %v", orderNos(none))
	}
	if none := past(t, d.b.DB.Past(t.Context(), payment.PastQuery{})); none != nil {
		t.Errorf("none asked for: %v", orderNos(none))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range d.b.DB.Past(ctx, payment.PastQuery{Limit: 1}) {
		if err == nil {
			t.Error("a caller who has gone is answered")
		}
	}
}

// replays of stored payments decide by the rules of the time as it was decided
// then, and by others as those say.
func replays(t *testing.T, d *desk) {
	d.aPast(t)
	rules := must(Rules())(t)
	want := map[string]int64{}
	for _, p := range past(t, d.b.DB.Past(t.Context(), payment.PastQuery{Limit: 100})) {
		if p.Payer != "" {
			want[p.Outcome.String()]++
		}
	}
	replayer := payment.Replayer{History: d.b.DB, Query: payment.PastQuery{Limit: 100}, Time: time.Minute}
	same := must(replayer.Replay(t.Context(), rules, rules))(t)
	got := map[string]int64{}
	for _, c := range same.Cells {
		if got[c.A] += c.Payments; !c.Same() {
			t.Errorf("rules differ from themselves: %+v", c)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || same.Payments != 6 || same.Payers != 2 || same.Cut {
		t.Errorf("%d payments of %d; decided then and by the replay (-then +replay):\n%s", same.Payments, same.Payers, diff)
	}
	// Nothing permitted any more: what passed asks, what asked asks still.
	none := must(replayer.Replay(t.Context(), rules, nil))(t)
	var cells []string
	for _, c := range none.Cells {
		cells = append(cells, c.A+" "+c.B+" "+c.Sums[0].String())
	}
	if diff := cmp.Diff([]string{"pin_free step_up ¥53.00", "step_up step_up ¥1230.00"}, cells); diff != "" {
		t.Errorf("without packs (-want +got):\n%s", diff)
	}
	if e := none.Examples; len(e) != 4 || e[0].B.Because[0] != (compare.Ground{Reason: "no_rule_covers"}) || !e[0].At.Before(e[3].At) {
		t.Errorf("examples = %+v", e)
	}
}

// impatient gives some payments and then lets time run out.
type impatient struct {
	payment.History
	after int
}

func (h impatient) Past(ctx context.Context, q payment.PastQuery) iter.Seq2[payment.Past, error] {
	return func(yield func(payment.Past, error) bool) {
		n := 0
		for p, err := range h.History.Past(ctx, q) {
			if n++; n > h.after {
				<-ctx.Done()
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// replaysEnd in time: the newest payments are told of, and that there were more.
func replaysEnd(t *testing.T, d *desk) {
	d.aPast(t)
	rules := must(Rules())(t)
	r := payment.Replayer{History: impatient{d.b.DB, 3}, Query: payment.PastQuery{Limit: 100}, Time: 2 * time.Second}
	got := must(r.Replay(t.Context(), rules, rules))(t)
	if !got.Cut || got.Payments != 3 || !got.To.Equal(d.clock.Now().Add(-time.Minute)) {
		t.Errorf("report = %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Replay(ctx, rules, rules); err == nil {
		t.Error("a caller who has gone is answered")
	}
}
