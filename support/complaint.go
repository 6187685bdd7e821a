package support

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// Place is an account at a channel.
type Place struct {
	Channel string // "wechatpay", "wallet"
	Account string // the name of the connection
}

// Key is what a complaint is called where it was made.
type Key struct {
	Place
	Number string
}

// State is how far a complaint is. The numbers are stored.
type State uint8

// The states are WeChat Pay's. The zero State is none that is known, and counts as open.
const (
	NoState    State = iota
	Pending          // nobody has answered
	Processing       // somebody has
	Processed        // it is over
)

var stateNames = []string{"", "pending", "processing", "processed"}

// String is the state's name in the API.
func (s State) String() string { return stateNames[min(int(s), len(stateNames)-1)] }

// Problem is what sort of complaint it is. The numbers are stored.
type Problem uint8

// The problems are WeChat Pay's.
const (
	NoProblem    Problem = iota
	WantsRefund          // the payer wants money back
	NotWorking           // what was paid for did not work
	OtherProblem         // anything else
)

var problemNames = []string{"", "refund", "service_not_work", "other"}

// String is the problem's name in the API.
func (p Problem) String() string { return problemNames[min(int(p), len(problemNames)-1)] }

// Flags are what else a channel says of a complaint. The bits are stored.
type Flags uint16

// The flags.
const (
	Waiting   Flags = 1 << iota // the payer wrote, and nobody has answered
	Platform                    // the channel's own people help
	Immediate                   // the payer is to be served at once
	Refunded                    // everything is given back
	Trusted                     // the channel trusts the payer
	HighRisk                    // the channel warns: high risk that this goes on
)

// Has reports whether the flag is set.
func (f Flags) Has(one Flags) bool { return f&one != 0 }

// About is a payment that a complaint is about. Payment is empty for one that
// is not known here.
type About struct {
	Payment     mianmi.PaymentID
	Transaction string // the channel's number
	Amount      money.Amount
}

// Said is what a channel says of a complaint; the parts of it that may change.
type Said struct {
	State   State
	Problem Problem
	Flags   Flags
	Title   string       // the problem in the channel's words
	Text    string       // the payer's own
	Asked   money.Amount // what the payer wants back; zero: nothing was said
	Times   int64        // how often this payer has complained
	Images  []string     // for Channel.Picture
}

// Complaint is one that is stored.
type Complaint struct {
	ID mianmi.ComplaintID
	Key
	Merchant mianmi.MerchantID // empty: not known, for support alone
	Payer    mianmi.PayerID    // of one that was made here
	Said
	Payments  []About
	At        time.Time // made at the channel
	ChangedAt time.Time
	SeenAt    time.Time // when the question was asked that this answers
	Version   int64
	Case      mianmi.CaseID // that the support desk keeps about it; empty: none yet
}

// Own is the payment that a complaint is about which was made here.
func (c *Complaint) Own() mianmi.PaymentID {
	if c.Place != Wallet || len(c.Payments) == 0 {
		return ""
	}
	return c.Payments[0].Payment
}

// Party is who took a step. The numbers are stored.
type Party uint8

// The parties.
const (
	NoParty Party = iota
	ByPayer
	ByMerchant
	ByPlatform
)

var partyNames = []string{"", "payer", "merchant", "platform"}

// String is the party's name in the API.
func (p Party) String() string { return partyNames[min(int(p), len(partyNames)-1)] }

// Step is one step of a complaint's history.
type Step struct {
	Number string // the channel's
	At     time.Time
	By     Party
	What   string // the channel's word, as USER_CREATE_COMPLAINT
	Text   string
	Images []string
	Did    Kind // which answer of the merchant's it is, as the channel shows it; not stored
}

// Seen is what a channel says of a complaint.
type Seen struct {
	Number string
	At     time.Time
	Said
	Payments []About
	Steps    []Step // none in lists
}

// String keeps the payer's words out of whatever prints one.
func (s Seen) String() string { return "complaint " + s.Number + " " + s.State.String() }

// GoString is String.
func (s Seen) GoString() string { return s.String() }

// String keeps the payer's words out of whatever prints one.
func (c Complaint) String() string { return "complaint " + string(c.ID) + " " + c.State.String() }

// GoString is String.
func (c Complaint) GoString() string { return c.String() }

// String keeps words out of whatever prints a step.
func (s Step) String() string { return "step " + s.Number + " " + s.What }

// GoString is String.
func (s Step) GoString() string { return s.String() }

// Bounds of what is stored of a complaint: a good deal above what WeChat Pay
// itself allows, so that nothing of it is cut off.
const (
	numberMax   = 64
	textMax     = 2000 // characters
	imagesMax   = 20
	imageMax    = 512
	paymentsMax = 50
	stepsMax    = 300 // of one answer
)

// bounded is what was said with its sizes bounded and card numbers struck out.
func (s Said) bounded() Said {
	s.Title, s.Text, s.Images = words(s.Title, textMax), words(s.Text, textMax), pictures(s.Images)
	s.Times = max(s.Times, 0)
	if s.Asked.Minor() <= 0 {
		s.Asked = money.Amount{}
	}
	return s
}

// bounded is what was seen within its bounds; false: it names nothing.
func (s Seen) bounded() (Seen, bool) {
	if !token(s.Number) {
		return Seen{}, false
	}
	s.Said = s.Said.bounded()
	s.Payments = slices.Clone(s.Payments[:min(len(s.Payments), paymentsMax)])
	for i := range s.Payments {
		if !token(s.Payments[i].Transaction) {
			s.Payments[i].Transaction = ""
		}
		if s.Payments[i].Amount.Currency() == "" {
			s.Payments[i].Amount = money.Of(0, "CNY")
		}
	}
	var steps []Step
	for _, t := range s.Steps[:min(len(s.Steps), stepsMax)] {
		if token(t.Number) && (t.What == "" || token(t.What)) {
			t.Text, t.Images = words(t.Text, textMax), pictures(t.Images)
			steps = append(steps, t)
		}
	}
	s.Steps = steps
	return s, true
}

// token reports 1 to 64 letters, digits, '_' and '-'.
func token(text string) bool {
	return text != "" && len(text) <= numberMax && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}

func pictures(ids []string) []string {
	var out []string
	for _, id := range ids {
		if id != "" && len(id) <= imageMax && len(out) < imagesMax {
			out = append(out, id)
		}
	}
	return out
}

// words is text as it is stored: at most so many characters, without what
// cannot be shown, and without card numbers.
func words(text string, most int) string {
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most])
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, text)
	if !payer.LooksLikeCard(text) {
		return text
	}
	return strings.Map(func(r rune) rune { // which digits are the card's is not worth a mistake
		if unicode.IsDigit(r) {
			return '*'
		}
		return r
	}, text)
}
