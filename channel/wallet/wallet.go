// Package wallet is the built-in channel: prepaid balances of payers. It
// knows arithmetic alone; rows are written by store.
package wallet

import (
	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// Name is the channel's name in payments and policies.
const Name = channel.Wallet

// Wallet keeps balances. The zero Wallet is ready.
type Wallet struct{}

var _ channel.Books = Wallet{}

// Name returns "wallet".
func (Wallet) Name() string { return Name }

// Capture takes the amount from the balance, which never goes below zero.
func (Wallet) Capture(p mianmi.PayerID, m mianmi.MerchantID, balance, amount money.Amount) (channel.Posting, money.Amount, channel.Failure) {
	if balance.Currency() != amount.Currency() {
		return channel.Posting{}, balance, channel.CurrencyMismatch
	}
	left, err := balance.Sub(amount)
	if err != nil || left.Minor() < 0 {
		return channel.Posting{}, balance, channel.InsufficientFunds
	}
	return channel.Posting{Kind: channel.Capture, Debit: channel.OfPayer(p), Credit: channel.OfMerchant(m), Amount: amount}, left, channel.NoFailure
}

// GiveBack returns the amount to the balance, at the merchant's expense.
func (Wallet) GiveBack(k channel.Kind, p mianmi.PayerID, m mianmi.MerchantID, balance, amount money.Amount) (channel.Posting, money.Amount, channel.Failure) {
	return credit(channel.Posting{Kind: k, Debit: channel.OfMerchant(m), Credit: channel.OfPayer(p), Amount: amount}, balance)
}

// Load adds the amount to the balance from outside.
func (Wallet) Load(p mianmi.PayerID, balance, amount money.Amount) (channel.Posting, money.Amount, channel.Failure) {
	return credit(channel.Posting{Kind: channel.TopUp, Debit: channel.Funding, Credit: channel.OfPayer(p), Amount: amount}, balance)
}

func credit(p channel.Posting, balance money.Amount) (channel.Posting, money.Amount, channel.Failure) {
	if balance.Currency() != p.Amount.Currency() {
		return channel.Posting{}, balance, channel.CurrencyMismatch
	}
	sum, err := balance.Add(p.Amount)
	if err != nil {
		return channel.Posting{}, balance, channel.BalanceTooLarge
	}
	return p, sum, channel.NoFailure
}
