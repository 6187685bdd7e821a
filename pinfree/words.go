package pinfree

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// words fills the text of a reason (wordsOf) with the figures and names of w.
func words(w Why, a Audience, name string) mianmi.Text {
	return mianmi.Text{ZH: w.WordsIn(mianmi.ZH, a, name), EN: w.WordsIn(mianmi.EN, a, name)}
}

// WordsIn is Words in one language alone.
func (w Why) WordsIn(l mianmi.Lang, a Audience, name string) string {
	t, ok := wordsOf[w.Reason]
	if !ok || int(a) >= len(t) {
		t, a = wordsOf[LayerUnknown], ForSupport
	}
	return w.fill(t[a].In(l), a, l, name)
}

// fill replaces {placeholders}; a [bracketed] part is left out when the reason
// carries no limit, and names no instant.
//
//	{name} {Name}     display name, or a general word; Name begins a sentence
//	{limit} {actual}  figures with currency or unit
//	{over}            whether actual reaches the limit or is above it
//	{ask}             the request for a PIN that suits the audience
//	{id} {version}    whose setting
//	{rule} {layer}    pack and limit; who has this say
//	{who}             who placed a hold
//	{time}            the instant that the reason speaks of, in the payer's zone
//	{fault}           what is wrong with the terminal: the name, when a rule gives one
func (w Why) fill(text string, a Audience, l mianmi.Lang, name string) string {
	if open, end := strings.IndexByte(text, '['), strings.IndexByte(text, ']'); open >= 0 && end > open {
		inner := ""
		if w.hasLimit() || w.At != 0 {
			inner = text[open+1 : end]
		}
		text = text[:open] + inner + text[end+1:]
	}
	fault := ""
	if w.Reason == PostureUnsafe && w.Rule != "" {
		name, fault = "", name
	}
	if fault == "" {
		fault = noFault.In(l)
	}
	if name == "" {
		name = w.generalName().In(l)
	}
	var b strings.Builder
	b.Grow(len(text) + len(name) + 48)
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		var key string
		key, text, _ = strings.Cut(rest, "}")
		switch key {
		case "fault":
			b.WriteString(fault)
		default:
			b.WriteString(w.value(key, a, l, name))
		}
	}
}

// value is what stands for a placeholder. It is on the way of every answer:
// only what the text asks for is formatted.
func (w Why) value(key string, a Audience, l mianmi.Lang, name string) string {
	switch key {
	case "name":
		return name
	case "Name":
		return capital(name)
	case "limit":
		return w.figure(w.Limit, l)
	case "actual":
		return w.figure(w.Actual, l)
	case "over":
		return w.over().In(l)
	case "ask":
		return asks[min(int(a), len(asks)-1)].In(l)
	case "id":
		if w.ID == "" {
			return name
		}
		return w.ID
	case "version":
		return strconv.FormatInt(w.Version, 10)
	case "rule":
		return w.Rule
	case "who":
		return w.holder(a).In(l)
	case "time":
		return w.instant(l)
	case "layer":
		return layerWords[min(int(w.Layer), len(layerWords)-1)].In(l)
	}
	return "{" + key + "}"
}

func (w Why) hasLimit() bool { return w.Limit != 0 || w.Actual != 0 }

// figure is an amount with its currency, or a number of payments.
func (w Why) figure(n int64, l mianmi.Lang) string {
	switch {
	case w.Currency != "":
		return money.Of(n, w.Currency).String()
	case l == mianmi.ZH:
		return strconv.FormatInt(n, 10) + " 笔"
	case n == 1:
		return "1 payment"
	}
	return strconv.FormatInt(n, 10) + " payments"
}

func (w Why) over() mianmi.Text {
	if w.Actual == w.Limit {
		return mianmi.Text{ZH: "达到", EN: "reaches"}
	}
	return mianmi.Text{ZH: "超过", EN: "is above"}
}

// generalName stands in when the caller gives no display name.
func (w Why) generalName() mianmi.Text {
	switch w.Layer {
	case LayerMerchant, LayerStore:
		return mianmi.Text{ZH: "这家店", EN: "this shop"}
	case LayerTerminal, LayerModel, LayerPosture:
		return mianmi.Text{ZH: "这台终端", EN: "this terminal"}
	case LayerIssuer:
		return mianmi.Text{ZH: "发卡行", EN: "the card issuer"}
	case LayerChannel:
		return mianmi.Text{ZH: "支付渠道", EN: "the payment channel"}
	case LayerNone, LayerRegulation, LayerScheme:
		return mianmi.Text{ZH: "支付规则", EN: "the payment rules"}
	case LayerPayer, LayerAgreement, LayerStop, LayerRisk:
	}
	return layerWords[min(int(w.Layer), len(layerWords)-1)]
}

// holder is who placed a hold: its ID is the name of their role.
func (w Why) holder(a Audience) mianmi.Text {
	if rule, ok := strings.CutPrefix(w.Rule, "risk/"); ok && a == ForSupport {
		return mianmi.Text{ZH: "风险规则 " + rule + " ", EN: "the risk rule " + rule}
	}
	if t, ok := holders[w.ID]; ok {
		return t[min(int(a), len(t)-1)]
	}
	return layerWords[LayerRisk]
}

// noFault stands in when nobody says what is wrong with a terminal.
var noFault = mianmi.Text{ZH: "未通过安全检查", EN: "it fails a check"}

// instant is a time of day, with its date when that is not the decision's.
func (w Why) instant(l mianmi.Lang) string {
	if w.At == 0 {
		return mianmi.Text{ZH: "此前", EN: "an earlier time"}.In(l)
	}
	zone := noRules.zones[0]
	at, decided := time.Unix(w.At, 0).In(zone), time.Unix(w.Decided, 0).In(zone)
	y, m, d := at.Date()
	y2, m2, d2 := decided.Date()
	layout := mianmi.Text{ZH: "15:04", EN: "15:04"}
	switch {
	case y != y2:
		layout = mianmi.Text{ZH: "2006 年 1 月 2 日 15:04", EN: "15:04 on 2 January 2006"}
	case m != m2 || d != d2:
		layout = mianmi.Text{ZH: "1 月 2 日 15:04", EN: "15:04 on 2 January"}
	}
	return at.Format(layout.In(l))
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// asks is the request for a PIN, by audience.
var asks = [...]mianmi.Text{
	ForPayer:   {ZH: "请输入支付密码", EN: "please enter your payment password or PIN"},
	ForCashier: {ZH: "请顾客输入密码", EN: "please ask the customer for the password or PIN"},
	ForSupport: {ZH: "须验证密码", EN: "the password or PIN is needed"},
}

// holders names who placed a hold, by role and audience.
var holders = func() map[string][3]mianmi.Text {
	all := func(zh, en string) [3]mianmi.Text {
		t := mianmi.Text{ZH: zh, EN: en}
		return [3]mianmi.Text{t, t, t}
	}
	return map[string][3]mianmi.Text{
		mianmi.RoleSystem.String():    all("风险控制系统", "an automatic check"),
		mianmi.RoleRisk.String():      all("风控人员", "the risk team"),
		mianmi.RoleSupport.String():   all("客服", "customer support"),
		mianmi.RoleOperator.String():  all("运营人员", "the operator"),
		mianmi.RoleAPIClient.String(): all("钱包系统", "the wallet's system"),
		mianmi.RolePayer.String():     {{ZH: "您", EN: "you"}, {ZH: "顾客", EN: "the customer"}, {ZH: "付款人", EN: "the payer"}},
	}
}()

// Words name who has a say, for people.
func (k LayerKind) Words() mianmi.Text { return layerWords[min(int(k), len(layerWords)-1)] }

// layerWords names who has a say; the last is for kinds that are not known.
var layerWords = [...]mianmi.Text{
	LayerNone:       {ZH: "本次付款", EN: "the payment"},
	LayerRegulation: {ZH: "监管规则", EN: "regulation"},
	LayerScheme:     {ZH: "卡组织或平台规则", EN: "scheme rules"},
	LayerChannel:    {ZH: "支付渠道", EN: "the payment channel"},
	LayerIssuer:     {ZH: "发卡行", EN: "the card issuer"},
	LayerPayer:      {ZH: "付款人设置", EN: "the payer's settings"},
	LayerAgreement:  {ZH: "免密签约", EN: "the agreement"},
	LayerStop:       {ZH: "紧急停用", EN: "the emergency stop"},
	LayerMerchant:   {ZH: "商户设置", EN: "the merchant's settings"},
	LayerStore:      {ZH: "门店设置", EN: "the store's settings"},
	LayerModel:      {ZH: "机型设置", EN: "the terminal model's settings"},
	LayerTerminal:   {ZH: "终端设置", EN: "the terminal's settings"},
	LayerPosture:    {ZH: "终端安全状态", EN: "the terminal's security state"},
	LayerRisk:       {ZH: "风险控制", EN: "risk control"},
	14:              {ZH: "其他设置", EN: "another setting"},
}
