package asof_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
	"github.com/mianmi/mianmi/rollout"
	"github.com/mianmi/mianmi/rules"
	"github.com/mianmi/mianmi/settings"
	"github.com/mianmi/mianmi/store/storetest"
)

// shipped are the packs that are in force by default.
func shipped(t *testing.T) (out []rules.Text) {
	t.Helper()
	usual := must(packs.Default())(t)
	for _, text := range must(packs.EmbeddedTexts())(t) {
		id := strings.TrimSuffix(text.File, ".yaml")
		if slices.ContainsFunc(usual, func(p pinfree.Pack) bool { return p.ID == id }) {
			out = append(out, rules.Text{Name: text.File, YAML: text.YAML, Source: rules.Shipped})
		}
	}
	return out
}

// moment is what the tables said at one epoch.
type moment struct {
	epoch int64
	now   time.Time
	snap  *settings.Snapshot
	keys  map[mianmi.KeyID]settings.Key
}

// said is what the tables said of a payer.
type said struct {
	payer       payer.Payer
	agreements  []payer.Agreement
	instruments []payer.Instrument
}

// play does random things on either node, and looks at the tables after each.
func (w *world) play(steps int) {
	for range steps {
		what := w.step()
		if w.t.Failed() {
			w.t.Fatal(what)
		}
		if w.rnd.IntN(4) == 0 {
			must(w.log.Sequence(w.t.Context()))(w.t)
		}
		w.look()
	}
}

// step does one thing. A Conflict means that it could not be done now.
func (w *world) step() string {
	steps := []struct {
		name  string
		share int
		do    func() error
	}{
		{"policy", 5, w.policy}, {"rollout", 5, w.rollout}, {"stop", 1, w.stop}, {"lift", 2, w.lift}, {"facts", 2, w.facts}, {"move", 1, w.move}, {"rename", 1, w.rename},
		{"key", 1, w.key}, {"packs", 3, w.packsChange}, {"person", 9, w.person}, {"pay", 18, w.pay}, {"wait", 4, w.wait},
	}
	all := 0
	for _, s := range steps {
		all += s.share
	}
	n := w.rnd.IntN(all)
	for _, s := range steps {
		if n -= s.share; n >= 0 {
			continue
		}
		if err := s.do(); err != nil && mianmi.KindOf(err) != mianmi.Conflict && mianmi.KindOf(err) != mianmi.Denied {
			w.t.Errorf("%s: %v", s.name, err)
		}
		return s.name
	}
	return ""
}

// look keeps what the tables say now.
func (w *world) look() {
	t, ctx := w.t, w.t.Context()
	snap := must(w.nodes[0].DB.Settings(ctx))(t)
	m := moment{epoch: snap.Epoch(), now: w.clock.Now(), snap: snap, keys: map[mianmi.KeyID]settings.Key{}}
	for _, k := range w.keys {
		m.keys[k.ID], _ = snap.Key(k.ID)
	}
	w.moments = append(w.moments, m)
	for _, p := range w.people {
		row := must(w.nodes[0].DB.Payer(ctx, p.ID))(t)
		if w.payers[p.ID] == nil {
			w.payers[p.ID] = map[int64]said{}
		}
		if _, seen := w.payers[p.ID][row.Version]; seen {
			continue // later payments may have used the allowance up
		}
		w.payers[p.ID][row.Version] = said{row, must(w.nodes[0].DB.Agreements(ctx, p.ID))(t), must(w.nodes[0].DB.Instruments(ctx, p.ID))(t)}
	}
}

func (w *world) shop() *storetest.Shop { return &w.shops[w.rnd.IntN(len(w.shops))] }

func (w *world) scope() merchant.Scope {
	s := w.shop()
	return []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfMerchant(s.Merchant), merchant.OfStore(s.Store),
		merchant.OfModel(s.Model), merchant.OfTerminal(s.Terminal), merchant.OfTerminal(s.Bare)}[w.rnd.IntN(7)]
}

func (w *world) policy() error {
	terms := merchant.Terms{PinFree: w.rnd.IntN(9) > 0}
	if w.rnd.IntN(3) == 0 {
		terms.PerPayment = new(money.Amount)
		*terms.PerPayment = money.Of(50_00+w.rnd.Int64N(300_00), "CNY")
	}
	if w.rnd.IntN(6) == 0 {
		m := pinfree.Methods(0).Set(pinfree.PaymentCode).Set(pinfree.CardTap)
		terms.Methods = &m
	}
	return w.node().OpenScope(w.t.Context(), w.scope(), terms)
}

// rollout moves one that runs somewhere, or begins one.
func (w *world) rollout() error {
	ctx, m := w.t.Context(), w.node().Merchants
	open, err := m.Rollouts(ctx, storetest.Operator, merchant.RolloutQuery{Open: true})
	if err != nil {
		return err
	}
	if len(open) == 0 || w.rnd.IntN(3) == 0 {
		return w.beginRollout()
	}
	r := open[w.rnd.IntN(len(open))]
	switch n := w.rnd.IntN(7); {
	case r.State == rollout.Paused:
		_, err = m.ResumeRollout(ctx, storetest.Operator, r.ID)
	case n == 0:
		_, err = m.StopRollout(ctx, storetest.Operator, r.ID)
	case n == 1:
		_, err = m.PauseRollout(ctx, storetest.Operator, r.ID)
	case n == 2: // in between, in one part
		terms := r.Terms
		terms.PerPayment = ptr(money.Of(10_00+w.rnd.Int64N(100_00), "CNY"))
		err = w.node().OpenScope(ctx, r.Scope, terms)
	default:
		_, err = m.AdvanceRollout(ctx, storetest.Operator, r.ID)
	}
	w.rolled[r.State]++
	return err
}

func (w *world) beginRollout() error {
	ctx, n, s := w.t.Context(), w.node(), w.shop()
	scope := []merchant.Scope{merchant.Everything(), merchant.OfChannel("wallet"), merchant.OfMerchant(s.Merchant), merchant.OfStore(s.Store), merchant.OfModel(s.Model)}[w.rnd.IntN(5)]
	if w.rnd.IntN(4) == 0 { // what is shut leaves more to be opened
		if _, err := n.Merchants.Close(ctx, storetest.Operator, scope); err != nil {
			return err
		}
	}
	plan := rollout.Usual(rollout.Stage{Terminals: []mianmi.TerminalID{[]mianmi.TerminalID{s.Terminal, s.Bare}[w.rnd.IntN(2)]}},
		rollout.Stage{Permille: 500}, rollout.Stage{Permille: rollout.All})
	res, err := n.Merchants.SetPolicy(ctx, storetest.Operator, merchant.PolicyOrder{Scope: scope, Terms: merchant.Terms{PinFree: true}, Rollout: &plan})
	if err == nil && res.Proposal != nil {
		_, err = w.node().Merchants.Approve(ctx, storetest.Operator2, res.Proposal.ID)
	}
	return err
}

func ptr[T any](v T) *T { return &v }

func (w *world) stop() error {
	st, err := w.node().Merchants.Place(w.t.Context(), storetest.Operator, merchant.StopOrder{Scope: w.scope(), Reason: "drill",
		For: time.Duration(1+w.rnd.IntN(40)) * time.Minute})
	w.stops = append(w.stops, st.ID)
	return err
}

func (w *world) lift() error {
	if len(w.stops) == 0 {
		return nil
	}
	ctx, n := w.t.Context(), w.node()
	a, err := n.Merchants.Lift(ctx, storetest.Operator, w.stops[w.rnd.IntN(len(w.stops))])
	if err != nil || w.rnd.IntN(4) == 0 {
		if mianmi.KindOf(err) == mianmi.NotFound {
			return nil // it was refused
		}
		return err
	}
	_, err = w.node().Merchants.Approve(ctx, storetest.Operator2, a.ID)
	return err
}

func (w *world) facts() error {
	ctx := w.t.Context()
	f := merchant.Facts{Country: "CN", MCC: 5812, NoPIN: w.rnd.IntN(8) > 0, Upgraded: w.rnd.IntN(3) > 0,
		AgreementRequired: w.rnd.IntN(5) == 0, Risk: []string{"low", "low", "elevated", ""}[w.rnd.IntN(4)]}
	_, a, err := w.node().Merchants.SetFacts(ctx, storetest.Operator, w.shop().Merchant, f)
	if err == nil && a != nil {
		_, err = w.node().Merchants.Approve(ctx, storetest.Operator2, a.ID)
	}
	return err
}

func (w *world) move() error {
	ctx, n, s := w.t.Context(), w.node(), w.shop()
	st, err := n.Merchants.CreateStore(ctx, storetest.Operator, merchant.Store{Merchant: s.Merchant, Name: "分店"})
	if err != nil {
		return err
	}
	_, err = n.Terminals.Move(ctx, storetest.Operator, s.Terminal, st.ID)
	s.Store = st.ID
	return err
}

func (w *world) rename() error {
	_, err := w.node().Terminals.Rename(w.t.Context(), storetest.Operator, w.shop().Terminal, fmt.Sprint("till ", w.rnd.IntN(99)))
	return err
}

func (w *world) key() error {
	i := w.rnd.IntN(len(w.shops))
	n := w.node()
	if w.rnd.IntN(2) == 0 {
		_, err := n.Access.RevokeKey(w.t.Context(), storetest.Operator, w.keys[w.rnd.IntN(len(w.keys))].ID)
		return err
	}
	k, _, err := n.Access.CreateKey(w.t.Context(), storetest.Operator, access.NewKey{Name: "till", Merchant: w.shops[i].Merchant, Scopes: mianmi.ScopePay,
		ExpiresAt: n.Clock.Now().Add(time.Duration(1+w.rnd.IntN(9)) * time.Hour)})
	w.keys = append(w.keys, k)
	return err
}

func (w *world) packsChange() error {
	ctx, r := w.t.Context(), w.rules[w.rnd.IntN(2)]
	o := rules.Order{Put: []rules.Text{w.nextPack()}}
	if w.rnd.IntN(4) == 0 {
		o = rules.Order{Withdraw: []string{"house"}}
	}
	c, err := r.Propose(ctx, storetest.Operator, o)
	switch {
	case mianmi.KindOf(err) == mianmi.NotFound: // it is out of force already
		return nil
	case err == nil && c.State == rules.Proposed && w.rnd.IntN(5) > 0:
		_, err = r.Approve(ctx, storetest.Operator2, c.ID)
	}
	return err
}

// person is a change that a payer makes.
func (w *world) person() error {
	ctx, n, i := w.t.Context(), w.node(), w.rnd.IntN(len(w.people))
	p := w.people[i]
	who, shop := p.Actor(), w.rnd.IntN(len(w.shops))
	grant := fmt.Sprint(i, " ", shop)
	var err error
	switch w.rnd.IntN(14) {
	case 0:
		_, err = n.Payers.Close(ctx, who, p.ID, payer.Basis{})
	case 1, 2:
		_, err = n.Payers.Reopen(ctx, who, p.ID, payer.ReopenInput{Password: storetest.PaymentPassword, RiskVersion: payer.RiskText.Version})
	case 3, 4:
		l := payer.Limits{PerPayment: optional(w, 400_00), DayAmount: optional(w, 1500_00), DayCount: optional(w, 9)}
		if w.rnd.IntN(3) == 0 {
			l.QuietFrom, l.QuietTo = w.rnd.IntN(1440), w.rnd.IntN(1440)
		}
		_, err = n.Payers.SetLimits(ctx, who, p.ID, payer.LimitsInput{Limits: l, Password: storetest.PaymentPassword, RiskVersion: payer.RiskText.Version})
	case 5, 6:
		in := payer.AllowanceInput{Max: money.Of(1+w.rnd.Int64N(500_00), "CNY"), Password: storetest.PaymentPassword}
		if w.rnd.IntN(2) == 0 {
			in.Merchant = w.shops[shop].Merchant
		}
		_, err = n.Payers.GrantAllowance(ctx, who, p.ID, in)
	case 7, 8:
		var g payer.Agreement
		g, err = n.Payers.OpenAgreement(ctx, who, p.ID, payer.AgreementInput{Merchant: w.shops[shop].Merchant, PerPayment: optional(w, 300_00),
			ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword})
		if err == nil {
			w.grants[grant] = g.ID
		}
	case 9:
		if w.grants[grant] != "" {
			_, err = n.Payers.CloseAgreement(ctx, who, p.ID, w.grants[grant])
		}
	case 10:
		until := w.clock.Now().Add([]time.Duration{time.Minute, 2 * time.Hour, 50 * time.Hour}[w.rnd.IntN(3)])
		_, err = n.Payers.Hold(ctx, storetest.Operator, p.ID, payer.HoldOrder{Until: until, Because: payer.HoldUnusual})
	case 11:
		_, err = n.Payers.LiftHold(ctx, storetest.Operator, p.ID, payer.HoldLifting{Basis: payer.Basis{Method: payer.OnRiskCase, Ref: "R-1"}})
	case 12:
		if err = n.Payers.Verify(ctx, p.ID, "111222"); mianmi.KindOf(err) == mianmi.Unauthenticated {
			err = nil
		}
	default:
		if w.rnd.IntN(6) > 0 {
			_, err = n.Payers.AddInstrument(ctx, storetest.Backend, p.ID, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "1234"})
			break
		}
		_, err = n.Payers.ReportLoss(ctx, who, p.ID, payer.Basis{})
		w.people[i] = must(n.NewPerson(ctx, 1_000_000_00))(w.t) // the story goes on with somebody else
		w.grants[fmt.Sprint(i, " 0")], w.grants[fmt.Sprint(i, " 1")] = "", ""
	}
	return err
}

func optional(w *world, most int64) *int64 {
	if w.rnd.IntN(2) == 0 {
		return nil
	}
	v := 1 + w.rnd.Int64N(most)
	return &v
}

// pay asks for some payments, as staff or as a key.
func (w *world) pay() error {
	ctx := w.t.Context()
	for range 1 + w.rnd.IntN(3) {
		n, s, p := w.node(), w.shop(), w.people[w.rnd.IntN(len(w.people))]
		actor := s.Manager
		if k := w.keys[w.rnd.IntN(len(w.keys))]; k.Merchant == s.Merchant && w.rnd.IntN(2) == 0 {
			actor = k.Actor()
		}
		at := []mianmi.TerminalID{s.Terminal, s.Terminal, s.Bare}[w.rnd.IntN(3)]
		w.orders++
		order, minor := fmt.Sprint("o", w.orders), []int64{1, 50_00, 120_00, 299_99, 300_01, 999_00, 1000_01}[w.rnd.IntN(7)]
		r := p.Tap(at, order, minor)
		switch w.rnd.IntN(8) {
		case 0, 1, 2:
			code := must(n.Payers.IssueCode(ctx, p.Actor(), p.ID))(w.t)
			r = storetest.Code(at, order, minor, code.Digits)
			if w.rnd.IntN(5) == 0 {
				r.Entry = pinfree.Typed
			}
		case 3:
			r.CVM = pinfree.CDCVM
		case 4:
			r.Method, r.CVM = pinfree.CardInsert, []pinfree.CVM{pinfree.NoCVM, pinfree.OfflinePIN}[w.rnd.IntN(2)]
		case 5:
			r = payment.Request{Terminal: at, OrderNo: order, Amount: money.Of(minor, "CNY"), Method: pinfree.Cash}
		}
		got, err := n.Payments.Authorize(ctx, actor, r)
		switch kind := mianmi.KindOf(err); {
		case err == nil:
			w.paid = append(w.paid, got.ID)
			if got.State == payment.StepUpRequired && w.rnd.IntN(2) == 0 {
				_, err = n.Payments.Confirm(ctx, p.Actor(), got.ID, storetest.PaymentPassword)
			}
			if err != nil && mianmi.KindOf(err) != mianmi.Denied && mianmi.KindOf(err) != mianmi.Conflict {
				return err
			}
		case kind == mianmi.Unauthenticated, kind == mianmi.Invalid: // the key is over; no cash here
		default:
			return err
		}
	}
	return nil
}

func (w *world) wait() error {
	w.clock.Add([]time.Duration{time.Second, time.Minute, 20 * time.Minute, 3 * time.Hour, 26 * time.Hour}[w.rnd.IntN(5)])
	return nil
}
