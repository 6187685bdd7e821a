package pinfree

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// variable is a name that expressions may use, by its number. The amount is not
// among them: it is bounded by limits alone, so that more money is never less
// careful whatever a pack says.
type variable uint8

const (
	varCurrency variable = iota
	varMethod
	varEntry
	varCVM
	varType
	varOffline
	varRisk
	varFactors
	varCertificate
	varPayerConsent
	varPayerContactless
	varCardScheme
	varCardKind
	varCardDomestic
	varCardIssuer
	varCardActivated
	varCardListed
	varCardAsksPIN
	varMerchantMCC
	varMerchantNoPIN
	varMerchantUpgraded
	varMerchantRisk
	varTerminalCountry
	varTerminalUnattended
	varTerminalPurpose
	varTerminalQuickPass
	varMandateRegistered
	varMandateBegun
	varMandateWithdrawn
	varMandateSkipped
	varMandateNoticeHours
	varMandateCategory
)

// variables are the names, what kind of value each has, and, where the list is
// closed, the only words that it can be.
var variables = [...]struct {
	name  string
	kind  *cel.Type
	words []string
}{
	varCurrency:           {"currency", cel.StringType, nil},
	varMethod:             {"method", cel.StringType, methodNames[1:]},
	varEntry:              {"entry", cel.StringType, entryNames[1:]},
	varCVM:                {"cvm", cel.StringType, cvmNames},
	varType:               {"type", cel.StringType, TransactionTypes},
	varOffline:            {"offline", cel.BoolType, nil},
	varRisk:               {"risk", cel.StringType, Risks},
	varFactors:            {"factors", cel.IntType, nil},
	varCertificate:        {"certificate", cel.BoolType, nil},
	varPayerConsent:       {"payer.consent", cel.StringType, Consents},
	varPayerContactless:   {"payer.contactless", cel.BoolType, nil},
	varCardScheme:         {"card.scheme", cel.StringType, nil},
	varCardKind:           {"card.kind", cel.StringType, cardKinds},
	varCardDomestic:       {"card.domestic", cel.BoolType, nil},
	varCardIssuer:         {"card.issuer", cel.StringType, nil},
	varCardActivated:      {"card.activated", cel.BoolType, nil},
	varCardListed:         {"card.listed", cel.BoolType, nil},
	varCardAsksPIN:        {"card.asks_pin", cel.BoolType, nil},
	varMerchantMCC:        {"merchant.mcc", cel.IntType, nil},
	varMerchantNoPIN:      {"merchant.no_pin", cel.BoolType, nil},
	varMerchantUpgraded:   {"merchant.upgraded", cel.BoolType, nil},
	varMerchantRisk:       {"merchant.risk", cel.StringType, Risks},
	varTerminalCountry:    {"terminal.country", cel.StringType, nil},
	varTerminalUnattended: {"terminal.unattended", cel.BoolType, nil},
	varTerminalPurpose:    {"terminal.purpose", cel.StringType, nil},
	varTerminalQuickPass:  {"terminal.quick_pass", cel.BoolType, nil},
	varMandateRegistered:  {"mandate.registered", cel.BoolType, nil},
	varMandateBegun:       {"mandate.begun", cel.BoolType, nil},
	varMandateWithdrawn:   {"mandate.withdrawn", cel.BoolType, nil},
	varMandateSkipped:     {"mandate.skipped", cel.BoolType, nil},
	varMandateNoticeHours: {"mandate.notice_hours", cel.IntType, nil},
	varMandateCategory:    {"mandate.category", cel.StringType, nil},
}

var cardKinds = []string{"debit", "credit", "quasi_credit", "prepaid"}

var variableByName = func() map[string]variable {
	out := make(map[string]variable, len(variables))
	for i := range variables {
		out[variables[i].name] = variable(i) //nolint:gosec // a table index
	}
	return out
}()

// flag is the value of a variable that is true, false or not known.
func (f *facts) flag(v variable) tri {
	switch v {
	case varOffline:
		return f.more.Offline.tri()
	case varCertificate:
		return f.more.Certificate.tri()
	case varPayerContactless:
		return f.more.Contactless.tri()
	case varCardDomestic:
		return truth(f.card.Domestic)
	case varCardActivated:
		return f.more.Activated.tri()
	case varCardListed:
		return f.more.Listed.tri()
	case varCardAsksPIN:
		return f.more.AsksPIN.tri()
	case varMerchantNoPIN:
		return truth(f.place.NoPINMerchant)
	case varMerchantUpgraded:
		return truth(f.place.UpgradedMerchant)
	case varTerminalUnattended:
		return truth(f.place.Unattended)
	case varTerminalQuickPass:
		return f.more.QuickPass.tri()
	case varMandateRegistered:
		return f.more.Mandate.Registered.tri()
	case varMandateBegun:
		return f.more.Mandate.Begun.tri()
	case varMandateWithdrawn:
		return f.more.Mandate.Withdrawn.tri()
	case varMandateSkipped:
		return f.more.Mandate.Skipped.tri()
	}
	return perhaps
}

// number is the value of a variable that is a number; false: not known.
func (f *facts) number(v variable) (int64, bool) {
	switch v {
	case varFactors:
		return f.more.Factors, f.more.Factors > 0
	case varMerchantMCC:
		return int64(f.place.MCC), f.place.MCC > 0
	case varMandateNoticeHours:
		return f.more.Mandate.NoticeHours, true
	}
	return 0, false
}

// text is the value of a variable that is a text; false: not known.
func (f *facts) text(v variable) (string, bool) {
	var s string
	switch v {
	case varCurrency:
		s = string(*f.currency)
	case varMethod:
		s = f.method.String()
	case varEntry:
		s = f.entry.String()
	case varCVM:
		s = f.cvm.String()
	case varType:
		s = f.more.Type
	case varRisk:
		s = f.more.Risk
	case varPayerConsent:
		s = f.more.Consent
	case varCardScheme:
		s = f.card.Scheme
	case varCardKind:
		s = f.card.Kind
	case varCardIssuer:
		s = f.more.Issuer
	case varMerchantRisk:
		s = f.more.MerchantRisk
	case varTerminalCountry:
		s = f.place.Country
	case varTerminalPurpose:
		return f.place.Purpose, true // none is a purpose too
	case varMandateCategory:
		s = f.more.Mandate.Category
	}
	return s, s != ""
}

func (f Flag) tri() tri {
	switch f {
	case Yes:
		return yes
	case No:
		return no
	case NotKnown:
	}
	return perhaps
}

// unknownValue stands for whatever is not known.
var unknownValue ref.Val = types.NewUnknown(1, nil)

// celValue is the value of a variable as CEL has it. What is not known is CEL's
// own unknown, which makes the expression unknown unless the rest of it settles
// the matter.
func (f *facts) celValue(v variable) ref.Val {
	switch variables[v].kind {
	case cel.BoolType:
		if t := f.flag(v); t != perhaps {
			return types.Bool(t == yes)
		}
	case cel.IntType:
		if n, ok := f.number(v); ok {
			return types.Int(n)
		}
	case cel.StringType:
		if s, ok := f.text(v); ok {
			return types.String(s)
		}
	}
	return unknownValue
}
