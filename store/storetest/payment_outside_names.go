package storetest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// Codes of the channel, by the name of their owners.
const (
	codeAnn   = "1311"
	codeBob   = "1322"
	codeCarol = "1333"
	codeMuted = "1344" // the channel does not say whose it is
)

// owners names the owner of a code.
func owners(code string) string {
	for kind, name := range map[string]string{codeAnn: "ann", codeBob: "bob", codeCarol: "carol"} {
		if strings.HasPrefix(code, kind) {
			return name
		}
	}
	if strings.HasPrefix(code, codeMuted) {
		return ""
	}
	return "a stranger"
}

// named is a counter whose channel names who shows a code.
type named struct {
	*counter
	asked atomic.Int64 // how often it was asked
	mute  atomic.Bool  // it does not answer
}

func newNamed(t *testing.T, d *desk) *named {
	t.Helper()
	c := &named{counter: newCounter(t, d)}
	c.fake.Who = owners
	c.fake.Trouble = func(call string, _ mianmi.PaymentID) channeltest.Fault {
		if call != "payer_of" {
			return channeltest.NoFault
		}
		if c.asked.Add(1); c.mute.Load() {
			return channeltest.NotSent
		}
		return channeltest.NoFault
	}
	return c
}

// member is a person who has an agreement with the shop.
func (c *named) member(t *testing.T) Person {
	t.Helper()
	p := c.person(t, 0)
	must(c.a.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: c.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	return p
}

// pays takes a payment by a code and checks whose it is and how that is known.
func (c *named) pays(t *testing.T, r payment.Request, who mianmi.PayerID, first pinfree.Reason) *payment.Payment {
	t.Helper()
	p := must(c.n.Payments.Authorize(t.Context(), c.till, r))(t)
	if p.Payer != who || p.Reasons[0].Reason != first {
		t.Errorf("payment %s of %q: %v, want %q and %v", p.OrderNo, p.Payer, reasons(p), who, first)
	}
	if got, want := slices.Contains(reasons(p), pinfree.NamedByChannel), who != "" && r.Member == ""; got != want {
		t.Errorf("payment %s is named by the channel: %v, want %v", p.OrderNo, got, want)
	}
	if p.Outcome == pinfree.StepUp {
		c.wantTaken(t, p.ID, 0)
	}
	return p
}

func (c *named) learn(t *testing.T, p Person, name string) {
	t.Helper()
	if err := c.n.Payments.Learn(t.Context(), payment.Name{Channel: c.fake.Name(), Merchant: c.Merchant, Payer: p.ID, Is: name}); err != nil {
		t.Fatal(err)
	}
}

func (c *named) names(t *testing.T) int64 {
	t.Helper()
	return number(t, c.rows, `SELECT count(*) FROM channel_name`)
}

// A member whom the channel has once named is known by a code alone from then on,
// and has the same say as if the till had named them. Whatever is not clear leaves
// the payer unknown, and two words on who pays make a step-up.
func outsideNames(t *testing.T, d *desk) {
	c := newNamed(t, d)
	ann, bob := c.member(t), c.member(t)
	by := func(code string, member mianmi.PayerID) payment.Request {
		r := c.scan(code, 10_00)
		r.Member = member
		return r
	}
	c.pays(t, by(codeAnn, ""), "", pinfree.WithinLimits) // nobody's name so far
	two := int64(2)
	must(c.a.Payers.SetLimits(t.Context(), ann.Actor(), ann.ID, payer.LimitsInput{Limits: payer.Limits{DayCount: &two}, Password: PaymentPassword, RiskVersion: payer.RiskText.Version}))(t)
	c.pays(t, by(codeAnn, ann.ID), ann.ID, pinfree.WithinLimits)
	if n := c.names(t); n != 1 {
		t.Fatalf("%d names are known", n)
	}
	r := by(codeAnn, "")
	p := c.pays(t, r, ann.ID, pinfree.WithinLimits)
	asked := c.asked.Load()
	if again := must(c.n.Payments.Authorize(t.Context(), c.till, r))(t); again.ID != p.ID || c.asked.Load() != asked {
		t.Errorf("a repeat is payment %s, and the channel was asked %d times more", again.ID, c.asked.Load()-asked)
	}
	c.mute.Store(true)
	if again := must(c.serve(t, c.fake).Payments.Authorize(t.Context(), c.till, r))(t); again.ID != p.ID {
		t.Errorf("a repeat elsewhere is payment %s", again.ID)
	}
	c.pays(t, by(codeAnn, ""), "", pinfree.PayerUnclear) // no answer
	c.mute.Store(false)
	c.pays(t, by(codeMuted, ""), "", pinfree.PayerUnclear)
	c.pays(t, by(codeMuted, bob.ID), bob.ID, pinfree.PayerUnclear)
	many := must(c.n.Payments.AuthorizeMany(t.Context(), c.till, []payment.Request{by(codeAnn, ""), by(codeBob, ""), r}))(t)
	if a, b := many[0].Payment, many[1].Payment; a == nil || a.Payer != ann.ID || a.Reasons[0].Reason != pinfree.OwnDayCountLimit || b == nil || b.Payer != "" || many[2].Payment.ID != p.ID {
		t.Errorf("several at once: %+v", many)
	}
	must(c.a.Payers.Close(t.Context(), ann.Actor(), ann.ID, noBasis))(t)
	c.pays(t, by(codeAnn, ""), ann.ID, pinfree.PayerClosed)

	// The till says bob, the channel says ann: bob, and not without his word.
	differs := c.pays(t, by(codeAnn, bob.ID), bob.ID, pinfree.PayerDiffers)
	c.fake.Scan(differs.QR)
	c.later(t, c.fake.Pace().Every)
	c.is(t, differs.ID, payment.Approved)
	if n := c.names(t); n != 1 {
		t.Errorf("%d names are known: one was learnt of an unclear payment", n)
	}
	outsideUnclear(t, c, ann, bob)
}

// outsideUnclear: a name of two payers is not clear, the newest name of a payer
// is the one that counts, and a person who is erased has none.
func outsideUnclear(t *testing.T, c *named, ann, bob Person) {
	scan := func(code string) payment.Request { return c.scan(code, 10_00) }
	c.learn(t, bob, "ann")
	c.pays(t, scan(codeAnn), "", pinfree.PayerUnclear)
	c.learn(t, bob, "bob")
	c.pays(t, scan(codeBob), bob.ID, pinfree.WithinLimits)
	c.pays(t, scan(codeAnn), ann.ID, pinfree.PayerClosed)
	c.learn(t, c.person(t, 0), "carol") // who has no agreement with the shop
	c.pays(t, scan(codeCarol), "", pinfree.WithinLimits)

	for range 9 { // until nothing of ann's is under way, or looked for
		c.later(t, 24*time.Hour)
	}
	c.erase(t, ann, must(c.a.DB.Person(t.Context(), ann.ID))(t))
	c.learn(t, ann, "ann")
	if n := c.names(t); n != 2 {
		t.Errorf("%d names are known after one was erased", n)
	}
	c.pays(t, scan(codeAnn), "", pinfree.WithinLimits)
}
