package screen_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// plain is a browser without scripts: it follows links and sends forms.
type plain struct {
	c    *counter
	http *http.Client
	csrf string
}

func newPlain(c *counter) *plain {
	jar, err := cookiejar.New(nil)
	c.must(err)
	return &plain{c: c, http: &http.Client{Jar: jar}}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

func (p *plain) read(res *http.Response, err error) string {
	p.c.t.Helper()
	p.c.must(err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(res.Body)
	p.c.must(err)
	if m := csrfField.FindSubmatch(b); m != nil {
		p.csrf = string(m[1])
	}
	return string(b)
}

func (p *plain) get(path string) string {
	p.c.t.Helper()
	return p.read(p.http.Get(p.c.url + path))
}

func (p *plain) post(path string, pairs ...string) string {
	p.c.t.Helper()
	form := url.Values{"csrf": {p.csrf}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return p.read(p.http.PostForm(p.c.url+path, form))
}

// Everything works by links and forms: setting up, typing an amount key by
// key, a payment with a PIN typed on the screen, and closing PIN-free.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	c := open(t, "android_smart")
	p := newPlain(c)
	p.get("/")
	if page := p.post("/setup", "password", "12345678", "again", "12345678"); !strings.Contains(page, "太容易猜到") {
		t.Error("a password that everybody chooses was taken")
	}
	p.post("/setup", "password", password, "again", password)
	c.wait("on", func() bool { return c.Setting().PinFree })
	if page := p.get("/?d=420&key=00"); !strings.Contains(page, "420.00") {
		t.Errorf("no 420.00 on the screen after the key 00:\n%s", page)
	}
	if page := p.get("/?d=420&key=back"); !strings.Contains(page, "0.42") {
		t.Errorf("no 0.42 on the screen after the key for deleting")
	}
	p.post("/pay/begin", "d", "42000")
	p.post("/pay/choose", "method", "card_insert")
	p.post("/pay/read", "text", string(agenttest.Card))
	c.waitStage(agent.Waiting)
	if page := p.get("/pay"); !strings.Contains(page, `http-equiv="refresh"`) {
		t.Error("a page that waits does not ask again by itself")
	}
	for _, d := range agenttest.PIN {
		p.post("/pay/digit", "digit", string(d))
	}
	if page := p.get("/pay"); strings.Contains(page, agenttest.PIN) || !strings.Contains(page, "••••••") {
		t.Error("the PIN is on the page, or its dots are not")
	}
	p.post("/pay/pin")
	c.waitStage(agent.Done)
	if s := c.Till.Slips()[0]; s.State != "approved" || s.CVM != "online_pin" {
		t.Errorf("%+v", s)
	}
	p.post("/pay/next")

	p.post("/signin", "number", "7", "password", password)
	if page := p.get("/menu/pin_free"); !strings.Contains(page, "关闭后会怎样") || !strings.Contains(page, "信用") {
		t.Error("it is not said before what closing changes")
	}
	if page := p.post("/menu/pin_free"); !strings.Contains(page, "重启后正式生效") {
		t.Error("it is not said that a restart is needed")
	}
	if page := p.post("/menu/pin_free", "enabled", "1"); !strings.Contains(page, "请先确认已了解风险") || c.Setting().PinFree {
		t.Error("opened without the risk being accepted")
	}
}

// The check of the network says whether payment systems outside answer, and in one
// sentence what that means for the cashier; the menu says that one is silent. An
// older host says nothing of them.
func TestChannelsOnThePage(t *testing.T) {
	t.Parallel()
	c := open(t, "android_smart")
	c.must(c.SetPassword("", password))
	c.wait("settings", func() bool { return c.Setting().Running != nil })
	p := newPlain(c)
	p.get("/signin")
	p.post("/signin", "number", "7", "password", password)
	if page := p.post("/menu/network"); strings.Contains(page, "微信支付") {
		t.Error("a payment system is named that the host says nothing of")
	}
	at := time.Now().UTC().Add(-time.Minute)
	for _, tt := range []struct {
		is         protocol.ChannelState
		zh, en     []string
		menuSilent bool
	}{
		{protocol.ChannelState{State: protocol.ChannelAnswers, AgeSeconds: 2, TookMS: 130}, []string{"130 ms（", "微信支付有应答，照常收款"}, []string{"130 ms (", "WeChat Pay answers; take payments as usual"}, false},
		{protocol.ChannelState{State: protocol.ChannelSilent, AgeSeconds: 2, Since: at}, []string{at.Format("15:04") + " 起无应答（", "微信支付现在可能付不成，请顾客换一种付款方式"}, []string{"silent since ", at.Format("15:04") + " (", "Payments by WeChat Pay may fail now; take another method"}, true},
		{protocol.ChannelState{State: protocol.ChannelUnknown}, []string{"暂不清楚微信支付是否有应答"}, []string{"It is not known whether WeChat Pay answers"}, false},
	} {
		tt.is.Channel = "wechatpay"
		c.host.TellChannels(tt.is)
		for lang, want := range map[string][]string{"zh": tt.zh, "en": tt.en} {
			p.post("/lang", "to", lang, "back", "/menu/network")
			page := p.post("/menu/network")
			for _, text := range want {
				if !strings.Contains(page, text) {
					t.Errorf("%s, %s: no %q on the page:\n%s", tt.is.State, lang, text, page)
				}
			}
		}
		page := p.get("/menu")
		if said := strings.Contains(page, "channel silent") || strings.Contains(page, "渠道无应答"); said != tt.menuSilent {
			t.Errorf("%s: the menu:\n%s", tt.is.State, page)
		}
	}
}

// Who closed it in the terminal's menu reads so, also once the host has made
// that the terminal's policy, with a later time; what the host closes by itself
// is the host's.
func TestWhoClosedIt(t *testing.T) {
	t.Parallel()
	for what, menu := range map[string]bool{"the menu": true, "the host": false} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := open(t, "pinpad_ecr")
			c.must(c.SetPassword("", password))
			c.wait("on", func() bool { return c.Setting().PinFree })
			p := newPlain(c)
			p.get("/signin")
			p.post("/signin", "number", "7", "password", password)
			p.get("/menu/pin_free")
			if menu {
				p.post("/menu/pin_free")
				c.wait("the host's word on it", func() bool { l := c.Setting().Local; return l != nil && c.Setting().Adopted(l) })
			}
			v := c.host.Change(func(x *protocol.Config) {
				x.PinFree = false
				x.Because = []protocol.Say{{Level: "terminal", Version: x.Version, Since: time.Now().Add(time.Minute).UTC()}, {Level: "merchant", Version: 11, PinFree: true}}
			})
			c.wait("the host's setting", func() bool { return c.Setting().Running.Version == v })
			page := p.get("/menu/pin_free")
			byMenu := strings.Contains(page, "由本机菜单（操作员 7）关闭，主机已确认")
			byHost := strings.Contains(page, "由本终端的主机设置关闭") && strings.Contains(page, "上级也已关闭：本终端的主机设置")
			if byMenu != menu || byHost == menu {
				t.Errorf("by the menu %t, by the host %t:\n%s", byMenu, byHost, page)
			}
		})
	}
}

// The screen is for this machine's browser: other names, foreign forms and
// whoever is not signed in get nothing.
func TestScreenIsGuarded(t *testing.T) {
	t.Parallel()
	c := open(t, "qr_box")
	p := newPlain(c)
	if page := p.get("/"); !strings.Contains(page, "先设一个操作员密码") {
		t.Error("it can be used before the password is set")
	}
	c.must(c.SetPassword("", password))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/", nil)
	c.must(err)
	r.Host = "evil.example"
	res, err := http.DefaultClient.Do(r)
	c.must(err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %s", res.Status)
	}
	for _, path := range []string{"/menu", "/menu/pin_free", "/menu/restart", "/menu/status"} {
		if page := p.get(path); !strings.Contains(page, "操作员编号") {
			t.Errorf("%s is shown to whoever is not signed in", path)
		}
	}
	good := p.csrf
	p.csrf = "0123456789abcdef0123456789abcdef"
	p.post("/trouble", "kind", "other")
	if c.TroublesWaiting() != 0 {
		t.Error("a form from elsewhere was taken")
	}
	p.csrf = good
	for range 5 {
		p.post("/signin", "number", "1", "password", "00000000")
	}
	if page := p.post("/signin", "number", "1", "password", password); !strings.Contains(page, "输错次数过多") {
		t.Error("guessing goes on without end")
	}
	res, err = http.Get(c.url + "/")
	c.must(err)
	_ = res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}
