package notice

import (
	"encoding/binary"
	"io"
	"time"
)

// Schedule says how long failed messages wait. Zero values mean the defaults.
type Schedule struct {
	// Waits are the waits of one message after its first, second … failure; the
	// last one repeats. Default 5 s to a day, as Standard Webhooks proposes.
	Waits []time.Duration
	// A webhook that fails as a whole is tried with one message at a time, after
	// First, twice as long each time, at most Most: default 5 s and 5 min. Short,
	// for it costs one request and the messages of everybody wait for it.
	First, Most time.Duration
	// Life is how long a message is tried, default 72 h.
	Life time.Duration
}

func (c Schedule) withDefaults() Schedule {
	if len(c.Waits) == 0 {
		c.Waits = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour,
			5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}
	}
	if c.First <= 0 {
		c.First = 5 * time.Second
	}
	if c.Most <= 0 {
		c.Most = 5 * time.Minute
	}
	if c.Life <= 0 {
		c.Life = 72 * time.Hour
	}
	return c
}

// message is the wait of a message that has failed so often, at least once.
func (c Schedule) message(attempts int) time.Duration {
	return c.Waits[min(max(attempts, 1), len(c.Waits))-1]
}

// webhook is the wait of a webhook that has failed so many rounds, at least one.
func (c Schedule) webhook(failures int) time.Duration {
	d := c.First
	for i := 1; i < failures && d < c.Most; i++ {
		d *= 2
	}
	return min(d, c.Most)
}

// jitter spreads a wait by a fifth up or down, so that what failed together is
// not tried together.
func jitter(d time.Duration, random io.Reader) time.Duration {
	var b [2]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return d
	}
	share := int64(binary.BigEndian.Uint16(b[:])) - 1<<15 // -32768 to 32767
	return d + time.Duration(int64(d)/5/(1<<15)*share)
}
