package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/terminal/protocol"
)

const (
	answerMax   = 10 * time.Second // for a question to the database
	headerMax   = 10 * time.Second // for TLS and a request's header, on a slow link
	idleMax     = 75 * time.Second // longer than a long poll
	enrolMax    = 16 << 10         // a code and a request for a certificate
	headerBytes = 16 << 10
)

func (s *Service) server(ctx context.Context) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathEnrol, s.enrol)
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, Peer){
		"POST " + protocol.PathRenew: s.renew, "GET " + protocol.PathConfig: s.config,
		"POST " + protocol.PathReport: s.report, "GET " + protocol.PathEcho: s.echo,
	} {
		mux.Handle(pattern, s.terminal(serve))
	}
	if s.Updates != nil {
		mux.Handle(protocol.PathUpdate+"/", s.terminal(func(w http.ResponseWriter, r *http.Request, p Peer) {
			http.StripPrefix(protocol.PathUpdate, s.Updates(p)).ServeHTTP(w, r)
		}))
	}
	if s.Payments != nil {
		mux.Handle("/v1/", s.terminal(s.payments))
	}
	return &http.Server{
		Handler: mux, TLSConfig: s.host.TLS(tls.VerifyClientCertIfGiven), // enrolment comes without one
		ReadHeaderTimeout: headerMax, ReadTimeout: 2 * headerMax, IdleTimeout: idleMax, MaxHeaderBytes: headerBytes,
		// What has begun is answered: only long polls end with ctx.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ErrorLog:    log.New(io.Discard, "", 0), // every port scan would write a line
	}
}

// terminal serves a request of a terminal whose key is live now.
func (s *Service) terminal(serve func(http.ResponseWriter, *http.Request, Peer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := verified(r.TLS)
		if err != nil {
			s.fail(w, "", &mianmi.Error{Kind: mianmi.Unauthenticated, Code: "terminal_certificate_missing", Msg: "come with the terminal's certificate", Err: err})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), passMax)
		err = s.mayEnter(ctx, peer)
		cancel()
		if err != nil {
			s.fail(w, peer.ID, err)
			return
		}
		serve(w, r, peer)
	})
}

func (s *Service) payments(w http.ResponseWriter, r *http.Request, p Peer) {
	h, err := s.Payments(r.Context(), p)
	if err != nil {
		s.fail(w, p.ID, err)
		return
	}
	h.ServeHTTP(w, r)
}

func (s *Service) fail(w http.ResponseWriter, id mianmi.TerminalID, err error) {
	write(w, s.problem(id, err))
}

func write(w http.ResponseWriter, a protocol.Answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	body := []byte(a.Body)
	switch {
	case a.Status >= http.StatusBadRequest:
		h.Set("Content-Type", "application/problem+json")
	case a.Config != nil:
		h.Set("Content-Type", "application/json")
		body = a.Config
	case body != nil:
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // a terminal that has gone asks again
}

// enrol exchanges a code and a request for a certificate.
func (s *Service) enrol(w http.ResponseWriter, r *http.Request) {
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	if wait := s.failures.wait(from); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		write(w, protocol.Answer{Status: http.StatusTooManyRequests, Body: json.RawMessage(
			`{"title":"too many wrong enrolment codes from this address","status":429,"code":"too_many_requests"}`)})
		return
	}
	var in protocol.Enrolment
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, "", err)
		return
	}
	e, err := s.Enroller.Enrolment(r.Context(), in.Code)
	if err != nil {
		if mianmi.KindOf(err) == mianmi.Unauthenticated {
			s.failures.add(from)
		}
		s.fail(w, "", err)
		return
	}
	s.issue(r.Context(), w, certificateAsk{e.Terminal, in.CSR, func(ctx context.Context, id mianmi.TerminalID, k terminal.Key) error {
		if err := s.Terminals.AddKey(ctx, e, k); err != nil {
			return err
		}
		s.end(id) // whatever machine stood there before
		return nil
	}})
}

// end is Kick for one's own connections, where a failure is for the log.
func (s *Service) end(id mianmi.TerminalID) {
	if err := s.Kick(id); err != nil {
		s.Log.Error("the connections of a terminal without a valid key were not ended", "terminal", string(id), "error", err)
	}
}

func (s *Service) renew(w http.ResponseWriter, r *http.Request, p Peer) {
	var in protocol.Renewal
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, p.ID, err)
		return
	}
	s.issue(r.Context(), w, certificateAsk{p.ID, in.CSR, s.Terminals.RenewKey})
}

// certificateAsk asks for a certificate; keep notes its key.
type certificateAsk struct {
	id   mianmi.TerminalID
	csr  []byte
	keep func(ctx context.Context, id mianmi.TerminalID, k terminal.Key) error
}

// issue signs a certificate, and answers with it once its key is known to every node.
func (s *Service) issue(ctx context.Context, w http.ResponseWriter, ask certificateAsk) {
	now, id := s.Clock.Now().UTC(), ask.id
	c, err := s.CA.IssueTerminal(s.Random, id, ask.csr, now)
	if err == nil {
		err = ask.keep(ctx, id, terminal.Key{ID: c.KeyID, Public: c.Public, Serial: c.Serial, IssuedAt: now, NotAfter: c.NotAfter})
	}
	if err != nil {
		s.fail(w, id, err)
		return
	}
	body, err := json.Marshal(protocol.Enrolled{Terminal: id, Certificates: [][]byte{c.Certificate, s.CA.Certificate()}, MQTT: s.MQTT(), NotAfter: c.NotAfter})
	if err != nil {
		s.fail(w, id, err)
		return
	}
	write(w, protocol.Answer{Status: http.StatusOK, Body: body})
}

// config answers at once when there is something newer, else when there is, or
// when the wait is over.
func (s *Service) config(w http.ResponseWriter, r *http.Request, p Peer) {
	have, wait, err := configQuery(r)
	if err != nil {
		s.fail(w, p.ID, err)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the body is read; what follows is waiting
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		news := s.hints.asked(p.ID, have)
		ctx, cancel := context.WithTimeout(r.Context(), answerMax)
		b, _, err := s.Terminals.Deliver(ctx, p.ID, have)
		cancel()
		if err != nil {
			s.fail(w, p.ID, err)
			return
		}
		if b != nil {
			write(w, protocol.Answer{Status: http.StatusOK, Config: b})
			return
		}
		select {
		case <-news:
			continue
		case <-over.C:
		case <-s.stopping:
		case <-r.Context().Done():
		}
		write(w, protocol.Answer{Status: http.StatusNoContent})
		return
	}
}

func configQuery(r *http.Request) (have int64, wait time.Duration, err error) {
	q := r.URL.Query()
	if have, err = strconv.ParseInt(q.Get("have"), 10, 64); err != nil || have < 0 {
		return 0, 0, mianmi.InvalidField("have", "want the version that is there, 0 for none")
	}
	if text := q.Get("wait"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if wait = time.Duration(seconds) * time.Second; err != nil || wait > protocol.WaitMax { //nolint:gosec // 16 bits
			return 0, 0, mianmi.InvalidField("wait", "want 0 to 55 seconds")
		}
	}
	return have, wait, nil
}

func (s *Service) report(w http.ResponseWriter, r *http.Request, p Peer) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.ReportMax))
	if err != nil {
		s.fail(w, p.ID, mianmi.InvalidField("report", "is cut short, or longer than 32 KiB"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerMax)
	defer cancel()
	write(w, s.reply(ctx, question{id: p.ID, kind: "report"}, body))
}

// nonceMax bounds what echo gives back.
const nonceMax = 64

// echo proves to a terminal that it speaks with its host, and how long that takes.
// Only one that asks is told of channels: that may take a moment, and a terminal
// that does not know them reads no more than a short answer.
func (s *Service) echo(w http.ResponseWriter, r *http.Request, p Peer) {
	q := r.URL.Query()
	nonce := q.Get("nonce")
	said := protocol.Echo{Terminal: p.ID, Nonce: nonce[:min(len(nonce), nonceMax)]}
	if s.Channels != nil && q.Get("channels") == "1" {
		ctx, cancel := context.WithTimeout(r.Context(), answerMax)
		said.Channels = s.Channels(ctx, p)
		cancel()
	}
	body, err := json.Marshal(said)
	if err != nil {
		panic(err) // texts and numbers
	}
	write(w, protocol.Answer{Status: http.StatusOK, Body: body})
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, enrolMax))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return mianmi.InvalidField("body", "is not the JSON that is wanted here: "+err.Error())
	}
	return nil
}
