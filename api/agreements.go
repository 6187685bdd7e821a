package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// NewAgreement is a consent to PIN-free charges by one merchant.
type NewAgreement struct {
	Merchant       string  `json:"merchant"`
	PerPayment     *Amount `json:"per_payment,omitzero" doc:"Left out: no limit of its own"`
	ConsentVersion string  `json:"consent_version" doc:"Of the consent text that the payer has accepted"`
	Password       string  `json:"password"`
}

// Agreement is a payer's agreement with a merchant.
type Agreement struct {
	ID             string     `json:"id"`
	Merchant       string     `json:"merchant"`
	Open           bool       `json:"open"`
	PerPayment     *Amount    `json:"per_payment,omitzero"`
	ConsentVersion string     `json:"consent_version"`
	Version        int64      `json:"version"`
	OpenedAt       time.Time  `json:"opened_at"`
	ClosedAt       *time.Time `json:"closed_at,omitzero"`
	Sentence       Text       `json:"sentence" doc:"How it stands: closed here may be not yet confirmed by a payment system at which the payer has signed, too"`
	Contracts      []Contract `json:"contracts,omitzero" doc:"Those at payment systems, newest first"`
}

// AgreementOutput is one agreement.
type AgreementOutput struct{ Body Agreement }

// showAgreement shows an agreement with those of the payer's contracts that are its own.
func (s *Server) showAgreement(g *payer.Agreement, c money.Currency, contracts []contract.Contract) Agreement {
	now := s.Contracts.Now()
	var own []Contract
	for i := range contracts {
		if contracts[i].Agreement == g.ID {
			own = append(own, showContract(&contracts[i], now))
		}
	}
	return Agreement{Sentence: textOf(contract.Sentence(g, contracts, now)), Contracts: own, ID: string(g.ID), Merchant: string(g.Merchant), Open: g.Open, PerPayment: amountOrNone(g.PerPayment, c),
		ConsentVersion: g.ConsentVersion, Version: g.Version, OpenedAt: g.OpenedAt.UTC(), ClosedAt: timeOrNone(g.ClosedAt)}
}

func (s *Server) agreements(ctx context.Context, a mianmi.Actor, in *PayerInput) (*struct{ Body List[Agreement] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	currency, err := s.currencyOf(ctx, a, id)
	if err != nil {
		return nil, err
	}
	list, err := s.Payers.Agreements(ctx, a, id)
	if err != nil {
		return nil, err
	}
	contracts, err := s.Contracts.OfPayer(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return listOf(list, len(list)+1, func(g *payer.Agreement) Agreement { return s.showAgreement(g, currency, contracts) }, nil), nil
}

func (s *Server) openAgreement(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body NewAgreement
}) (*AgreementOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	currency, err := s.currencyOf(ctx, a, id)
	if err != nil {
		return nil, err
	}
	per, err := minorIn("per_payment", in.Body.PerPayment, currency)
	if err != nil {
		return nil, err
	}
	g, err := s.Payers.OpenAgreement(ctx, a, id, payer.AgreementInput{Merchant: mianmi.MerchantID(in.Body.Merchant), PerPayment: per,
		ConsentVersion: in.Body.ConsentVersion, Password: in.Body.Password})
	if err != nil {
		return nil, err
	}
	return s.agreementOutput(ctx, a, &g, currency)
}

// agreementOutput is an agreement that was changed.
func (s *Server) agreementOutput(ctx context.Context, a mianmi.Actor, g *payer.Agreement, c money.Currency) (*AgreementOutput, error) {
	contracts, err := s.Contracts.OfPayer(ctx, a, g.Payer)
	if err != nil {
		return nil, err
	}
	return &AgreementOutput{s.showAgreement(g, c, contracts)}, nil
}

func (s *Server) closeAgreement(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Agreement string `path:"agreement"`
}) (*AgreementOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	g, err := s.Payers.CloseAgreement(ctx, a, id, mianmi.AgreementID(in.Agreement))
	if err != nil {
		return nil, err
	}
	// The agreement has ended: what follows is for the answer alone.
	currency, err := s.currencyOf(ctx, a, id)
	if err != nil {
		g.PerPayment = nil
	}
	return s.agreementOutput(ctx, a, &g, currency)
}

// Document is a text that payers accept.
type Document struct {
	Version string `json:"version"`
	Text    Text   `json:"text"`
}

// Texts are the texts that payers accept.
type Texts struct {
	Risk    Document `json:"risk"`
	Consent Document `json:"consent"`
}

func (s *Server) texts(context.Context, mianmi.Actor, *struct{}) (*struct{ Body Texts }, error) {
	doc := func(d payer.Document) Document { return Document{Version: d.Version, Text: textOf(d.Text)} }
	return &struct{ Body Texts }{Texts{Risk: doc(s.Payers.Risk()), Consent: doc(s.Payers.Consent())}}, nil
}
