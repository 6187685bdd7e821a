package wechat

import (
	"context"
	"crypto/subtle"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
)

// Signing is what the page of a contract shows.
type Signing struct {
	Merchant string // its name
	Shown    string // the payer's account there
	Family   Family
	Consent  payer.Document
	// Signed: the page has done its work; PerPayment is what was agreed.
	Signed     bool
	PerPayment *int64 // fen; nil: no limit of the agreement's own
}

// errNoSession is one answer for all pages that there are not: their time is
// over, they were left, another one has taken their place.
var errNoSession = mianmi.Missing("signing session")

// Signing is what the page of the token shows.
func (s *Service) Signing(ctx context.Context, token string) (Signing, error) {
	k, err := s.open(ctx, token)
	if err != nil {
		return Signing{}, err
	}
	i, err := s.Store.WechatIdentity(ctx, k.Merchant)
	if err != nil {
		return Signing{}, err
	}
	snap, err := s.Store.Settings(ctx)
	if err != nil {
		return Signing{}, err
	}
	out := Signing{Shown: k.Shown, Family: k.Family, Consent: s.Payers.Consent()}
	if site, ok := snap.Site(i.Terminal); ok {
		out.Merchant = site.Merchant.Name
	}
	if k.SignedAt.IsZero() {
		return out, nil
	}
	a, err := s.Store.Agreement(ctx, k.Payer, k.Merchant)
	if err == nil && !k.StandsOn(&a) {
		err = errNoSession
	}
	out.Signed, out.PerPayment = true, a.PerPayment
	return out, err
}

// open finds the contract whose page the token is for.
func (s *Service) open(ctx context.Context, token string) (Contract, error) {
	key, ok := keyOf(token)
	if !ok {
		return Contract{}, errNoSession
	}
	k, err := s.Store.WechatContract(ctx, key)
	switch {
	case mianmi.KindOf(err) == mianmi.NotFound:
		return k, errNoSession
	case err != nil:
		return k, err
	case !s.now().Before(k.SessionUntil), subtle.ConstantTimeCompare(k.Session, s.session(token)) != 1:
		return k, errNoSession
	}
	return k, nil
}

// ContractConsent is what a payer types at the page.
type ContractConsent struct {
	Phone, Password string
	ConsentVersion  string
	PerPayment      *int64 // fen; nil: no limit of the agreement's own
}

var (
	errOtherPayer    = mianmi.Forbidden("other_payer", "this contract is for another payer's account")
	errCurrency      = mianmi.Conflicts("currency", "contracts are in CNY, and this wallet is not")
	errManyContracts = mianmi.Conflicts("too_many", "there are as many contracts with this merchant as there may be")
)

// SignContract signs the contract of the page: agreement, contract and the news
// of it are one transaction. The page is good for one signature.
func (s *Service) SignContract(ctx context.Context, token string, g ContractConsent) error {
	k, err := s.open(ctx, token)
	if err != nil {
		return err
	}
	i, err := s.Store.WechatIdentity(ctx, k.Merchant)
	if err != nil {
		return err
	}
	if err := s.Store.TryContract(ctx, k.Key(), k.Session, s.now(), contractTriesMax); err != nil {
		return err
	}
	in := payer.AgreementInput{Merchant: k.Merchant, PerPayment: g.PerPayment, ConsentVersion: g.ConsentVersion, Password: g.Password}
	_, _, err = s.Payers.SignAgreement(ctx, g.Phone, in,
		func(ctx context.Context, id mianmi.PayerID, _ mianmi.MerchantID, fn func(*payer.Change, *payer.Agreement) error) error {
			if k.OpenID != "" && k.OpenID != s.OpenID(i.AppID, id) {
				return errOtherPayer
			}
			return s.Store.ChangeContract(ctx, k.Key(), id, func(x *ContractChange) error {
				switch {
				case !x.SignedAt.IsZero(), subtle.ConstantTimeCompare(x.Session, k.Session) != 1:
					return errNoSession
				case x.Payer.Payer.Settings.Currency != "CNY":
					return errCurrency
				case x.Agreement.Open && x.Siblings >= contractsMax:
					return errManyContracts
				}
				if err := fn(x.Payer, x.Agreement); err != nil {
					return err
				}
				x.Contract.Payer, x.Contract.Agreement, x.OpenedAt = id, x.Agreement.ID, x.Agreement.OpenedAt
				x.SignedAt, x.Tell = s.now(), i.Webhook
				return nil
			})
		})
	return err
}

// RefuseContract ends the page without a signature. Nobody is told, as at WeChat Pay.
func (s *Service) RefuseContract(ctx context.Context, token string) error {
	k, err := s.open(ctx, token)
	if err != nil || !k.SignedAt.IsZero() {
		return err
	}
	return s.Store.LeaveContract(ctx, k.Key(), k.Session)
}
