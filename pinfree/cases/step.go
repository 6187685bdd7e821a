package cases

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// step is a payment, or with Event something that happens between payments.
type step struct {
	Event string
	At    time.Time // zero: a second after the step before

	Minor         int64
	Currency      money.Currency
	Channel       string
	Outcome       string
	Authenticated bool
	Unasked       bool // the payer authenticated without being asked
	DeviceCVM     bool // the payer's device says that it verified him
	Bucket        string
	Elsewhere     bool // outside the rules' territory
	OutOfScope    bool // for one reason or another
	Purpose       string
	Attended      *bool
	Risk          string
	MerchantRisk  string
	Issuer        string // the issuer's own word
	Type          string
	Card          *card
	CTQ           []byte // card transaction qualifiers (tag 9F6C); nil: not given
	Typed         bool   // the digits of the code were revealed
	Online        *bool  // the reader must go online: an assertion
	Claim         pinfree.Claim
	PaidGiven     bool // Claim.PaidThisYear was given
	NoticeHours   int64
	Code          string
	Where         string
	Consented     bool
	NotOnline     bool
}

// card is what a step says of the card.
type card struct {
	Currency string // as in tag 9F51, or ISO 4217 letters; empty: not given
	Kind     string
	Listed   *bool
}

// events are what can happen between payments, with what decides anything.
var events = []string{"refund", "sca_applied", "payer_opt_out", "payer_opt_in", "replenish", "mandate_registered", "mandate_withdrawn",
	"opt_out_this_debit", "pre_debit_notice", "auth_failed", "auth_succeeded", "auth_attempt", "auth_code_presented", "stolen_use"}

// asks reports whether the event has an answer.
func (s *step) asks() bool {
	return s.Event == "auth_attempt" || s.Event == "auth_code_presented" || s.Event == "stolen_use"
}

func readStep(o *object, g *given) step {
	s := step{At: o.instant("at"), Minor: 0, Currency: o.currency("currency"), Authenticated: o.is("authenticated"), Bucket: o.text("bucket")}
	if n := o.number("amount_minor", 1, amountMax); n != nil {
		s.Minor = *n
	}
	if s.Currency == "" {
		s.Currency = g.Currency
	}
	if o.has("event") {
		s.readEvent(o)
	} else {
		s.readPayment(o, g)
	}
	o.done()
	return s
}

func (s *step) readEvent(o *object) {
	s.Event = o.word("event", events)
	o.name("channel") // through which a switch was set: any of them counts
	o.number("of_step", 0, stepsMax)
	s.Consented = !o.isNot("consent")
	s.NotOnline = o.isNot("online")
	s.Where = o.word("where", slices.Concat(outOfBandWords, remoteWords, onSiteWords))
	s.Code = o.text("code")
	if n := o.number("hours_before", 0, 100_000); n != nil {
		s.NoticeHours = *n
	}
	if !o.has("authenticated") {
		// A change that is said to be made is one that was allowed.
		s.Authenticated = s.Event != "replenish"
	}
	s.Claim = pinfree.Claim{Minor: s.Minor, Confirmed: o.is("confirmed")}
	if n := o.number("hours_before_loss_report", -100_000, 100_000); n != nil {
		s.Claim.HoursBefore = *n
	}
	if n := o.number("paid_this_year_minor", 0, amountMax); n != nil {
		s.Claim.PaidThisYear, s.PaidGiven = *n, true
	}
	switch s.Event {
	case "pre_debit_notice":
		o.need("hours_before")
	case "auth_code_presented":
		o.need("code")
	case "stolen_use":
		o.need("amount_minor", "hours_before_loss_report")
	}
}

func (s *step) readPayment(o *object, g *given) {
	o.need("amount_minor")
	if s.Currency == "" {
		o.fault("currency", "is missing, here and in given")
	}
	s.Channel = o.word("channel", channelNames)
	if !o.has("channel") {
		if len(g.Channels) != 1 {
			o.fault("channel", "is missing; write one of %s", strings.Join(channelNames, ", "))
		} else {
			s.Channel = g.Channels[0]
		}
	}
	s.Outcome = o.wordOr("outcome_of_payment", "approved", outcomesOfPay)
	s.Unasked = o.word("auth_trigger", triggers) == "payer" && s.Authenticated
	s.DeviceCVM = o.is("cdcvm")
	s.DeviceCVM = o.is("on_device_cvm") || s.DeviceCVM
	s.Purpose = o.name("purpose")
	if p := o.name("merchant_purpose"); p != "" {
		s.Purpose = p
	}
	s.Attended = o.flag("attended")
	s.readScope(o, g)
	s.Risk, s.MerchantRisk = o.word("risk", riskWords), o.word("merchant_risk", merchantRisks)
	s.Issuer = o.word("issuer_decision", issuerWords)
	o.list("factors", isName, "names of a-z, 0-9, _ and -") // how it was authenticated; authenticated says whether
	s.Type = o.wordOr("tx_type", "sale", pinfree.TransactionTypes)
	s.Typed = o.is("code_digits_revealed")
	s.readCard(o)
	if s.Online = o.flag("online_required"); s.Online != nil && g.Reader.floor() == nil {
		o.fault("online_required", "needs reader_contactless_floor_limit or DF8123 in given")
	}
}

// readScope finds out whether the rules reach the payment at all.
func (s *step) readScope(o *object, g *given) {
	region, in := o.word("region", regions), o.flag("in_scope")
	excluded := slices.Contains(g.Excluded, s.Purpose)
	out := in != nil && !*in || in == nil && strings.HasPrefix(region, "non_")
	s.Elsewhere = out && !excluded
	s.OutOfScope = out || excluded
}

func (s *step) readCard(o *object) {
	if raw, ok := o.raw("ctq"); ok {
		text, _ := asText(raw)
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 2 {
			o.fault("ctq", "%s is not card transaction qualifiers; write two bytes in hexadecimal, like 0080", shown(raw))
			b = nil
		}
		s.CTQ = b
	}
	c := o.object("card")
	if c == nil {
		return
	}
	s.Card = &card{Currency: c.text("currency"), Kind: c.word("kind", cardKinds), Listed: c.flag("listed")}
	digits := strings.Trim(s.Card.Currency, "0123456789") == "" && len(s.Card.Currency) >= 3 && len(s.Card.Currency) <= 4
	if c.has("currency") && !digits && !money.Currency(s.Card.Currency).Valid() {
		c.fault("currency", "%q is not a currency; write the number of ISO 4217 as in tag 9F51, like 0156", s.Card.Currency)
	}
	c.done()
}

// domestic reports whether the card's currency is the payment's; a card of which
// nothing is said is.
func (s *step) domestic() bool {
	if s.Card == nil || s.Card.Currency == "" {
		return true
	}
	code := numericCodes[s.Currency]
	return s.Card.Currency == string(s.Currency) || code != "" && (s.Card.Currency == code || s.Card.Currency == code[1:])
}
