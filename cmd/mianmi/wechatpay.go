package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support"
)

// wechatPayFlag names the connections to WeChat Pay.
type wechatPayFlag struct {
	ContractEvery time.Duration `placeholder:"TIME" default:"24h" help:"How often each signed PIN-free contract is asked for at its payment system, whether it is still in force there." zh:"对每份已签的渠道免密协议，多久向支付渠道查询一次是否仍然有效。"`

	WeChatPay string `name:"wechatpay" placeholder:"FILE" help:"YAML file of the connections to WeChat Pay; see docs/wechatpay.md." zh:"微信支付连接的 YAML 文件，见 docs/wechatpay.zh-CN.md。"`
}

// wechatPay reads the connections and makes the channel; nil without a file.
func (a *app) wechatPay(ctx context.Context, file string) (*wechatpay.Channel, error) {
	if file == "" {
		return nil, nil
	}
	list, err := wechatpay.ReadConfig(wechatpay.Source{File: file, Environ: func(name string) (string, bool) { return env(a.environ, name) }})
	if err != nil {
		return nil, err
	}
	return wechatpay.New(ctx, list, a.clock)
}

// remotes are the channels that are asked over a network.
func (t *tuning) remotes() []channel.Remote {
	if t.wechatPay == nil {
		return nil
	}
	return []channel.Remote{t.wechatPay}
}

// recordConnections records which merchants can be paid through WeChat Pay, for
// all servers, and returns true when more are left. A merchant that is made later
// is recorded then.
func (s *services) recordConnections(ctx context.Context, db *store.DB, ch *wechatpay.Channel) (more bool, err error) {
	snap, err := db.Settings(ctx)
	if err != nil {
		return false, err
	}
	var fresh []mianmi.MerchantID
	for _, m := range ch.Merchants() {
		if _, known := snap.Merchant(m); known && !snap.Connected(m, ch.Name()) {
			fresh = append(fresh, m)
		}
	}
	if len(fresh) == 0 {
		return false, nil
	}
	n := min(len(fresh), merchant.ConnectMax)
	return n < len(fresh), s.merchants.Connect(ctx, ch.Name(), fresh[:n])
}

// withConnections is the worker that records them; none without a connection.
func (s *services) withConnections(db *store.DB, t *tuning) []worker {
	if t.wechatPay == nil {
		return nil
	}
	return []worker{{"record connections", connectionsEvery, func(ctx context.Context) (bool, error) {
		return s.recordConnections(ctx, db, t.wechatPay)
	}}}
}

// connectionsEvery is how soon a new merchant's connection is recorded. Until
// then its terminals step up there if the channel has been made stricter before.
const connectionsEvery = 5 * time.Second

// withWeChatPay makes who watches whether it answers and what receives its
// notifications, if there is a connection to it.
func (s *services) withWeChatPay(a *app, t *tuning) (err error) {
	s.watch = channel.NewWatch(a.clock, t.remotes()...)
	if t.wechatPay != nil {
		s.wechatNotices, err = t.wechatPay.Notifications(wechatHints{s}, a.log)
	}
	return err
}

// wechatHints has WeChat Pay asked when a notification says that there is news.
type wechatHints struct{ services *services }

// Hinted is part of wechatpay.Hinted. A payment or contract that is not known
// belongs to another installation.
func (h wechatHints) Hinted(ctx context.Context, hint wechatpay.Hint) error {
	if hint.Complaint != "" {
		return h.services.complaints.Hint(ctx, support.Key{Place: support.Place{Channel: wechatpay.Name, Account: hint.Connection}, Number: hint.Complaint})
	}
	if code := hint.Contract.Code; code != "" {
		return h.services.contracts.Tell(ctx, mianmi.ContractID(code))
	}
	if hint.Payment == "" {
		return nil
	}
	return h.services.payments.AskSoon(ctx, hint.Payment, hint.Refund)
}

func (f *wechatPayFlag) check() error {
	if f.ContractEvery < time.Minute || f.ContractEvery > 7*24*time.Hour {
		return errors.New("--contract-every: want 1m to 168h")
	}
	return nil
}

// unconfirmedMax bounds what a scrape counts.
const unconfirmedMax = 100_000

// gaugeOverdue is what no running server asks the channels, though it is long due.
func (s *services) gaugeOverdue(a *app, db *store.DB) {
	s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mianmi_channel_calls_overdue",
		Help: "Questions to payment systems outside that are ten minutes overdue: no running server is connected there; at most 100000 of each counted; -1: the database did not say."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
		defer cancel()
		overdue, err := db.OverdueCalls(ctx, a.clock.Now().Add(-overdueAfter), overdueMax)
		if err != nil {
			return -1
		}
		var sum int64
		for _, n := range overdue {
			sum += n
		}
		return float64(sum)
	}))
}

// gaugeComplaints tells how many answers to complaints did not get through lately, and
// how many complaints no case follows.
func (s *services) gaugeComplaints(a *app, db *store.DB) {
	gauge := func(name, help string, figure func(failed, behind int64) int64) {
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help + ", at most 100000 counted; -1: the database did not say."}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
			defer cancel()
			now := a.clock.Now()
			failed, behind, err := db.ComplaintTrouble(ctx, now.Add(-unsaidFor), now.Add(-overdueAfter), overdueMax)
			if err != nil {
				return -1
			}
			return float64(figure(failed, behind))
		}))
	}
	gauge("mianmi_complaint_answers_failed", "Answers to complaints that did not get through in seven days", func(failed, _ int64) int64 { return failed })
	gauge("mianmi_complaints_behind", "Complaints whose news has not reached their cases for ten minutes", func(_, behind int64) int64 { return behind })
}

// withContracts makes who keeps contracts at channels, with its figures.
func (s *services) withContracts(a *app, db *store.DB, t *tuning) {
	unannounced := prometheus.NewCounter(prometheus.CounterOpts{Name: "mianmi_contracts_ended_unannounced_total",
		Help: "Contracts that were found ended at their channel without a notification."})
	unconfirmed := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mianmi_contracts_unconfirmed",
		Help: "Contracts that are closed here and not confirmed as ended by their channel, at most 100000 counted; -1: the database did not say."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
		defer cancel()
		n, err := db.UnconfirmedContracts(ctx, unconfirmedMax)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	s.metrics.MustRegister(unannounced, unconfirmed)
	p := contract.Parts{Store: db, Payers: s.payers, Clock: a.clock, Random: a.random, Log: a.log, Unannounced: unannounced.Inc}
	p.Learn = func(ctx context.Context, c *contract.Contract, name string) {
		if err := s.payments.Learn(ctx, payment.Name{Channel: c.Channel, Merchant: c.Merchant, Payer: c.Payer, Is: name}); err != nil {
			a.log.WarnContext(ctx, "what a channel calls a payer was not noted", "contract", string(c.ID), "channel", c.Channel, "error", err)
		}
	}
	if t.wechatPay != nil {
		p.Channels = []channel.Contracts{t.wechatPay}
	}
	s.contracts = contract.New(p, t.contractEvery)
}
