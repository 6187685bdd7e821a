package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	wxnotify "github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi/store/pgtest"
)

// mailbox is a merchant's receiver of notifications, by the official client. It
// refuses each one so often, so that each has to come again.
type mailbox struct {
	*httptest.Server
	handler  *wxnotify.Handler
	refusals int

	mu    sync.Mutex
	tries map[string]int            // by identifier
	facts map[string]map[string]int // identifiers of a fact that were taken
	bad   []error
}

func newMailbox(t *testing.T, c credentials, refusals int) *mailbox {
	t.Helper()
	public := must(utils.LoadPublicKey(c.file(t, "pub_key.pem")))(t)
	in := &mailbox{refusals: refusals, tries: map[string]int{}, facts: map[string]map[string]int{},
		handler: must(wxnotify.NewRSANotifyHandler(c.apiKey, verifiers.NewSHA256WithRSAPubkeyVerifier(c.keyID, *public)))(t)}
	in.Server = httptest.NewServer(in)
	t.Cleanup(in.Close)
	return in
}

// ServeHTTP takes a notification, or not.
func (in *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var of struct {
		OutTradeNo string `json:"out_trade_no"`
		Action     string `json:"action_type"`
	}
	told, err := in.handler.ParseNotifyRequest(context.WithoutCancel(r.Context()), r, &of)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err != nil {
		in.bad = append(in.bad, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if in.tries[told.ID]++; in.tries[told.ID] <= in.refusals {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	fact := told.EventType + " " + of.OutTradeNo + of.Action
	if in.facts[fact] == nil {
		in.facts[fact] = map[string]int{}
	}
	in.facts[fact][told.ID]++
	w.WriteHeader(http.StatusNoContent)
}

func (in *mailbox) taken() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.facts)
}

// officialClient is WeChat Pay's own client at a server.
func officialClient(t *testing.T, c credentials, at *server) *core.Client {
	t.Helper()
	key, public := must(utils.LoadPrivateKey(c.file(t, "apiclient_key.pem")))(t), must(utils.LoadPublicKey(c.file(t, "pub_key.pem")))(t)
	return must(core.NewClient(t.Context(), option.WithWechatPayPublicKeyAuthCipher(c.mchid, c.serial, key, c.keyID, public),
		option.WithHTTPClient(&http.Client{Transport: elsewhere{must(url.Parse(at.address))(t)}})))(t)
}

// merchantSoftware is software of a merchant's at a server.
func merchantSoftware(t *testing.T, c credentials, at *server) func(path string, body map[string]any) map[string]any {
	t.Helper()
	sdk := officialClient(t, c, at)
	return func(path string, body map[string]any) (out map[string]any) {
		t.Helper()
		res := must(sdk.Post(t.Context(), "https://api.mch.weixin.qq.com"+path, body))(t)
		defer res.Response.Body.Close() //nolint:errcheck // read whole
		if err := json.Unmarshal(must(io.ReadAll(res.Response.Body))(t), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// Two servers on one database send what the front has to tell to a receiver
// that fails at times, and are killed while they do: each fact arrives, opens,
// and has one identifier, and what was tried is tried again after a restart.
func TestWechatNotificationsSurviveKills(t *testing.T) {
	t.Parallel()
	s, first := newShop(t, "MIANMI_DB="+pgtest.Open(t))
	first.stop()
	c := s.handOut(t)
	in := newMailbox(t, c, 2)
	start := func() *server { return s.serve(t, "--webhook-allow=127.0.0.0/8") }
	nodes := [2]*server{start(), start()}
	random := rand.New(rand.NewPCG(20261201, 3)) //nolint:gosec // a test's
	const orders = 6
	for i := range orders {
		no, node := fmt.Sprintf("notify%02d", i), nodes[random.IntN(2)]
		ask := merchantSoftware(t, c, node)
		qr, _ := ask("/v3/pay/transactions/native", map[string]any{"appid": c.appid, "mchid": c.mchid, "description": "茶", "out_trade_no": no,
			"notify_url": in.URL, "amount": map[string]int{"total": 300}})["code_url"].(string)
		session := must(node.LoginPayer(t.Context(), fmt.Sprintf("+861380000000%d", i%len(s.payers)), shopPassword))(t)
		must(node.As(session.Token).PayQR(t.Context(), strings.TrimPrefix(qr, "mianmi:"), shopPassword))(t)
		ask("/v3/refund/domestic/refunds", map[string]any{"out_trade_no": no, "out_refund_no": "R" + no, "notify_url": in.URL,
			"amount": map[string]any{"refund": 100, "total": 300, "currency": "CNY"}})
		if random.IntN(2) == 0 {
			which := random.IntN(2)
			nodes[which].kill()
			nodes[which] = start()
		}
	}
	nodes[0].kill() // and nobody starts it again
	eventually(t, "every fact arrives", func() bool { return in.taken() == 2*orders })
	in.mu.Lock()
	defer in.mu.Unlock()
	for fact, ids := range in.facts {
		if len(ids) != 1 {
			t.Errorf("%s has the identifiers %v, want one", fact, ids)
		}
		for id := range ids {
			if in.tries[id] <= in.refusals {
				t.Errorf("%s came %d times, and was refused %d times", fact, in.tries[id], in.refusals)
			}
		}
	}
	if len(in.bad) > 0 {
		t.Errorf("%d did not open, the first: %v", len(in.bad), in.bad[0])
	}
}
