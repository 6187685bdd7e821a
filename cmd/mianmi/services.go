package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/api/wechatv3"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wallet"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support"
	"github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/help"
	"github.com/mianmi/mianmi/support/redress"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/wechat"
)

// services is all that serve runs: what answers requests, and what must end
// before the database is closed.
type services struct {
	access    *access.Service
	payers    *payer.Service
	merchants *merchant.Service
	terminals *terminal.Service
	payments  *payment.Service
	enrol     *terminal.Enrol
	ca        *fleet.CA
	help      *help.Library

	keys      *secret.Keys
	log       *evidence.Log
	receipts  *receipt.Service
	rules     *rules.Service
	webhooks  *notice.Service
	sender    *notice.Sender
	wechat    *wechat.Service
	front     *wechatv3.Server
	courier   *notice.Sender
	contracts *contract.Service
	handler   *api.Server
	metrics   *prometheus.Registry
	workers   *workers

	wechatNotices http.Handler // nil: no connection to WeChat Pay
	watch         *channel.Watch
	complaints    *support.Service
	cases         *desk.Service
	redress       *redress.Service
	risk          *risk.Service
	inbox         *inbox.Service

	guard *guard
	last  func() // the guard's last look
}

// newServices wires the domain packages to the store and to the API, and
// starts the workers. They end with stop.
func newServices(ctx context.Context, a *app, db *store.DB, t *tuning) (*services, error) {
	s := &services{metrics: prometheus.NewRegistry()}
	s.metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	var err error
	if s.rules, err = a.startRules(ctx, db, t); err != nil {
		return nil, err
	}
	if s.access, err = a.access(ctx, db); err != nil {
		return nil, err
	}
	s.keys = s.access.Keys
	if s.log, err = a.openLog(ctx, db, s.keys); err != nil {
		return nil, err
	}
	if err := s.log.CheckKey(ctx); err != nil {
		return nil, err
	}
	figures := newLogMetrics(ctx, s.log, a.clock)
	s.metrics.MustRegister(figures)
	s.payers, err = payer.New(payer.Parts{Store: db, Access: s.access, Keys: s.keys, Hasher: s.access.Hasher, Clock: a.clock, Random: a.random,
		FailuresMax: func(ctx context.Context) (int64, error) { return s.payments.FailuresMax(ctx) }},
		payer.Config{CoolingOff: t.CoolingOff, CodePrefix: t.PaymentCodePrefix})
	if err != nil {
		return nil, err
	}
	s.merchants = merchant.New(db, a.clock, a.random)
	s.guard = &guard{memory: memory{a.shared.seenFile()}, log: s.log, db: db, merchants: s.merchants, clock: a.clock, random: a.random,
		out: a.log, ended: make(chan error, 1)}
	if err := s.guard.begin(ctx); err != nil {
		return nil, err
	}
	s.last = func() { s.guard.last(ctx); s.leaveRisk(a) }
	if err := s.withTerminals(a, db); err != nil {
		return nil, err
	}
	ledger, err := db.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	s.payments, err = payment.New(ctx, payment.Deps{Ledger: ledger, Books: db, Wallet: wallet.Wallet{}, Remotes: t.remotes(), Keys: s.keys,
		Verifier: s.payers, Clock: a.clock, Random: a.random, Log: a.log},
		payment.Config{Lanes: t.lanes(db.Engine()), StepUpLife: t.StepUpLife, CodePrefix: t.PaymentCodePrefix})
	if err != nil {
		return nil, err
	}
	s.receipts = &receipt.Service{Log: s.log, Payments: s.payments, Merchants: s.merchants, Terminals: s.terminals, Keys: s.keys, PublicURL: t.PublicURL}
	if err := s.surfaces(ctx, a, db, t); err != nil {
		s.payments.Stop()
		return nil, err
	}
	connections := s.withConnections(db, t)
	for _, w := range connections {
		w.round(ctx, a.log) // before the first payment, if it can be
	}
	s.workers = startWorkers(ctx, a.log, tick, slices.Concat(sweeps(a.clock, s, db), complaintWorkers(a.clock, s, t), riskWorkers(s), []worker{forgetWords(a, db, t), caseDeadlines(s), takeComplaints(s), payDue(s), makeGood(s), sweepFiles(s), sequencer(s.log, figures), s.guard.worker(), sweepWebhooks(s.sender)}, witnesses(s.log), connections)...)
	return s, nil
}

// surfaces makes what answers requests, and starts who sends messages.
func (s *services) surfaces(ctx context.Context, a *app, db *store.DB, t *tuning) (err error) {
	if err = s.withHelp(t); err != nil {
		return err
	}
	s.withContracts(a, db, t)
	s.gaugeOverdue(a, db)
	s.gaugeComplaints(a, db)
	if err = s.withComplaints(a, db, t); err != nil {
		return err
	}
	t.makeFilesDir(ctx, a)
	if err = s.withCases(a, db, t); err != nil {
		return err
	}
	if err = s.withRisk(a, db, t); err != nil {
		return err
	}
	s.metrics.MustRegister(append(riskMetrics(s.risk), newMeasureMetrics(s.risk))...)
	if err = s.withWeChatPay(a, t); err != nil {
		return err
	}
	if s.webhooks, err = a.webhooks(s, db, &t.webhookTuning); err != nil {
		return err
	}
	if err = s.withWechat(a, db, t); err != nil {
		return err
	}
	if s.handler, err = newHandler(a, s, db, t); err != nil {
		return err
	}
	if s.sender, err = a.startSender(ctx, s, db, &t.webhookTuning); err != nil {
		return err
	}
	if err = s.startCourier(ctx, a, db); err != nil {
		s.sender.Stop()
	}
	return err
}

// stop ends the workers, lets the payments that have begun finish, and refuses
// new ones.
func (s *services) stop() {
	s.workers.stop()
	s.sender.Stop()
	s.courier.Stop()
	s.payments.Stop()
	s.last()
}

// hashing is what passwords cost: the default. This package's tests set less,
// and run hundreds of servers.
var hashing secret.HasherConfig

// access is who is calling: with it the subcommands that make staff work on
// the database without a server.
func (a *app) access(ctx context.Context, db *store.DB) (*access.Service, error) {
	keys, err := a.keys(ctx, db)
	if err != nil {
		return nil, err
	}
	hasher, err := keys.Hasher(a.random, hashing)
	if err != nil {
		return nil, err
	}
	return access.New(access.Parts{Store: db, Keys: keys, Hasher: hasher, Clock: a.clock, Random: a.random}, access.Config{}), nil
}

// keys loads the server's secrets, or makes them at the very first start. A
// database that was filled with other keys is refused: with new ones nobody
// could log in, and it would look as if the passwords were wrong.
func (a *app) keys(ctx context.Context, db *store.DB) (*secret.Keys, error) {
	file := a.shared.keysFile()
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		known, err := db.Installed(ctx)
		if err != nil {
			return nil, err
		}
		if known {
			return nil, fmt.Errorf("the keys file %s is missing, and this database was filled with it: restore it from the backup", file)
		}
	}
	keys, made, err := secret.LoadOrCreate(file, a.random)
	if err != nil {
		return nil, err
	}
	if made {
		a.log.WarnContext(ctx, "made a new keys file: back it up, for what is sealed with it is lost without it", "file", file)
	}
	if err := db.Install(ctx, keys.Digest("installation", "server keys")); err != nil {
		return nil, fmt.Errorf("keys file %s: %w", file, err)
	}
	return keys, nil
}
