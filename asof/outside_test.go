package asof_test

import (
	"fmt"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store/storetest"
)

// A payment through a channel outside is decided again as it was: of a payer
// whom nobody knows, with the channel's own rules and without, of a member, of one
// whom the channel has named, of one who is not whom the channel has named, and of
// one about whom it says nothing.
func TestOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite", 1)
	fake := &channeltest.Channel{}
	n := must(storetest.NewNode(t.Context(), storetest.NodeConfig{DB: w.nodes[0].DB, Keys: w.nodes[0].Keys, Clock: w.clock,
		Remotes: []channel.Remote{fake}}))(t)
	t.Cleanup(n.Payments.Stop)
	shop, person, other := w.shops[0], w.people[0], w.people[1]
	till := mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(shop.Terminal), Merchant: shop.Merchant, Store: shop.Store}
	for _, p := range []storetest.Person{person, other} {
		must(n.Payers.OpenAgreement(t.Context(), p.Actor(), p.ID, payer.AgreementInput{Merchant: shop.Merchant,
			ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword}))(t)
	}
	var ids []mianmi.PaymentID
	for i, c := range []struct {
		own    bool
		member mianmi.PayerID
		want   pinfree.Outcome
		who    string // whose the code is
	}{{false, "", pinfree.StepUp, "another"}, {true, "", pinfree.PinFree, "another"}, {false, person.ID, pinfree.PinFree, "first"}, {false, "", pinfree.PinFree, "first"},
		{false, other.ID, pinfree.StepUp, "first"}, {true, "", pinfree.StepUp, ""}, {true, person.ID, pinfree.StepUp, ""}} {
		fake.OwnRules, fake.Who = c.own, func(string) string { return c.who }
		r := storetest.Code(shop.Terminal, fmt.Sprintf("outside%d", i), 9_00, channeltest.Code(channeltest.CodeRich, int64(i+1)))
		r.Member = c.member
		p := must(n.Payments.Authorize(t.Context(), till, r))(t)
		if p.Outcome != c.want {
			t.Errorf("payment %d: %v, %v", i, p.Outcome, p.Reasons)
		}
		ids = append(ids, p.ID)
	}
	must(w.log.Sequence(t.Context()))(t)
	for i, id := range ids {
		a, err := w.asof.OfPayment(t.Context(), storetest.Operator, id)
		if err != nil {
			t.Fatal(err)
		}
		if v := a.Again.Verdict; v != asof.Same && v != asof.SameButCounters {
			t.Errorf("payment %d is decided %v: missing %v, added %v", i, v, a.Again.Missing, a.Again.Added)
		}
	}
	if p := must(n.Payments.Payment(t.Context(), storetest.Operator, ids[0]))(t); p.State != payment.StepUpRequired {
		t.Errorf("%v", p.State)
	}
}
