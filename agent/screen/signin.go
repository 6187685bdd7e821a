package screen

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
)

// SetupPage sets the operator password at the first start.
type SetupPage struct {
	Frame
	Change bool // later, from the menu
	Fault  string
}

// fault says what is wrong with a password.
func (q *request) fault(err error) string {
	var e *mianmi.Error
	if !errors.As(err, &e) {
		return q.T("没能保存，请重试", "It could not be saved; try again")
	}
	switch e.Code {
	case "password_weak":
		return q.T("太容易猜到：不要用连号、重复或叠号", "Too easy to guess: no runs, no repeats")
	case "password_wrong":
		return q.T("密码不对", "The password is wrong")
	case "locked":
		n := int(e.RetryAfter/time.Minute) + 1
		return q.T("输错次数过多，请 "+strconv.Itoa(n)+" 分钟后再试", "Too many wrong tries; wait "+strconv.Itoa(n)+" minute(s)")
	}
	return q.T("密码为 8 到 16 位数字", "The password has 8 to 16 digits")
}

func (s *Server) setup(q *request) {
	if s.Terminal.PasswordSet() {
		q.to("/")
		return
	}
	q.draw(http.StatusOK, setupPage(SetupPage{Frame: q.frame(q.T("首次启动", "First start"))}))
}

func (s *Server) doSetup(q *request) {
	if s.Terminal.PasswordSet() { // only the first start sets it without the old one
		q.to("/")
		return
	}
	p := SetupPage{Frame: q.frame(q.T("首次启动", "First start"))}
	if q.form("password") != q.form("again") {
		p.Fault = q.T("两次输入不一样", "The two are not the same")
	} else if err := s.Terminal.SetPassword("", q.form("password")); err != nil {
		p.Fault = q.fault(err)
	}
	if p.Fault != "" {
		q.draw(http.StatusUnprocessableEntity, setupPage(p))
		return
	}
	q.to("/")
}

func (s *Server) password(q *request) {
	q.draw(http.StatusOK, setupPage(SetupPage{Frame: q.frame(q.T("操作员密码", "Operator password")), Change: true}))
}

func (s *Server) setPassword(q *request) {
	p := SetupPage{Frame: q.frame(q.T("操作员密码", "Operator password")), Change: true}
	if q.form("password") != q.form("again") {
		p.Fault = q.T("两次输入不一样", "The two are not the same")
	} else if err := s.Terminal.SetPassword(q.form("old"), q.form("password")); err != nil {
		p.Fault = q.fault(err)
	}
	if p.Fault != "" {
		q.draw(http.StatusUnprocessableEntity, setupPage(p))
		return
	}
	q.to("/menu")
}

// SignInPage asks for the operator password.
type SignInPage struct {
	Frame
	Number string
	Fault  string
}

func (s *Server) signIn(q *request) {
	if s.signedIn(q.r) {
		q.to("/menu")
		return
	}
	q.draw(http.StatusOK, signInPage(SignInPage{Frame: q.frame(q.T("操作员登录", "Operator sign-in")), Number: "1"}))
}

// numberMax bounds an operator's number: no person's data, a digit or four.
const numberMax = 4

func (s *Server) doSignIn(q *request) {
	number := q.form("number")
	p := SignInPage{Frame: q.frame(q.T("操作员登录", "Operator sign-in")), Number: number}
	if number == "" || len(number) > numberMax || strings.Trim(number, "0123456789") != "" {
		p.Number, p.Fault = "1", q.T("操作员编号为 1 到 4 位数字", "An operator's number has 1 to 4 digits")
	} else if err := s.Terminal.SignIn(q.form("password")); err != nil {
		p.Fault = q.fault(err)
	}
	if p.Fault != "" {
		q.draw(http.StatusUnprocessableEntity, signInPage(p))
		return
	}
	session, err := s.token()
	if err != nil {
		p.Fault = q.fault(err)
		q.draw(http.StatusInternalServerError, signInPage(p))
		return
	}
	s.mu.Lock()
	s.session, s.author, s.sessions = session, "operator "+number, s.Clock.Now().Add(sessionLife)
	s.mu.Unlock()
	// Not Secure: the screen is plain HTTP on the loopback interface alone.
	http.SetCookie(q.w, &http.Cookie{Name: "operator", Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // as said
	q.to("/menu")
}

func (s *Server) signOut(q *request) {
	s.mu.Lock()
	s.session = ""
	s.mu.Unlock()
	q.to("/")
}
