package payment

import (
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// guesses limits how many unknown payment codes a terminal may send (ADR 3):
// somebody who tries numbers is stopped long before one fits. It is kept in
// memory for each process; zero is ready.
type guesses struct {
	mu   sync.Mutex
	seen map[mianmi.TerminalID]*guess
}

type guess struct {
	since time.Time
	wrong int
}

const (
	guessWindow = time.Minute
	// guessesMax leaves room for honest mistakes: codes that ran out or were
	// scanned twice at a busy till.
	guessesMax = 30
	// guessersMax bounds the memory; above it the oldest windows are forgotten.
	guessersMax = 10_000
)

// check refuses a terminal that has sent too many unknown codes.
func (g *guesses) check(t mianmi.TerminalID, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.seen[t]
	if s == nil || s.wrong < guessesMax || now.Sub(s.since) >= guessWindow {
		return nil
	}
	return &mianmi.Error{Kind: mianmi.Unavailable, Code: "too_many_wrong_codes", RetryAfter: guessWindow - now.Sub(s.since),
		Msg: "this terminal has sent too many unknown payment codes; wait, or use another method"}
}

// wrong counts one unknown code.
func (g *guesses) wrong(t mianmi.TerminalID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[mianmi.TerminalID]*guess{}
	}
	s := g.seen[t]
	if s == nil || now.Sub(s.since) >= guessWindow {
		if len(g.seen) >= guessersMax {
			g.forget(now)
		}
		s = &guess{since: now}
		g.seen[t] = s
	}
	s.wrong++
}

// forget makes room: windows that are over, or all when none is.
func (g *guesses) forget(now time.Time) {
	for t, s := range g.seen {
		if now.Sub(s.since) >= guessWindow {
			delete(g.seen, t)
		}
	}
	if len(g.seen) >= guessersMax {
		clear(g.seen)
	}
}
