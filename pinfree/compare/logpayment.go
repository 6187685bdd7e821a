package compare

import (
	"strconv"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
)

// payment takes a payment out of the values of a line.
func (r *lineReader) payment() Payment {
	p := Payment{ID: r.text("id"), At: r.time("at"), Payer: r.text("payer.id"),
		Subject: pinfree.Subject{Instrument: r.text("card.instrument"), Funding: r.text("funding"), Account: r.text("account")}}
	if p.At.IsZero() {
		r.fail("at", "is missing; write the time of the decision")
	}
	if p.Payer == "" {
		r.fail("payer.id", "is missing; counters belong to a payer")
	}
	if p.Event = r.event(); p.Event == 0 {
		r.decided(&p)
	}
	return p
}

var (
	eventNames  = []string{"sca_out_of_band", "top_up_with_authentication"}
	resultNames = []string{"approved", "declined", "stopped"}
	layerNames  = []string{"payer", "merchant", "store", "model", "terminal", "agreement", "channel", "issuer", "emergency_stop", "posture", "risk"}
)

func (r *lineReader) event() pinfree.EventKind {
	switch r.word("event", eventNames) {
	case eventNames[0]:
		return pinfree.SCAOutOfBand
	case eventNames[1]:
		return pinfree.ToppedUpAuthenticated
	}
	return 0
}

// decided reads what only a payment has.
func (r *lineReader) decided(p *Payment) {
	p.Amount = r.amount("amount")
	p.Method = r.method()
	p.Entry, _ = pinfree.ParseEntry(r.word("entry", []string{"scanned", "typed"}))
	p.CVM, _ = pinfree.ParseCVM(r.word("cvm", names(func(i uint8) string { return pinfree.CVM(i).String() }, 0)))
	p.Card = pinfree.Card{Scheme: r.name("card.scheme"), Kind: r.name("card.kind"), Domestic: r.flag("card.domestic") == pinfree.Yes,
		Instrument: p.Subject.Instrument}
	p.Place = r.place()
	p.Facts = r.facts()
	p.Can = r.stepUps()
	p.ReversedAt = r.time("reversed_at")
	for _, name := range r.list("closed") {
		k, ok := pinfree.ParseLayerKind(name)
		if !ok || k == pinfree.LayerRegulation || k == pinfree.LayerScheme {
			r.fail("closed", "%q is not known; write one of %s", name, strings.Join(layerNames, ", "))
		}
		p.Layers = append(p.Layers, pinfree.Layer{Kind: k, State: pinfree.Off})
	}
	switch r.word("result", resultNames) {
	case "approved":
		p.Result = Executed
	case "declined":
		p.Result = Declined
	case "stopped":
		p.Result = Stopped
	default:
		r.fail("result", "is missing; write one of %s", strings.Join(resultNames, ", "))
	}
	if !p.ReversedAt.IsZero() && (p.Result != Executed || p.ReversedAt.Before(p.At)) {
		r.fail("reversed_at", "belongs to a payment that was approved before")
	}
}

// names lists names by their numbers, up to the first that has none.
func names(of func(uint8) string, from uint8) []string {
	var out []string
	for i := from; of(i) != ""; i++ {
		out = append(out, of(i))
	}
	return out
}

func (r *lineReader) method() pinfree.Method {
	all := names(func(i uint8) string { return pinfree.Method(i).String() }, 1)
	m, ok := pinfree.ParseMethod(r.word("method", all))
	if !ok || m == pinfree.Cash {
		r.fail("method", "want one that is decided: not cash, and not left out")
	}
	return m
}

func (r *lineReader) place() pinfree.Place {
	p := pinfree.Place{Country: r.text("terminal.country"), Unattended: r.flag("terminal.unattended") == pinfree.Yes,
		Purpose: r.name("terminal.purpose"), NoPINMerchant: r.flag("merchant.no_pin") == pinfree.Yes,
		UpgradedMerchant: r.flag("merchant.upgraded") == pinfree.Yes}
	if p.Country != "" && (len(p.Country) != 2 || strings.Trim(p.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		r.fail("terminal.country", "%q is not a country; write two upper-case letters (ISO 3166)", p.Country)
	}
	if s := r.text("merchant.mcc"); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || len(s) != 4 || n == 0 {
			r.fail("merchant.mcc", `%q is not a merchant category code; write four digits in quotes, like "5411"`, s)
		}
		p.MCC = uint16(n) //nolint:gosec // ParseUint keeps it to 16 bits
	}
	return p
}

func (r *lineReader) facts() *pinfree.Facts {
	f := &pinfree.Facts{
		Type: r.word("type", pinfree.TransactionTypes), Offline: r.flag("offline"), Risk: r.word("risk", pinfree.Risks),
		Consent: r.word("payer.consent", pinfree.Consents), Contactless: r.flag("payer.contactless"),
		MerchantRisk: r.word("merchant.risk", pinfree.Risks), Factors: r.number("factors"), Certificate: r.flag("certificate"),
		Issuer: r.name("card.issuer"), Activated: r.flag("card.activated"), Listed: r.flag("card.listed"), AsksPIN: r.flag("card.asks_pin"),
		QuickPass: r.flag("terminal.quick_pass"),
		Mandate: pinfree.Mandate{Registered: r.flag("mandate.registered"), Begun: r.flag("mandate.begun"), Withdrawn: r.flag("mandate.withdrawn"),
			Skipped: r.flag("mandate.skipped"), NoticeHours: r.number("mandate.notice_hours"), Category: r.name("mandate.category")},
	}
	for i := range f.Figures {
		key := "figures." + pinfree.Figure(i).String() //nolint:gosec // a table index
		if v, there := r.values[key]; there && v.quoted && v.text == "none" {
			r.take(key)
			f.Figures[i] = pinfree.NoFigure
			continue
		}
		f.Figures[i] = r.number(key)
	}
	return f
}

// stepUps are what the terminal and the payer could do; everything unless said.
func (r *lineReader) stepUps() pinfree.StepUpMethods {
	const all = pinfree.ByTerminalPIN | pinfree.ByPhonePassword | pinfree.ByDynamicQR
	if v, there := r.values["can"]; !there || !v.isList {
		if _, ok := r.take("can"); ok {
			r.fail("can", "want a list of texts")
		}
		return all
	}
	can, ok := pinfree.ParseStepUpMethods(strings.Join(r.list("can"), ","))
	if !ok {
		r.fail("can", "want some of %s", strings.Join(all.Names(), ", "))
	}
	return can
}
