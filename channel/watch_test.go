package channel_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

// gate is a channel that answers as the test says; the contract's other methods
// are never called.
type gate struct {
	channel.Remote

	mu    sync.Mutex
	says  channel.Sign
	hangs bool
	asked []string
}

func (*gate) Name() string { return "gate" }

func (*gate) Connection(m mianmi.MerchantID) (string, bool) {
	c, connected := map[mianmi.MerchantID]string{"mc1": "a", "mc2": "a", "mc3": "b"}[m]
	return c, connected
}

func (g *gate) Ask(ctx context.Context, connection string) channel.Sign {
	g.mu.Lock()
	g.asked = append(g.asked, connection)
	says, hangs := g.says, g.hangs
	g.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return channel.Silent
	}
	pass(40 * time.Millisecond)
	return says
}

func (g *gate) set(says channel.Sign) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says = says
}

func (g *gate) calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.asked)
}

// askAgain is how soon the watch asks again when nobody has answered.
const askAgain = 5 * time.Second

// pass lets time pass, by the bubble's clock.
func pass(d time.Duration) { <-time.After(d) }

// deaf is a channel that cannot be asked.
type deaf struct{ channel.Remote }

func (deaf) Name() string { return "deaf" }

type watching struct {
	*channel.Watch
	t *testing.T
	g *gate
}

func watch(t *testing.T) watching {
	g := &gate{says: channel.Answers}
	return watching{channel.NewWatch(mianmi.ClockFunc(time.Now), g, deaf{}), t, g}
}

func (w watching) look(m mianmi.MerchantID) channel.Seen {
	w.t.Helper()
	list := w.Look(w.t.Context(), m, []string{"gate"})
	if len(list) != 1 || list[0].Channel != "gate" {
		w.t.Fatalf("%+v", list)
	}
	return list[0]
}

// Merchants of one connection share one question a minute, however many look at
// once; another connection has its own.
func TestWatchAsksOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		var all sync.WaitGroup
		for range 50 {
			for _, m := range []mianmi.MerchantID{"mc1", "mc2"} {
				all.Go(func() {
					if s := w.look(m); s.Sign != channel.Answers || s.Took != 40*time.Millisecond || s.Age != 0 {
						t.Errorf("%+v", s)
					}
				})
			}
		}
		all.Wait()
		pass(59 * time.Second)
		if s := w.look("mc1"); s.Sign != channel.Answers || s.Age != 59*time.Second {
			t.Errorf("within the minute: %+v", s)
		}
		if got := w.g.calls(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("asked %v", got)
		}
		w.look("mc3")
		pass(time.Minute)
		w.look("mc2")
		if got := w.g.calls(); !slices.Equal(got, []string{"a", "b", "a"}) {
			t.Errorf("asked %v", got)
		}
	})
}

// One question without an answer is not silence, and it is asked again soon. Two in
// a row are: silence has a beginning, which stays while it lasts; it ends with an
// answer, and after a time in which nobody looked nobody knows how long it was.
func TestWatchOfSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.look("mc1")
		pass(time.Minute)
		w.g.set(channel.Silent)
		began := time.Now()
		for _, after := range []time.Duration{0, 4 * time.Second} {
			pass(after)
			if s := w.look("mc1"); s.Sign != channel.NotKnown || len(w.g.calls()) != 2 {
				t.Errorf("after one question without an answer: %+v, asked %v", s, w.g.calls())
			}
		}
		pass(time.Second)
		for range 3 {
			if s := w.look("mc1"); s.Sign != channel.Silent || !s.Since.Equal(began) || s.Took != 0 {
				t.Errorf("silent since %v: %+v", began, s)
			}
			pass(2 * time.Minute)
		}
		w.g.set(channel.Answers)
		if s := w.look("mc1"); s.Sign != channel.Answers || !s.Since.IsZero() {
			t.Errorf("it answers again: %+v", s)
		}
		w.g.set(channel.Silent)
		pass(time.Minute)
		w.look("mc1")
		pass(time.Hour)
		again := time.Now()
		if s := w.look("mc1"); s.Sign != channel.NotKnown {
			t.Errorf("one question an hour after another: %+v", s)
		}
		pass(askAgain)
		if s := w.look("mc1"); s.Sign != channel.Silent || !s.Since.Equal(again) {
			t.Errorf("silent after an hour in which nobody looked, at %v: %+v", again, s)
		}
	})
}

// Who refuses the question is neither there nor away, and breaks a row of silence.
func TestWatchOfRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for i, says := range []channel.Sign{channel.Silent, channel.NotKnown, channel.Silent, channel.NotKnown} {
			w.g.set(says)
			if s := w.look("mc1"); s != (channel.Seen{Channel: "gate"}) || len(w.g.calls()) != i+1 {
				t.Errorf("%d: %+v, asked %v", i, s, w.g.calls())
			}
			pass(time.Minute)
		}
	})
}

// Whoever looks waits two seconds at most, and may go away before: the question goes
// on, ends after ten seconds, and then it is known. What is old is not known.
func TestWatchWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.g.hangs = true
		began := time.Now()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if s := w.Look(gone, "mc1", []string{"gate"}); s[0].Sign != channel.NotKnown || time.Since(began) != 0 {
			t.Errorf("somebody who is gone, after %v: %+v", time.Since(began), s)
		}
		if s := w.look("mc1"); s.Sign != channel.NotKnown || time.Since(began) != 2*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), s)
		}
		pass(9 * time.Second)
		w.look("mc1") // has it asked a second time
		pass(9 * time.Second)
		if s := w.look("mc1"); s.Sign != channel.Silent || !s.Since.Equal(began) || len(w.g.calls()) != 2 {
			t.Errorf("after %v: %+v, asked %v", time.Since(began), s, w.g.calls())
		}
		pass(6 * time.Minute)
		if s := w.look("mc1"); s.Sign != channel.NotKnown {
			t.Errorf("what was heard six minutes ago: %+v", s)
		}
		pass(time.Minute) // the question ends
	})
}

// What this process is not connected to, and what cannot be asked, is not known.
func TestWatchOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for _, name := range []string{"deaf", "elsewhere"} {
			if s := w.Look(t.Context(), "mc1", []string{name}); s[0] != (channel.Seen{Channel: name}) {
				t.Errorf("%+v", s)
			}
		}
		if s := w.look("mc9"); s != (channel.Seen{Channel: "gate"}) || len(w.g.calls()) != 0 {
			t.Errorf("a merchant of another server: %+v, asked %v", s, w.g.calls())
		}
		if s := w.Look(t.Context(), "mc1", nil); len(s) != 0 {
			t.Errorf("no channel: %+v", s)
		}
	})
}
