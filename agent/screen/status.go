package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/web/ui"
)

// Status is the sentence that tells whether PIN-free is off, since when, and
// whether that is proved.
type Status struct {
	Tone    ui.Tone
	Icon    string
	Head    string
	Details []string
	Waiting int // settings that wait for a restart
}

// levels are who has a say, as people call them.
var levels = map[string]mianmi.Text{
	"merchant": {ZH: "商户", EN: "the merchant"}, "store": {ZH: "门店", EN: "the store"}, "model": {ZH: "机型", EN: "the model"},
	"terminal": {ZH: "本终端的主机设置", EN: "the host's setting of this terminal"}, "everything": {ZH: "全局", EN: "everywhere"},
	"channel": {ZH: "支付渠道", EN: "the payment system"}, "emergency_stop": {ZH: "紧急停用", EN: "an emergency stop"},
}

type speaker struct {
	lang mianmi.Lang
	zone *time.Location
	now  time.Time
}

func (p speaker) T(zh, en string) string { return mianmi.Text{ZH: zh, EN: en}.In(p.lang) }

// when is a moment as people say it: the time today, with the date before.
func (p speaker) when(t time.Time) string {
	t, now := t.In(p.zone), p.now.In(p.zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return p.T(t.Format("1 月 2 日 15:04"), t.Format("2 Jan 15:04"))
}

func (p speaker) status(s agent.Setting, restarts bool) Status {
	closed := slices.IndexFunc(s.Holds, func(h agent.Hold) bool { return h <= agent.AppTooOld })
	switch {
	case len(s.Holds) == 0:
		return p.open(s)
	case closed < 0:
		return p.held(s)
	}
	switch h := s.Holds[closed]; h {
	case agent.NoConfig:
		return Status{Tone: ui.Wait, Icon: "clock", Head: p.T("等待主机设置，暂时每笔都要验证", "Waiting for the host's settings; every payment needs the password"),
			Details: []string{p.T("收到后自动生效。请检查网络。", "They take effect by themselves. Check the network.")}}
	case agent.ConfigRefused:
		return Status{Tone: ui.Wait, Icon: "warn", Head: p.T("新设置无法识别，已改为每笔验证", "The newest setting is not understood; every payment needs the password"),
			Details: []string{p.T("已上报主机，请更新程序。", "The host has been told. Update the program.")}}
	case agent.AppTooOld:
		return Status{Tone: ui.Wait, Icon: "warn", Head: p.T("程序版本过旧，已改为每笔验证", "This program is too old; every payment needs the password"),
			Details: []string{p.T("请在“版本与更新”里更新。", "Update it under Versions.")}}
	}
	return p.shut(s, restarts)
}

// shut is PIN-free off, by whoever said so.
func (p speaker) shut(s agent.Setting, restarts bool) Status {
	since, by := p.cause(s)
	out := Status{Tone: ui.Safe, Icon: "shield"}
	from := ""
	if !since.IsZero() {
		from = p.T("，"+p.when(since)+" 起", " since "+p.when(since))
	}
	for _, yes := range []bool{s.Saved != nil, s.Pending != nil && s.RestartNeeded() && restarts} {
		if yes {
			out.Waiting++
		}
	}
	switch {
	case out.Waiting > 0 && s.RestartNeeded():
		out.Tone, out.Icon = ui.Wait, "clock"
		out.Head = p.T("已停用小额免密，还差重启才正式生效", "PIN-free is stopped; it is in force after a restart")
		out.Details = append(out.Details, p.T(fmt.Sprintf("%s 保存 · %d 项设置等待重启 · 现在起每笔都要密码", p.when(since), out.Waiting),
			fmt.Sprintf("Saved %s · %d setting(s) waiting · every payment already needs the password", p.when(since), out.Waiting)))
	case s.Receipt.InForce && s.LeaseLeft > 0 && s.Waiting == 0:
		out.Head = p.T("小额免密已关闭"+from+"，已证实", "PIN-free is off"+from+", proved")
		out.Details = append(out.Details, p.T("每笔都要密码或手机确认 · 主机 "+p.when(s.ReceiptAt)+" 核对", "Every payment needs the password · checked by the host "+p.when(s.ReceiptAt)))
	default:
		out.Tone, out.Icon, out.Waiting = ui.Wait, "clock", max(1, s.Waiting)
		out.Head = p.T("小额免密已关闭"+from+"，等待主机证实", "PIN-free is off"+from+"; the host has not confirmed yet")
		out.Details = append(out.Details, p.T("现在起每笔都要密码 · 连上主机后自动证实", "Every payment needs the password · proved once the host is reached"))
	}
	if by != "" {
		out.Details = append(out.Details, by)
	}
	if c := s.Consent(); c == "waiting" {
		out.Details = append(out.Details, p.T("重新开启的申请正等待第二人批准", "The request to open it waits for a second person"))
	}
	return out
}

// cause is since when it is off, and by whom: the newest that says so. The menu's
// OFF stays the menu's when the host has made it the terminal's policy.
func (p speaker) cause(s agent.Setting) (since time.Time, by string) {
	say := func(at time.Time, name, and string) {
		if since.IsZero() || at.After(since) {
			since, by = at, p.T("由"+name+"关闭", "Closed by "+name)+and
		}
	}
	for _, c := range []*protocol.Config{s.Running, s.Saved} {
		if c == nil || c.Allows(s.Now) {
			continue
		}
		at := c.TightenedAt
		if at.IsZero() {
			at = s.RunAt
		}
		name := p.T("主机", "the host")
		i := slices.IndexFunc(c.Because, func(b protocol.Say) bool { return !b.PinFree && levels[b.Level].ZH != "" })
		if i >= 0 {
			b := c.Because[i] // the one that binds first
			if s.RepeatsMenu(b) {
				continue
			}
			name = levels[b.Level].In(p.lang)
			if !b.Since.IsZero() {
				at = b.Since
			}
		}
		say(at, name, "")
	}
	for _, l := range []*protocol.Local{s.Local, s.Pending} {
		if l == nil || l.PinFree {
			continue
		}
		and := ""
		if s.Adopted(l) {
			and = p.T("，主机已确认", ", confirmed by the host")
		}
		say(l.At, p.T("本机菜单（"+p.author(l.Author)+"）", "this terminal's menu ("+p.author(l.Author)+")"), and)
	}
	return since, by
}

// author is who changed the menu. Names that the program gives are translated.
func (p speaker) author(name string) string {
	if n, ok := strings.CutPrefix(name, "operator "); ok {
		return p.T("操作员 "+n, "operator "+n)
	}
	if name == "storage damaged" {
		return p.T("存储损坏保护", "protection after damaged storage")
	}
	return name
}

// held is a setting that is on, and still nothing passes without a password.
func (p speaker) held(s agent.Setting) Status {
	out := Status{Tone: ui.Safe, Icon: "shield"}
	if s.Holds[0] == agent.HostHolds {
		out.Head = p.T("主机要求每笔验证", "The host wants every payment verified")
		for _, b := range s.Receipt.Because[:min(len(s.Receipt.Because), 2)] {
			out.Details = append(out.Details, b.In(p.lang))
		}
		return out
	}
	if s.Online && !s.ReceiptAt.IsZero() {
		out.Tone, out.Icon = ui.Wait, "clock"
		out.Head = p.T("等待主机证实，每笔都要验证", "Waiting for the host's confirmation; every payment needs the password")
		if s.RestartNeeded() {
			out.Waiting = 1
			out.Details = append(out.Details, p.T("1 项设置等待重启", "1 setting waits for a restart"))
		}
		return out
	}
	out.Head = p.T("联系不上主机，已自动改为每笔验证", "The host cannot be reached; every payment needs the password")
	if !s.ReceiptAt.IsZero() {
		out.Details = append(out.Details, p.T("最后一次核对："+p.when(s.ReceiptAt), "Last checked "+p.when(s.ReceiptAt)))
	}
	out.Details = append(out.Details, p.T("恢复联系后自动复原", "It comes back by itself with the network"))
	return out
}

// open is PIN-free on.
func (p speaker) open(s agent.Setting) Status {
	out := Status{Tone: ui.Plain, Icon: "tap", Head: p.T("小额免密已开启", "PIN-free payment is on")}
	if most := s.Effective.PerPayment; most != nil {
		out.Head = p.T("小额免密已开启，单笔不超过 "+p.amount(*most), "PIN-free payment is on, up to "+p.amount(*most))
	}
	since := s.RunAt
	if l := s.Local; l != nil && l.At.After(since) {
		since = l.At
	}
	out.Details = []string{p.T(p.when(since)+" 起 · 主机 "+p.when(s.ReceiptAt)+" 核对", "Since "+p.when(since)+" · checked by the host "+p.when(s.ReceiptAt))}
	if s.RestartNeeded() {
		out.Waiting, out.Tone, out.Icon = 1, ui.Wait, "clock"
		out.Details = append(out.Details, p.T("1 项设置等待重启", "1 setting waits for a restart"))
	}
	return out
}

// coverage of the setting's way, for the page that tells it.
type step struct {
	Name string
	At   string
	Done bool
	Now  bool // the next one
}

func (p speaker) steps(s agent.Setting) []step {
	saved, savedAt := s.Saved != nil || s.Running != nil, s.RunAt
	if s.Saved != nil {
		savedAt = s.SavedAt
	}
	if s.Pending != nil && s.Pending.At.After(savedAt) {
		savedAt = s.Pending.At
	}
	rebooted := saved && !s.RestartNeeded()
	reported := rebooted && s.Waiting == 0 && s.ReceiptAt.After(s.Boot.At)
	list := []step{
		{Name: p.T("已收到并保存", "Received and saved"), Done: saved, At: p.when(savedAt)},
		{Name: p.T("已重启，正在运行", "Restarted and running"), Done: rebooted, At: p.when(s.Boot.At)},
		{Name: p.T("已签名上报主机", "Reported to the host, signed"), Done: reported, At: p.when(s.ReceiptAt)},
		{Name: p.T("主机已证实生效", "Proved: in force"), Done: reported && s.Receipt.InForce, At: p.when(s.ReceiptAt)},
	}
	for i := range list {
		if !list[i].Done {
			list[i].Now, list[i].At = true, p.T("进行中", "next")
			for j := i + 1; j < len(list); j++ {
				list[j].At = ""
			}
			break
		}
	}
	return list
}
