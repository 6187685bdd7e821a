package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
)

// Plan is what a load process is told on its standard input.
type Plan struct {
	Address   string        `json:"address"` // host:port on the loopback address
	Path      string        `json:"path"`
	Terminals []string      `json:"terminals"`
	Keys      []string      `json:"keys"` // API key of each terminal's merchant
	Codes     []string      `json:"codes"`
	Run       string        `json:"run"` // leads every order number
	Callers   int           `json:"callers"`
	Length    time.Duration `json:"length"`
	Batch     int           `json:"batch"` // payments in a request; 0: one, not in a batch
}

// Seen is what a load process saw; latencies are of requests.
type Seen struct {
	Payments int64           `json:"payments"`
	PinFree  int64           `json:"pin_free"`
	Failed   int64           `json:"failed"`
	Used     int64           `json:"used"` // codes
	Elapsed  time.Duration   `json:"elapsed"`
	CPU      time.Duration   `json:"cpu"`
	Latency  []time.Duration `json:"latency"`
	Problem  string          `json:"problem"` // the first failure
}

// Load drives a server from a process of its own: callers with a connection
// each, which ask again when they are answered.
func Load(ctx context.Context, p Plan, clock mianmi.Clock) (Seen, error) {
	if host, _, err := net.SplitHostPort(p.Address); err != nil || !net.ParseIP(host).IsLoopback() {
		return Seen{}, mianmi.InvalidField("address", "a load goes to this machine's loopback address only")
	}
	ctx, cancel := context.WithTimeout(ctx, p.Length)
	defer cancel()
	l := &loader{plan: p, clock: clock}
	begin, cpu := clock.Now(), ownCPU()
	var wg sync.WaitGroup
	latencies := make([][]time.Duration, p.Callers)
	for i := range p.Callers {
		wg.Go(func() { latencies[i] = l.caller(ctx, i) })
	}
	wg.Wait()
	s := Seen{Payments: l.payments.Load(), PinFree: l.pinFree.Load(), Failed: l.failed.Load(), Used: min(l.next.Load(), int64(len(p.Codes))),
		Elapsed: clock.Now().Sub(begin), CPU: ownCPU() - cpu}
	if f := l.problem.Load(); f != nil {
		s.Problem = *f
	}
	for _, list := range latencies {
		s.Latency = append(s.Latency, list...)
	}
	return s, nil
}

type loader struct {
	plan  Plan
	clock mianmi.Clock
	next  atomic.Int64
	counts
	problem atomic.Pointer[string]
}

func (l *loader) caller(ctx context.Context, i int) (latencies []time.Duration) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.plan.Address)
	if err != nil {
		l.fail(err.Error())
		return nil
	}
	defer conn.Close()                        //nolint:errcheck // the run is over
	r := rand.New(rand.NewPCG(uint64(i), 11)) //nolint:gosec // a benchmark's choice
	in := bufio.NewReader(conn)
	var out bytes.Buffer
	for ctx.Err() == nil {
		n := int64(max(1, l.plan.Batch))
		from := l.next.Add(n) - n
		if from+n > int64(len(l.plan.Codes)) {
			return latencies
		}
		begin := l.clock.Now()
		l.request(&out, r, from, n)
		if _, err := conn.Write(out.Bytes()); err != nil {
			l.fail(err.Error())
			return latencies
		}
		if err := l.answer(in, n); err != nil {
			l.fail(err.Error())
			return latencies
		}
		latencies = append(latencies, l.clock.Now().Sub(begin))
	}
	return latencies
}

// request writes one HTTP request with n payments at one merchant's terminals.
func (l *loader) request(out *bytes.Buffer, r *rand.Rand, from, n int64) {
	at := r.IntN(len(l.plan.Terminals))
	var body []byte
	for k := range n {
		body = append(body, `{"terminal":"`+l.plan.Terminals[at]+`","order_no":"`+l.plan.Run+"-"+strconv.FormatInt(from+k, 36)+
			`","amount":{"minor":`+strconv.Itoa(100+r.IntN(5000))+`,"currency":"CNY"},"method":"payment_code","entry":"scanned","code":"`+
			l.plan.Codes[from+k]+`"},`...)
	}
	body = body[:len(body)-1]
	if l.plan.Batch > 0 {
		body = append(append([]byte(`{"payments":[`), body...), `]}`...)
	}
	out.Reset()
	fmt.Fprintf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		l.plan.Path, l.plan.Address, l.plan.Keys[at], len(body))
	out.Write(body)
}

var pinFreeMark = []byte(`"outcome":"pin_free"`)

// answer reads one HTTP answer and counts what it says.
func (l *loader) answer(in *bufio.Reader, n int64) error {
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		l.fail(resp.Status + " " + string(body[:min(len(body), 300)]))
		return nil
	}
	l.payments.Add(n)
	l.pinFree.Add(int64(bytes.Count(body, pinFreeMark)))
	return nil
}

func (l *loader) fail(what string) {
	l.failed.Add(1)
	l.problem.CompareAndSwap(nil, &what)
}

// LoadProcess is a load process: it reads a Plan and writes what it Seen.
func LoadProcess(ctx context.Context, in io.Reader, out io.Writer, clock mianmi.Clock) error {
	var p Plan
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	s, err := Load(ctx, p, clock)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}
