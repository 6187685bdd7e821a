// Package screen is a terminal's own screen: pages for a kiosk browser on the
// same machine, in large type, for touch and for a numeric keypad, in Chinese
// and English. They work without scripts; with them, they follow what happens.
//
// What a terminal does is agent's; a page shows it and passes on what was
// pressed.
package screen

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent"
	"github.com/mianmi/mianmi/web/static"
	"github.com/mianmi/mianmi/web/ui"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate

// Parts are what a screen needs.
type Parts struct {
	Terminal *agent.Terminal
	Clock    mianmi.Clock
	Random   io.Reader
	Zone     *time.Location // of the place, for times on the screen
	Lang     mianmi.Lang    // until somebody chooses
	Log      *slog.Logger
}

// Server answers the screen's requests.
type Server struct {
	Parts
	mux  *http.ServeMux
	csrf string // of this boot: the screen has one user

	mu       sync.Mutex
	lang     mianmi.Lang
	session  string // of whoever is signed in at the menu; empty: nobody
	author   string
	sessions time.Time // its end
	told     time.Time // when the last trouble was reported
}

// sessionLife is how long an operator stays signed in without a touch.
const sessionLife = 5 * time.Minute

// New returns a Server.
func New(p Parts) (*Server, error) {
	s := &Server{Parts: p, mux: http.NewServeMux(), lang: p.Lang}
	var err error
	if s.csrf, err = s.token(); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func (s *Server) token() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

func (s *Server) routes() {
	s.mux.Handle("GET "+static.Prefix, static.Handler())
	s.mux.HandleFunc("GET /live", s.live)
	for route, fn := range map[string]func(*request){
		"GET /{$}": s.idle, "POST /lang": s.chooseLang, "GET /setup": s.setup, "POST /setup": s.doSetup,
		"POST /pay/begin": s.begin, "GET /pay": s.pay, "POST /pay/choose": s.choose, "POST /pay/read": s.read,
		"POST /pay/pin": s.pin, "POST /pay/digit": s.digit, "POST /pay/cancel": s.cancel, "POST /pay/next": s.next, "POST /pay/leave": s.leave,
		"POST /pay/reverse": s.reverse, "GET /slips": s.slips, "GET /slips/{no}": s.slip,
		"POST /trouble": s.trouble, "GET /trouble": s.troubled,
		"GET /signin": s.signIn, "POST /signin": s.doSignIn, "POST /signout": s.signOut, "GET /offline": s.idle,
		"GET /menu": s.menu, "GET /menu/pin_free": s.pinFree, "POST /menu/pin_free": s.savePinFree, "GET /menu/status": s.showStatus,
		"GET /menu/methods": s.methods, "GET /menu/test": s.test, "POST /menu/test": s.doTest, "POST /menu/check": s.check,
		"GET /menu/network": s.network, "POST /menu/network": s.checkNetwork, "GET /menu/update": s.update, "POST /menu/update": s.look,
		"GET /menu/slips": s.slips, "GET /menu/restart": s.restart, "POST /menu/restart": s.doRestart,
		"GET /menu/password": s.password, "POST /menu/password": s.setPassword,
	} {
		s.mux.HandleFunc(route, s.handle(route, fn))
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if !local(r.Host) { // a name that leads here from elsewhere (DNS rebinding)
		http.Error(w, "this screen is for the terminal's own browser", http.StatusMisdirectedRequest)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// request is one request and what all pages need.
type request struct {
	speaker
	s   *Server
	w   http.ResponseWriter
	r   *http.Request
	set agent.Setting
}

// formMax bounds a form: an amount, a code, a password.
const formMax = 4 << 10

// handle wraps a page: forms are ours, a terminal without a password is set up
// first, the menu is for whoever is signed in.
func (s *Server) handle(route string, fn func(*request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		lang := s.lang
		s.mu.Unlock()
		q := &request{s: s, w: w, r: r, set: s.Terminal.Setting(), speaker: speaker{lang: lang, zone: s.Zone, now: s.Clock.Now()}}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, formMax)
			if subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(s.csrf)) != 1 {
				q.to("/") // a page from before the last restart
				return
			}
			s.Terminal.Used()
		}
		free := strings.HasSuffix(route, "/setup") || strings.HasSuffix(route, "/lang")
		if !free && !s.Terminal.PasswordSet() {
			q.to("/setup")
			return
		}
		if strings.Contains(route, " /menu") && !s.signedIn(r) {
			q.to("/signin")
			return
		}
		fn(q)
	}
}

// signedIn reports whether the request comes from whoever is signed in, and
// extends that.
func (s *Server) signedIn(r *http.Request) bool {
	c, err := r.Cookie("operator")
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	if err != nil || s.session == "" || !now.Before(s.sessions) || subtle.ConstantTimeCompare([]byte(c.Value), []byte(s.session)) != 1 {
		return false
	}
	s.sessions = now.Add(sessionLife)
	return true
}

// to sends the browser to another page.
func (q *request) to(path string) { http.Redirect(q.w, q.r, path, http.StatusSeeOther) }

// form is a value of the form.
func (q *request) form(name string) string { return q.r.PostFormValue(name) }

// frame is the frame of this page.
func (q *request) frame(title string) Frame {
	return Frame{speaker: q.speaker, CSRF: q.s.csrf, Path: q.r.URL.Path, Name: q.set.Effective.Name, Store: q.set.Effective.Store, Online: q.set.Online,
		View: q.s.viewKey(), Page: ui.Page{Lang: q.lang, Title: title, Class: "pos", Live: "/live", Boot: q.set.Boot.ID,
			Styles: []string{static.URL("weui.css"), static.URL("pos.css")}, Scripts: []string{static.URL("htmx.js"), static.URL("pos.js")}}}
}

// draw writes a page.
func (q *request) draw(status int, page templ.Component) {
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	if err := page.Render(q.r.Context(), q.w); err != nil && q.r.Context().Err() == nil {
		q.s.Log.Error("a page could not be drawn", "path", q.r.URL.Path, "error", err)
	}
}

func (s *Server) chooseLang(q *request) {
	s.mu.Lock()
	s.lang = mianmi.ParseLang(q.form("to"))
	s.mu.Unlock()
	back := q.form("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") {
		back = "/"
	}
	q.to(back)
}

// viewKey changes when there is something else to see.
func (s *Server) viewKey() string {
	v, set, f := s.Terminal.Till.View(), s.Terminal.Setting(), s.Terminal.Network()
	state := ""
	if v.Payment != nil {
		state = v.Payment.State
	}
	undone := ""
	if v.Slip != nil {
		undone = v.Slip.State
	}
	return fmt.Sprint(v.Stage, v.Order.No, state, v.Note.EN, v.QR != "", undone, v.Calling, len(v.Open), set.Holds, set.Online, set.Waiting > 0,
		set.RestartNeeded(), set.Consent(), set.Receipt.InForce, f.Verdict, s.channelsKey(), set.Effective.Version, len(set.Checks), s.Terminal.TroublesWaiting())
}

// live tells the browser when there is something else to see (Server-Sent
// Events): it then asks for the page again.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(event, data string) error {
		if err := c.SetWriteDeadline(s.Clock.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return err
		}
		return c.Flush()
	}
	if say("boot", s.Terminal.Setting().Boot.ID) != nil {
		return
	}
	last := ""
	for {
		changed := s.Terminal.Changed()
		if key := s.viewKey(); key != last {
			last = key
			if say("view", key) != nil {
				return
			}
		}
		if !s.waitChange(r.Context(), changed) {
			return
		}
	}
}

// liveMax ends a stream now and then; the browser comes back.
const liveMax = 50 * time.Second

func (s *Server) waitChange(ctx context.Context, changed <-chan struct{}) bool {
	t := time.NewTimer(liveMax)
	defer t.Stop()
	select {
	case <-changed:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}
