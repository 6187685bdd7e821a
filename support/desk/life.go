package desk

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// side is who moves a case.
type side uint8

const (
	nobody   side = 0
	byPayer  side = 1 << iota // the payer, about an own case
	byShop                    // the merchant, in a case that is shared with it
	byDesk                    // support, risk, operator
	byDecide                  // those of them who decide
)

// moves says who may bring a case from one state to another.
var moves = map[State]map[State]side{
	Open:            {InProgress: byDesk, WaitingPayer: byDesk, WaitingMerchant: byDesk, WaitingBank: byDesk, Decided: byDecide, Closed: byPayer},
	InProgress:      {WaitingPayer: byDesk, WaitingMerchant: byDesk, WaitingBank: byDesk, Decided: byDecide, Closed: byPayer},
	WaitingPayer:    {InProgress: byDesk | byPayer, WaitingMerchant: byDesk, WaitingBank: byDesk, Decided: byDecide, Closed: byPayer},
	WaitingMerchant: {InProgress: byDesk | byShop, WaitingPayer: byDesk, WaitingBank: byDesk, Decided: byDecide, Closed: byPayer},
	WaitingBank:     {InProgress: byDesk, WaitingPayer: byDesk, WaitingMerchant: byDesk, Decided: byDecide, Closed: byPayer},
	Decided:         {InProgress: byDecide, Closed: byDesk},
	Closed:          {InProgress: byPayer | byDesk},
}

// ReopenWithin is how long after its end a payer may reopen a case.
const ReopenWithin = 30 * 24 * time.Hour

// sides are those that an actor speaks for in a case.
func sides(a mianmi.Actor, c *Case) side {
	switch {
	case a.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleSystem):
		return byDesk | byDecide
	case a.Is(mianmi.RolePayer) && c.Payer != "" && a.ID == string(c.Payer):
		return byPayer
	case a.Is(mianmi.RoleMerchantAdmin) && c.Shared && c.Merchant != "" && a.Merchant == c.Merchant:
		return byShop
	}
	return nobody
}

var (
	errMove   = mianmi.Conflicts("move_not_allowed", "the case cannot go there from where it is")
	errTooOld = mianmi.Conflicts("case_too_old", "the case has been over for too long; open a new one")
)

// may returns nil when one of the sides may bring the case to a state.
func (c *Case) may(who side, to State, now time.Time) error {
	allowed, ok := moves[c.State][to]
	switch {
	case !ok:
		return errMove
	case allowed&who == 0:
		return mianmi.Forbidden("not_allowed", "this move is not yours")
	case c.State == Closed && who&byDesk == 0 && now.Sub(c.ClosedAt) > ReopenWithin:
		return errTooOld
	}
	return nil
}

// enter brings the case to a state, with its clocks.
func (c *Case) enter(to State, now time.Time, l Level) {
	from := c.State
	if to != WaitingPayer {
		c.goOn(now, !c.AnsweredAt.IsZero())
	}
	switch {
	case from == Closed: // begun anew: it was answered once
		c.Reopened++
		c.start(now, l)
		c.AnsweredAt, c.ClosedAt = time.Time{}, time.Time{}
		c.undecide()
	case from == Decided && to == InProgress: // the decision is taken back
		c.undecide()
	case to == WaitingPayer:
		c.wait(now)
	case to == Decided:
		c.DecidedAt = now
	case to == Closed:
		c.ClosedAt = now
	}
	if to == WaitingMerchant && c.Merchant != "" {
		c.Shared = true
	}
	c.State = to
}

// undecide takes back what was decided, with what it gave.
func (c *Case) undecide() {
	c.DecidedAt, c.Verdict, c.Award = time.Time{}, NoVerdict, money.Amount{}
}
