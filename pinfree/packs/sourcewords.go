package packs

import "github.com/mianmi/mianmi"

// The words of the page that Sources draws.
var (
	sourcesTitle = mianmi.Text{ZH: "规则包及其出处", EN: "Rule packs and their sources"}
	sourcesIntro = mianmi.Text{
		ZH: `[English](rules-sources.md)

本页由 ` + "`pinfree/packs`" + ` 中的规则包生成（` + "`go test ./pinfree/packs -run TestSourcesPage -update`" + `），请勿手工修改。
每个规则包写明：规则出自哪里、何时读到、原文有不止一种读法时取哪一种及其理由、启用它时由运营方保证什么，以及尚不确定的地方。

出处均为公开资料的存档副本，读到的日期逐条注明；其后原文可能已变。这里不构成法律意见：启用规则包之前，请核对原文。
规则包只“允许”不输密码，并不要求任何一方这样做；多个规则包、发卡机构、商户和付款人的设置同时适用时，以最严的为准。`,
		EN: `[中文](rules-sources.zh-CN.md)

This page is generated from the packs in ` + "`pinfree/packs`" + ` (` + "`go test ./pinfree/packs -run TestSourcesPage -update`" + `); do not edit it.
Each pack says where its rules are written and when that was read, which reading it takes where the text has more than one, and why, what an operator vouches for by putting it in force, and what is not certain.

The sources are stored copies of public texts, each with the day on which it was read; the original may have changed since. Nothing here is legal advice: read the original before you put a pack in force.
A pack allows a payment to go without a PIN, it obliges nobody. Where several packs and the settings of issuer, merchant and payer meet, the strictest wins.`,
	}
	qualityTitle = mianmi.Text{ZH: "出处的可靠程度", EN: "How good a source is"}
	allTitle     = mianmi.Text{ZH: "全部规则包", EN: "All packs"}

	wordQuality = mianmi.Text{ZH: "标记", EN: "word"}
	wordMeaning = mianmi.Text{ZH: "含义", EN: "meaning"}
	wordPack    = mianmi.Text{ZH: "规则包", EN: "pack"}
	wordTitle   = mianmi.Text{ZH: "名称", EN: "title"}
	wordDates   = mianmi.Text{ZH: "适用日期", EN: "dates"}
	wordDefault = mianmi.Text{ZH: "默认启用", EN: "in force by default"}
	wordEdition = mianmi.Text{ZH: "版本", EN: "edition"}
	wordKind    = mianmi.Text{ZH: "性质", EN: "kind"}
	wordBeside  = mianmi.Text{ZH: "配合使用", EN: "stands beside"}
	wordSources = mianmi.Text{ZH: "出处", EN: "Sources"}
	wordRead    = mianmi.Text{ZH: "%s 读取", EN: "read %s"}
	wordTaken   = mianmi.Text{ZH: "采用的读法", EN: "Reading taken,"}
	wordOther   = mianmi.Text{ZH: "其他读法", EN: "Other reading,"}
	wordAssumes = mianmi.Text{ZH: "启用的前提（由运营方保证）", EN: "What the operator vouches for"}
	wordOpen    = mianmi.Text{ZH: "未决与未编入", EN: "Open, or not encoded"}
	wordRules   = mianmi.Text{ZH: "规则", EN: "Rules"}
	wordWritten = mianmi.Text{ZH: "出处", EN: "source"}
	wordYes     = mianmi.Text{ZH: "是", EN: "yes"}
	wordNo      = mianmi.Text{ZH: "否", EN: "no"}

	colon      = mianmi.Text{ZH: "：", EN: ": "}
	inBrackets = mianmi.Text{ZH: "（%s）", EN: " (%s)"}
	comma      = mianmi.Text{ZH: "，", EN: ", "}

	editionAndVersion = mianmi.Text{ZH: "%s（规则包第 %d 版）", EN: "%s (pack's version %d)"}
	failuresMax       = mianmi.Text{ZH: "连续验证失败至多 %d 次，此后冻结", EN: "at most %d failed attempts in a row, then blocked"}
	codeOnce          = mianmi.Text{ZH: "一个验证码只能使用一次", EN: "an authentication code is accepted once"}

	noDates   = mianmi.Text{ZH: "出处未写日期", EN: "the source gives none"}
	datesFrom = mianmi.Text{ZH: "%s 起", EN: "from %s"}
	datesTo   = mianmi.Text{ZH: "至 %s", EN: "until %s"}
	datesBoth = mianmi.Text{ZH: "%s 至 %s", EN: "%s to %s"}
)

// qualities are how a source may be had, the best first.
var qualities = []struct {
	word    string
	meaning mianmi.Text
}{
	{"primary", mianmi.Text{ZH: "监管机构、卡组织、运营方或发卡机构自己的页面", EN: "the regulator's, scheme's, operator's or issuer's own page"}},
	{"primary_partial", mianmi.Text{ZH: "同上，但读到的副本在正文结束前中断", EN: "the same, but the copy that was read ends before the text does"}},
	{"secondary", mianmi.Text{ZH: "转述或摘录原文的新闻、律所文章或博客", EN: "news, a law firm or a blog that quotes or sums up the original"}},
	{"vendor", mianmi.Text{ZH: "供应商的说明文档", EN: "a supplier's documentation"}},
	{"code", mianmi.Text{ZH: "引用规范的公开代码", EN: "public code that quotes a specification"}},
	{"unverified", mianmi.Text{ZH: "行业常识，未找到文本，使用前须核实", EN: "general knowledge, found in no text: verify before use"}},
}

var layers = map[string]mianmi.Text{
	"regulation": {ZH: "监管规定", EN: "regulation"},
	"scheme":     {ZH: "卡组织或支付机构规则", EN: "rule of a scheme"},
	"issuer":     {ZH: "发卡机构规则", EN: "rule of an issuer"},
}

var permits = map[bool]mianmi.Text{
	true:  {ZH: "允许限额内免密", EN: "permits within its limits"},
	false: {ZH: "只作限制，不单独允许免密", EN: "only restricts"},
}

var above = map[string]mianmi.Text{
	"step_up": {ZH: "超过须验证", EN: "above it: verified"},
	"refuse":  {ZH: "超过即拒绝", EN: "above it: refused"},
}

var always = map[string]mianmi.Text{
	"step_up": {ZH: "须验证", EN: "verified"},
	"refuse":  {ZH: "拒绝", EN: "refused"},
}
