package main

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/demo"
	"github.com/mianmi/mianmi/merchant"
)

// demoPeer is a second server in this process, which is WeChat Pay to the
// demo's: with a folder, a database and keys of its own.
type demoPeer struct {
	*demo.Peer
	end    context.CancelFunc
	served chan error
}

// openPeer starts it on a folder inside the demo's.
func (c *demoCmd) openPeer(ctx context.Context, a *app) (*demoPeer, error) {
	inner, shared, clock := *a, *a.shared, &shiftedClock{machine: a.clock}
	if c, ok := a.clock.(*shiftedClock); ok {
		clock.machine = c.machine // history is made at the other server alone
	}
	shared.Data, shared.DB = filepath.Join(shared.Data, "wechat"), ""
	inner.shared, inner.clock = &shared, clock
	var s struct{ serveCmd }
	if err := kong.ApplyDefaults(&s); err != nil {
		return nil, err
	}
	s.Listen, s.PaymentCodePrefix, s.WebhookAllow = "127.0.0.1:0", "13", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	n, err := s.serveCmd.open(ctx, &inner)
	if err != nil {
		return nil, err
	}
	p := &demoPeer{served: make(chan error, 1)}
	ctx, p.end = context.WithCancel(ctx)
	go func() { p.served <- n.serve(ctx) }()
	p.Peer, err = demo.OpenPeer(ctx, demo.Stage{URL: "http://" + n.listener.Addr().String(), Clock: clock, Random: a.random,
		Operator: func(ctx context.Context) (demo.Operator, error) {
			return demoOperator(ctx, n.services.access, clock.Now())
		},
		Books: func(ctx context.Context) (demo.Books, error) { return demoBooks(ctx, n.db) },
		Dir:   shared.Data, Database: publicAddress(shared.dsn()), Lang: c.lang(a)})
	if err != nil {
		err = errors.Join(err, p.stop())
	}
	return p, err
}

// stop ends the server and waits for it.
func (p *demoPeer) stop() error {
	p.end()
	return <-p.served
}

// connect writes the connection of the bookshop to the peer, and makes that
// merchant when there is none: a server knows its connections when it starts.
func (p *demoPlay) connect(ctx context.Context) (string, error) {
	shared := p.app.shared
	world, err := demo.Claim(shared.Data, publicAddress(shared.dsn()))
	if err != nil {
		return "", err
	}
	if world.Bookshop == nil {
		id, err := p.bookshop(ctx)
		if err != nil {
			return "", err
		}
		world.Bookshop = &demo.Merchant{ID: id}
		if err := world.Save(shared.Data); err != nil {
			return "", err
		}
	}
	at, err := netip.ParseAddrPort(p.listen)
	if err != nil {
		return "", err
	}
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	return p.peer.Connection(ctx, world.Bookshop.ID, "http://"+at.String())
}

// bookshop makes the merchant, at the time at which the world's history begins.
func (p *demoPlay) bookshop(ctx context.Context) (_ mianmi.MerchantID, err error) {
	p.clock.JumpTo(demo.Begins(p.clock.Now()))
	defer p.clock.CatchUp()
	db, err := p.app.database(ctx, true)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	name, mcc := demo.BookshopFacts()
	m, err := merchant.New(db, p.clock, p.app.random).CreateMerchant(ctx, mianmi.System("demo"), merchant.Merchant{Name: name, Currency: "CNY",
		Facts: merchant.Facts{Country: "CN", MCC: mcc, NoPIN: true, Upgraded: true, Risk: "low"}})
	return m.ID, err
}
