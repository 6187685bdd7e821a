// Package channel is the contract with a payment system: its own few words
// for money that moves.
//
// Books is a payment system whose accounts lie in our own database, so that
// money moves in the transaction of the decision. Remote is one that is asked over
// a network, after the decision (ADR 14).
package channel

import (
	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Account names one side of a movement: a payer, a merchant, or one of the
// house's own accounts. The zero Account is nobody's and is refused.
type Account string

// Names of what is no channel over a network: the built-in wallet, and cash,
// which is recorded alone.
const (
	Wallet = "wallet"
	Cash   = "cash"
)

// House accounts.
const (
	// Funding is where top-ups come from: the payer's bank, outside.
	Funding Account = "house:funding"
	// Guarantee is what compensation is paid from (ADR 25). It is funded from Platform,
	// the money of whoever runs mianmi, outside.
	Guarantee Account = "house:guarantee"
	Platform  Account = "house:platform"
)

// OfPayer names the account of a payer.
func OfPayer(id mianmi.PayerID) Account { return Account("payer:" + string(id)) }

// OfMerchant names the account of a merchant.
func OfMerchant(id mianmi.MerchantID) Account { return Account("merchant:" + string(id)) }

// OfChannel names where a channel over a network keeps what it owes the house's
// merchants: a capture takes it from there, a refund puts it back.
func OfChannel(name string) Account { return Account("channel:" + name) }

// Kind says why money moved. The numbers are stored: never renumber.
type Kind uint8

const (
	Capture    Kind = 1
	Refund     Kind = 2
	Reversal   Kind = 3
	TopUp      Kind = 4
	Guaranteed Kind = 5 // the guarantee account was funded
	Payout     Kind = 6 // compensation to a payer
	MakeGood   Kind = 7 // to a merchant, for a refund that the platform bears
	TakenBack  Kind = 8 // of it, when that refund was refused
)

// Posting moves an amount from Debit to Credit: it balances by its form.
type Posting struct {
	Kind   Kind
	Debit  Account // whose balance falls
	Credit Account // whose balance grows
	Amount money.Amount
}

// Failure says why a channel did not take a payment. The zero value is none.
// The numbers are stored: never renumber.
type Failure uint8

const (
	NoFailure         Failure = 0
	InsufficientFunds Failure = 1
	CurrencyMismatch  Failure = 2
	PasswordLocked    Failure = 3 // the step-up ended with the password locked
	BalanceTooLarge   Failure = 4 // a credit would not fit
	CodeRefused       Failure = 5 // the payment code is used, expired or none of the system's
	PayerStopped      Failure = 6 // the payer did not confirm: closed the page, or let it time out
	ChannelRefused    Failure = 7 // the system does not take it: its risk control, its limits, our account there
	ChannelBusy       Failure = 8 // the system could not say; the same may work in a moment
)

var failureNames = [...]string{"", "insufficient_funds", "currency_mismatch", "password_locked", "balance_too_large",
	"code_refused", "payer_stopped", "channel_refused", "channel_busy"}

// String is the failure's name in the API.
func (f Failure) String() string {
	if int(f) < len(failureNames) {
		return failureNames[f]
	}
	return "unknown"
}

// ParseFailure is the inverse of String: the empty text is NoFailure and true,
// an unknown name NoFailure and false.
func ParseFailure(name string) (Failure, bool) {
	for i, n := range failureNames {
		if n == name {
			return Failure(i), true //nolint:gosec // a table index
		}
	}
	return NoFailure, false
}

// Books is a channel whose accounts are in our own database. Its methods are
// pure: they say what moves and what is left, and the store writes it.
type Books interface {
	Name() string
	// Capture takes the amount from the payer's balance.
	Capture(p mianmi.PayerID, m mianmi.MerchantID, balance, amount money.Amount) (Posting, money.Amount, Failure)
	// GiveBack returns the amount to the payer's balance (refund or reversal).
	GiveBack(k Kind, p mianmi.PayerID, m mianmi.MerchantID, balance, amount money.Amount) (Posting, money.Amount, Failure)
	// Load adds the amount to the payer's balance from outside.
	Load(p mianmi.PayerID, balance, amount money.Amount) (Posting, money.Amount, Failure)
}
