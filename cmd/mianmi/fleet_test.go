package main

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
	"github.com/mianmi/mianmi/update"
)

// fleetShop is a running server that terminals come to, two operators who are
// logged in, and a shop with a payer.
type fleetShop struct {
	t                *testing.T
	world            world
	clock            *shiftedClock
	at               map[string]string
	operator, second *client.Client
	merchant         client.Merchant
	store            client.Store
	model            client.Model
	payer            client.Payer
	app              *client.Client // the payer's
}

const fleetPIN = "258036"

// done fails the test when a call failed.
func done[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newFleetShop(t *testing.T) *fleetShop {
	return newFleetShopIn(t, newWorld(t), "--mqtt=127.0.0.1:0")
}

// newFleetShopIn takes the world in which the server runs, and how its messages
// travel.
func newFleetShopIn(t *testing.T, w world, messages string) *fleetShop {
	t.Helper()
	f := &fleetShop{t: t, world: w, clock: &shiftedClock{machine: systemClock{}}}
	f.world.clock = f.clock
	first, other := f.world.member(t, "first.operator", "operator"), f.world.member(t, "second.operator", "operator")
	at, stop := f.world.start(t, "--terminals=127.0.0.1:0", messages, "--terminal-names=127.0.0.1,localhost")
	t.Cleanup(func() {
		if code := stop(); code != exitOK {
			t.Errorf("the server ended with %d", code)
		}
	})
	f.at = at
	ctx, anyone := t.Context(), done[*client.Client](t)(client.New("http://"+at["serving"], client.Options{Lang: mianmi.EN}))
	login := func(m member) *client.Client {
		code := done[string](t)(totp.GenerateCode(m.secret, f.clock.Now()))
		return anyone.As(done[client.Session](t)(anyone.LoginStaff(ctx, m.login, m.password, code)).Token)
	}
	f.operator, f.second = login(first), login(other)
	f.merchant = done[client.Merchant](t)(f.operator.CreateMerchant(ctx, client.NewMerchant{Name: "晨光超市", Currency: "CNY",
		Facts: client.Facts{Country: "CN", MCC: 5411, NoPIN: true, Upgraded: true}}))
	f.store = done[client.Store](t)(f.operator.CreateStore(ctx, f.merchant.ID, client.NewStore{Name: "一店", Address: "人民路 1 号"}))
	f.model = done[client.Model](t)(f.operator.CreateModel(ctx, client.NewModel{Name: "L1", Keypad: true, Display: true, Methods: []string{"payment_code", "dynamic_qr"}}))
	f.open(client.OfMerchant(f.merchant.ID))
	risk := done[client.Texts](t)(anyone.Texts(ctx)).Risk.Version
	f.payer = done[client.Payer](t)(f.operator.CreatePayer(ctx, client.NewPayer{Phone: "+8613800000001", Name: "王小明", Password: fleetPIN, PinFree: true, RiskVersion: risk}))
	done[client.TopUp](t)(f.operator.TopUp(ctx, f.payer.ID, client.NewTopUp{Key: "first", Amount: money.Of(1000_00, "CNY")}))
	f.app = anyone.As(done[client.Session](t)(anyone.LoginPayer(ctx, "+8613800000001", fleetPIN)).Token)
	return f
}

// open switches PIN-free on by two persons.
func (f *fleetShop) open(s client.Scope) {
	f.t.Helper()
	r := done[client.PolicyResult](f.t)(f.operator.SetPolicy(f.t.Context(), s, client.Terms{PinFree: true}, nil))
	if r.Proposal == nil {
		f.t.Fatalf("opening %s needs no second person: %+v", s, r)
	}
	done[client.Approval](f.t)(f.second.Approve(f.t.Context(), r.Proposal.ID))
}

// machine adds a terminal and enrols its machine with a code of the API.
func (f *fleetShop) machine(name string) *wire {
	f.t.Helper()
	tm := done[client.Terminal](f.t)(f.operator.CreateTerminal(f.t.Context(), f.store.ID, client.NewTerminal{Name: name, Model: f.model.ID}))
	code := done[client.EnrolmentCode](f.t)(f.operator.IssueEnrolmentCode(f.t.Context(), tm.ID))
	w := newWire(f.t, f.at["serving terminals"], f.clock)
	w.enrol(tm.ID, code.Code)
	return w
}

// pay takes a small payment by a scanned code as the terminal, and returns it
// with the names of its reasons.
func (f *fleetShop) pay(w *wire, order string) (client.Payment, []string) {
	f.t.Helper()
	code := done[client.PaymentCode](f.t)(f.app.IssueCode(f.t.Context(), client.Me)).Code
	p := done[client.Payment](f.t)(w.api().Authorize(f.t.Context(), client.Authorization{Terminal: w.device.ID, OrderNo: order, Amount: money.Of(18_00, "CNY"),
		Method: "payment_code", Entry: "scanned", Code: code}))
	var names []string
	for _, r := range p.Reasons {
		names = append(names, r.Name)
	}
	return p, names
}

// asks fails unless a payment asks for a PIN, and names the reason.
func (f *fleetShop) asks(w *wire, order, reason string) {
	f.t.Helper()
	p, names := f.pay(w, order)
	if p.State != "step_up_required" || !strings.Contains(strings.Join(names, " "), reason) {
		f.t.Errorf("order %s: %s, %s because of %v; want a PIN because of %s", order, p.State, p.Outcome, names, reason)
	}
}

// passes fails unless a payment passes without a PIN.
func (f *fleetShop) passes(w *wire, order string) {
	f.t.Helper()
	if p, names := f.pay(w, order); p.State != "approved" || p.Outcome != "pin_free" {
		f.t.Errorf("order %s: %s, %s because of %v; want it without a PIN", order, p.State, p.Outcome, names)
	}
}

func (f *fleetShop) status(w *wire) client.TerminalStatus {
	f.t.Helper()
	return done[client.TerminalStatus](f.t)(f.operator.TerminalStatus(f.t.Context(), w.device.ID))
}

// A terminal of a running server enrols, fetches, proves and takes payments
// without a PIN; it is asked for one before it has proved, after an OFF from the
// first moment, when its proof runs out, after an OFF in its own menu, and when
// it was revoked, which ends its connections. Messages over MQTT carry the same.
func TestTerminalsOfARunningServer(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	w := f.machine("收银台 1")
	if st := f.status(w); st.Stage != "wanted" || st.InForce || !st.Enrolled {
		t.Errorf("after enrolment: %s, in force %v, enrolled %v", st.Stage, st.InForce, st.Enrolled)
	}
	f.asks(w, "A1", "terminal_never_proved")

	w.fetch()
	if st := f.status(w); st.Stage != "delivered" || st.Newest == nil || st.Newest.DeliveredAt.IsZero() {
		t.Errorf("after fetching: %s, %+v", st.Stage, st.Newest)
	}
	f.asks(w, "A2", "terminal_never_proved")
	signed, receipt := w.report()
	if !receipt.InForce || !receipt.PinFree || len(receipt.Because) > 0 {
		t.Errorf("the receipt of a proof: %+v", receipt)
	}
	f.passes(w, "A3")
	if status, code := w.post(protocol.PathReport, signed, nil); status != http.StatusConflict || code != "report_replayed" {
		t.Errorf("the same report again: %d %s", status, code)
	}

	broker := f.closed(w)
	f.open(client.OfStore(f.store.ID))
	f.asks(w, "B2", "terminal_closed_itself")
	w.fetch()
	w.report()
	f.passes(w, "B3")

	f.clock.JumpTo(f.clock.Now().Add(20 * time.Minute))
	f.asks(w, "C1", "terminal_lease_over")
	w.report()
	f.passes(w, "C2")

	w.switchOff("cashier 2")
	if _, r := w.report(); len(r.Proposals) != 1 || r.Proposals[0].State != "in_force" || r.PinFree {
		t.Errorf("the receipt of an OFF in the menu: %+v", r)
	}
	f.asks(w, "D1", "terminal_closed")
	if st := f.status(w); len(st.Menu) != 1 || st.Menu[0].State != "in_force" || st.Menu[0].Author != "cashier 2" {
		t.Errorf("what became of the menu's OFF: %+v", st.Menu)
	}
	f.revoked(w, broker)
}

// closed switches PIN-free off at the store and sees the OFF through: a payment
// right after it, the hint, the proof, the live count.
func (f *fleetShop) closed(w *wire) *brokered {
	t := f.t
	t.Helper()
	broker := w.connect(f.at["serving MQTT"])
	before := w.device.Running.Version
	done[client.PolicyResult](t)(f.operator.CloseScope(t.Context(), client.OfStore(f.store.ID)))
	f.asks(w, "B1", "store_closed")
	if h := broker.hint(); h.Version <= before {
		t.Errorf("a hint at version %d, after %d ran", h.Version, before)
	}
	if st := f.status(w); st.InForce || st.Stage != "wanted" {
		t.Errorf("after the OFF: %s, in force %v", st.Stage, st.InForce)
	}
	o := f.off()
	left := done[client.List[client.OutstandingTerminal]](t)(f.operator.Outstanding(t.Context(), o.ID, client.Page{}))
	if o.State != "watched" || o.Total != 1 || o.Outstanding != 1 || len(left.Items) != 1 || left.Items[0].Terminal != w.device.ID {
		t.Errorf("the count after the OFF: %+v, %+v", o, left.Items)
	}
	if got := f.world.run(t, "fleet", "off", o.ID); got.code != exitOK || !strings.Contains(got.stdout, "0 of 1") || !strings.Contains(got.stdout, string(w.device.ID)) {
		t.Errorf("%+v", got)
	}
	broker.fetch()
	if r := broker.report(); !r.InForce || r.PinFree {
		t.Errorf("the receipt of the OFF's proof: %+v", r)
	}
	if st := f.status(w); !st.InForce || st.Stage != "attested" || st.Running == nil || st.Running.PinFree || st.Running.AttestedAt.IsZero() {
		t.Errorf("after the OFF's proof: %s, %+v", st.Stage, st.Running)
	}
	if o := f.off(); o.InForce != 1 || o.Outstanding != 0 {
		t.Errorf("the count after the proof: %+v", o)
	}
	return broker
}

// off is the newest OFF of the store.
func (f *fleetShop) off() client.SwitchOff {
	f.t.Helper()
	list := done[client.List[client.SwitchOff]](f.t)(f.operator.SwitchOffs(f.t.Context(), client.TerminalQuery{Scope: client.OfStore(f.store.ID)}))
	if len(list.Items) == 0 {
		f.t.Fatal("no OFF of the store is known")
	}
	return list.Items[0]
}

// revoked takes the certificates back by the command line, and sees the end.
func (f *fleetShop) revoked(w *wire, broker *brokered) {
	t := f.t
	t.Helper()
	if got := f.world.run(t, "fleet", "revoke", string(w.device.ID)); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	broker.ends()
	for _, path := range []string{protocol.PathConfig + "?have=0", "/v1/host-key"} {
		if status, code := w.get(path); status != http.StatusUnauthorized || code != "terminal_key_revoked" {
			t.Errorf("%s after the revocation: %d %s", path, status, code)
		}
	}
	if st := f.status(w); st.Stage != "revoked" || st.InForce || st.Believed {
		t.Errorf("after the revocation: %+v", st)
	}
}

// Another terminal's certificate opens nothing of a terminal: neither payments
// nor reports, and nothing beside the routes that terminals need is served.
func TestTerminalsKeepToThemselves(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	mine, other := f.machine("收银台 1"), f.machine("收银台 2")
	mine.fetch()
	signed, _ := mine.report()
	f.passes(mine, "A1")
	if status, code := other.post(protocol.PathReport, signed, nil); status != http.StatusForbidden || code != "report_unknown_key" {
		t.Errorf("a report of another terminal: %d %s", status, code)
	}
	updates := filepath.Join(f.world.dir, "data", "updates")
	if err := os.MkdirAll(updates, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"timestamp.json", "private.json"} {
		if err := os.WriteFile(filepath.Join(updates, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{
		"/v1/merchants/" + string(f.merchant.ID) + "/orders/A1": http.StatusNotFound,
		"/v1/terminals/" + string(mine.device.ID) + "/status":   http.StatusForbidden,
		"/v1/merchants/" + string(f.merchant.ID):                http.StatusForbidden,
		"/v1/payers/" + string(f.payer.ID):                      http.StatusForbidden,
		"/v1/rules":                                             http.StatusForbidden,
		"/openapi.json":                                         http.StatusNotFound,
		"/healthz":                                              http.StatusNotFound,
		"/v1/host-key":                                          http.StatusOK,
		protocol.PathUpdate + "/timestamp.json":                 http.StatusOK,
		protocol.PathUpdate + "/private.json":                   http.StatusNotFound,
	} {
		if status, code := other.get(path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, code, want)
		}
	}
	for _, path := range []string{"/v1/staff/login", "/v1/payers/login", "/v1/terminals/" + string(mine.device.ID) + "/revoke"} {
		if status, code := other.post(path, []byte(`{}`), nil); status < http.StatusBadRequest || status >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", path, status, code)
		}
	}
	bare := *mine
	bare.http = bare.client(nil)
	if status, code := bare.get(protocol.PathConfig + "?have=0"); status != http.StatusUnauthorized || code != "terminal_certificate_missing" {
		t.Errorf("without a certificate: %d %s", status, code)
	}
	if st := f.status(mine); !st.InForce {
		t.Errorf("what others tried has changed the terminal: %+v", st)
	}
}

// A code of the command line enrols a terminal once, and the next code takes the
// place of the one before.
func TestFleetEnrolByCommandLine(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	tm := done[client.Terminal](t)(f.operator.CreateTerminal(t.Context(), f.store.ID, client.NewTerminal{Name: "收银台", Model: f.model.ID}))
	code := func() string {
		got := f.world.run(t, "fleet", "enrol", string(tm.ID))
		fields := strings.Fields(got.stdout)
		if got.code != exitOK || len(fields) < 2 || !strings.HasPrefix(fields[1], "mm1-") {
			t.Fatalf("%+v", got)
		}
		return fields[1]
	}
	old, fresh := code(), code()
	w := newWire(t, f.at["serving terminals"], f.clock)
	if status, problem := w.tryEnrol(old); status != http.StatusUnauthorized || problem != "enrolment_code_invalid" {
		t.Errorf("the code before the last: %d %s", status, problem)
	}
	w.enrol(tm.ID, fresh)
	if status, problem := w.tryEnrol(fresh); status != http.StatusUnauthorized || problem != "enrolment_code_invalid" {
		t.Errorf("the code again: %d %s", status, problem)
	}
	w.fetch()
	w.report()
	got := f.world.run(t, "fleet", "show", string(tm.ID))
	if got.code != exitOK || !strings.Contains(got.stdout, "in force") {
		t.Errorf("%+v", got)
	}
}

// Flags for terminals that do not fit together are refused.
func TestServeTerminalFlags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, args := range map[string][]string{
		"a broker without terminals":   {"--mqtt=127.0.0.1:0"},
		"terminals without a name":     {"--terminals=127.0.0.1:0"},
		"a name with its port":         {"--terminals=127.0.0.1:0", "--terminal-names=pay.example:8443"},
		"two brokers":                  {"--terminals=127.0.0.1:0", "--terminal-names=a", "--mqtt=127.0.0.1:0", "--nats=nats://x"},
		"a cluster without its issuer": {"--terminals=127.0.0.1:0", "--terminal-names=a", "--nats=nats://x", "--nats-auth=nats://x", "--mqtt-public=a:1"},
	} {
		if got := w.run(t, append([]string{"serve"}, args...)...); got.code != exitUsage || cmp.Equal(got.stderr, "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Terminals of a running server are told when there is a program for them, and
// their status says how they stand with it.
func TestUpdateIsHintedAt(t *testing.T) {
	t.Parallel()
	f := newFleetShop(t)
	w := f.machine("收银台 1")
	w.fetch()
	b := w.connect(f.at["serving MQTT"])
	o := operator{t, &update.Repository{Dir: filepath.Join(f.world.dir, "data", "updates"), Keys: []string{filepath.Join(t.TempDir(), "keys")},
		Clock: systemClock{}, Random: rand.Reader}}
	if err := o.repo.Init(); err != nil {
		t.Fatal(err)
	}
	o.publish("1.4.0", []byte("a program"), 4)
	for !b.hint().Update {
	}
	w.device.Change = func(r *protocol.Report) { r.Update = &protocol.Update{State: "waiting", Version: "1.4.0"} }
	w.report()
	if u := f.status(w).Update; u == nil || *u != (client.Update{State: "waiting", Version: "1.4.0"}) {
		t.Errorf("the status says %+v", u)
	}
	if got := f.world.run(t, "fleet", "show", string(w.device.ID)); got.code != exitOK || !strings.Contains(got.stdout, "1.4.0 runs after the restart") {
		t.Errorf("fleet show: %+v", got)
	}
}
