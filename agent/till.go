package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// Methods by the API's names.
const (
	cash        = "cash"
	paymentCode = "payment_code"
	dynamicQR   = "dynamic_qr"
)

// Stage is how far the payment at the screen is.
type Stage uint8

// Stages, in the order of a payment.
const (
	Idle     Stage = iota
	Choosing       // of the method
	Reading        // the card, or the code
	Asking         // the host decides
	Waiting        // for the payer's password, on the phone or here
	ShowingQR
	Unknown // the answer was lost: asking by order number
	Done
)

// Order is one payment at this terminal. It is on the disk before the host is
// asked, with all that is needed to ask for its outcome, and nothing else: no
// code, no card, no PIN.
type Order struct {
	No       string            `json:"no"`
	Merchant mianmi.MerchantID `json:"merchant"`
	Amount   money.Amount      `json:"amount"`
	Method   string            `json:"method"`
	At       time.Time         `json:"at"`
	Test     bool              `json:"test,omitempty"`
	QR       string            `json:"qr,omitempty"` // of a QR order
	Until    time.Time         `json:"until,omitzero"`
	Dropped  bool              `json:"dropped,omitempty"` // called off here, and may still be paid
	Undo     bool              `json:"undo,omitempty"`    // passed PIN-free at a closed terminal: to be undone
}

// Slip is a payment with its outcome, as it is shown and printed.
type Slip struct {
	Order
	Payment  mianmi.PaymentID `json:"payment,omitempty"`
	State    string           `json:"state"` // as the API's; "nothing" when the host never took it
	Outcome  string           `json:"outcome,omitempty"`
	CVM      string           `json:"cvm,omitempty"`
	Entry    string           `json:"entry,omitempty"`
	Failure  string           `json:"failure,omitempty"`
	Sentence mianmi.Text      `json:"sentence"`
	Reasons  []mianmi.Text    `json:"reasons,omitempty"`
	Rules    string           `json:"rules,omitempty"`
	Place    [4]string        `json:"place"` // merchant, store, address, terminal
	Ended    time.Time        `json:"ended"`
	Undone   bool             `json:"undone,omitempty"` // reversed here: it had passed PIN-free at a closed terminal
}

// books are the payments file.
type books struct {
	Open  []Order `json:"open,omitempty"`  // outcome not known yet
	Slips []Slip  `json:"slips,omitempty"` // newest last
}

// Bounds of the file: payments whose outcome is open are few, or the terminal
// takes no more; slips are for today's questions, the host has the rest.
const (
	openMax  = 16
	slipsMax = 50
)

// Till is the payment at the screen, and those that were left open.
type Till struct {
	t *Terminal

	mu     sync.Mutex
	books  books
	stage  Stage
	order  Order
	pay    *client.Payment // the host's last word
	input  client.Authorization
	pin    []byte
	sealed string      // order whose PIN is on its way to the host
	note   mianmi.Text // what went wrong with the last input
	failed []string    // methods that this amount has been tried with, in vain
	resume bool        // found open at the start
	began  time.Duration
	cancel context.CancelFunc
	wanted bool // to call it off as soon as that can be done
	work   sync.WaitGroup
	ctx    context.Context //nolint:containedctx // of Run: work that a screen begins outlives its request
}

func newTill(t *Terminal) (*Till, error) {
	l := &Till{t: t}
	b, err := t.Folder.Load(filePayments)
	switch {
	case errors.Is(err, disk.ErrNone):
	case errors.Is(err, disk.ErrDamaged), err == nil && json.Unmarshal(b, &l.books) != nil:
		t.Log.Error("the list of open payments is lost: look the last ones up at the host", "error", err)
		l.books = books{}
	case err != nil:
		return nil, err
	}
	if n := len(l.books.Open); n > 0 && !l.books.Open[n-1].Dropped {
		// Power went in the middle of a payment: the screen shows what becomes of it.
		l.order, l.stage, l.resume, l.began = l.books.Open[n-1], Unknown, true, t.Up()
	}
	return l, nil
}

// run works until ctx ends and lets what has begun end with it.
func (l *Till) run(ctx context.Context) {
	l.mu.Lock()
	l.ctx = ctx
	if l.stage == Unknown {
		l.start(l.resolve)
	}
	l.mu.Unlock()
	l.t.waitLook(ctx)
	for {
		l.resolveOpen(ctx)
		timer := time.NewTimer(tickEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			l.work.Wait()
			return
		case <-timer.C:
		}
	}
}

// start lets the order's work run beside the screen. The caller holds mu.
func (l *Till) start(fn func(context.Context, Order)) {
	if l.ctx == nil || l.ctx.Err() != nil {
		return
	}
	if l.cancel != nil {
		l.cancel()
	}
	ctx, cancel := context.WithCancel(l.ctx)
	l.cancel = cancel
	order := l.order
	l.work.Go(func() { fn(ctx, order) })
}

// View is what the screen shows of the payment.
type View struct {
	Stage   Stage
	Order   Order
	Payment *client.Payment
	Methods []string
	Failed  []string
	Note    mianmi.Text
	PIN     int           // digits typed so far
	TakePIN bool          // may be typed here
	QR      string        // to be shown
	Left    time.Duration // for the payer
	Asked   time.Duration // since the host was asked
	Slip    *Slip
	Resumed bool
	Open    []Order // others whose outcome is not known
	Calling bool    // it is being called off
}

// View returns what is to be shown now.
func (l *Till) View() View {
	methods := l.t.Methods()
	now, _ := l.t.hostNow()
	l.mu.Lock()
	defer l.mu.Unlock()
	v := View{Stage: l.stage, Order: l.order, Payment: l.pay, Methods: methods, Failed: l.failed, Note: l.note, PIN: len(l.pin),
		Resumed: l.resume, Asked: l.t.Up() - l.began, Calling: l.wanted}
	if l.pay != nil && l.pay.StepUp != nil {
		v.Left = max(0, l.pay.StepUp.ExpiresAt.Sub(now))
		v.TakePIN = slices.Contains(l.pay.StepUp.Methods, "terminal_pin") && l.t.PINAllowed(l.order.Amount)
		if l.t.Model.Display {
			v.QR = l.pay.StepUp.QR
		}
	}
	if l.stage == ShowingQR {
		v.QR, v.Left = l.order.QR, max(0, l.order.Until.Sub(now))
	}
	if l.stage == Done {
		if s, ok := l.slip(l.order.No); ok {
			v.Slip = &s
		}
	}
	for _, o := range l.books.Open {
		if o.No != l.order.No || l.stage == Idle {
			v.Open = append(v.Open, o)
		}
	}
	return v
}

// Busy reports whether a payment is at the screen.
func (l *Till) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stage != Idle && l.stage != Done && l.stage != Choosing
}

// Slips returns the last payments, newest first.
func (l *Till) Slips() []Slip {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.books.Slips)
	slices.Reverse(out)
	return out
}

// Slip finds a payment by its order number.
func (l *Till) Slip(no string) (Slip, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slip(no)
}

func (l *Till) slip(no string) (Slip, bool) {
	for i := len(l.books.Slips) - 1; i >= 0; i-- {
		if l.books.Slips[i].No == no {
			return l.books.Slips[i], true
		}
	}
	return Slip{}, false
}

// keep makes a change of the books durable. The caller holds mu.
func (l *Till) keep(fn func(*books)) error {
	next := books{Open: slices.Clone(l.books.Open), Slips: slices.Clone(l.books.Slips)}
	fn(&next)
	b, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the payments: %w", err)
	}
	if err := l.t.Folder.Save(filePayments, b); err != nil {
		return err
	}
	l.books = next
	return nil
}

// keepOpen makes a change of an open order durable. The caller holds mu.
func (l *Till) keepOpen(o Order) error {
	return l.keep(func(b *books) {
		for i := range b.Open {
			if b.Open[i].No == o.No {
				b.Open[i] = o
			}
		}
	})
}

// Begin begins a payment: its amount is known.
func (l *Till) Begin(a money.Amount) error {
	s := l.t.Setting()
	switch {
	case s.Running == nil:
		return &mianmi.Error{Kind: mianmi.Unavailable, Code: "no_config", Msg: "no settings from the host yet"}
	case !a.Positive() || a.Minor() > 1_000_000_000 || string(a.Currency()) != s.Running.Currency:
		return mianmi.InvalidField("amount", "want an amount above 0")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage != Idle && l.stage != Done && l.stage != Choosing {
		return mianmi.Conflicts("payment_under_way", "a payment is under way")
	}
	l.clear()
	l.order, l.stage = Order{Merchant: s.Running.MerchantID, Amount: a}, Choosing
	l.tell()
	return nil
}

// clear forgets the payment at the screen. The caller holds mu.
func (l *Till) clear() {
	l.wipe()
	l.order, l.pay, l.input, l.note, l.failed, l.resume, l.wanted, l.stage = Order{}, nil, client.Authorization{}, mianmi.Text{}, nil, false, false, Idle
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// wipe forgets the PIN.
func (l *Till) wipe() {
	clear(l.pin)
	l.pin = nil
}

func (l *Till) tell() { l.t.tell() }

// shown reports whether the order is the one at the screen.
func (l *Till) shown(o Order) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.No == o.No
}

// Next leaves what is done.
func (l *Till) Next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage == Done || l.stage == Choosing || l.stage == Idle {
		l.clear()
		l.tell()
	}
}
