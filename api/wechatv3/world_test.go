package wechatv3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/wechatv3"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/support"
	webpayer "github.com/mianmi/mianmi/web/payer"
	"github.com/mianmi/mianmi/wechat"
)

// realClock is the machine's: the official client compares times with it.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

// world is a front with real parts behind it.
type world struct {
	t          *testing.T
	node       *storetest.Node
	front      *wechat.Service
	complaints *support.Service
	server     *httptest.Server
	logged     *buffer
}

// buffer is a log that is written to at once by many.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

type setup struct {
	engine      string
	certificate bool
	test        bool
	clock       mianmi.Clock // nil: the machine's
}

func newWorld(t *testing.T, c setup) *world {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
	if c.engine == "postgres" {
		dsn = pgtest.Open(t)
	}
	ctx := context.WithoutCancel(t.Context())
	db := must(store.Open(ctx, dsn, store.Options{ConnsMax: 8}))(t)
	t.Cleanup(func() { check(t, db.Close()) })
	must(db.Migrate(ctx))(t)
	w := &world{t: t, logged: &buffer{}}
	if c.clock == nil {
		c.clock = realClock{}
	}
	log := slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w.node = must(storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Keys: must(secret.New(rand.Reader))(t), Clock: c.clock, Log: log,
		Payer: payer.Config{CodePrefix: "13", CodesMax: 100}, WebhookAllow: loopback}))(t)
	t.Cleanup(w.node.Payments.Stop)
	guard := notice.NewGuard(loopback)
	w.complaints = must(support.New(support.Parts{Store: db, Payments: w.node.Payments, Keys: w.node.Keys, Clock: c.clock, Random: rand.Reader, Log: log}))(t)
	w.front = must(wechat.New(wechat.Parts{Store: db, Access: w.node.Access, Payments: w.node.Payments, Payers: w.node.Payers, Complaints: w.complaints, Keys: w.node.Keys, Guard: guard,
		Clock: c.clock, Random: rand.Reader}, wechat.Config{Certificate: c.certificate}))(t)
	handler := must(wechatv3.New(wechatv3.Parts{Service: w.front, Clock: c.clock, Random: rand.Reader, Log: log},
		wechatv3.Config{Deadline: time.Minute, Test: c.test}))(t)
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.Handle(wechat.SignPath, webpayer.Handler(webpayer.Parts{Contracts: w.front, Log: log}))
	w.server = httptest.NewServer(mux)
	w.server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	t.Cleanup(w.server.Close)
	poster := notice.NewPoster(guard, c.clock, notice.PosterConfig{Timeout: time.Minute})
	courier := &wechat.Courier{Service: w.front, Poster: poster, Waits: []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}}
	for _, kind := range []notice.Kind{notice.Standard, notice.WeChat} {
		s := must(notice.StartSender(ctx, notice.SenderParts{Outbox: db, Service: w.node.Webhooks, Poster: poster, Courier: courier},
			notice.SenderConfig{Kind: kind, Poll: 5 * time.Millisecond}))(t)
		t.Cleanup(s.Stop)
	}
	return w
}

// shop is a merchant with WeChat Pay credentials.
type shop struct {
	storetest.Shop
	wechat.Made
	w       *world
	key     *rsa.PrivateKey
	orders  atomic.Int64
	plain   *http.Client // rewrites the host, and nothing else
	headers http.Header  // of further requests
}

func (w *world) shop() *shop {
	w.t.Helper()
	s := &shop{w: w, headers: http.Header{}}
	s.Shop = must(w.node.NewShop(w.t.Context(), merchant.Facts{}))(w.t)
	s.Made = must(w.front.Create(w.t.Context(), s.Manager, s.Shop.Merchant, s.Shop.Terminal, nil))(w.t)
	s.key = must(utils.LoadPrivateKey(string(s.Private)))(w.t)
	at := must(url.Parse(w.server.URL))(w.t)
	s.plain = &http.Client{Transport: rewrite{at, s.headers}}
	return s
}

// rewrite sends what is meant for WeChat Pay to the front.
type rewrite struct {
	to      *url.URL
	headers http.Header
}

func (r rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host = r.to.Scheme, r.to.Host
	for name, values := range r.headers {
		out.Header[name] = values
	}
	return http.DefaultTransport.RoundTrip(out)
}

// client is the official client, in the mode of the front.
func (s *shop) client(certificate bool) *core.Client {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	if !certificate {
		return s.clientOf(must(s.w.front.Platform(ctx))(t))
	}
	return must(core.NewClient(ctx, option.WithWechatPayAutoAuthCipherUsingDownloaderMgr(s.MchID, s.Serial.Serial, s.key, s.downloader()), option.WithHTTPClient(s.plain)))(t)
}

// clientOf is the official client that knows one public key.
func (s *shop) clientOf(p *wechat.Platform) *core.Client {
	t := s.w.t
	t.Helper()
	public := must(utils.LoadPublicKey(string(p.PublicPEM)))(t)
	return must(core.NewClient(t.Context(), option.WithWechatPayPublicKeyAuthCipher(s.MchID, s.Serial.Serial, s.key, p.KeyID, public), option.WithHTTPClient(s.plain)))(t)
}

// downloader fetches the platform certificate from the front.
func (s *shop) downloader() *downloader.CertificateDownloaderMgr {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	first := must(core.NewClient(ctx, option.WithMerchantCredential(s.MchID, s.Serial.Serial, s.key), option.WithoutValidator(), option.WithHTTPClient(s.plain)))(t)
	mgr := downloader.NewCertificateDownloaderMgr(ctx)
	t.Cleanup(mgr.Stop)
	check(t, mgr.RegisterDownloaderWithClient(ctx, first, s.MchID, s.APIKey))
	return mgr
}

// order is a number that was not used before.
func (s *shop) order() string { return fmt.Sprintf("T%s%d", s.MchID[5:], s.orders.Add(1)) }

// person is a payer with money.
func (w *world) person() storetest.Person {
	w.t.Helper()
	return must(w.node.NewPerson(w.t.Context(), 10_000_00))(w.t)
}

func (w *world) code(p storetest.Person) string {
	w.t.Helper()
	return must(w.node.Payers.IssueCode(w.t.Context(), p.Actor(), p.ID))(w.t).Digits
}

// scanned is the body of a code payment.
func (s *shop) scanned(no, code string, total int64) map[string]any {
	return map[string]any{"appid": s.AppID, "mchid": s.MchID, "description": "奶茶 & <b>", "out_trade_no": no, "attach": "桌号 7",
		"payer": map[string]any{"auth_code": code}, "amount": map[string]any{"total": total, "currency": "CNY"},
		"scene_info": map[string]any{"device_id": string(s.Shop.Terminal), "store_info": map[string]any{"id": "0001"}}}
}

// answer is what came back, signed or not.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	var p struct{ Code, Message string }
	check(t, json.Unmarshal(a.body, &p))
	return p.Code
}

// transaction is a signed answer that is an order.
func (a answer) transaction(t *testing.T) wechat.Transaction {
	t.Helper()
	if a.status != http.StatusOK || a.header.Get("Wechatpay-Signature") == "" {
		t.Fatalf("answer %d is no signed order: %s", a.status, a.body)
	}
	var out wechat.Transaction
	check(t, json.Unmarshal(a.body, &out))
	return out
}

// signed sends a request that is signed by hand.
func (s *shop) signed(method, path string, body any) answer {
	s.w.t.Helper()
	return s.w.send(s.request(method, path, body))
}

// request is one that is signed well; attackers change it afterwards.
func (s *shop) request(method, path string, body any) *http.Request {
	t := s.w.t
	t.Helper()
	var text []byte
	if body != nil {
		text = must(json.Marshal(body))(t)
	}
	return s.signAs(method, path, text, time.Now())
}

func (s *shop) signAs(method, path string, text []byte, at time.Time) *http.Request {
	t := s.w.t
	t.Helper()
	nonce := must(utils.GenerateNonce())(t)
	value := must(utils.SignSHA256WithRSA(fmt.Sprintf("%s\n%s\n%d\n%s\n%s\n", method, path, at.Unix(), nonce, text), s.key))(t)
	r := must(http.NewRequestWithContext(t.Context(), method, s.w.server.URL+path, bytes.NewReader(text)))(t)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%d",serial_no="%s",signature="%s"`,
		s.MchID, nonce, at.Unix(), s.Serial.Serial, value))
	for name, values := range s.headers {
		r.Header[name] = values
	}
	return r
}

func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	res := must(http.DefaultClient.Do(r))(w.t) //nolint:bodyclose // closed below
	defer res.Body.Close()                     //nolint:errcheck // read whole
	return answer{res.StatusCode, res.Header, must(io.ReadAll(res.Body))(w.t)}
}

// query asks for an order by its number.
func (s *shop) query(no string) answer {
	s.w.t.Helper()
	return s.signed("GET", "/v3/pay/transactions/out-trade-no/"+no+"?mchid="+s.MchID, nil)
}

// state is an order's state, by a signed query.
func (s *shop) state(no string) string {
	s.w.t.Helper()
	return s.query(no).transaction(s.w.t).TradeState
}

// eventually waits for what must happen.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("never: " + what)
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var _ mianmi.Clock = realClock{}
