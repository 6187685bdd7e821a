package api

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice/inbox"
)

const (
	// noticesEvery is how soon something that another node did, or that is no
	// payment, is seen. It bounds what streams cost: four small queries each.
	noticesEvery = 5 * time.Second
	// noticesShown are the newest, in which a stream sees what is new or has changed.
	noticesShown = 50
	// noticesOverlap is sent once more when a stream is taken up again: a
	// transaction may commit that much after the time in its identifiers.
	noticesOverlap = 10 * time.Second
	// streamsOwn bounds the streams of one payer, a phone and a few windows, and
	// streamsMax those of a node: with noticesEvery they ask 800 queries a second.
	streamsOwn, streamsMax = 4, 1000
)

// streams counts those that are open.
type streams struct {
	mu  sync.Mutex
	own map[mianmi.PayerID]int
	all int
}

// open takes a place for a stream, and returns how to give it back.
func (s *streams) open(id mianmi.PayerID) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.own[id] >= streamsOwn:
		return nil, transport("too_many_requests", "this payer has as many streams as one may have")
	case s.all >= streamsMax:
		return nil, &mianmi.Error{Kind: mianmi.Unavailable, Msg: "there are too many streams at once", RetryAfter: eventsBeat}
	}
	if s.own == nil {
		s.own = map[mianmi.PayerID]int{}
	}
	s.own[id]++
	s.all++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.own[id]--; s.own[id] == 0 {
			delete(s.own, id)
		}
	}, nil
}

func describeNoticeEvents(schemas huma.Registry, op *huma.Operation) {
	text := &huma.Schema{Type: huma.TypeString}
	op.Parameters = append(op.Parameters, &huma.Param{Name: "payer", In: "path", Required: true, Schema: text},
		&huma.Param{Name: "Last-Event-ID", In: "header", Schema: text, Description: "id of the last event that came"})
	op.Responses["200"] = &huma.Response{Description: "A stream of events; data of notice is a notice",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schemas.Schema(reflect.TypeFor[Notice](), true, "")}}}
}

func (s *Server) noticeEvents(c *call) {
	id, err := payerID(c.actor, c.r.PathValue("payer"))
	if err != nil {
		s.fail(c, err)
		return
	}
	n := noticeStream{server: s, call: c, payer: id}
	if n.since, err = sinceOf(c.r.Header.Get("Last-Event-ID")); err != nil {
		s.fail(c, err)
		return
	}
	end, err := s.streams.open(id)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer end()
	s.stream(c, id, noticesEvery, n.look)
}

// sinceOf reads the identifier of an event: the time, in milliseconds, of the
// change that it told of. Without one it is zero.
func sinceOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 1 {
		return time.Time{}, mianmi.InvalidField("Last-Event-ID", "not the id of an event of this stream")
	}
	return time.UnixMilli(ms), nil
}

// noticeStream is what one stream has told.
type noticeStream struct {
	server *Server
	call   *call
	payer  mianmi.PayerID
	since  time.Time         // up to where an earlier stream came; zero: there was none
	sent   map[string]string // of the newest notices, what was last told of each
	unread int
}

// look tells of what is new. At the start that is what came since the earlier
// stream, or nothing but how much is unread.
func (n *noticeStream) look(ctx context.Context) error {
	asked, cancel := context.WithTimeout(ctx, n.server.cfg.Deadline)
	defer cancel()
	page, err := n.server.Inbox.Notices(asked, n.call.actor, n.payer, "", noticesShown)
	if err != nil {
		return err
	}
	first, shown := n.sent == nil, make(map[string]string, len(page.Notices))
	from := n.since.Add(-noticesOverlap)
	if k := len(page.Notices); first && !n.since.IsZero() && k == noticesShown && page.Notices[k-1].At.After(from) {
		if err := n.server.sendEvent(n.call, "event: reset\ndata: {}\n\n"); err != nil {
			return err
		}
	}
	for i := len(page.Notices) - 1; i >= 0; i-- { // the oldest first
		p := &page.Notices[i]
		text, err := tellNotice(p)
		if err != nil {
			return err
		}
		tell := n.sent[p.ID] != text
		if first {
			tell = !n.since.IsZero() && !p.ChangedAt.Before(from)
		}
		if shown[p.ID] = text; !tell {
			continue
		}
		if err := n.server.sendEvent(n.call, fmt.Sprintf("event: notice\nid: %d\ndata: %s\n\n", n.upto(p), text)); err != nil {
			return err
		}
	}
	n.sent = shown
	if !first && n.unread == page.Unread {
		return nil
	}
	n.unread = page.Unread
	return n.server.sendEvent(n.call, fmt.Sprintf("event: unread\ndata: {\"unread\":%d}\n\n", page.Unread))
}

// upto is the latest change that was told of: what a stream begins with when it
// is taken up again.
func (n *noticeStream) upto(p *inbox.Notice) int64 {
	if p.ChangedAt.After(n.since) {
		n.since = p.ChangedAt
	}
	return n.since.UnixMilli()
}

// tellNotice is a notice as an event carries it. Whether it was read is the
// event unread's to say: it must not make a notice another one.
func tellNotice(p *inbox.Notice) (string, error) {
	v := showNotice(p)
	v.Unread = false
	text, err := json.Marshal(v)
	return string(text), err
}
