package screen

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi/agent/model"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// MenuPage is one page of the model's menu.
type MenuPage struct {
	Frame
	Way   []string
	Up    string // the page above
	Items []menuItem
}

type menuItem struct {
	Name, URL, Key, State string
	Tone                  string
}

// menuURL is where an entry of the menu leads.
func menuURL(i model.Item, at string, n int) string {
	if i.Does == model.Group {
		if at != "" {
			at += "."
		}
		return "/menu?at=" + at + strconv.Itoa(n)
	}
	return "/menu/" + string(i.Does)
}

func (s *Server) menu(q *request) {
	at := q.r.FormValue("at")
	items, way, ok := s.Terminal.Model.Page(at)
	if !ok {
		q.to("/menu")
		return
	}
	p := MenuPage{Frame: q.frame(q.T("设置", "Settings")), Up: "/"}
	for _, w := range way {
		p.Way = append(p.Way, w.In(q.lang))
	}
	if at != "" {
		p.Up = "/menu"
		if i := strings.LastIndexByte(at, '.'); i >= 0 {
			p.Up = "/menu?at=" + at[:i]
		}
	}
	for i, it := range items {
		m := menuItem{Name: it.Label.In(q.lang), URL: menuURL(it, at, i+1), Key: strconv.Itoa(i + 1)}
		switch it.Does {
		case model.PinFree:
			m.State = q.T("已关闭", "off")
			m.Tone = "safe"
			if q.set.Running != nil && q.ticked() {
				m.State, m.Tone = q.T("已启用", "on"), "plain"
			}
		case model.Network:
			if q.silent() {
				m.State, m.Tone = q.T("渠道无应答", "channel silent"), "wait"
			}
		case model.Restarts:
			if q.set.RestartNeeded() {
				m.State, m.Tone = q.T("等待重启", "waiting"), "wait"
			}
		}
		p.Items = append(p.Items, m)
	}
	q.draw(http.StatusOK, menuPage(p))
}

// ticked reports whether the box of the menu is ticked: what was set here
// last, or else what the host wants.
func (q *request) ticked() bool {
	switch {
	case q.set.Pending != nil:
		return q.set.Pending.PinFree
	case q.set.Local != nil && !q.set.Local.PinFree:
		return false
	}
	return q.set.Effective.PinFree
}

// PinFreePage is the switch.
type PinFreePage struct {
	Frame
	Status  Status
	Way     string
	Ticked  bool
	Locked  bool
	Restart bool   // a saved change needs one
	Saved   bool   // just now
	Waits   bool   // something waits for the restart
	Consent string // of the host, on a loosening
	Fault   string
	Below   []string // who has closed it above this terminal
}

func (q *request) pinFreePage() PinFreePage {
	restarts := q.s.Terminal.Model.Restart.Needed
	p := PinFreePage{Frame: q.frame(q.T("小额免密", "PIN-free payment")), Status: q.status(q.set, restarts), Ticked: q.ticked(),
		Locked: q.set.Effective.MenuLock != "", Restart: restarts, Waits: q.set.RestartNeeded(), Consent: q.set.Consent()}
	labels, _ := q.s.Terminal.Model.Path(model.PinFree)
	names := []string{q.T("设置", "Settings")}
	for _, l := range labels {
		names = append(names, l.In(q.lang))
	}
	p.Way = strings.Join(names, " › ")
	for _, b := range q.set.Effective.Because {
		if t, ok := levels[b.Level]; ok && !b.PinFree && !q.set.RepeatsMenu(b) {
			p.Below = append(p.Below, t.In(q.lang))
		}
	}
	return p
}

func (s *Server) pinFree(q *request) {
	p := q.pinFreePage()
	p.Saved = q.r.FormValue("saved") != ""
	q.draw(http.StatusOK, pinFreePage(p))
}

func (s *Server) savePinFree(q *request) {
	on := q.form("enabled") == "1"
	if on == q.ticked() {
		p := q.pinFreePage()
		p.Fault = q.T("没有改动", "Nothing has changed")
		q.draw(http.StatusUnprocessableEntity, pinFreePage(p))
		return
	}
	if on && q.form("risk") != "1" {
		p := q.pinFreePage()
		p.Fault = q.T("重新开启前，请先确认已了解风险", "To open it again, confirm that you know the risk")
		q.draw(http.StatusUnprocessableEntity, pinFreePage(p))
		return
	}
	s.mu.Lock()
	author := s.author
	s.mu.Unlock()
	if _, err := s.Terminal.Propose(on, author); err != nil {
		p := q.pinFreePage()
		p.Fault = q.T("没能保存，设置没有改变", "It could not be saved; nothing has changed")
		q.draw(http.StatusUnprocessableEntity, pinFreePage(p))
		return
	}
	q.to("/menu/pin_free?saved=1")
}

// StatusPage tells what runs and what waits.
type StatusPage struct {
	Frame
	Status  Status
	Steps   []step
	Facts   []fact
	Restart bool
}

type fact struct{ Name, Value, Tone string }

func (s *Server) showStatus(q *request) {
	set := q.set
	p := StatusPage{Frame: q.frame(q.T("生效情况", "What is in force")), Status: q.status(set, s.Terminal.Model.Restart.Needed), Steps: q.steps(set), Restart: set.RestartNeeded()}
	add := func(name, value string) { p.Facts = append(p.Facts, fact{Name: name, Value: value}) }
	version := func(c *protocol.Config) string {
		if c == nil {
			return q.T("无", "none")
		}
		return strconv.FormatInt(c.Version, 10)
	}
	add(q.T("运行的设置版本", "Version that runs"), version(set.Running))
	if set.Saved != nil {
		add(q.T("等待重启的版本", "Version that waits"), version(set.Saved))
	}
	for _, b := range set.Effective.Because {
		if t, ok := levels[b.Level]; ok {
			add(q.T("来自：", "From ")+t.In(q.lang), q.T(map[bool]string{true: "允许免密", false: "关闭免密"}[b.PinFree], map[bool]string{true: "on", false: "off"}[b.PinFree]))
		}
	}
	if l := set.Local; l != nil {
		add(q.T("本机菜单", "This terminal's menu"), q.T(map[bool]string{true: "允许", false: "关闭"}[l.PinFree], map[bool]string{true: "on", false: "off"}[l.PinFree])+" · "+q.author(l.Author)+" · "+q.when(l.At))
	}
	left := q.T("没有", "none")
	if set.LeaseLeft > 0 {
		left = q.T("还有 ", "") + set.LeaseLeft.Truncate(time.Second).String() + q.T("", " left")
	}
	add(q.T("证实的有效期", "Proof counts for"), left)
	add(q.T("待送达的报告", "Reports on their way"), strconv.Itoa(set.Waiting))
	p.Facts = append(p.Facts, q.versions(s.Terminal.Updates())...)
	add(q.T("开机次数", "Boots"), strconv.FormatInt(set.Boot.Count, 10)+" · "+q.when(set.Boot.At))
	q.draw(http.StatusOK, statusPage(p))
}

// MethodsPage lists the ways to pay.
type MethodsPage struct {
	Frame
	Methods []methodRow
}

type methodRow struct {
	method
	Accepted bool
	Result   string // of the last check
	Passed   bool
	Checked  bool
}

func (q *request) rows() []methodRow {
	accepted := map[string]bool{}
	for _, m := range q.s.Terminal.Methods() {
		accepted[m] = true
	}
	var out []methodRow
	for _, m := range q.s.Terminal.Model.Methods {
		r := methodRow{method: q.method(m), Accepted: accepted[m]}
		for _, c := range q.set.Checks {
			if c.Kind == "method" && c.Method == m {
				r.Checked, r.Passed, r.Result = true, c.Passed, q.detail(c.Detail)
			}
		}
		out = append(out, r)
	}
	return out
}

func (q *request) detail(code string) string {
	if t, ok := details[code]; ok {
		return t.In(q.lang)
	}
	return code
}

func (s *Server) methods(q *request) {
	q.draw(http.StatusOK, methodsPage(MethodsPage{Frame: q.frame(q.T("支付方式", "Payment methods")), Methods: q.rows()}))
}

// TestPage is the test payment and the check of the methods.
type TestPage struct {
	Frame
	Amount  string
	Payment string // result of the last test payment
	Passed  bool
	At      string
	Methods []methodRow
	Fault   string
}

func (s *Server) test(q *request) {
	p := TestPage{Frame: q.frame(q.T("测试与检查", "Test and check")), Amount: q.T("0.01 元", "0.01"), Methods: q.rows()}
	for _, c := range q.set.Checks {
		if c.Kind == "test_payment" {
			p.Payment, p.Passed, p.At = q.detail(c.Detail), c.Passed, q.when(c.At)
		}
	}
	q.draw(http.StatusOK, testPage(p))
}

func (s *Server) doTest(q *request) {
	if err := s.Terminal.Till.BeginTest(); err != nil {
		q.to("/menu/test")
		return
	}
	q.to("/pay")
}

// checkMax is the longest check of methods: the host is asked a few times.
const checkMax = 30 * time.Second

func (s *Server) check(q *request) {
	ctx, cancel := context.WithTimeout(q.r.Context(), checkMax)
	defer cancel()
	if _, err := s.Terminal.CheckMethods(ctx); err != nil {
		s.Log.Error("the results of a check could not be kept", "error", err)
	}
	q.to("/menu/test")
}

// NetworkPage is the check of the network.
type NetworkPage struct {
	Frame
	Head, Todo, Tone string
	Facts            []fact
	Channels         []channelView
	At               string
}

func (s *Server) network(q *request) {
	f := s.Terminal.Network()
	v := verdicts[f.Verdict]
	p := NetworkPage{Frame: q.frame(q.T("网络检测", "Network check")), Head: v.head.In(q.lang), Todo: v.todo.In(q.lang), Tone: "safe", Channels: q.channels()}
	yes := func(name string, ok bool, good, bad string) {
		x := fact{Name: name, Value: good, Tone: "safe"}
		if !ok {
			x.Value, x.Tone = bad, "harm"
		}
		p.Facts = append(p.Facts, x)
	}
	if f.At.IsZero() {
		p.Head, p.Todo, p.Tone = q.T("正在检测…", "Checking…"), "", "plain"
	} else {
		switch {
		case !f.Verdict.Safe():
			p.Tone = "harm"
		case f.Verdict != "good":
			p.Tone = "wait"
		}
		p.At = q.when(f.At)
		yes(q.T("主机地址", "The host's address"), f.DNS, strings.Join(f.Addresses[:min(2, len(f.Addresses))], ", "), q.T("找不到", "not found"))
		yes(q.T("加密与主机证书", "Encryption and certificate"), f.TLS, q.T("与登记的一致", "as pinned"), q.T("不一致或未连上", "other, or no connection"))
		yes(q.T("登录页面拦截", "Login page in the way"), !f.Portal, q.T("没有", "none"), q.T("有", "yes"))
		yes(q.T("网络类型", "Kind of network"), f.Kind != "" && f.Kind != "wifi_open", kinds[f.Kind].In(q.lang), kinds[f.Kind].In(q.lang))
		p.Facts = append(p.Facts, fact{Name: q.T("往返时间", "There and back"), Value: unit(f.RTTms, " ms", q.T("未测得", "not measured"))},
			fact{Name: q.T("丢失", "Lost"), Value: unit(f.LossPC, " %", q.T("未测得", "not measured"))})
	}
	for _, c := range p.Channels {
		p.Facts = append(p.Facts, c.Fact)
	}
	q.draw(http.StatusOK, networkPage(p))
}

func unit(n int64, u, none string) string {
	if n < 0 {
		return none
	}
	return strconv.FormatInt(n, 10) + u
}

func (s *Server) checkNetwork(q *request) {
	ctx, cancel := context.WithTimeout(q.r.Context(), checkMax)
	defer cancel()
	s.Terminal.CheckNetwork(ctx)
	q.to("/menu/network")
}
