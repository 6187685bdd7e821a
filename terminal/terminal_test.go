package terminal

import (
	"errors"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	qr := pinfree.Methods(0).Set(pinfree.DynamicQR)
	tests := map[string]struct {
		in    interface{ Validate() error }
		field string
	}{
		"a model":                             {Model{Name: "P2", Display: true, Methods: readable}, ""},
		"a model that reads nothing":          {Model{Name: "till"}, ""},
		"a model without a name":              {Model{}, "name"},
		"a model with a name too long":        {Model{Name: strings.Repeat("型", nameMax+1)}, "name"},
		"a model with a name not text":        {Model{Name: "\xff"}, "name"},
		"a name that ends with a space":       {Model{Name: "P2 "}, "name"},
		"a model that reads cash":             {Model{Name: "P2", Methods: pinfree.Methods(0).Set(pinfree.Cash)}, "methods"},
		"a model that reads the unknown":      {Model{Name: "P2", Methods: 1}, "methods"},
		"a model that proves in no known way": {Model{Name: "P2", Proof: ByHost + 1}, "proof"},
		"a QR code without a display":         {Model{Name: "P2", Methods: qr}, "display"},
		"a terminal":                          {Terminal{Store: "st1", Model: "md1", Name: "till"}, ""},
		"an unattended terminal":              {Terminal{Store: "st1", Model: "md1", Name: "gate", Unattended: true, Purpose: "transport_fare"}, ""},
		"a terminal without a store":          {Terminal{Model: "md1", Name: "till"}, "store"},
		"a terminal without a model":          {Terminal{Store: "st1", Name: "till"}, "model"},
		"a terminal without a name":           {Terminal{Store: "st1", Model: "md1"}, "name"},
		"an attended terminal's purpose":      {Terminal{Store: "st1", Model: "md1", Name: "till", Purpose: "vending"}, "purpose"},
		"a purpose that is a sentence":        {Terminal{Store: "st1", Model: "md1", Name: "gate", Unattended: true, Purpose: "Fare!"}, "purpose"},
		"a purpose longer than it may be":     {Terminal{Store: "st1", Model: "md1", Name: "gate", Unattended: true, Purpose: strings.Repeat("a", 33)}, "purpose"},
		"a terminal whose name has a break":   {Terminal{Store: "st1", Model: "md1", Name: "a\tb"}, "name"},
	}
	for name, tt := range tests {
		err := tt.in.Validate()
		var e *mianmi.Error
		if tt.field == "" && err == nil {
			continue
		}
		if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != tt.field {
			t.Errorf("%s: %v, want Invalid %q", name, err, tt.field)
		}
	}
}

// A model takes what it can read, and whatever needs no machine.
func TestModelAccepts(t *testing.T) {
	t.Parallel()
	m := Model{Methods: pinfree.Methods(0).Set(pinfree.CardTap)}
	for method, want := range map[pinfree.Method]bool{pinfree.MethodUnknown: false, pinfree.CardTap: true, pinfree.CardSwipe: false,
		pinfree.PaymentCode: false, pinfree.DynamicQR: false, pinfree.Cash: true} {
		if got := m.Accepts(method); got != want {
			t.Errorf("%v: %v, want %v", method, got, want)
		}
	}
}

// A model has to be trusted on purpose: one of which nothing is said has to
// prove, and names go there and back.
func TestProof(t *testing.T) {
	t.Parallel()
	if (Model{}).Proof != ByAttestation {
		t.Error("a model of which nothing is said is believed")
	}
	for _, p := range []Proof{ByAttestation, ByHost} {
		if got, ok := ParseProof(p.String()); !ok || got != p {
			t.Errorf("%v comes back as %v, %v", p, got, ok)
		}
	}
	for _, name := range []string{"", "Host", "none"} {
		if p, ok := ParseProof(name); ok || p != ByAttestation {
			t.Errorf("%q is read as %v, %v", name, p, ok)
		}
	}
}

// The table says where each role may look and manage: at the own store, at
// another store of the own merchant, at another merchant.
func TestRights(t *testing.T) {
	t.Parallel()
	places := []place{{"mc1", "st1"}, {"mc1", "st2"}, {"mc2", "st3"}}
	tests := map[mianmi.Role]struct{ see, manage [3]bool }{
		mianmi.NoRole:            {},
		mianmi.RolePayer:         {},
		mianmi.RoleCashier:       {see: [3]bool{true, false, false}},
		mianmi.RoleStoreManager:  {[3]bool{true, false, false}, [3]bool{true, false, false}},
		mianmi.RoleMerchantAdmin: {[3]bool{true, true, false}, [3]bool{true, true, false}},
		mianmi.RoleAPIClient:     {[3]bool{true, true, false}, [3]bool{true, true, false}},
		mianmi.RoleSupport:       {see: [3]bool{true, true, true}},
		mianmi.RoleRisk:          {see: [3]bool{true, true, true}},
		mianmi.RoleAuditor:       {see: [3]bool{true, true, true}},
		mianmi.RoleOperator:      {[3]bool{true, true, true}, [3]bool{true, true, true}},
		mianmi.RoleSystem:        {[3]bool{true, true, true}, [3]bool{true, true, true}},
		mianmi.RoleTerminal:      {},
	}
	for role := mianmi.NoRole; role <= mianmi.RoleTerminal; role++ {
		a := mianmi.Actor{Role: role, ID: "sf1", Merchant: "mc1", Store: "st1", Scopes: mianmi.ScopeManage}
		for i, p := range places {
			if got := maySee(a, p); got != tests[role].see[i] {
				t.Errorf("%v sees %v: %v", role, p, got)
			}
			if got := mayManage(a, p); got != tests[role].manage[i] {
				t.Errorf("%v manages %v: %v", role, p, got)
			}
		}
		if got, want := mayModel(a), role == mianmi.RoleOperator || role == mianmi.RoleSystem; got != want {
			t.Errorf("%v makes models: %v", role, got)
		}
		if a.ID = ""; maySee(a, places[0]) || mayManage(a, places[0]) || mayModel(a) {
			t.Errorf("%v without a name may do something", role)
		}
	}
	reader := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Merchant: "mc1", Scopes: mianmi.ScopePay}
	if !maySee(reader, places[0]) || mayManage(reader, places[0]) {
		t.Error("a key that pays must see terminals and not manage them")
	}
}
