package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// bus carries hints to terminals, and what they ask to one of the hosts that
// listen.
type bus struct {
	s    *Service
	conn *nats.Conn
	sub  *nats.Subscription
	kick func(mianmi.TerminalID) error
	also func() // ends what belongs to the way in
}

const (
	// hostsQueue makes one host of several answer a question.
	hostsQueue = "mianmi"
	// asksMax bounds the questions that a node answers at once: some full batches
	// of each kind (terminal), whose questions share one connection to the database.
	asksMax = 512
	// waitingMax bounds questions that wait: those of every terminal of a node
	// at once. More are dropped, and asked again by whoever asked.
	waitingMax      = 50_000
	waitingBytesMax = 256 << 20
)

func openBus(ctx context.Context, conn *nats.Conn, s *Service) (*bus, error) {
	b := &bus{s: s, conn: conn}
	var err error
	b.sub, err = conn.QueueSubscribe(subjectAsks, hostsQueue, func(m *nats.Msg) { b.take(ctx, m) })
	if err == nil {
		err = b.sub.SetPendingLimits(waitingMax, waitingBytesMax)
	}
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen to terminals: %w", err)
	}
	return b, nil
}

func (b *bus) publish(subject string, data []byte) error { return b.conn.Publish(subject, data) }

// take answers one question while others are answered.
func (b *bus) take(ctx context.Context, m *nats.Msg) {
	select {
	case b.s.asks <- struct{}{}:
	case <-ctx.Done():
		return
	}
	b.s.done.Go(func() {
		defer func() { <-b.s.asks }()
		b.answer(ctx, m)
	})
}

// question is a subject of subjectAsks, taken apart.
type question struct {
	id   mianmi.TerminalID
	kind string
	n    string
}

// askNumberMax is what JSON numbers hold exactly.
const askNumberMax = 1 << 53

func parseQuestion(subject string) (question, bool) {
	rest, ok := strings.CutPrefix(subject, subjectRoot)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 4 || parts[1] != "ask" {
		return question{}, false
	}
	n, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || n < 1 || n > askNumberMax {
		return question{}, false
	}
	return question{mianmi.TerminalID(parts[0]), parts[2], strconv.FormatInt(n, 10)}, true
}

func (b *bus) answer(ctx context.Context, m *nats.Msg) {
	q, ok := parseQuestion(m.Subject)
	if !ok {
		return // there is nobody to tell
	}
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	text, err := json.Marshal(b.s.reply(ctx, q, m.Data))
	if err == nil {
		err = b.publish(subjectAnswer(q.id, q.n), text)
	}
	if err != nil {
		b.s.Log.Warn("a terminal was not answered", "terminal", string(q.id), "error", err)
	}
}

// reply is the answer to a question, whatever carries it.
func (s *Service) reply(ctx context.Context, q question, body []byte) protocol.Answer {
	switch q.kind {
	case "config":
		var ask protocol.ConfigAsk
		if err := json.Unmarshal(body, &ask); err != nil || ask.Have < 0 {
			return s.problem(q.id, mianmi.InvalidField("have", "want the version that is there, 0 for none"))
		}
		s.hints.asked(q.id, ask.Have)
		config, _, err := s.Terminals.Deliver(ctx, q.id, ask.Have)
		if err != nil {
			return s.problem(q.id, err)
		}
		if config == nil {
			return protocol.Answer{Status: http.StatusNoContent}
		}
		return protocol.Answer{Status: http.StatusOK, Config: config}
	case "report":
		receipt, err := s.Terminals.Report(ctx, q.id, body)
		if err != nil {
			return s.problem(q.id, err)
		}
		text, err := json.Marshal(receipt)
		if err != nil {
			return s.problem(q.id, err)
		}
		return protocol.Answer{Status: http.StatusOK, Body: text}
	}
	return s.problem(q.id, mianmi.Missing("question"))
}

// problem is an error as a terminal reads it (RFC 9457).
func (s *Service) problem(id mianmi.TerminalID, err error) protocol.Answer {
	status, doc := problemOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("a terminal's question failed", "terminal", string(id), "error", err)
	}
	return protocol.Answer{Status: status, Body: doc}
}

// statuses of kinds, for terminals.
var statuses = map[mianmi.Kind]int{
	mianmi.Invalid: http.StatusBadRequest, mianmi.Unauthenticated: http.StatusUnauthorized, mianmi.Denied: http.StatusForbidden,
	mianmi.NotFound: http.StatusNotFound, mianmi.Conflict: http.StatusConflict, mianmi.Unavailable: http.StatusServiceUnavailable,
}

func problemOf(err error) (int, []byte) {
	status, known := statuses[mianmi.KindOf(err)]
	doc := struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code,omitempty"`
		Field  string `json:"field,omitempty"`
	}{Title: "something went wrong here; it is in the host's log", Status: http.StatusInternalServerError}
	var e *mianmi.Error
	if known && errors.As(err, &e) {
		doc.Title, doc.Status, doc.Code, doc.Field = e.Msg, status, e.Code, e.Field
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // four plain fields
	}
	return doc.Status, b
}

func (b *bus) close() {
	b.conn.Close()
	if b.also != nil {
		b.also()
	}
}
