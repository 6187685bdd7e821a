package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// services is all that serve runs: what answers requests, and what must end
// before the database is closed.
type services struct {
	handler http.Handler
	metrics *prometheus.Registry
	stop    func(context.Context) error
}

// newServices wires the domain packages to the store and to the API.
func newServices(ctx context.Context, a *app, _ *store.DB) (*services, error) {
	if _, err := a.keys(ctx); err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return &services{
		handler: http.NotFoundHandler(),
		metrics: metrics,
		stop:    func(context.Context) error { return nil },
	}, nil
}

// keys loads the server's secrets, or makes them at the very first start.
func (a *app) keys(ctx context.Context) (*secret.Keys, error) {
	keys, made, err := secret.LoadOrCreate(a.shared.keysFile(), a.random)
	if made {
		a.log.WarnContext(ctx, "made a new keys file: back it up, for what is sealed with it is lost without it", "file", a.shared.keysFile())
	}
	return keys, err
}
