package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/api"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
)

// A repeat with the key gets the first answer, secrets included; another
// request with it is a conflict; what failed may be tried again; and what
// switches off runs each time.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s, p := w.shop("晨光超市"), w.person("+8613800000001")
		ask := client.NewAPIKey{Name: "k", Merchant: s.merchant.ID, Scopes: []string{"read"}}
		first := get[client.APIKey](t)(s.admin.Once("key-1").CreateAPIKey(ctx, ask))
		again := get[client.APIKey](t)(s.admin.Once("key-1").CreateAPIKey(ctx, ask))
		if diff := cmp.Diff(first, again); diff != "" || first.Token == "" {
			t.Errorf("the repeat is another answer (-first +repeat):\n%s", diff)
		}
		if other := get[client.APIKey](t)(s.admin.Once("key-2").CreateAPIKey(ctx, ask)); other.ID == first.ID {
			t.Error("another key gets the same answer")
		}
		ask.Name = "other"
		wantProblem(t, failed(s.admin.Once("key-1").CreateAPIKey(ctx, ask)), 409, "idempotency_key_reused", "")

		bad := client.NewTerminal{Name: "till", Model: "md0"}
		wantProblem(t, failed(s.admin.Once("key-3").CreateTerminal(ctx, s.store.ID, bad)), 422, "invalid", "model")
		bad.Model = s.model.ID
		get[client.Terminal](t)(s.admin.Once("key-3").CreateTerminal(ctx, s.store.ID, bad))

		res := w.raw("POST", "/v1/payers", "", "{}", "Idempotency-Key", "a b")
		if res.status != http.StatusUnauthorized {
			t.Errorf("who is calling comes before the key: %d", res.status)
		}
		wantProblem(t, failed(s.admin.Once("a b").CreateAPIKey(ctx, ask)), 422, "invalid", "Idempotency-Key")

		risk := get[client.Texts](t)(w.anyone.Texts(ctx)).Risk.Version
		get[client.Status](t)(p.app.Once("close").ClosePinFree(ctx, client.Me, nil))
		get[client.Status](t)(p.app.Once("open").ReopenPinFree(ctx, client.Me, pin, risk))
		w.clock.step(24 * time.Hour)
		p.app = w.anyone.As(get[client.Session](t)(w.anyone.LoginPayer(ctx, p.phone, pin)).Token)
		if st := get[client.Payer](t)(p.app.Payer(ctx, client.Me)).Status; st.State != "open" {
			t.Fatalf("after the cooling-off: %+v", st)
		}
		closed := get[client.Status](t)(p.app.Once("close").ClosePinFree(ctx, client.Me, nil))
		if now := get[client.Payer](t)(p.app.Payer(ctx, client.Me)).Status; closed.State != "closed" || now.State != "closed" {
			t.Errorf("closing with a used key answers %q and leaves %q", closed.State, now.State)
		}
	})
}

// Logins are counted by remote address, behind proxies that are trusted by the
// address that they name.
func TestLoginsAreCounted(t *testing.T) {
	t.Parallel()
	p := newParts(t, "sqlite", api.Config{LoginsMax: 3, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	front := httptest.NewServer(p.server)
	defer front.Close()
	try := func(from string) answer {
		return rawTo(t, front.URL, "POST", "/v1/logins/staff", "", `{"login":"nobody","password":"x","code":"000000"}`, "X-Forwarded-For", from)
	}
	for range 3 {
		if res := try("203.0.113.7"); res.status != http.StatusUnauthorized {
			t.Fatalf("status %d", res.status)
		}
	}
	res := try("203.0.113.7")
	if res.status != http.StatusTooManyRequests || res.header.Get("Retry-After") != "20" {
		t.Errorf("the fourth login: %d, Retry-After %q", res.status, res.header.Get("Retry-After"))
	}
	if res := try("198.51.100.1, 203.0.113.7"); res.status != http.StatusTooManyRequests {
		t.Errorf("a forged hop in front makes it another address: %d", res.status)
	}
	if res := try("203.0.113.8"); res.status != http.StatusUnauthorized {
		t.Errorf("another address: %d", res.status)
	}
	p.clock.step(20 * time.Second)
	if res := try("203.0.113.7"); res.status != http.StatusUnauthorized {
		t.Errorf("after the wait: %d", res.status)
	}
}

// Headers that every answer has, and the way of a request id.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	res := w.raw("GET", "/v1/texts", "", "", "X-Request-Id", "from-the-caller")
	for name, want := range map[string]string{"X-Request-Id": "from-the-caller", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Content-Type": "application/json"} {
		if got := res.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	one, two := w.raw("GET", "/v1/texts", "", "", "X-Request-Id", "two words"), w.raw("GET", "/v1/texts", "", "")
	if a, b := one.header.Get("X-Request-Id"), two.header.Get("X-Request-Id"); a == "two words" || a == "" || a == b {
		t.Errorf("request ids %q and %q", a, b)
	}
	if res := w.raw("GET", "/v1/me", "", ""); res.header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	if res := w.raw("PUT", "/v1/texts", "", ""); res.header.Get("Allow") != "GET" {
		t.Errorf("405 with Allow %q", res.header.Get("Allow"))
	}
	zh, en := w.raw("GET", "/v1/me", "", ""), w.raw("GET", "/v1/me", "", "", "Accept-Language", "en-GB,en;q=0.9")
	if a, b := titleOf(t, zh), titleOf(t, en); a != "请先登录，或提供有效的密钥" || b != "Log in first, or send a valid API key" {
		t.Errorf("titles %q and %q", a, b)
	}
}

func titleOf(t *testing.T, res answer) string {
	t.Helper()
	var p client.Problem
	must(t, json.Unmarshal(res.body, &p))
	return p.Title
}

// A long poll and a stream tell of a payment that waits as soon as it does,
// and end when the server stops.
func TestNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx := t.Context()
	s, p := w.shop("晨光超市"), w.person("+8613800000001")
	get[client.Status](t)(p.app.ClosePinFree(ctx, client.Me, nil))
	polled, streamed := make(chan []client.Payment, 1), make(chan []client.Payment, 8)
	ended := make(chan error, 2)
	go func() {
		list, err := p.app.StepUps(ctx, client.Me, 30*time.Second)
		polled <- list
		ended <- err
	}()
	go func() {
		ended <- p.app.Events(ctx, client.Me, func(l []client.Payment) error {
			streamed <- l
			return nil
		})
	}()
	if l := <-streamed; len(l) != 0 {
		t.Errorf("the stream begins with %+v", l)
	}
	want := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "N1", 18_00)))
	if l := <-streamed; len(l) != 1 || l[0].ID != want.ID {
		t.Errorf("the stream tells of %+v", l)
	}
	if l := <-polled; len(l) != 1 || l[0].ID != want.ID {
		t.Errorf("the poll tells of %+v", l)
	}
	must(t, <-ended)
	get[client.Payment](t)(p.app.Confirm(ctx, want.ID, pin))
	if l := <-streamed; len(l) != 0 {
		t.Errorf("after the password the stream tells of %+v", l)
	}
	w.server.Stop()
	must(t, <-ended)
	if list, err := p.app.StepUps(ctx, client.Me, 30*time.Second); err != nil || len(list) != 0 {
		t.Errorf("a poll while the server stops: %v, %v", list, err)
	}
}

// An event on the wire has the form that browsers read.
func TestEventForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	p := w.person("+8613800000001")
	n, err := w.access.StartSession(t.Context(), mianmi.Actor{Role: mianmi.RolePayer, ID: string(p.ID)})
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/payers/me/events", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+n.Token)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { must(t, res.Body.Close()) }()
	lines := bufio.NewReader(res.Body)
	for _, want := range []string{"event: stepups\n", "data: {\"items\":[]}\n", "\n"} {
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Errorf("line %q, %v; want %q", got, err, want)
		}
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("type %q", got)
	}
}

// Requests and payments are counted by route, status, method and outcome.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	s, p := w.shop("晨光超市"), w.person("+8613800000001")
	get[client.Payment](t)(s.pos.Authorize(t.Context(), w.scan(s, p, "A1", 18_00)))
	get[client.Payment](t)(s.pos.Authorize(t.Context(), w.scan(s, p, "A2", 2000_00)))
	_, err := s.pos.Authorize(t.Context(), client.Authorization{})
	wantProblem(t, err, 422, "invalid", "method")
	got := map[string]float64{}
	families, err := w.metrics.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += " " + l.GetValue()
			}
			switch f.GetName() {
			case "mianmi_payments_total":
				got[f.GetName()+labels] = m.GetCounter().GetValue()
			case "mianmi_http_requests_total":
				if strings.HasPrefix(labels, " authorize ") {
					got[f.GetName()+labels] = m.GetCounter().GetValue()
				}
			case "mianmi_http_request_seconds":
				if labels == " authorize" {
					got[f.GetName()+labels] = float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	want := map[string]float64{
		"mianmi_payments_total payment_code pin_free approved": 1, "mianmi_payments_total payment_code step_up step_up_required": 1,
		"mianmi_http_requests_total authorize 200": 2, "mianmi_http_requests_total authorize 422": 1, "mianmi_http_request_seconds authorize": 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// A batch answers each payment for itself, in order; a dry run writes nothing.
func TestBatchAndDryRun(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s, p := w.shop("晨光超市"), w.person("+8613800000001")
		list := []client.Authorization{w.scan(s, p, "B1", 18_00), {OrderNo: "B2"}, {Terminal: s.terminal.ID, OrderNo: "B3", Amount: money.Of(5_00, "CNY"), Method: "cash"}}
		out := get[[]client.BatchResult](t)(s.pos.AuthorizeBatch(ctx, list[:1]))
		if len(out) != 1 || out[0].Payment == nil || out[0].Payment.State != "approved" {
			t.Fatalf("batch of one: %+v", out)
		}
		list[1].Amount = money.Of(1, "CNY")
		out = get[[]client.BatchResult](t)(s.pos.AuthorizeBatch(ctx, list))
		if len(out) != 3 || out[0].Payment == nil || out[1].Problem == nil || out[2].Payment == nil {
			t.Fatalf("batch: %+v", out)
		}
		if out[1].Problem.Code != "invalid" || out[1].Problem.Field != "method" || out[2].Payment.Outcome != "" {
			t.Errorf("batch: %+v, %+v", out[1].Problem, out[2].Payment)
		}
		before := get[client.Payer](t)(p.app.Payer(ctx, client.Me))
		q := client.Question{Payer: client.Me, Terminal: s.terminal.ID, Amount: money.Of(18_00, "CNY"), Method: "payment_code", Entry: "scanned"}
		if d := get[client.DryRun](t)(p.app.DryRun(ctx, q)); d.NeedsPIN || d.Outcome != "pin_free" {
			t.Errorf("dry run: %+v", d)
		}
		q.Entry = "typed"
		if d := get[client.DryRun](t)(p.app.DryRun(ctx, q)); !d.NeedsPIN || d.Reasons[0].Name != "code_typed" {
			t.Errorf("dry run with typed digits: %+v", d)
		}
		if diff := cmp.Diff(before, get[client.Payer](t)(p.app.Payer(ctx, client.Me)), cmp.Comparer(func(a, b money.Amount) bool { return a == b })); diff != "" {
			t.Errorf("a dry run has changed something:\n%s", diff)
		}
	})
}

// Whatever stands in query and path, the answer is a page or a problem, never
// a fault of ours.
func FuzzQuery(f *testing.F) {
	p := newParts(f, "sqlite", api.Config{})
	operator := mianmi.Actor{Role: mianmi.RoleOperator, ID: "fuzz"}
	m := benchMerchant(f, p)
	_, token, err := p.access.CreateKey(f.Context(), operator, access.NewKey{Name: "fuzz", Merchant: m, Scopes: mianmi.ScopeRead | mianmi.ScopePay})
	must(f, err)
	for _, seed := range []string{"", "limit=1", "limit=-1", "after=%00", "limit=1&limit=2", "scope=terminal:x", "live=maybe", "wait=1h", "%zz", "a=b;c=d"} {
		f.Add("stops", seed)
		f.Add("st\x000", seed)
	}
	f.Fuzz(func(t *testing.T, id, query string) {
		for _, path := range []string{"/v1/emergency-stops", "/v1/merchants/" + url.PathEscape(id) + "/stores", "/v1/payments/" + url.PathEscape(id), "/v1/approvals"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawPath = mustUnescape(path), path
			r.URL.RawQuery = query
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			p.server.ServeHTTP(w, r)
			body, err := io.ReadAll(w.Body)
			must(t, err)
			if w.Code >= 500 || len(body) > 1<<20 {
				t.Fatalf("%s?%s: %d %s", path, query, w.Code, body)
			}
		}
	})
}

func mustUnescape(path string) string {
	text, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return text
}
