package main

import (
	"errors"
	"net/netip"
	"net/url"
	"time"

	"github.com/mianmi/mianmi/channel/wechatpay"
)

// tuning are the settings of the domain packages that serve takes as flags.
type tuning struct {
	CoolingOff time.Duration `placeholder:"TIME" default:"24h" help:"Time before a payer's loosening (reopening, a higher limit) is in force." zh:"付款人放宽设置（重新开启、提高限额）生效前的冷静期。"`
	StepUpLife time.Duration `placeholder:"TIME" default:"90s" help:"How long a payment waits for the payer's password or PIN." zh:"付款等待验证密码的最长时间。"`
	Packs      []string      `placeholder:"ID,…" help:"Which of the shipped rule packs are to be in force, by identifier; by default the present rules of regulators and schemes, see docs/rules-sources.md. What differs from the packs in force is applied at start when it is a tightening, and else waits for a second person." zh:"启用哪些随附规则包（按标识）；默认启用监管机构和卡组织的现行规则，见 docs/rules-sources.zh-CN.md。启动时与已启用的规则包不同之处：确属收紧的立即生效，其余须由第二人复核。"`
	PacksDir   string        `placeholder:"DIR" help:"Folder of your own rule packs (*.yaml). One with the identifier of a shipped pack takes its place." zh:"自备规则包（*.yaml）所在目录；标识与随附规则包相同的，取代随附规则包。"`
	Lanes      int           `placeholder:"N" default:"0" help:"Payment transactions under way at once; 0 takes what suits the database." zh:"同时进行的支付事务数；0 表示按数据库自动选择。"`
	LoginsMax  int           `placeholder:"N" default:"20" help:"Logins that one remote address may try in a minute." zh:"同一来源地址每分钟可尝试登录的次数。"`

	PublicURL string `name:"public-url" placeholder:"URL" help:"Address at which people reach this server, as in https://pay.example.com: QR codes on receipts lead there. By default it is where the request for the receipt came in." zh:"供人访问本服务的地址，如 https://pay.example.com：凭证上的二维码指向这里。默认取索取凭证的请求所到达的地址。"`

	HelpArticles string `placeholder:"DIR" help:"Folder of your own help articles (name.zh.md and name.en.md). One with the name of a shipped article takes its place." zh:"自备帮助文章（name.zh.md 与 name.en.md）所在目录；与随附文章同名的，取代随附文章。"`

	filesFlags
	levelsFlags
	payoutFlags
	webhookTuning
	wechatTuning

	terminalHost  string             // for whoever hands out enrolment codes
	wechatPay     *wechatpay.Channel // nil: no connection to WeChat Pay
	contractEvery time.Duration      // how often signed contracts are asked for; zero: the default

	RiskShare int `placeholder:"PERCENT" default:"10" help:"How much of one processor's time looking for signals may take, 1 to 100; what it cannot do at a peak it does afterwards." zh:"查找风险信号最多占用一个处理器时间的百分比，1 至 100；高峰时来不及的随后补上。"`

	KeepWords time.Duration `placeholder:"TIME" default:"26280h" help:"How long words and files of people are kept in cases and complaints after these have ended: 26280h are three years." zh:"工单和投诉结束之后，其中的文字与附件保存多久；26280h 即三年。"`

	TrustedProxies []netip.Prefix `placeholder:"CIDR,…" help:"Addresses of proxies whose X-Forwarded-For is believed; none by default." zh:"可信代理的地址段，采信其 X-Forwarded-For；默认没有。"`
}

func (t *tuning) check() error {
	switch {
	case t.CoolingOff < time.Second || t.CoolingOff > 30*24*time.Hour:
		return errors.New("--cooling-off: want 1s to 720h")
	case t.StepUpLife < 10*time.Second || t.StepUpLife > time.Hour:
		return errors.New("--step-up-life: want 10s to 1h")
	case t.Lanes < 0 || t.Lanes > 64:
		return errors.New("--lanes: want 0 to 64")
	case t.PublicURL != "" && !webAddress(t.PublicURL):
		return errors.New("--public-url: want https:// or http:// and a host")
	case t.RiskShare < 1 || t.RiskShare > 100:
		return errors.New("--risk-share: want 1 to 100")
	case t.KeepWords < 30*24*time.Hour || t.KeepWords > 100*365*24*time.Hour:
		return errors.New("--keep-words: want 720h to 876000h")
	case t.LoginsMax < 1 || t.LoginsMax > 100_000:
		return errors.New("--logins-max: want 1 to 100000")
	}
	_, err := t.levels()
	return errors.Join(err, t.webhookTuning.check(), t.wechatTuning.check(), t.filesFlags.check(), t.payoutFlags.check())
}

func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

// lanes is one on SQLite, which has one writer, and two on PostgreSQL: while
// one commits the other reads (docs/adr/0001).
func (t *tuning) lanes(engine string) int {
	switch {
	case t.Lanes > 0:
		return t.Lanes
	case engine == "sqlite":
		return 1
	}
	return 2
}
