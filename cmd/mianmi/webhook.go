package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/store"
)

// webhookTuning are the settings of webhooks that serve takes as flags.
type webhookTuning struct {
	WebhookAllow   []netip.Prefix `placeholder:"CIDR,…" help:"Networks that webhooks may call although their addresses are not public, also without TLS; none by default." zh:"允许 webhook 访问的非公网地址段（在这些地址段内也可不用 TLS）；默认没有。"`
	WebhookTimeout time.Duration  `placeholder:"TIME" default:"15s" help:"Longest time of one try to send a message." zh:"每次投递的最长时间。"`
	WebhookLife    time.Duration  `placeholder:"TIME" default:"72h" help:"How long a message is tried before it is given up." zh:"一条消息持续重试多久后放弃。"`
	WebhookKeep    time.Duration  `placeholder:"TIME" default:"336h" help:"How long deliveries are kept, for the log and for replays." zh:"投递记录的保留时间，用于查询和重新投递。"`
}

func (t *webhookTuning) check() error {
	switch {
	case t.WebhookTimeout < time.Second || t.WebhookTimeout > time.Minute:
		return errors.New("--webhook-timeout: want 1s to 1m")
	case t.WebhookLife < time.Minute || t.WebhookLife > 30*24*time.Hour:
		return errors.New("--webhook-life: want 1m to 720h")
	case t.WebhookKeep < t.WebhookLife || t.WebhookKeep > 90*24*time.Hour:
		return errors.New("--webhook-keep: want --webhook-life to 2160h")
	}
	return nil
}

// webhooks is who makes webhooks.
func (a *app) webhooks(s *services, db *store.DB, t *webhookTuning) (*notice.Service, error) {
	return notice.New(notice.Parts{Records: db, Keys: s.keys, Clock: a.clock, Random: a.random, Log: a.log, Guard: notice.NewGuard(t.WebhookAllow)})
}

// startSender starts who sends to them. It ends with Stop.
func (a *app) startSender(ctx context.Context, s *services, db *store.DB, t *webhookTuning) (*notice.Sender, error) {
	m := newWebhookMetrics(db)
	s.metrics.MustRegister(m, m.tries, m.seconds)
	p := notice.NewPoster(s.webhooks.Guard, a.clock, notice.PosterConfig{Timeout: t.WebhookTimeout})
	return notice.StartSender(ctx, notice.SenderParts{Outbox: db, Service: s.webhooks, Poster: p, Observe: m.observe},
		notice.SenderConfig{Schedule: notice.Schedule{Life: t.WebhookLife}, Keep: t.WebhookKeep})
}

// sweepWebhooks gives up and forgets deliveries whose time is over.
func sweepWebhooks(s *notice.Sender) worker {
	return worker{"sweep webhooks", time.Minute, s.Sweep}
}

// webhookMetrics are the figures of webhooks: of this node's tries, and of the
// database's outbox at each scrape.
type webhookMetrics struct {
	db      *store.DB
	tries   *prometheus.CounterVec
	seconds prometheus.Histogram
	stats   [6]*prometheus.Desc
}

func newWebhookMetrics(db *store.DB) *webhookMetrics {
	gauge := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &webhookMetrics{db: db,
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mianmi_webhook_tries_total", Help: "Tries to send a message, by what came of them."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mianmi_webhook_try_seconds", Help: "Time of a try.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30}}),
		stats: [...]*prometheus.Desc{
			gauge("mianmi_outbox_facts", "Facts that are not dispatched, at most 100000 counted."),
			gauge("mianmi_outbox_age_seconds", "Age of the oldest fact that is not dispatched."),
			gauge("mianmi_webhook_waiting_age_seconds", "Age of the longest waiting delivery."),
			gauge("mianmi_webhook_waiting", "Deliveries that wait, at most 100000 counted."),
			gauge("mianmi_webhook_dead", "Deliveries that were given up and not replayed, at most 100000 counted."),
			gauge("mianmi_webhook_failing", "Webhooks that fail as a whole."),
		}}
}

func (m *webhookMetrics) observe(a notice.Answer) {
	result := a.Fault.String()
	if a.Fault == notice.NoFault {
		result = "delivered"
	}
	m.tries.WithLabelValues(result).Inc()
	m.seconds.Observe(a.Took.Seconds())
}

// Describe is part of prometheus.Collector.
func (m *webhookMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range m.stats {
		to <- d
	}
}

// Collect is part of prometheus.Collector. Without an answer of the database
// the figures are left out.
func (m *webhookMetrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	s, err := m.db.OutboxStats(ctx)
	if err != nil {
		return
	}
	for i, v := range [...]float64{float64(s.Facts), s.FactAge.Seconds(), s.WaitingAge.Seconds(), float64(s.Waiting), float64(s.Dead), float64(s.Failing)} {
		to <- prometheus.MustNewConstMetric(m.stats[i], prometheus.GaugeValue, v)
	}
}

// Bounds that the doctor holds the outbox to.
const (
	factAgeMax    = time.Minute // dispatching takes part of a second
	waitingAgeMax = time.Hour   // a receiver that works has its messages at once
)

// examineOutbox looks whether facts reach their receivers.
func examineOutbox(ctx context.Context, db *store.DB) []finding {
	s, err := db.OutboxStats(ctx)
	if err != nil {
		return []finding{but(warn, "webhooks.outbox", "无法读取发件箱", "the outbox cannot be read").
			then("查看数据库日志", "look at the database's log")}
	}
	return checkOutbox(s)
}

func checkOutbox(s store.OutboxStats) []finding {
	const check = "webhooks.outbox"
	if s.FactAge > factAgeMax {
		return []finding{but(warn, check, "最早的待分发事件已等待 %v", "the oldest fact waits for %v to be dispatched", s.FactAge.Round(time.Second)).
			then("至少要有一个 mianmi serve 在运行；查看其日志中的 webhooks", "at least one mianmi serve must run; look for webhooks in its log")}
	}
	findings := []finding{good(check, "事件已及时分发", "facts are dispatched in time")}
	if s.WaitingAge > waitingAgeMax || s.Failing > 0 {
		findings = append(findings, but(warn, "webhooks.backlog", "%d 条消息等待投递，最早的已等待 %v；%d 个 webhook 持续失败", "messages that wait: %d, the longest for %v; webhooks that fail: %d",
			s.Waiting, s.WaitingAge.Round(time.Second), s.Failing).
			then("用 mianmi webhook list 查看是哪些，请其接收方恢复服务；暂停的 webhook 会积压消息", "see which with mianmi webhook list, and ask those who run the receivers; a webhook that is paused piles messages up"))
	} else {
		findings = append(findings, good("webhooks.backlog", "%d 条消息等待投递", "messages that wait: %d", s.Waiting))
	}
	if s.Dead > 0 {
		return append(findings, but(warn, "webhooks.dead", "已放弃 %d 条消息", "messages that were given up: %d", s.Dead).
			then("接收方恢复后，用 POST /v1/webhooks/{webhook}/replay 重新投递（dead_only）", "when the receiver works again, send them by POST /v1/webhooks/{webhook}/replay with dead_only"))
	}
	return append(findings, good("webhooks.dead", "没有放弃的消息", "no message was given up"))
}

type webhookCmd struct {
	List    webhookListCmd    `cmd:"" help:"List all webhooks and how their deliveries stand." zh:"列出所有 webhook 及其投递情况。"`
	Receive webhookReceiveCmd `cmd:"" help:"Receive a webhook's messages on this machine, verify them and print them: for trying out." zh:"在本机接收 webhook 消息，验签并打印，供调试使用。"`
}

type webhookListCmd struct{}

// Run lists what the database has; no server need run.
func (webhookListCmd) Run(ctx context.Context, a *app) error {
	db, err := store.Open(ctx, a.shared.dsn(), a.shared.storeOptions())
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	list, err := db.Webhooks(ctx, notice.Query{Limit: webhooksListed})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%-28s  %-28s  %-7s  %9s  %8s  %6s  %s\n", "webhook", "merchant", "state", "sequence", "waiting", "dead", "failing since")
	for _, w := range list {
		q, qerr := db.Queue(ctx, w.ID)
		if qerr != nil {
			return qerr
		}
		since, owner := "", string(w.Merchant)
		if owner == "" {
			owner = "*"
		}
		if !q.FailingSince.IsZero() {
			since = q.FailingSince.Format(time.RFC3339)
		}
		line := fmt.Sprintf("%-28s  %-28s  %-7s  %9d  %8d  %6d  %s", w.ID, owner, w.State, q.Numbered, q.Waiting, q.Dead, since)
		if _, perr := fmt.Fprintln(a.stdout, strings.TrimRight(line, " ")); perr != nil {
			return perr
		}
	}
	return err
}

// webhooksListed bounds the list; there are at most 20 of the platform and 10 a merchant.
const webhooksListed = 10_000
