package cases

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// packID is the pack that given makes; its limits bear the names of the keys.
const packID = "given"

// counterID is its only counter.
const counterID = "cumulative"

// packs are the rules of the case as the language of packs says them.
func (g *given) packs() []pinfree.Pack {
	main := g.newPack(packID, g.when(g.Channels))
	if len(g.Art12) > 0 {
		main.When.Except = append(main.When.Except, condition(g.Art12))
	}
	main.Permits = true
	main.Effective = pinfree.Period{From: g.From, To: g.To}
	b := builder{g: g, pack: &main}
	b.amounts()
	b.counters()
	b.payer()
	b.mandate()
	b.merchant()
	b.quickPass()
	b.reader()
	main.Unlimited = !b.bounded
	out := []pinfree.Pack{main}
	if len(g.Art12) > 0 {
		fares := g.newPack(packID+"_art12", g.when(g.Art12))
		fares.Permits, fares.Unlimited = true, true
		out = append(out, fares)
	}
	if g.SwitchGiven {
		out = append(out, g.contactlessSwitch())
	}
	return out
}

func (g *given) newPack(id string, when pinfree.Condition) pinfree.Pack {
	zone := g.Zone
	if zone == "" {
		zone = "UTC"
	}
	p := pinfree.Pack{ID: id, Version: 1, Edition: "case", Layer: "regulation", Title: same(id), Zone: zone, When: when,
		Sources: []pinfree.Source{{Title: "the case's given", URL: "https://invalid.example/", Read: "2000-01-01", Quality: "unverified"}}}
	if g.MaxFailed > 0 || g.CodeOnce {
		p.Authentication = &pinfree.Authentication{FailuresMax: g.MaxFailed, CodeOnce: g.CodeOnce}
	}
	return p
}

// same is a text that needs no translation: the name of a key.
func same(s string) mianmi.Text { return mianmi.Text{ZH: s, EN: s} }

// when says which payments the rules reach: those of the channels, in the
// currency, in its country, but not of an excluded purpose.
func (g *given) when(names []string) pinfree.Condition {
	c := condition(names)
	if g.Currency != "" {
		c.Currencies = []string{string(g.Currency)}
		c.Countries = []string{countryOf(g.Currency)}
	}
	if len(g.Excluded) > 0 {
		c.Except = append(c.Except, pinfree.Condition{Purposes: g.Excluded})
	}
	return c
}

// contactlessSwitch refuses taps while the holder's switch is off; offline card
// payments do not depend on it.
func (g *given) contactlessSwitch() pinfree.Pack {
	p := g.newPack(packID+"_contactless_switch", condition([]string{"contactless"}))
	p.Limits = []pinfree.Limit{{ID: "off", Title: same("contactless_switch"), When: cel("!payer.contactless"), Always: true, Above: refuse}}
	return p
}

func cel(s string) *pinfree.Condition { return &pinfree.Condition{CEL: s} }

// builder adds limits to a pack.
type builder struct {
	g       *given
	pack    *pinfree.Pack
	bounded bool // a limit reaches every payment, so that the pack's leave is not without limits
}

func above(refuses bool) string {
	if refuses {
		return refuse
	}
	return stepUp
}

// always adds a condition on which no payment is PIN-free.
func (b *builder) always(id, expression string, refuses bool) {
	b.pack.Limits = append(b.pack.Limits, pinfree.Limit{ID: id, Title: same(id), When: cel(expression), Always: true, Above: above(refuses)})
}

// amount adds a bound on the payment alone; a nil bound adds nothing.
func (b *builder) amount(id string, r *pinfree.Range, when *pinfree.Condition, refuses bool) {
	if r == nil {
		return
	}
	b.bounded = b.bounded || when == nil
	b.pack.Limits = append(b.pack.Limits, pinfree.Limit{ID: id, Title: same(id), When: when, Amount: r, Above: above(refuses)})
}

// bound is x <= n or x < n; nil for no bound.
func bound(n *int64, below bool) *pinfree.Range {
	switch {
	case n == nil:
		return nil
	case below:
		return &pinfree.Range{Below: n}
	}
	return &pinfree.Range{AtMost: n}
}

func (b *builder) amounts() {
	g := b.g
	b.amount("per_tx_max_minor", bound(g.PerTxMax, g.PerTxBelow), nil, g.PerTxRefuses)
	if g.FirmMax != nil {
		b.amount("firm_limit_minor", &pinfree.Range{AtMostOf: pinfree.IssuerPaymentLimit.String()}, nil, false)
	}
	if g.CustomerMax != nil {
		b.amount("customer_limit_minor", &pinfree.Range{AtMostOf: pinfree.PayerPaymentLimit.String()}, nil, true)
	}
	if g.RiskBased {
		b.always("regime", `risk != "low"`, false)
	}
	if g.FactorsMet != nil && (g.Grade == "A" || g.Grade == "B") {
		b.always("factors_met", "factors < 2", false)
	}
}

// counters adds the cumulative limits.
func (b *builder) counters() {
	g := b.g
	if !g.counts() {
		return
	}
	c := pinfree.Counter{ID: counterID, Bucket: g.Bucket, Counts: countedWords[0], Resets: g.Resets}
	if g.CountsAll {
		c.Counts = countedWords[1]
	}
	when := b.pack.When
	if g.OutOfScopeCounts {
		when.Countries, when.Except = nil, slices.DeleteFunc(slices.Clone(when.Except), isExclusion)
	}
	if g.Art12Counts {
		when.Except = slices.DeleteFunc(slices.Clone(when.Except), func(c pinfree.Condition) bool { return !isExclusion(c) })
	}
	c.When = &when
	b.pack.Counters = append(b.pack.Counters, c)
	limit := func(id string) *pinfree.Limit {
		b.bounded = true
		b.pack.Limits = append(b.pack.Limits, pinfree.Limit{ID: id, Title: same(id), Counter: counterID, Above: above(g.Refuses)})
		return &b.pack.Limits[len(b.pack.Limits)-1]
	}
	if g.CumAmountMax != nil {
		limit("cum_amount_max_minor").Amount = g.cumulativeAmount()
	}
	if g.CumCountMax != nil {
		limit("cum_count_max").Number = &pinfree.Range{AtMost: g.CumCountMax, Scope: scopeOf(g.CumCountPrev)}
	}
}

// isExclusion tells the exception of excluded purposes from that of Article 12.
func isExclusion(c pinfree.Condition) bool { return len(c.Purposes) > 0 }

func scopeOf(previous bool) string {
	if previous {
		return scopes[0]
	}
	return scopes[1]
}

// cumulativeAmount is a number, or the figure that the customer set or agreed to.
func (g *given) cumulativeAmount() *pinfree.Range {
	r := &pinfree.Range{Scope: scopeOf(g.CumAmountPrev)}
	switch {
	case g.CustomerSet:
		r.AtMostOf = pinfree.PayerCumulativeLimit.String()
	case g.Agreed != nil:
		r.AtMostOf = pinfree.AgreedDayLimit.String()
	default:
		r.AtMost = g.CumAmountMax
	}
	return r
}

// payer adds what follows from the payer's switch. Where a PIN does not help, in
// a mode that is refused above its limit, a closed function is refused.
func (b *builder) payer() {
	b.always("payer_enabled", `payer.consent == "closed" || payer.consent == "default"`, b.g.Refuses)
	b.always("payer_never_enabled", `payer.consent == "never_used"`, true)
}

func (b *builder) mandate() {
	debit := func(id, expression string, refuses bool) {
		b.always(id, `method == "mandate_debit" && (`+expression+")", refuses)
	}
	debit("registered_with_afa", "!mandate.registered", false)
	debit("first_transaction_authenticated", "!mandate.begun", false)
	debit("mandate_withdrawn", "mandate.withdrawn", true)
	debit("opt_out_this_debit", "mandate.skipped", true)
	if n := b.g.Mandate.NoticeHours; n > 0 {
		debit("pre_debit_notice_hours", "mandate.notice_hours < "+strconv.FormatInt(n, 10), true)
	}
}

func (b *builder) merchant() {
	b.always("merchant_risk", `merchant.risk == "high"`, false)
	if b.g.TxTypes != nil && len(b.g.TxTypes) == 0 {
		b.always("transaction_types", "true", false)
	} else if b.g.TxTypes != nil {
		b.always("transaction_types", `!(type in ["`+strings.Join(b.g.TxTypes, `", "`)+`"])`, false)
	}
}

// quickPass adds UnionPay's terminal parameters. A foreign debit card goes by
// what the card asks for.
func (b *builder) quickPass() {
	q := &b.g.QPS
	if !q.given() {
		return
	}
	b.amount("ff8058", bound(q.Limit, false), nil, false)
	b.always("ff8054", "!terminal.quick_pass", false)
	b.always("ff8055", "!card.listed", false)
	b.always("foreign_debit", `!card.domestic && !(card.kind in ["credit", "quasi_credit"]) && card.asks_pin`, false)
}

func (b *builder) reader() {
	r := &b.g.Reader
	figure := func(f pinfree.Figure, above bool) *pinfree.Range {
		if above {
			return &pinfree.Range{AtMostOf: f.String()}
		}
		return &pinfree.Range{BelowOf: f.String()}
	}
	if r.CVM != nil {
		b.amount("reader_cvm_required_limit", figure(pinfree.ReaderCVMLimit, r.Above), nil, false)
	}
	if r.Transaction != nil {
		b.amount("reader_contactless_transaction_limit", figure(pinfree.ReaderTransactionLimit, r.Above), nil, true)
	}
	b.amount("df8124", bound(r.DF8124, false), cel(`cvm != "cdcvm"`), true)
	b.amount("df8125", bound(r.DF8125, false), cel(`cvm == "cdcvm"`), true)
	b.amount("df8126", bound(r.DF8126, false), nil, false)
}

// figures are the amounts of the case that packs know by name. What the case
// does not speak of does not bound.
func (g *given) figures() pinfree.Figures {
	var f pinfree.Figures
	set := func(fig pinfree.Figure, n ...*int64) {
		f[fig] = pinfree.NoFigure
		for _, n := range slices.Backward(n) {
			if n != nil {
				f[fig] = *n
			}
		}
	}
	r := &g.Reader
	set(pinfree.PayerPaymentLimit, g.CustomerMax)
	set(pinfree.IssuerPaymentLimit, g.FirmMax)
	set(pinfree.ReaderCVMLimit, r.CVM, r.DF8126)
	set(pinfree.ReaderTransactionLimit, r.Transaction, r.DF8124)
	set(pinfree.ReaderDeviceLimit, r.DF8125, r.Transaction)
	set(pinfree.PayerCumulativeLimit)
	if g.CustomerSet {
		set(pinfree.PayerCumulativeLimit, g.CumAmountMax)
	}
	if g.Agreed != nil && *g.Agreed { // otherwise nothing was agreed, and nothing is allowed
		set(pinfree.AgreedDayLimit, g.CumAmountMax)
	}
	set(pinfree.TerminalNoPINLimit)
	if g.QPS.given() {
		set(pinfree.TerminalNoPINLimit, g.QPS.Limit, g.PerTxMax)
	}
	return f
}
