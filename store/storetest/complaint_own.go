package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/support"
)

// ownWorld is a shop, a payer who has paid there, and the two nodes.
type ownWorld struct {
	*complaintWorld
	shop   Shop
	who    Person
	paid   *payment.Payment
	orders int
}

func newOwnWorld(t *testing.T, w *complaintWorld) *ownWorld {
	t.Helper()
	o := &ownWorld{complaintWorld: w, shop: must(w.node.NewShop(t.Context(), merchant.Facts{}))(t), who: must(w.node.NewPerson(t.Context(), 1_000_00))(t)}
	o.paid = o.pay(t, 12_50)
	return o
}

// pay is a payment that was taken, by the payer's password where that is asked for.
func (o *ownWorld) pay(t *testing.T, minor int64) *payment.Payment {
	t.Helper()
	o.orders++
	p := must(o.node.Payments.Authorize(t.Context(), o.shop.Manager, o.who.Tap(o.shop.Terminal, fmt.Sprint("own", o.orders), minor)))(t)
	if p.State == payment.StepUpRequired {
		p = must(o.node.Payments.Confirm(t.Context(), o.who.Actor(), p.ID, PaymentPassword))(t)
	}
	if p.State != payment.Approved {
		t.Fatalf("the payment is %v", p.State)
	}
	return p
}

// about is a complaint about the first payment.
func (o *ownWorld) about(key string) support.NewComplaint {
	return support.NewComplaint{Key: key, Payment: o.paid.ID, Problem: support.WantsRefund, Text: "扣了两次", Asked: money.Of(3_00, "CNY")}
}

func (o *ownWorld) complain(t *testing.T, n support.NewComplaint) support.Complaint {
	t.Helper()
	return must(o.a.Complain(t.Context(), o.who.Actor(), o.who.ID, n))(t)
}

func (o *ownWorld) write(id mianmi.ComplaintID, m support.Message) func(*testing.T) (support.Complaint, []support.Step, error) {
	return func(t *testing.T) (support.Complaint, []support.Step, error) {
		t.Helper()
		return o.b.Write(t.Context(), o.who.Actor(), o.who.ID, id, m)
	}
}

// admin is the shop's administrator.
func (o *ownWorld) admin() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf7", Merchant: o.shop.Merchant}
}

func (o *ownWorld) recorded(t *testing.T, id mianmi.ComplaintID) (out []string) {
	t.Helper()
	for _, e := range o.entries(t, id) {
		out = append(out, e.Type)
	}
	return out
}

// A complaint of a payer of the wallet from its making to its end: it is said at
// once what is ordered, the payer writes between, and nobody passes over that.
func ownComplaint(t *testing.T, w *complaintWorld) {
	o, ctx := newOwnWorld(t, w), t.Context()
	c := o.complain(t, o.about("k1"))
	if again := o.complain(t, o.about("k1")); again.ID != c.ID || again.Version != 1 {
		t.Errorf("a repeat: %v", again)
	}
	other := o.about("k1")
	other.Text = "别的"
	if _, err := o.b.Complain(ctx, o.who.Actor(), o.who.ID, other); answerCode(err) != "complaint_conflict" {
		t.Errorf("another content under the key: %v", err)
	}
	if _, err := o.b.Complain(ctx, o.who.Actor(), o.who.ID, o.about("k2")); answerCode(err) != "complaint_open" {
		t.Errorf("a second one about the payment: %v", err)
	}
	if c.Merchant != o.shop.Merchant || c.State != support.Pending || !c.Flags.Has(support.Waiting) || c.Own() != o.paid.ID || c.Times != 1 {
		t.Errorf("%v: %+v", c, c.Said.Flags)
	}
	a := must(o.a.Answer(ctx, o.admin(), c.ID, support.Order{Key: "a1", Kind: support.Reply, Text: "正在核实"}))(t)
	stored, steps, err := o.b.PayerComplaint(ctx, o.who.Actor(), o.who.ID, c.ID)
	if err != nil || a.State != support.Done || stored.State != support.Processing || stored.Flags.Has(support.Waiting) || len(steps) != 2 || steps[1].Text != "正在核实" || steps[1].By != support.ByMerchant {
		t.Errorf("answered: %v, %v %v, %d steps, %v", a.State, stored, stored.Flags, len(steps), err)
	}
	w.clock.Add(time.Second)
	for range 2 { // a repeat changes nothing
		stored, steps, err = o.write(c.ID, support.Message{Key: "m1", What: support.Writes, Text: "还没到账"})(t)
	}
	if err != nil || len(steps) != 3 || stored.Version != 3 || !stored.Flags.Has(support.Waiting) {
		t.Errorf("written: version %d, %d steps, %v", stored.Version, len(steps), err)
	}
	if _, _, err := o.write(c.ID, support.Message{Key: "m1", What: support.Writes, Text: "别的"})(t); answerCode(err) != "complaint_conflict" {
		t.Errorf("another text under the key: %v", err)
	}
	if _, err := o.a.Answer(ctx, o.admin(), c.ID, support.Order{Key: "a2", Kind: support.Complete, Version: 2}); answerCode(err) != "complaint_changed" {
		t.Errorf("completed over what the payer wrote: %v", err)
	}
	w.clock.Add(time.Second)
	must(o.a.Answer(ctx, Support, c.ID, support.Order{Key: "a3", Kind: support.Complete, Version: 3}))(t)
	if _, _, err := o.write(c.ID, support.Message{Key: "m2", What: support.Writes, Text: "在吗"})(t); answerCode(err) != "complaint_over" {
		t.Errorf("written after the end: %v", err)
	}
	want := []string{support.TypeOpened, support.TypeOrdered, support.TypeChanged, support.TypeDone, support.TypeChanged, support.TypeOrdered, support.TypeChanged, support.TypeDone}
	got := o.recorded(t, c.ID)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("recorded: %v", got)
	}
	again := o.complain(t, o.about("k3"))
	for i, end := range []support.Writing{support.Resolves, support.Withdraws} {
		done, _, err := o.write(again.ID, support.Message{Key: fmt.Sprint("e", i), What: end})(t)
		if i == 0 && (err != nil || done.State != support.Processed || again.Times != 2) || i == 1 && answerCode(err) != "complaint_over" {
			t.Errorf("%v: %v %v, complaint number %d", end, done, err, again.Times)
		}
	}
	if list := must(o.a.PayerComplaints(ctx, o.who.Actor(), o.who.ID, support.Query{}))(t); len(list) != 2 || list[0].ID != again.ID {
		t.Errorf("the payer's: %v", list)
	}
}

// Two nodes get the same at once: one complaint, one step, one answer. Of
// complaints about one payment one is made.
func ownBeside(t *testing.T, w *complaintWorld) {
	o, ctx := newOwnWorld(t, w), t.Context()
	var all sync.WaitGroup
	var mu sync.Mutex
	var made []mianmi.ComplaintID
	var refused []string
	for i := range 8 {
		all.Go(func() {
			s := []*support.Service{o.a, o.b}[i%2]
			c, err := s.Complain(ctx, o.who.Actor(), o.who.ID, o.about(fmt.Sprint("k", i/4)))
			mu.Lock()
			defer mu.Unlock()
			if made = append(made, c.ID); err != nil {
				made, refused = made[:len(made)-1], append(refused, answerCode(err))
			}
		})
	}
	all.Wait()
	if len(made) != 4 || len(slices.Compact(made)) != 1 || len(refused) != 4 || slices.ContainsFunc(refused, func(code string) bool { return code != "complaint_open" }) {
		t.Fatalf("made %v, refused %v", made, refused)
	}
	id := made[0]
	for i := range 8 {
		all.Go(func() {
			s := []*support.Service{o.a, o.b}[i%2]
			if _, _, err := s.Write(ctx, o.who.Actor(), o.who.ID, id, support.Message{Key: "m", What: support.Writes, Text: "在吗"}); err != nil {
				t.Error(err)
			}
			if _, err := s.Answer(ctx, o.admin(), id, support.Order{Key: "a", Kind: support.Reply, Text: "在"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	say(t, o.b)
	c, steps, err := o.a.Complaint(ctx, o.admin(), id)
	if err != nil || len(steps) != 3 || c.Version != 3 {
		t.Errorf("version %d, %d steps, %v", c.Version, len(steps), err)
	}
}

// What cannot be complained of, and who may.
func ownRefused(t *testing.T, w *complaintWorld) {
	o, ctx := newOwnWorld(t, w), t.Context()
	stranger := must(w.node.NewPerson(ctx, 0))(t)
	broke := must(w.node.Payments.Authorize(ctx, o.shop.Manager, stranger.Tap(o.shop.Terminal, "broke", 1_00)))(t)
	for name, tt := range map[string]struct {
		change func(*support.NewComplaint)
		who    Person
		code   string
		kind   mianmi.Kind
	}{
		"no key":                  {func(n *support.NewComplaint) { n.Key = "a b" }, o.who, "", mianmi.Invalid},
		"no problem":              {func(n *support.NewComplaint) { n.Problem = 0 }, o.who, "", mianmi.Invalid},
		"no text":                 {func(n *support.NewComplaint) { n.Text = " " }, o.who, "", mianmi.Invalid},
		"a text that is too long": {func(n *support.NewComplaint) { n.Text = strings.Repeat("长", 501) }, o.who, "", mianmi.Invalid},
		"more than was paid":      {func(n *support.NewComplaint) { n.Asked = money.Of(12_51, "CNY") }, o.who, "", mianmi.Invalid},
		"another currency":        {func(n *support.NewComplaint) { n.Asked = money.Of(1, "EUR") }, o.who, "", mianmi.Invalid},
		"money for no refund":     {func(n *support.NewComplaint) { n.Problem = support.OtherProblem }, o.who, "", mianmi.Invalid},
		"no such payment":         {func(n *support.NewComplaint) { n.Payment = "pm0" }, o.who, "", mianmi.NotFound},
		"another's payment":       {func(*support.NewComplaint) {}, stranger, "", mianmi.NotFound},
		"a payment that failed":   {func(n *support.NewComplaint) { n.Payment = broke.ID }, stranger, "not_complainable", mianmi.Conflict},
	} {
		n := o.about("k")
		tt.change(&n)
		if _, err := o.a.Complain(ctx, tt.who.Actor(), tt.who.ID, n); mianmi.KindOf(err) != tt.kind || tt.code != "" && answerCode(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tt := range []struct {
		actor       mianmi.Actor
		makes, sees bool
	}{
		{stranger.Actor(), false, false},
		{o.admin(), false, false},
		{mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf3"}, false, true},
		{mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: mianmi.ScopeRefund | mianmi.ScopeRead}, false, false},
		{mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak2", Scopes: mianmi.ScopePayers}, true, true},
		{Support, true, true},
	} {
		_, err := o.a.Complain(ctx, tt.actor, o.who.ID, o.about("same"))
		_, lerr := o.a.PayerComplaints(ctx, tt.actor, o.who.ID, support.Query{})
		if (err == nil) != tt.makes || (lerr == nil) != tt.sees {
			t.Errorf("%v: %v, %v", tt.actor, err, lerr)
		}
	}
	c := o.complain(t, o.about("same"))
	if _, _, err := o.a.PayerComplaint(ctx, stranger.Actor(), stranger.ID, c.ID); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another payer sees it: %v", err)
	}
	if _, _, err := o.a.Write(ctx, stranger.Actor(), stranger.ID, c.ID, support.Message{Key: "x", What: support.Withdraws}); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another payer ends it: %v", err)
	}
	late := o.pay(t, 1_00)
	w.clock.Add(181 * 24 * time.Hour)
	n := o.about("late")
	n.Payment, n.Asked = late.ID, money.Amount{}
	if _, err := o.a.Complain(ctx, o.who.Actor(), o.who.ID, n); answerCode(err) != "complaint_late" {
		t.Errorf("after 181 days: %v", err)
	}
}

// A payer's words are in no entry, digits of what may be a card are struck out, and
// when the person is erased the words are gone.
func ownWordsStay(t *testing.T, w *complaintWorld) {
	const mark = "只有这里"
	o := newOwnWorld(t, w)
	n := o.about("k")
	n.Text = mark + "卡号 4111 1111 1111 1111"
	c := o.complain(t, n)
	if again := o.complain(t, n); again.ID != c.ID || c.Text != mark+"卡号 **** **** **** ****" {
		t.Errorf("%v, stored: %s", again, c.Text)
	}
	_, steps, err := o.write(c.ID, support.Message{Key: "m", What: support.Writes, Text: mark + "4111111111111111"})(t)
	if err != nil || len(steps) != 2 || strings.ContainsAny(steps[1].Text, "0123456789") {
		t.Errorf("%v, %d steps", err, len(steps))
	}
	for _, e := range o.entries(t, c.ID) {
		if strings.Contains(string(e.Body), mark) || strings.Contains(string(e.Body), "4111") {
			t.Errorf("the entry says %s", e.Body)
		}
	}
	must(o.a.Answer(t.Context(), o.admin(), c.ID, support.Order{Key: "a", Kind: support.Reply, Text: "您好"}))(t)
	if _, _, err := o.write(c.ID, support.Message{Key: "w", What: support.Withdraws})(t); err != nil {
		t.Fatal(err)
	}
	// Long after its end the words would go by themselves.
	if n := must(o.node.DB.ForgetWords(t.Context(), w.clock.Now().Add(-time.Hour), 10))(t); n != 0 {
		t.Errorf("the words of %d complaints are forgotten too early", n)
	}
	must(w.rows.ExecContext(t.Context(), `UPDATE payer SET balance = 0 WHERE id = $1`, string(o.who.ID)))(t) // paid out
	must(o.node.Payers.Close(t.Context(), o.who.Actor(), o.who.ID, noBasis))(t)
	erased := evidence.Entry{ID: mianmi.EntryID(must(mianmi.NewID("en", w.clock.Now(), rand.Reader))(t)), At: w.clock.Now(), Type: "payer.erased",
		Subject: string(o.who.ID), Actor: Operator.String(), Body: []byte("{}")}
	if err := o.node.DB.ErasePerson(t.Context(), privacy.Erasure{Payer: o.who.ID, PhoneDigest: []byte("nobody's"), Entry: erased}); err != nil {
		t.Fatal(err)
	}
	c, steps, err = o.a.Complaint(t.Context(), Support, c.ID)
	if n := must(o.node.DB.ForgetWords(t.Context(), w.clock.Now().Add(time.Hour), 10))(t); n != 0 {
		t.Errorf("%d complaints of an erased person have words", n)
	}
	if err != nil || c.Text != "" || len(steps) != 4 || steps[0].Text+steps[1].Text+steps[2].Text+steps[3].Text != "" {
		t.Errorf("of an erased person: %q, %v, %v", c.Text, steps, err)
	}
}

// refusing is payments whose refunds fail so often, after doing what it is told.
type refusing struct {
	support.Payments
	mu    sync.Mutex
	fails int
	then  func()
}

func (r *refusing) Refund(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, q payment.RefundRequest) (*payment.Refund, error) {
	r.mu.Lock()
	r.fails--
	fail := r.fails >= 0
	r.mu.Unlock()
	if fail {
		if r.then != nil {
			r.then()
		}
		return nil, errAway
	}
	return r.Payments.Refund(ctx, a, id, q)
}

// An approval gives the money back once, also when the server stops between the
// order and the refund, or cannot refund at first.
func ownApproved(t *testing.T, w *complaintWorld) {
	o := newOwnWorld(t, w)
	c := o.complain(t, o.about("k"))
	broken := &refusing{Payments: o.node.Payments, fails: 1}
	parts := o.a.Parts
	parts.Payments = broken
	s := must(support.New(parts))(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	broken.then = stop // as a server that is stopped
	order := support.Order{Key: "a", Kind: support.Approve, Payment: o.paid.ID, Amount: money.Of(3_00, "CNY"), Days: 1}
	a, err := s.Answer(ctx, Support, c.ID, order)
	if err != nil || a.State != support.Ordered {
		t.Fatalf("%v %v", a.State, err)
	}
	if n, err := o.b.Say(t.Context()); n != 0 || err != nil {
		t.Errorf("somebody else's was taken: %d %v", n, err)
	}
	w.clock.Add(2 * time.Minute) // the lease is over
	broken.fails, broken.then = 1, nil
	if _, err := s.Say(t.Context()); err == nil {
		t.Error("a refund that fails is no fault")
	}
	var all sync.WaitGroup
	w.clock.Add(time.Hour)
	for _, s := range []*support.Service{o.a, o.b, s} {
		all.Go(func() { say(t, s) })
	}
	all.Wait()
	refunds := must(o.node.Payments.Refunds(t.Context(), Support, o.paid.ID))(t)
	_, steps, err := o.a.Complaint(t.Context(), Support, c.ID)
	if err != nil || len(refunds) != 1 || refunds[0].Amount != order.Amount || len(steps) != 2 || o.answer(t, c.ID).State != support.Done {
		t.Errorf("%d refunds, %d steps, the answer is %v; %v", len(refunds), len(steps), o.answer(t, c.ID).State, err)
	}
	too := order
	too.Key, too.Amount = "b", money.Of(10_00, "CNY")
	if a := must(o.a.Answer(t.Context(), Support, c.ID, too))(t); a.State != support.Failed || a.Fault != "refund_refused" {
		t.Errorf("more than is left: %v %q", a.State, a.Fault)
	}
}
