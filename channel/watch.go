package channel

import (
	"context"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// Checker is a channel that can be asked whether it answers, without moving
// money. Its methods are safe for concurrent use.
type Checker interface {
	// Name is the channel's name in payments and policies.
	Name() string
	// Connection names what a merchant's payments go through; false: nothing here does.
	Connection(m mianmi.MerchantID) (string, bool)
	// Ask finds out whether the system itself answers over a connection. Answers:
	// it has proved that it is it; Silent: nothing came that does; NotKnown:
	// something refuses the question, which says nothing of payments. It returns
	// when ctx ends.
	Ask(ctx context.Context, connection string) Sign
}

const (
	// askEvery is how often a connection is asked at most, whoever wants to know.
	askEvery = time.Minute
	// askAgain is how soon it is asked again when one question had no answer: that
	// may be a hiccup, and is not called silence.
	askAgain = 5 * time.Second
	// silentFrom is how many questions in a row without an answer are silence.
	silentFrom = 2
	// askMax is how long one question may take.
	askMax = 10 * time.Second
	// asksMax bounds the questions of a process at once: a connection that finds no
	// place is asked when somebody wants to know it next.
	asksMax = 16
	// knownFor is how long an answer says something of now.
	knownFor = 5 * time.Minute
	// lookMax is how long Look waits for a question that is under way.
	lookMax = 2 * time.Second
)

// Sign is what is known of a channel. The zero Sign is nothing.
type Sign uint8

const (
	NotKnown Sign = 0
	Answers  Sign = 1
	Silent   Sign = 2 // two questions in a row had no answer that proves itself
)

// Seen is what is known of a channel for a merchant.
type Seen struct {
	Channel string
	Sign    Sign
	Age     time.Duration // since it was asked
	Took    time.Duration // of Answers: how long the answer took
	Since   time.Time     // of Silent: when the first of them was asked
}

// Watch remembers whether channels answer. A connection is asked when somebody
// looks, once a minute or so, beside whatever else is done: nothing is decided
// by it.
type Watch struct {
	checkers map[string]Checker
	clock    mianmi.Clock
	places   chan struct{}

	mu    sync.Mutex
	known map[watched]*sight
}

// watched names a connection of a channel; there are as many as were configured.
type watched struct{ channel, connection string }

// sight is what is known of one connection.
type sight struct {
	began  time.Time     // the last question
	asking chan struct{} // closed when it has ended; nil: it has
	ended  time.Time
	heard  Sign
	took   time.Duration
	misses int       // questions in a row without an answer, silentFrom at most
	since  time.Time // the first of them
}

// NewWatch makes a watch over those of the channels that can be asked.
func NewWatch(clock mianmi.Clock, remotes ...Remote) *Watch {
	w := &Watch{checkers: map[string]Checker{}, clock: clock, places: make(chan struct{}, asksMax), known: map[watched]*sight{}}
	for _, r := range remotes {
		if c, can := r.(Checker); can {
			w.checkers[c.Name()] = c
		}
	}
	return w
}

// Look says what is known of the channels for a merchant. It has them asked when
// that is due, and waits two seconds at most for what they say.
func (w *Watch) Look(ctx context.Context, m mianmi.MerchantID, channels []string) []Seen {
	sights := make([]*sight, len(channels)) // nil: this process is not connected
	var under []<-chan struct{}
	for i, name := range channels {
		c := w.checkers[name]
		if c == nil {
			continue
		}
		connection, connected := c.Connection(m)
		if !connected {
			continue
		}
		s, asking := w.ask(ctx, c, connection)
		if sights[i] = s; asking != nil {
			under = append(under, asking)
		}
	}
	patience, cancel := context.WithTimeout(ctx, lookMax)
	defer cancel()
	for _, asking := range under {
		select {
		case <-asking:
		case <-patience.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now, list := w.clock.Now(), make([]Seen, len(channels))
	for i, s := range sights {
		list[i] = s.seen(now)
		list[i].Channel = channels[i]
	}
	return list
}

// ask begins a question when one is due, and returns what is closed when the one
// under way has ended; nil: none is.
func (w *Watch) ask(ctx context.Context, c Checker, connection string) (*sight, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := watched{c.Name(), connection}
	s := w.known[name]
	if s == nil {
		s = &sight{}
		w.known[name] = s
	}
	now, pause := w.clock.Now(), askEvery
	if s.misses > 0 && s.misses < silentFrom {
		pause = askAgain
	}
	// A clock that was set back must not keep it from being asked.
	if rest := now.Sub(s.began); s.asking != nil || rest >= 0 && rest < pause {
		return s, s.asking
	}
	select {
	case w.places <- struct{}{}:
	default:
		return s, nil
	}
	s.began, s.asking = now, make(chan struct{})
	ctx = context.WithoutCancel(ctx) // who asks next has the answer, too
	go func() {
		ctx, cancel := context.WithTimeout(ctx, askMax)
		defer cancel()
		w.note(s, c.Ask(ctx, connection))
		<-w.places
	}()
	return s, s.asking
}

// note keeps how a question ended.
func (w *Watch) note(s *sight, heard Sign) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	switch {
	case heard != Silent:
		s.misses = 0
	case s.misses == 0 || !fresh(now.Sub(s.ended)): // nobody knows how it was before
		s.misses, s.since = 1, s.began
	default:
		s.misses = min(s.misses+1, silentFrom)
	}
	s.ended, s.heard, s.took = now, heard, max(0, now.Sub(s.began))
	close(s.asking)
	s.asking = nil
}

// fresh reports whether what is so old still holds; a clock that was set back
// far makes it as doubtful as age does.
func fresh(age time.Duration) bool { return age <= knownFor && age >= -knownFor }

func (s *sight) seen(now time.Time) Seen {
	if s == nil || s.ended.IsZero() || !fresh(now.Sub(s.ended)) {
		return Seen{}
	}
	age := max(0, now.Sub(s.ended))
	switch {
	case s.heard == Answers:
		return Seen{Sign: Answers, Age: age, Took: s.took}
	case s.misses >= silentFrom:
		return Seen{Sign: Silent, Age: age, Since: s.since}
	}
	return Seen{}
}
