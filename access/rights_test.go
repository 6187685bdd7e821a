package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

// people are callers of each kind; the letters name them in TestRights.
var people = []struct {
	letter byte
	actor  mianmi.Actor
}{
	{'p', mianmi.Actor{Role: mianmi.RolePayer, ID: "py1"}},
	{'q', mianmi.Actor{Role: mianmi.RolePayer, ID: "py2"}}, // another payer
	{'c', mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf1", Merchant: "mc1", Store: "st1"}},
	{'m', mianmi.Actor{Role: mianmi.RoleStoreManager, ID: "sf2", Merchant: "mc1", Store: "st1"}},
	{'n', mianmi.Actor{Role: mianmi.RoleStoreManager, ID: "sf3", Merchant: "mc1", Store: "st2"}}, // of another store
	{'a', mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf4", Merchant: "mc1"}},
	{'b', mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf5", Merchant: "mc2"}}, // of another merchant
	{'s', mianmi.Actor{Role: mianmi.RoleSupport, ID: "sf6"}},
	{'r', mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf7"}},
	{'o', mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf8"}},
	{'u', mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf9"}},
	{'w', mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Scopes: mianmi.ScopePayers}},              // a wallet's back end
	{'x', mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak2", Scopes: scopesAll &^ mianmi.ScopePayers}}, // every scope but that
	{'y', mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak3", Scopes: scopesAll, Merchant: "mc1"}},      // bound to a merchant
	{'z', mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "py1"}},                                          // no scope at all
	{'t', mianmi.System("test")},
}

// The whole table: for each action on a payer, or on a thing of the store, who
// may. Whoever is not named may not.
func TestRights(t *testing.T) {
	t.Parallel()
	payer := Target{Payer: "py1"}
	inStore := Target{Merchant: "mc1", Store: "st1"}
	for _, tt := range []struct {
		name   string
		action Action
		target Target
		want   string
	}{
		{"create a payer", PayerCreate, Target{}, "owt"},
		{"show a payer", PayerShow, payer, "psrouwt"},
		{"find a payer", PayerFind, Target{}, "srow"},
		{"tighten for a payer", PayerTighten, payer, "psrowt"},
		{"loosen for a payer", PayerLoosen, payer, "p"},
		{"allow one payment", PayerAllow, payer, "pso"},
		{"set a first password", PayerPassword, payer, "pw"},
		{"act on a checked identity", PayerIdentify, payer, "so"},
		{"export a person", PersonExport, payer, "po"},
		{"erase a person", PersonErase, payer, "o"},
		{"issue a payment code", PayerCode, payer, "pw"},
		{"list the store's staff", StaffShow, inStore, "maou"},
		{"list everybody's staff", StaffShow, Target{}, "ou"},
		{"manage the store's staff", StaffManage, inStore, "maot"},
		{"manage mianmi's own staff", StaffManage, Target{}, "ot"},
		{"list the merchant's keys", KeyShow, Target{Merchant: "mc1"}, "aout"},
		{"manage the merchant's keys", KeyManage, Target{Merchant: "mc1"}, "aot"},
		{"manage mianmi's own keys", KeyManage, Target{}, "ot"},
		{"end somebody's sessions", SessionRevoke, Target{}, "so"},
		{"read the rule packs' texts", RulesShow, Target{}, "srout"},
		{"change the rule packs", RulesPropose, Target{}, "rot"},
		{"approve a change of the rule packs", RulesApprove, Target{}, "ro"},
		{"see a merchant's webhooks", WebhookShow, Target{Merchant: "mc1"}, "asouxy"},
		{"see mianmi's own webhooks", WebhookShow, Target{}, "soux"},
		{"manage a merchant's webhooks", WebhookManage, Target{Merchant: "mc1"}, "aoxyt"},
		{"manage mianmi's own webhooks", WebhookManage, Target{}, "oxt"},
		{"read a merchant's complaints", ComplaintShow, Target{Merchant: "mc1"}, "asrouxyt"},
		{"answer a merchant's complaints", ComplaintAnswer, Target{Merchant: "mc1"}, "asoxyt"},
		{"read complaints of nobody in particular", ComplaintShow, Target{}, "srouxt"},
		{"complain of a payer's payment", Complain, payer, "psow"},
		{"end an agreement with one's own merchant", AgreementEnd, Target{Payer: "py1", Merchant: "mc1"}, "xy"},
		{"list a merchant's contracts", ContractShow, Target{Merchant: "mc1"}, "asrouxyt"},
		{"list everybody's contracts", ContractShow, Target{}, "srouxt"},
		{"end an agreement with another merchant", AgreementEnd, Target{Payer: "py1", Merchant: "mc2"}, "x"},
		{"nothing in particular", NoAction, payer, ""},
		{"an action that is not there", actionEnd, payer, ""},
	} {
		var may []byte
		for _, p := range people {
			err := Allow(p.actor, tt.action, tt.target)
			if err == nil {
				may = append(may, p.letter)
			} else if !errors.Is(err, mianmi.Denied) {
				t.Errorf("%s: %v, want Denied", tt.name, err)
			}
		}
		if d := cmp.Diff(tt.want, string(may)); d != "" {
			t.Errorf("who may %s: %s", tt.name, d)
		}
		if err := Allow(mianmi.Actor{ID: "py1"}, tt.action, tt.target); !errors.Is(err, mianmi.Unauthenticated) {
			t.Errorf("%s without a role: %v", tt.name, err)
		}
	}
}

// Nobody makes somebody who could do more than the maker: admins come from
// operators alone.
func TestMakes(t *testing.T) {
	t.Parallel()
	want := map[mianmi.Role]string{
		mianmi.RoleOperator:      "cashier store_manager merchant_admin support_agent risk_analyst operator auditor",
		mianmi.RoleSystem:        "cashier store_manager merchant_admin support_agent risk_analyst operator auditor",
		mianmi.RoleMerchantAdmin: "cashier store_manager",
		mianmi.RoleStoreManager:  "cashier",
	}
	for maker := mianmi.NoRole; maker <= mianmi.RoleTerminal+1; maker++ {
		var made []string
		for r := mianmi.NoRole; r <= mianmi.RoleTerminal+1; r++ {
			if Makes(maker, r) {
				made = append(made, r.String())
			}
		}
		if d := cmp.Diff(want[maker], strings.Join(made, " ")); d != "" {
			t.Errorf("%v makes: %s", maker, d)
		}
	}
}

// What bearerForm takes has one length and one alphabet, so that nothing else
// reaches the digest.
func FuzzBearerForm(f *testing.F) {
	f.Add("ms_" + strings.Repeat("0", tokenLetters))
	f.Add("mk_" + strings.Repeat("z", tokenLetters))
	f.Add("ms_" + strings.Repeat("é", tokenLetters/2))
	f.Fuzz(func(t *testing.T, s string) {
		if !bearerForm(s) {
			return
		}
		if len(s) != 3+tokenLetters || (s[:3] != "ms_" && s[:3] != "mk_") || strings.Trim(s[3:], "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("took %q", s)
		}
	})
}
