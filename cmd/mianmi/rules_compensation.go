package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

// rulesCompensationCmd is "mianmi rules compensation": what a holder gets for a
// PIN-free payment with a lost or stolen card, by the promises of a pack.
type rulesCompensationCmd struct {
	Amount       string `required:"" placeholder:"AMOUNT" help:"The loss, in units of the currency: 800.00." zh:"损失金额，以货币单位计：800.00。"`
	Currency     string `placeholder:"CODE" default:"CNY" help:"Currency of the amounts (ISO 4217)." zh:"金额的货币代码（ISO 4217）。"`
	At           string `placeholder:"TIME" help:"When the payment was made: 2026-01-31T12:00:00+08:00, or 2026-01-31T12:00 in Shanghai." zh:"付款时间：2026-01-31T12:00:00+08:00，或上海时间 2026-01-31T12:00。"`
	LostAt       string `placeholder:"TIME" help:"When the loss was reported." zh:"挂失时间。"`
	HoursBefore  string `placeholder:"HOURS" help:"In place of both times: whole hours from the payment to the loss report, rounded up." zh:"代替上面两个时间：付款发生在挂失前多少小时，不足一小时按一小时计。"`
	PaidThisYear string `placeholder:"AMOUNT" default:"0" help:"What the holder has been paid this year already." zh:"持卡人本年已获赔付的金额。"`
	Confirmed    bool   `help:"The theft has been confirmed." zh:"已核实确属盗刷。"`
	Pack         string `placeholder:"PACK" default:"cn-unionpay-compensation" help:"Pack with the promise: its identifier, or a file." zh:"含有赔付规则的规则包：标识或文件。"`
	Reading      string `placeholder:"ID" help:"Reading of the pack to take, in place of its own." zh:"采用规则包的另一种解读。"`
	JSON         bool   `name:"json" help:"Write the awards as JSON." zh:"以 JSON 输出结果。"`
}

// Validate is called by kong once every flag is set.
func (c *rulesCompensationCmd) Validate() error {
	_, err := c.claim()
	return err
}

// claim is what the flags tell.
func (c *rulesCompensationCmd) claim() (pinfree.Claim, error) {
	r := flagReader{currency: money.Currency(c.Currency)}
	if !r.currency.Valid() {
		r.fail("currency", "%q is not a currency; write three upper-case letters (ISO 4217)", c.Currency)
	}
	out := pinfree.Claim{Minor: r.money("amount", c.Amount), PaidThisYear: r.money("paid-this-year", c.PaidThisYear), Confirmed: c.Confirmed}
	if r.err == nil && out.Minor == 0 {
		r.fail("amount", "want more than nothing")
	}
	switch times := c.At != "" && c.LostAt != ""; {
	case c.HoursBefore != "" && (c.At != "" || c.LostAt != ""):
		r.fail("hours-before", "stands in place of --at and --lost-at; leave one or the other out")
	case c.HoursBefore != "":
		n, err := strconv.ParseInt(c.HoursBefore, 10, 64)
		if err != nil || n < 0 {
			r.fail("hours-before", "%q is not a number of hours", c.HoursBefore)
		}
		out.HoursBefore = n
	case times:
		out.HoursBefore = hoursBefore(r.timeOf("at", c.At), r.timeOf("lost-at", c.LostAt))
	default:
		r.fail("at", "want --at and --lost-at, or --hours-before")
	}
	return out, r.err
}

// timeOf is time for a flag of any name.
func (r *flagReader) timeOf(flag, text string) time.Time {
	one := flagReader{}
	at := one.time(text)
	if one.err != nil {
		r.fail(flag, "%s", strings.TrimPrefix(one.err.Error(), "--at: "))
	}
	return at
}

// hoursBefore is how many hours at lies before the report, rounded up, so that
// 72 hours and a second are outside a window of 72; -1 when it lies behind.
func hoursBefore(at, report time.Time) int64 {
	span := report.Sub(at)
	if span < 0 {
		return -1
	}
	hours := int64(span / time.Hour)
	if span%time.Hour > 0 {
		hours++
	}
	return hours
}

// rules are the promises to ask.
func (c *rulesCompensationCmd) rules() ([]pinfree.CompensationRule, error) {
	shipped, err := packs.Embedded()
	if err != nil {
		return nil, err
	}
	list, err := packsOf("--pack", c.Pack, shipped)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if c.Reading == "" {
			break
		}
		if list[i], err = list[i].Take(c.Reading); err != nil {
			return nil, fmt.Errorf("--reading: %w", err)
		}
	}
	compiled, err := pinfree.Compile(list)
	if err != nil {
		return nil, err
	}
	var out []pinfree.CompensationRule
	for _, r := range compiled.Compensations() {
		if string(r.Currency) == c.Currency {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--pack: %s promises nothing in %s", c.Pack, c.Currency)
	}
	return out, nil
}

// Run says what each promise gives, and why, in both languages: the answer is
// read to the holder.
func (c *rulesCompensationCmd) Run(_ context.Context, a *app) error {
	rules, err := c.rules()
	if err != nil {
		return err
	}
	claim, err := c.claim()
	if err != nil {
		return err
	}
	var page strings.Builder
	out := []awardJSON{}
	for _, r := range rules {
		award := r.Award(claim)
		words := award.Words()
		out = append(out, awardJSON{Pack: r.Pack, Version: r.Version, Rule: r.ID, Title: r.Title, Outcome: award.Outcome(),
			Covered: money.Of(award.Covered, r.Currency), Reason: award.Reason.String(), Words: words})
		fmt.Fprintf(&page, "%s/%s  v%d  %s\n", r.Pack, r.ID, r.Version, r.Title.In(a.lang))
		table := textTable{indent: "  "}
		table.add(outcomeOfAward[award.Outcome()].In(a.lang), money.Of(award.Covered, r.Currency).String())
		table.write(&page)
		texts := textTable{indent: "  "}
		texts.add("zh", words.ZH)
		texts.add("en", words.EN)
		texts.write(&page)
	}
	if c.JSON {
		return a.writeJSON(out)
	}
	_, err = fmt.Fprint(a.stdout, page.String())
	return err
}

var outcomeOfAward = map[string]mianmi.Text{
	"covered":           {ZH: "全额赔付", EN: "covered in full"},
	"covered_partially": {ZH: "部分赔付", EN: "covered in part"},
	"not_covered":       {ZH: "不赔付", EN: "not covered"},
}

// awardJSON is one answer of rules compensation.
type awardJSON struct {
	Pack    string       `json:"pack"`
	Version int64        `json:"version"`
	Rule    string       `json:"rule"`
	Title   mianmi.Text  `json:"title"`
	Outcome string       `json:"outcome"` // covered, covered_partially or not_covered
	Covered money.Amount `json:"covered"`
	Reason  string       `json:"reason"`
	Words   mianmi.Text  `json:"words"`
}
