package fleet

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// hints tells terminals that there is something newer for them. It looks at the
// number of the newest change a few times a second, so it needs to be told by
// nobody, on any node.
type hints struct {
	s *Service

	mu    sync.Mutex
	seen  map[mianmi.TerminalID]*watched // terminals that have asked here
	epoch int64
}

// watched is a terminal that has asked this node for its config.
type watched struct {
	told  int64         // newest version that it has, or was told of
	asked time.Time     // last
	news  chan struct{} // closed and made anew when there is something newer
}

const (
	// hintEvery is the longest time from a change elsewhere to the hints here.
	hintEvery = 100 * time.Millisecond
	// forgetAfter is longer than any terminal is silent.
	forgetAfter = 24 * time.Hour
)

func newHints(s *Service) *hints {
	return &hints{s: s, seen: map[mianmi.TerminalID]*watched{}}
}

func (h *hints) run(ctx context.Context) {
	t := time.NewTicker(hintEvery)
	defer t.Stop()
	late := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := h.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !late: // once, not ten times a second
			h.s.Log.Warn("hints to terminals are late", "error", err)
		case err == nil && late:
			h.s.Log.Info("hints to terminals go out again")
		}
		late = err != nil
	}
}

// turn hints at all that changed since the last one.
func (h *hints) turn(ctx context.Context) error {
	epoch, version, err := h.s.Versions(ctx)
	if err != nil || epoch == h.last() {
		return err
	}
	for _, id := range h.ids() {
		h.tell(id, version(id))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch = epoch
	return nil
}

func (h *hints) last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epoch
}

// ids are the terminals to hint at; those that have been silent for long are
// forgotten.
func (h *hints) ids() []mianmi.TerminalID {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.s.Clock.Now()
	out := make([]mianmi.TerminalID, 0, len(h.seen))
	for id, w := range h.seen {
		if now.Sub(w.asked) > forgetAfter {
			delete(h.seen, id)
			continue
		}
		out = append(out, id)
	}
	return out
}

func (h *hints) tell(id mianmi.TerminalID, version int64) {
	h.mu.Lock()
	w := h.seen[id]
	newer := w != nil && version > w.told
	if newer {
		w.told = version
		close(w.news)
		w.news = make(chan struct{})
	}
	h.mu.Unlock()
	if !newer || h.s.bus == nil {
		return
	}
	b, err := json.Marshal(protocol.Hint{Version: version})
	if err == nil {
		err = h.s.bus.publish(subjectHint(id), b)
	}
	if err != nil { // the terminal asks by itself, later
		h.s.Log.Warn("a hint was not sent", "terminal", string(id), "error", err)
	}
}

// Broadcast sends every terminal that has asked here a hint of a version that
// it has had long ago, which it leaves lying: what the way alone takes, to
// measure an OFF by. It returns how many were sent.
func (s *Service) Broadcast() (int, error) { return s.broadcast(protocol.Hint{Version: 1}) }

// HintUpdates tells every terminal that has asked here that there may be a
// program for it. It returns how many were told; others look by themselves.
func (s *Service) HintUpdates() (int, error) {
	return s.broadcast(protocol.Hint{Version: 1, Update: true})
}

func (s *Service) broadcast(h protocol.Hint) (int, error) {
	b, err := json.Marshal(h)
	if err != nil || s.bus == nil {
		return 0, err
	}
	ids := s.hints.ids()
	for i, id := range ids {
		if err := s.bus.publish(subjectHint(id), b); err != nil {
			return i, err
		}
	}
	return len(ids), nil
}

// asked notes that the terminal has a version, and returns what is closed when
// there is something newer.
func (h *hints) asked(id mianmi.TerminalID, have int64) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.seen[id]
	if w == nil {
		w = &watched{news: make(chan struct{})}
		h.seen[id] = w
	}
	w.told, w.asked = max(w.told, have), h.s.Clock.Now()
	return w.news
}

func (h *hints) forget(id mianmi.TerminalID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.seen[id]; w != nil {
		close(w.news)
		delete(h.seen, id)
	}
}
