package terminal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// MenuChange is a change that somebody made in a terminal's own menu, and what
// became of it at the host.
type MenuChange struct {
	ID       string // of the terminal's choice, random
	Terminal mianmi.TerminalID
	Version  int64 // of the terminal's local setting
	PinFree  bool
	Author   string // who was signed in at the menu
	BasedOn  int64  // version of the config that was running
	At       time.Time
	Received time.Time // by the host's clock
	State    string    // MenuNew …
	Approval mianmi.ApprovalID
}

// What becomes of a change in the menu; all but the first go to the terminal.
const (
	MenuNew      = "new"      // not yet taken to the policies
	MenuInForce  = "in_force" // the terminal's policy at the host says the same
	MenuWaiting  = "waiting"  // for a second person
	MenuRejected = "rejected"
	MenuLapsed   = "lapsed" // overtaken by another change
)

// Policies is how a menu's change becomes a policy of the terminal; merchant
// keeps those.
type Policies interface {
	// SetFromTerminal switches PIN-free of the terminal's own scope, as its actor:
	// off is in force when it returns; on returns the approval that it waits for,
	// or none when nothing of the terminal's own forbids it.
	SetFromTerminal(ctx context.Context, actor mianmi.Actor, pinFree bool) (mianmi.ApprovalID, error)
	// ApprovalState is "waiting", "approved", "rejected", "withdrawn", "lapsed" or
	// "expired".
	ApprovalState(ctx context.Context, id mianmi.ApprovalID) (string, error)
}

// menu takes what the report brings from the menu. What binds the terminal at
// once binds the host at once too: while the terminal says that it has PIN-free
// off, no payment there passes without a PIN.
func (w *work) menu(r *protocol.Report) []protocol.Local {
	list := slices.Clone(r.Proposals)
	slices.SortFunc(list, func(a, b protocol.Local) int { return cmp.Compare(a.Version, b.Version) })
	for _, l := range list {
		if slices.ContainsFunc(w.Menu, func(c MenuChange) bool { return c.ID == l.ID }) {
			continue
		}
		c := MenuChange{ID: l.ID, Terminal: w.Terminal, Version: l.Version, PinFree: l.PinFree, Author: plain(l.Author, ""), BasedOn: l.BasedOn,
			At: l.At, Received: w.now, State: MenuNew}
		w.Menu = append(w.Menu, c)
		w.Left.Changes = append(w.Left.Changes, c)
		w.record("terminal.setting.proposed", menuNote{ID: c.ID, Version: c.Version, PinFree: c.PinFree, Author: c.Author, BasedOn: c.BasedOn, At: c.At})
	}
	return list
}

// answerMenu takes the menu's changes to the policies and tells what became of
// them. What cannot be done now stays new, and is done when the terminal asks again.
func (s *Service) answerMenu(ctx context.Context, from mianmi.TerminalID, h heard) (protocol.Receipt, error) {
	if len(h.asked) == 0 || s.policies == nil {
		return h.receipt, nil
	}
	ids := make([]string, len(h.asked))
	for i, l := range h.asked {
		ids[i] = l.ID
	}
	changes, err := s.records.MenuChanges(ctx, from, ids)
	if err != nil {
		return protocol.Receipt{}, err
	}
	slices.SortFunc(changes, func(a, b MenuChange) int { return cmp.Compare(a.Version, b.Version) })
	actor := mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(from), Merchant: h.place.Merchant, Store: h.place.Store}
	for i := range changes {
		c := &changes[i]
		last := i == len(changes)-1
		if err := s.settle(ctx, actor, c, last, h.locked); err != nil {
			return protocol.Receipt{}, err
		}
		h.receipt.Proposals = append(h.receipt.Proposals, protocol.Decided{ID: c.ID, State: c.State})
		if !c.PinFree && c.State == MenuInForce && last {
			h.receipt.PinFree = false
		}
	}
	return h.receipt, nil
}

// settle brings one change as far as it goes. An OFF is carried out whatever
// came after it; an ON only when it is the menu's last word.
func (s *Service) settle(ctx context.Context, actor mianmi.Actor, c *MenuChange, last, locked bool) error {
	before := c.State
	var err error
	switch {
	case c.State == MenuNew && c.PinFree && locked:
		c.State = MenuRejected
	case c.State == MenuNew && c.PinFree && !last:
		c.State = MenuLapsed
	case c.State == MenuNew:
		c.Approval, err = s.policies.SetFromTerminal(ctx, actor, c.PinFree)
		if err != nil && c.PinFree { // an ON can wait; the rest of the report counts
			return nil
		}
		if err != nil {
			return err
		}
		c.State = MenuInForce
		if c.Approval != "" {
			c.State = MenuWaiting
		}
	case c.State == MenuWaiting:
		state, err := s.policies.ApprovalState(ctx, c.Approval)
		if err != nil {
			return err
		}
		c.State = menuStates[state]
	}
	if c.State == before {
		return nil
	}
	return s.records.SettleMenuChange(ctx, *c)
}

// menuStates says what a decided approval means for the terminal.
var menuStates = map[string]string{"waiting": MenuWaiting, "approved": MenuInForce, "rejected": MenuRejected, "withdrawn": MenuLapsed,
	"lapsed": MenuLapsed, "expired": MenuLapsed}
