package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/wechat"
)

// contractList: every contract that can be, and those of the front among them, is
// listed once, newest first, whatever the size of a page, and under the state that
// people are told.
func contractList(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who := w.payer(t, true)
	want := w.everyContract(t, who)
	front := []wechat.Contract{w.front(t, "old", -3*time.Hour), w.front(t, "new", 0), w.front(t, "signed", 0), w.front(t, "refused", 0)}
	w.signFront(t, who, front[2].Key())
	if err := w.db.LeaveContract(t.Context(), front[3].Key(), front[3].Session); err != nil {
		t.Fatal(err)
	}
	for i := range front {
		want = append(want, must(w.contracts.Show(t.Context(), w.support, mianmi.ContractID(front[i].Key().ID())))(t))
	}
	slices.SortFunc(want, func(a, b contract.Contract) int {
		if c := b.OpenedAt.Compare(a.OpenedAt); c != 0 {
			return c
		}
		return -cmpText(a.ID, b.ID)
	})
	now := w.clock.Now()
	for state := contract.State(0); state <= contract.Lapsed; state++ {
		for _, kind := range []string{"", "password_exempt", "papay", "payscore"} {
			var ids []mianmi.ContractID
			for i := range want {
				if (state == 0 || want[i].State(now) == state) && (kind == "" || want[i].Kind == kind) {
					ids = append(ids, want[i].ID)
				}
			}
			for _, size := range []int{1, 7, 200} {
				if diff := cmp.Diff(ids, w.listed(t, contract.Query{State: state, Kind: kind, Limit: size})); diff != "" {
					t.Errorf("%v contracts of kind %q by %d (-want +got):\n%s", state, kind, size, diff)
				}
			}
		}
	}
	if got := w.listed(t, contract.Query{Merchant: "mc1", Limit: 50}); len(got) != 0 {
		t.Errorf("another merchant has %v", got)
	}
}

// listed are the identifiers of all pages.
func (w *signWorld) listed(t *testing.T, q contract.Query) (ids []mianmi.ContractID) {
	t.Helper()
	for {
		list := must(w.contracts.List(t.Context(), w.support, q))(t)
		for i := range list {
			ids = append(ids, list[i].ID)
		}
		if len(list) < q.Limit || len(ids) > 1000 {
			return ids
		}
		mark, ok := contract.ParseMark(list[len(list)-1].Mark().String())
		if q.Before = mark; !ok {
			t.Fatal("a mark does not come back")
		}
	}
}

// everyContract are contracts at a channel in each way that one can stand.
func (w *signWorld) everyContract(t *testing.T, who mianmi.Actor) (all []contract.Contract) {
	t.Helper()
	a, now := w.agree(t, who), w.clock.Now()
	for standing := channel.ContractUnclear; standing <= channel.ContractEnded; standing++ {
		for _, until := range []time.Time{now.Add(-time.Hour), now, now.Add(time.Hour)} {
			for _, revoked := range []time.Time{{}, now.Add(-30 * time.Minute)} {
				for _, asked := range []time.Time{{}, until.Add(-time.Minute), until} {
					c := contract.Contract{ID: mianmi.ContractID(must(mianmi.NewBucketID("cc", idOf(who).Bucket(), now, w.random))(t)), Payer: idOf(who),
						Merchant: w.merchant.ID, Agreement: a.ID, Channel: "sign", Kind: []string{"password_exempt", "papay", "payscore"}[len(all)%3], Service: "1",
						Standing: standing, OpenedAt: now.Add(time.Duration(-len(all)/2) * time.Minute), Until: until, RevokedAt: revoked, AskedAt: asked}
					err := w.db.InsertChannelContract(t.Context(), &c, func(*contract.Change, []contract.Contract) error { return nil })
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, c)
				}
			}
		}
	}
	return all
}

func cmpText(a, b mianmi.ContractID) int { return slices.Compare([]byte(a), []byte(b)) }

// front is a contract of the front that waits for a signature.
func (w *signWorld) front(t *testing.T, code string, opened time.Duration) wechat.Contract {
	t.Helper()
	at := w.clock.Now().Add(opened)
	k := wechat.Contract{ContractName: wechat.ContractName{Merchant: w.merchant.ID, Family: wechat.Papay, Service: "12535", Code: code}, Shown: "会员",
		Notify: []byte("sealed"), CreatedAt: at, Session: []byte("digest of " + code), SessionUntil: at.Add(contract.SessionLife)}
	if err := w.db.PutContract(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	return k
}

// signFront has the payer, whose agreement is open, sign one.
func (w *signWorld) signFront(t *testing.T, who mianmi.Actor, k wechat.ContractKey) {
	t.Helper()
	err := w.db.ChangeContract(t.Context(), k, idOf(who), func(x *wechat.ContractChange) error {
		x.Contract.Payer, x.Contract.Agreement, x.OpenedAt, x.SignedAt = idOf(who), x.Agreement.ID, x.Agreement.OpenedAt, w.clock.Now()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contractListRights: a merchant sees its own contracts and who closed them by role,
// without payers, and ends one of the front, which closes its agreement.
func contractListRights(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who, _, id := w.signed(t)
	name, waiting := w.front(t, "A1", 0), w.front(t, "A2", 0)
	w.signFront(t, who, name.Key())
	front := mianmi.ContractID(name.Key().ID())
	key := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak7", Merchant: w.merchant.ID, Scopes: mianmi.ScopeRead}
	elsewhere := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: "mc1"}
	for name, actor := range map[string]mianmi.Actor{"a payer": who, "a cashier": w.cashier, "a key that may not read": {Role: mianmi.RoleAPIClient, Scopes: mianmi.ScopePay}} {
		if _, err := w.contracts.List(t.Context(), actor, contract.Query{}); mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("%s lists: %v", name, err)
		}
	}
	if list, err := w.contracts.List(t.Context(), elsewhere, contract.Query{Merchant: w.merchant.ID}); err != nil || len(list) != 0 {
		t.Errorf("another shop sees %+v, %v", list, err)
	}
	if _, err := w.contracts.End(t.Context(), elsewhere, front); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another shop ends it: %v", err)
	}
	_, err := w.contracts.End(t.Context(), w.admin, mianmi.ContractID(waiting.Key().ID()))
	wantKind(t, err, mianmi.Conflict, "contract_unsigned")
	_, err = w.contracts.Show(t.Context(), w.support, "00")
	wantKind(t, err, mianmi.NotFound, "")

	for range 2 {
		c := must(w.contracts.End(t.Context(), w.admin, front))(t)
		if c.State(w.clock.Now()) != contract.Ended || c.RevokedBy != mianmi.RoleMerchantAdmin.String() || c.Payer != "" || c.Words(w.clock.Now()).ZH != "已关闭" {
			t.Errorf("ended by the shop: %+v", c)
		}
	}
	w.agreementIs(t, who, false)
	// The contract at the channel stood on that agreement, too, and waits for its word.
	list := must(w.contracts.List(t.Context(), key, contract.Query{State: contract.Ending}))(t)
	if len(list) != 1 || list[0].ID != id || list[0].Payer != "" || list[0].RevokedBy != mianmi.RoleMerchantAdmin.String() {
		t.Errorf("closed and not confirmed: %+v", list)
	}
	if c := must(w.contracts.Show(t.Context(), w.support, id))(t); c.RevokedBy != w.admin.String() || c.Payer != idOf(who) {
		t.Errorf("support sees %+v", c)
	}
	w.agree(t, who) // opened again: what has ended is not ended again
	if _, err := w.contracts.End(t.Context(), w.admin, front); err != nil {
		t.Errorf("ended once more: %v", err)
	}
	w.agreementIs(t, who, true)
}
