package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

// A terminal that proves is PIN-free again through a channel outside as soon as
// it runs what was made stricter for that channel, and an OFF of the channel is
// counted to its end.
func outsideIsProved(t *testing.T, d *desk) {
	c, ctx := newCounter(t, d), t.Context()
	m := must(d.a.Terminals.CreateModel(ctx, Operator, terminal.Model{Name: "L1", Display: true, Methods: everyMethod}))(t)
	x := must(d.a.Terminals.Create(ctx, Operator, terminal.Terminal{Store: d.Store, Model: m.ID, Name: "台"}))(t)
	device := must(NewDevice(ctx, d.a.DB, x.ID, d.clock))(t)
	till := mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(x.ID), Merchant: d.Merchant, Store: d.Store}
	sync := func() { must(device.Sync(ctx, d.a.Terminals, false))(t) }
	want := func(when string, outcome pinfree.Outcome, reason pinfree.Reason) {
		t.Helper()
		p := must(c.n.Payments.Authorize(ctx, till, Code(x.ID, order(), 1_00, codeOf(channeltest.CodeRich))))(t)
		if p.Outcome != outcome || !slices.Contains(reasons(p), reason) {
			t.Errorf("%s: %v for %v, want %v for %v", when, p.Outcome, reasons(p), outcome, reason)
		}
	}
	connect := func(of ...mianmi.MerchantID) {
		if err := d.b.Merchants.Connect(ctx, c.fake.Name(), of); err != nil {
			t.Fatal(err)
		}
	}
	set := func(channel string, terms merchant.Terms) {
		must(d.a.Merchants.SetPolicy(ctx, Operator, merchant.PolicyOrder{Scope: merchant.OfChannel(channel), Terms: terms}))(t)
	}
	sync()
	want("proved", pinfree.PinFree, pinfree.WithinLimits)
	set(c.fake.Name(), limited(50_00))
	sync()
	want("that it is connected is not recorded", pinfree.StepUp, pinfree.TerminalBehind)
	connect(d.Merchant, "mc_of_another_place")
	before := number(t, c.rows, `SELECT count(*) FROM merchant_channel`)
	connect(d.Merchant) // by another server
	if n := number(t, c.rows, `SELECT count(*) FROM merchant_channel`); before != 1 || n != 1 {
		t.Errorf("%d connections, then %d", before, n)
	}
	want("it is, and the terminal has not heard of it", pinfree.StepUp, pinfree.TerminalBehind)
	sync()
	want("proved again", pinfree.PinFree, pinfree.WithinLimits)

	d.clock.Add(time.Minute)
	set(channel.Wallet, merchant.Terms{})
	sync()
	want("the wallet alone is closed", pinfree.PinFree, pinfree.WithinLimits)

	set(c.fake.Name(), merchant.Terms{})
	want("both are closed", pinfree.StepUp, pinfree.ChannelClosed)
	counted := func(want terminal.Coverage, outcome string) {
		t.Helper()
		must(d.a.Terminals.WatchOffs(ctx))(t)
		o := must(d.a.Terminals.Offs(ctx, Operator, terminal.OffQuery{Scope: merchant.OfChannel(c.fake.Name()).String()}))(t)
		if len(o) != 1 || o[0].Coverage != want || o[0].Outcome != outcome {
			t.Errorf("the OFF of the channel: %+v, want %+v, %q", o, want, outcome)
		}
	}
	other := must(d.a.NewShop(ctx, merchant.Facts{}))(t) // not connected: no terminal of it is waited for
	counted(terminal.Coverage{Total: 3, HostAlone: 2}, "")
	sync()
	counted(terminal.Coverage{Total: 3, HostAlone: 2, InForce: 1}, terminal.OffInForce)
	connect(other.Merchant)
	want("both are proved to be closed", pinfree.StepUp, pinfree.ChannelClosed)
}
