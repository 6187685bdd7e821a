package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/wechat"
)

// contractWorld is a merchant with credentials of the front, on two nodes.
type contractWorld struct {
	*desk
	services map[*Node]*wechat.Service
	caller   *wechat.Caller
}

func newContractWorld(t *testing.T, d *desk) *contractWorld {
	t.Helper()
	w := &contractWorld{desk: d, services: map[*Node]*wechat.Service{}}
	for _, n := range []*Node{d.a, d.b} {
		w.services[n] = must(wechat.New(wechat.Parts{Store: n.DB, Access: n.Access, Payments: n.Payments, Payers: n.Payers, Keys: n.Keys,
			Guard: notice.NewGuard(nil), Clock: n.Clock, Random: rand.Reader}, wechat.Config{}))(t)
	}
	made := must(w.services[d.a].Create(t.Context(), d.Manager, d.Merchant, d.Terminal, nil))(t)
	key := must(d.a.DB.Signer(t.Context(), made.Serial.Serial))(t).Key
	w.caller = &wechat.Caller{Actor: key.Actor(), Identity: made.Identity}
	return w
}

// presign opens a page for whoever signs.
func (w *contractWorld) presign(t *testing.T, code string) (wechat.ContractName, string) {
	t.Helper()
	n := wechat.ContractName{Merchant: w.Merchant, Family: wechat.Papay, Service: "12535", Code: code}
	token := must(w.services[w.a].PreSign(t.Context(), w.caller, wechat.NewContract{Family: n.Family, Service: n.Service, Code: code, Shown: "会员",
		NotifyURL: "https://shop.example/n"}))(t)
	return n, token
}

func (w *contractWorld) consent(t *testing.T, p Person) wechat.ContractConsent {
	t.Helper()
	most := int64(500_00)
	return wechat.ContractConsent{Phone: must(w.a.DB.Person(t.Context(), p.ID))(t).Phone, Password: PaymentPassword,
		ConsentVersion: payer.ConsentText.Version, PerPayment: &most}
}

// state is how the contract stands, which is what its agreement says.
func (w *contractWorld) state(t *testing.T, n wechat.ContractName) string {
	t.Helper()
	v := must(w.services[w.b].FindContract(t.Context(), w.caller, n))(t)
	k := must(w.a.DB.WechatContract(t.Context(), n.Key()))(t)
	open := false
	if k.Payer != "" {
		a := must(w.a.DB.Agreement(t.Context(), k.Payer, n.Merchant))(t)
		open = a.Open && a.ID == k.Agreement && a.OpenedAt.Equal(k.OpenedAt)
	}
	if (v.State == wechat.ContractSigned) != open || v.State == wechat.ContractTerminated && (k.EndedAt.IsZero() || v.Terminate.At == "") {
		t.Errorf("the contract is %+v, its agreement open: %v", v, open)
	}
	return v.State
}

// contractsOfTheFront: a contract is signed once, whoever signs at the same time,
// and holds exactly while the opening of the agreement lasts that was signed.
func contractsOfTheFront(t *testing.T, d *desk) {
	w := newContractWorld(t, d)
	signedOnce(t, w)
	signedAndEnded(t, w)
	endedForGood(t, w)
	debits(t, w)
	noDebitAfterTheEnd(t, w)
}

// signedOnce: of many who sign at once, on two nodes, one has signed, and the
// others have agreed to nothing.
func signedOnce(t *testing.T, w *contractWorld) {
	people := []Person{w.person(t, 0), w.person(t, 0)}
	name, token := w.presign(t, "once")
	var mu sync.Mutex
	signed := 0
	w.both(8, func(i int, n *Node) {
		err := w.services[n].SignContract(t.Context(), token, w.consent(t, people[i%2]))
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			signed++
		} else if mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("signing what somebody else signs: %v", err)
		}
	})
	open := 0
	for _, p := range people {
		open += len(must(w.a.Payers.Agreements(t.Context(), p.Actor(), p.ID))(t))
	}
	if signed != 1 || open != 1 || w.state(t, name) != wechat.ContractSigned {
		t.Errorf("signed %d times, %d agreements", signed, open)
	}
}

// signedAndEnded: whoever ends it, as the payer or as the merchant, and whenever,
// no contract stands on an agreement that is closed, and once an end is
// acknowledged it is over.
func signedAndEnded(t *testing.T, w *contractWorld) {
	p := w.person(t, 0)
	for _, code := range []string{"race1", "race2", "race3"} {
		name, token := w.presign(t, code)
		var mu sync.Mutex
		ended := false
		w.both(6, func(i int, n *Node) {
			s := w.services[n]
			switch i {
			case 0:
				if err := s.SignContract(t.Context(), token, w.consent(t, p)); err != nil {
					t.Errorf("signing: %v", err)
				}
			case 1, 2:
				if err := s.EndContract(t.Context(), w.caller, name, "x"); err == nil {
					mu.Lock()
					ended = true
					mu.Unlock()
				} else if mianmi.KindOf(err) != mianmi.Conflict {
					t.Errorf("ending: %v", err)
				}
			default:
				list := must(n.Payers.Agreements(t.Context(), p.Actor(), p.ID))(t)
				for _, a := range list {
					if _, err := n.Payers.CloseAgreement(t.Context(), p.Actor(), p.ID, a.ID); err != nil {
						t.Errorf("closing: %v", err)
					}
				}
			}
		})
		if state := w.state(t, name); ended && state != wechat.ContractTerminated {
			t.Errorf("%s was ended and is %s", code, state)
		}
	}
}

// endedForGood: an agreement that opens again revives no contract, and who ended
// each is told for each; two that stand on one opening end together.
func endedForGood(t *testing.T, w *contractWorld) {
	p := w.person(t, 0)
	s := w.services[w.a]
	sign := func(code string) wechat.ContractName {
		name, token := w.presign(t, code)
		if err := s.SignContract(t.Context(), token, w.consent(t, p)); err != nil {
			t.Fatalf("sign %s: %v", code, err)
		}
		return name
	}
	first, second := sign("first"), sign("second")
	a := must(w.a.Payers.Agreements(t.Context(), p.Actor(), p.ID))(t)[0]
	w.clock.Add(time.Minute)
	must(w.b.Payers.CloseAgreement(t.Context(), p.Actor(), p.ID, a.ID))(t)
	w.clock.Add(time.Minute)
	third := sign("third")
	states := []string{w.state(t, first), w.state(t, second), w.state(t, third)}
	if !slices.Equal(states, []string{wechat.ContractTerminated, wechat.ContractTerminated, wechat.ContractSigned}) {
		t.Errorf("the contracts stand %v", states)
	}
	if err := s.EndContract(t.Context(), w.caller, first, "again"); err != nil || w.state(t, third) != wechat.ContractSigned {
		t.Errorf("ending a contract that has ended: %v, and the newer one is %s", err, w.state(t, third))
	}
	for range 2 {
		if err := s.EndContract(t.Context(), w.caller, third, "done"); err != nil {
			t.Errorf("ending it: %v", err)
		}
	}
	by := func(n wechat.ContractName) string {
		return must(s.FindContract(t.Context(), w.caller, n))(t).Terminate.Mode
	}
	if got := []string{by(first), by(second), by(third)}; !slices.Equal(got, []string{"USER_TERMINATE", "USER_TERMINATE", "MERCHANT_API_TERMINATE"}) {
		t.Errorf("ended by %v", got)
	}
	_, err := s.PreSign(t.Context(), w.caller, wechat.NewContract{Family: wechat.Papay, Service: "12535", Code: "first", NotifyURL: "https://shop.example/n"})
	wantKind(t, err, mianmi.Conflict, "contract_code_used")
	late, token := w.presign(t, "late")
	w.clock.Add(2 * time.Hour)
	wantKind(t, s.SignContract(t.Context(), token, w.consent(t, p)), mianmi.NotFound, "")
	if w.state(t, late) != wechat.ContractUnsigned {
		t.Error("signed after the page's time")
	}
}

// sign signs a contract for charges of up to 500 yuan.
func (w *contractWorld) sign(t *testing.T, p Person, code string) wechat.ContractName {
	t.Helper()
	name, token := w.presign(t, code)
	if err := w.services[w.a].SignContract(t.Context(), token, w.consent(t, p)); err != nil {
		t.Fatalf("sign %s: %v", code, err)
	}
	return name
}

func (w *contractWorld) debit(ctx context.Context, n *Node, c wechat.ContractName, no string, minor int64) (*payment.Payment, error) {
	return w.services[n].Debit(ctx, w.caller, wechat.NewDebit{No: no, Contract: c.Key().ID(), Amount: money.Of(minor, "CNY"), NotifyURL: "https://shop.example/n"})
}

// debits: a charge under a contract is mianmi's decision: PIN-free within every
// limit, else by the payer's password on the phone; once for each number.
func debits(t *testing.T, w *contractWorld) {
	p := w.person(t, 1000_00)
	first, second := w.sign(t, p, "debit1"), w.sign(t, p, "debit2")
	no := order()
	var got attempts
	w.both(6, func(_ int, n *Node) { got.add(w.debit(t.Context(), n, first, no, 20_00)) })
	got.wantErrs(t, 0, 0, "")
	if got.count(approved) != 6 || got.payments[0].Method != pinfree.MandateDebit || got.payments[0].CVM != pinfree.NoCVM {
		t.Errorf("a charge within the limits: %+v", got.payments[0])
	}
	w.wantBalance(t, p, 980_00)
	_, err := w.debit(t.Context(), w.b, second, no, 20_00)
	wantKind(t, err, mianmi.Conflict, "order_conflict")
	_, err = w.debit(t.Context(), w.b, first, no, 21_00)
	wantKind(t, err, mianmi.Conflict, "")
	step := must(w.debit(t.Context(), w.a, first, order(), 501_00))(t)
	if step.State != payment.StepUpRequired || step.StepUp != pinfree.ByPhonePassword || step.Reasons[0].Reason != pinfree.PlacePerPayment {
		t.Errorf("above the agreement's limit: %+v", step)
	}
	wantState(t, must(w.b.Payments.Confirm(t.Context(), p.Actor(), step.ID, PaymentPassword))(t), payment.Approved)
	must(w.a.Payers.Close(t.Context(), p.Actor(), p.ID, payer.Basis{}))(t)
	shut := must(w.debit(t.Context(), w.b, first, order(), 1_00))(t)
	if shut.State != payment.StepUpRequired || shut.Reasons[0].Reason != pinfree.PayerClosed {
		t.Errorf("with the payer's switch off: %+v", shut)
	}
	wantState(t, must(w.a.Payments.Cancel(t.Context(), p.Actor(), shut.ID))(t), payment.Declined)
	w.wantBalance(t, p, 479_00)
	if err := w.services[w.a].EndContract(t.Context(), w.caller, first, "x"); err != nil {
		t.Fatal(err)
	}
	again := must(w.debit(t.Context(), w.b, first, no, 20_00))(t) // what was taken is told, though the contract has ended
	wantState(t, again, payment.Approved)
	_, err = w.debit(t.Context(), w.b, second, order(), 1_00)
	wantKind(t, err, mianmi.Conflict, "mandate_ended")
	_, err = w.a.Payments.Authorize(t.Context(), w.Manager, payment.Request{Terminal: w.Terminal, OrderNo: order(), Amount: money.Of(1, "CNY"), Method: pinfree.MandateDebit})
	wantKind(t, err, mianmi.Invalid, "")
}

// noDebitAfterTheEnd: once an end is acknowledged, by payer or merchant, no
// charge that begins later passes, on no node, and no reopening lets one pass.
func noDebitAfterTheEnd(t *testing.T, w *contractWorld) {
	for i, byPayer := range []bool{true, false} {
		p := w.person(t, 100_00)
		name := w.sign(t, p, fmt.Sprintf("end%d", i))
		a := must(w.a.Payers.Agreements(t.Context(), p.Actor(), p.ID))(t)[0]
		var over atomic.Bool
		var passed atomic.Int64
		w.both(5, func(i int, n *Node) {
			if i == 4 {
				var err error
				if byPayer {
					_, err = n.Payers.CloseAgreement(t.Context(), p.Actor(), p.ID, a.ID)
				} else {
					err = w.services[n].EndContract(t.Context(), w.caller, name, "x")
				}
				if over.Store(true); err != nil {
					t.Errorf("ending: %v", err)
				}
				return
			}
			for range 30 {
				late := over.Load()
				got, err := w.debit(t.Context(), n, name, order(), 1)
				switch {
				case err == nil && late:
					t.Errorf("a charge that began after the end is %v", got.State)
				case err == nil && got.State == payment.Approved:
					passed.Add(1)
				case err != nil:
					wantKind(t, err, mianmi.Conflict, "mandate_ended")
				}
				if late {
					return
				}
			}
		})
		w.clock.Add(time.Second)
		w.sign(t, p, fmt.Sprintf("anew%d", i))
		_, err := w.debit(t.Context(), w.b, name, order(), 1)
		wantKind(t, err, mianmi.Conflict, "mandate_ended")
		w.wantBalance(t, p, 100_00-passed.Load())
	}
}
