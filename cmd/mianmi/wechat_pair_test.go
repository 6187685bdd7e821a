package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/agenttest"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// pair is a shop whose server takes payments through WeChat Pay, and for WeChat
// Pay another server of ours, with its own database and payers.
type pair struct {
	t            *testing.T
	shop, wechat *shop
	till, other  *server // of shop and of wechat
	at           [2]string
	c            credentials // of the till's merchant at wechat
	file         string
	back         *client.Client // may give money back at the till's server
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, at: [2]string{"127.0.0.1:" + agenttest.Port(t), "127.0.0.1:" + agenttest.Port(t)}}
	var first, second *server
	p.shop, first = newShop(t)
	first.stop()
	p.wechat, second = newShop(t)
	second.stop()
	p.startWechat()
	p.c = p.wechat.handOut(t)
	c := p.c
	p.file = filepath.Join(c.dir, "wechatpay.yaml")
	config := fmt.Sprintf(`connections:
  - name: pair
    merchants: [%s]
    mchid: "%s"
    appid: %s
    serial: %s
    private_key: {file: apiclient_key.pem}
    api_v3_key: {file: api_v3_key}
    public_key: {id: %s, file: pub_key.pem}
    base_url: http://%s
    notify_url: http://%s
    unknown_payers: own_rules
    contracts: {password_exempt: "12535", papay: "1201"}
`, p.shop.merchant, c.mchid, c.appid, c.serial, c.keyID, p.at[1], p.at[0])
	for name, text := range map[string]string{p.file: config, filepath.Join(c.dir, "api_v3_key"): c.apiKey} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.startTill()
	key := must(p.till.As(p.shop.operators[0]).CreateAPIKey(t.Context(), client.NewAPIKey{Name: "back", Merchant: p.shop.merchant, Scopes: []string{"refund", "read"}}))(t)
	p.back = p.till.As(key.Token)
	return p
}

func (p *pair) startTill() {
	p.till = p.shop.serve(p.t, "--listen="+p.at[0], "--wechatpay="+p.file)
}

func (p *pair) startWechat() {
	p.other = p.wechat.serve(p.t, "--listen="+p.at[1], "--payment-code-prefix=13", "--webhook-allow=127.0.0.0/8", "--public-url=http://"+p.at[1])
}

// charge has the till scan a code of the payer, and returns what it is told.
func (p *pair) charge(payer int, minor int64) (client.Payment, error) {
	p.shop.orders++
	code, err := p.other.As(p.wechat.wallet).IssueCode(p.t.Context(), p.wechat.payers[payer])
	if err != nil {
		return client.Payment{}, err
	}
	return p.till.As(p.shop.pos).Authorize(p.t.Context(), client.Authorization{Terminal: p.shop.terminal, OrderNo: fmt.Sprintf("pair%06d", p.shop.orders),
		Amount: money.Of(minor, "CNY"), Method: "payment_code", Code: code.Code, Entry: "scanned"})
}

// there is the payment as the other server has it.
func (p *pair) there(id mianmi.PaymentID) (client.Payment, error) {
	return p.other.As(p.wechat.pos).PaymentByOrder(p.t.Context(), p.wechat.merchant, string(id))
}

func (p *pair) becomes(id mianmi.PaymentID, state string) {
	p.t.Helper()
	eventually(p.t, "the payment is "+state, func() bool {
		got, err := p.till.As(p.shop.pos).Payment(p.t.Context(), id)
		return err == nil && got.State == state
	})
}

// phone is the payer's own session at the other server.
func (p *pair) phone(payer int) *client.Client {
	p.t.Helper()
	s := must(p.other.LoginPayer(p.t.Context(), fmt.Sprintf("+861380000000%d", payer), shopPassword))(p.t)
	return p.other.As(s.Token)
}

// Two servers, one of which is WeChat Pay to the other: a code passes at once, or
// waits for the password on the payer's phone; a large amount becomes a QR code
// that the payer scans; refund and reversal reach the payer's balance.
func TestWeChatPayBetweenTwoServers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	paid := must(p.charge(0, 12_50))(t)
	if paid.State != "approved" || paid.CVM != "none" || paid.Channel == nil || paid.Channel.Name != "wechatpay" || !paid.Channel.Inferred {
		t.Errorf("a code that passes: %+v", paid)
	}
	if got := must(p.there(paid.ID))(t); got.State != "approved" || paid.Channel.Transaction != string(got.ID) {
		t.Errorf("at the other server: %+v", got)
	}

	phone := p.phone(1)
	must(phone.ClosePinFree(t.Context(), client.Me, nil))(t)
	asked := must(p.charge(1, 30_00))(t)
	if asked.State != "verifying" {
		t.Fatalf("a payer who has closed PIN-free: %+v", asked)
	}
	must(phone.Confirm(t.Context(), must(p.there(asked.ID))(t).ID, shopPassword))(t)
	p.becomes(asked.ID, "approved")

	large := must(p.charge(0, 1_500_00))(t)
	if large.Outcome != "step_up" || large.StepUp == nil || !strings.HasPrefix(large.StepUp.QR, "mianmi:") {
		t.Fatalf("a large amount: %+v", large)
	}
	must(p.phone(0).PayQR(t.Context(), strings.TrimPrefix(large.StepUp.QR, "mianmi:"), shopPassword))(t)
	p.becomes(large.ID, "approved")

	back := must(p.back.Refund(t.Context(), paid.ID, client.RefundRequest{RefundNo: "r1", Amount: money.Of(5_00, "CNY"), Reason: "退货"}))(t)
	if back.State != "pending" {
		t.Errorf("a refund before it is confirmed: %+v", back)
	}
	p.becomes(paid.ID, "partly_refunded")
	if got := must(p.there(paid.ID))(t); got.State != "partly_refunded" || got.Refunded.Minor() != 5_00 {
		t.Errorf("refunded there: %+v", got)
	}
	must(p.back.Reverse(t.Context(), asked.ID))(t)
	p.becomes(asked.ID, "reversed")
	if got := must(p.there(asked.ID))(t); got.State != "reversed" {
		t.Errorf("reversed there: %+v", got)
	}
}

// Either server is killed at any moment of payments: when all has settled, what
// the shop's books call paid is paid there, once, and nothing else is.
func TestWeChatPayBetweenTwoServersThatDie(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	random := rand.New(rand.NewPCG(20261130, 1)) //nolint:gosec // a test's
	const payments = 12                          // four a payer: below the ten of a day that pass without a password
	for i := range payments {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = p.charge(i%3, int64(100+i)) // what it is told does not matter: it may be lost
		}()
		select {
		case <-answered:
		case <-time.After(time.Duration(random.IntN(30)) * time.Millisecond):
		}
		if which := random.IntN(3); which == 0 {
			p.till.kill()
			<-answered
			p.startTill()
		} else if which == 1 {
			p.other.kill()
			<-answered
			p.startWechat()
		}
		<-answered
	}
	var want int64
	for i := range payments {
		var got client.Payment
		eventually(t, "a payment settles", func() bool {
			var err error
			got, err = p.till.As(p.shop.pos).PaymentByOrder(t.Context(), p.shop.merchant, fmt.Sprintf("pair%06d", i+1))
			var problem *client.Problem
			if errors.As(err, &problem) && problem.Code == "not_found" {
				return true // it was never decided
			}
			return err == nil && (got.State == "approved" || got.State == "declined" || got.State == "reversed")
		})
		if got.ID == "" {
			continue
		}
		there, err := p.there(got.ID)
		if got.State == "approved" {
			want += got.Amount.Minor()
		}
		if paid := err == nil && there.State == "approved"; paid != (got.State == "approved") {
			t.Errorf("order %d is %s here and %q there, %v", i+1, got.State, there.State, err)
		}
	}
	var got int64
	for _, id := range p.wechat.payers {
		got += 1_000_000_00 - must(p.other.As(p.wechat.operators[0]).Payer(t.Context(), id))(t).Balance.Minor()
	}
	if got != want || want == 0 {
		t.Errorf("the shop's books have %d, and the payers have paid %d", want, got)
	}
}
