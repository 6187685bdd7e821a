package main

import (
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/idempotency"
	"github.com/mianmi/mianmi/store"
)

// newHandler is the API over the services.
func newHandler(a *app, s *services, db *store.DB, t *tuning) (*api.Server, error) {
	return api.New(api.Deps{
		Payers: s.payers, Access: s.access, Merchants: s.merchants, Terminals: s.terminals, Payments: s.payments,
		Once:     &idempotency.Service{Store: db, Keys: s.keys, Clock: a.clock, Random: a.random},
		Receipts: s.receipts, Evidence: s.log, AsOf: a.asOf(db, s.payments, s.terminals, s.merchants),
		Rules: s.rules, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log,
	}, api.Config{LoginsMax: t.LoginsMax, TrustedProxies: t.TrustedProxies, Metrics: s.metrics})
}
