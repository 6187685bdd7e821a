package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/privacy"
)

// Contracts is the contract of contracts at channels.
func Contracts(t *testing.T, nodes func(*testing.T) Nodes) {
	tests := map[string]func(*testing.T, Nodes){
		"a contract is signed, and ends with its agreement":            contractEnds,
		"closed is not confirmed before the channel says so":           contractUnconfirmed,
		"what is signed after its agreement was closed is ended":       contractSignedLate,
		"nobody signs, and a new session takes the former one's place": contractLapses,
		"an end at the channel closes the agreement, and is told":      contractEndedThere,
		"loss report, erasure and support end contracts, too":          contractEndsByAnyWay,
		"rights on contracts":               contractRights,
		"lists of contracts":                contractList,
		"rights on lists of contracts":      contractListRights,
		"two workers and everybody at once": contractsAtOnce,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, nodes(t))
		})
	}
}

func contractEnds(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who, a, id := w.signed(t)
	if c := w.is(t, id, contract.Signed); c.Number == "" || c.Agreement != a.ID || c.SignedAt.IsZero() {
		t.Errorf("%+v", c)
	}
	if got := w.signer.learntOf(id); got != payerOf(id) {
		t.Errorf("who has signed is learnt as %q", got)
	}
	_, _, err := w.contracts.Open(t.Context(), who, idOf(who), contract.Order{Agreement: a.ID, Channel: "sign", Kind: "password_exempt"})
	wantKind(t, err, mianmi.Conflict, "contract_signed")
	closed := must(w.payers.CloseAgreement(t.Context(), who, idOf(who), a.ID))(t)
	c := w.is(t, id, contract.Ending)
	if words := contract.Sentence(&closed, []contract.Contract{c}, w.clock.Now()); words.ZH != "已关闭，渠道侧尚未确认" {
		t.Errorf("the agreement says %q", words.ZH)
	}
	w.later(t, time.Second)
	c = w.is(t, id, contract.Ended)
	if words := contract.Sentence(&closed, []contract.Contract{c}, w.clock.Now()); words.ZH != "已关闭" || w.alarms != 0 {
		t.Errorf("the agreement says %q, %d alarms", words.ZH, w.alarms)
	}
	wantTypes(t, w.told(t, id), contract.TypeOpened, contract.TypeSigned, contract.TypeEnded)

	// The agreement again is no contract again, and the next contract is another.
	w.clock.Add(time.Second)
	again := w.agree(t, who)
	w.is(t, id, contract.Ended)
	if next := w.begin(t, who, again); next == id {
		t.Error("a code was used twice")
	}
}

func contractUnconfirmed(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who, a, id := w.signed(t)
	w.signer.set(true, false)
	must(w.payers.CloseAgreement(t.Context(), who, idOf(who), a.ID))(t)
	for range 12 {
		w.later(t, time.Hour)
		w.is(t, id, contract.Ending)
	}
	if n := must(w.db.UnconfirmedContracts(t.Context(), 10))(t); n != 1 {
		t.Errorf("%d are unconfirmed", n)
	}
	// It is ended, and the process dies before it hears so: the next one asks.
	w.signer.set(false, true)
	w.later(t, time.Hour)
	w.is(t, id, contract.Ending)
	w.signer.set(false, false)
	other := w.serve(w.node(t), w.open(), nil)
	w.clock.Add(2 * time.Hour)
	must(other.Ask(t.Context()))(t)
	w.is(t, id, contract.Ended)
	if w.signer.ends != 1 || w.alarms != 0 || must(w.db.UnconfirmedContracts(t.Context(), 10))(t) != 0 {
		t.Errorf("ended %d times, %d alarms", w.signer.ends, w.alarms)
	}
	// A late answer of before changes nothing, and a notification does not either.
	if err := w.contracts.Tell(t.Context(), id); err != nil {
		t.Error(err)
	}
	w.later(t, time.Hour)
	w.is(t, id, contract.Ended)
}

func contractSignedLate(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who := w.payer(t, true)
	a := w.agree(t, who)
	id := w.begin(t, who, a)
	must(w.payers.CloseAgreement(t.Context(), who, idOf(who), a.ID))(t)
	w.later(t, time.Second)
	w.is(t, id, contract.Ending) // it can still be signed
	w.signer.sign(id)
	w.agree(t, who) // opened again: the contract of before stays revoked
	w.later(t, time.Hour)
	w.is(t, id, contract.Ended)
	w.agreementIs(t, who, true)
	wantTypes(t, w.told(t, id), contract.TypeOpened, contract.TypeSigned, contract.TypeEnded)

	// One that is never signed lapses, by the channel's word of after the session,
	// and is ended when it was signed after all.
	again := must(w.payers.Agreements(t.Context(), who, idOf(who)))(t)[0]
	id = w.begin(t, who, again)
	must(w.contracts.End(t.Context(), who, id))(t)
	w.signer.set(true, false)
	w.later(t, 3*time.Hour)
	w.is(t, id, contract.Ending)
	w.signer.set(false, false)
	w.later(t, 3*time.Hour)
	w.is(t, id, contract.Lapsed)
	w.signer.sign(id)
	w.later(t, 25*time.Hour)
	w.is(t, id, contract.Ended)
}

func contractLapses(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who := w.payer(t, true)
	a := w.agree(t, who)
	first := w.begin(t, who, a)
	w.is(t, first, contract.Signing)
	w.later(t, time.Minute)
	second := w.begin(t, who, a)
	w.is(t, first, contract.Ending)
	w.later(t, contract.SessionLife)
	w.is(t, first, contract.Lapsed)
	w.is(t, second, contract.Lapsed)
	// Signed when nobody expected it: only the one that nobody revoked counts.
	w.signer.sign(first)
	w.signer.sign(second)
	w.later(t, 25*time.Hour)
	w.is(t, first, contract.Ended)
	w.is(t, second, contract.Signed)
	w.agreementIs(t, who, true)

	w.signer.set(true, false)
	other := w.payer(t, true)
	b := w.agree(t, other)
	_, _, err := w.contracts.Open(t.Context(), other, idOf(other), contract.Order{Agreement: b.ID, Channel: "sign", Kind: "password_exempt"})
	wantKind(t, err, mianmi.Unavailable, "contract_session")
	if list := must(w.contracts.OfPayer(t.Context(), other, idOf(other)))(t); len(list) != 1 || list[0].State(w.clock.Now()) != contract.Signing {
		t.Errorf("what was asked without an answer: %+v", list)
	}
	w.later(t, 60*24*time.Hour)
	if list := must(w.contracts.OfPayer(t.Context(), other, idOf(other)))(t); list[0].State(w.clock.Now()) != contract.Lapsed || !list[0].Due.IsZero() {
		t.Errorf("two months later: %+v", list)
	}
}

func contractEndedThere(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who, _, id := w.signed(t)
	// A notification that says nothing true: the channel is asked, and nothing moves.
	if err := w.contracts.Tell(t.Context(), id); err != nil {
		t.Error(err)
	}
	w.later(t, time.Second)
	w.is(t, id, contract.Signed)
	w.agreementIs(t, who, true)
	if w.contracts.Tell(t.Context(), "pm1") != nil || w.contracts.Tell(t.Context(), id[:len(id)-3]+"0"+id[len(id)-2:]) != nil {
		t.Error("a contract that is not ours is a fault")
	}

	// Nobody tells: the sweep finds it within a day, which is an alarm.
	w.signer.is(id, channel.ContractSigned, channel.ContractEnded)
	w.later(t, 25*time.Hour)
	w.is(t, id, contract.Ended)
	w.agreementIs(t, who, false)
	wantTypes(t, w.told(t, id), contract.TypeOpened, contract.TypeSigned, contract.TypeUnannounced)
	if w.alarms != 1 || w.signer.ends != 0 {
		t.Errorf("%d alarms, ended %d times by us", w.alarms, w.signer.ends)
	}
	newest := w.entries(t, who)
	if e := newest[len(newest)-1]; e.Type != "payer.agreement.closed" || e.Actor != mianmi.System("contracts").String() {
		t.Errorf("the agreement was closed by %s: %s", e.Actor, e.Type)
	}

	// Somebody tells: no alarm.
	other, _, told := w.signed(t)
	w.signer.is(told, channel.ContractSigned, channel.ContractEnded)
	if err := w.contracts.Tell(t.Context(), told); err != nil {
		t.Error(err)
	}
	w.later(t, time.Second)
	w.agreementIs(t, other, false)
	wantTypes(t, w.told(t, told), contract.TypeOpened, contract.TypeSigned, contract.TypeEnded)
	if w.alarms != 1 {
		t.Errorf("%d alarms", w.alarms)
	}
}

func contractEndsByAnyWay(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	for name, closes := range map[string]func(mianmi.Actor, payer.Agreement) error{
		"a loss report": func(who mianmi.Actor, _ payer.Agreement) error {
			_, err := w.payers.ReportLoss(t.Context(), w.support, idOf(who), checked)
			return err
		},
		"support": func(who mianmi.Actor, a payer.Agreement) error {
			if _, err := w.payers.CloseAgreement(t.Context(), w.support, idOf(who), a.ID); err != nil {
				return err
			}
			// A person with a contract whose end is not confirmed is not erased.
			if _, err := w.payers.Close(t.Context(), who, idOf(who), payer.Basis{}); err != nil {
				return err
			}
			err := w.db.ErasePerson(t.Context(), privacy.Erasure{Payer: idOf(who), PhoneDigest: []byte("none"), Entry: evidence.Entry{
				ID: mianmi.EntryID("en" + who.ID[2:]), At: w.clock.Now(), Type: privacy.TypeErased, Subject: who.ID, Actor: w.support.String(), Body: []byte("{}")}})
			wantKind(t, err, mianmi.Conflict, "contracts_open")
			return nil
		},
	} {
		who, a, id := w.signed(t)
		if err := closes(who, a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.later(t, time.Second)
		w.is(t, id, contract.Ended)
	}
	if w.signer.ends != 2 || w.alarms != 0 {
		t.Errorf("ended %d times, %d alarms", w.signer.ends, w.alarms)
	}
}

func contractRights(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	who, a, id := w.signed(t)
	stranger := w.payer(t, true)
	_, _, err := w.contracts.Open(t.Context(), stranger, idOf(who), contract.Order{Agreement: a.ID, Channel: "sign", Kind: "password_exempt"})
	wantKind(t, err, mianmi.Denied, "not_allowed")
	for _, o := range []struct {
		order contract.Order
		kind  mianmi.Kind
	}{
		{contract.Order{Agreement: a.ID, Channel: "other", Kind: "password_exempt"}, mianmi.Invalid},
		{contract.Order{Agreement: a.ID, Channel: "sign", Kind: "papay"}, mianmi.Invalid},
		{contract.Order{Agreement: "ag1", Channel: "sign", Kind: "password_exempt"}, mianmi.NotFound},
	} {
		if _, _, err := w.contracts.Open(t.Context(), who, idOf(who), o.order); mianmi.KindOf(err) != o.kind {
			t.Errorf("%+v: %v", o.order, err)
		}
	}
	key := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak7", Merchant: w.merchant.ID, Scopes: mianmi.ScopeTighten}
	for name, actor := range map[string]mianmi.Actor{"the shop's administrator": w.admin, "the shop's key": key} {
		if c, err := w.contracts.Show(t.Context(), actor, id); err != nil || c.Payer != "" || c.ID != id {
			t.Errorf("%s sees %+v, %v", name, c, err)
		}
	}
	elsewhere := key
	elsewhere.Merchant = "mc1"
	for name, actor := range map[string]mianmi.Actor{"a stranger": stranger, "a cashier": w.cashier, "another shop's key": elsewhere} {
		if _, err := w.contracts.Show(t.Context(), actor, id); mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.contracts.End(t.Context(), actor, id); mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("%s ends it: %v", name, err)
		}
	}
	if c := must(w.contracts.End(t.Context(), key, id))(t); c.State(w.clock.Now()) != contract.Ending || c.Payer != "" {
		t.Errorf("%+v", c)
	}
	w.later(t, time.Second)
	w.is(t, id, contract.Ended)
	w.agreementIs(t, who, true)
	wantTypes(t, w.told(t, id), contract.TypeOpened, contract.TypeSigned, contract.TypeRevoked, contract.TypeEnded)
}

// Payers sign, close and open again while two processes ask and notifications
// come: in the end nothing is signed at the channel for an agreement that is closed,
// and what is signed at both is signed for one that is open.
func contractsAtOnce(t *testing.T, nodes Nodes) {
	w := newSignWorld(t, nodes)
	var payers []mianmi.Actor
	for range 3 {
		payers = append(payers, w.payer(t, true))
	}
	second := w.serve(w.node(t), w.open(), nil)
	stop := make(chan struct{})
	var asking, acting sync.WaitGroup
	for _, s := range []*contract.Service{w.contracts, second} {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Ask(t.Context()); err != nil && mianmi.KindOf(err) != mianmi.Unavailable {
					t.Error(err)
				}
				w.clock.Add(20 * time.Second)
			}
		})
	}
	for _, who := range payers {
		acting.Go(func() {
			for range 3 {
				a, err := w.payers.OpenAgreement(t.Context(), who, idOf(who), payer.AgreementInput{Merchant: w.merchant.ID, Password: password, ConsentVersion: payer.ConsentText.Version})
				if err != nil {
					t.Error(err)
					return
				}
				c, _, err := w.contracts.Open(t.Context(), who, idOf(who), contract.Order{Agreement: a.ID, Channel: "sign", Kind: "password_exempt"})
				if err != nil {
					t.Error(err)
					return
				}
				w.signer.sign(c.ID)
				if err := w.contracts.Tell(t.Context(), c.ID); err != nil {
					t.Error(err)
				}
				if _, err := w.payers.CloseAgreement(t.Context(), who, idOf(who), a.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	acting.Wait()
	close(stop)
	asking.Wait()
	for range 3 {
		w.later(t, 2*time.Hour)
	}
	for id, standing := range w.signer.standings {
		if c := must(w.db.ChannelContract(t.Context(), id))(t); standing != channel.ContractEnded || c.Standing != standing {
			t.Errorf("the channel says %v, we %+v", standing, c)
		}
		if types := w.told(t, id); len(types) > 4 || !slices.Contains(types, contract.TypeEnded) || slices.Contains(types, contract.TypeUnannounced) {
			t.Errorf("entries of %s: %v", id, types)
		}
	}
	if len(w.signer.standings) != 9 || w.signer.ends != 9 {
		t.Errorf("%d contracts, %d of them ended", len(w.signer.standings), w.signer.ends)
	}
}
