package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// sequenceEvery is how often each node tries to put what waits into the log: a
// receipt is to be there within a second. Being woken by each write would make
// a round of each payment, which costs more than it gains.
const sequenceEvery = 200 * time.Millisecond

// openLog is the transparency log of this installation, with the keys that
// its keys file holds.
func (a *app) openLog(ctx context.Context, db *store.DB, keys *secret.Keys) (*evidence.Log, error) {
	name, err := a.logName(ctx, db, keys)
	if err != nil {
		return nil, err
	}
	key, err := evidence.NewKey(name, keys.LogSeeds()...)
	if err != nil {
		var e *mianmi.Error
		if errors.As(err, &e) && e.Field == "origin" {
			return nil, mianmi.InvalidField("log_name", e.Msg)
		}
		return nil, err
	}
	var witnesses []evidence.WitnessAt
	for _, text := range a.shared.Witness {
		w, err := evidence.ParseWitnessAt(text)
		if err != nil {
			return nil, err
		}
		witnesses = append(witnesses, w)
	}
	log := evidence.NewLog(db, key, a.clock)
	return log, log.SetWitnesses(witnesses)
}

// logOf is the log in a database, with the keys of the keys file, which it does
// not make.
func (a *app) logOf(ctx context.Context, db *store.DB) (*evidence.Log, error) {
	keys, err := secret.Load(a.shared.keysFile())
	if err != nil {
		return nil, err
	}
	return a.openLog(ctx, db, keys)
}

// logName is the name that was asked for, or that the log of this database
// has, or one that no other installation has.
func (a *app) logName(ctx context.Context, db *store.DB, keys *secret.Keys) (string, error) {
	if a.shared.LogName != "" {
		return a.shared.LogName, nil
	}
	have, err := db.LogKeys(ctx)
	if err != nil {
		return "", err
	}
	if len(have) > 0 {
		return evidence.NameOfKey(have[0].Public), nil
	}
	return defaultLogName(keys), nil
}

func defaultLogName(keys *secret.Keys) string {
	return "mianmi/" + hex.EncodeToString(keys.Digest("log_name", "installation")[:8])
}

// sequencer is the worker of every node that puts entries into the log.
func sequencer(log *evidence.Log, m *logMetrics) worker {
	return worker{"sequence", sequenceEvery, func(ctx context.Context) (bool, error) {
		round, err := log.Sequence(ctx)
		if err != nil || round.Entries == 0 {
			return false, err
		}
		m.observe(round)
		return true, nil
	}}
}

// logMetrics are the figures of the log: how far it is, what waits for it, and
// how long entries waited.
type logMetrics struct {
	state    func() (evidence.State, error)
	cosigned func() ([]evidence.StoredCosigned, error)
	clock    mianmi.Clock
	delay    prometheus.Histogram

	size, waiting, oldest, at, witnessed *prometheus.Desc
}

func newLogMetrics(ctx context.Context, log *evidence.Log, clock mianmi.Clock) *logMetrics {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	state := func() (evidence.State, error) { // a scrape brings no context along
		ctx, cancel := context.WithTimeout(ctx, scrapeMax)
		defer cancel()
		return log.State(ctx)
	}
	cosigned := func() ([]evidence.StoredCosigned, error) {
		ctx, cancel := context.WithTimeout(ctx, scrapeMax)
		defer cancel()
		return log.Cosigned(ctx)
	}
	return &logMetrics{state: state, cosigned: cosigned, clock: clock,
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mianmi_log_delay_seconds",
			Help:    "Time from a fact to its place in the transparency log, of the entries that this node put there.",
			Buckets: []float64{.025, .05, .1, .2, .3, .4, .5, .75, 1, 2, 5, 10, 60}}),
		size:      describe("mianmi_log_entries", "Entries in the transparency log."),
		waiting:   describe("mianmi_log_waiting", "Entries that are not in the transparency log yet, counted up to 100000."),
		oldest:    describe("mianmi_log_waiting_seconds", "Age of the oldest entry that is not in the transparency log yet; 0: none waits."),
		at:        describe("mianmi_log_checkpoint_timestamp_seconds", "Time of the newest checkpoint of the transparency log."),
		witnessed: describe("mianmi_log_cosigned_entries", "Entries of the transparency log that a witness has cosigned.", "witness"),
	}
}

func (m *logMetrics) observe(r evidence.Round) {
	for _, fact := range r.Facts {
		m.delay.Observe(max(0, r.At.Sub(fact).Seconds()))
	}
}

// Describe implements prometheus.Collector.
func (m *logMetrics) Describe(to chan<- *prometheus.Desc) {
	m.delay.Describe(to)
	for _, d := range []*prometheus.Desc{m.size, m.waiting, m.oldest, m.at, m.witnessed} {
		to <- d
	}
}

// scrapeMax bounds the questions that a scrape asks the database.
const scrapeMax = 2 * time.Second

// Collect implements prometheus.Collector. When the database does not answer,
// the figures that it knows are missing.
func (m *logMetrics) Collect(to chan<- prometheus.Metric) {
	m.delay.Collect(to)
	s, err := m.state()
	if err != nil {
		return
	}
	age := 0.0
	if !s.Oldest.IsZero() {
		age = max(0, m.clock.Now().Sub(s.Oldest).Seconds())
	}
	to <- prometheus.MustNewConstMetric(m.size, prometheus.GaugeValue, float64(s.Size))
	to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(s.Waiting))
	to <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, age)
	if s.Newest.Note != "" {
		to <- prometheus.MustNewConstMetric(m.at, prometheus.GaugeValue, float64(s.Newest.At.UnixMicro())/1e6)
	}
	list, err := m.cosigned()
	if err != nil {
		return
	}
	for _, c := range list {
		to <- prometheus.MustNewConstMetric(m.witnessed, prometheus.GaugeValue, float64(c.Size), nameOfWitness(c.Key))
	}
}
