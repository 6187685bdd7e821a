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
// whom nobody knows, with the channel's own rules and without, and of a member.
func TestOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite", 1)
	fake := &channeltest.Channel{}
	n := must(storetest.NewNode(t.Context(), storetest.NodeConfig{DB: w.nodes[0].DB, Keys: w.nodes[0].Keys, Clock: w.clock,
		Remotes: []channel.Remote{fake}}))(t)
	t.Cleanup(n.Payments.Stop)
	shop, person := w.shops[0], w.people[0]
	till := mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(shop.Terminal), Merchant: shop.Merchant, Store: shop.Store}
	must(n.Payers.OpenAgreement(t.Context(), person.Actor(), person.ID, payer.AgreementInput{Merchant: shop.Merchant,
		ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword}))(t)
	var ids []mianmi.PaymentID
	for i, c := range []struct {
		own    bool
		member mianmi.PayerID
		want   pinfree.Outcome
	}{{false, "", pinfree.StepUp}, {true, "", pinfree.PinFree}, {false, person.ID, pinfree.PinFree}} {
		fake.OwnRules = c.own
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
