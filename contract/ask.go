package contract

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

const (
	// askMax is how many contracts one turn takes, all at once.
	askMax = 32
	// askTime bounds the questions about one contract; askLease is longer than a
	// turn takes, and after it another process goes on.
	askTime  = 20 * time.Second
	askLease = 30 * time.Second
)

// why a contract is ended, as the channel notes it.
const why = "付款人或商户已关闭免密签约"

// Tell says that a notification about a contract has come. It proves nothing: the
// channel is asked. A contract that is not known belongs to another installation.
func (s *Service) Tell(ctx context.Context, id mianmi.ContractID) error {
	if _, err := id.Bucket(); err != nil {
		return nil
	}
	_, err := s.Store.TellContract(ctx, id, s.now())
	return err
}

// Ask does what is due at the channels and returns how much.
func (s *Service) Ask(ctx context.Context) (int, error) {
	if len(s.Channels) == 0 {
		return 0, nil
	}
	now := s.now()
	q := Claim{Now: now, Lease: now.Add(askLease), Limit: askMax}
	for _, ch := range s.Channels {
		q.Channels = append(q.Channels, ch.Name())
	}
	list, err := s.Store.ClaimContracts(ctx, q)
	if err != nil {
		return 0, err
	}
	faults := make([]error, len(list))
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() {
			if err := s.ask(ctx, &list[i]); err != nil { // one must not keep the others waiting
				faults[i] = fmt.Errorf("contract %s at %s: %w", list[i].ID, list[i].Channel, err)
			}
		})
	}
	all.Wait()
	return len(list), errors.Join(faults...)
}

func (s *Service) ask(ctx context.Context, c *Contract) error {
	ch, started := s.channel(c.Channel), s.now()
	bounded, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var a channel.ContractAnswer
	if c.Standing == channel.ContractSigned && !c.RevokedAt.IsZero() {
		a = ch.EndContract(bounded, c.Ref(), why)
	} else {
		a = ch.AskContract(bounded, c.Ref())
	}
	if ctx.Err() != nil { // the answer may be missing because we stop: whoever is next asks again
		return ctx.Err()
	}
	if a.Fault != "" {
		s.Log.WarnContext(ctx, "a channel did not say what was asked about a contract", "contract", string(c.ID), "channel", c.Channel, "fault", a.Fault)
	}
	_, err := s.heard(ctx, c, started, a)
	return err
}

// system is who acts when a channel has spoken.
var system = mianmi.System("contracts")

// heard writes what a channel's answer makes of a contract. Answers may come in any
// order: a standing only grows, and ended is for good. asked is the contract as it
// was when the question was put.
func (s *Service) heard(ctx context.Context, asked *Contract, started time.Time, a channel.ContractAnswer) (Contract, error) {
	var out Contract
	var alarm, signed bool
	err := s.Store.ChangeChannelContract(ctx, asked.ID, func(ch *Change) error {
		c, now := ch.Contract, s.now()
		kind, err := s.moves(ch, started, a)
		if err != nil {
			return err
		}
		alarm, signed = kind == TypeUnannounced, kind == TypeSigned
		if kind != "" {
			if err := s.record(ch, now, system, kind); err != nil {
				return err
			}
		}
		c.Tries++
		if kind != "" {
			c.Tries = 0
		}
		c.Due = c.next(now, s.every)
		// What came while the channel was asked is not answered by this.
		news := !c.ToldAt.Equal(asked.ToldAt) || !c.RevokedAt.Equal(asked.RevokedAt)
		if c.Standing != channel.ContractEnded && (news || kind == TypeSigned && !c.RevokedAt.IsZero()) {
			c.Due = now
		}
		out = *c
		return nil
	})
	if err == nil && signed && a.Payer != "" {
		s.Learn(ctx, &out, a.Payer)
	}
	if err == nil && alarm {
		s.Unannounced()
		s.Log.ErrorContext(ctx, "a contract was ended at its channel, and nobody told us: its agreement is closed now; look whether notifications of ended contracts arrive",
			"contract", string(out.ID), "channel", out.Channel, "merchant", string(out.Merchant), "ended_at", out.EndedAt.Format(time.RFC3339), "ended_by", out.EndedBy)
	}
	return out, err
}

// moves takes an answer and returns the type of what it changed; empty: nothing.
func (s *Service) moves(ch *Change, started time.Time, a channel.ContractAnswer) (string, error) {
	c := ch.Contract
	before := *c
	if a.Standing == channel.ContractUnclear || a.Standing < c.Standing || c.Standing == channel.ContractEnded {
		return "", nil
	}
	if started.After(c.AskedAt) {
		c.AskedAt = started
	}
	c.Standing = a.Standing
	if a.Number != "" {
		c.Number = a.Number
	}
	if !a.SignedAt.IsZero() {
		c.SignedAt = a.SignedAt.Truncate(time.Microsecond)
	}
	switch {
	case before.Standing == c.Standing || c.Standing == channel.ContractUnsigned:
		return "", nil
	case c.Standing == channel.ContractSigned:
		if c.SignedAt.IsZero() {
			c.SignedAt = started
		}
		// It was revoked when its agreement was closed; this is for one that began
		// while an older program, which revokes nothing, closed it.
		if !ch.Agreement.Open || !ch.Payer.Payer.Frozen.IsZero() {
			c.revoke(s.now(), system)
		}
		return TypeSigned, nil
	}
	if c.EndedAt, c.EndedBy = a.EndedAt.Truncate(time.Microsecond), a.EndedBy; a.EndedAt.IsZero() {
		c.EndedAt = started
	}
	if !c.RevokedAt.IsZero() {
		return TypeEnded, nil
	}
	if err := s.Payers.CloseIn(ch.Payer, ch.Agreement, system, s.now()); err != nil {
		return "", err
	}
	if before.ToldAt.IsZero() || before.ToldAt.Before(before.AskedAt) {
		return TypeUnannounced, nil
	}
	return TypeEnded, nil
}
