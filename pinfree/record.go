package pinfree

import (
	"slices"
	"time"
)

// unknownCount is the value of a counter that nobody can tell.
var unknownCount = Count{Number: -1, Minor: -1}

// defaultFunding is the funding source of a payment that names none.
const defaultFunding = "balance"

// noRules lets a nil RuleSet know the payer's day.
var noRules = func() *RuleSet {
	s, err := Compile(nil)
	if err != nil { // zones are embedded with time/tzdata: cannot happen
		panic(err)
	}
	return s
}()

// ownCounter counts all PIN-free payments of the payer's day.
var ownCounter = counter{key: ownKey, resets: resetCalendarDay}

func (s *RuleSet) ownLocation() *time.Location {
	if s == nil {
		s = noRules
	}
	return s.zones[0]
}

// LocalMinute is the minute of the payer's day at an instant, 0 to 1439, for
// quiet hours.
func (s *RuleSet) LocalMinute(at time.Time) int {
	h, m, _ := at.In(s.ownLocation()).Clock()
	return h*60 + m
}

// Own is the payer's PIN-free use of the day that at falls in.
func (s *RuleSet) Own(stored Counters, at time.Time) Count {
	if i := stored.find(ownKey, ""); i >= 0 && stored.entries[i].since >= dayStart(at, s.ownLocation()) {
		return stored.entries[i].count
	}
	return Count{}
}

// dayStart is the first Unix millisecond of the local day.
func dayStart(at time.Time, loc *time.Location) int64 {
	y, m, d := at.In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, loc).UnixMilli()
}

// days remembers the start of the day in each zone, for one instant.
type days struct {
	set    *RuleSet
	at     time.Time
	starts [zonesMax]int64 // 0: not yet computed
}

func (d *days) start(zone int) int64 {
	if d.starts[zone] == 0 {
		d.starts[zone] = dayStart(d.at, d.set.zones[zone])
	}
	return d.starts[zone]
}

// over reports whether the entry belongs to a window that has passed. An entry
// from a later day than ours (clocks of two nodes differ) has not.
func (c *counter) over(e *entry, d *days) bool {
	return c.resets&resetCalendarDay != 0 && e.since < d.start(c.zone)
}

// bucketOf names whose counter the subject moves; ok is false when that cannot
// be told (a card without a token).
func (c *counter) bucketOf(s Subject) (bucket string, ok bool) {
	switch c.bucket {
	case perInstrument:
		return s.Instrument, s.Instrument != ""
	case perFunding:
		if s.Funding == "" {
			return defaultFunding, true
		}
		return s.Funding, true
	case perAccount:
		return s.Account, s.Account != "" || s.Instrument == ""
	case perPayer:
	}
	return "", true
}

// Roll returns the value of each of the set's counters for the subject at an
// instant, in the order that Input.Counts needs. It appends to dst[:0] and does
// not allocate when dst has room.
func (s *RuleSet) Roll(dst []Count, stored Counters, sub Subject, at time.Time) []Count {
	dst = dst[:0]
	if s == nil {
		return dst
	}
	d := days{set: s, at: at}
	for i := range s.counters {
		c := &s.counters[i]
		count := Count{}
		name, ok := c.bucketOf(sub)
		found := -1
		if ok {
			found = stored.find(c.key, name)
		}
		switch {
		case !ok:
			count = unknownCount
		case found >= 0 && !c.over(&stored.entries[found], &d):
			count = stored.entries[found].count
		case found < 0 && c.mayBeDropped(stored.dropped, &d):
			count = unknownCount
		}
		dst = append(dst, count)
	}
	return dst
}

// mayBeDropped reports whether an absent entry may have been dropped for want
// of room, so that absent does not mean zero.
func (c *counter) mayBeDropped(dropped int64, d *days) bool {
	return dropped != 0 && c.bucket != perPayer && !(c.resets&resetCalendarDay != 0 && dropped < d.start(c.zone))
}

// Record returns the counters after an event. Stored counters are not changed.
// Windows that have passed and counters of packs that are no longer there are
// left out.
//
// At most 64 counters are kept. Beyond that the one per card or funding source
// that was not moved for longest is dropped. A dropped counter must not start
// again at zero, for that would allow more; therefore the drop is remembered,
// and from then on a counter per card that is not there is unknown, which asks
// for a PIN, until an authentication resets it (and then it is kept as zero) or
// its day ends.
func (s *RuleSet) Record(stored Counters, ev Event) Counters {
	if ev.At.IsZero() {
		ev.At = ev.Decided
	}
	if ev.Decided.IsZero() {
		ev.Decided = ev.At
	}
	ev.Minor = max(ev.Minor, 0)
	w := recorder{
		set: s, ev: &ev, days: days{set: s, at: ev.At},
		out: Counters{entries: make([]entry, 0, len(stored.entries)+2), dropped: stored.dropped},
	}
	if s == nil {
		w.days.set = noRules
	}
	w.keep(stored)
	w.move(&ownCounter)
	for i := range s.Counters() {
		w.move(&s.counters[i])
	}
	w.bound()
	return w.out
}

// recorder applies one event.
type recorder struct {
	set  *RuleSet
	ev   *Event
	days days
	out  Counters
}

// keep copies the entries that are still live and that the event does not reset.
func (w *recorder) keep(stored Counters) {
	for i := range stored.entries {
		e := &stored.entries[i]
		if e.key == ownKey {
			if !ownCounter.over(e, &w.days) {
				w.out.entries = append(w.out.entries, *e)
			}
			continue
		}
		c := w.set.counter(e.key)
		if c == nil || c.over(e, &w.days) {
			continue
		}
		if w.resets(c) && w.concerns(c, e) {
			continue
		}
		w.out.entries = append(w.out.entries, *e)
	}
}

// counter finds a counter by key; nil when no pack in force has it.
func (s *RuleSet) counter(key string) *counter {
	for i := range s.Counters() {
		if s.counters[i].key == key {
			return &s.counters[i]
		}
	}
	return nil
}

// resets reports whether the event is an authentication that empties the counter.
func (w *recorder) resets(c *counter) bool {
	switch w.ev.Kind {
	case ExecutedAuthenticated:
		return c.resets&(resetSCANonRemote|resetSCAAny) != 0
	case ExecutedRemote:
		return c.resets&resetSCAAny != 0
	case SCAOutOfBand:
		return c.resets&(resetSCAOutOfBand|resetSCAAny) != 0
	case ToppedUpAuthenticated:
		return c.resets&(resetTopUp|resetSCAAny) != 0
	case ExecutedPinFree, ReversedPinFree, ReversedAuthenticated:
	}
	return false
}

// concerns reports whether the entry is the event's subject's.
func (w *recorder) concerns(c *counter, e *entry) bool {
	name, ok := c.bucketOf(w.ev.Subject)
	return ok && name == e.bucket
}

// move counts the event in one counter, or gives it back.
func (w *recorder) move(c *counter) {
	name, ok := c.bucketOf(w.ev.Subject)
	if !ok {
		return // Roll says that such a counter is unknown
	}
	switch w.ev.Kind {
	case ExecutedPinFree:
		w.count(c, name)
	case ExecutedAuthenticated, ExecutedRemote:
		if w.resets(c) {
			w.mark(c, name) // what resets a counter is not the first of the next
		} else if c.all {
			w.count(c, name)
		}
	case SCAOutOfBand, ToppedUpAuthenticated:
		w.mark(c, name)
	case ReversedPinFree:
		w.giveBack(c, name)
	case ReversedAuthenticated:
		if c.all {
			w.giveBack(c, name)
		}
	}
}

// match says whether the event's payment is one that the counter counts. One
// that may be is counted; only one that surely is is given back.
func (w *recorder) match(c *counter) tri {
	f := facts{method: w.ev.Method, entry: w.ev.Entry, currency: &w.ev.Currency,
		card: &w.ev.Card, place: &w.ev.Place, more: w.ev.Facts.orUnknown()}
	return c.when.match(&f)
}

// count adds the payment to the counter and makes it the newest.
func (w *recorder) count(c *counter, name string) {
	decided := max(w.ev.Decided.UnixMilli(), 0)
	if c.resets&resetCalendarDay != 0 && decided < w.days.start(c.zone) {
		return // it belongs to a day that has passed
	}
	if w.match(c) == no {
		return
	}
	i := w.out.find(c.key, name)
	if i < 0 && c.mayBeDropped(w.out.dropped, &w.days) {
		return // unknown, and it stays so
	}
	e := entry{key: c.key, bucket: name, since: decided}
	if i >= 0 {
		e = w.out.entries[i]
		w.out.entries = slices.Delete(w.out.entries, i, i+1)
	}
	e.count.Number = saturate(e.count.Number, 1)
	e.count.Minor = saturate(e.count.Minor, w.ev.Minor)
	w.out.entries = append(w.out.entries, e)
}

// mark keeps a counter that was just reset as a known zero, where its absence
// would mean unknown.
func (w *recorder) mark(c *counter, name string) {
	if w.resets(c) && c.mayBeDropped(w.out.dropped, &w.days) && w.out.find(c.key, name) < 0 {
		w.out.entries = append(w.out.entries, entry{key: c.key, bucket: name, since: max(w.ev.At.UnixMilli(), 0)})
	}
}

// giveBack takes an undone payment out of the counter, if that is the window
// that it was counted in: not after a reset, and not on a later day.
func (w *recorder) giveBack(c *counter, name string) {
	i := w.out.find(c.key, name)
	if i < 0 || max(w.ev.Decided.UnixMilli(), 0) < w.out.entries[i].since || w.match(c) != yes {
		return
	}
	e := &w.out.entries[i]
	e.count.Number = max(e.count.Number-1, 0)
	e.count.Minor = max(e.count.Minor-w.ev.Minor, 0)
	if e.count == (Count{}) && !c.mayBeDropped(w.out.dropped, &w.days) {
		w.out.entries = slices.Delete(w.out.entries, i, i+1)
	}
}

// bound drops the oldest counters per card or funding source beyond the limit.
// Compile keeps the counters per payer fewer than the limit.
func (w *recorder) bound() {
	for i := 0; len(w.out.entries) > maxEntries && i < len(w.out.entries); {
		if w.out.entries[i].bucket == "" {
			i++
			continue
		}
		w.out.entries = slices.Delete(w.out.entries, i, i+1)
		w.out.dropped = max(w.ev.At.UnixMilli(), 1)
	}
}
