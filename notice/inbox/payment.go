package inbox

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// ofPayment is the notice of a payment as it stands now.
func (s *Service) ofPayment(ctx context.Context, p *payment.Payment) Notice {
	at := placeOf(s.payments.Site(ctx, p.Terminal))
	n := Notice{ID: string(p.ID), Payment: p.ID, Merchant: p.Merchant, At: p.CreatedAt, ChangedAt: p.StateAt, Kind: kindOf(p)}
	w := paymentWords[p.State]
	switch {
	case p.State == payment.Approved && p.PinFree():
		w = pinFreeWords
		n.UndoUntil = s.payments.UndoUntil(p)
	case w.title.ZH == "": // a state of a later version
		w = paymentWords[payment.Unknown]
	}
	n.Title = w.title
	n.Words = capital(fill(w.words, map[string]mianmi.Text{"{amount}": same(p.Amount.String()), "{shop}": at.shop(),
		"{time}": timeText(p.CreatedAt), "{back}": same(backOf(p)), "{why}": why(p, at)}))
	if n.Kind == PinFree || n.Kind == Refused {
		n.Hint = notMine
	}
	if !n.UndoUntil.IsZero() {
		n.Hint = fill(undoHint, map[string]mianmi.Text{"{until}": timeText(n.UndoUntil)})
	}
	return n
}

// kindOf is what a payment's notice is about. A state that nobody knows has no
// end yet.
func kindOf(p *payment.Payment) Kind {
	switch p.State {
	case payment.Approved:
		if p.PinFree() {
			return PinFree
		}
		return Paid
	case payment.Refused, payment.Declined, payment.Expired:
		return Refused
	case payment.Reversed, payment.Refunded, payment.PartlyRefunded:
		return Returned
	case payment.StepUpRequired, payment.Verifying, payment.Unknown, payment.Undoing:
	}
	return Waiting
}

// backOf is what went back of a payment.
func backOf(p *payment.Payment) string {
	if p.State == payment.Reversed {
		return p.Amount.String()
	}
	return money.Of(p.Refunded, p.Amount.Currency()).String()
}

// timeText is an instant on the payer's clock. It bears its day: a notice is read
// on another one.
func timeText(t time.Time) mianmi.Text {
	at := payer.Local(t)
	return mianmi.Text{ZH: at.Format("1月2日 15:04"), EN: at.Format("15:04 on 2 January")}
}

func same(s string) mianmi.Text { return mianmi.Text{ZH: s, EN: s} }

// place is where a payment was made, as people call it; what is not known is empty.
type place struct{ merchant, store, terminal string }

func placeOf(site settings.Site, known bool) place {
	if !known {
		return place{}
	}
	return place{merchant: site.Merchant.Name, store: site.Store.Name, terminal: site.Terminal.Name}
}

func (p place) shop() mianmi.Text {
	switch {
	case p.store != "":
		return same(p.store)
	case p.merchant != "":
		return same(p.merchant)
	}
	return unknownShop
}

// why says in the payer's words why nobody asked, or why it was refused; empty
// when the payment has no reason.
func why(p *payment.Payment, at place) mianmi.Text {
	switch {
	case p.State == payment.Expired:
		return notInTime
	case p.State == payment.Declined:
		if w, known := failures[p.Failure]; known {
			return w
		}
		return calledOff
	}
	if len(p.Reasons) == 0 {
		return mianmi.Text{}
	}
	r, name := p.Reasons[0], ""
	switch r.Layer { //nolint:exhaustive // the others have general names
	case pinfree.LayerMerchant, pinfree.LayerAgreement:
		name = at.merchant
	case pinfree.LayerStore:
		name = at.store
	case pinfree.LayerTerminal, pinfree.LayerPosture:
		name = at.terminal
	}
	return r.Words(pinfree.ForPayer, name)
}
