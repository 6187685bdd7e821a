package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/secret"
)

// hours are the times of day at which people pay, in minutes.
var hours = []int{8*60 + 10, 12*60 + 20, 15*60 + 40, 18*60 + 35, 20*60 + 50}

// atOnce is how many pay at the same time.
const atOnce = 8

// history is a few weeks of payments, made by stepping the server's clock from
// one time of day to the next. It ends yesterday.
type history struct {
	*loader
	dice  dice
	pin   secret.PINKey
	order int
	pos   []*client.Client // by merchant
}

// purchase is one payment of the history, drawn before it is made, so that the
// order of answers changes nothing.
type purchase struct {
	payer    *Payer
	merchant int
	terminal *Terminal
	minor    int64
	card     mianmi.InstrumentID // empty: a payment code
	cash     bool
	order    string
	confirm  bool // if a password is asked for
	after    after
}

// after is what becomes of a payment.
type after uint8

const (
	stays after = iota
	refunded
	reversed
)

// history begins at the midnight first.
func (l *loader) history(ctx context.Context, first time.Time) error {
	h := &history{loader: l, dice: 20260703}
	for i := range l.world.Merchants {
		h.pos = append(h.pos, l.api.As(l.world.Merchants[i].POS))
	}
	key, err := h.pos[0].HostKey(ctx)
	if err != nil {
		return err
	}
	h.pin = secret.PINKey{ID: key.KeyID, Public: key.Public}
	for day := range 7 * weeks {
		l.Clock.JumpTo(first.AddDate(0, 0, day).Add(7 * time.Hour))
		if err := h.morning(ctx, day); err != nil {
			return err
		}
		for _, minute := range hours {
			l.Clock.JumpTo(first.AddDate(0, 0, day).Add(time.Duration(minute) * time.Minute))
			if err := h.hour(ctx); err != nil {
				return fmt.Errorf("history, day %d: %w", day+1, err)
			}
		}
	}
	return nil
}

// morning loads the balances, once a week.
func (h *history) morning(ctx context.Context, day int) error {
	if day == 0 || day%7 != 0 {
		return nil
	}
	for i := range h.world.Payers {
		weekly := client.NewTopUp{Key: fmt.Sprintf("week-%d", day/7), Amount: yuan(payers[i].weekly)}
		if _, err := h.wallet.TopUp(ctx, h.world.Payers[i].ID, weekly); err != nil {
			return fmt.Errorf("load the balance of %s: %w", h.world.Payers[i].Name, err)
		}
	}
	return nil
}

// hour lets some of the payers pay, several at once.
func (h *history) hour(ctx context.Context) error {
	var list []purchase
	for i := range h.world.Payers {
		if h.dice.below(100) < 42 {
			list = append(list, h.draw(&h.world.Payers[i], payers[i].agreement))
		}
	}
	var (
		wg   sync.WaitGroup
		errs = make([]error, len(list))
		room = make(chan struct{}, atOnce)
	)
	for i := range list {
		room <- struct{}{}
		wg.Go(func() {
			errs[i] = h.buy(ctx, &list[i])
			<-room
		})
	}
	wg.Wait()
	h.world.Payments += len(list)
	return errors.Join(errs...)
}

// draw chooses who buys what where. Parking is for those with an agreement.
func (h *history) draw(p *Payer, agreement bool) purchase {
	m := h.dice.below(len(merchants))
	if merchants[m].agreement && !agreement && !h.dice.one(4) {
		m = 0
	}
	cast, place := &merchants[m], &h.world.Merchants[m]
	s := &place.Stores[h.dice.below(len(place.Stores))]
	h.order++
	b := purchase{payer: p, merchant: m, terminal: &s.Terminals[h.dice.below(len(s.Terminals))],
		minor: cast.least + int64(h.dice.below(int(cast.most-cast.least)/50))*50,
		order: fmt.Sprintf("H%06d", h.order), confirm: !h.dice.one(5)}
	switch {
	case h.dice.one(25) && b.terminal.Keypad:
		b.cash = true
	case len(p.Cards) > 0 && b.terminal.Keypad && h.dice.one(3):
		b.card = p.Cards[0]
	}
	switch {
	case h.dice.one(30):
		b.after = refunded
	case h.dice.one(50):
		b.after = reversed
	}
	return b
}

func (h *history) buy(ctx context.Context, b *purchase) error {
	pos := h.pos[b.merchant]
	ask := client.Authorization{Terminal: b.terminal.ID, OrderNo: b.order, Amount: yuan(b.minor), Method: "payment_code"}
	switch {
	case b.cash:
		ask.Method = "cash"
	case b.card != "":
		ask.Method, ask.Instrument = "card_tap", b.card
	default:
		code, err := h.wallet.IssueCode(ctx, b.payer.ID)
		if err != nil {
			return err
		}
		ask.Code, ask.Entry = code.Code, "scanned"
	}
	p, err := pos.Authorize(ctx, ask)
	if err != nil {
		return err
	}
	if p.State == "step_up_required" && b.confirm && b.terminal.Keypad {
		if p, err = h.typePIN(ctx, pos, p.ID); err != nil {
			return err
		}
	}
	if p.State != "approved" {
		return nil // called off, or it runs out: that happens too
	}
	switch b.after {
	case refunded:
		_, err = pos.Refund(ctx, p.ID, client.RefundRequest{RefundNo: "R" + b.order, Amount: yuan((b.minor + 1) / 2), Reason: "部分商品缺货"})
	case reversed:
		_, err = pos.Reverse(ctx, p.ID)
	case stays:
	}
	return err
}

// typePIN is the step-up at the terminal's keypad.
func (h *history) typePIN(ctx context.Context, pos *client.Client, id mianmi.PaymentID) (client.Payment, error) {
	sealed, err := secret.SealPIN(h.pin, string(id), password)
	if err != nil {
		return client.Payment{}, err
	}
	return pos.ConfirmPIN(ctx, id, client.SealedPIN{KeyID: sealed.KeyID, Enc: sealed.Encapsulated, Ciphertext: sealed.Ciphertext})
}
