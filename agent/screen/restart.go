package screen

import (
	"net/http"
	"time"
)

// RestartPage asks, and then tells that it is under way.
type RestartPage struct {
	Frame
	Now     bool
	Waiting bool
	Fault   string
}

func (s *Server) restart(q *request) {
	q.draw(http.StatusOK, restartPage(RestartPage{Frame: q.frame(q.T("重启终端", "Restart")), Waiting: q.set.RestartNeeded()}))
}

// restartAfter lets the answer reach the browser first.
const restartAfter = 400 * time.Millisecond

func (s *Server) doRestart(q *request) {
	p := RestartPage{Frame: q.frame(q.T("正在重启", "Restarting")), Now: true}
	if s.Terminal.Till.Busy() {
		p.Now, p.Fault = false, q.T("正在收款，请先完成或取消", "A payment is under way: finish it or call it off")
		q.draw(http.StatusConflict, restartPage(p))
		return
	}
	p.Page.Refresh = 3
	q.draw(http.StatusOK, restartPage(p))
	time.AfterFunc(restartAfter, func() {
		if err := s.Terminal.Reboot(); err != nil {
			s.Log.Error("the restart failed", "error", err)
		}
	})
}
