package api

import (
	"context"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/terminal"
)

func (s *Server) registerTerminals() {
	manages := only(mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleOperator).keys(mianmi.ScopeManage)
	sees := only(allStaff...).keys(mianmi.ScopeRead | mianmi.ScopeManage | mianmi.ScopePay | mianmi.ScopeTighten)
	everyKey := only(allStaff...).keys(allScopes)
	add(s, route{method: "POST", path: "/v1/models", name: "createModel", tag: "terminals", status: 201, repeat: firstAnswer, may: only(mianmi.RoleOperator),
		summary: "Create a model of terminal", about: "What its machines can do, and how one knows what they run. Only the name can be changed later: another keypad is another model."}, s.createModel)
	add(s, route{method: "GET", path: "/v1/models", name: "models", tag: "terminals", may: everyKey, summary: "List models", about: "Models belong to no merchant."}, s.models)
	add(s, route{method: "GET", path: "/v1/models/{model}", name: "model", tag: "terminals", may: everyKey, summary: "Show a model", about: "What its machines can do."}, s.model)
	add(s, route{method: "PATCH", path: "/v1/models/{model}", name: "renameModel", tag: "terminals", may: only(mianmi.RoleOperator), summary: "Rename a model", about: "The name that people read."}, s.renameModel)
	add(s, route{method: "POST", path: "/v1/stores/{store}/terminals", name: "createTerminal", tag: "terminals", status: 201, repeat: firstAnswer, may: manages,
		summary: "Add a terminal to a store", about: "Until somebody sets a policy for it, it inherits from its store and model."}, s.createTerminal)
	add(s, route{method: "GET", path: "/v1/stores/{store}/terminals", name: "storeTerminals", tag: "terminals", may: sees, summary: "List the terminals of a store", about: "In the order of their identifiers."}, s.storeTerminals)
	add(s, route{method: "GET", path: "/v1/merchants/{merchant}/terminals", name: "merchantTerminals", tag: "terminals", may: sees, summary: "List the terminals of a merchant", about: "Staff of one store see that store's."}, s.merchantTerminals)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}", name: "terminal", tag: "terminals", may: sees, summary: "Show a terminal", about: "Where it stands and what it is."}, s.terminal)
	add(s, route{method: "GET", path: "/v1/terminals/{terminal}/reader-parameters", name: "readerParameters", tag: "terminals", may: sees, summary: "Compute a terminal's reader parameters",
		about: "The values that its EMV configuration needs by the rules and settings of this moment: reader limits for each scheme's kernel, UnionPay FF8054 to FF805A. A payer of whom no more is asked than of anybody is meant; the others are asked by the host."}, s.readerParameters)
	add(s, route{method: "PATCH", path: "/v1/terminals/{terminal}", name: "renameTerminal", tag: "terminals", may: manages, summary: "Rename a terminal", about: "The name that payers and cashiers read."}, s.renameTerminal)
	add(s, route{method: "POST", path: "/v1/terminals/{terminal}/move", name: "moveTerminal", tag: "terminals", may: manages, summary: "Move a terminal to another store",
		about: "Of the same merchant. Its own policy and stops go with it."}, s.moveTerminal)
}

// methodSet turns names into a set. field names the list.
func methodSet(field string, names []string) (pinfree.Methods, error) {
	var set pinfree.Methods
	for i, name := range names {
		m, ok := pinfree.ParseMethod(name)
		if !ok {
			return 0, mianmi.InvalidField(field+"["+strconv.Itoa(i)+"]", "there is no such method")
		}
		set = set.Set(m)
	}
	return set, nil
}

func methodNames(set pinfree.Methods) []string {
	out := []string{}
	for m := pinfree.PaymentCode; m <= pinfree.StaticQR; m++ {
		if set.Has(m) {
			out = append(out, m.String())
		}
	}
	return out
}

// NewModel is a kind of terminal to be created.
type NewModel struct {
	Name    string   `json:"name"`
	Keypad  bool     `json:"keypad,omitzero" doc:"A physical keypad for PINs"`
	Display bool     `json:"display,omitzero" doc:"Can show a QR code"`
	Reboot  bool     `json:"reboot,omitzero" doc:"Runs a setting from the next boot on"`
	Proof   string   `json:"proof,omitzero" enum:"attestation,host" doc:"How one knows what its terminals run: by attestation (when left out), or by the host's word alone"`
	Methods []string `json:"methods" doc:"payment_code, card_tap, card_insert, card_swipe, dynamic_qr"`
}

// Model is a kind of terminal.
type Model struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Keypad    bool      `json:"keypad"`
	Display   bool      `json:"display"`
	Reboot    bool      `json:"reboot" doc:"Runs a setting from the next boot on"`
	Proof     string    `json:"proof" enum:"attestation,host" doc:"How one knows what its terminals run: they sign reports of it, or nobody knows and the host's word alone counts"`
	Methods   []string  `json:"methods"`
	CreatedAt time.Time `json:"created_at"`
}

// ModelOutput is one model.
type ModelOutput struct{ Body Model }

func showModel(m *terminal.Model) Model {
	return Model{ID: string(m.ID), Name: m.Name, Keypad: m.Keypad, Display: m.Display, Reboot: m.Reboot, Proof: m.Proof.String(),
		Methods: methodNames(m.Methods), CreatedAt: m.CreatedAt}
}

func oneModel(m terminal.Model, err error) (*ModelOutput, error) {
	if err != nil {
		return nil, err
	}
	return &ModelOutput{showModel(&m)}, nil
}

func (s *Server) createModel(ctx context.Context, a mianmi.Actor, in *struct{ Body NewModel }) (*ModelOutput, error) {
	set, err := methodSet("methods", in.Body.Methods)
	if err != nil {
		return nil, err
	}
	b := in.Body
	m := terminal.Model{Name: b.Name, Keypad: b.Keypad, Display: b.Display, Reboot: b.Reboot, Methods: set}
	if b.Proof != "" {
		var ok bool
		if m.Proof, ok = terminal.ParseProof(b.Proof); !ok {
			return nil, mianmi.InvalidField("proof", "want attestation or host")
		}
	}
	return oneModel(s.Terminals.CreateModel(ctx, a, m))
}

func (s *Server) models(ctx context.Context, a mianmi.Actor, in *PageInput) (*struct{ Body List[Model] }, error) {
	list, err := s.Terminals.Models(ctx, a, mianmi.ModelID(in.After), in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(list, in.Limit, showModel, func(m *terminal.Model) string { return string(m.ID) }), nil
}

type ModelInput struct {
	Model string `path:"model" doc:"md…"`
}

func (s *Server) model(ctx context.Context, a mianmi.Actor, in *ModelInput) (*ModelOutput, error) {
	return oneModel(s.Terminals.Model(ctx, a, mianmi.ModelID(in.Model)))
}

func (s *Server) renameModel(ctx context.Context, a mianmi.Actor, in *struct {
	ModelInput
	Body NameBody
}) (*ModelOutput, error) {
	return oneModel(s.Terminals.RenameModel(ctx, a, mianmi.ModelID(in.Model), in.Body.Name))
}

// NewTerminal is a terminal to be added.
type NewTerminal struct {
	Name       string `json:"name"`
	Model      string `json:"model"`
	Unattended bool   `json:"unattended,omitzero"`
	Purpose    string `json:"purpose,omitzero" doc:"Of an unattended terminal: transport_fare, parking_fee, vending"`
}

// Terminal is one machine in a store.
type Terminal struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Store      string    `json:"store"`
	Merchant   string    `json:"merchant"`
	Model      string    `json:"model"`
	Unattended bool      `json:"unattended"`
	Purpose    string    `json:"purpose,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
}

// TerminalOutput is one terminal.
type TerminalOutput struct{ Body Terminal }

func showTerminal(t *terminal.Terminal) Terminal {
	return Terminal{ID: string(t.ID), Name: t.Name, Store: string(t.Store), Merchant: string(t.Merchant), Model: string(t.Model),
		Unattended: t.Unattended, Purpose: t.Purpose, CreatedAt: t.CreatedAt}
}

func oneTerminal(t terminal.Terminal, err error) (*TerminalOutput, error) {
	if err != nil {
		return nil, err
	}
	return &TerminalOutput{showTerminal(&t)}, nil
}

func (s *Server) createTerminal(ctx context.Context, a mianmi.Actor, in *struct {
	StoreInput
	Body NewTerminal
}) (*TerminalOutput, error) {
	b := in.Body
	return oneTerminal(s.Terminals.Create(ctx, a, terminal.Terminal{Store: mianmi.StoreID(in.Store), Model: mianmi.ModelID(b.Model), Name: b.Name,
		Unattended: b.Unattended, Purpose: b.Purpose}))
}

func (s *Server) listTerminals(ctx context.Context, a mianmi.Actor, q terminal.Query) (*struct{ Body List[Terminal] }, error) {
	list, err := s.Terminals.Terminals(ctx, a, q)
	if err != nil {
		return nil, err
	}
	return listOf(list, q.Limit, showTerminal, func(t *terminal.Terminal) string { return string(t.ID) }), nil
}

func (s *Server) storeTerminals(ctx context.Context, a mianmi.Actor, in *struct {
	StoreInput
	PageInput
}) (*struct{ Body List[Terminal] }, error) {
	return s.listTerminals(ctx, a, terminal.Query{Store: mianmi.StoreID(in.Store), After: mianmi.TerminalID(in.After), Limit: in.Limit})
}

func (s *Server) merchantTerminals(ctx context.Context, a mianmi.Actor, in *struct {
	MerchantInput
	PageInput
}) (*struct{ Body List[Terminal] }, error) {
	return s.listTerminals(ctx, a, terminal.Query{Merchant: mianmi.MerchantID(in.Merchant), After: mianmi.TerminalID(in.After), Limit: in.Limit})
}

type TerminalInput struct {
	Terminal string `path:"terminal" doc:"tm…"`
}

func (s *Server) terminal(ctx context.Context, a mianmi.Actor, in *TerminalInput) (*TerminalOutput, error) {
	return oneTerminal(s.Terminals.Terminal(ctx, a, mianmi.TerminalID(in.Terminal)))
}

func (s *Server) renameTerminal(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	Body NameBody
}) (*TerminalOutput, error) {
	return oneTerminal(s.Terminals.Rename(ctx, a, mianmi.TerminalID(in.Terminal), in.Body.Name))
}

// MoveBody names the store that a terminal moves to.
type MoveBody struct {
	Store string `json:"store"`
}

func (s *Server) moveTerminal(ctx context.Context, a mianmi.Actor, in *struct {
	TerminalInput
	Body MoveBody
}) (*TerminalOutput, error) {
	return oneTerminal(s.Terminals.Move(ctx, a, mianmi.TerminalID(in.Terminal), mianmi.StoreID(in.Body.Store)))
}
