package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// PayerInput names the payer in the path.
type PayerInput struct {
	Payer string `path:"payer" doc:"py…, or me for the payer who is logged in"`
}

func (in *PayerInput) id(a mianmi.Actor) (mianmi.PayerID, error) { return payerID(a, in.Payer) }

// payerID reads "me" as the payer who is calling.
func payerID(a mianmi.Actor, text string) (mianmi.PayerID, error) {
	if text != "me" {
		return mianmi.PayerID(text), nil
	}
	if a.Role != mianmi.RolePayer {
		return "", mianmi.InvalidField("payer", "only a payer is me here: give the identifier")
	}
	return mianmi.PayerID(a.ID), nil
}

func (s *Server) registerPayers() {
	seen := only(readers...).and(mianmi.RolePayer).keys(mianmi.ScopePayers)
	makes := only(mianmi.RoleOperator).keys(mianmi.ScopePayers)
	add(s, route{method: "POST", path: "/v1/payers", name: "createPayer", tag: "payers", status: 201, repeat: firstAnswer, may: makes,
		summary: "Create a payer", about: "PIN-free payment is off unless pin_free says so, with the current risk text accepted."}, s.createPayer)
	add(s, route{method: "GET", path: "/v1/payers/{payer}", name: "payer", tag: "payers", may: seen,
		summary: "Show a payer", about: "Settings, PIN-free status as a sentence, balance. The phone number is whole for the payer alone."}, s.payer)
	add(s, route{method: "POST", path: "/v1/payer-searches", name: "findPayer", tag: "payers", may: only(ownPeople...).keys(mianmi.ScopePayers),
		summary: "Find a payer by phone number", about: "A POST, so that the number stays out of logs."}, s.findPayer)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/entries", name: "payerEntries", tag: "payers", may: seen,
		summary: "The record of a payer", about: "Who changed what, when, oldest first."}, s.payerEntries)
	add(s, route{method: "POST", path: "/v1/payers/{payer}/instruments", name: "addInstrument", tag: "payers", status: 201, repeat: firstAnswer, may: makes,
		summary: "Issue a token for a card or device", about: "There is no place for a card number: the last four digits are all that is kept."}, s.addInstrument)
	add(s, route{method: "GET", path: "/v1/payers/{payer}/instruments", name: "instruments", tag: "payers", may: seen,
		summary: "List cards and devices", about: "At most 50."}, s.instruments)
	add(s, route{method: "POST", path: "/v1/payers/{payer}/codes", name: "issueCode", tag: "payers", status: 201,
		may: only(mianmi.RolePayer).keys(mianmi.ScopePayers), summary: "Issue a payment code",
		about: "18 digits for one payment, for a minute. Whoever has them can pay: never write them to a log. Each request issues a new one."}, s.issueCode)
}

// NewPayer is a payer to be created.
type NewPayer struct {
	Phone       string `json:"phone" doc:"E.164" example:"+8613800000000"`
	Name        string `json:"name"`
	Lang        string `json:"lang,omitzero" enum:"zh,en" doc:"Default zh"`
	Currency    string `json:"currency,omitzero" doc:"Default CNY"`
	Password    string `json:"password,omitzero" doc:"Six digits; may be set later"`
	PinFree     bool   `json:"pin_free,omitzero" doc:"Open PIN-free payment from the start"`
	RiskVersion string `json:"risk_version,omitzero" doc:"With pin_free: the risk text that the payer has accepted"`
}

// Payer is a payer as the caller may see them.
type Payer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Phone   string `json:"phone" doc:"Whole for the payer, else the last four digits"`
	Lang    string `json:"lang" enum:"zh,en"`
	Balance Amount `json:"balance"`
	Status  Status `json:"status"`
}

// PayerOutput is one payer.
type PayerOutput struct{ Body Payer }

var langNames = [...]string{mianmi.ZH: "zh", mianmi.EN: "en"}

func showPayer(v payer.View) Payer {
	return Payer{ID: string(v.Status.Payer), Name: v.Name, Phone: v.Phone, Lang: langNames[min(int(v.Lang), len(langNames)-1)],
		Balance: amountOf(v.Balance), Status: showStatus(v.Status)}
}

func (s *Server) createPayer(ctx context.Context, a mianmi.Actor, in *struct{ Body NewPayer }) (*PayerOutput, error) {
	b := in.Body
	v, err := s.Payers.Create(ctx, a, payer.NewPayer{Phone: b.Phone, Name: b.Name, Lang: mianmi.ParseLang(b.Lang), Currency: money.Currency(b.Currency),
		Password: b.Password, PinFree: b.PinFree, RiskVersion: b.RiskVersion})
	if err != nil {
		return nil, err
	}
	return &PayerOutput{showPayer(v)}, nil
}

func (s *Server) payer(ctx context.Context, a mianmi.Actor, in *PayerInput) (*PayerOutput, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	v, err := s.Payers.Show(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return &PayerOutput{showPayer(v)}, nil
}

// PhoneBody names a phone number.
type PhoneBody struct {
	Phone string `json:"phone" doc:"E.164"`
}

// Found is an identifier.
type Found struct {
	ID string `json:"id"`
}

func (s *Server) findPayer(ctx context.Context, a mianmi.Actor, in *struct{ Body PhoneBody }) (*struct{ Body Found }, error) {
	id, err := s.Payers.FindByPhone(ctx, a, in.Body.Phone)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Found }{Found{string(id)}}, nil
}

// Entry is one fact of the record.
type Entry struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	Type    string          `json:"type" example:"payer.pin_free.closed"`
	Subject string          `json:"subject"`
	Actor   string          `json:"actor" example:"payer:py…"`
	Body    json.RawMessage `json:"body" doc:"As it was stored; its members depend on the type"`
}

func (s *Server) payerEntries(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	PageInput
}) (*struct{ Body List[Entry] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	list, err := s.Payers.History(ctx, a, id, payer.EntryQuery{After: mianmi.EntryID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	show := func(e *evidence.Entry) Entry {
		return Entry{ID: string(e.ID), At: e.At, Type: e.Type, Subject: e.Subject, Actor: e.Actor, Body: e.Body}
	}
	return listOf(list, in.Limit, show, func(e *evidence.Entry) string { return string(e.ID) }), nil
}

// NewInstrument is a card or device that gets a token.
type NewInstrument struct {
	Scheme   string `json:"scheme" example:"unionpay"`
	Kind     string `json:"kind,omitzero" enum:"debit,credit,quasi_credit,prepaid"`
	Domestic bool   `json:"domestic,omitzero" doc:"Issued in the country of the terminals"`
	Issuer   string `json:"issuer,omitzero" doc:"Who issued it, a short name in lower case. Left out: not known, and rules of one issuer hold for it too" example:"icbc"`
	Last4    string `json:"last4,omitzero" doc:"The last four digits, never the number"`
}

// Instrument is a card or device known by a token.
type Instrument struct {
	ID        string    `json:"id" doc:"The token"`
	Scheme    string    `json:"scheme"`
	Kind      string    `json:"kind,omitzero"`
	Domestic  bool      `json:"domestic"`
	Issuer    string    `json:"issuer,omitzero"`
	Last4     string    `json:"last4,omitzero"`
	CreatedAt time.Time `json:"created_at"`
}

func showInstrument(i *payer.Instrument) Instrument {
	return Instrument{ID: string(i.ID), Scheme: i.Scheme, Kind: i.Kind, Domestic: i.Domestic, Issuer: i.Issuer, Last4: i.Last4, CreatedAt: i.CreatedAt}
}

func (s *Server) addInstrument(ctx context.Context, a mianmi.Actor, in *struct {
	PayerInput
	Body NewInstrument
}) (*struct{ Body Instrument }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	b := in.Body
	i, err := s.Payers.AddInstrument(ctx, a, id, payer.NewInstrument{Scheme: b.Scheme, Kind: b.Kind, Domestic: b.Domestic, Issuer: b.Issuer, Last4: b.Last4})
	if err != nil {
		return nil, err
	}
	return &struct{ Body Instrument }{showInstrument(&i)}, nil
}

func (s *Server) instruments(ctx context.Context, a mianmi.Actor, in *PayerInput) (*struct{ Body List[Instrument] }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	list, err := s.Payers.Instruments(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return listOf(list, len(list)+1, showInstrument, nil), nil
}

// Code is a payment code.
type Code struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Server) issueCode(ctx context.Context, a mianmi.Actor, in *PayerInput) (*struct{ Body Code }, error) {
	id, err := in.id(a)
	if err != nil {
		return nil, err
	}
	c, err := s.Payers.IssueCode(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Code }{Code{Code: c.Digits, ExpiresAt: c.ExpiresAt}}, nil
}
