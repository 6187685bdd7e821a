package payer

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

var (
	idForm    = regexp.MustCompile(`^py[0-9a-z]{26}$`)
	phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // ITU-T E.164: 15 digits at most
	refForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$`)
)

func checkID(id mianmi.PayerID) error {
	if !idForm.MatchString(string(id)) {
		return mianmi.InvalidField("payer", "not a payer's identifier")
	}
	return nil
}

func checkPhone(field, phone string) error {
	if !phoneForm.MatchString(phone) {
		return mianmi.InvalidField(field, "want E.164: '+', country code, number, 7 to 15 digits")
	}
	if strings.HasPrefix(phone, "+86") && len(phone) != len("+8613800000000") {
		return mianmi.InvalidField(field, "a mobile number in China has 11 digits")
	}
	return nil
}

// nameRunesMax holds long names of several words.
const nameRunesMax = 64

func checkName(name string) error {
	switch {
	case name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > nameRunesMax:
		return mianmi.InvalidField("name", "want 1 to 64 characters")
	case strings.TrimSpace(name) != name || strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return mianmi.InvalidField("name", "no control characters, no space at either end")
	case LooksLikeCard(name):
		return mianmi.InvalidField("name", "looks like a card number")
	}
	return nil
}

// checkPassword refuses weak passwords, and the end of the own phone number.
func checkPassword(field, password, phone string) error {
	if err := secret.CheckPIN(field, password); err != nil {
		return err
	}
	if phone != "" && strings.HasSuffix(phone, password) {
		return &mianmi.Error{Kind: mianmi.Invalid, Field: field, Code: "password_weak", Msg: "too easy to guess: the end of the phone number"}
	}
	return nil
}

func digits(s string, lenMin, lenMax int) bool {
	return len(s) >= lenMin && len(s) <= lenMax && strings.Trim(s, "0123456789") == ""
}

// A card number has 12 to 19 digits (ISO/IEC 7812-1; 12 for old ones).
const (
	panDigitsMin = 12
	panDigitsMax = 19
)

// LooksLikeCard reports whether the text holds a run of 12 to 19 digits,
// perhaps grouped by spaces, dots or hyphens, whose check digit is right
// (ISO/IEC 7812-1, Luhn). Such a text is stored nowhere.
func LooksLikeCard(s string) bool {
	var run []byte
	check := func() bool { return len(run) >= panDigitsMin && len(run) <= panDigitsMax && luhn(run) }
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9':
			run = append(run, c-'0')
		case (c == ' ' || c == '-' || c == '.') && len(run) > 0:
			continue
		default:
			if check() {
				return true
			}
			run = run[:0]
		}
	}
	return check()
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Basis says on what ground staff act for a payer: how the identity was
// checked, and where that is written down.
type Basis struct {
	Method BasisMethod
	Ref    string // number of the note or case: letters, digits, ".", "_", "/", "-"
}

// BasisMethod is how an identity was checked.
type BasisMethod string

// The methods.
const (
	ByDocument  BasisMethod = "id_document"
	ByVideo     BasisMethod = "video_call"
	ByCallback  BasisMethod = "call_back" // to the number on file
	AtBranch    BasisMethod = "branch"
	OnRiskCase  BasisMethod = "risk_case" // a protective measure: tightening only
	BySignature BasisMethod = "signed_request"
)

// check refuses an unknown method and a note that could hold personal data.
// needed says that there must be one, and that a risk case is not enough.
func (b Basis) check(needed bool) error {
	if b == (Basis{}) && !needed {
		return nil
	}
	switch b.Method {
	case ByDocument, ByVideo, ByCallback, AtBranch, BySignature:
	case OnRiskCase:
		if needed {
			return mianmi.InvalidField("basis.method", "this needs a check of the payer's identity")
		}
	default:
		return mianmi.InvalidField("basis.method", "want id_document, video_call, call_back, branch, signed_request or risk_case")
	}
	if !refForm.MatchString(b.Ref) || LooksLikeCard(b.Ref) {
		return mianmi.InvalidField("basis.ref", "want the number of the note or case: 1 to 64 letters, digits, '.', '_', '/', '-'")
	}
	return nil
}
