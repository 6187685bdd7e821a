package main

import (
	"net/http"

	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/pack"
	"github.com/mianmi/mianmi/support/redress"
	"github.com/mianmi/mianmi/web/check"
	"github.com/mianmi/mianmi/web/payer"
	"github.com/mianmi/mianmi/web/site"
	"github.com/mianmi/mianmi/web/static"
	"github.com/mianmi/mianmi/wechat"
)

// newHandler is the API over the services.
func newHandler(a *app, s *services, db *store.DB, t *tuning) (*api.Server, error) {
	past := a.asOf(db, s.payments, s.terminals, s.merchants)
	bears := &liability.Service{Cases: s.cases, Payments: s.payments, Payers: s.payers, AsOf: past, Terminals: s.terminals, Clock: a.clock}
	s.redress = &redress.Service{Alarms: s.risk, Payments: s.payments, Record: bears, Cases: s.cases, Log: a.log}
	return api.New(api.Deps{
		Payers: s.payers, Access: s.access, Merchants: s.merchants, Terminals: s.terminals, Payments: s.payments,
		Enrol: s.enrol, CA: s.ca.Fingerprint(), Help: s.help,
		Once:     &idempotency.Service{Store: db, Keys: s.keys, Clock: a.clock, Random: a.random},
		Receipts: s.receipts, Evidence: s.log, AsOf: past,
		Rules: s.rules, Webhooks: s.webhooks, Wechat: s.wechat, Contracts: s.contracts, Complaints: s.complaints, Cases: s.cases, Risk: s.risk, Inbox: s.inbox,
		Liability: bears, Packs: &pack.Service{Cases: s.cases, Liability: bears, AsOf: past, Payments: s.payments, Terminals: s.terminals, Records: db, Log: s.log},
		Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log,
	}, api.Config{LoginsMax: t.LoginsMax, TerminalHost: t.terminalHost, TrustedProxies: t.TrustedProxies, Metrics: s.metrics})
}

// front is all that serve answers: the API, the front in WeChat Pay's form, and
// the pages beside them.
type front struct {
	http.Handler
	api *api.Server
}

func newFront(a *app, s *services) (front, error) {
	mux := http.NewServeMux()
	wallet, err := payer.Phone(payer.PhoneParts{Payers: s.payers, Payments: s.payments, Inbox: s.inbox, Receipts: s.receipts, Names: s.handler,
		Site: site.Parts{Sessions: s.access, Gate: s.handler, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log}})
	if err != nil {
		return front{}, err
	}
	mux.Handle(payer.Base, wallet)
	page := check.Handler(check.Parts{Receipts: s.receipts, Log: s.log, Random: a.random, Errors: a.log})
	mux.Handle("/check", page)
	mux.Handle("/check/", page)
	if s.wechatNotices != nil {
		mux.Handle(wechatpay.NotifyPath, s.wechatNotices)
	}
	mux.Handle("/v3/", s.front)
	mux.Handle(wechat.SignPath, payer.Handler(payer.Parts{Contracts: s.wechat, Log: a.log}))
	mux.Handle("GET "+static.Prefix, static.Handler())
	mux.Handle("/", s.handler)
	return front{mux, s.handler}, nil
}

// Stop ends what waits for news.
func (f front) Stop() { f.api.Stop() }
