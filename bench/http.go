package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// HTTPOptions are those of Authorize and what the HTTP run needs besides.
type HTTPOptions struct {
	Options
	Batch int // payments in a request; 0: one, not in a batch
	// Handler is the real API over the service.
	Handler func(db *store.DB, svc *payment.Service) (http.Handler, error)
	Access  func(db *store.DB, keys *secret.Keys) (*access.Service, error)
	// Load starts the load process; it reads a Plan and writes what it Seen.
	Load func(ctx context.Context) *exec.Cmd
}

// empty decodes the same body and answers with 100 bytes: what HTTP and JSON
// cost with nothing behind them.
func empty(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Terminal string `json:"terminal"`
		OrderNo  string `json:"order_no"`
		Amount   struct {
			Minor    int64  `json:"minor"`
			Currency string `json:"currency"`
		} `json:"amount"`
		Method string `json:"method"`
		Entry  string `json:"entry"`
		Code   string `json:"code"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "bad body", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"order_no": in.OrderNo, "minor": in.Amount.Minor, "outcome": "pin_free",
		"state": "approved", "id": "pm00000000000000000000000000"})
}

// HTTP serves the real API in this process and drives it from another one.
// It returns the figures of the empty handler and of payments.
func HTTP(ctx context.Context, o HTTPOptions) (none, pay Figures, err error) {
	r, err := newHTTPRun(ctx, o)
	if err != nil {
		return none, pay, err
	}
	defer r.close()
	n := int(o.Length.Seconds() * float64(o.CodesPerSecond))
	warm, err := r.w.codes(ctx, r.d.db, r.d.keys, max(n/4, 1000), picker(o.Payers, o.Zipf), o.Clock.Now().Add(codeLifeOfBench))
	if err != nil {
		return none, pay, err
	}
	codes, err := r.w.codes(ctx, r.d.db, r.d.keys, n, picker(o.Payers, o.Zipf), o.Clock.Now().Add(codeLifeOfBench))
	if err != nil {
		return none, pay, err
	}
	if err := r.d.db.Analyze(ctx); err != nil {
		return none, pay, err
	}
	if none, err = r.measure(ctx, "empty handler", "/empty", repeat("280000000000000000", 1<<22), 0, o.Length); err != nil {
		return none, pay, err
	}
	path := "/v1/payments"
	if o.Batch > 0 {
		path = "/v1/payment-batches"
	}
	r.w.run += "w"
	if _, err = r.measure(ctx, "warm-up", path, warm, o.Batch, o.Warmup); err != nil {
		return none, pay, err
	}
	r.w.run += "m"
	name := "http " + r.d.db.Engine()
	if o.Single {
		name += " single"
	}
	if o.Batch > 0 {
		name += " batch " + strconv.Itoa(o.Batch)
	}
	pay, err = r.measure(ctx, name, path, codes, o.Batch, o.Length)
	return none, pay, err
}

// repeat is a plan's codes for a handler that looks at none.
func repeat(code string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = code
	}
	return list
}

type httpRun struct {
	o      HTTPOptions
	d      parts
	w      *World
	keys   []string // of each terminal
	svc    *payment.Service
	server *http.Server
	addr   string
}

func newHTTPRun(ctx context.Context, o HTTPOptions) (*httpRun, error) {
	db, err := store.Open(ctx, o.DSN, store.Options{ConnsMax: 100})
	if err != nil {
		return nil, err
	}
	r := &httpRun{o: o}
	if _, err = db.Migrate(ctx); err == nil {
		r.d, err = newParts(db, o.Options)
	}
	if err != nil {
		return nil, err
	}
	if err := load(ctx, db, o.Payers, o.Clock.Now()); err != nil {
		return nil, err
	}
	run := strconv.FormatInt(o.Clock.Now().UnixMicro(), 36)
	if r.w, err = newWorld(ctx, r.d, o.Payers, run); err != nil {
		return nil, err
	}
	if r.svc, err = r.d.service(ctx, o.Options); err != nil {
		return nil, err
	}
	if err := r.d.startSequencer(ctx, o.Options); err != nil {
		return nil, err
	}
	a, err := o.Access(db, r.d.keys)
	if err != nil {
		return nil, err
	}
	if r.keys, err = apiKeys(ctx, a, r.w); err != nil {
		return nil, err
	}
	return r, r.serve(ctx)
}

// apiKeys makes one key for each merchant and gives it to its terminals.
func apiKeys(ctx context.Context, a *access.Service, w *World) ([]string, error) {
	of := map[mianmi.MerchantID]string{}
	keys := make([]string, len(w.Actors))
	for i, actor := range w.Actors {
		if of[actor.Merchant] == "" {
			_, token, err := a.CreateKey(ctx, mianmi.Actor{Role: mianmi.RoleOperator, ID: operatorOfBench},
				access.NewKey{Name: "bench", Merchant: actor.Merchant, Scopes: mianmi.ScopePay})
			if err != nil {
				return nil, fmt.Errorf("create an API key: %w", err)
			}
			of[actor.Merchant] = token
		}
		keys[i] = of[actor.Merchant]
	}
	return keys, nil
}

func (r *httpRun) serve(ctx context.Context) error {
	h, err := r.o.Handler(r.d.db, r.svc)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /empty", empty)
	mux.Handle("/", h)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.addr = l.Addr().String()
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(l) }() // ends with close
	return nil
}

func (r *httpRun) close() {
	_ = r.server.Close()
	r.d.sequencer.stop()
	r.svc.Stop()
	_ = r.d.db.Close()
}

// measure lets the load process run once and reads what both sides used.
func (r *httpRun) measure(ctx context.Context, name, path string, codes []string, batch int, length time.Duration) (Figures, error) {
	plan := Plan{Address: r.addr, Path: path, Keys: r.keys, Codes: codes, Run: r.w.run, Callers: r.o.Callers, Length: length, Batch: batch}
	for _, t := range r.w.Terminals {
		plan.Terminals = append(plan.Terminals, string(t))
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return Figures{}, err
	}
	r.d.sequencer.begin()
	before, err := r.d.db.Usage(ctx)
	if err != nil {
		return Figures{}, err
	}
	own, server := ownCPU(), treeCPU(before.ServerPID)
	cmd := r.o.Load(ctx)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return Figures{}, fmt.Errorf("load process: %w", err)
	}
	own, server = ownCPU()-own, treeCPU(before.ServerPID)-server
	after, err := r.d.db.Usage(ctx)
	if err != nil {
		return Figures{}, err
	}
	var s Seen
	if err := json.Unmarshal(out, &s); err != nil {
		return Figures{}, fmt.Errorf("what the load process saw: %w", err)
	}
	if s.Problem != "" {
		r.o.Log.Error("the first failed request", "problem", s.Problem)
	}
	f := Figures{Name: name, Payments: s.Payments, PinFree: s.PinFree, Failed: s.Failed}
	f.finish(s.Elapsed, s.Latency)
	per := float64(max(f.Payments, 1))
	f.ServiceCPU, f.LoadCPU = float64(own.Microseconds())/per, float64(s.CPU.Microseconds())/per
	if before.ServerPID > 0 {
		f.DatabaseCPU = float64(server.Microseconds()) / per
	}
	f.LogBytes, f.DiskBytes = float64(after.Log-before.Log)/per, float64(after.Disk-before.Disk)/per
	return f, r.d.sequencer.tell(&f)
}
