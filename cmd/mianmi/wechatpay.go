package main

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/support"
)

// wechatPayFlag names the connections to WeChat Pay.
type wechatPayFlag struct {
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

// withWeChatPay makes what receives WeChat Pay's notifications, if there is a
// connection to it.
func (s *services) withWeChatPay(a *app, t *tuning) (err error) {
	if t.wechatPay != nil {
		s.wechatNotices, err = t.wechatPay.Notifications(wechatHints{s}, a.log)
	}
	return err
}

// wechatHints has WeChat Pay asked when a notification says that there is news.
type wechatHints struct{ services *services }

// Hinted is part of wechatpay.Hinted. Contracts are kept by nobody here, and a
// payment that is not known belongs to another installation.
func (h wechatHints) Hinted(ctx context.Context, hint wechatpay.Hint) error {
	if hint.Complaint != "" {
		return h.services.complaints.Hint(ctx, support.Key{Place: support.Place{Channel: wechatpay.Name, Account: hint.Connection}, Number: hint.Complaint})
	}
	if hint.Payment == "" {
		return nil
	}
	return h.services.payments.AskSoon(ctx, hint.Payment, hint.Refund)
}
