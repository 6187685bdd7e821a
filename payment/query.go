package payment

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// maySee says who may see a payment: its payer, its merchant's people and
// software, the terminal that took it, and mianmi's own people.
func maySee(a mianmi.Actor, p *Payment) bool {
	switch {
	case a.Is(mianmi.RoleTerminal):
		return a.ID != "" && a.ID == string(p.Terminal) && a.Merchant == p.Merchant
	case a.Is(mianmi.RolePayer):
		return p.Payer != "" && a.ID == string(p.Payer)
	case a.Is(mianmi.RoleCashier, mianmi.RoleStoreManager):
		return a.Merchant == p.Merchant && a.Store == p.Store && a.Store != ""
	case a.Is(mianmi.RoleMerchantAdmin):
		return a.Merchant == p.Merchant && a.Merchant != ""
	case a.Is(mianmi.RoleAPIClient):
		return a.Merchant == p.Merchant && a.Merchant != "" && a.Scopes&(mianmi.ScopePay|mianmi.ScopeRead|mianmi.ScopeRefund) != 0
	}
	return a.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem)
}

// Payment returns a payment that the actor may see; otherwise it is NotFound.
func (s *Service) Payment(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) (*Payment, error) {
	p, err := s.Books.Payment(ctx, id)
	if err != nil {
		return nil, err
	}
	if !maySee(actor, p) {
		return nil, mianmi.Missing("payment")
	}
	return s.withCall(ctx, s.overdue(p)), nil
}

// overdue shows a step-up whose time is over as expired, before the sweep has
// written it. At a channel outside it has ended when the channel says so.
func (s *Service) overdue(p *Payment) *Payment {
	if p.State == StepUpRequired && !p.Outside() && !s.now().Before(p.ExpiresAt) {
		p.State, p.StepUp = Expired, 0
	}
	return p
}

// UndoUntil is until when an approved payment can be reversed; zero: it cannot,
// or not any more.
func (s *Service) UndoUntil(p *Payment) time.Time {
	until := p.CreatedAt.Add(s.cfg.ReverseWithin)
	if p.State != Approved || s.now().After(until) {
		return time.Time{}
	}
	return until
}

// PaymentByOrder finds a payment by the merchant's order number.
func (s *Service) PaymentByOrder(ctx context.Context, actor mianmi.Actor, m mianmi.MerchantID, no string) (*Payment, error) {
	if !orderNo(no) {
		return nil, mianmi.InvalidField("order_no", "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	}
	p, err := s.Books.PaymentByOrder(ctx, OrderKey(m, no))
	if err != nil {
		return nil, err
	}
	if !maySee(actor, p) {
		return nil, mianmi.Missing("payment")
	}
	return s.withCall(ctx, s.overdue(p)), nil
}

// pageMax bounds a page of a list.
const pageMax = 200

// Payments lists a payer's payments, newest first, that are older than before
// (empty: from the newest). limit 1 to 200.
func (s *Service) Payments(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, before mianmi.PaymentID, limit int) ([]Payment, error) {
	if !maySee(actor, &Payment{Payer: id}) {
		return nil, mianmi.Missing("payer")
	}
	if !payerID(id) {
		return nil, mianmi.Missing("payer")
	}
	if _, err := before.Bucket(); before != "" && err != nil {
		return nil, mianmi.InvalidField("before", "the identifier of a payment")
	}
	if limit < 1 || limit > pageMax {
		return nil, mianmi.InvalidField("limit", "1 to 200")
	}
	list, err := s.Books.Payments(ctx, id, before, limit)
	for i := range list {
		s.overdue(&list[i])
	}
	return list, err
}

// Promise is what the rule packs in force promise to the holder of a lost or stolen
// card for a payment with the instrument, nil when it is not known; nil: nothing.
func (s *Service) Promise(ctx context.Context, p *Payment, in *payer.Instrument) (*pinfree.CompensationRule, error) {
	snap, err := s.Books.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return Promised(snap, s.seen(ctx, snap), p, in), nil
}

// Promised is Promise by settings and rules that were read; the rules may be nil.
func Promised(snap *settings.Snapshot, rules *pinfree.RuleSet, p *Payment, in *payer.Instrument) *pinfree.CompensationRule {
	of := pinfree.Input{Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: p.CVM, Card: card(in), At: p.CreatedAt}
	if site, ok := snap.Site(p.Terminal); ok {
		of.Place = site.Place()
	}
	return rules.Promised(&of)
}

// Refunds lists the refunds of a payment that the actor may see.
func (s *Service) Refunds(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) ([]Refund, error) {
	if _, err := s.Payment(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.Books.Refunds(ctx, id)
}

// Entries says where the log tells of a payment that the actor may see.
func (s *Service) Entries(ctx context.Context, actor mianmi.Actor, id mianmi.PaymentID) (Entries, error) {
	if _, err := s.Payment(ctx, actor, id); err != nil {
		return Entries{}, err
	}
	return s.Books.PaymentEntries(ctx, id)
}

// StepUps lists the payer's payments that wait for a password, newest first.
func (s *Service) StepUps(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID) ([]Payment, error) {
	if !actor.Is(mianmi.RolePayer) || actor.ID != string(id) {
		return nil, mianmi.Missing("payer")
	}
	list, err := s.Books.OpenStepUps(ctx, id, s.now(), pageMax)
	return slices.DeleteFunc(list, func(p Payment) bool { return p.Outside() }), err
}

// Preview is what a payment would meet now.
type Preview struct {
	Decision pinfree.Decision
	Rules    string
	Epoch    int64
}

// DryRun says whether a payment would need a PIN, and why. It reads without
// locks, writes nothing and asks no channel; a payment that comes later may meet
// other settings. With req.Channel it goes through that channel over a network,
// with a code of its or a QR code; the payer is then a member of the merchant, or
// empty: whoever that is.
func (s *Service) DryRun(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, req Request) (Preview, error) {
	own := actor.Is(mianmi.RolePayer) && actor.ID == string(id)
	staff := actor.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor)
	client := actor.Is(mianmi.RoleAPIClient) && actor.Scopes.Has(mianmi.ScopePayers) // a wallet's back end, not a shop's till
	if !own && !staff && !client {
		return Preview{}, mianmi.Forbidden("not_allowed", "this caller may not ask about this payer")
	}
	unknown := id == "" && req.Channel != "" && !own
	if !unknown && !payerID(id) {
		return Preview{}, mianmi.Missing("payer")
	}
	req.payer = id
	if err := req.validateDry(); err != nil {
		return Preview{}, err
	}
	snap, err := s.Books.Settings(ctx)
	if err != nil {
		return Preview{}, err
	}
	site, ok := snap.Site(req.Terminal)
	if !ok || client && actor.Merchant != "" && site.Merchant.ID != actor.Merchant {
		return Preview{}, mianmi.InvalidField("terminal", "no such terminal")
	}
	if req.Channel != "" {
		if req.outside = s.outsideOf(req.Channel, site.Merchant.ID); req.outside == nil {
			return Preview{}, errNotThrough
		}
	}
	f, snap, err := s.Ledger.Peek(ctx, Ask{Payer: id, Bucket: id.Bucket(), Merchant: site.Merchant.ID, Instrument: req.Instrument, Terminal: req.Terminal})
	if err != nil {
		return Preview{}, err
	}
	switch {
	case unknown:
	case f.Account == nil:
		return Preview{}, mianmi.Missing("payer")
	case req.outside != nil && f.Agreement == nil:
		return Preview{}, mianmi.InvalidField("payer", "no such member of this merchant")
	}
	if site, ok = snap.Site(req.Terminal); !ok {
		return Preview{}, mianmi.InvalidField("terminal", "no such terminal")
	}
	j := judge{s: s, channel: s.Wallet.Name(), rules: s.seen(ctx, snap)}
	d, _ := j.decide(s.now(), &req, &f, &site)
	return Preview{Decision: d, Rules: j.rules.Version(), Epoch: snap.Epoch()}, nil
}

// validateDry is validate for a question that has no code and no order yet.
func (r *Request) validateDry() error {
	dry := *r
	dry.OrderNo, dry.Code = "dry-run", ""
	if dry.Method == pinfree.PaymentCode {
		dry.Code, dry.Channel = "280000000000000000", ""
	}
	return dry.validate()
}

// watchers wake those who wait for news of a payer (long poll, server-sent
// events). News is a hint: whoever is woken reads the state.
type watchers struct {
	mu   sync.Mutex
	wake map[mianmi.PayerID]map[chan struct{}]struct{}
}

// Watch returns a channel that gets a value after each change of the payer's
// payments on this node, and a function that ends it.
func (s *Service) Watch(id mianmi.PayerID) (<-chan struct{}, func()) {
	w, c := &s.watch, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake == nil {
		w.wake = map[mianmi.PayerID]map[chan struct{}]struct{}{}
	}
	if w.wake[id] == nil {
		w.wake[id] = map[chan struct{}]struct{}{}
	}
	w.wake[id][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.wake[id], c)
		if len(w.wake[id]) == 0 {
			delete(w.wake, id)
		}
	}
}

func (w *watchers) tell(id mianmi.PayerID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.wake[id] {
		select {
		case c <- struct{}{}:
		default: // a value waits already
		}
	}
}

// Site shows a terminal with what it belongs to, from the newest settings that
// this process has seen: for names on receipts, not for decisions.
func (s *Service) Site(ctx context.Context, id mianmi.TerminalID) (settings.Site, bool) {
	snap := s.latest.Load()
	if snap == nil {
		var err error
		if snap, err = s.Books.Settings(ctx); err != nil {
			return settings.Site{}, false
		}
	}
	return snap.Site(id)
}
