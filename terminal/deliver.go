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

// fetchAsk is a terminal's question for its config.
type fetchAsk struct {
	id   mianmi.TerminalID
	have int64 // version that it has; 0: none
}

// Fetch is a terminal that asks for its config, inside a change: what the store
// read, and what is to be written.
type Fetch struct {
	Terminal mianmi.TerminalID
	Known    bool      // there is such a terminal
	Version  int64     // of the config that it is to run
	Desired  time.Time // when the change of that version was made
	// Config computes that config, with the stops that are live at now.
	Config func(now time.Time) protocol.Config

	Boot      int64     // of its newest report
	RevokedAt time.Time // its keys were taken back; zero: they were not
	KeysUntil time.Time // when the last of its keys ends that is not revoked; zero: it has none
	Kept      []byte    // that config as it was delivered before; nil: it was not

	SeenAt time.Time // zero: nothing is written
	Fresh  *Setting  // nil: it was delivered before
}

// Deliver returns the config that the terminal is to run, when that is newer
// than what it has, else none, and its version. What is returned has been recorded as delivered: the
// terminal may attest it from now on. A terminal without a key that counts is
// Denied. The caller has made sure that it is the terminal that asks.
func (s *Service) Deliver(ctx context.Context, id mianmi.TerminalID, have int64) (config []byte, version int64, err error) {
	d, err := s.deliveries.ask(ctx, fetchAsk{id, have})
	return d.config, d.version, err
}

// errRevoked says that a terminal has no key that counts.
var errRevoked = mianmi.Forbidden("terminal_revoked", "this terminal is not enrolled, or its certificate was revoked")

// deliver answers a batch. Those that have the newest config cost no
// transaction: when many come back at once, most of them do.
func (s *Service) deliver(ctx context.Context, jobs []*job[fetchAsk, delivery]) error {
	newest, err := s.records.Newest(ctx)
	if err != nil {
		return err
	}
	var behind []*job[fetchAsk, delivery]
	for _, j := range jobs {
		version, known := newest(j.ask.id)
		switch {
		case !known:
			j.err = mianmi.Missing("terminal")
		case j.ask.have >= version:
			j.out.version = version
		default:
			behind = append(behind, j)
		}
	}
	if len(behind) == 0 {
		return nil
	}
	order, at := distinct(behind, func(j *job[fetchAsk, delivery]) mianmi.TerminalID { return j.ask.id })
	return s.records.Fetch(ctx, order, func(list []*Fetch) error {
		now := s.now()
		for _, f := range list {
			out, err := f.deliver(now)
			if err != nil && !errors.Is(err, mianmi.Denied) && !errors.Is(err, mianmi.NotFound) {
				return err
			}
			for _, i := range at[f.Terminal] {
				behind[i].out, behind[i].err = out, err
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
func (f *Fetch) deliver(now time.Time) (delivery, error) {
	switch {
	case !f.Known:
		return delivery{}, mianmi.Missing("terminal")
	case !f.RevokedAt.IsZero() || !now.Before(f.KeysUntil):
		return delivery{}, errRevoked
	}
	f.SeenAt = now
	if f.Kept != nil {
		return delivery{f.Version, f.Kept}, nil
	}
	config := f.Config(now)
	text, err := config.Encode()
	if err != nil {
		return delivery{}, err
	}
	f.Fresh = &Setting{Terminal: f.Terminal, Version: config.Version, Hash: protocol.HashOf(text), Config: text, PinFree: config.PinFree,
		Tightened: config.Tightened, Desired: f.Desired, Delivered: now, DeliveredBoot: f.Boot}
	for _, stop := range config.Stops {
		if stop.Until.After(f.Fresh.StopsUntil) {
			f.Fresh.StopsUntil = stop.Until
		}
	}
	return delivery{f.Version, text}, nil
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
