package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

const (
	planPeopleMax = 4
	shopsMax      = 2
	ordersMax     = 60 // few, so that many requests repeat one
)

// step is one thing that happens in every world.
type step struct {
	kind   string
	shop   int
	person int
	level  int
	order  string
	n      int64
	flag   bool
	after  time.Duration
	asks   []purchase
}

// purchase is a request for a payment, in words that every world has.
type purchase struct {
	person   int
	terminal int // 0 full, 1 bare, 2 unknown
	order    string
	minor    int64
	currency string
	method   pinfree.Method
	entry    pinfree.Entry
	cvm      pinfree.CVM
	code     string // name of a code of this sequence: the same name is the same code
	bad      bool   // a code that nobody has
}

// malformed asks are refused before they come to a lane.
func (a purchase) malformed() bool {
	return a.minor == 0 || a.order == "not an order" || a.entry > pinfree.Typed || a.method == 0 || a.method == pinfree.DynamicQR
}

// plan draws a sequence.
func plan(r *rand.Rand, seq int) []step {
	order := func() string { return fmt.Sprintf("s%d-%d", seq, r.IntN(ordersMax)) }
	var steps []step
	for range 8 + r.IntN(10) {
		s := step{shop: r.IntN(shopsMax), person: r.IntN(planPeopleMax), order: order(), n: 1 + r.Int64N(60_00), flag: r.IntN(2) == 0, level: r.IntN(4)}
		switch k := r.IntN(20); {
		case k < 9:
			s.kind = "group"
			for range 1 + r.IntN(14) {
				s.asks = append(s.asks, drawAsk(r, seq))
			}
		case k < 12:
			s.kind = []string{"confirm", "wrong password", "cancel", "reverse", "refund", "refund", "top-up"}[r.IntN(7)]
		case k < 16:
			s.kind = []string{"close", "reopen", "reopen", "limits", "limits", "allowance", "allowance", "agree", "agree", "disagree", "lose", "hold", "lift hold"}[r.IntN(13)]
		case k < 18:
			s.kind = []string{"policy", "policy", "policy", "stop", "lift"}[r.IntN(5)]
		case k < 19:
			s.kind = "wait"
			s.after = []time.Duration{time.Second, time.Minute, 91 * time.Second, 11 * time.Minute, 25 * time.Hour}[r.IntN(5)]
		default:
			s.kind = "expire"
		}
		steps = append(steps, s)
	}
	return steps
}

func drawAsk(r *rand.Rand, seq int) purchase {
	a := purchase{person: r.IntN(planPeopleMax), order: fmt.Sprintf("s%d-%d", seq, r.IntN(ordersMax)), currency: "CNY",
		minor: []int64{1, 10_00, 18_00, 100_00, 299_99, 300_00, 300_01, 1000_00, 1000_01}[r.IntN(9)]}
	if r.IntN(8) == 0 {
		a.terminal = 1 + r.IntN(2)
	}
	switch r.IntN(12) {
	case 0:
		a.method = pinfree.Cash
	case 1:
		a.method, a.cvm = pinfree.CardTap, pinfree.CDCVM
	case 2:
		a.method, a.cvm = pinfree.CardInsert, pinfree.OfflinePIN
	case 3:
		a.method = []pinfree.Method{pinfree.CardSwipe, pinfree.CardInsert, pinfree.DynamicQR, 0}[r.IntN(4)]
	case 4, 5, 6:
		a.method = pinfree.CardTap
	default:
		a.method, a.entry = pinfree.PaymentCode, pinfree.Scanned
		if r.IntN(8) == 0 {
			a.entry = []pinfree.Entry{pinfree.Typed, pinfree.EntryUnknown, 9}[r.IntN(3)]
		}
		a.code = fmt.Sprintf("c%d", r.IntN(12))
		a.bad = r.IntN(12) == 0
	}
	switch r.IntN(40) {
	case 0:
		a.currency = "EUR"
	case 1:
		a.minor = 0
	case 2:
		a.order = "not an order"
	}
	return a
}

// request is the purchase in the words of one world.
func (w *world) request(a purchase, shop int) payment.Request {
	s, p := w.shops[shop], w.people[a.person]
	r := payment.Request{OrderNo: a.order, Amount: amount(a.minor, a.currency), Method: a.method, Entry: a.entry, CVM: a.cvm}
	switch a.terminal {
	case 0:
		r.Terminal = s.Terminal
	case 1:
		r.Terminal = s.Bare
	default:
		r.Terminal = "tmnowhere"
	}
	switch a.method {
	case pinfree.PaymentCode:
		r.Code = w.codes[fmt.Sprintf("%s-%d", a.code, a.person)]
		if a.bad {
			r.Code = r.Code[:16] + fmt.Sprintf("%02d", (int(r.Code[16]-'0')*10+int(r.Code[17]-'0')+1)%100)
		}
	case pinfree.CardTap, pinfree.CardInsert, pinfree.CardSwipe:
		r.Instrument = p.Card
	}
	return r
}
