package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil" // a bound on connections

	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
)

type serveCmd struct {
	Listen  string `placeholder:"HOST:PORT" default:"127.0.0.1:8080" help:"Address of the API; port 0 takes a free one." zh:"API 监听地址；端口 0 表示任选空闲端口。"`
	Metrics string `placeholder:"HOST:PORT" help:"Address of the Prometheus metrics; none by default." zh:"Prometheus 指标的监听地址；默认不开启。"`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain (PEM); with tls-key the API speaks TLS." zh:"证书链（PEM）；与 tls-key 同时设置后 API 启用 TLS。"`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"Private key of tls-cert (PEM)." zh:"tls-cert 对应的私钥（PEM）。"`

	ConnsMax int `placeholder:"N" default:"10000" help:"Most connections to the API at once; further ones wait." zh:"API 同时连接数上限，超出的连接排队等待。"`

	Migrate bool `help:"Migrate a PostgreSQL database at start, as mianmi migrate does; an SQLite file is always migrated." zh:"启动时升级 PostgreSQL 数据库结构（同 mianmi migrate）；SQLite 文件总会自动升级。"`

	tuning
	terminalFlags
	wechatPayFlag

	TimeoutHeader time.Duration `placeholder:"TIME" default:"5s" help:"Longest time for a request's header." zh:"读取请求头的最长时间。"`
	TimeoutRead   time.Duration `placeholder:"TIME" default:"15s" help:"Longest time for a whole request." zh:"读取整个请求的最长时间。"`
	TimeoutWrite  time.Duration `placeholder:"TIME" default:"60s" help:"Longest time from a request's header to the end of its answer." zh:"从读完请求头到应答结束的最长时间。"`
	TimeoutIdle   time.Duration `placeholder:"TIME" default:"120s" help:"Longest rest of a connection between two requests." zh:"连接在两次请求之间的最长空闲时间。"`
	TimeoutStop   time.Duration `placeholder:"TIME" default:"30s" help:"Longest time for finishing what has begun after a signal to stop." zh:"收到停止信号后，完成已开始请求的最长时间。"`
	DrainTime     time.Duration `placeholder:"TIME" default:"0s" help:"Time between not being ready and refusing connections, for a load balancer to notice." zh:"从“未就绪”到拒绝新连接之间的等待时间，供负载均衡器察觉。"`
}

// headerBytesMax bounds a request's header: four times what a proxy adds.
const headerBytesMax = 32 << 10

// Validate is called by kong once every flag is set.
func (c *serveCmd) Validate() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	for flag, d := range map[string]time.Duration{
		"timeout-header": c.TimeoutHeader, "timeout-read": c.TimeoutRead, "timeout-write": c.TimeoutWrite,
		"timeout-idle": c.TimeoutIdle, "timeout-stop": c.TimeoutStop,
	} {
		if d <= 0 || d > time.Hour {
			return fmt.Errorf("--%s: want above 0 and at most 1h", flag)
		}
	}
	if c.ConnsMax < 1 || c.ConnsMax > 1_000_000 {
		return errors.New("--conns-max: want 1 to 1000000")
	}
	if c.DrainTime < 0 || c.DrainTime > time.Hour {
		return errors.New("--drain-time: want 0 to 1h")
	}
	if err := c.terminalFlags.check(); err != nil {
		return err
	}
	return errors.Join(c.wechatPayFlag.check(), c.tuning.check())
}

// Run serves until ctx ends, then finishes what has begun.
func (c *serveCmd) Run(ctx context.Context, a *app) error {
	n, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	return n.serve(ctx)
}

// node is a server that listens and does not answer yet.
type node struct {
	cmd         *serveCmd
	app         *app
	db          *store.DB
	services    *services
	listener    net.Listener
	fleet       *fleet.Service // nil: no terminals
	updates     *workers       // with fleet
	stopMetrics func() error
}

// open opens the database, wires the services and listens. What it returns
// must be served.
func (c *serveCmd) open(ctx context.Context, a *app) (n *node, err error) {
	n = &node{cmd: c, app: a}
	if c.wechatPay, err = a.wechatPay(ctx, c.WeChatPay); err != nil {
		return nil, fmt.Errorf("--wechatpay: %w", err)
	}
	if w := c.wechatPay; w != nil && w.Takes(c.PaymentCodePrefix+"0000000000000000") {
		return nil, errors.New("--payment-code-prefix: with --wechatpay want none of 10 to 15, which lead the codes of WeChat Pay")
	}
	if n.db, err = a.database(ctx, c.Migrate); err != nil {
		return nil, err
	}
	// What has begun outlives the signal, up to TimeoutStop.
	c.terminalHost, c.contractEvery = c.terminalFlags.host(), c.ContractEvery
	if n.services, err = newServices(context.WithoutCancel(ctx), a, n.db, &c.tuning); err != nil {
		return nil, errors.Join(err, n.db.Close())
	}
	if n.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), n.close())
	}
	n.listener = netutil.LimitListener(n.listener, c.ConnsMax)
	if n.stopMetrics, err = c.serveMetrics(ctx, a, n.services.metrics); err != nil {
		return nil, errors.Join(err, n.listener.Close(), n.close())
	}
	if c.Terminals != "" {
		if n.fleet, err = c.terminalFlags.fleet(context.WithoutCancel(ctx), a, n.db, n.services); err != nil {
			return nil, errors.Join(err, n.stopMetrics(), n.listener.Close(), n.close())
		}
		if n.updates, err = c.watchUpdates(context.WithoutCancel(ctx), a, n.db, n.fleet); err != nil {
			return nil, errors.Join(err, n.stopMetrics(), n.listener.Close(), n.close())
		}
	}
	at := n.listener.Addr()
	a.log.InfoContext(ctx, "serving", "address", at.String(), "database", publicAddress(a.shared.dsn()), "tls", c.TLSCert != "")
	if c.TLSCert == "" && !loopback(at) {
		a.log.WarnContext(ctx, "the API is open to the network without TLS: set tls-cert, or put a proxy that speaks TLS before it")
	}
	return n, nil
}

// serve answers requests until ctx ends or the guard ends it, finishes what has
// begun, and closes the database last.
func (n *node) serve(ctx context.Context) error {
	f, err := newFront(n.app, n.services)
	if err != nil {
		return errors.Join(err, n.stopMetrics(), n.close())
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var ended error
	var guarded sync.WaitGroup
	guarded.Go(func() {
		select {
		case ended = <-n.services.guard.ended:
			end()
		case <-ctx.Done():
		}
	})
	err = n.cmd.serve(ctx, n.app, n.listener, newHealth(n.db), f)
	end()
	guarded.Wait()
	return errors.Join(ended, err, n.stopMetrics(), n.close())
}

// close ends the services, and the database after them.
func (n *node) close() error {
	if n.updates != nil {
		n.updates.stop()
	}
	if n.fleet != nil {
		n.fleet.Stop()
	}
	n.services.stop()
	return n.db.Close()
}

// serve answers requests on l until ctx ends.
func (c *serveCmd) serve(ctx context.Context, a *app, l net.Listener, h *health, rest http.Handler) error {
	work := context.WithoutCancel(ctx)
	s := c.server(work, h.mount(rest))
	if waits, ok := rest.(interface{ Stop() }); ok {
		s.RegisterOnShutdown(waits.Stop) // long polls and streams
	}
	failed := make(chan error, 1)
	go func() { failed <- c.accept(s, l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.Join(c.shutdown(work, a, s, h), <-failed)
	}
}

func (c *serveCmd) server(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: c.TimeoutHeader,
		ReadTimeout:       c.TimeoutRead,
		WriteTimeout:      c.TimeoutWrite,
		IdleTimeout:       c.TimeoutIdle,
		MaxHeaderBytes:    headerBytesMax,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}

func (c *serveCmd) accept(s *http.Server, l net.Listener) error {
	err := error(nil)
	if c.TLSCert == "" {
		err = s.Serve(l)
	} else {
		err = s.ServeTLS(l, c.TLSCert, c.TLSKey)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// shutdown says "not ready", waits for load balancers, and then lets every
// request that has begun end, for TimeoutStop at most.
func (c *serveCmd) shutdown(ctx context.Context, a *app, s *http.Server, h *health) error {
	a.log.InfoContext(ctx, "stopping", "drain", c.DrainTime.String(), "at_most", c.TimeoutStop.String())
	h.stopping.Store(true)
	if c.DrainTime > 0 {
		<-time.After(c.DrainTime)
	}
	ctx, cancel := context.WithTimeout(ctx, c.TimeoutStop)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off after %v: %w", c.TimeoutStop, err), s.Close())
	}
	a.log.InfoContext(ctx, "stopped")
	return nil
}

func loopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
