package emv

import (
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Situation is what a reader's parameters are computed for: taps of one
// scheme's cards in one currency at one terminal.
//
// A reader knows nothing of payers, so one is meant for whom nothing more is
// asked than for anybody (Willing), and who has not paid today. The others are
// asked by the host, with a step-up answer. What is not known of merchant and
// terminal makes the parameters stricter, as in pinfree.
type Situation struct {
	Rules    *pinfree.RuleSet // nil: nothing is PIN-free
	At       time.Time        // decides which packs are in force
	Currency money.Currency
	Scheme   string // "visa", "mastercard", "unionpay", …
	Kind     string // "debit", "credit", …; empty: the strictest of them
	// Domestic says whose cards; nil: the stricter of both.
	Domestic *bool
	Place    pinfree.Place
	// Facts are what is known of every tap here; nil: those of Willing. What a
	// reader is asked for (the service on, its own limits, a sale) is set.
	Facts *pinfree.Facts
	// Layers are all who have a say besides the packs, for a tap. Merchant and
	// terminal must be there, or nothing is taken; the payer's is added.
	Layers []pinfree.Layer
}

// Ceiling is up to which amount taps pass, in minor units. Amounts that do not
// fit into a terminal's parameter are not looked at.
type Ceiling struct {
	PinFree int64 // the largest amount that needs no PIN; 0: none
	// Taken and TakenOnDevice are the largest amounts that are taken at all, when
	// the PIN was entered and when the holder was verified on the device.
	Taken, TakenOnDevice int64
	// Why is what asks for the PIN, or refuses, just above PinFree. The zero Why
	// says that nothing does.
	Why pinfree.Why
}

// Parameters are the values that a terminal's EMV configuration needs.
type Parameters struct {
	Scheme   string
	Currency money.Currency
	Kernel   Kernel
	Ceiling  Ceiling
	// EntryPoint is for every kernel but C2, which has its own limits; UnionPay
	// comes beside it.
	EntryPoint *EntryPoint
	C2         *C2
	UnionPay   *UnionPay
}

// Compute returns the parameters. Each kernel's own comparison with them asks
// for verification just where pinfree.Decide asks for the PIN. An error is
// Invalid and names the field: currency or scheme.
func Compute(s Situation) (Parameters, error) {
	switch {
	case !s.Currency.Valid():
		return Parameters{}, mianmi.InvalidField("currency", "want three upper-case letters (ISO 4217)")
	case s.Scheme == "":
		return Parameters{}, mianmi.InvalidField("scheme", "which scheme? unionpay, visa, mastercard …")
	}
	p := Parameters{Scheme: s.Scheme, Currency: s.Currency, Kernel: KernelOf(s.Scheme), Ceiling: s.ceiling(pinfree.Yes)}
	if p.Kernel == KernelC2 {
		k := c2(p.Ceiling)
		p.C2 = &k
		return p, nil
	}
	e := entryPoint(p.Ceiling)
	p.EntryPoint = &e
	if p.Kernel == KernelUnionPay {
		u := unionPay(p.Ceiling, s.lists(p.Ceiling))
		p.UnionPay = &u
	}
	return p, nil
}

// Values lists every parameter with its tag.
func (p *Parameters) Values() []Value {
	var out []Value
	if p.EntryPoint != nil {
		out = append(out, p.EntryPoint.Values()...)
	}
	if p.C2 != nil {
		out = append(out, p.C2.Values()...)
	}
	if p.UnionPay != nil {
		out = append(out, p.UnionPay.Values()...)
	}
	return out
}

// TLV writes the kernel's limits as EMV data objects. UnionPay's own parameters
// are not among them: they are loaded by field 62.
func (p *Parameters) TLV() string {
	switch {
	case p.C2 != nil:
		return tlvOf(p.C2.Values())
	case p.EntryPoint != nil:
		return tlvOf(p.EntryPoint.Values())
	}
	return ""
}

// ceiling asks Decide where PIN-free payment ends, for cards in (or not in) the
// terminal's lists: the strictest of domestic and foreign cards.
func (s *Situation) ceiling(listed pinfree.Flag) Ceiling {
	sides := []bool{true, false}
	if s.Domestic != nil {
		sides = []bool{*s.Domestic}
	}
	var out Ceiling
	for i, domestic := range sides {
		c := s.side(domestic, listed)
		if i == 0 {
			out = c
			continue
		}
		if c.PinFree < out.PinFree {
			out.PinFree, out.Why = c.PinFree, c.Why
		}
		out.Taken, out.TakenOnDevice = min(out.Taken, c.Taken), min(out.TakenOnDevice, c.TakenOnDevice)
	}
	return out
}

func (s *Situation) side(domestic bool, listed pinfree.Flag) Ceiling {
	in := s.input(domestic, listed)
	decide := func(minor int64, cvm pinfree.CVM) pinfree.Decision {
		in.Amount, in.CVM = money.Of(minor, s.Currency), cvm
		return pinfree.Decide(in)
	}
	taken := func(cvm pinfree.CVM) int64 {
		return largest(func(minor int64) bool { return decide(minor, cvm).Outcome != pinfree.Refused })
	}
	c := Ceiling{
		PinFree: largest(func(minor int64) bool { return decide(minor, pinfree.NoCVM).Outcome == pinfree.PinFree }),
		Taken:   taken(pinfree.OnlinePIN), TakenOnDevice: taken(pinfree.CDCVM),
	}
	if c.PinFree < AmountMax {
		c.Why = decide(c.PinFree+1, pinfree.NoCVM).Reasons[0]
	}
	return c
}

// largest returns the largest amount that is inside, 0 for none. It halves the
// range, for Decide is never less careful with more money.
func largest(inside func(minor int64) bool) int64 {
	low, high := int64(0), int64(AmountMax) // low is inside or 0, what is above high is not looked at
	for low < high {
		middle := low + (high-low+1)/2
		if inside(middle) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// OtherIssuer stands for an issuer that no pack names.
const OtherIssuer = "other"

// Willing returns the facts of a payer who has agreed, chose no lower limit and
// is at no risk, with a card of an issuer that no pack names. The risk of the
// merchant is not among them: it is not the payer's.
func Willing() pinfree.Facts {
	f := pinfree.Facts{Consent: "given", Contactless: pinfree.Yes, Risk: "low", Factors: 1, Certificate: pinfree.No,
		Issuer: OtherIssuer, Activated: pinfree.Yes}
	for i := range f.Figures {
		f.Figures[i] = pinfree.NoFigure
	}
	return f
}

// input is a tap in this situation. Limits that stand in the reader itself are
// what is being computed, so there are none yet.
func (s *Situation) input(domestic bool, listed pinfree.Flag) pinfree.Input {
	facts := Willing()
	if s.Facts != nil {
		facts = *s.Facts
	}
	facts.Type, facts.Offline, facts.QuickPass, facts.AsksPIN, facts.Listed = "sale", pinfree.No, pinfree.Yes, pinfree.No, listed
	for _, own := range []pinfree.Figure{pinfree.ReaderCVMLimit, pinfree.ReaderTransactionLimit, pinfree.ReaderDeviceLimit, pinfree.TerminalNoPINLimit} {
		facts.Figures[own] = pinfree.NoFigure
	}
	in := pinfree.Input{Method: pinfree.CardTap, Card: pinfree.Card{Scheme: s.Scheme, Kind: s.Kind, Domestic: domestic},
		Place: s.Place, Facts: &facts, At: s.At, Rules: s.Rules, Counts: make([]pinfree.Count, s.Rules.Counters()),
		Minute: s.Rules.LocalMinute(s.At), Can: pinfree.ByTerminalPIN, Layers: slices.Clone(s.Layers)}
	if !slices.ContainsFunc(in.Layers, func(l pinfree.Layer) bool { return l.Kind == pinfree.LayerPayer }) {
		in.Layers = append(in.Layers, pinfree.Layer{Kind: pinfree.LayerPayer, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return in
}

// cardLists says which lists of card numbers the terminal must keep to.
type cardLists struct {
	all   bool // for every card
	debit bool // for domestic debit cards
}

// lists compares cards that are in a list with cards that are not: where that
// makes a difference, the terminal must look into it.
func (s *Situation) lists(listed Ceiling) cardLists {
	matters := func(kind string, domestic *bool) bool {
		q := *s
		q.Kind = kind
		if q.Domestic = domestic; s.Domestic != nil {
			q.Domestic = s.Domestic
		}
		return q.ceiling(pinfree.No).PinFree < q.ceiling(pinfree.Yes).PinFree
	}
	if listed.PinFree == 0 {
		return cardLists{}
	}
	home := true
	return cardLists{all: matters("credit", nil), debit: matters("debit", &home)}
}
