package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/payer"
)

// contractPaths are the numbers of the kinds of contract that newPair configures.
var contractPaths = map[string]string{"password_exempt": "/v3/password-exempt-contract/contracts/service-id/12535/out-contract-code/",
	"papay": "/v3/papay/sign/contracts/plan-id/1201/out-contract-code/"}

// life is what the test knows of one contract, from what was acknowledged.
type life struct {
	kind   string
	payer  int
	signed bool // the page said so
	closed bool // somebody was told that it is over, at WeChat Pay
}

// signings are contracts of two servers, by their number at the shop's.
type signings struct {
	*pair
	sdk    *core.Client // the shop's software at the other server
	phones [2][3]*client.Client
	lives  map[mianmi.ContractID]*life
	debits int
	passed int
}

func newSignings(t *testing.T) *signings {
	t.Helper()
	s := &signings{pair: newPair(t), lives: map[mianmi.ContractID]*life{}}
	s.sdk = officialClient(s.t, s.c, s.other)
	for side, at := range []*server{s.till, s.other} {
		for i := range s.phones[side] {
			session := must(at.LoginPayer(t.Context(), fmt.Sprintf("+861380000000%d", i), shopPassword))(t)
			s.phones[side][i] = at.As(session.Token)
		}
	}
	return s
}

// sign types at the page what the payer types, and reports whether it says that
// the contract is signed.
func (s *signings) sign(page string, payerNo int) bool {
	form := url.Values{"phone": {fmt.Sprintf("+861380000000%d", payerNo)}, "password": {shopPassword}, "limit": {"200"}, "agree": {"1"},
		"consent": {payer.ConsentText.Version}, "do": {"sign"}}
	r, err := http.PostForm(page, form) //nolint:gosec,noctx // the test's own server, which may be killed meanwhile
	if err != nil {
		return false
	}
	defer r.Body.Close() //nolint:errcheck // read whole
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil && r.StatusCode == http.StatusOK
}

// live goes through the life of one contract until something fails: a server may
// be killed at any moment. What was acknowledged is kept.
func (s *signings) live(payerNo int, kind string, end int) {
	ctx, here := s.t.Context(), s.phones[0][payerNo]
	a, err := here.OpenAgreement(ctx, client.Me, client.NewAgreement{Merchant: s.shop.merchant, ConsentVersion: payer.ConsentText.Version, Password: shopPassword})
	if err != nil {
		return
	}
	n := client.NewContract{Channel: "wechatpay", Kind: kind}
	if kind == "papay" {
		n.Device = &client.ContractDevice{Type: "DEVICE_TYPE_PHONE", OS: "DEVICE_OS_ANDROID", ID: "d1", IP: "192.0.2.1", ByQR: true}
	}
	begun, err := here.OpenContract(ctx, client.Me, a.ID, n)
	if err != nil { // perhaps one stands: the next life is another's
		_, _ = here.CloseAgreement(ctx, client.Me, a.ID)
		return
	}
	of := &life{kind: kind, payer: payerNo}
	s.lives[begun.Contract.ID] = of
	again := make(chan bool)
	go func() { again <- s.sign(begun.URL, payerNo) }() // a payer who is impatient
	of.signed = s.sign(begun.URL, payerNo)
	if <-again || of.signed {
		of.signed = true
	} else {
		return
	}
	switch end {
	case 0:
		_, _ = here.CloseAgreement(ctx, client.Me, a.ID) // that it is over there is told later
	case 1:
		_, _ = here.EndContract(ctx, begun.Contract.ID)
	case 2:
		there := s.phones[1][payerNo]
		list, err := there.Agreements(ctx, client.Me)
		if err != nil || len(list) == 0 {
			return
		}
		if closed, err := there.CloseAgreement(ctx, client.Me, list[0].ID); err == nil && !closed.Open {
			for _, l := range s.lives { // several contracts of a payer end together
				l.closed = l.closed || l.payer == payerNo && l.signed
			}
		}
	}
}

// there is the contract as the other server has it: UNSIGNED, SIGNED, TERMINATED,
// or NONE; and its number there.
func (s *signings) there(id mianmi.ContractID) (state, number string) {
	s.t.Helper()
	got, err := s.sdk.Get(s.t.Context(), "https://api.mch.weixin.qq.com"+contractPaths[s.lives[id].kind]+string(id))
	var problem *core.APIError
	if errors.As(err, &problem) && problem.StatusCode == http.StatusNotFound {
		return "NONE", ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Response.Body.Close() //nolint:errcheck // read whole
	var view struct {
		State  string `json:"contract_state"`
		Number string `json:"contract_id"`
	}
	if err := json.NewDecoder(got.Response.Body).Decode(&view); err != nil {
		s.t.Fatal(err)
	}
	return view.State, view.Number
}

// debit charges under a contract without the payer, and reports whether it passed.
func (s *signings) debit(number string) bool {
	s.t.Helper()
	s.debits++
	no := fmt.Sprintf("debit%06d", s.debits)
	_, err := s.sdk.Post(s.t.Context(), "https://api.mch.weixin.qq.com/v3/papay/pay/transactions/apply", map[string]any{"appid": s.c.appid, "mchid": s.c.mchid,
		"description": "茶", "out_trade_no": no, "transaction_notify_url": "http://" + s.at[0] + "/v3-notify/pair/transaction", "contract_id": number,
		"amount": map[string]any{"total": 100, "currency": "CNY"}})
	var problem *core.APIError
	if errors.As(err, &problem) && problem.StatusCode == http.StatusBadRequest {
		return false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	p := must(s.other.As(s.wechat.pos).PaymentByOrder(s.t.Context(), s.wechat.merchant, no))(s.t)
	return p.State == "approved" && p.CVM == "none"
}

// query runs a statement on the shop's books.
func (s *signings) query(text string, into ...any) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.shop.dir, "data", "mianmi.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the statement is what counts
	if len(into) == 0 {
		_, err = db.ExecContext(s.t.Context(), text)
	} else {
		err = db.QueryRowContext(s.t.Context(), text).Scan(into...)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// agrees reports whether both servers have the same of a contract, for good.
func (s *signings) agrees(id mianmi.ContractID) (ok bool, told string) {
	s.t.Helper()
	there, _ := s.there(id)
	c := must(s.till.As(s.shop.pos).Contract(s.t.Context(), id))(s.t)
	told = fmt.Sprintf("%s is %s here and %s there: %+v", id, c.State, there, *s.lives[id])
	switch c.State {
	case "signed":
		return there == "SIGNED", told
	case "ended":
		return there == "TERMINATED", told
	case "signing":
		return there == "UNSIGNED" || there == "NONE", told
	case "ending": // what is revoked can be signed while its page lives
		return c.SignedAt == nil && (there == "UNSIGNED" || there == "NONE"), told
	}
	return false, told
}

// settles waits until both servers agree about all contracts. The sweep's time is
// brought forward.
func (s *signings) settles() {
	s.t.Helper()
	var last time.Time
	eventually(s.t, "both servers agree", func() bool {
		if time.Since(last) > time.Second {
			last = time.Now()
			s.query(`UPDATE channel_contract SET due_at = opened_at WHERE due_at IS NOT NULL`)
		}
		for id := range s.lives {
			if ok, _ := s.agrees(id); !ok {
				return false
			}
		}
		return true
	})
}

// Either server is killed at any moment of the lives of contracts, of both kinds:
// opened, signed on the payer's page, ended here by the agreement or alone, ended
// there by the payer. When the sweep has been, both servers agree about each; what
// the page called signed is signed there, once; and nothing passes without the payer
// under what was told to be over, at once and afterwards.
func TestContractsBetweenTwoServersThatDie(t *testing.T) {
	t.Parallel()
	seeds, rounds := 1, 12
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		seeds, rounds = 5, 40
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newSignings(t)
			random := rand.New(rand.NewPCG(20261201, uint64(seed))) //nolint:gosec // a test's
			for i := range rounds {
				s.round(random, i%3, []string{"password_exempt", "papay"}[random.IntN(2)], random.IntN(4))
			}
			s.settles()
			s.examine()
		})
	}
}

// round lives one contract while a server may be killed.
func (s *signings) round(random *rand.Rand, payerNo int, kind string, end int) {
	s.t.Helper()
	gone := make(chan struct{})
	go func() { defer close(gone); s.live(payerNo, kind, end) }()
	select {
	case <-gone:
	case <-time.After(time.Duration(random.IntN(300)) * time.Millisecond):
	}
	switch random.IntN(3) {
	case 0:
		s.till.kill()
		<-gone
		s.startTill()
	case 1:
		s.other.kill()
		<-gone
		s.startWechat()
	}
	<-gone
	for id, l := range s.lives {
		if l.closed && l.payer == payerNo {
			if state, number := s.there(id); state != "TERMINATED" || s.debit(number) {
				s.t.Errorf("round of payer %d: %s was over, and is %s", payerNo, id, state)
			}
		}
	}
}

// examine looks at what has settled.
func (s *signings) examine() {
	s.t.Helper()
	standing := map[int]int{}
	for id, l := range s.lives {
		state, number := s.there(id)
		_, told := s.agrees(id)
		if l.signed && state != "SIGNED" && state != "TERMINATED" {
			s.t.Errorf("a signature was lost: %s", told)
		}
		if state == "SIGNED" {
			standing[l.payer]++
		}
		if number == "" || state == "UNSIGNED" {
			continue
		}
		if s.debit(number) != (state == "SIGNED") {
			s.t.Errorf("a charge without the payer: %s", told)
		}
		var signed, ended int
		s.query(`SELECT count(*) FILTER (WHERE type = 'contract.signed'), count(*) FILTER (WHERE type LIKE 'contract.ended%') FROM entry WHERE subject = '`+string(id)+`'`, &signed, &ended)
		if signed > 1 || ended > 1 || (ended == 1) != (state == "TERMINATED") {
			s.t.Errorf("the log has %d signatures and %d ends: %s", signed, ended, told)
		}
		s.passed++
	}
	for payerNo, n := range standing {
		if n > 1 {
			s.t.Errorf("payer %d has signed %d contracts for one agreement", payerNo, n)
		}
	}
	for _, id := range s.shop.payers {
		for _, a := range must(s.till.As(s.shop.wallet).Agreements(s.t.Context(), id))(s.t) {
			for _, c := range a.Contracts {
				if !a.Open && c.State == "signed" {
					s.t.Errorf("%s is signed, and its agreement is closed", c.ID)
				}
			}
		}
	}
	if s.passed == 0 {
		s.t.Error("nothing was signed")
	}
	s.t.Logf("%d contracts, %d signed, %v stand", len(s.lives), s.passed, standing)
}
