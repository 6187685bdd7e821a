package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
)

// Inputs name the scope of a policy by their path.
type (
	EverythingInput struct{}
	ChannelInput    struct {
		Channel string `path:"channel" example:"wallet"`
	}
	PolicyInput struct{ Body PolicyBody }

	everythingPolicy struct {
		EverythingInput
		PolicyInput
	}
	channelPolicy struct {
		ChannelInput
		PolicyInput
	}
	modelPolicy struct {
		ModelInput
		PolicyInput
	}
	merchantPolicy struct {
		MerchantInput
		PolicyInput
	}
	storePolicy struct {
		StoreInput
		PolicyInput
	}
	terminalPolicy struct {
		TerminalInput
		PolicyInput
	}
)

func (EverythingInput) scope() merchant.Scope { return merchant.Everything() }
func (in ChannelInput) scope() merchant.Scope { return merchant.OfChannel(in.Channel) }
func (in ModelInput) scope() merchant.Scope   { return merchant.OfModel(mianmi.ModelID(in.Model)) }
func (in MerchantInput) scope() merchant.Scope {
	return merchant.OfMerchant(mianmi.MerchantID(in.Merchant))
}
func (in StoreInput) scope() merchant.Scope { return merchant.OfStore(mianmi.StoreID(in.Store)) }
func (in TerminalInput) scope() merchant.Scope {
	return merchant.OfTerminal(mianmi.TerminalID(in.Terminal))
}
func (in PolicyInput) body() *PolicyBody { return &in.Body }

type scoped interface{ scope() merchant.Scope }

type scopedPolicy interface {
	scoped
	body() *PolicyBody
}

// place is where a policy can be set. Rights follow merchant's table; whose
// thing it is, the service says.
type place struct {
	path, name, what string
	inShop           []mianmi.Role // who of a merchant's people may close and propose
	also             []mianmi.Role // and who may look besides them, or close but not propose
}

func (s *Server) registerPolicies() {
	managers := []mianmi.Role{mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin}
	cashier := []mianmi.Role{mianmi.RoleCashier}
	policyRoutes[EverythingInput, everythingPolicy](s, place{path: "/v1/everything", name: "Everything", what: "all payments"})
	policyRoutes[ChannelInput, channelPolicy](s, place{path: "/v1/channels/{channel}", name: "Channel", what: "a channel"})
	policyRoutes[ModelInput, modelPolicy](s, place{path: "/v1/models/{model}", name: "Model", what: "a model"})
	policyRoutes[MerchantInput, merchantPolicy](s, place{path: "/v1/merchants/{merchant}", name: "Merchant", what: "a merchant", inShop: managers[1:]})
	policyRoutes[StoreInput, storePolicy](s, place{path: "/v1/stores/{store}", name: "Store", what: "a store", inShop: managers, also: cashier})
	policyRoutes[TerminalInput, terminalPolicy](s, place{path: "/v1/terminals/{terminal}", name: "Terminal", what: "a terminal", inShop: managers, also: cashier})
}

func policyRoutes[I scoped, P scopedPolicy](s *Server, at place) {
	sees, closes, sets := only(readers...).and(at.inShop...).and(at.also...), only(ownPeople...).and(at.inShop...), only(ownPeople...).and(at.inShop...)
	if at.name == "Terminal" {
		closes, sets = closes.and(at.also...), sets.and(at.also...) // cashiers close what they stand at
	}
	if len(at.inShop) > 0 {
		sees, closes = sees.keys(mianmi.ScopeRead|mianmi.ScopeManage|mianmi.ScopeTighten), closes.keys(mianmi.ScopeTighten)
		sets = sets.keys(mianmi.ScopeTighten | mianmi.ScopeManage)
	}
	add(s, route{method: "GET", path: at.path + "/policy", name: "policyOf" + at.name, tag: "policies", may: sees,
		summary: "Show the PIN-free policy of " + at.what, about: "Version 0: nobody has set one, these are the default terms."},
		func(ctx context.Context, a mianmi.Actor, in *I) (*PolicyOutput, error) {
			p, err := s.Merchants.Policy(ctx, a, (*in).scope())
			if err != nil {
				return nil, err
			}
			return &PolicyOutput{showPolicy(&p)}, nil
		})
	add(s, route{method: "PUT", path: at.path + "/policy", name: "setPolicyOf" + at.name, tag: "policies", may: sets,
		summary: "Set the PIN-free policy of " + at.what,
		about: "A tightening is in force when it is answered. A loosening becomes a proposal that a second person must approve. " +
			"Of a mixed order the tight part is in force at once and the whole is proposed. While a staged rollout runs here, what loosens is a conflict; what closes ends it."},
		func(ctx context.Context, a mianmi.Actor, in *P) (*PolicyResultOutput, error) {
			terms, err := (*in).body().Terms.terms()
			if err != nil {
				return nil, err
			}
			return policyResult(s.Merchants.SetPolicy(ctx, a, merchant.PolicyOrder{Scope: (*in).scope(), Terms: terms, BasedOn: (*in).body().BasedOn,
				Rollout: (*in).body().Rollout.plan()}))
		})
	add(s, route{method: "POST", path: at.path + "/pin-free/close", name: "closePinFreeOf" + at.name, tag: "policies", may: closes,
		summary: "Switch PIN-free payment off for " + at.what, about: "In one step, by one person, at once; other terms stay."},
		func(ctx context.Context, a mianmi.Actor, in *I) (*PolicyResultOutput, error) {
			return policyResult(s.Merchants.Close(ctx, a, (*in).scope()))
		})
}

// Terms are what a policy says.
type Terms struct {
	PinFree    bool      `json:"pin_free"`
	PerPayment *Amount   `json:"per_payment,omitzero" doc:"Left out: no maximum of this level"`
	Methods    *[]string `json:"methods,omitzero" doc:"Accepted methods; left out: all"`
}

func (t *Terms) terms() (merchant.Terms, error) {
	out := merchant.Terms{PinFree: t.PinFree}
	if t.PerPayment != nil {
		m := t.PerPayment.money()
		out.PerPayment = &m
	}
	if t.Methods != nil {
		set, err := methodSet("methods", *t.Methods)
		if err != nil {
			return out, err
		}
		out.Methods = &set
	}
	return out, nil
}

func showTerms(t *merchant.Terms) Terms {
	out := Terms{PinFree: t.PinFree}
	if t.PerPayment != nil {
		m := amountOf(*t.PerPayment)
		out.PerPayment = &m
	}
	if t.Methods != nil {
		names := methodNames(*t.Methods)
		out.Methods = &names
	}
	return out
}

// PolicyBody asks for terms.
type PolicyBody struct {
	Terms
	BasedOn *int64 `json:"based_on,omitzero" doc:"Version that was seen; a loosening based on another one is a conflict"`
	// Rollout is not for one terminal.
	Rollout *RolloutPlan `json:"rollout,omitzero" doc:"Bring a loosening to terminals in stages; left out: to all at once. What tightens does so for all, whatever the plan"`
}

// Policy is the terms of a scope that are in force.
type Policy struct {
	Scope   string     `json:"scope" example:"terminal:tm…"`
	Terms   Terms      `json:"terms"`
	Version int64      `json:"version"`
	Since   *time.Time `json:"since,omitzero"`
	Actor   string     `json:"actor,omitzero" doc:"Who brought them into force"`
	Rollout string     `json:"rollout,omitzero" doc:"The staged rollout by which they come to terminals; those that it has not reached keep the former terms"`
}

// PolicyOutput is one policy.
type PolicyOutput struct{ Body Policy }

func showPolicy(p *merchant.Policy) Policy {
	out := Policy{Scope: p.Scope.String(), Terms: showTerms(&p.Terms), Version: p.Version, Since: timeOrNone(p.Since), Actor: p.Actor}
	if p.Rollout != nil {
		out.Rollout = string(p.Rollout.ID)
	}
	return out
}

// PolicyResult is what became of an order.
type PolicyResult struct {
	Policy   Policy    `json:"policy" doc:"In force now"`
	Change   string    `json:"change" enum:"same,tightening,loosening,mixed" doc:"How the order compared with what was in force"`
	Proposal *Approval `json:"proposal,omitzero" doc:"The part that waits for a second person"`
}

// PolicyResultOutput is what became of an order.
type PolicyResultOutput struct{ Body PolicyResult }

var changeNames = [...]string{merchant.Same: "same", merchant.Tightening: "tightening", merchant.Loosening: "loosening", merchant.Mixed: "mixed"}

func policyResult(r merchant.Result, err error) (*PolicyResultOutput, error) {
	if err != nil {
		return nil, err
	}
	return &PolicyResultOutput{PolicyResult{Policy: showPolicy(&r.Policy), Change: changeNames[r.Change], Proposal: showProposal(r.Proposal)}}, nil
}
