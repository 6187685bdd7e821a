package terminal

import (
	"context"
	"errors"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// retryLater is when a terminal comes again that could not be served.
const retryLater = 2 * time.Second

// delivery is a config for a terminal, as it is to be sent.
type delivery struct {
	version int64
	config  []byte
}

// Deliver returns the config that the terminal is to run, when that is newer
// than what it has, else none, and its version. What is returned has been recorded as delivered: the
// terminal may attest it from now on. A terminal without a key that counts is
// Denied. The caller has made sure that it is the terminal that asks.
func (s *Service) Deliver(ctx context.Context, id mianmi.TerminalID, have int64) (config []byte, version int64, err error) {
	version, known, err := s.records.Newest(ctx, id)
	switch {
	case err != nil:
		return nil, 0, err
	case !known:
		return nil, 0, mianmi.Missing("terminal")
	case have >= version:
		return nil, version, nil
	}
	d, err := s.deliveries.ask(ctx, id)
	return d.config, d.version, err
}

// errRevoked says that a terminal has no key that counts.
var errRevoked = mianmi.Forbidden("terminal_revoked", "this terminal is not enrolled, or its certificate was revoked")

func (s *Service) deliver(ctx context.Context, jobs []*job[mianmi.TerminalID, delivery]) error {
	order, at := distinct(jobs, func(j *job[mianmi.TerminalID, delivery]) mianmi.TerminalID { return j.ask })
	asks := make([]VisitAsk, len(order))
	for i, id := range order {
		asks[i] = VisitAsk{Terminal: id}
	}
	return s.records.Visit(ctx, asks, func(visits []*Visit) error {
		now := s.now()
		for _, v := range visits {
			out, err := v.deliver(now)
			if err != nil && !errors.Is(err, mianmi.Denied) && !errors.Is(err, mianmi.NotFound) {
				return err
			}
			for _, i := range at[v.Terminal] {
				jobs[i].out, jobs[i].err = out, err
			}
		}
		return nil
	})
}

// distinct lists what the jobs are about, each once, and whose jobs they are.
func distinct[A, R any](jobs []*job[A, R], of func(*job[A, R]) mianmi.TerminalID) ([]mianmi.TerminalID, map[mianmi.TerminalID][]int) {
	at := make(map[mianmi.TerminalID][]int, len(jobs))
	var order []mianmi.TerminalID
	for i, j := range jobs {
		id := of(j)
		if _, known := at[id]; !known {
			order = append(order, id)
		}
		at[id] = append(at[id], i)
	}
	return order, at
}

// deliver returns the newest config, and records it when it is new.
func (v *Visit) deliver(now time.Time) (delivery, error) {
	switch {
	case !v.Known:
		return delivery{}, mianmi.Missing("terminal")
	case !v.enrolled(now):
		return delivery{}, errRevoked
	}
	v.State.SeenAt = now
	if s := v.setting(v.Version); s != nil && s.Config != nil {
		return delivery{v.Version, s.Config}, nil
	}
	config := v.Config(now)
	text, err := config.Encode()
	if err != nil {
		return delivery{}, err
	}
	fresh := Setting{Terminal: v.Terminal, Version: config.Version, Hash: protocol.HashOf(text), Config: text, PinFree: config.PinFree,
		Tightened: config.Tightened, Desired: v.Desired, Delivered: now, DeliveredBoot: v.State.Boot}
	for _, stop := range config.Stops {
		if stop.Until.After(fresh.StopsUntil) {
			fresh.StopsUntil = stop.Until
		}
	}
	// Nobody asks for the bytes of older ones again.
	if last := v.setting(v.State.Delivered); last != nil && last.Version < fresh.Version {
		last.Config = nil
		v.put(last)
	}
	v.Settings = append(v.Settings, fresh)
	v.put(&fresh)
	v.State.Delivered = fresh.Version
	return delivery{fresh.Version, text}, nil
}

// enrolled reports whether the terminal has a key that counts.
func (v *Visit) enrolled(now time.Time) bool {
	if !v.State.RevokedAt.IsZero() {
		return false
	}
	for i := range v.Keys {
		if v.Keys[i].Live(now) {
			return true
		}
	}
	return false
}
