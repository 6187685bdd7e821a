package storetest

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/contract"
	"github.com/mianmi/mianmi/payer"
)

// signer is a channel at which contracts are signed: standings in memory.
type signer struct {
	mu        sync.Mutex
	standings map[mianmi.ContractID]channel.ContractStanding
	down      bool // nothing is answered
	deaf      bool // what is asked is done, and the answer is lost
	ends      int  // how often a contract that was signed was ended by us
	learnt    map[mianmi.ContractID]string
}

func (*signer) Name() string { return "sign" }

func (*signer) ContractService(_ mianmi.MerchantID, kind string) (string, bool) {
	return "12535", kind == "password_exempt"
}

func (s *signer) SignContract(_ context.Context, o channel.ContractOrder) channel.ContractSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down || s.standings[o.Contract] != channel.ContractUnclear {
		return channel.ContractSession{Fault: "down, or a code that was used"}
	}
	s.standings[o.Contract] = channel.ContractUnsigned
	return channel.ContractSession{Session: "session of " + string(o.Contract)}
}

func (s *signer) AskContract(_ context.Context, r channel.ContractRef) channel.ContractAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(r.Contract)
}

func (s *signer) answer(id mianmi.ContractID) channel.ContractAnswer {
	if s.down || s.deaf {
		return channel.ContractAnswer{Fault: "no answer"}
	}
	return channel.ContractAnswer{Standing: s.standings[id], Number: "no-" + string(id[len(id)-4:]), Payer: payerOf(id)}
}

// payerOf is what the channel calls who signs a contract.
func payerOf(id mianmi.ContractID) string { return "who signed " + string(id) }

func (s *signer) learn(_ context.Context, c *contract.Contract, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.learnt == nil {
		s.learnt = map[mianmi.ContractID]string{}
	}
	s.learnt[c.ID] += name
}

func (s *signer) learntOf(id mianmi.ContractID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.learnt[id]
}

func (s *signer) EndContract(_ context.Context, r channel.ContractRef, _ string) channel.ContractAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down && s.standings[r.Contract] == channel.ContractSigned {
		s.standings[r.Contract] = channel.ContractEnded
		s.ends++
	}
	return s.answer(r.Contract)
}

// is has the payer, or WeChat Pay, do something: a contract only goes forward.
func (s *signer) is(id mianmi.ContractID, from, to channel.ContractStanding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standings[id] == from {
		s.standings[id] = to
	}
}

func (s *signer) sign(id mianmi.ContractID) {
	s.is(id, channel.ContractUnsigned, channel.ContractSigned)
}

func (s *signer) set(down, deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.deaf = down, deaf
}

// signWorld is payers who sign.
type signWorld struct {
	*payerWorld
	signer    *signer
	contracts *contract.Service
	alarms    int
}

func newSignWorld(t *testing.T, nodes Nodes) *signWorld {
	t.Helper()
	w := &signWorld{payerWorld: newPayerWorld(t, nodes, payer.Config{NoCoolingOff: true}), signer: &signer{standings: map[mianmi.ContractID]channel.ContractStanding{}}}
	w.contracts = w.serve(w.payerNode, w.db, func() { w.alarms++ })
	return w
}

// serve is a process that asks the channel.
func (w *signWorld) serve(n payerNode, db contract.Store, alarm func()) *contract.Service {
	return contract.New(contract.Parts{Store: db, Payers: n.payers, Channels: []channel.Contracts{w.signer}, Clock: w.clock, Random: w.random,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Unannounced: alarm, Learn: w.signer.learn}, 0)
}

// agree has a payer open an agreement.
func (w *signWorld) agree(t *testing.T, who mianmi.Actor) payer.Agreement {
	t.Helper()
	return must(w.payers.OpenAgreement(t.Context(), who, idOf(who), payer.AgreementInput{Merchant: w.merchant.ID, Password: password, ConsentVersion: payer.ConsentText.Version}))(t)
}

func (w *signWorld) begin(t *testing.T, who mianmi.Actor, a payer.Agreement) mianmi.ContractID {
	t.Helper()
	c, s, err := w.contracts.Open(t.Context(), who, idOf(who), contract.Order{Agreement: a.ID, Channel: "sign", Kind: "password_exempt"})
	if err != nil || s.Session == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	return c.ID
}

// signed is a payer with an agreement and a contract that is signed.
func (w *signWorld) signed(t *testing.T) (who mianmi.Actor, a payer.Agreement, id mianmi.ContractID) {
	t.Helper()
	who = w.payer(t, true)
	a = w.agree(t, who)
	id = w.begin(t, who, a)
	w.signer.sign(id)
	w.later(t, time.Minute)
	w.is(t, id, contract.Signed)
	return who, a, id
}

// later moves the clock and has the channel asked until nothing is due.
func (w *signWorld) later(t *testing.T, d time.Duration) {
	t.Helper()
	w.clock.Add(d)
	for range 100 {
		if must(w.contracts.Ask(t.Context()))(t) == 0 {
			return
		}
	}
	t.Fatal("there is no end of questions")
}

func (w *signWorld) is(t *testing.T, id mianmi.ContractID, want contract.State) contract.Contract {
	t.Helper()
	c := must(w.contracts.Show(t.Context(), w.support, id))(t)
	if got := c.State(w.clock.Now()); got != want {
		t.Errorf("the contract is %v, want %v: %+v", got, want, c)
	}
	return c
}

func (w *signWorld) agreementIs(t *testing.T, who mianmi.Actor, open bool) {
	t.Helper()
	if list := must(w.payers.Agreements(t.Context(), who, idOf(who)))(t); len(list) != 1 || list[0].Open != open {
		t.Errorf("agreements: %+v, want open %v", list, open)
	}
}

// told are the types of a contract's entries.
func (w *signWorld) told(t *testing.T, id mianmi.ContractID) (types []string) {
	t.Helper()
	b := must(id.Bucket())(t)
	for _, e := range must(w.db.Entries(t.Context(), payer.EntryQuery{Bucket: b, Subject: string(id), Limit: 100}))(t) {
		types = append(types, e.Type)
	}
	return types
}

func wantTypes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}
