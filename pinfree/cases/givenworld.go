package cases

import (
	"strings"

	"github.com/mianmi/mianmi/pinfree"
)

// noticeMax bounds the hours of a notice before a debit: a year and more.
const noticeMax = 10_000

func (g *given) readPayer(o *object) {
	g.Consent = consentOf(o)
	g.Contactless = true
	for _, key := range []string{"contactless_switch", "customer_contactless"} {
		if on := o.flag(key); on != nil {
			g.SwitchGiven, g.Contactless = true, g.Contactless && *on
		}
	}
	issuer := o.text("issuer")
	// "ICBC/ABC/BOCOM" names several with one rule, "CMB debit" a kind of card.
	name, kind, _ := strings.Cut(strings.ToLower(issuer), " ")
	name, _, _ = strings.Cut(name, "/")
	if issuer != "" && !isName(name) || kind != "" && kind != "debit" && kind != "credit" {
		o.fault("issuer", "%q is not an issuer; write a name of letters and digits, several with / between them, and debit or credit after it", issuer)
	}
	g.Issuer, g.IssuerKind = name, kind
	g.Activated = o.word("activation", activations) != activations[0]
	m := &g.Mandate
	m.Unregistered = o.isNot("registered_with_afa")
	m.NotBegun = o.isNot("first_transaction_authenticated")
	if n := o.number("pre_debit_notice_hours", 0, noticeMax); n != nil {
		m.NoticeHours = *n
	}
	// Several categories with one rule: the first stands for them.
	category := o.text("category")
	for c := range strings.SplitSeq(category, "|") {
		if category != "" && !isName(c) {
			o.fault("category", "%q is not a name; write a-z, 0-9, _ and -", c)
		}
	}
	m.Category, _, _ = strings.Cut(category, "|")
}

// consentOf reads the payer's switch.
func consentOf(o *object) string {
	optIn := o.is("opt_in_required")
	raw, ok := o.raw("payer_enabled")
	switch string(raw) {
	case "true":
		return "given"
	case "false":
		return "closed"
	case consentWords[2]:
		return "default"
	case consentWords[3]:
		return "never_used"
	}
	if ok {
		o.fault("payer_enabled", "%s is not known; write one of %s", shown(raw), strings.Join(consentWords, ", "))
	}
	if optIn {
		return "closed" // nobody has asked for it
	}
	return "given"
}

func (g *given) readMerchant(o *object) {
	g.Merchant = merchant{Closed: o.isNot("merchant_enabled"), NotUpgraded: o.isNot("merchant_upgraded")}
	g.QPS = quickPass{o.bit("FF8054"), o.bit("FF8055"), o.bit("FF8056"), o.bit("FF8057"), o.limit("FF8058")}
}

func (g *given) readTerminal(o *object) {
	g.Scheme = o.name("scheme")
	t := o.object("terminal")
	if t == nil {
		return
	}
	g.Terminal = terminal{
		NoPIN: t.isNot("pin_capable"), Unattended: t.is("unattended"), Purpose: t.name("purpose"),
		Can: pinfree.TerminalCan{OnlinePIN: t.is("online_pin"), SingleTap: t.is("single_tap"), Contact: t.is("contact")},
	}
	t.done()
}

func (g *given) readReader(o *object) {
	g.Reader = reader{
		CVM: o.limit("reader_cvm_required_limit"), Transaction: o.limit("reader_contactless_transaction_limit"),
		Floor: o.limit("reader_contactless_floor_limit"), Above: o.word("cvm_op", cvmOperators) == "gt",
		DF8123: o.limit("DF8123"), DF8124: o.limit("DF8124"), DF8125: o.limit("DF8125"), DF8126: o.limit("DF8126"),
	}
}

func (g *given) readCompensation(o *object) {
	after := o.word("after_window", afterWindows)
	c := pinfree.Compensation{AnnualCap: o.limit("annual_cap_minor"), CaseCap: o.limit("case_cap_minor"), AfterWindow: "nothing"}
	if after == afterWindows[2] {
		c.AfterWindow = after
	}
	hours := o.number("window_hours", 1, 366*24)
	if hours != nil {
		c.WindowHours = *hours
		g.Compensation = &c
	}
}
