package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/demo"
	"github.com/mianmi/mianmi/store"
)

type demoCmd struct {
	Once   bool   `help:"End after the story: status 0 when every step was as expected, else 1." zh:"讲完故事即退出：每一步都符合预期时退出码为 0，否则为 1。"`
	Listen string `placeholder:"HOST:PORT" help:"Address of the API; default is 127.0.0.1:8080, or a free port when that is taken." zh:"API 监听地址；默认 127.0.0.1:8080，被占用时任选空闲端口。"`
}

const (
	// demoCoolingOff is short, so that nobody waits a day for the story.
	demoCoolingOff = 3 * time.Second
	demoListen     = "127.0.0.1:8080"
)

// Run starts the real server in this process, lets the demo talk to it over
// HTTP, and stays until ctx ends.
func (c *demoCmd) Run(ctx context.Context, a *app) error {
	clock := &shiftedClock{machine: a.clock}
	inner := *a
	inner.clock = clock
	shared := *a.shared
	// A folder of its own: the demo never touches a deployment's keys.
	shared.Data = filepath.Join(shared.Data, "demo")
	inner.shared = &shared
	if shared.LogLevel == "info" {
		inner.log = newLog(a.stderr, "error", shared.LogFormat) // the story is what is to be read
	}
	if err := c.safe(ctx, &inner); err != nil {
		return err
	}
	listen, err := c.address(ctx)
	if err != nil {
		return err
	}
	peer, err := c.openPeer(ctx, &inner)
	if err != nil {
		return err
	}
	err = c.run(ctx, a, demoPlay{app: &inner, clock: clock, peer: peer, listen: listen})
	return errors.Join(err, peer.stop())
}

// run serves, tells the story and stays.
func (c *demoCmd) run(ctx context.Context, a *app, p demoPlay) error {
	shared := p.app.shared
	file, err := p.connect(ctx)
	if err != nil {
		return err
	}
	n, err := c.open(ctx, p.app, p.listen, file)
	if err != nil {
		return err
	}
	p.node = n
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- n.serve(serving) }()
	p.machines = &demoMachines{dir: filepath.Join(shared.Data, "terminals"), host: n.fleet.Address().String(), lang: c.lang(a), log: shared.LogLevel, env: a.environ}
	defer p.machines.stop()
	err = c.play(serving, p)
	if err == nil && !c.Once {
		select {
		case <-ctx.Done():
		case err = <-served:
			return err
		}
	}
	stop()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // Ctrl-C in the middle of the story
	}
	return errors.Join(err, <-served)
}

// address is where the API will listen: at a free port when nobody asked for
// one and the usual one is taken.
func (c *demoCmd) address(ctx context.Context) (string, error) {
	want := c.Listen
	if want == "" {
		want = demoListen
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", want)
	if c.Listen == "" && errors.Is(err, syscall.EADDRINUSE) {
		return freeAddress(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// open starts the server.
func (c *demoCmd) open(ctx context.Context, a *app, listen, connections string) (*node, error) {
	var s struct{ serveCmd }
	if err := kong.ApplyDefaults(&s); err != nil {
		return nil, err
	}
	s.Migrate, s.CoolingOff, s.Listen, s.WeChatPay = true, demoCoolingOff, listen, connections
	s.Terminals, s.TerminalNames = "127.0.0.1:0", []string{"127.0.0.1"}
	return s.serveCmd.open(ctx, a)
}

// safe refuses a database that somebody else uses.
func (c *demoCmd) safe(ctx context.Context, a *app) error {
	world, err := demo.Load(a.shared.Data)
	if err != nil || world != nil && world.Database == publicAddress(a.shared.dsn()) {
		return err
	}
	db, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	have, _, err := db.Schema(ctx)
	if err != nil || have < 0 {
		return err
	}
	people, err := db.CountPayers(ctx)
	if err != nil {
		return err
	}
	places, err := db.Merchants(ctx, "", 1)
	if err == nil && people+len(places) > 0 {
		err = mianmi.Conflicts("in_use", "the database "+publicAddress(a.shared.dsn())+" is in use: the demo wants one of its own; name another with --db, or another folder with --data")
	}
	return err
}

// demoPlay is what the story is told on.
type demoPlay struct {
	*node
	app      *app
	clock    *shiftedClock
	machines *demoMachines
	peer     *demoPeer // what is WeChat Pay to this server
	listen   string
}

// play loads the world, tells the story and says what to try.
func (c *demoCmd) play(ctx context.Context, n demoPlay) error {
	a := n.app
	d, err := demo.Open(ctx, demo.Stage{
		URL: "http://" + n.listener.Addr().(*net.TCPAddr).String(), Host: "https://" + n.fleet.Address().String(), Clock: n.clock, Random: a.random, Machine: n.machines.start,
		Operator: func(ctx context.Context) (demo.Operator, error) {
			return demoOperator(ctx, n.services.access, n.clock.machine.Now())
		},
		Books: func(ctx context.Context) (demo.Books, error) { return demoBooks(ctx, n.db) }, WeChat: n.peer.Peer,
		Dir: a.shared.Data, Database: publicAddress(a.shared.dsn()), Out: a.stdout, Lang: c.lang(a),
	})
	if err != nil {
		return err
	}
	failed, err := d.Tell(ctx)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("not as expected: step %v", failed)
	}
	env, err := d.WriteEnv()
	if err == nil && !c.Once {
		d.Guide(env)
	}
	return err
}

// lang is that of --lang or of the locale. Where the locale says nothing
// (unset, C), the demo is Chinese.
func (c *demoCmd) lang(a *app) mianmi.Lang {
	if said, _ := env(a.environ, envName("lang")); a.shared.Lang != "" || said != "" {
		return a.lang
	}
	for _, name := range localeNames {
		if v, _ := env(a.environ, name); v != "" {
			v, _, _ = strings.Cut(v, ".")
			if v == "C" || v == "POSIX" {
				return mianmi.ZH
			}
			return a.lang
		}
	}
	return mianmi.ZH
}

func demoOperator(ctx context.Context, s *access.Service, now time.Time) (demo.Operator, error) {
	e, err := s.CreateStaff(ctx, mianmi.System("demo"), access.NewStaff{Login: fmt.Sprintf("demo-%x", now.UnixMicro()), Name: "示例运营 Demo Operator", Role: mianmi.RoleOperator})
	return demo.Operator{Login: e.Staff.Login, Password: e.Password, TOTP: e.TOTP}, err
}

func demoBooks(ctx context.Context, db *store.DB) (demo.Books, error) {
	b, err := db.CheckBooks(ctx)
	return demo.Books{Payers: b.Payers, Payments: b.Captured, Faults: b.Unequal + b.Unmatched}, err
}

// shiftedClock is the machine's clock, moved into the past while the demo
// makes history. It goes on by itself between two jumps.
type shiftedClock struct {
	machine mianmi.Clock
	back    atomic.Int64 // nanoseconds behind the machine
}

// Now returns the present time of the demo.
func (c *shiftedClock) Now() time.Time {
	return c.machine.Now().Add(-time.Duration(c.back.Load()))
}

// JumpTo sets the clock.
func (c *shiftedClock) JumpTo(t time.Time) { c.back.Store(int64(c.machine.Now().Sub(t))) }

// CatchUp sets it to the machine's time.
func (c *shiftedClock) CatchUp() { c.back.Store(0) }
