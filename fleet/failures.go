package fleet

import (
	"sync"
	"time"

	"github.com/mianmi/mianmi"
)

// failures slows down whoever tries enrolment codes. A code has 100 random
// bits, so this keeps noise away rather than guesses.
type failures struct {
	clock mianmi.Clock
	mu    sync.Mutex
	from  map[string]*tries
}

type tries struct {
	count int
	since time.Time
}

const (
	failuresMax    = 10
	failuresWindow = time.Minute
	// addressesMax bounds what is remembered; when it is full, everybody waits for
	// the window's end.
	addressesMax = 10_000
)

// wait is how long the address has to wait; 0: not at all.
func (f *failures) wait(address string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	f.sweep(now)
	t := f.from[address]
	if t == nil && len(f.from) >= addressesMax {
		return failuresWindow
	}
	if t == nil || t.count < failuresMax {
		return 0
	}
	return t.since.Add(failuresWindow).Sub(now)
}

func (f *failures) add(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.from == nil {
		f.from = map[string]*tries{}
	}
	t := f.from[address]
	if t == nil {
		t = &tries{since: f.clock.Now()}
		f.from[address] = t
	}
	t.count++
}

func (f *failures) sweep(now time.Time) {
	for a, t := range f.from {
		if now.Sub(t.since) >= failuresWindow {
			delete(f.from, a)
		}
	}
}
