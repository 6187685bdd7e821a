package packs

import (
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// defaults are the packs in force when an operator names none: the present
// rules of regulators and schemes. They stand side by side, for each says
// itself which payments it speaks about.
var defaults = []string{
	// China.
	"cn-pboc-barcode-2018",     // the regulator's day totals for codes, in force
	"cn-pboc-network-2015",     // the same for payment accounts, in force
	"cn-unionpay-2018",         // the scheme's limit for taps, in force
	"cn-unionpay-compensation", // what holders are promised; it decides nothing
	"cn-wechat-paycode-2025",   // the newest edition for payment codes

	// European Union, France's Pacific territories, United Kingdom.
	"eu-rts-art4",          // failed attempts, in force
	"eu-rts-art11",         // contactless, in force
	"eu-rts-art12",         // transport fares and parking fees, in force
	"eu-rts-art16",         // remote, in force
	"fr-pacific-art11",     // the same articles in francs, in force
	"uk-scarts-art11-2026", // present rule; asks every time until monitoring tells that a payment is low risk
	"uk-scarts-art12",      // transport fares and parking fees, in force
	"uk-scarts-art16",      // remote, in force

	// India.
	"in-rbi-contactless-2021",     // in force; the controls stand beside it
	"in-rbi-card-controls-2020",   // in force; it only restricts
	"in-rbi-auth-directions-2025", // present limits of everything that goes without the additional factor
	"in-upi-lite-2024",            // in force
	"in-rbi-emandate-2026",        // in force

	// One country or scheme each, in force as far as the sources tell.
	"ca-interac",
	"au-scheme",
	"ch-scheme",
	"sg-scheme",
	"jp-scheme",
	"br-abecs",
	"my-mydebit",
	"ng-cbn-2023",

	"iso8583-step-up", // what terminals do about step-up answers; it decides no payment
}

// The reasons for which a shipped pack is not in force unless it is named.
var (
	superseded = mianmi.Text{ZH: "已被后来的版本取代，供核对过去的交易", EN: "superseded by a later edition; kept for payments of its time"}
	oneIssuer  = mianmi.Text{ZH: "一家（或几家）发卡机构自己的规则，由该机构启用", EN: "the rule of one issuer or a few, for them to put in force"}
	figures    = mianmi.Text{ZH: "依据终端参数，这些数值在后台判定时未知，供核对终端与试算", EN: "rests on a terminal's parameters, which are not known where payments are decided; for checking terminals and for trying things out"}
	initiative = mianmi.Text{ZH: "属倡议而非规定，且以每笔付款的风险等级为条件；接入交易监测之前，所有付款都会要求验证",
		EN: "an initiative, not a regulation, and it rests on each payment's risk: until transaction monitoring tells that, every payment would be verified"}
	otherWorld = mianmi.Text{ZH: "只适用于以融合钱包接入的机构", EN: "for institutions that are connected as a fusion wallet alone"}
)

// leftOut are the shipped packs that are not in defaults, with the reason.
var leftOut = map[string]mianmi.Text{
	"cn-pcac-2025":                     initiative,
	"cn-wechat-paycode-2021":           superseded,
	"cn-wechat-paycode-fusion":         otherWorld,
	"cn-unionpay-issuers-2019":         oneIssuer,
	"cn-unionpay-issuer-csrcbank-2016": oneIssuer,
	"cn-unionpay-terminal-qps":         figures,
	"eu-issuer-vivid":                  oneIssuer,
	"uk-scarts-art11-2020":             superseded,
	"uk-scarts-art11-2021":             superseded,
	"emv-entry-point":                  figures,
	"emv-kernel-c2":                    figures,
	"in-rbi-contactless-2015":          superseded,
	"in-rbi-offline-2022":              superseded,
	"ca-interac-issuer-400":            oneIssuer,
	"ca-interac-issuer-td":             oneIssuer,
	"au-issuer-sydney-mutual":          oneIssuer,
	"hk-issuer-citi":                   oneIssuer,
	"my-issuer-hlb-2020":               superseded,
	"my-issuer-hlb-2021":               oneIssuer,
}

// Default returns the shipped packs that are in force when nobody has named
// any: the present rules of regulators and schemes, without earlier editions,
// rules of single issuers, and packs that rest on a terminal's parameters.
func Default() ([]pinfree.Pack, error) {
	all, err := Embedded()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p pinfree.Pack) bool { return !slices.Contains(defaults, p.ID) }), nil
}
