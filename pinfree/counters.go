package pinfree

import (
	"math"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
)

// Counters are a payer's stored counters, of all packs and the own day. They
// are kept as one short text in the payer's row; String and ParseCounters are
// inverse to each other. Counters are values: Record returns new ones.
//
// The text is one word per counter, oldest use first:
//
//	key[@bucket]=payments,minor units,since
//
// since is the Unix millisecond from which it counts. A last word "!time" says
// that counters had to be dropped then (see Record).
type Counters struct {
	entries []entry
	dropped int64 // Unix milliseconds of the last drop; 0: never
}

type entry struct {
	key    string // "own", or "pack/counter"
	bucket string // instrument or funding source; empty: the payer
	count  Count  // never negative
	since  int64  // Unix milliseconds: payments decided from here on are counted
}

const (
	// maxEntries bounds the text in a payer's row to some 6 KB; a usual payer
	// has three or four.
	maxEntries = 64
	ownKey     = "own"
)

// String returns the text that ParseCounters reads. Empty counters are "".
func (c Counters) String() string {
	if len(c.entries) == 0 && c.dropped == 0 {
		return ""
	}
	size := 16
	for i := range c.entries {
		size += len(c.entries[i].key) + len(c.entries[i].bucket) + 40
	}
	var b strings.Builder
	b.Grow(size)
	var digits [20]byte
	number := func(sep byte, n int64) {
		b.WriteByte(sep)
		b.Write(strconv.AppendInt(digits[:0], n, 10))
	}
	for i := range c.entries {
		e := &c.entries[i]
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.key)
		if e.bucket != "" {
			b.WriteByte('@')
			writeEscaped(&b, e.bucket)
		}
		number('=', e.count.Number)
		number(',', e.count.Minor)
		number(',', e.since)
	}
	if c.dropped != 0 {
		if len(c.entries) > 0 {
			b.WriteByte(' ')
		}
		number('!', c.dropped)
	}
	return b.String()
}

// ParseCounters reads what String wrote, and nothing else. Any other text is an
// Invalid error; the caller must then let no payment go without a PIN.
func ParseCounters(s string) (Counters, error) {
	if s == "" {
		return Counters{}, nil
	}
	words := strings.Count(s, " ") + 1
	if words > maxEntries+1 {
		return Counters{}, countersError("more than " + strconv.Itoa(maxEntries) + " counters")
	}
	c := Counters{entries: make([]entry, 0, words)}
	for rest := s; ; {
		word, more, found := strings.Cut(rest, " ")
		if strings.HasPrefix(word, "!") && !found {
			n, ok := parseNumber(word[1:])
			if !ok || n == 0 {
				return Counters{}, countersError("the time of dropping is not a number")
			}
			c.dropped = n
			break
		}
		e, ok := parseEntry(word)
		if !ok || c.find(e.key, e.bucket) >= 0 || len(c.entries) == maxEntries {
			return Counters{}, countersError("counter " + strconv.Itoa(len(c.entries)) + " is malformed or there twice")
		}
		c.entries = append(c.entries, e)
		if !found {
			break
		}
		rest = more
	}
	return c, nil
}

func countersError(msg string) error { return mianmi.InvalidField("counters", msg) }

func parseEntry(word string) (e entry, ok bool) {
	name, figures, ok := strings.Cut(word, "=")
	if !ok {
		return e, false
	}
	key, bucket, hasBucket := strings.Cut(name, "@")
	if !isKey(key) {
		return e, false
	}
	e.key = key
	if hasBucket {
		if e.bucket, ok = unescape(bucket); !ok || bucket == "" {
			return e, false
		}
	}
	number, figures, ok1 := strings.Cut(figures, ",")
	minor, since, ok2 := strings.Cut(figures, ",")
	var ok3, ok4, ok5 bool
	e.count.Number, ok3 = parseNumber(number)
	e.count.Minor, ok4 = parseNumber(minor)
	e.since, ok5 = parseNumber(since)
	return e, ok1 && ok2 && ok3 && ok4 && ok5
}

// parseNumber reads digits as AppendInt writes them: no sign, no leading zero.
func parseNumber(s string) (n int64, ok bool) {
	if s == "" || len(s) > 19 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	var u uint64 // 19 digits fit
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		u = u*10 + uint64(d)
	}
	return int64(u), u <= math.MaxInt64 //nolint:gosec // compared in the same line
}

func isKey(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '/' && !plain(c) {
			return false
		}
	}
	return s != ""
}

// plain bytes stand for themselves in a bucket's name.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.'
}

const upperHex = "0123456789ABCDEF"

func writeEscaped(b *strings.Builder, s string) {
	for i := range len(s) {
		c := s[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
}

// unescape reads what writeEscaped wrote, and nothing else: a plain byte that is
// escaped all the same is refused, so that one name has one form.
func unescape(s string) (string, bool) {
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s, true
	}
	out := make([]byte, i, len(s))
	copy(out, s)
	for ; i < len(s); i++ {
		if plain(s[i]) {
			out = append(out, s[i])
			continue
		}
		if s[i] != '%' || i+2 >= len(s) {
			return "", false
		}
		hi, lo := strings.IndexByte(upperHex, s[i+1]), strings.IndexByte(upperHex, s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		c := byte((hi<<4 | lo) & 0xff)
		if plain(c) {
			return "", false
		}
		out = append(out, c)
		i += 2
	}
	return string(out), true
}

// find returns the index of the entry, or -1.
func (c *Counters) find(key, bucket string) int {
	for i := range c.entries {
		if c.entries[i].key == key && c.entries[i].bucket == bucket {
			return i
		}
	}
	return -1
}
