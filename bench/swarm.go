package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
)

// SwarmPlan is what the process of the terminals is told at its start.
type SwarmPlan struct {
	MQTT      string         `json:"mqtt"` // host:port
	Authority []byte         `json:"authority"`
	Terminals []SwarmMachine `json:"terminals"`
	Dials     int            `json:"dials"` // connections that are made at once
}

// SwarmMachine is one simulated terminal.
type SwarmMachine struct {
	ID          mianmi.TerminalID `json:"id"`
	Key         []byte            `json:"key"` // SEC 1, DER
	Certificate []byte            `json:"certificate"`
}

// Orders to the process of the terminals.
const (
	watchJoin      = "join"      // all are connected and have proved their first setting
	watchBroadcast = "broadcast" // all have had the message that says nothing new
	watchOff       = "off"       // all have fetched that PIN-free is off, and proved it
	watchOn        = "on"
)

// swarmOrder asks for one thing to be watched.
type swarmOrder struct {
	Watch string `json:"watch"`
}

// swarmSaw is an answer: first that it is watched, then what was seen. Times
// are those of this machine's clock, in nanoseconds, one for each terminal.
type swarmSaw struct {
	Watching  bool    `json:"watching,omitempty"`
	Heard     []int64 `json:"heard,omitempty"` // the plain message
	Delivered []int64 `json:"delivered,omitempty"`
	Attested  []int64 `json:"attested,omitempty"`
	Asked     int64   `json:"asked"`  // asked by themselves, for a hint did not come
	Again     int64   `json:"again"`  // questions without an answer, asked again
	Broken    int64   `json:"broken"` // connections that were lost
	Problem   string  `json:"problem,omitempty"`
}

// swarm is all simulated terminals.
type swarm struct {
	plan  SwarmPlan
	roots *x509.CertPool
	dials chan struct{}
	all   []*machine
	watch atomic.Pointer[watch]

	asked, again, broken atomic.Int64

	mu      sync.Mutex
	problem string
}

// watch is what is being waited for.
type watch struct {
	what  string
	since time.Time

	mu                         sync.Mutex
	heard, delivered, attested []int64
	left                       int // terminals that are not there yet
	done                       chan struct{}
}

// Bounds of a run of the terminals' process.
const (
	planMax = 64 << 20 // a kilobyte a terminal
	// alone is how long a terminal waits for a hint before it asks by itself. A
	// real one does with its next report, within minutes.
	alone = 20 * time.Second
	// watchMax ends a watch that does not become complete.
	watchMax  = 5 * time.Minute
	pingEvery = 20 * time.Second // below the 25 s that terminals promise the broker
	answerMax = 10 * time.Second // then the question is asked again
)

// SwarmProcess is the whole life of the process of the terminals: it reads a
// plan, then orders, and writes what it saw, until in ends.
func SwarmProcess(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := json.NewDecoder(io.LimitReader(in, planMax))
	var plan SwarmPlan
	if err := d.Decode(&plan); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	s, err := newSwarm(plan)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	go s.tick(ctx)
	answers := json.NewEncoder(out)
	for started := false; ; started = true {
		var o swarmOrder
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		w := s.begin(o.Watch)
		if err := answers.Encode(swarmSaw{Watching: true}); err != nil {
			return err
		}
		if !started {
			for _, m := range s.all {
				running.Go(func() { m.live(ctx) })
			}
		}
		if err := answers.Encode(s.wait(ctx, w)); err != nil {
			return err
		}
	}
}

func newSwarm(plan SwarmPlan) (*swarm, error) {
	ca, err := x509.ParseCertificate(plan.Authority)
	if err != nil {
		return nil, fmt.Errorf("the authority: %w", err)
	}
	s := &swarm{plan: plan, roots: x509.NewCertPool(), dials: make(chan struct{}, max(plan.Dials, 1))}
	s.roots.AddCert(ca)
	for i, p := range plan.Terminals {
		m := &machine{s: s, n: i, id: p.ID}
		if m.key, err = x509.ParseECPrivateKey(p.Key); err != nil {
			return nil, fmt.Errorf("the key of terminal %s: %w", p.ID, err)
		}
		m.certificate = [][]byte{p.Certificate, plan.Authority}
		if m.boot.ID, err = nonce(); err != nil {
			return nil, err
		}
		m.boot.Count, m.boot.At = 1, time.Now()
		s.all = append(s.all, m)
	}
	return s, nil
}

// nonce is 16 random bytes in hexadecimal.
func nonce() (string, error) {
	var b [16]byte
	_, err := rand.Read(b[:])
	return hex.EncodeToString(b[:]), err
}

// begin begins to watch; what was watched before is over.
func (s *swarm) begin(what string) *watch {
	n := len(s.all)
	w := &watch{what: what, since: time.Now(), heard: make([]int64, n), delivered: make([]int64, n), attested: make([]int64, n), left: n,
		done: make(chan struct{})}
	s.asked.Store(0)
	s.again.Store(0)
	s.broken.Store(0)
	s.watch.Store(w)
	return w
}

// wait returns what was seen once every terminal is there.
func (s *swarm) wait(ctx context.Context, w *watch) swarmSaw {
	end := time.NewTimer(watchMax)
	defer end.Stop()
	select {
	case <-w.done:
	case <-end.C:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	saw := swarmSaw{Asked: s.asked.Load(), Again: s.again.Load(), Broken: s.broken.Load()}
	saw.Heard, saw.Delivered, saw.Attested = reached(w.heard), reached(w.delivered), reached(w.attested)
	if w.left > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		saw.Problem = fmt.Sprintf("%d of %d terminals are not there after %v; the last trouble: %s", w.left, len(s.all), watchMax, s.problem)
	}
	return saw
}

// reached are the times of those that are there.
func reached(all []int64) (out []int64) {
	for _, at := range all {
		if at != 0 {
			out = append(out, at)
		}
	}
	return out
}

// trouble keeps the last one, for whoever asks why.
func (s *swarm) trouble(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = err.Error()
}

// note keeps when a terminal got there, the first time; last says that this is
// all that is waited for of it.
func (w *watch) note(list []int64, n int, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if list[n] != 0 {
		return
	}
	list[n] = time.Now().UnixNano()
	if !last {
		return
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// tick looks after pings, questions without an answer, and hints that did not
// come: of a twentieth of all terminals each second.
func (s *swarm) tick(ctx context.Context) {
	const parts = int(pingEvery / time.Second)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for i, m := range s.all {
			if i%parts == turn%parts {
				m.ping()
			}
			m.remind()
		}
	}
}

// dial makes one connection to the broker, as many at once as the plan says.
func (m *machine) dial(ctx context.Context) (net.Conn, error) {
	select {
	case m.s.dials <- struct{}{}:
		defer func() { <-m.s.dials }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	host, _, err := net.SplitHostPort(m.s.plan.MQTT)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: answerMax}, Config: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: m.s.roots, ServerName: host,
		Certificates: []tls.Certificate{{Certificate: m.certificate, PrivateKey: m.key}}}}
	ctx, cancel := context.WithTimeout(ctx, 3*answerMax)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", m.s.plan.MQTT)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, m.join(conn)
}
