package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/emv"
)

// rulesReaderCmd is "mianmi rules reader": which values the EMV configuration of
// a terminal needs. Merchant and terminal are told by flags; of the payer no
// more is taken than a reader can know.
type rulesReaderCmd struct {
	packFlags

	Scheme           []string `placeholder:"NAME,…" default:"unionpay,visa,mastercard,amex" help:"Card schemes: unionpay, visa, mastercard, amex …" zh:"卡组织：unionpay、visa、mastercard、amex 等。"`
	Kind             string   `placeholder:"KIND" help:"Kind of card: debit, credit, quasi_credit or prepaid; by default the strictest of them." zh:"卡片种类：debit、credit、quasi_credit 或 prepaid；默认取其中最严者。"`
	Domestic         string   `placeholder:"yes|no" help:"Cards issued in the country of the terminal, or others; by default the stricter of both." zh:"只算境内卡（yes）或境外卡（no）；默认取两者中较严者。"`
	Currency         string   `placeholder:"CODE" default:"CNY" help:"Currency of the terminal (ISO 4217)." zh:"终端的货币代码（ISO 4217）。"`
	Country          string   `placeholder:"CODE" help:"Country of the terminal (ISO 3166)." zh:"终端所在国家或地区代码（ISO 3166）。"`
	MCC              string   `name:"mcc" placeholder:"CODE" help:"Merchant category code, four digits." zh:"商户类别码，四位数字。"`
	Unattended       bool     `help:"Nobody attends the terminal." zh:"无人值守终端。"`
	Purpose          string   `placeholder:"NAME" help:"Purpose of an unattended terminal: transport_fare, parking_fee, vending." zh:"无人值守终端的用途：transport_fare、parking_fee、vending。"`
	NoPINMerchant    bool     `name:"no-pin-merchant" help:"Merchant enabled for no-PIN no-signature." zh:"已开通免密免签的商户。"`
	UpgradedMerchant bool     `help:"Merchant upgraded to the scheme's present limit." zh:"已升级到现行限额的商户。"`
	MerchantRisk     string   `placeholder:"RISK" help:"Risk of the merchant: low, elevated or high." zh:"商户风险：low、elevated 或 high。"`
	Limit            string   `placeholder:"AMOUNT" help:"Limit per payment that merchant, store, model or terminal set." zh:"商户、门店、机型或终端自设的单笔限额。"`
	Off              bool     `help:"PIN-free is switched off for the terminal." zh:"终端已关闭免密。"`
	NoTaps           bool     `help:"The terminal takes no contactless payment at all." zh:"终端不受理非接触支付。"`
	At               string   `placeholder:"TIME" help:"When: 2026-01-31T12:00:00+08:00, or 2026-01-31T12:00 in Shanghai; now by default." zh:"时间：2026-01-31T12:00:00+08:00，或上海时间 2026-01-31T12:00；默认为现在。"`
	JSON             bool     `name:"json" help:"Write the values as JSON." zh:"以 JSON 输出参数。"`
}

// Validate is called by kong once every flag is set.
func (c *rulesReaderCmd) Validate() error {
	_, err := c.situation()
	return err
}

// situation is what the flags tell, without rules and scheme. At is zero when it
// is not given.
func (c *rulesReaderCmd) situation() (emv.Situation, error) {
	r := flagReader{currency: money.Currency(c.Currency)}
	if !r.currency.Valid() {
		r.fail("currency", "%q is not a currency; write three upper-case letters (ISO 4217)", c.Currency)
	}
	place := placeFlags{Country: c.Country, MCC: c.MCC, Unattended: c.Unattended, Purpose: c.Purpose,
		NoPINMerchant: c.NoPINMerchant, UpgradedMerchant: c.UpgradedMerchant}
	facts := emv.Willing()
	facts.MerchantRisk = r.word("merchant-risk", c.MerchantRisk, pinfree.Risks)
	s := emv.Situation{At: r.time(c.At), Currency: r.currency, Kind: r.name("kind", c.Kind), Place: place.place(&r), Facts: &facts}
	if domestic := r.yesNo("domestic", c.Domestic); domestic != pinfree.NotKnown {
		home := domestic == pinfree.Yes
		s.Domestic = &home
	}
	terminal := pinfree.Layer{Kind: pinfree.LayerTerminal, State: pinfree.On, Limits: pinfree.NoLimits()}
	if c.Limit != "" {
		terminal.Limits.Currency, terminal.Limits.PerPayment = r.currency, r.bound("limit", c.Limit)
	}
	if c.Off || c.NoTaps {
		terminal.State = pinfree.Off
	}
	if c.NoTaps {
		terminal.Refuse, terminal.Because = true, pinfree.MethodNotAccepted
	}
	s.Layers = []pinfree.Layer{{Kind: pinfree.LayerMerchant, State: pinfree.On, Limits: pinfree.NoLimits()}, terminal}
	if slices.Contains(c.Scheme, "") || len(c.Scheme) == 0 {
		r.fail("scheme", "want names, with a comma between")
	}
	for _, scheme := range c.Scheme {
		r.name("scheme", scheme)
	}
	return s, r.err
}

// Run computes the values and prints them.
func (c *rulesReaderCmd) Run(_ context.Context, a *app) error {
	rules, err := c.compile()
	if err != nil {
		return err
	}
	s, err := c.situation()
	if err != nil {
		return err
	}
	if s.Rules = rules; s.At.IsZero() {
		s.At = a.clock.Now()
	}
	p := readerPage{rules: rules, lang: a.lang, at: s.At}
	for _, s.Scheme = range c.Scheme {
		one, err := emv.Compute(s)
		if err != nil {
			return err
		}
		p.list = append(p.list, one)
	}
	if c.JSON {
		return a.writeJSON(p.json())
	}
	_, err = fmt.Fprint(a.stdout, p.text())
	return err
}

// readerPage is the answer.
type readerPage struct {
	rules *pinfree.RuleSet
	lang  mianmi.Lang
	at    time.Time
	list  []emv.Parameters
}

func (p *readerPage) text() string {
	var page strings.Builder
	writeWrapped(&page, "", "", say("规则 %s，%s", "rules %s, %s", p.rules.Version(), p.at.Format("2006-01-02 15:04:05 -07:00")).In(p.lang))
	for i := range p.list {
		p.write(&page, &p.list[i])
	}
	return page.String()
}

func (p *readerPage) write(page *strings.Builder, one *emv.Parameters) {
	fmt.Fprintf(page, "\n%s  %s  %s\n", one.Scheme, one.Currency, one.Kernel)
	writeWrapped(page, "  ", "  ", p.summary(one).In(p.lang))
	if w := one.Ceiling.Why; w != (pinfree.Why{}) {
		writeWrapped(page, "  ", "  ", p.words(w).In(p.lang))
	}
	table := textTable{indent: "  "}
	for _, v := range one.Values() {
		table.add(v.Tag, v.Value, valueText(v, one.Currency).In(p.lang), v.Title.In(p.lang))
	}
	table.write(page)
	fmt.Fprintf(page, "  TLV       %s\n", one.TLV())
	if one.UnionPay != nil {
		fmt.Fprintf(page, "  %s  %s\n", pad(mianmi.Text{ZH: "62 域", EN: "field 62"}.In(p.lang), 8), one.UnionPay.Field62())
	}
}

// words are those for support, who know rules by name; flags have none for
// merchant and terminal, so for these the cashier's.
func (p *readerPage) words(w pinfree.Why) mianmi.Text {
	audience := pinfree.ForCashier
	if w.Rule != "" {
		audience = pinfree.ForSupport
	}
	title := p.rules.RuleTitle(w.Rule)
	return mianmi.Text{ZH: w.WordsIn(mianmi.ZH, audience, title.ZH), EN: w.WordsIn(mianmi.EN, audience, title.EN)}
}

// summary says in one sentence up to where a tap passes.
func (p *readerPage) summary(one *emv.Parameters) mianmi.Text {
	switch upTo := one.Ceiling.PinFree; {
	case upTo == 0:
		return say("不免密：每次挥卡都要验证。", "Not PIN-free: every tap is verified.")
	case upTo == emv.AmountMax:
		return say("免密，无单笔上限。", "PIN-free without a limit per payment.")
	default:
		amount := money.Of(upTo, one.Currency)
		return say("免密至 %s（含），超过须验证。", "PIN-free up to and including %s; more is verified.", amount)
	}
}

// valueText is a value for people.
func valueText(v emv.Value, c money.Currency) mianmi.Text {
	switch {
	case v.Amount == nil && v.Value == "1":
		return mianmi.Text{ZH: "启用", EN: "on"}
	case v.Amount == nil:
		return mianmi.Text{ZH: "关闭", EN: "off"}
	case *v.Amount == emv.AmountMax:
		return mianmi.Text{ZH: "不限", EN: "no limit"}
	}
	text := money.Of(*v.Amount, c).Decimal()
	return mianmi.Text{ZH: text, EN: text}
}

// The JSON of rules reader.
type (
	readerJSON struct {
		Rules   string             `json:"rules"` // version of the rule set
		At      string             `json:"at"`
		Schemes []readerSchemeJSON `json:"schemes"`
	}
	readerSchemeJSON struct {
		Scheme   string            `json:"scheme"`
		Currency money.Currency    `json:"currency"`
		Kernel   string            `json:"kernel"`
		PinFree  int64             `json:"pin_free"` // largest amount that needs no PIN, in minor units; 0: none
		Reason   string            `json:"reason,omitempty"`
		Rule     string            `json:"rule,omitempty"`
		Words    *mianmi.Text      `json:"words,omitempty"`
		Values   []readerValueJSON `json:"values"`
		TLV      string            `json:"tlv"`
		Field62  string            `json:"field62,omitempty"`
	}
	readerValueJSON struct {
		Tag    string      `json:"tag"`
		Title  mianmi.Text `json:"title"`
		Value  string      `json:"value"`
		Amount *int64      `json:"amount,omitempty"` // minor units; absent for a flag
	}
)

func (p *readerPage) json() readerJSON {
	out := readerJSON{Rules: p.rules.Version(), At: p.at.UTC().Format(time.RFC3339), Schemes: []readerSchemeJSON{}}
	for i := range p.list {
		one := &p.list[i]
		s := readerSchemeJSON{Scheme: one.Scheme, Currency: one.Currency, Kernel: one.Kernel.String(), PinFree: one.Ceiling.PinFree,
			TLV: one.TLV()}
		if w := one.Ceiling.Why; w != (pinfree.Why{}) {
			words := p.words(w)
			s.Reason, s.Rule, s.Words = w.Reason.String(), w.Rule, &words
		}
		for _, v := range one.Values() {
			s.Values = append(s.Values, readerValueJSON(v))
		}
		if one.UnionPay != nil {
			s.Field62 = one.UnionPay.Field62()
		}
		out.Schemes = append(out.Schemes, s)
	}
	return out
}
