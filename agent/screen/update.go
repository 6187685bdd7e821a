package screen

import (
	"net/http"
	"strconv"

	"github.com/mianmi/mianmi/agent"
)

// UpdatePage shows versions: what runs, what waits, what was refused and why.
type UpdatePage struct {
	Frame
	Facts []fact
	Old   bool
	Here  bool   // updates come from the host
	Next  string // waits for the restart
	None  string // why there is nothing to install
	Fault string
}

func (s *Server) update(q *request) {
	t := s.Terminal
	u := t.Updates()
	p := UpdatePage{Frame: q.frame(q.T("版本与更新", "Versions and updates")), Here: u.Here, Next: u.Next}
	for _, h := range q.set.Holds {
		p.Old = p.Old || h == agent.AppTooOld
	}
	p.Facts = append(q.versions(u), fact{q.T("免密要求的最低版本", "Least for PIN-free"), orNone(q.set.Effective.AppMin, q.T("不限", "any")), ""},
		fact{q.T("机型", "Model"), t.Model.Name.In(q.lang), ""}, fact{q.T("系统", "System"), t.Device.OS, ""}, fact{q.T("固件", "Firmware"), orNone(t.Device.Firmware, q.T("未知", "not known")), ""},
		fact{q.T("终端编号", "Terminal"), string(t.ID()), ""}, fact{q.T("证书有效至", "Certificate until"), t.Until().In(q.zone).Format("2006-01-02"), ""})
	switch {
	case !u.Here || u.Next != "" || u.Coming != "" || u.Refused != nil || u.Held != "" && !u.Failed:
	case u.Failed:
		p.Fault = q.T("查不到更新，请检查网络", "Updates could not be looked up; check the network")
	case u.None:
		p.None = q.T("主机目前不提供更新", "The host offers no updates")
	case !u.At.IsZero() && !u.Trial:
		p.None = q.T("已是最新版本", "This is the newest version")
	}
	q.draw(http.StatusOK, updatePage(p))
}

// versions say which program runs, which waits, and why one was refused.
func (q *request) versions(u agent.Updates) []fact {
	present := fact{Name: q.T("运行的程序", "Program that runs"), Value: u.Present}
	for _, h := range q.set.Holds {
		if h == agent.AppTooOld {
			present.Tone = "wait"
		}
	}
	if u.Trial {
		present.Value, present.Tone = present.Value+q.T("（等待主机证实）", " (not confirmed by the host yet)"), "wait"
	}
	list := []fact{present}
	if u.Next != "" {
		list = append(list, fact{q.T("等待重启的程序", "Program that waits for a restart"), u.Next, "wait"})
	}
	if u.Coming != "" {
		list = append(list, fact{q.T("正在下载", "On its way"), u.Coming + " · " + strconv.Itoa(u.Percent) + " %", ""})
	}
	if u.Held != "" {
		list = append(list, fact{q.T("稍后下发的更新", "Update that comes later"), u.Held + q.T("：分批下发，轮到本机时自动下载，无需操作", ": it comes in stages, and by itself when it is this terminal's turn"), ""})
	}
	if r := u.Refused; r != nil {
		name := q.T("被拒绝的更新", "Update that was refused")
		list = append(list, fact{name, orNone(r.Version, q.T("全部", "all")) + q.T("：", ": ") + r.Kind.Words().In(q.lang), "harm"})
	}
	if !u.At.IsZero() {
		list = append(list, fact{q.T("上次查询更新", "Updates looked up"), q.when(u.At), ""})
	}
	return list
}

func orNone(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

// look asks the host for updates now; what comes is shown when it is here.
func (s *Server) look(q *request) {
	if err := s.Terminal.LookForUpdate(); err != nil {
		s.Log.Error("updates could not be looked for", "error", err)
	}
	q.to("/menu/update")
}
