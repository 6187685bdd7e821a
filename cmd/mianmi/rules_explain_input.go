package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// flagReader turns the text of flags into facts and keeps the first fault.
type flagReader struct {
	currency money.Currency
	err      error
}

func (r *flagReader) fail(flag, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...))
	}
}

// word checks a word of a closed list; empty is "not known".
func (r *flagReader) word(flag, text string, list []string) string {
	if text != "" && !slices.Contains(list, text) {
		r.fail(flag, "%q is not known; write one of %s", text, strings.Join(list, ", "))
	}
	return text
}

// name checks a name of an open list: as packs write it.
func (r *flagReader) name(flag, text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		r.fail(flag, "%q is not a name; write a-z, 0-9, _ and -", text)
	}
	return text
}

func (r *flagReader) yesNo(flag, text string) pinfree.Flag {
	switch text {
	case "":
		return pinfree.NotKnown
	case "yes":
		return pinfree.Yes
	case "no":
		return pinfree.No
	}
	r.fail(flag, "%q: write yes or no, or leave it out when it is not known", text)
	return pinfree.NotKnown
}

func (r *flagReader) money(flag, text string) int64 {
	amount, err := money.Parse(text, r.currency)
	if err != nil {
		r.fail(flag, "%v", err)
	}
	return amount.Minor()
}

// bound is a limit that may be left out.
func (r *flagReader) bound(flag, text string) pinfree.Bound {
	if text == "" {
		return pinfree.Unbounded()
	}
	return pinfree.AtMost(r.money(flag, text))
}

func (r *flagReader) number(flag, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		r.fail(flag, "%q is not a number of payments", text)
	}
	return n
}

// count reads N:AMOUNT, or unknown.
func (r *flagReader) count(flag, text string) pinfree.Count {
	if text == "unknown" {
		return pinfree.Count{Number: -1, Minor: -1}
	}
	number, amount, ok := strings.Cut(text, ":")
	if !ok {
		r.fail(flag, "%q: write number and amount, such as 3:45.00", text)
		return pinfree.Count{}
	}
	return pinfree.Count{Number: r.number(flag, number), Minor: r.money(flag, amount)}
}

// methodNames are the methods that are decided.
func methodNames() []string {
	var out []string
	for m := pinfree.Method(1); m.String() != ""; m++ {
		if m != pinfree.Cash {
			out = append(out, m.String())
		}
	}
	return out
}

func cvmNames() []string {
	var out []string
	for c := pinfree.NoCVM; c.String() != ""; c++ {
		out = append(out, c.String())
	}
	return out
}

func figureNames() []string {
	var out []string
	for i := range (pinfree.Figures{}) {
		out = append(out, pinfree.Figure(i).String()) //nolint:gosec // a table index
	}
	return out
}

// input is the payment that the flags tell of, without rules and counters. At
// is zero when it is not given.
func (c *rulesExplainCmd) input() (pinfree.Input, error) {
	r := flagReader{currency: money.Currency(c.Currency)}
	if !r.currency.Valid() {
		r.fail("currency", "%q is not a currency; write three upper-case letters (ISO 4217)", c.Currency)
	}
	in := pinfree.Input{Amount: money.Of(r.money("amount", c.Amount), r.currency)}
	if r.err == nil && !in.Amount.Positive() {
		r.fail("amount", "want more than nothing")
	}
	in.Method, _ = pinfree.ParseMethod(r.word("method", c.Method, methodNames()))
	if in.Method == pinfree.MethodUnknown {
		r.fail("method", "want one of %s", strings.Join(methodNames(), ", "))
	}
	in.Entry, _ = pinfree.ParseEntry(r.word("entry", c.Entry, []string{"scanned", "typed"}))
	in.CVM, _ = pinfree.ParseCVM(r.word("cvm", c.CVM, cvmNames()))
	in.At = r.time(c.At)
	in.Place = c.place(&r)
	if in.Method == pinfree.CardTap || in.Method == pinfree.CardInsert || in.Method == pinfree.CardSwipe || in.Method == pinfree.ATM {
		in.Card.Instrument = c.Instrument
	}
	in.Card.Scheme, in.Card.Kind, in.Card.Domestic = r.name("scheme", c.Scheme), r.name("kind", c.Kind), c.Domestic
	in.Facts = c.facts(&r)
	in.Layers = c.layers(&r)
	in.Own = r.count("own-used", c.OwnUsed)
	in.Can = c.stepUps(&r)
	for _, text := range c.Used {
		if !strings.Contains(text, "=") { // the others when their counters are known
			r.count("used", text)
		}
	}
	return in, r.err
}

// time reads an instant; one without a zone is of the payer's day.
func (r *flagReader) time(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err == nil {
		var at time.Time
		if at, err = time.ParseInLocation("2006-01-02T15:04", text, shanghai); err == nil {
			return at
		}
	}
	r.fail("at", "%q is not a time; write it like 2026-01-31T12:00 or 2026-01-31T12:00:00+08:00", text)
	return time.Time{}
}

func (c *placeFlags) place(r *flagReader) pinfree.Place {
	p := pinfree.Place{Country: c.Country, Unattended: c.Unattended, Purpose: r.name("purpose", c.Purpose),
		NoPINMerchant: c.NoPINMerchant, UpgradedMerchant: c.UpgradedMerchant}
	if c.Country != "" && (len(c.Country) != 2 || strings.Trim(c.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.fail("country", "%q is not a country; write two upper-case letters (ISO 3166)", c.Country)
	}
	if c.MCC != "" {
		n, err := strconv.ParseUint(c.MCC, 10, 16)
		if err != nil || len(c.MCC) != 4 || n == 0 {
			r.fail("mcc", "%q is not a merchant category code; write four digits", c.MCC)
		}
		p.MCC = uint16(n) //nolint:gosec // ParseUint keeps it to 16 bits
	}
	return p
}

func (c *rulesExplainCmd) facts(r *flagReader) *pinfree.Facts {
	f := &pinfree.Facts{
		Type: r.word("type", c.Type, pinfree.TransactionTypes), Offline: r.yesNo("offline", c.Offline),
		Consent: r.word("consent", c.Consent, pinfree.Consents), Contactless: r.yesNo("contactless", c.Contactless),
		Risk: r.word("risk", c.Risk, pinfree.Risks), MerchantRisk: r.word("merchant-risk", c.MerchantRisk, pinfree.Risks),
		Factors: c.Factors, Certificate: r.yesNo("certificate", c.Certificate), Issuer: r.name("issuer", c.Issuer),
		Activated: r.yesNo("activated", c.Activated), Listed: r.yesNo("listed", c.Listed),
		AsksPIN: r.yesNo("asks-pin", c.AsksPIN), QuickPass: r.yesNo("quick-pass", c.QuickPass),
		Mandate: pinfree.Mandate{Registered: r.yesNo("mandate-registered", c.MandateRegistered), Begun: r.yesNo("mandate-begun", c.MandateBegun),
			Withdrawn: r.yesNo("mandate-withdrawn", c.MandateWithdrawn), Skipped: r.yesNo("mandate-skipped", c.MandateSkipped),
			NoticeHours: c.MandateNotice, Category: r.name("mandate-category", c.MandateCategory)},
	}
	if c.Factors < 0 {
		r.fail("factors", "want 0 or more")
	}
	if c.MandateNotice < 0 {
		r.fail("mandate-notice", "want 0 or more hours")
	}
	for _, text := range c.Figure {
		name, value, _ := strings.Cut(text, "=")
		figure, ok := pinfree.ParseFigure(name)
		switch {
		case !ok:
			r.fail("figure", "%q is not known; write one of %s, = and an amount", name, strings.Join(figureNames(), ", "))
		case value == "none":
			f.Figures[figure] = pinfree.NoFigure
		default:
			f.Figures[figure] = r.money("figure", value)
		}
	}
	return f
}

// layers are those who have a say besides the packs.
func (c *rulesExplainCmd) layers(r *flagReader) []pinfree.Layer {
	payer := pinfree.Layer{Kind: pinfree.LayerPayer, State: pinfree.Off, Limits: pinfree.Limits{Currency: r.currency,
		PerPayment: r.bound("own-each", c.OwnEach), DayAmount: r.bound("own-day", c.OwnDay), DayCount: pinfree.Unbounded(), Quiet: r.quiet(c.Quiet)}}
	if c.OwnNumber != "" {
		payer.Limits.DayCount = pinfree.AtMost(r.number("own-number", c.OwnNumber))
	}
	switch c.Payer {
	case "on":
		payer.State = pinfree.On
	case "off":
		payer.Because = pinfree.PayerClosed
	case "frozen":
		payer.Because = pinfree.PayerFrozen
	case "cooling_off":
		payer.Because = pinfree.PayerCoolingOff
	case "unknown":
		payer.State = pinfree.Unknown
	default:
		r.fail("payer", "%q is not known; write on, off, frozen, cooling_off or unknown", c.Payer)
	}
	out := []pinfree.Layer{payer}
	for _, k := range []pinfree.LayerKind{pinfree.LayerMerchant, pinfree.LayerTerminal} {
		if !slices.Contains(c.Closed, k.String()) {
			out = append(out, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
		}
	}
	for _, name := range c.Closed {
		k, ok := pinfree.ParseLayerKind(name)
		if !ok || k == pinfree.LayerRegulation || k == pinfree.LayerScheme || k == pinfree.LayerPayer {
			r.fail("closed", "%q is not one who can close PIN-free; write merchant, store, model, terminal, agreement, channel, issuer, emergency_stop, posture or risk", name)
		}
		out = append(out, pinfree.Layer{Kind: k, State: pinfree.Off})
	}
	return out
}

// quiet reads a span of the day.
func (r *flagReader) quiet(text string) pinfree.Quiet {
	if text == "" {
		return pinfree.Quiet{}
	}
	from, to, _ := strings.Cut(text, "-")
	a, err1 := time.Parse("15:04", from)
	b, err2 := time.Parse("15:04", to)
	if err1 != nil || err2 != nil {
		r.fail("quiet", "%q is not a span of the day; write it like 22:00-07:00", text)
	}
	return pinfree.Quiet{From: a.Hour()*60 + a.Minute(), To: b.Hour()*60 + b.Minute()}
}

func (c *rulesExplainCmd) stepUps(r *flagReader) pinfree.StepUpMethods {
	text := strings.Join(c.Can, ",")
	if text == "none" {
		return 0
	}
	can, ok := pinfree.ParseStepUpMethods(text)
	if !ok || can == 0 {
		r.fail("can", "%q is not known; write terminal_pin, phone_password and dynamic_qr, or none", text)
	}
	return can
}

// counts are the values of the counters, in the order of the rules. What one
// counter is given alone goes before what all are given.
func (c *rulesExplainCmd) counts(rules *pinfree.RuleSet) ([]pinfree.Count, error) {
	r := flagReader{currency: money.Currency(c.Currency)}
	keys := rules.CounterKeys()
	out := make([]pinfree.Count, len(keys))
	for _, text := range c.Used {
		if !strings.Contains(text, "=") {
			for i := range out {
				out[i] = r.count("used", text)
			}
		}
	}
	for _, text := range c.Used {
		key, value, named := strings.Cut(text, "=")
		if !named {
			continue
		}
		i := slices.Index(keys, key)
		if i < 0 {
			r.fail("used", "there is no counter %q; there are %s", key, strings.Join(keys, ", "))
			break
		}
		of := flagReader{currency: cmp.Or(counterCurrency(rules, key), r.currency)}
		if out[i] = of.count("used", value); r.err == nil {
			r.err = of.err
		}
	}
	return out, r.err
}

// counterCurrency is the currency that a counter adds up, if it is one alone.
func counterCurrency(rules *pinfree.RuleSet, key string) money.Currency {
	id, _, _ := strings.Cut(key, "/")
	for _, p := range rules.Packs() {
		if p.ID == id && len(p.When.Currencies) == 1 {
			return money.Currency(p.When.Currencies[0])
		}
	}
	return ""
}
