package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/store"
)

// listener is the receiver of a webhook that is told of everything. It stands
// in this process, so it outlives every server; now and then it refuses a
// message, as receivers do.
type listener struct {
	got    atomic.Pointer[notice.Receiver] // nil: the webhook is not made yet
	hook   client.Webhook
	url    string
	server *http.Server

	mu      sync.Mutex
	refused map[int64]bool // sequences that were refused once
}

const (
	// refuseEvery is which messages are refused at their first try.
	refuseEvery = 17
	// clockTolerance is above what a wrong clock is off (see clocks).
	clockTolerance = 11 * time.Minute
	// parallel is how many messages are under way at once: a backlog of what was
	// made while the sender was dead has to be worked off.
	parallel = 32
	// listenMax bounds a request to the listener.
	listenMax = 15 * time.Second
)

// listen starts a listener and makes its webhook.
func listen(ctx context.Context, operator *client.Client) (*listener, error) {
	at, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &listener{url: "http://" + at.Addr().String() + "/", refused: map[int64]bool{}}
	l.server = &http.Server{Handler: l, ReadTimeout: listenMax, WriteTimeout: listenMax}
	go l.server.Serve(at) //nolint:errcheck // ends with close
	if l.hook, err = operator.CreateWebhook(ctx, client.NewWebhook{URL: l.url, Parallel: parallel}); err != nil {
		l.close()
		return nil, fmt.Errorf("make the webhook: %w", err)
	}
	r, err := newReceiver(l.hook.Secret, l.take)
	l.got.Store(r)
	return l, err
}

func newReceiver(key string, take func(notice.Received) int) (*notice.Receiver, error) {
	r, err := notice.NewReceiver(mianmi.ClockFunc(time.Now), key)
	if err == nil {
		r.Take, r.Tolerance = take, clockTolerance
	}
	return r, err
}

func (l *listener) close() {
	if l != nil {
		_ = l.server.Close()
	}
}

// ServeHTTP takes a message.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if got := l.got.Load(); got != nil {
		got.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (l *listener) take(m notice.Received) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Sequence%refuseEvery != 0 || l.refused[m.Sequence] {
		delete(l.refused, m.Sequence)
		return http.StatusNoContent
	}
	l.refused[m.Sequence] = true
	return http.StatusServiceUnavailable
}

// untoldMax is how long nothing may move of what waits to be told, once the
// load has ended and the servers run: the lease of a server that was killed
// lasts 10 s, and a webhook that failed ten times in a row may rest as long.
const untoldMax = 2 * time.Minute

// checkTold waits until everything is told, and compares what the listener got
// with the journal and with all rows.
func (s *stage) checkTold(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, insideMax)
	defer cancel()
	db, err := s.target.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if told, err := s.allTold(ctx, db); err != nil || !told {
		return err
	}
	got := s.listener.got.Load()
	s.compareTold(got)
	return db.EachTellable(ctx, s.listener.hook.CreatedAt, func(f notice.Fact) error {
		was := got.Has(f.Subject, f.Seq)
		if f.Ref != "" {
			was = got.HasEntry(mianmi.EntryID(f.Ref))
		}
		s.verdict.check(Told, was, "nobody was told of version %d of %s %s", f.Seq, f.Subject, f.Ref)
		return nil
	})
}

// allTold waits until nothing waits, as long as something moves.
func (s *stage) allTold(ctx context.Context, db *store.DB) (bool, error) {
	type look struct{ facts, numbered, waiting, messages int64 }
	var last look
	for moved := time.Now(); ; {
		facts, err := db.OutboxStats(ctx)
		if err != nil {
			return false, err
		}
		q, err := db.Queue(ctx, s.listener.hook.ID)
		if err != nil {
			return false, err
		}
		now := look{facts.Facts, q.Numbered, q.Waiting, int64(s.listener.got.Load().Report().Messages)}
		switch {
		case now.facts == 0 && now.waiting == 0:
			s.verdict.check(Told, q.Dead == 0, "%d messages were given up", q.Dead)
			return true, nil
		case now != last:
			last, moved = now, time.Now()
		case time.Since(moved) > untoldMax:
			s.verdict.broken(Told, "for %v nothing was told of %d facts and %d messages that wait; the webhook: %+v", untoldMax, now.facts, now.waiting, q)
			return false, nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return false, ctx.Err()
		}
	}
}

// compareTold holds what came to its order and to the journal.
func (s *stage) compareTold(got *notice.Receiver) {
	r := got.Report()
	s.verdict.check(Told, r.OK(), "of the messages up to %d some are missing, forged or out of order: %+v", r.Last, r)
	s.tally.messages, s.tally.again = int64(r.Messages), int64(r.Repeats)
	for _, p := range s.paid {
		if p.id == "" {
			continue
		}
		version := int64(1)
		if p.refunded > 0 || p.state == "reversed" {
			version = 2
		}
		s.verdict.check(Told, got.Has(string(p.id), version), "%s was acknowledged as %s %s, and nobody was told of it", p.order, p.id, p.state)
	}
}
