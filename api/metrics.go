package api

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi/payment"
)

// metrics are the counters of the API. Labels are routes, statuses, methods
// and outcomes: closed lists, never a text from outside.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	payments *prometheus.CounterVec
	known    sync.Map // paymentLabels → prometheus.Counter
}

type paymentLabels struct {
	method  uint8
	outcome uint8
	state   payment.State
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mianmi_http_requests_total",
			Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mianmi_http_request_seconds",
			Help:    "Time from the request's header to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"route"}),
		payments: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mianmi_payments_total",
			Help: "Answers to payment requests, repeats included."}, []string{"method", "outcome", "state"}),
	}
	if r == nil {
		return m, nil
	}
	return m, errors.Join(r.Register(m.requests), r.Register(m.seconds), r.Register(m.payments))
}

// payment counts one answer.
func (m *metrics) payment(p *payment.Payment) {
	key := paymentLabels{uint8(p.Method), uint8(p.Outcome), p.State}
	n, ok := m.known.Load(key)
	if !ok {
		n, _ = m.known.LoadOrStore(key, m.payments.WithLabelValues(p.Method.String(), p.Outcome.String(), p.State.String()))
	}
	n.(prometheus.Counter).Inc() //nolint:forcetypeassert // this method alone fills it
}

// counters are a route's own, looked up once.
type counters struct {
	m       *metrics
	name    string
	seconds prometheus.Observer
	status  sync.Map // int → prometheus.Counter
}

func (m *metrics) of(route string) *counters {
	return &counters{m: m, name: route, seconds: m.seconds.WithLabelValues(route)}
}

func (n *counters) observe(status int, took time.Duration) {
	c, ok := n.status.Load(status)
	if !ok {
		c, _ = n.status.LoadOrStore(status, n.m.requests.WithLabelValues(n.name, strconv.Itoa(status)))
	}
	c.(prometheus.Counter).Inc() //nolint:forcetypeassert // this method alone fills it
	n.seconds.Observe(took.Seconds())
}
