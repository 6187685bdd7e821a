package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

// Facts are what its acquirer says of a merchant.
type Facts struct {
	Country           string `json:"country"`
	MCC               uint16 `json:"mcc,omitzero"`
	NoPIN             bool   `json:"no_pin,omitzero"`
	Upgraded          bool   `json:"upgraded,omitzero"`
	AgreementRequired bool   `json:"agreement_required,omitzero"`
	Risk              string `json:"risk,omitzero"` // low, elevated or high
}

// Merchant is a business that takes payments.
type Merchant struct {
	ID        mianmi.MerchantID `json:"id"`
	Name      string            `json:"name"`
	Currency  money.Currency    `json:"currency"`
	Facts     Facts             `json:"facts"`
	Version   int64             `json:"version"`
	CreatedAt time.Time         `json:"created_at"`
}

// NewMerchant is a merchant to be created.
type NewMerchant struct {
	Name     string         `json:"name"`
	Currency money.Currency `json:"currency"`
	Facts    Facts          `json:"facts"`
}

// CreateMerchant creates a merchant, with PIN-free off.
func (c *Client) CreateMerchant(ctx context.Context, n NewMerchant) (Merchant, error) {
	return call[Merchant](ctx, c, http.MethodPost, "/v1/merchants", n)
}

// Merchants lists merchants.
func (c *Client) Merchants(ctx context.Context, p Page) (List[Merchant], error) {
	return call[List[Merchant]](ctx, c, http.MethodGet, "/v1/merchants"+p.query(), nil)
}

// Merchant shows a merchant.
func (c *Client) Merchant(ctx context.Context, id mianmi.MerchantID) (Merchant, error) {
	return call[Merchant](ctx, c, http.MethodGet, "/v1/merchants/"+seg(id), nil)
}

// RenameMerchant changes the name that payers read.
func (c *Client) RenameMerchant(ctx context.Context, id mianmi.MerchantID, name string) (Merchant, error) {
	return call[Merchant](ctx, c, http.MethodPatch, "/v1/merchants/"+seg(id), map[string]string{"name": name})
}

// FactsResult is what became of a change of facts.
type FactsResult struct {
	Merchant Merchant  `json:"merchant"`
	Proposal *Approval `json:"proposal"`
}

// SetFacts changes what the acquirer says of a merchant.
func (c *Client) SetFacts(ctx context.Context, id mianmi.MerchantID, f Facts) (FactsResult, error) {
	return call[FactsResult](ctx, c, http.MethodPut, "/v1/merchants/"+seg(id)+"/facts", f)
}

// Store is one place of a merchant.
type Store struct {
	ID          mianmi.StoreID    `json:"id"`
	Merchant    mianmi.MerchantID `json:"merchant"`
	Name        string            `json:"name"`
	Address     string            `json:"address"`
	Coordinates *Coordinates      `json:"coordinates"`
	CreatedAt   time.Time         `json:"created_at"`
}

// Coordinates are WGS 84 degrees times a million.
type Coordinates struct {
	LatE6 int32 `json:"lat_e6"`
	LonE6 int32 `json:"lon_e6"`
}

// NewStore is what can be said of a store.
type NewStore struct {
	Name        string       `json:"name"`
	Address     string       `json:"address,omitzero"`
	Coordinates *Coordinates `json:"coordinates,omitzero"`
}

// CreateStore adds a store.
func (c *Client) CreateStore(ctx context.Context, m mianmi.MerchantID, n NewStore) (Store, error) {
	return call[Store](ctx, c, http.MethodPost, "/v1/merchants/"+seg(m)+"/stores", n)
}

// Stores lists a merchant's stores.
func (c *Client) Stores(ctx context.Context, m mianmi.MerchantID, p Page) (List[Store], error) {
	return call[List[Store]](ctx, c, http.MethodGet, "/v1/merchants/"+seg(m)+"/stores"+p.query(), nil)
}

// Store shows a store.
func (c *Client) Store(ctx context.Context, id mianmi.StoreID) (Store, error) {
	return call[Store](ctx, c, http.MethodGet, "/v1/stores/"+seg(id), nil)
}

// ChangeStore replaces name, address and coordinates.
func (c *Client) ChangeStore(ctx context.Context, id mianmi.StoreID, n NewStore) (Store, error) {
	return call[Store](ctx, c, http.MethodPut, "/v1/stores/"+seg(id), n)
}

// NewModel is a kind of terminal.
type NewModel struct {
	Name    string   `json:"name"`
	Keypad  bool     `json:"keypad,omitzero"`
	Display bool     `json:"display,omitzero"`
	Reboot  bool     `json:"reboot,omitzero"` // runs a setting from the next boot on
	Proof   string   `json:"proof,omitzero"`  // "attestation" when empty, or "host": its terminals prove nothing
	Methods []string `json:"methods"`
}

// Model is a kind of terminal.
type Model struct {
	ID        mianmi.ModelID `json:"id"`
	Name      string         `json:"name"`
	Keypad    bool           `json:"keypad"`
	Display   bool           `json:"display"`
	Reboot    bool           `json:"reboot"`
	Proof     string         `json:"proof"` // "attestation" or "host"
	Methods   []string       `json:"methods"`
	CreatedAt time.Time      `json:"created_at"`
}

// CreateModel creates a model.
func (c *Client) CreateModel(ctx context.Context, n NewModel) (Model, error) {
	return call[Model](ctx, c, http.MethodPost, "/v1/models", n)
}

// Models lists models.
func (c *Client) Models(ctx context.Context, p Page) (List[Model], error) {
	return call[List[Model]](ctx, c, http.MethodGet, "/v1/models"+p.query(), nil)
}

// NewTerminal is a terminal to be added.
type NewTerminal struct {
	Name       string         `json:"name"`
	Model      mianmi.ModelID `json:"model"`
	Unattended bool           `json:"unattended,omitzero"`
	Purpose    string         `json:"purpose,omitzero"`
}

// Terminal is one machine in a store.
type Terminal struct {
	ID         mianmi.TerminalID `json:"id"`
	Name       string            `json:"name"`
	Store      mianmi.StoreID    `json:"store"`
	Merchant   mianmi.MerchantID `json:"merchant"`
	Model      mianmi.ModelID    `json:"model"`
	Unattended bool              `json:"unattended"`
	Purpose    string            `json:"purpose"`
	CreatedAt  time.Time         `json:"created_at"`
}

// CreateTerminal adds a terminal to a store.
func (c *Client) CreateTerminal(ctx context.Context, st mianmi.StoreID, n NewTerminal) (Terminal, error) {
	return call[Terminal](ctx, c, http.MethodPost, "/v1/stores/"+seg(st)+"/terminals", n)
}

// StoreTerminals lists the terminals of a store.
func (c *Client) StoreTerminals(ctx context.Context, st mianmi.StoreID, p Page) (List[Terminal], error) {
	return call[List[Terminal]](ctx, c, http.MethodGet, "/v1/stores/"+seg(st)+"/terminals"+p.query(), nil)
}

// Terminals lists the terminals of a merchant.
func (c *Client) Terminals(ctx context.Context, m mianmi.MerchantID, p Page) (List[Terminal], error) {
	return call[List[Terminal]](ctx, c, http.MethodGet, "/v1/merchants/"+seg(m)+"/terminals"+p.query(), nil)
}

// Terminal shows a terminal.
func (c *Client) Terminal(ctx context.Context, id mianmi.TerminalID) (Terminal, error) {
	return call[Terminal](ctx, c, http.MethodGet, "/v1/terminals/"+seg(id), nil)
}

// RenameTerminal changes the name that people read.
func (c *Client) RenameTerminal(ctx context.Context, id mianmi.TerminalID, name string) (Terminal, error) {
	return call[Terminal](ctx, c, http.MethodPatch, "/v1/terminals/"+seg(id), map[string]string{"name": name})
}

// MoveTerminal puts a terminal into another store of its merchant.
func (c *Client) MoveTerminal(ctx context.Context, id mianmi.TerminalID, to mianmi.StoreID) (Terminal, error) {
	return call[Terminal](ctx, c, http.MethodPost, "/v1/terminals/"+seg(id)+"/move", map[string]mianmi.StoreID{"store": to})
}
