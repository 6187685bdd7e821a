package risk

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

// slots is how many parts a window's span is cut into: what is older leaves it
// part by part, so it is right to a sixtieth of its span.
const slots = 60

// valuesMax bounds the values that one window counts as distinct: what it has more,
// no rule needs to know. The oldest goes first.
const valuesMax = 256

// window is what is kept of one window for one key.
type window struct {
	head  int64 // the newest slot, by number since 1970
	parts []part
	total int64
	last  *kept
}

// part is what fell into one slot, or, of a window that counts distinct values,
// one value with the slot in which it was last seen.
type part struct {
	slot  int64
	n     int64
	value string
	entry mianmi.EntryID // the first that fell into it
}

// kept is the last event.
type kept struct {
	at      time.Time
	kind    Kind
	version int64
	where   *merchant.Coordinates
	entry   mianmi.EntryID
}

// see drops what has left the window at a time. Events come almost in their
// order; one that is late by some slots finds its own.
func (w *window) see(c *compiledWindow, at time.Time) {
	w.head = max(w.head, at.UnixNano()/int64(c.slot))
	out := 0
	for out < len(w.parts) && w.parts[out].slot <= w.head-slots {
		w.total -= w.parts[out].n
		out++
	}
	if out > 0 {
		w.parts = w.parts[:copy(w.parts, w.parts[out:])]
	}
}

// add puts an event into the window, which see has brought to its time.
func (w *window) add(c *compiledWindow, e *Event) {
	if c.measure == last {
		if w.last == nil || !e.At.Before(w.last.at) {
			w.last = &kept{e.At, e.Kind, e.Version, e.Where, e.Entry}
		}
		return
	}
	p := part{slot: e.At.UnixNano() / int64(c.slot), n: 1, entry: e.Entry}
	if p.slot <= w.head-slots {
		return // it had left before it came
	}
	switch c.measure {
	case sum:
		p.n = e.Amount.Minor()
	case distinct:
		if p.value = c.of(e); p.value == "" {
			return
		}
	}
	w.put(p, c.measure == distinct)
}

// put keeps the parts in the order of their slots.
func (w *window) put(p part, values bool) {
	at := len(w.parts)
	for i := len(w.parts) - 1; i >= 0; i-- {
		old := &w.parts[i]
		if values && old.value == p.value {
			if p.slot <= old.slot {
				return
			}
			w.total -= old.n
			copy(w.parts[i:], w.parts[i+1:])
			w.parts = w.parts[:len(w.parts)-1]
			at--
			break
		}
		if !values && old.slot == p.slot {
			old.n += p.n
			w.total += p.n
			return
		}
		if !values && old.slot < p.slot {
			break
		}
		if old.slot > p.slot {
			at = i
		}
	}
	if values && len(w.parts) >= valuesMax {
		if at == 0 {
			return
		}
		w.total -= w.parts[0].n
		copy(w.parts, w.parts[1:])
		w.parts, at = w.parts[:len(w.parts)-1], at-1
	}
	w.parts = append(w.parts, part{})
	copy(w.parts[at+1:], w.parts[at:])
	w.parts[at] = p
	w.total += p.n
}

// figures are what a condition may ask at an event.
func (w *window) figures(c *compiledWindow, e *Event) found {
	if c.measure != last {
		return found{n: w.total}
	}
	l := w.last
	if l == nil || e.At.Sub(l.at) >= c.span {
		return found{}
	}
	return found{seen: true, kind: l.kind, ago: seconds(e.At.Sub(l.at)), version: l.version, km: apart(l.where, e.Where)}
}

// first is the oldest entry that the window still knows.
func (w *window) first() mianmi.EntryID {
	switch {
	case len(w.parts) > 0:
		return w.parts[0].entry
	case w.last != nil:
		return w.last.entry
	}
	return ""
}
