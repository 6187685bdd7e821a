package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/store"
)

// server is the program, serving, as a process of its own.
type server struct {
	*client.Client
	address string
	cmd     *exec.Cmd
	gone    chan struct{}

	mu   sync.Mutex
	said strings.Builder
}

// serve starts the program on the world's folder and waits until it serves; nil
// when it ends before.
func (w world) serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{cmd: program(t, w.dir, append([]string{"serve", "--listen=127.0.0.1:0", "--log-format=json"}, args...)...), gone: make(chan struct{})}
	s.cmd.Env = append(s.cmd.Env, w.environ...)
	out, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	at := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			s.mu.Lock()
			s.said.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				at <- line.Address
			}
		}
		_ = s.cmd.Wait() // the status is read by whoever asks
		close(s.gone)
	}()
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); <-s.gone })
	select {
	case address := <-at:
		s.address = "http://" + address
		if s.Client, err = client.New(s.address, client.Options{}); err != nil {
			t.Fatal(err)
		}
		return s
	case <-s.gone:
		t.Fatalf("the server ended with %v:\n%s", s.cmd.ProcessState, s.log())
	}
	return nil
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// stop ends the server as an operator does, kill as a crash does; both return
// its exit status.
func (s *server) stop() int { return s.end(syscall.SIGTERM) }
func (s *server) kill() int { return s.end(syscall.SIGKILL) }

func (s *server) end(with syscall.Signal) int {
	_ = s.cmd.Process.Signal(with) // it may have ended already
	<-s.gone
	return s.cmd.ProcessState.ExitCode()
}

// shop is a world in which people pay without a PIN: a merchant that is open,
// and payers whose switch is on.
type shop struct {
	world
	operators   [2]string // sessions
	pos, wallet string    // API keys
	merchant    mianmi.MerchantID
	terminal    mianmi.TerminalID
	payers      [3]mianmi.PayerID
	orders      int
}

const shopPassword = "283746"

// newShop makes the shop through a server, which goes on. All of it is in the log.
func newShop(t *testing.T, environ ...string) (*shop, *server) {
	t.Helper()
	s := &shop{world: newWorld(t, environ...)}
	s.run(t, "migrate")
	s.logIn(t)
	srv := s.serve(t)
	op, second := srv.As(s.operators[0]), srv.As(s.operators[1])
	m := must(op.CreateMerchant(t.Context(), client.NewMerchant{Name: "茶店", Currency: "CNY", Facts: client.Facts{Country: "CN", MCC: 5812, NoPIN: true, Upgraded: true, Risk: "low"}}))(t)
	s.merchant = m.ID
	s.pos = must(op.CreateAPIKey(t.Context(), client.NewAPIKey{Name: "POS", Merchant: m.ID, Scopes: []string{"pay", "read", "tighten"}}))(t).Token
	s.wallet = must(op.CreateAPIKey(t.Context(), client.NewAPIKey{Name: "wallet", Scopes: []string{"payers"}}))(t).Token
	st := must(op.CreateStore(t.Context(), m.ID, client.NewStore{Name: "一店", Address: "海棠路 1 号"}))(t)
	model := must(op.CreateModel(t.Context(), client.NewModel{Name: "P2", Keypad: true, Display: true, Proof: "host", Methods: []string{"payment_code", "dynamic_qr"}}))(t)
	s.terminal = must(op.CreateTerminal(t.Context(), st.ID, client.NewTerminal{Name: "收银台", Model: model.ID}))(t).ID
	s.open(t, op, second, client.OfMerchant(m.ID))
	texts := must(srv.Texts(t.Context()))(t)
	for i := range s.payers {
		p := must(srv.As(s.wallet).CreatePayer(t.Context(), client.NewPayer{Phone: fmt.Sprintf("+861380000000%d", i), Name: "顾客", Currency: "CNY",
			Password: shopPassword, PinFree: true, RiskVersion: texts.Risk.Version}))(t)
		s.payers[i] = p.ID
		must(srv.As(s.wallet).TopUp(t.Context(), p.ID, client.NewTopUp{Key: "first", Amount: money.Of(1_000_000_00, "CNY")}))(t)
	}
	s.inside(t, func(_ *app, db *store.DB) {
		eventually(t, "the shop is in the log", func() bool { return len(must(db.WaitingLeaves(t.Context(), 0, 1))(t)) == 0 })
	})
	return s, srv
}

// must is the value; the test ends when there is an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// logIn makes two operators with sessions, on the database itself.
func (s *shop) logIn(t *testing.T) {
	t.Helper()
	s.inside(t, func(a *app, db *store.DB) {
		who := must(a.access(t.Context(), db))(t)
		for i := range s.operators {
			e := must(who.CreateStaff(t.Context(), commandLine, access.NewStaff{Login: fmt.Sprintf("op%d.%x", i, a.clock.Now().UnixMicro()), Name: "员工", Role: mianmi.RoleOperator}))(t)
			started := must(who.StartSession(t.Context(), mianmi.Actor{Role: mianmi.RoleOperator, ID: string(e.Staff.ID)}))(t)
			s.operators[i] = started.Token
		}
	})
}

// inside works on the database as the program's subcommands do.
func (s *shop) inside(t *testing.T, fn func(*app, *store.DB)) {
	t.Helper()
	a, _, _ := s.app()
	data, dsn := filepath.Join(s.dir, "data"), ""
	for _, kv := range s.environ {
		dsn = strings.TrimPrefix(kv, "MIANMI_DB=")
		if dsn != kv {
			break
		}
		dsn = ""
	}
	a.shared, a.log = &shared{Data: data, DB: dsn, DBConns: 4, DBWriteLimit: 10 * time.Second}, newLog(a.stderr, "error", "text")
	db := must(a.database(t.Context(), false))(t)
	fn(a, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// open opens PIN-free payment in a scope, by two persons.
func (s *shop) open(t *testing.T, first, second *client.Client, scope client.Scope) {
	t.Helper()
	r := must(first.SetPolicy(t.Context(), scope, client.Terms{PinFree: true}, nil))(t)
	if r.Proposal != nil {
		must(second.Approve(t.Context(), r.Proposal.ID))(t)
	}
}

// pay pays a small amount with a fresh code and returns the outcome.
func (s *shop) pay(t *testing.T, srv *server, payer int) string {
	t.Helper()
	s.orders++
	code := must(srv.As(s.wallet).IssueCode(t.Context(), s.payers[payer]))(t)
	p := must(srv.As(s.pos).Authorize(t.Context(), client.Authorization{Terminal: s.terminal, OrderNo: fmt.Sprintf("shop%06d", s.orders), Amount: money.Of(1_00, "CNY"),
		Method: "payment_code", Code: code.Code, Entry: "scanned"}))(t)
	return p.Outcome
}
