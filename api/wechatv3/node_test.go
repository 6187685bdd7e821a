package wechatv3_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/wechat"
)

// nodeClient is where the client in JavaScript lies.
const nodeClient = "testdata/node"

// node is a merchant's software in JavaScript: wechatpay-axios-plugin, unchanged.
type node struct {
	t     *testing.T
	jobs  *json.Encoder
	said  chan nodeSaid
	inbox string // where it takes notifications
	told  []nodeTold
}

// nodeSaid is one line of what it says.
type nodeSaid struct {
	Listening    string
	Answer       *nodeAnswer
	Notification *nodeTold
}

// nodeAnswer is how a job went.
type nodeAnswer struct {
	Status int
	Error  string // of the client: why it does not believe an answer
	Data   json.RawMessage
}

// nodeTold is a notification that it has verified and opened.
type nodeTold struct {
	ID, Type, Error string
	Resource        map[string]any
}

// nodeKeys are what the client verifies with.
type nodeKeys struct {
	platform  string // "PUB_KEY_ID_…" or the serial of the platform certificate
	publicPEM []byte
}

// node starts the client for a shop.
func (s *shop) node(k nodeKeys) *node {
	t := s.w.t
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.json")
	text := must(json.Marshal(map[string]string{"mchid": s.MchID, "serial": s.Serial.Serial, "privateKey": string(s.Private), "apiKey": s.APIKey,
		"platform": k.platform, "publicKey": string(k.publicPEM), "baseURL": s.w.server.URL}))(t)
	check(t, os.WriteFile(config, text, 0o600))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "client.js", config) //nolint:gosec // its configuration
	cmd.Dir, cmd.Stderr = nodeClient, t.Output()
	in, out := must(cmd.StdinPipe())(t), must(cmd.StdoutPipe())(t)
	check(t, cmd.Start())
	n := &node{t: t, jobs: json.NewEncoder(in), said: make(chan nodeSaid, 64)} // more than a test is told of at once
	go n.listen(out)
	t.Cleanup(func() {
		_ = in.Close()     // by which it ends
		for range n.said { //nolint:revive // to the end, so that it can write it
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the client ended with %v", err)
		}
	})
	n.inbox = n.next().Listening
	return n
}

func (n *node) listen(out io.Reader) {
	defer close(n.said)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s nodeSaid
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			n.t.Errorf("the client says %q", lines.Text())
			return
		}
		n.said <- s
	}
}

func (n *node) next() nodeSaid {
	n.t.Helper()
	select {
	case s, ok := <-n.said:
		if !ok {
			n.t.Fatal("the client has ended")
		}
		return s
	case <-n.t.Context().Done():
		n.t.Fatal("the client says nothing")
		return nodeSaid{}
	}
}

// do has the client do something; what it is notified of meanwhile is kept.
func (n *node) do(job map[string]any) nodeAnswer {
	n.t.Helper()
	check(n.t, n.jobs.Encode(job))
	for {
		switch s := n.next(); {
		case s.Answer != nil:
			return *s.Answer
		case s.Notification != nil:
			n.told = append(n.told, *s.Notification)
		}
	}
}

func (n *node) call(method, path string, body map[string]any) nodeAnswer {
	n.t.Helper()
	return n.do(map[string]any{"do": "call", "method": method, "path": path, "body": body})
}

// text has the client do something that ends in a text.
func (n *node) text(job, text string) (out string) {
	n.t.Helper()
	check(n.t, json.Unmarshal(n.do(map[string]any{"do": job, "text": text}).Data, &out))
	return out
}

// wait waits for a notification of this type.
func (n *node) wait(kind string) nodeTold {
	n.t.Helper()
	for {
		for _, one := range n.told {
			if one.Error != "" {
				n.t.Fatalf("a notification was not believed: %s", one.Error)
			}
			if one.Type == kind {
				return one
			}
		}
		if s := n.next(); s.Notification != nil {
			n.told = append(n.told, *s.Notification)
		}
	}
}

// order is an order that came in a verified answer.
func (a nodeAnswer) order(t *testing.T) (o wechat.Transaction) {
	t.Helper()
	if a.Status != http.StatusOK || a.Error != "" {
		t.Fatalf("no order: %+v %s", a, a.Data)
	}
	check(t, json.Unmarshal(a.Data, &o))
	return o
}

func (a nodeAnswer) wants(t *testing.T, what string, status int) {
	t.Helper()
	if a.Status != status || a.Error != "" && status < 300 {
		t.Errorf("%s: %d %s %s, want %d", what, a.Status, a.Error, a.Data, status)
	}
}

// A client in another language, which nobody here wrote, takes payments from
// mianmi: with the public key and with the platform certificate it makes, asks
// for, ends and refunds orders, verifies each signed answer, empty ones too, and
// opens what it is notified of. With a wrong key it believes none of it.
func TestClientInJavaScript(t *testing.T) {
	t.Parallel()
	needNode(t)
	for name, certificate := range map[string]bool{"public key": false, "certificate": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{engine: "sqlite", certificate: certificate})
			s, p := w.shop(), must(w.front.Platform(t.Context()))(t)
			k := nodeKeys{p.KeyID, p.PublicPEM}
			if certificate {
				k = nodeKeys{p.Serial, p.CertPEM}
			}
			n := s.node(k)
			nodeCode(s, n)
			nodeNative(s, n)
			nodeChecks(s, n, certificate)

			k.publicPEM = s.Cert // of the merchant's own key
			if a := s.node(k).call("get", "v3/pay/transactions/out-trade-no/T0", map[string]any{"mchid": s.MchID}); a.Status != http.StatusNotFound {
				t.Errorf("an error, which nobody signs: %+v", a)
			}
			if a := s.node(k).call("post", "v3/security/echo", map[string]any{"echo_message": "x"}); a.Error != "EV3_RES_HEADER_SIGNATURE_DIGEST" {
				t.Errorf("an answer that another key signed is believed: %+v", a)
			}
		})
	}
}

// needNode skips where the client cannot run.
func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(nodeClient, "node_modules", "wechatpay-axios-plugin"))
	}
	if err == nil {
		return
	}
	if os.Getenv("MIANMI_TEST_REQUIRE_NODE") != "" {
		t.Fatal(err)
	}
	t.Skipf("SKIPPED: the client in JavaScript is not there; scripts/install-tools.sh node gets it (%v)", err)
}

const transactions = "v3/pay/transactions"

// nodeCode: a code payment that passes, one that waits for the password, and reversals.
func nodeCode(s *shop, n *node) {
	t, who := s.w.t, s.w.person()
	of := map[string]any{"appid": s.AppID, "mchid": s.MchID}
	mine := map[string]any{"mchid": s.MchID}
	no := s.order()
	paid := n.call("post", transactions+"/codepay", s.scanned(no, s.w.code(who), 18_00)).order(t)
	byNo := n.call("get", transactions+"/out-trade-no/"+no, mine).order(t)
	byID := n.call("get", transactions+"/id/"+paid.TransactionID, mine).order(t)
	if paid.TradeState != "SUCCESS" || paid.TradeType != "MICROPAY" || paid.Attach != "桌号 7" || byNo.TradeState != "SUCCESS" || byID.OutTradeNo != no {
		t.Errorf("a code payment and its queries: %+v, %+v, %+v", paid, byNo, byID)
	}
	n.call("post", transactions+"/out-trade-no/"+no+"/reverse", of).wants(t, "a reversal", http.StatusOK)
	if got := n.call("get", transactions+"/out-trade-no/"+no, mine).order(t).TradeState; got != "REVOKED" {
		t.Errorf("a reversed order is %s", got)
	}
	asked := s.order()
	if got := n.call("post", transactions+"/codepay", s.scanned(asked, s.w.code(who), 1_500_00)).order(t).TradeState; got != "USERPAYING" {
		t.Errorf("a large order is %s", got)
	}
	n.call("post", transactions+"/out-trade-no/"+asked+"/reverse", of).wants(t, "a reversal of what waits", http.StatusOK)
	n.call("post", transactions+"/codepay", s.scanned(asked, s.w.code(who), 1_00)).wants(t, "a reversed order again", http.StatusForbidden)
}

// nodeNative: a QR order that is paid, told of and refunded, and one that is closed.
func nodeNative(s *shop, n *node) {
	t, who, no := s.w.t, s.w.person(), s.order()
	ask := map[string]any{"appid": s.AppID, "mchid": s.MchID, "description": "奶茶", "out_trade_no": no, "notify_url": n.inbox, "amount": map[string]any{"total": 30_00}}
	var qr struct {
		CodeURL string `json:"code_url"`
	}
	check(t, json.Unmarshal(n.call("post", transactions+"/native", ask).Data, &qr))
	must(s.w.node.Payments.PayQR(t.Context(), who.Actor(), strings.TrimPrefix(qr.CodeURL, "mianmi:"), storetest.PaymentPassword))(t)
	if told := n.wait("TRANSACTION.SUCCESS"); told.Resource["out_trade_no"] != no || told.Resource["trade_state"] != "SUCCESS" {
		t.Errorf("the notification tells %+v", told)
	}
	refund := map[string]any{"out_trade_no": no, "out_refund_no": "R" + no, "notify_url": n.inbox, "amount": map[string]any{"refund": 10_00, "total": 30_00, "currency": "CNY"}}
	n.call("post", "v3/refund/domestic/refunds", refund).wants(t, "a refund", http.StatusOK)
	var back struct{ Status string }
	check(t, json.Unmarshal(n.call("get", "v3/refund/domestic/refunds/R"+no, nil).Data, &back))
	if back.Status != "SUCCESS" {
		t.Errorf("a refund that is asked for is %s", back.Status)
	}
	if told := n.wait("REFUND.SUCCESS"); told.Resource["out_refund_no"] != "R"+no {
		t.Errorf("the refund's notification tells %+v", told)
	}
	ask["out_trade_no"] = s.order()
	n.call("post", transactions+"/native", ask).wants(t, "another order", http.StatusOK)
	n.call("post", transactions+"/out-trade-no/"+ask["out_trade_no"].(string)+"/close", map[string]any{"mchid": s.MchID}).wants(t, "a close", http.StatusNoContent)
	n.call("post", transactions+"/native", ask).wants(t, "a closed order again", http.StatusBadRequest)
}

// nodeChecks: the echo, with a field that is encrypted both ways, and the certificates.
func nodeChecks(s *shop, n *node, certificate bool) {
	t := s.w.t
	a := n.call("post", "v3/security/echo", map[string]any{"notify_url": n.inbox, "echo_message": "hello", "encrypted_echo_message": n.text("encrypt", "私密")})
	var said struct {
		Message   string `json:"echo_message"`
		Encrypted string `json:"encrypted_echo_message"`
	}
	check(t, json.Unmarshal(a.Data, &said))
	told := n.wait("SECURITY_ECHO.SUCCESS").Resource
	if said.Message != "hello" || told["echo_message"] != "hello" || told["encrypt_echo_message"] != said.Encrypted || n.text("decrypt", said.Encrypted) != "私密" {
		t.Errorf("an echo: %+v, %v", said, told)
	}
	a = n.do(map[string]any{"do": "certificates"})
	if !certificate {
		a.wants(t, "certificates, where the public key signs", http.StatusNotFound)
		return
	}
	var list []struct{ Serial, Text string }
	check(t, json.Unmarshal(a.Data, &list))
	p := must(s.w.front.Platform(t.Context()))(t)
	if len(list) != 1 || list[0].Serial != p.Serial || list[0].Text != string(p.CertPEM) {
		t.Errorf("certificates: %+v", list)
	}
	must(utils.LoadCertificate(list[0].Text))(t)
}
