package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
	"github.com/mianmi/mianmi/payer"
)

// A payer signs a contract at WeChat Pay for an agreement here. Closing the
// agreement ends it there, by the worker, though WeChat Pay's answers are lost and
// the server is killed in between; meanwhile everybody is told that WeChat Pay has not
// confirmed. Ending it in WeChat closes the agreement here.
func TestServeKeepsContracts(t *testing.T) {
	t.Parallel()
	s, srv := newShop(t)
	srv.stop()
	var lost atomic.Bool
	wechat, file := s.wechatOfContracts(t, &lost)
	srv = s.serve(t, "--wechatpay="+file)
	me := s.payers[0]
	session := must(srv.LoginPayer(t.Context(), "+8613800000000", shopPassword))(t).Token
	phone := srv.As(session)
	agree := func() client.Agreement {
		t.Helper()
		return must(phone.OpenAgreement(t.Context(), me, client.NewAgreement{Merchant: s.merchant, ConsentVersion: payer.ConsentText.Version, Password: shopPassword}))(t)
	}
	is := func(id mianmi.ContractID, state string) func() bool {
		return func() bool { return must(phone.Contract(t.Context(), id))(t).State == state }
	}
	sign := func(a client.Agreement) mianmi.ContractID {
		t.Helper()
		begun := must(phone.OpenContract(t.Context(), me, a.ID, client.NewContract{Channel: "wechatpay", Kind: "password_exempt"}))(t)
		if begun.Session == "" || begun.Path == "" || begun.Contract.State != "signing" {
			t.Errorf("the session: %+v", begun)
		}
		wechat.SignContract(string(begun.Contract.ID))
		srv.notifyContract(t, wechat, begun.Contract.ID)
		eventually(t, "the contract is signed", is(begun.Contract.ID, "signed"))
		return begun.Contract.ID
	}

	a := agree()
	first := sign(a)
	lost.Store(true)
	closed := must(srv.As(s.wallet).CloseAgreement(t.Context(), me, a.ID))(t)
	if closed.Open || closed.Sentence.ZH != "已关闭，微信侧尚未确认" || closed.Sentence.EN != "Closed; not yet confirmed by WeChat Pay" || len(closed.Contracts) != 1 {
		t.Errorf("closed, and nobody has confirmed: %+v", closed)
	}
	eventually(t, "WeChat Pay has ended it", func() bool { return wechat.Remark(string(first)) != "" })
	eventually(t, "the server has noted that nothing came back", func() bool { return strings.Contains(srv.log(), "did not say what was asked about a contract") })
	if !is(first, "ending")() {
		t.Error("it is confirmed by an answer that was lost")
	}
	s.listsUnconfirmed(t, srv, first)
	srv.kill()
	lost.Store(false)
	srv = s.serve(t, "--wechatpay="+file)
	phone = srv.As(session)
	eventually(t, "WeChat Pay has confirmed", is(first, "ended"))
	if got := must(phone.Agreements(t.Context(), me))(t); len(got) != 1 || got[0].Sentence.ZH != "已关闭" {
		t.Errorf("closed and confirmed: %+v", got)
	}

	second := sign(agree())
	wechat.EndContract(string(second))
	srv.notifyContract(t, wechat, second)
	eventually(t, "the agreement is closed", func() bool { return !must(phone.Agreements(t.Context(), me))(t)[0].Open })
	if c := must(srv.As(s.pos).Contract(t.Context(), second))(t); c.State != "ended" || c.EndedBy != "USER_TERMINATE" || c.Payer != "" {
		t.Errorf("the shop sees %+v", c)
	}
	third := s.endByHand(t, sign(agree()))
	eventually(t, "WeChat Pay has ended the third", is(third, "ended"))
	s.listsAll(t, srv, third, first)
	if !is(first, "ended")() {
		t.Error("the former contract is another")
	}
	for _, secret := range []string{wechatpaytest.OpenID, "pre-" + string(first)} {
		if strings.Contains(srv.log(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// listsUnconfirmed: the shop and the command line find a contract that is closed here, and
// not yet there.
func (s *shop) listsUnconfirmed(t *testing.T, srv *server, id mianmi.ContractID) {
	t.Helper()
	waits := must(srv.As(s.pos).Contracts(t.Context(), client.ContractQuery{State: "ending"}))(t)
	if len(waits.Items) != 1 || waits.Items[0].ID != id || waits.Items[0].RevokedBy != "api_client" || waits.Items[0].Payer != "" {
		t.Errorf("the shop's list of what is not confirmed: %+v", waits)
	}
	if got := s.run(t, "contract", "list", "--state=ending", "--lang=zh"); got.code != exitOK || !strings.Contains(got.stdout, string(id)) || !strings.Contains(got.stdout, "已关闭，微信侧尚未确认") {
		t.Errorf("on the command line: %+v", got)
	}
	if got := s.run(t, "contract", "show", string(id)); got.code != exitOK || !strings.Contains(got.stdout, "api_client:ak") || !strings.Contains(got.stdout, string(s.payers[0])) {
		t.Errorf("one on the command line: %+v", got)
	}
}

// endByHand ends a contract on the command line.
func (s *shop) endByHand(t *testing.T, id mianmi.ContractID) mianmi.ContractID {
	t.Helper()
	if got := s.run(t, "contract", "end", string(id)); got.code != exitOK || !strings.Contains(got.stdout, "system:command-line") {
		t.Errorf("ended on the command line: %+v", got)
	}
	return id
}

// listsAll: three contracts are two pages.
func (s *shop) listsAll(t *testing.T, srv *server, newest, oldest mianmi.ContractID) {
	t.Helper()
	list := must(srv.As(s.pos).Contracts(t.Context(), client.ContractQuery{Limit: 2}))(t)
	rest := must(srv.As(s.pos).Contracts(t.Context(), client.ContractQuery{Limit: 2, Before: list.Next}))(t)
	if len(list.Items) != 2 || len(rest.Items) != 1 || rest.Next != "" || list.Items[0].ID != newest || rest.Items[0].ID != oldest {
		t.Errorf("pages of the list: %+v, %+v", list, rest)
	}
}

// wechatOfContracts is a WeChat Pay at which the shop's payers sign, and the file of
// the connection to it. While lost, it does what it is asked, and its answers get lost.
func (s *shop) wechatOfContracts(t *testing.T, lost *atomic.Bool) (wechat *wechatpaytest.Server, file string) {
	t.Helper()
	wechat = wechatpaytest.Start(t, func(real http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !lost.Load() {
				real.ServeHTTP(w, r)
				return
			}
			real.ServeHTTP(discard{http.Header{}}, r)
			w.WriteHeader(http.StatusBadGateway)
		})
	})
	file = s.wechatFile(t, wechat.URL)
	text, err := os.ReadFile(file)
	if err == nil {
		changed := strings.Replace(string(text), "mc0000000000000000000000shop", string(s.merchant), 1) + "    contracts: {password_exempt: \"12535\"}\n"
		err = os.WriteFile(file, []byte(changed), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wechat, file
}

// discard takes an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// notifyContract has WeChat Pay notify of a contract.
func (s *server) notifyContract(t *testing.T, wechat *wechatpaytest.Server, id mianmi.ContractID) {
	t.Helper()
	body := wechatpaytest.Notification("PAPAY.NEWS", wechat.ContractNote(string(id), false))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address+"/v3-notify/shop/contract", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = wechat.Sign(wechatpaytest.PublicKeyID, body)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil || got.StatusCode != http.StatusNoContent {
		t.Errorf("a notification is answered %d, %v", got.StatusCode, err)
	}
}
