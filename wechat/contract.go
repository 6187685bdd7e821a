package wechat

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
)

// Family is a kind of PIN-free contract. The numbers are stored.
type Family uint8

// The families.
const (
	PasswordExempt Family = 1 // 免密支付
	Papay          Family = 2 // 委托代扣
)

// ContractName is what a merchant calls a contract. A code is good for one.
type ContractName struct {
	Merchant mianmi.MerchantID
	Family   Family
	Service  string // the merchant's number of the service, or of the plan
	Code     string
}

// ContractKey is where a contract lies: a hash of its name.
type ContractKey [16]byte

// Key is the name's.
func (n ContractName) Key() ContractKey {
	sum := sha256.Sum256([]byte("contract\x00" + string(n.Merchant) + "\x00" + string(rune('0'+n.Family)) + "\x00" + n.Service + "\x00" + n.Code))
	return ContractKey(sum[:16])
}

// ID is the contract's number in WeChat Pay's form.
func (k ContractKey) ID() string { return strings.ToUpper(hex.EncodeToString(k[:])) }

// ParseContractID is the inverse of ID.
func ParseContractID(text string) (k ContractKey, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(k) || strings.ToUpper(text) != text {
		return k, false
	}
	return ContractKey(raw), true
}

// Contract is a merchant's PIN-free contract with a payer. Whether it holds is
// said by the agreement that it stands on, and by nothing here.
type Contract struct {
	ContractName
	OpenID    string // of the payer whom the merchant named; empty: whoever signs
	Shown     string // the payer's account at the merchant
	OutUser   string // the merchant's own name for the payer
	Notify    []byte // sealed
	CreatedAt time.Time

	Session      []byte // digest of the signing page's token; empty: there is no page
	SessionUntil time.Time
	Tries        int // at the page

	Payer     mianmi.PayerID // empty until it is signed, as all below
	Agreement mianmi.AgreementID
	OpenedAt  time.Time // which opening of it
	SignedAt  time.Time
	EndedAt   time.Time // that opening was closed
	EndedBy   string    // mianmi.Actor.String()
	Remark    string    // of a merchant that ended it
}

// SignPath leads the paths of pages at which contracts are signed; a token follows.
const SignPath = "/wechat/sign/"

const (
	// contractLife is how long a payer may take to sign, as at WeChat Pay.
	contractLife = 2 * time.Hour
	// contractTriesMax bounds what may be tried at one page: more than anybody
	// mistypes, too few to go through people's numbers.
	contractTriesMax = 10
	// contractsMax bounds the contracts of one opening: each is told of its end.
	contractsMax = 20
)

// ContractStore is what is kept of contracts.
type ContractStore interface {
	// PutContract writes a contract, or gives one that nobody has signed a new
	// session. One that was signed is the Conflict "contract_code_used".
	PutContract(ctx context.Context, c Contract) error
	WechatContract(ctx context.Context, k ContractKey) (Contract, error)
	// TryContract counts a try at the page of the session. NotFound: the session
	// is another, is over at now, or has had most tries.
	TryContract(ctx context.Context, k ContractKey, session []byte, now time.Time, most int) error
	// LeaveContract ends a session that was not used to sign.
	LeaveContract(ctx context.Context, k ContractKey, session []byte) error
	// ChangeContract is payer.Store.ChangeAgreement with a contract, locked after
	// the payer, and what is to be told of it, in one transaction.
	ChangeContract(ctx context.Context, k ContractKey, id mianmi.PayerID, fn func(*ContractChange) error) error
	// WechatContracts are those that stand on one opening of an agreement.
	WechatContracts(ctx context.Context, id mianmi.PayerID, a mianmi.AgreementID, opened time.Time, most int) ([]Contract, error)
	// Agreement is the one of payer and merchant; NotFound: there is none.
	Agreement(ctx context.Context, id mianmi.PayerID, m mianmi.MerchantID) (payer.Agreement, error)
}

// ContractChange is a contract under change. What fn leaves in it is written.
type ContractChange struct {
	*Contract
	Payer     *payer.Change
	Agreement *payer.Agreement
	// Siblings are contracts of the same opening, as it was before.
	Siblings int
	// Tell is the queue in which the news of the signature waits; empty: none.
	Tell mianmi.WebhookID
}

// Payers is what this package asks of payer.Service.
type Payers interface {
	SignAgreement(ctx context.Context, phone string, in payer.AgreementInput, tx payer.AgreementTx) (mianmi.PayerID, payer.Agreement, error)
	EndAgreement(ctx context.Context, actor mianmi.Actor, id mianmi.PayerID, m mianmi.MerchantID, tx payer.AgreementTx) (payer.Agreement, error)
	Consent() payer.Document
}

// NewContract asks for a contract that a payer is to sign.
type NewContract struct {
	Family    Family
	Service   string
	Code      string
	OpenID    string // empty: whoever signs
	Shown     string
	OutUser   string
	NotifyURL string
}

// ErrContractUsed says that a code was signed before: it is good for one contract.
var ErrContractUsed = mianmi.Conflicts("contract_code_used", "this out_contract_code was signed before, and is not signed again: use a new one")

// PreSign opens a session in which a payer signs a contract, and returns the
// token of its page. A repeat opens another; the one before is over.
func (s *Service) PreSign(ctx context.Context, c *Caller, n NewContract) (string, error) {
	k := Contract{ContractName: ContractName{Merchant: c.Merchant, Family: n.Family, Service: n.Service, Code: n.Code},
		OpenID: n.OpenID, Shown: n.Shown, OutUser: n.OutUser, CreatedAt: s.now()}
	if !c.Scopes.Has(mianmi.ScopePay) {
		return "", mianmi.Forbidden("not_allowed", "this caller may not take payments")
	}
	var err error
	if k.Notify, err = s.sealNotify(c.Merchant, n.NotifyURL); err != nil {
		return "", err
	}
	key := k.Key()
	token := make([]byte, 2*len(key))
	copy(token, key[:])
	if _, err := io.ReadFull(s.Random, token[len(key):]); err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(token)
	k.Session, k.SessionUntil = s.session(text), k.CreatedAt.Add(contractLife)
	return text, s.Store.PutContract(ctx, k)
}

// session is the digest of a page's token.
func (s *Service) session(token string) []byte { return s.Keys.Digest(forSession, token) }

// keyOf is the contract that a page's token is for.
func keyOf(token string) (k ContractKey, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*len(k) {
		return k, false
	}
	return ContractKey(raw[:len(k)]), true
}

// States of a contract in WeChat Pay's form.
const (
	ContractUnsigned   = "UNSIGNED"
	ContractSigned     = "SIGNED"
	ContractTerminated = "TERMINATED"
)

// FindContract is a contract with how it stands.
func (s *Service) FindContract(ctx context.Context, c *Caller, n ContractName) (ContractView, error) {
	n.Merchant = c.Merchant
	k, state, err := s.standing(ctx, n.Key())
	if err != nil {
		return ContractView{}, err
	}
	return s.ViewContract(&c.Identity, &k, state), nil
}

// standing reads a contract and how it stands: signed while its agreement is
// open, and is open since before it was signed.
func (s *Service) standing(ctx context.Context, key ContractKey) (Contract, string, error) {
	k, err := s.Store.WechatContract(ctx, key)
	switch {
	case err != nil:
		return k, "", err
	case k.SignedAt.IsZero():
		return k, ContractUnsigned, nil
	case !k.EndedAt.IsZero():
		return k, ContractTerminated, nil
	}
	a, err := s.Store.Agreement(ctx, k.Payer, k.Merchant)
	if err != nil {
		return k, "", err
	}
	if k.StandsOn(&a) {
		return k, ContractSigned, nil
	}
	k, err = s.Store.WechatContract(ctx, key) // it was ended between
	return k, ContractTerminated, err
}

// StandsOn reports whether the agreement is open, by the opening that the
// contract was signed under.
func (c *Contract) StandsOn(a *payer.Agreement) bool {
	return !c.SignedAt.IsZero() && a.Open && a.ID == c.Agreement && a.OpenedAt.Equal(c.OpenedAt)
}

// errUnsigned says that there is nothing to end, or to charge under.
var errUnsigned = mianmi.Conflicts("contract_unsigned", "this contract is not signed")

// NewDebit asks for a charge under a contract.
type NewDebit struct {
	No        string
	Contract  string // its number
	Amount    money.Amount
	Attach    string
	NotifyURL string
	Fault     Fault
}

// Debit charges a payer under a contract, as mianmi decides: at once, after the
// payer has typed the password on the phone, or not at all. A repeat of the same
// request gets the same payment, also when the contract has ended since; with a
// contract that has ended nothing is begun.
func (s *Service) Debit(ctx context.Context, c *Caller, n NewDebit) (*payment.Payment, error) {
	key, ok := ParseContractID(n.Contract)
	if !ok {
		return nil, mianmi.Missing("contract")
	}
	k, err := s.Store.WechatContract(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case k.Merchant != c.Merchant:
		return nil, mianmi.Missing("contract")
	case k.SignedAt.IsZero():
		return nil, errUnsigned
	}
	o, err := s.put(ctx, c, Debit, &NewOrder{No: n.No, Amount: n.Amount, Attach: n.Attach, NotifyURL: n.NotifyURL, Fault: n.Fault})
	if err != nil {
		return nil, err
	}
	return s.Payments.Authorize(ctx, c.Actor, payment.Request{Terminal: o.Terminal, OrderNo: o.No, Amount: o.Amount, Method: pinfree.MandateDebit,
		Mandate: &payment.Mandate{Payer: k.Payer, Agreement: k.Agreement, OpenedAt: k.OpenedAt, Reference: n.Contract}})
}

// EndContract closes the agreement that a contract stands on, at once. A second
// call changes nothing.
func (s *Service) EndContract(ctx context.Context, c *Caller, n ContractName, remark string) error {
	n.Merchant = c.Merchant
	k, state, err := s.standing(ctx, n.Key())
	switch {
	case err != nil || state == ContractTerminated:
		return err
	case state == ContractUnsigned:
		return errUnsigned
	}
	_, err = s.Payers.EndAgreement(ctx, c.Actor, k.Payer, k.Merchant,
		func(ctx context.Context, id mianmi.PayerID, _ mianmi.MerchantID, fn func(*payer.Change, *payer.Agreement) error) error {
			return s.Store.ChangeContract(ctx, n.Key(), id, func(x *ContractChange) error {
				if !x.StandsOn(x.Agreement) {
					return nil // ended between, and perhaps opened again for something else
				}
				x.Remark = remark
				return fn(x.Payer, x.Agreement)
			})
		})
	return err
}
