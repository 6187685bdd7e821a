package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
)

func (s *Server) registerMerchants() {
	sees := only(readers...).and(mianmi.RoleMerchantAdmin).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopeTighten)
	inShop := sees.and(mianmi.RoleCashier, mianmi.RoleStoreManager)
	add(s, route{method: "POST", path: "/v1/merchants", name: "createMerchant", tag: "merchants", status: 201, repeat: firstAnswer, may: only(mianmi.RoleOperator),
		summary: "Create a merchant", about: "PIN-free payment is off until two persons open it."}, s.createMerchant)
	add(s, route{method: "GET", path: "/v1/merchants", name: "merchants", tag: "merchants", may: only(readers...), summary: "List merchants", about: "In the order of their identifiers."}, s.merchants)
	add(s, route{method: "GET", path: "/v1/merchants/{merchant}", name: "merchant", tag: "merchants", may: inShop, summary: "Show a merchant", about: "Its staff and software, and mianmi's own people."}, s.merchant)
	add(s, route{method: "PATCH", path: "/v1/merchants/{merchant}", name: "renameMerchant", tag: "merchants", may: only(mianmi.RoleMerchantAdmin, mianmi.RoleOperator),
		summary: "Rename a merchant", about: "The name that payers read."}, s.renameMerchant)
	add(s, route{method: "PUT", path: "/v1/merchants/{merchant}/facts", name: "setMerchantFacts", tag: "merchants", may: only(mianmi.RoleOperator),
		summary: "Change what the acquirer says of a merchant", about: "What can only forbid is in force at once; the rest is proposed and waits for a second person."}, s.setFacts)
	add(s, route{method: "POST", path: "/v1/merchants/{merchant}/stores", name: "createStore", tag: "merchants", status: 201, repeat: firstAnswer,
		may: only(mianmi.RoleMerchantAdmin, mianmi.RoleOperator).keys(mianmi.ScopeManage), summary: "Add a store", about: "With the name and address that payers read."}, s.createStore)
	add(s, route{method: "GET", path: "/v1/merchants/{merchant}/stores", name: "stores", tag: "merchants", may: inShop, summary: "List a merchant's stores", about: "Staff of one store see that one."}, s.stores)
	add(s, route{method: "GET", path: "/v1/stores/{store}", name: "store", tag: "merchants", may: inShop, summary: "Show a store", about: "Name, address, coordinates."}, s.store)
	add(s, route{method: "PUT", path: "/v1/stores/{store}", name: "changeStore", tag: "merchants",
		may: only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleOperator).keys(mianmi.ScopeManage), summary: "Change a store", about: "Name, address and coordinates, all of them."}, s.changeStore)
}

// Facts are what its acquirer says of a merchant and what rules ask for.
type Facts struct {
	Country           string `json:"country" doc:"ISO 3166 alpha-2" example:"CN"`
	MCC               uint16 `json:"mcc,omitzero" doc:"ISO 18245; 0: unknown" maximum:"9999"`
	NoPIN             bool   `json:"no_pin,omitzero" doc:"Enabled for no PIN and no signature by its acquirer (双免)"`
	Upgraded          bool   `json:"upgraded,omitzero" doc:"Upgraded to the scheme's present limit"`
	AgreementRequired bool   `json:"agreement_required,omitzero" doc:"PIN-free only for payers with an open agreement"`
	Risk              string `json:"risk,omitzero" enum:"low,elevated,high" doc:"Its acquirer's rating (商户风险等级). Left out: not known, which rules take for the worst"`
}

// NewMerchant is a merchant to be created.
type NewMerchant struct {
	Name     string `json:"name"`
	Currency string `json:"currency" doc:"ISO 4217; it never changes" example:"CNY"`
	Facts    Facts  `json:"facts"`
}

// Merchant is a business that takes payments.
type Merchant struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Currency  string    `json:"currency"`
	Facts     Facts     `json:"facts"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
}

// MerchantOutput is one merchant.
type MerchantOutput struct{ Body Merchant }

func showMerchant(m *merchant.Merchant) Merchant {
	return Merchant{ID: string(m.ID), Name: m.Name, Currency: string(m.Currency), Facts: Facts(m.Facts), Version: m.Version, CreatedAt: m.CreatedAt}
}

func oneMerchant(m merchant.Merchant, err error) (*MerchantOutput, error) {
	if err != nil {
		return nil, err
	}
	return &MerchantOutput{showMerchant(&m)}, nil
}

func (s *Server) createMerchant(ctx context.Context, a mianmi.Actor, in *struct{ Body NewMerchant }) (*MerchantOutput, error) {
	return oneMerchant(s.Merchants.CreateMerchant(ctx, a, merchant.Merchant{Name: in.Body.Name, Currency: money.Currency(in.Body.Currency), Facts: merchant.Facts(in.Body.Facts)}))
}

func (s *Server) merchants(ctx context.Context, a mianmi.Actor, in *PageInput) (*struct{ Body List[Merchant] }, error) {
	list, err := s.Merchants.Merchants(ctx, a, mianmi.MerchantID(in.After), in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showMerchant, func(m *merchant.Merchant) string { return string(m.ID) }), nil
}

type MerchantInput struct {
	Merchant string `path:"merchant" doc:"mc…"`
}

func (s *Server) merchant(ctx context.Context, a mianmi.Actor, in *MerchantInput) (*MerchantOutput, error) {
	return oneMerchant(s.Merchants.Merchant(ctx, a, mianmi.MerchantID(in.Merchant)))
}

// NameBody is a new name.
type NameBody struct {
	Name string `json:"name"`
}

func (s *Server) renameMerchant(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	Body NameBody
}) (*MerchantOutput, error) {
	return oneMerchant(s.Merchants.RenameMerchant(ctx, a, mianmi.MerchantID(in.Merchant), in.Body.Name))
}

// FactsResult is what became of a change of facts.
type FactsResult struct {
	Merchant Merchant  `json:"merchant" doc:"As it is now"`
	Proposal *Approval `json:"proposal,omitzero" doc:"The part that waits for a second person"`
}

func (s *Server) setFacts(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	Body Facts
}) (*struct{ Body FactsResult }, error) {
	m, waits, err := s.Merchants.SetFacts(ctx, a, mianmi.MerchantID(in.Merchant), merchant.Facts(in.Body))
	if err != nil {
		return nil, err
	}
	return &struct{ Body FactsResult }{FactsResult{Merchant: showMerchant(&m), Proposal: showProposal(waits)}}, nil
}

// StoreBody is what can be said of a store.
type StoreBody struct {
	Name        string       `json:"name"`
	Address     string       `json:"address,omitzero"`
	Coordinates *Coordinates `json:"coordinates,omitzero"`
}

// Coordinates are WGS 84 degrees times a million.
type Coordinates struct {
	LatE6 int32 `json:"lat_e6"`
	LonE6 int32 `json:"lon_e6"`
}

// Store is one place of a merchant.
type Store struct {
	ID          string       `json:"id"`
	Merchant    string       `json:"merchant"`
	Name        string       `json:"name"`
	Address     string       `json:"address,omitzero"`
	Coordinates *Coordinates `json:"coordinates,omitzero"`
	CreatedAt   time.Time    `json:"created_at"`
}

// StoreOutput is one store.
type StoreOutput struct{ Body Store }

func showStore(st *merchant.Store) Store {
	return Store{ID: string(st.ID), Merchant: string(st.Merchant), Name: st.Name, Address: st.Address,
		Coordinates: (*Coordinates)(st.Coordinates), CreatedAt: st.CreatedAt}
}

func oneStore(st merchant.Store, err error) (*StoreOutput, error) {
	if err != nil {
		return nil, err
	}
	return &StoreOutput{showStore(&st)}, nil
}

func (b *StoreBody) store() merchant.Store {
	return merchant.Store{Name: b.Name, Address: b.Address, Coordinates: (*merchant.Coordinates)(b.Coordinates)}
}

func (s *Server) createStore(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	Body StoreBody
}) (*StoreOutput, error) {
	st := in.Body.store()
	st.Merchant = mianmi.MerchantID(in.Merchant)
	return oneStore(s.Merchants.CreateStore(ctx, a, st))
}

func (s *Server) stores(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	PageInput
}) (*struct{ Body List[Store] }, error) {
	list, err := s.Merchants.Stores(ctx, a, merchant.StoreQuery{Merchant: mianmi.MerchantID(in.Merchant), After: mianmi.StoreID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showStore, func(st *merchant.Store) string { return string(st.ID) }), nil
}

type StoreInput struct {
	Store string `path:"store" doc:"st…"`
}

func (s *Server) store(ctx context.Context, a mianmi.Actor, in *StoreInput) (*StoreOutput, error) {
	return oneStore(s.Merchants.Store(ctx, a, mianmi.StoreID(in.Store)))
}

func (s *Server) changeStore(ctx context.Context, a mianmi.Actor, in *struct {
	StoreInput
	Body StoreBody
}) (*StoreOutput, error) {
	st := in.Body.store()
	st.ID = mianmi.StoreID(in.Store)
	return oneStore(s.Merchants.ChangeStore(ctx, a, st))
}
