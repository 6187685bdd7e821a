package cases

import (
	"slices"
	"strings"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// What a step's answer can be. Outcomes of the decision first, then those of
// compensation; covered_partially comes with its amount (covered_partially:50000).
const (
	pinFree          = "pin_free"
	stepUp           = "step_up"
	refuse           = "refuse"
	authenticated    = "authenticated"
	outOfScope       = "out_of_scope"
	none             = "none"
	covered          = "covered"
	coveredPartially = "covered_partially"
	notCovered       = "not_covered"
)

// The closed lists of the format, each in the order in which an error names it.
var (
	kinds          = []string{decision, responseCode, compensation}
	decisionWords  = []string{pinFree, stepUp, refuse, authenticated, outOfScope, none}
	operators      = []string{"le", "lt"}
	cvmOperators   = []string{"ge", "gt"}
	actions        = []string{stepUp, refuse}
	scopes         = []string{"previous", "including_current"}
	counterModes   = []string{"amount", "count", "both", none}
	countedWords   = []string{"executed_unauthenticated", "executed_all"}
	resetWords     = []string{"sca_non_remote", "sca_any", "sca_out_of_band", "calendar_day", "replenish_with_afa"}
	bucketWords    = []string{"instrument", "card", "payer", "funding_bucket", "account_or_wallet"}
	outcomesOfPay  = []string{"approved", "declined", "reversed"}
	triggers       = []string{"payer", "engine"}
	riskWords      = []string{"low", "normal", "not_low", "elevated", "abnormal", "high"}
	merchantRisks  = []string{"low", "normal", "elevated", "high"}
	regions        = []string{"domestic", "eea_acquirer", "non_eea_acquirer", "uk_acquirer", "non_uk_acquirer"}
	issuerWords    = []string{"accept", stepUp, refuse, "decline"}
	grades         = []string{"A", "B", "C", "D"}
	regimes        = []string{"risk_based", "fixed_limits"}
	appliers       = []string{"payee_psp", "payer_psp"}
	instruments    = []string{"card", "device", "contactless_only_device"}
	cvmWords       = []string{"signature", "pin", "online_pin", "offline_pin", "password", "mobile_code", "biometric"}
	consentWords   = []string{"true", "false", `"default_not_confirmed"`, `"mandatorily_disabled_never_used"`}
	activations    = []string{"three_consecutive_pin_transactions", "activated"}
	afterWindows   = []string{none, "nothing", "full_if_confirmed"}
	cardKinds      = []string{"debit", "credit", "quasi_credit", "prepaid"}
	outOfBandWords = []string{"issuer_mobile_app", "issuer_app", "mobile_app", "online_banking"}
	remoteWords    = []string{"remote", "ecommerce"}
	onSiteWords    = []string{"pos", "atm", "branch"}
)

// packReset is the pack language's word for a reset of the format.
func packReset(word string) string {
	if word == "replenish_with_afa" {
		return "top_up_with_authentication"
	}
	return word
}

// packBucket is the pack language's word for a bucket of the format.
func packBucket(word string) string {
	switch word {
	case "card", "instrument":
		return "instrument"
	case "funding_bucket":
		return "funding"
	case "account_or_wallet":
		return "account"
	}
	return "payer"
}

// channel is how a payment is made, in the words of the format.
type channel struct {
	name       string
	method     pinfree.Method
	offline    bool
	unattended bool
	purpose    string      // of the terminal
	remote     bool        // authentication here is remote
	unasked    pinfree.CVM // how a payer authenticates here without being asked
	when       string      // which payments of the method are meant, in CEL; empty: all
}

var channels = []channel{
	{name: "contactless", method: pinfree.CardTap, unasked: pinfree.CDCVM, when: "!offline"},
	{name: "contact_chip", method: pinfree.CardInsert, unasked: pinfree.OnlinePIN},
	{name: "atm", method: pinfree.ATM, unasked: pinfree.OnlinePIN},
	{name: "remote", method: pinfree.Remote, remote: true, unasked: pinfree.PhonePassword},
	{name: "transit_unattended", method: pinfree.CardTap, unattended: true, purpose: "transport_fare", unasked: pinfree.CDCVM,
		when: `!offline && terminal.unattended && terminal.purpose == "transport_fare"`},
	{name: "parking_unattended", method: pinfree.CardTap, unattended: true, purpose: "parking_fee", unasked: pinfree.CDCVM,
		when: `!offline && terminal.unattended && terminal.purpose == "parking_fee"`},
	{name: "barcode_dynamic_payer_presented", method: pinfree.PaymentCode, unasked: pinfree.PhonePassword},
	{name: "barcode_static", method: pinfree.StaticQR, unasked: pinfree.PhonePassword},
	{name: "offline", method: pinfree.CardTap, offline: true, unasked: pinfree.CDCVM, when: "offline"},
	{name: "upi_lite", method: pinfree.DeviceWallet, remote: true, unasked: pinfree.PhonePassword},
	{name: "emandate", method: pinfree.MandateDebit, remote: true, unasked: pinfree.PhonePassword},
}

var channelNames = func() (names []string) {
	for _, c := range channels {
		names = append(names, c.name)
	}
	return names
}()

// channelOf returns the channel of a name that the reader has checked.
func channelOf(name string) channel {
	i := slices.IndexFunc(channels, func(c channel) bool { return c.name == name })
	return channels[max(i, 0)]
}

// condition is the pack's condition for payments of any of the channels.
func condition(names []string) pinfree.Condition {
	var c pinfree.Condition
	var parts []string
	narrow := false
	for _, name := range names {
		ch := channelOf(name)
		if m := ch.method.String(); !slices.Contains(c.Methods, m) {
			c.Methods = append(c.Methods, m)
		}
		part := `method == "` + ch.method.String() + `"`
		if ch.when != "" {
			part, narrow = "("+part+" && "+ch.when+")", true
		}
		parts = append(parts, part)
	}
	if narrow {
		c.CEL = strings.Join(parts, " || ")
	}
	return c
}

// countryOf is where payments in a currency are made, for rules that ask: codes
// of ISO 4217 begin with the country, those of several countries apart.
func countryOf(c money.Currency) string {
	switch {
	case !c.Valid():
		return ""
	case c == "EUR":
		return "DE"
	case c == "XPF":
		return "PF"
	case c == "XOF":
		return "SN"
	case c == "XAF":
		return "CM"
	case c == "XCD":
		return "AG"
	}
	return string(c[:2])
}

// elsewhere is a country that is not the currency's.
func elsewhere(c money.Currency) string {
	if countryOf(c) == "US" {
		return "CN"
	}
	return "US"
}

// numericCodes are those of ISO 4217, as cards have them in tags 9F51 and DF71.
var numericCodes = map[money.Currency]string{
	"AUD": "0036", "BRL": "0986", "CAD": "0124", "CHF": "0756", "CNY": "0156", "EUR": "0978", "GBP": "0826", "HKD": "0344",
	"IDR": "0360", "INR": "0356", "JPY": "0392", "KRW": "0410", "MOP": "0446", "MYR": "0458", "NGN": "0566", "NZD": "0554",
	"PHP": "0608", "SGD": "0702", "THB": "0764", "TWD": "0901", "USD": "0840", "VND": "0704", "XPF": "0953",
}
