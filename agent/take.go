package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/link"
	"github.com/mianmi/mianmi/api/client"
)

// Choose takes the method for the amount. After one that failed, the amount is
// still there and another may be chosen: that is another order, asked for by a
// person.
func (l *Till) Choose(method string) error {
	methods := l.t.Methods()
	if !slices.Contains(methods, method) {
		return mianmi.InvalidField("method", "is not accepted here")
	}
	no, err := mianmi.NewID("or", l.t.Clock.Now(), l.t.Random)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.stage == Done && l.failedNow()
	if l.stage != Choosing && l.stage != Reading && !again {
		return mianmi.Conflicts("payment_under_way", "a payment is under way")
	}
	if again {
		l.failed = append(l.failed, l.order.Method)
	}
	l.order = Order{No: no, Merchant: l.order.Merchant, Amount: l.order.Amount, Method: method, At: l.t.Clock.Now(), Test: l.order.Test}
	l.pay, l.note, l.input = nil, mianmi.Text{}, client.Authorization{}
	l.stage = Reading
	if method == cash || method == dynamicQR {
		return l.ask()
	}
	l.tell()
	return nil
}

// failedNow reports whether the payment at the screen has ended without money.
func (l *Till) failedNow() bool {
	s, ok := l.slip(l.order.No)
	return ok && s.State != "approved"
}

// What a reader or a person types is told apart by its form.
var (
	textInput = mianmi.Text{ZH: "付款码是 18 位数字，请重新扫描或输入", EN: "A payment code has 18 digits; scan or type it again"}
	textCard  = mianmi.Text{ZH: "没有读到卡，请重试", EN: "No card was read; try again"}
)

// Read takes what the scanner, the card reader or a person typed.
//
// A scanner says what kind of code it read (ISO/IEC 15424: "]Q3", "]C1", …
// before it); digits without that were typed, and typed codes always need the
// password. A card reader's kernel gives the card's token, and after a blank
// "cdcvm" or "offline_pin" when the card reports that as done.
func (l *Till) Read(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage != Reading {
		return mianmi.Conflicts("not_reading", "nothing is to be read now")
	}
	l.note = mianmi.Text{}
	text = strings.TrimSpace(text)
	if l.order.Method == paymentCode {
		code, entry := text, "typed"
		if len(text) > 3 && text[0] == ']' {
			code, entry = text[3:], "scanned"
		}
		if len(code) != 18 || strings.Trim(code, "0123456789") != "" {
			l.note = textInput
			l.tell()
			return mianmi.InvalidField("code", "a payment code has 18 digits")
		}
		l.input = client.Authorization{Code: code, Entry: entry}
		return l.ask()
	}
	token, cvm, _ := strings.Cut(text, " ")
	if len(token) != 30 || !strings.HasPrefix(token, "ci") || cvm != "" && cvm != "cdcvm" && cvm != "offline_pin" {
		l.note = textCard
		l.tell()
		return mianmi.InvalidField("card", "no card was read")
	}
	l.input = client.Authorization{Instrument: mianmi.InstrumentID(token), CVM: cvm}
	return l.ask()
}

// ask puts the order on the disk and then asks the host. The caller holds mu.
func (l *Till) ask() error {
	if len(l.books.Open) >= openMax {
		return mianmi.Conflicts("too_many_open", "too many payments with an unknown outcome: wait for the network")
	}
	if err := l.keep(func(b *books) { b.Open = append(b.Open, l.order) }); err != nil {
		return err
	}
	in := l.input
	in.Terminal, in.OrderNo, in.Amount, in.Method = l.t.ID(), l.order.No, l.order.Amount, l.order.Method
	l.input, l.stage, l.began, l.wanted = in, Asking, l.t.Up(), false
	l.start(l.drive)
	l.tell()
	return nil
}

// api is the host's API with the terminal as the caller.
func (t *Terminal) api() (*client.Client, error) {
	l := t.current()
	return client.New(l.Host(), client.Options{HTTP: l.HTTP()})
}

// Times of one payment. The host answers within a second or not at all; its
// own deadline for a request is below settleMax.
const (
	askTimeout = 12 * time.Second
	pollEvery  = time.Second
	settleMax  = 90 * time.Second
)

// drive asks for one payment until its outcome is known.
func (l *Till) drive(ctx context.Context, o Order) {
	l.mu.Lock()
	in := l.input
	l.mu.Unlock()
	// What was closed here must be known there before the host decides.
	if l.report(ctx) != nil && !l.t.Setting().PinFree {
		in.Entry = "" // a code of which nothing is said always needs the password
	}
	if o.Method == dynamicQR {
		l.openQR(ctx, o)
		return
	}
	p, err := l.authorize(ctx, in)
	switch {
	case err == nil:
		if !l.answered(ctx, &o, p) {
			l.unknown(ctx, o, nil)
		}
	case link.Refused(err):
		l.refused(o, err)
	default:
		l.unknown(ctx, o, &in)
	}
}

// report tells the host what waits to be told, and what this terminal runs when
// that is not proved.
func (l *Till) report(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return l.t.flush(ctx, l.t.Setting().LeaseLeft == 0)
}

func (l *Till) authorize(ctx context.Context, in client.Authorization) (client.Payment, error) {
	api, err := l.t.api()
	if err != nil {
		return client.Payment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return api.Authorize(ctx, in)
}

func (l *Till) openQR(ctx context.Context, o Order) {
	api, err := l.t.api()
	if err != nil {
		l.refused(o, err)
		return
	}
	short, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// The key makes a repeat of a lost request get the first answer.
	q, err := api.Once(o.No).OpenQR(short, client.QRRequest{Terminal: l.t.ID(), OrderNo: o.No, Amount: o.Amount})
	if err != nil {
		l.refused(o, err) // a QR order that nobody has seen cannot be paid
		return
	}
	l.mu.Lock()
	l.order.QR, l.order.Until = q.QR, q.ExpiresAt
	o = l.order
	err = l.keepOpen(o)
	l.stage = ShowingQR
	l.mu.Unlock()
	if err != nil {
		l.refused(o, err)
		return
	}
	l.tell()
	l.poll(ctx, o)
}

// refused ends an order that the host has not taken.
func (l *Till) refused(o Order, cause error) {
	s := Slip{Order: o, State: "nothing", Ended: l.t.Clock.Now(), Sentence: mianmi.Text{
		ZH: "主机没有受理，未扣款。请换一种付款方式，或稍后再试。", EN: "The host did not take it; nothing was charged. Offer another way to pay, or try again later."}}
	var p *client.Problem
	if errors.As(cause, &p) {
		s.Failure = p.Code
	} else {
		s.Sentence = mianmi.Text{ZH: "连不上主机，未扣款。可请检查网络，或稍后再试。", EN: "The host cannot be reached; nothing was charged. Check the network, or try again later."}
	}
	if s.Failure == "too_many_wrong_codes" {
		s.Sentence = mianmi.Text{ZH: "无效付款码过多，请稍候或换一种付款方式。", EN: "Too many invalid codes: wait a while, or offer another way to pay."}
	}
	l.end(s)
}

// answered takes the host's word on an order. It is false when the order is to
// be asked for again.
func (l *Till) answered(ctx context.Context, o *Order, p client.Payment) bool {
	l.t.mu.Lock()
	l.t.decided, l.t.online = l.t.Clock.Now(), true
	l.t.mu.Unlock()
	if !underWay(p) {
		return l.settle(ctx, o, p)
	}
	l.mu.Lock()
	wanted := o.Test // it asks for a password: that was to be seen, and nothing is to be taken
	if l.order.No == o.No {
		wanted = wanted || l.wanted
		l.wanted = wanted
		l.pay, l.stage = &p, Waiting
	}
	l.mu.Unlock()
	l.tell()
	if wanted && p.State != "undoing" {
		l.callOff(ctx, *o, p)
	} else {
		l.poll(ctx, *o)
	}
	return true
}

// underWay reports whether the payment has not ended: it waits for its payer, or
// for the word of a payment system that is asked over a network.
func underWay(p client.Payment) bool {
	return slices.Contains([]string{"step_up_required", "verifying", "unknown", "undoing"}, p.State)
}

// poll asks for the state until it is final.
func (l *Till) poll(ctx context.Context, o Order) {
	for pause(ctx, pollEvery) {
		p, err := l.byOrder(ctx, o)
		l.mu.Lock()
		wanted := l.wanted && l.order.No == o.No
		l.mu.Unlock()
		switch {
		case err != nil && client.Code(err) == "" && !missing(err): // the network: ask again
		case missing(err) && o.QR != "" && (wanted || l.lapsed(o)):
			l.lapse(o)
			return
		case err != nil:
		case underWay(p) && wanted && p.State != "undoing":
			l.callOff(ctx, o, p)
			return
		case underWay(p):
			l.mu.Lock()
			if l.order.No == o.No && l.stage != Done {
				l.pay, l.stage = &p, Waiting
			}
			l.mu.Unlock()
		default:
			if !l.settle(ctx, &o, p) {
				l.unknown(ctx, o, nil)
			}
			return
		}
		l.tell()
	}
}

// pause waits for d; false: ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *Till) byOrder(ctx context.Context, o Order) (client.Payment, error) {
	api, err := l.t.api()
	if err != nil {
		return client.Payment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return api.PaymentByOrder(ctx, o.Merchant, o.No)
}

func missing(err error) bool {
	var p *client.Problem
	return errors.As(err, &p) && p.Status == 404
}
