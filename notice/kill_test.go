package notice_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
	"github.com/mianmi/mianmi/store/storetest"
)

// nodeVariable makes this test program a server: it reads a setup, works, and
// writes what it has answered, one fact a line.
const nodeVariable = "MIANMI_NOTICE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// setup is what the servers know of one world.
type setup struct {
	DSN, KeysFile string
	Shop          storetest.Shop
	People        []storetest.Person
	Seed          uint64
	Load          bool // make facts, not only send them
}

var (
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	machine  = mianmi.ClockFunc(func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) })
)

func openNode(ctx context.Context, dsn, keysFile string) (*storetest.Node, error) {
	keys, _, err := secret.LoadOrCreate(keysFile, rand.Reader)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, dsn, store.Options{ConnsMax: 8, CacheKiB: 4096})
	if err != nil {
		return nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return storetest.NewNode(ctx, storetest.NodeConfig{DB: db, Keys: keys, Clock: machine, WebhookAllow: loopback, Payer: payer.Config{NoCoolingOff: true}})
}

// serve runs a server until its input ends, or for ever.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	d := json.NewDecoder(in)
	var s setup
	if err := d.Decode(&s); err != nil {
		return err
	}
	n, err := openNode(ctx, s.DSN, s.KeysFile)
	if err != nil {
		return err
	}
	sender, err := notice.StartSender(ctx, notice.SenderParts{Outbox: n.DB, Service: n.Webhooks,
		Poster: notice.NewPoster(notice.NewGuard(loopback), machine, notice.PosterConfig{Timeout: 2 * time.Second})},
		notice.SenderConfig{Poll: 10 * time.Millisecond, Lease: 500 * time.Millisecond, Slice: time.Second,
			Schedule: notice.Schedule{Waits: []time.Duration{20 * time.Millisecond}, First: 20 * time.Millisecond, Most: 100 * time.Millisecond}})
	if err != nil {
		return err
	}
	defer sender.Stop()
	if s.Load {
		for i := range s.People {
			l := &load{n: n, s: s, me: s.People[i], r: mrand.New(mrand.NewPCG(s.Seed, uint64(i))), out: out}
			go l.run(ctx)
		}
	}
	if err := d.Decode(new(struct{})); !errors.Is(err, io.EOF) {
		return err
	}
	n.Payments.Stop()
	return nil
}

// load is one person's life: payments, refunds, and a switch thrown to and fro.
type load struct {
	n    *storetest.Node
	s    setup
	me   storetest.Person
	r    *mrand.Rand
	out  io.Writer
	paid []*payment.Payment
	no   int
}

var said sync.Mutex

// say tells of a fact that was answered.
func (l *load) say(subject string, version int64) {
	said.Lock()
	defer said.Unlock()
	_, _ = fmt.Fprintf(l.out, "%s %d\n", subject, version)
}

func (l *load) run(ctx context.Context) {
	for {
		if err := l.step(ctx); err != nil && !errors.Is(err, mianmi.Conflict) && !errors.Is(err, mianmi.Unavailable) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func (l *load) step(ctx context.Context) error {
	l.no++
	switch what := l.r.IntN(10); {
	case what == 0:
		_, err := l.n.Payers.Close(ctx, l.me.Actor(), l.me.ID, payer.Basis{})
		return err
	case what == 1:
		_, err := l.n.Payers.Reopen(ctx, l.me.Actor(), l.me.ID, payer.ReopenInput{Password: storetest.PaymentPassword, RiskVersion: payer.RiskText.Version})
		return err
	case what < 5 && len(l.paid) > 0:
		p := l.paid[l.r.IntN(len(l.paid))]
		_, err := l.n.Payments.Refund(ctx, l.s.Shop.Manager, p.ID, payment.RefundRequest{RefundNo: fmt.Sprintf("r%d", l.no), Amount: money.Of(1, "CNY")})
		return err
	}
	p, err := l.n.Payments.Authorize(ctx, l.s.Shop.Manager, l.me.Tap(l.s.Shop.Terminal, fmt.Sprintf("%x-%s-%d", l.s.Seed, l.me.ID[20:], l.no), 100))
	if err != nil {
		return err
	}
	l.say(string(p.ID), p.Version)
	if p.State == payment.Approved {
		l.paid = append(l.paid, p)
	}
	return nil
}

// server is a running server.
type server struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  sync.WaitGroup
}

func startServer(t *testing.T, s setup, answered func(subject string, version int64)) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &server{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), nodeVariable+"=1")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err == nil {
		err = json.NewEncoder(p.stdin).Encode(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.done.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var subject string
			var version int64
			if _, err := fmt.Sscan(lines.Text(), &subject, &version); err == nil { // the last line may be cut
				answered(subject, version)
			}
		}
	})
	return p
}

// kill ends the server at once, as kill -9 does.
func (p *server) kill() {
	_ = p.cmd.Process.Kill()
	p.done.Wait()
	_ = p.cmd.Wait()
}

// Servers are killed at any moment while they take payments and send; the
// receiver fails now and then. In the end every fact that was answered, and
// every one that is in the database, has come at least once, those of one
// subject in order.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 6
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		kills = 100
	}
	for engine, nodes := range map[string]int{"sqlite": 1, "postgres": 2} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "mianmi.db")
			if engine == "postgres" {
				dsn = pgtest.Open(t)
			}
			killAll(t, setup{DSN: dsn, KeysFile: filepath.Join(t.TempDir(), "keys")}, nodes, kills)
		})
	}
}

func killAll(t *testing.T, s setup, nodes, kills int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	n, err := openNode(ctx, s.DSN, s.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Payments.Stop(); _ = n.DB.Close() })
	if s.Shop, err = n.NewShop(ctx, merchant.Facts{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p, err := n.NewPerson(ctx, 1_000_000_00)
		if err != nil {
			t.Fatal(err)
		}
		s.People = append(s.People, p)
	}
	v, got := flakyReceiver(t, n)
	var mu sync.Mutex
	answers := map[string]int64{}
	rnd := mrand.New(mrand.NewPCG(11, uint64(nodes)))
	left := atomic.Int64{}
	enough := make(chan struct{}, 1)
	answered := func(subject string, version int64) {
		mu.Lock()
		answers[subject] = max(answers[subject], version)
		mu.Unlock()
		if left.Add(-1) == 0 {
			enough <- struct{}{}
		}
	}
	s.Load = true
	var running []*server
	for range kills {
		left.Store(10 + rnd.Int64N(40))
		for len(running) < nodes {
			s.Seed++
			running = append(running, startServer(t, s, answered))
		}
		<-enough
		i := rnd.IntN(len(running))
		running[i].kill()
		running = append(running[:i], running[i+1:]...)
	}
	for _, p := range running {
		p.kill()
	}
	s.Load = false
	last := startServer(t, s, answered)
	defer last.kill()
	check(t, n, got, v, answers)
}

// flakyReceiver makes a webhook of the platform, whose receiver fails now and then.
func flakyReceiver(t *testing.T, n *storetest.Node) (notice.View, *notice.Receiver) {
	t.Helper()
	var r atomic.Pointer[notice.Receiver]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.Load().ServeHTTP(w, req) }))
	t.Cleanup(front.Close)
	v, key, err := n.Webhooks.Create(t.Context(), storetest.Operator, notice.NewWebhook{URL: front.URL, Parallel: 8})
	if err != nil {
		t.Fatal(err)
	}
	got, err := notice.NewReceiver(machine, key)
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int64
	got.Take = func(notice.Received) int {
		if tries.Add(1)%17 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	r.Store(got)
	return v, got
}

// standstillMax is how long nothing may move before nothing ever will.
const standstillMax = 2 * time.Minute

// check waits until everything is sent and compares it with what happened.
func check(t *testing.T, n *storetest.Node, got *notice.Receiver, v notice.View, answers map[string]int64) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(standstillMax)
	defer end.Stop()
	for last := ""; ; {
		s, err := n.DB.OutboxStats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		q, err := n.DB.Queue(t.Context(), v.ID)
		if err != nil {
			t.Fatal(err)
		}
		if s.Facts == 0 && q.Waiting == 0 {
			break
		}
		if now := fmt.Sprint(s.Facts, q.Numbered, q.Waiting, got.Report().Messages); now != last { // slow is no fault
			last = now
			end.Reset(standstillMax)
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("%v after the last kill nothing moves of %+v %+v", standstillMax, s, q)
		}
	}
	facts := 0
	err := n.DB.EachTellable(t.Context(), v.CreatedAt, func(f notice.Fact) error {
		facts++
		if f.Ref == "" && !got.Has(f.Subject, f.Seq) || f.Ref != "" && !got.HasEntry(mianmi.EntryID(f.Ref)) {
			t.Errorf("the receiver was never told of %s %d %s", f.Subject, f.Seq, f.Ref)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for subject, version := range answers {
		if !got.Has(subject, version) {
			t.Errorf("%s %d was answered, and never told", subject, version)
		}
	}
	r := got.Report()
	if !r.OK() || facts < 50 || len(answers) < 20 {
		t.Errorf("%d facts, %d answers, %+v", facts, len(answers), r)
	}
	t.Logf("%d facts, %d answers, %+v", facts, len(answers), r)
}
