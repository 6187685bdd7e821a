package channel

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
)

// Contracts is a payment system at which payers sign PIN-free contracts with
// merchants (ADR 18). All methods are safe for concurrent use, may be repeated, and
// return when ctx ends. They give no error: whatever went wrong is no clear word.
type Contracts interface {
	// Name is the channel's name in payments and policies.
	Name() string
	// ContractService is the channel's number of what a merchant's payers sign by a
	// kind of contract; false: they sign none of that kind.
	ContractService(m mianmi.MerchantID, kind string) (string, bool)
	// SignContract opens a session in which the payer signs.
	SignContract(ctx context.Context, o ContractOrder) ContractSession
	AskContract(ctx context.Context, r ContractRef) ContractAnswer
	// EndContract ends a contract and returns what the contract itself then says:
	// until it says "ended", ask again.
	EndContract(ctx context.Context, r ContractRef, why string) ContractAnswer
}

// ContractRef names a contract at a channel.
type ContractRef struct {
	Contract mianmi.ContractID // its number at the channel, which takes each once
	Merchant mianmi.MerchantID
	Kind     string // of those that the channel has
	Service  string // as ContractService gave it
}

// ContractOrder asks for a session.
type ContractOrder struct {
	ContractRef
	Member mianmi.PayerID // who signs, in our words
	Payer  string         // as the channel names them towards this merchant; may be empty
	Shown  string         // the payer's account as the channel shows it
	Device ContractDevice
}

// ContractDevice is where a payer signs, in the channel's words; kinds of contract
// that do not ask leave it unread.
type ContractDevice struct {
	Type, OS, ID, IP, ClientVersion, SinceLogin string
	Rooted, Installed, ByQR                     bool
}

// ContractSession leads the payer to where they sign; without Session there is none.
type ContractSession struct {
	Session string
	AppID   string // of the mini program to open, with its path
	Path    string
	URL     string // to scan or to open
	Fault   string // for the log, as in Answer
}

// ContractStanding is what a channel says of a contract. The zero ContractStanding
// says nothing; of two clear words the greater is the later one. The numbers are
// stored: never renumber.
type ContractStanding uint8

const (
	ContractUnclear  ContractStanding = 0
	ContractUnsigned ContractStanding = 1 // the channel knows it; the payer has not signed
	ContractSigned   ContractStanding = 2
	ContractEnded    ContractStanding = 3 // for good
)

// ContractAnswer is what a channel said of a contract, or that it said nothing:
// the zero ContractAnswer.
type ContractAnswer struct {
	Standing ContractStanding
	Number   string // the channel's own
	Payer    string // who signed, as the channel names them towards the merchant; empty where it is not said
	SignedAt time.Time
	EndedAt  time.Time
	EndedBy  string // in the channel's words; empty where it is not said
	Fault    string // for the log, as in Answer
}
