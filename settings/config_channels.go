package settings

import (
	"slices"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// heard is what a channel makes of a terminal's config.
type heard struct {
	words []say
	most  *money.Amount // nil: it sets none
	stops []protocol.Stop
}

// until is when the last of its stops ends; zero without one.
func (h heard) until() (end time.Time) {
	for _, s := range h.stops {
		if s.Until.After(end) {
			end = s.Until
		}
	}
	return end
}

// sayChannels fills in what the channels say that the payments can go through, of
// which the most open one counts: what another has closed or made less, the host
// says at the payment. It returns the words of those that bind.
func (s *Site) sayChannels(c *protocol.Config, names []string, now time.Time) (words []say) {
	var open, closed []heard
	for _, name := range names {
		if h, pinFree := s.hear(name, c.Currency, now); pinFree {
			open = append(open, h)
		} else {
			closed = append(closed, h)
		}
	}
	if len(open) == 0 {
		c.PinFree = false
		for _, h := range closed {
			c.Stops, words = append(c.Stops, h.stops...), append(words, h.words...)
		}
		return words
	}
	// Emergency stops hold the terminal until the first of the channels is free.
	first := slices.MinFunc(open, func(a, b heard) int { return a.until().Compare(b.until()) })
	c.Stops = append(c.Stops, first.stops...)
	most := first.most
	for _, h := range open {
		if most == nil || h.most == nil {
			most = nil
		} else if h.most.Minor() > most.Minor() {
			most = h.most
		}
		if len(h.stops) == 0 || len(first.stops) > 0 {
			words = append(words, h.words...)
		}
	}
	if most != nil && (c.PerPayment == nil || most.Minor() < c.PerPayment.Minor()) {
		c.PerPayment = most
	}
	return words
}

// hear is what one channel says, and whether its policy leaves PIN-free open.
func (s *Site) hear(channel, currency string, now time.Time) (h heard, open bool) {
	ch := s.snapshot.channels.get(channel)
	if ch == nil {
		return h, true
	}
	l := s.level(pinfree.LayerChannel, pinfree.ChannelClosed, channel, ch)
	alone := protocol.Config{Currency: currency}
	word, open := l.say("channel", &alone)
	if word != nil {
		h.words = append(h.words, *word)
	}
	stops, words := l.stops(now)
	h.most, h.stops, h.words = alone.PerPayment, stops, append(h.words, words...)
	return h, open
}
