package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// start runs the server and returns the addresses that it logs; stop ends it
// as a signal does and returns its exit status.
func (w world) start(t *testing.T, args ...string) (addresses map[string]string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, stderr := io.Pipe()
	a, _, _ := w.app()
	a.stderr = stderr
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--log-format=json", "--listen=127.0.0.1:0"}, args...), a)
		_ = stderr.Close()
	}()
	stop = func() int { cancel(); return <-done }
	t.Cleanup(cancel)
	addresses = map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v in the log line %s", err, lines.Text())
		}
		addresses[line.Msg] = line.Address
		if line.Msg == "serving" {
			go io.Copy(io.Discard, r) //nolint:errcheck // the pipe ends with the server
			return addresses, stop
		}
	}
	t.Fatalf("the server did not start: %d", <-done)
	return nil, nil
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A fresh folder is enough to serve: schema and keys are made, health,
// readiness and metrics answer, a signal ends it with status 0, and the
// doctor has nothing to say afterwards.
func TestServeFromNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, stop := w.start(t, "--metrics=127.0.0.1:0")
	for url, want := range map[string]string{
		"http://" + at["serving"] + "/healthz": `"ok"`,
		"http://" + at["serving"] + "/readyz":  `"ready"`,
		"http://" + at["metrics"] + "/metrics": "go_goroutines",
	} {
		if status, body := get(t, url); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q, want 200 with %s", url, status, body, want)
		}
	}
	if status, _ := get(t, "http://"+at["serving"]+"/metrics"); status != http.StatusNotFound {
		t.Errorf("metrics are open to the API's callers: %d", status)
	}
	if code := stop(); code != exitOK {
		t.Errorf("status %d after a signal, want 0", code)
	}
	if statuses, code := w.doctor(t); code != exitOK {
		t.Errorf("the doctor finds %v", not(statuses))
	}
}

// Without leave to migrate, a PostgreSQL without schema is refused with the
// remedy and stays as it is; with leave it is served.
func TestServeMigratesPostgreSQLOnlyWhenTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "MIANMI_DB="+pgtest.Open(t))
	got := w.run(t, "serve", "--listen=127.0.0.1:0")
	if got.code != exitFailed || !strings.Contains(got.stderr, "mianmi migrate") {
		t.Errorf("%+v, want a refusal that names mianmi migrate", got)
	}
	if statuses, _ := w.doctor(t); statuses["database.schema"] != "fail" {
		t.Errorf("the schema was made: %v", statuses)
	}
	at, stop := w.start(t, "--migrate")
	if status, body := get(t, "http://"+at["serving"]+"/readyz"); status != http.StatusOK {
		t.Errorf("with --migrate: %d %q", status, body)
	}
	if code := stop(); code != exitOK {
		t.Errorf("status %d after a signal", code)
	}
}

// openDB is a database for tests of health.
func openDB(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "m.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a test may have closed it
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// A server that stops, or whose database is away, is alive but not ready.
func TestReadiness(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*health) error
	}{
		{"stopping", func(h *health) error { h.stopping.Store(true); return nil }},
		{"the database is away", func(h *health) error { return h.db.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHealth(openDB(t))
			s := httptest.NewServer(h.mount(http.NotFoundHandler()))
			defer s.Close()
			if status, _ := get(t, s.URL+"/readyz"); status != http.StatusOK {
				t.Fatalf("not ready at the start: %d", status)
			}
			if err := tt.spoil(h); err != nil {
				t.Fatal(err)
			}
			if status, _ := get(t, s.URL+"/readyz"); status != http.StatusServiceUnavailable {
				t.Errorf("ready: %d, want 503", status)
			}
			if status, _ := get(t, s.URL+"/healthz"); status != http.StatusOK {
				t.Errorf("alive: %d, want 200", status)
			}
		})
	}
}

// slow serves one request that waits for release, and returns what ends the
// server and what the two sides get.
func slow(t *testing.T, stopMax time.Duration) (end context.CancelFunc, release func(), served, answered chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, hold := make(chan struct{}), make(chan struct{})
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &serveCmd{TimeoutHeader: time.Minute, TimeoutRead: time.Minute, TimeoutWrite: time.Minute, TimeoutIdle: time.Minute, TimeoutStop: stopMax}
	a := &app{log: slog.New(slog.DiscardHandler)}
	served, answered = make(chan error, 1), make(chan error, 1)
	h := newHealth(openDB(t))
	go func() {
		served <- c.serve(ctx, a, l, h, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-hold
			w.WriteHeader(http.StatusNoContent)
		}))
	}()
	go func() {
		resp, err := http.Get("http://" + l.Addr().String() + "/slow") //nolint:noctx // ends with the server
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	<-begun
	return cancel, func() { close(hold) }, served, answered
}

// A request that has begun when the signal comes gets its answer, and new
// connections do not.
func TestStopFinishesWhatHasBegun(t *testing.T) {
	t.Parallel()
	end, release, served, answered := slow(t, time.Minute)
	end()
	release()
	if err := <-answered; err != nil {
		t.Errorf("the request that had begun: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// A request that never ends does not hold the server for ever.
func TestStopHasAnEnd(t *testing.T) {
	t.Parallel()
	end, release, served, answered := slow(t, time.Millisecond)
	defer release()
	end()
	if err := <-served; err == nil {
		t.Error("serve ended without saying that a request was cut off")
	}
	if err := <-answered; err == nil {
		t.Error("the request was answered, want it cut off")
	}
}
