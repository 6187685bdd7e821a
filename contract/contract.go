// Package contract keeps the PIN-free contracts that payers have signed at
// channels over a network, each for one agreement here (ADR 18).
//
// Only a channel's clear word moves one, and a contract allows nothing: it ends
// when its agreement does, and the agreement ends when it does. Agreements are
// payer's; what a channel is asked, and what it may be believed, is channel's.
package contract

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

// Front is the channel of contracts that payers signed here, at the pages of the
// front in WeChat Pay's form (ADR 17). They are wechat's, and only listed, shown and
// ended with the others: nobody is asked about them, and they are ended at once.
const Front = "front"

// Contract is one at a channel.
type Contract struct {
	ID        mianmi.ContractID // by which the channel knows it
	Payer     mianmi.PayerID
	Merchant  mianmi.MerchantID
	Agreement mianmi.AgreementID
	Channel   string
	Kind      string // of those that the channel has
	Service   string // the channel's number of what is signed

	// Standing is the channel's last clear word, which only grows.
	Standing channel.ContractStanding
	Number   string // the channel's own; empty until it has said one
	OpenedAt time.Time
	Until    time.Time // when the session in which it can be signed is over
	SignedAt time.Time // as the channel says
	EndedAt  time.Time
	EndedBy  string // in the channel's words
	// RevokedAt is since when we want it ended; zero: we do not. It stays.
	RevokedAt time.Time
	RevokedBy string // mianmi.Actor.String() of who closed it, or its agreement

	AskedAt time.Time // when the last question was put that the channel answered clearly
	ToldAt  time.Time // when the last notification came
	Due     time.Time // when the channel is asked next; zero: no more
	Tries   int       // questions since something changed
	Version int64     // how many entries tell of it
}

// Ref names the contract at its channel.
func (c *Contract) Ref() channel.ContractRef {
	return channel.ContractRef{Contract: c.ID, Merchant: c.Merchant, Kind: c.Kind, Service: c.Service}
}

// State is how a contract stands for people. It is not stored.
type State uint8

// The states. The zero State is none of them.
const (
	Signing State = 1 + iota // waits for the payer, who has the session's time
	Signed
	Ending // revoked; the channel has not confirmed yet that it is ended
	Ended
	Lapsed // nobody signed in time
)

// SessionLife is how long a payer may take to sign: a session of WeChat Pay's
// lives two hours.
const SessionLife = 2 * time.Hour

// State is the contract's at now.
func (c *Contract) State(now time.Time) State {
	over := !now.Before(c.Until)
	switch c.Standing {
	case channel.ContractEnded:
		return Ended
	case channel.ContractSigned:
		if !c.RevokedAt.IsZero() {
			return Ending
		}
		return Signed
	case channel.ContractUnsigned:
		// What is revoked can be signed up to its last second: only a word of later
		// settles it.
		if over && (c.RevokedAt.IsZero() || !c.AskedAt.Before(c.Until)) {
			return Lapsed
		}
	case channel.ContractUnclear: // the channel never gave a session that somebody could sign in
		if over {
			return Lapsed
		}
	}
	if !c.RevokedAt.IsZero() {
		return Ending
	}
	return Signing
}

// The pace at which a channel is asked.
const (
	// endFirst doubles with each try to end a contract, up to endMax.
	endFirst = 5 * time.Second
	endMax   = time.Hour
	// A session is asked for at growing intervals, each half its age, and for
	// sessionAsked at most: a payer who turned back says nothing to anybody.
	sessionFirst = time.Minute
	sessionMax   = 24 * time.Hour
	sessionAsked = 30 * 24 * time.Hour
)

// next is when the channel is asked again; every is the pace of signed contracts.
func (c *Contract) next(now time.Time, every time.Duration) time.Time {
	switch {
	case c.Standing == channel.ContractEnded:
		return time.Time{}
	case c.Standing == channel.ContractSigned && !c.RevokedAt.IsZero():
		return now.Add(min(endFirst<<min(c.Tries, 16), endMax))
	case c.Standing == channel.ContractSigned:
		// Up to a quarter earlier, by bucket: what became due at once, after an
		// outage, does not stay together.
		return now.Add(every - every/4*time.Duration(c.Payer.Bucket())/mianmi.Buckets)
	}
	age := now.Sub(c.OpenedAt)
	if age > sessionAsked {
		return time.Time{}
	}
	at := now.Add(min(max(age/2, sessionFirst), sessionMax))
	if now.Before(c.Until) && at.After(c.Until) {
		return c.Until
	}
	return at
}
