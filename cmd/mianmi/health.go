package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mianmi/mianmi/store"
)

// readyMax is how long the database may take to give a sign of life before a
// load balancer should look elsewhere.
const readyMax = 2 * time.Second

// health answers whether the process lives and whether it should get requests.
type health struct {
	db       *store.DB
	stopping atomic.Bool
}

func newHealth(db *store.DB) *health { return &health{db: db} }

// mount puts the two pages before everything else.
func (h *health) mount(rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("/", rest)
	return mux
}

// live answers 200 as long as the process can answer: a restart would not
// bring the database back.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	v, _ := version()
	answer(w, http.StatusOK, map[string]string{"status": "ok", "version": v})
}

// ready answers 200 when requests can be served, else 503.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyMax)
	defer cancel()
	switch {
	case h.stopping.Load():
		notReady(w, "stopping")
	case h.db.Ping(ctx) != nil:
		notReady(w, "the database does not answer")
	case !h.current(ctx):
		notReady(w, "the database's schema is older than this program")
	default:
		answer(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}

// current reports whether the schema is one that this program can work on.
func (h *health) current(ctx context.Context) bool {
	have, want, err := h.db.Schema(ctx)
	return err == nil && have >= want
}

func notReady(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "reason": why})
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}

// serveMetrics serves the metrics on an address of their own, for they are
// not for the API's callers. It returns what stops it.
func (c *serveCmd) serveMetrics(ctx context.Context, a *app, r *prometheus.Registry) (stop func() error, err error) {
	if c.Metrics == "" {
		return func() error { return nil }, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{Registry: r}))
	s := c.server(context.WithoutCancel(ctx), mux)
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	a.log.InfoContext(ctx, "metrics", "address", l.Addr().String())
	return func() error {
		err := s.Close()
		if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}, nil
}
