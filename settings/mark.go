package settings

import (
	"time"

	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/terminal"
)

// Mark says when what a scope holds changed last, and when it was last made
// stricter: a tightening that was taken back since is still one that had to be
// passed. For a terminal's scope the terminal itself counts too, its store for
// a store's, and so on.
type Mark struct {
	Scope       merchant.Scope
	Epoch       int64 // of the newest change
	At          time.Time
	Tightened   int64 // epoch of the newest tightening; 0: there was none
	TightenedAt time.Time
}

// mark is a Mark without its scope, in microseconds.
type mark struct{ epoch, at, tightened, tightenedAt int64 }

func (m *mark) take(n *Mark) {
	if n.Epoch > m.epoch {
		m.epoch, m.at = n.Epoch, n.At.UnixMicro()
	}
	if n.Tightened > m.tightened {
		m.tightened, m.tightenedAt = n.Tightened, n.TightenedAt.UnixMicro()
	}
}

// join makes m the newest of both in each part.
func (m *mark) join(n mark) {
	if n.epoch > m.epoch {
		m.epoch, m.at = n.epoch, n.at
	}
	if n.tightened > m.tightened {
		m.tightened, m.tightenedAt = n.tightened, n.tightenedAt
	}
}

// Concern is what concerns a terminal.
type Concern struct {
	// Version is the epoch of the newest change, at least 1; At when it was made.
	Version int64
	At      time.Time // zero: before the first change
	// Tightened is the epoch of the newest tightening, 0 without one.
	Tightened   int64
	TightenedAt time.Time
}

// Concern says what changed last for the terminal: there, at what it belongs to,
// and in the policies of all channels that its payments can go through.
func (s *Site) Concern() Concern {
	m := s.snapshot.everything.mark
	s.join(&m, walletChannel)
	s.join(&m, cashChannel)
	for _, name := range s.channels {
		s.join(&m, name)
	}
	return s.concern(m)
}

func (s *Site) join(m *mark, channel string) {
	if ch := s.snapshot.channels.get(channel); ch != nil {
		m.join(ch.mark)
	}
}

// concern adds to the marks of everything and of channels those of the site.
func (s *Site) concern(m mark) Concern {
	for i := range s.own {
		m.join(s.own[i].rules.mark)
	}
	tightened, tightenedAt := m.tightened, m.tightenedAt
	m.join(s.snapshot.shared)
	c := Concern{Version: max(m.epoch, 1), Tightened: tightened}
	if m.at != 0 {
		c.At = time.UnixMicro(m.at).UTC()
	}
	if tightened != 0 {
		c.TightenedAt = time.UnixMicro(tightenedAt).UTC()
	}
	return c
}

// Need is what the terminal must have proved for PIN-free through a channel.
func (s *Site) Need(channel string) terminal.Need {
	m := s.snapshot.everything.mark
	s.join(&m, channel)
	return s.need(s.concern(m))
}

// NeedAll is what it must have proved for PIN-free through any channel.
func (s *Site) NeedAll() terminal.Need { return s.need(s.Concern()) }

func (s *Site) need(c Concern) terminal.Need {
	return terminal.Need{Tightened: c.Tightened, TightenedAt: c.TightenedAt, Judged: s.snapshot.Posture().Tightened}
}
