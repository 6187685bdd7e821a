package torture

import (
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/store/storetest"
)

func amount(minor int64, c string) money.Amount { return money.Of(minor, money.Currency(c)) }

// take does one step and says what was answered.
func (w *world) take(s step) []string {
	switch s.kind {
	case "group":
		return w.takeGroup(s)
	case "wait":
		w.clock.Add(s.after)
		return nil
	case "expire":
		n, err := w.node.Payments.ExpireOverdue(w.t.Context())
		return []string{fmt.Sprint("expired ", n, err)}
	case "close", "reopen", "limits", "allowance", "agree", "disagree", "lose", "hold", "lift hold":
		return []string{s.kind + " " + w.person(s)}
	case "policy", "stop", "lift":
		return []string{s.kind + " " + w.setting(s)}
	}
	return []string{s.kind + " " + s.order + " " + w.after(s)}
}

func (w *world) takeGroup(s step) []string {
	for _, a := range s.asks { // codes are shown before the payments
		name := fmt.Sprintf("%s-%d", a.code, a.person)
		if _, shown := w.codes[name]; a.code == "" || shown {
			continue
		}
		p := w.people[a.person]
		code, err := w.node.Payers.IssueCode(w.t.Context(), p.Actor(), p.ID)
		if err != nil {
			w.t.Errorf("%s: %v", w.name, err)
		}
		w.codes[name] = code.Digits
	}
	reqs := make([]payment.Request, len(s.asks))
	for i, a := range s.asks {
		reqs[i] = w.request(a, s.shop)
	}
	var out []string
	for i, r := range w.group(w.shops[s.shop].Manager, s.asks, reqs) {
		out = append(out, s.asks[i].order+": "+w.said(r.Payment, r.Err))
	}
	return out
}

// after is what happens to a payment later.
func (w *world) after(s step) string {
	ctx, pay, p := w.t.Context(), w.node.Payments, w.people[s.person]
	manager := w.shops[s.shop].Manager
	id, known := w.orders[s.order]
	if !known && s.kind != "top-up" {
		return "unknown"
	}
	who := mianmi.Actor{Role: mianmi.RolePayer, ID: string(p.ID)}
	if known {
		if q, err := w.node.DB.Payment(ctx, id); err == nil && q.Payer != "" {
			who.ID = string(q.Payer)
		}
	}
	switch s.kind {
	case "confirm":
		return w.said(pay.Confirm(ctx, who, id, storetest.PaymentPassword))
	case "wrong password":
		return w.said(pay.Confirm(ctx, who, id, "111222"))
	case "cancel":
		return w.said(pay.Cancel(ctx, manager, id))
	case "reverse":
		return w.said(pay.Reverse(ctx, manager, id))
	case "refund":
		r, err := pay.Refund(ctx, manager, id, payment.RefundRequest{RefundNo: fmt.Sprintf("r%d", s.n%3), Amount: amount(s.n/10+1, "CNY"), Reason: "退货"})
		if err != nil {
			return w.said(nil, err)
		}
		return storetest.Rename(fmt.Sprintf("%+v", *r), w.names)
	}
	u, err := pay.TopUp(ctx, storetest.Operator, payment.TopUpRequest{Payer: p.ID, Key: fmt.Sprintf("k%d", s.n%4), Amount: amount(s.n, "CNY")})
	if err != nil {
		return w.said(nil, err)
	}
	return fmt.Sprint(u.Amount, u.Balance, u.At)
}

// person is a change that a payer makes.
func (w *world) person(s step) string {
	ctx, p := w.t.Context(), w.people[s.person]
	var st payer.Status
	var err error
	switch s.kind {
	case "close":
		st, err = w.node.Payers.Close(ctx, p.Actor(), p.ID, payer.Basis{})
	case "reopen":
		st, err = w.node.Payers.Reopen(ctx, p.Actor(), p.ID, payer.ReopenInput{Password: storetest.PaymentPassword, RiskVersion: payer.RiskText.Version})
	case "lose":
		st, err = w.node.Payers.ReportLoss(ctx, p.Actor(), p.ID, payer.Basis{})
	case "hold":
		st, err = w.node.Payers.Hold(ctx, storetest.Operator, p.ID, payer.HoldOrder{Until: w.clock.Now().Add(time.Hour), Because: payer.HoldUnusual})
	case "lift hold":
		st, err = w.node.Payers.LiftHold(ctx, storetest.Operator, p.ID, payer.HoldLifting{Basis: payer.Basis{Method: payer.OnRiskCase, Ref: "R-1"}})
	case "allowance":
		in := payer.AllowanceInput{Max: amount(s.n*5, "CNY"), Password: storetest.PaymentPassword}
		if s.flag {
			in.Merchant = w.shops[s.shop].Merchant
		}
		st, err = w.node.Payers.GrantAllowance(ctx, p.Actor(), p.ID, in)
	case "limits":
		var l payer.Limits
		count, each := s.n%5, s.n*10
		if s.flag {
			l.DayCount = &count
		} else {
			l.PerPayment = &each
		}
		st, err = w.node.Payers.SetLimits(ctx, p.Actor(), p.ID, payer.LimitsInput{Limits: l, Password: storetest.PaymentPassword, RiskVersion: payer.RiskText.Version})
	default:
		return w.agreement(s, p)
	}
	if err != nil {
		return w.said(nil, err)
	}
	return fmt.Sprint(st.Version)
}

func (w *world) agreement(s step, p storetest.Person) string {
	ctx, key := w.t.Context(), fmt.Sprintf("agreement-%d-%d", s.person, s.shop)
	var g payer.Agreement
	var err error
	if s.kind == "agree" {
		in := payer.AgreementInput{Merchant: w.shops[s.shop].Merchant, ConsentVersion: payer.ConsentText.Version, Password: storetest.PaymentPassword}
		if s.flag {
			in.PerPayment = &s.n
		}
		g, err = w.node.Payers.OpenAgreement(ctx, p.Actor(), p.ID, in)
		w.grants[key] = string(g.ID)
	} else {
		g, err = w.node.Payers.CloseAgreement(ctx, p.Actor(), p.ID, mianmi.AgreementID(w.grants[key]))
	}
	if err != nil {
		return w.said(nil, err)
	}
	return fmt.Sprint(g.Open, g.Version)
}

// setting is a change on the merchant's side.
func (w *world) setting(s step) string {
	ctx, m, shop := w.t.Context(), w.node.Merchants, w.shops[s.shop]
	scope := []merchant.Scope{merchant.OfMerchant(shop.Merchant), merchant.OfStore(shop.Store), merchant.OfModel(shop.Model),
		merchant.OfTerminal(shop.Terminal)}[s.level]
	switch s.kind {
	case "stop":
		st, err := m.Place(ctx, storetest.Operator, merchant.StopOrder{Scope: scope, Reason: "drill", For: time.Hour})
		if err != nil {
			return w.said(nil, err)
		}
		w.grants["stop"] = string(st.ID)
		return "placed"
	case "lift":
		a, err := m.Lift(ctx, storetest.Operator, mianmi.StopID(w.grants["stop"]))
		if err == nil {
			_, err = m.Approve(ctx, storetest.Operator2, a.ID)
		}
		if err != nil {
			return w.said(nil, err)
		}
		return "lifted"
	}
	terms := merchant.Terms{PinFree: s.n%3 != 0}
	if s.flag {
		most := amount(s.n*10, "CNY")
		terms.PerPayment = &most
	}
	if s.n%7 == 0 {
		codes := pinfree.Methods(0).Set(pinfree.PaymentCode)
		terms.Methods = &codes
	}
	if err := w.node.OpenScope(ctx, scope, terms); err != nil {
		return w.said(nil, err)
	}
	return "set"
}
