package asof

import (
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/pinfree"
)

// seenBy leaves in the answer what the actor may see. mianmi's own people see
// all. Others read which role brought something into force, a merchant's people
// also who of them it was. A payer's own limits are nobody else's business: a
// shop learns that they asked for the PIN, which its cashier was told.
func (a *Answer) seenBy(actor mianmi.Actor) *Answer {
	if actor.Is(mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem) {
		return a
	}
	payers := actor.Is(mianmi.RolePayer) || actor.Is(mianmi.RoleAPIClient) && actor.Scopes.Has(mianmi.ScopePayers)
	out := *a
	out.Rows = slices.Clone(a.Rows)
	for i := range out.Rows {
		r := &out.Rows[i]
		switch own := r.Kind == pinfree.LayerPayer || r.Kind == pinfree.LayerRisk; { // a hold is on the payer
		case own && !payers:
			*r = Row{Kind: r.Kind, Version: r.Version, State: r.State, Because: r.Because, Hidden: true}
		case payers && (own || r.Kind == pinfree.LayerAgreement), !payers && ofShop(r.Kind):
		default:
			r.By, r.Source.Actor = mianmi.RecordedRole(r.By), mianmi.RecordedRole(r.Source.Actor)
		}
	}
	if payers {
		out.Caller = nil
	} else {
		out.Payer = nil
	}
	out.Site = a.Site.withoutActors()
	if payers && out.Site != nil { // what an acquirer says of a shop is not its customers' business
		m := &out.Site.Merchant.Value
		*m = merchant.Merchant{ID: m.ID, Version: m.Version}
	}
	if m := a.Merchant; m != nil {
		told := *m
		told.Source.Actor = mianmi.RecordedRole(told.Source.Actor)
		out.Merchant = &told
	}
	return &out
}

// ofShop are layers of a merchant's own.
func ofShop(k pinfree.LayerKind) bool {
	return k == pinfree.LayerMerchant || k == pinfree.LayerStore || k == pinfree.LayerTerminal
}

// withoutActors is the site with roles in place of persons. Policies and stops
// stand in the rows.
func (s *Site) withoutActors() *Site {
	if s == nil {
		return nil
	}
	out := *s
	out.Policies, out.Stops, out.Snapshot = nil, nil, nil
	out.Packs = slices.Clone(s.Packs)
	for i := range out.Packs {
		out.Packs[i].Source.Actor = mianmi.RecordedRole(out.Packs[i].Source.Actor)
	}
	for _, src := range []*Source{&out.Terminal.Source, &out.Model.Source, &out.Store.Source, &out.Merchant.Source} {
		src.Actor = mianmi.RecordedRole(src.Actor)
	}
	return &out
}
