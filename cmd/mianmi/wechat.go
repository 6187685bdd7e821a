package main

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi/api/wechatv3"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/wechat"
)

// wechatTuning are the settings of the front in WeChat Pay's form.
type wechatTuning struct {
	PaymentCodePrefix string `placeholder:"NN" default:"88" help:"First two digits of payment codes. Software that tells wallets apart by them expects 10 to 15 for WeChat Pay." zh:"付款码的前两位数字。按前缀区分钱包的软件把 10 至 15 当作微信支付。"`
	WechatSigning     string `placeholder:"KEY" enum:"public-key,certificate" default:"public-key" help:"What answers of the WeChat Pay front are signed in the name of: public-key or certificate." zh:"微信支付兼容接口以何种名义签名应答：public-key（微信支付公钥）或 certificate（平台证书）。"`
	WechatTest        bool   `help:"TEST ONLY: requests to the WeChat Pay front may ask for lost, late and wrongly signed messages and for forged errors. Never where real money is." zh:"仅供测试：允许请求微信支付兼容接口模拟通知丢失、迟到、签名错误和伪造的错误应答。切勿用于真实资金。"`
}

func (t *wechatTuning) check() error {
	p := t.PaymentCodePrefix
	if len(p) != 2 || p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9' {
		return errors.New("--payment-code-prefix: want two digits")
	}
	return nil
}

// withWechat makes the front in WeChat Pay's form.
func (s *services) withWechat(a *app, db *store.DB, t *tuning) error {
	service, err := wechat.New(wechat.Parts{Store: db, Access: s.access, Payments: s.payments, Payers: s.payers, Complaints: s.complaints, Keys: s.keys, Guard: s.webhooks.Guard,
		Clock: a.clock, Random: a.random}, wechat.Config{Certificate: t.WechatSigning == "certificate"})
	if err != nil {
		return err
	}
	s.wechat = service
	s.front, err = wechatv3.New(wechatv3.Parts{Service: service, Clock: a.clock, Random: a.random, Log: a.log},
		wechatv3.Config{Test: t.WechatTest, PublicURL: t.PublicURL, Metrics: s.metrics})
	return err
}

// couriers are how notifications are sent: as WeChat Pay does. This package's
// tests set less, and wait for hundreds of them.
var couriers struct {
	waits []time.Duration
	lease time.Duration
}

// startCourier starts who sends its notifications. It ends with Stop.
func (s *services) startCourier(ctx context.Context, a *app, db *store.DB) (err error) {
	courier := &wechat.Courier{Service: s.wechat, Waits: couriers.waits, Poster: notice.NewPoster(s.webhooks.Guard, a.clock, notice.PosterConfig{Timeout: wechat.NotifyTimeout})}
	s.courier, err = notice.StartSender(ctx, notice.SenderParts{Outbox: db, Service: s.webhooks, Courier: courier}, notice.SenderConfig{Kind: notice.WeChat, Lease: couriers.lease})
	return err
}
