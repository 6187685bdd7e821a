package update_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/update"
)

// world is an operator's repository, a server before it that can be made to
// cheat, and a terminal with its disk.
type world struct {
	t      *testing.T
	now    time.Time
	repo   *update.Repository
	client *update.Client
	blobs  *disk.Blobs
	dir    string // of the terminal

	mu    sync.Mutex
	may   func(version string) (bool, error)                // nil: everybody may have everything
	cheat func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	asked []string                                          // "path Range"
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), dir: t.TempDir()}
	clock := mianmi.ClockFunc(func() time.Time { return w.now })
	w.repo = &update.Repository{Dir: filepath.Join(t.TempDir(), "updates"), Keys: []string{filepath.Join(t.TempDir(), "keys")}, Clock: clock, Random: rand.Reader}
	must(t, w.repo.Init())
	real := update.Handler(w.repo.Dir, w.mayHave)
	server := httptest.NewTLSServer(http.StripPrefix("/terminal/v1/updates", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		cheat := w.cheat
		w.asked = append(w.asked, r.URL.Path+" "+r.Header.Get("Range"))
		w.mu.Unlock()
		if cheat == nil || !cheat(rw, r) {
			real.ServeHTTP(rw, r)
		}
	})))
	t.Cleanup(server.Close)
	folder, lock, err := disk.Open(w.dir)
	must(t, err)
	t.Cleanup(func() { must(t, lock.Close()) })
	w.blobs, err = disk.OpenBlobs(filepath.Join(w.dir, "programs"))
	must(t, err)
	w.client = &update.Client{HTTP: server.Client(), Base: server.URL + "/terminal/v1/updates", Keep: folder, Clock: clock,
		Model: "linux_countertop", Platform: "linux-amd64", Here: update.Minimum{App: "1.0.0", OS: "6.1", Firmware: "2"}}
	return w
}

func (w *world) answer(cheat func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cheat, w.asked = cheat, nil
}

func (w *world) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.asked...)
}

func prog(version string, size int) (update.Program, []byte) {
	body := bytes.Repeat([]byte(version+" is a program. "), size/16+1)[:size]
	return update.Program{Model: "linux_countertop", Version: version, Platform: "linux-amd64", Size: int64(size), AttestSeconds: 600}, body
}

func (w *world) publish(version string, size int) []byte {
	w.t.Helper()
	p, body := prog(version, size)
	must(w.t, w.repo.Publish(p, bytes.NewReader(body)))
	return body
}

// mayHave is the host's word on a version.
func (w *world) mayHave(_ context.Context, family, version string) (bool, error) {
	w.mu.Lock()
	may := w.may
	w.mu.Unlock()
	if family != "linux_countertop" {
		return false, errors.New("another family was asked for")
	}
	if may == nil {
		return true, nil
	}
	return may(version)
}

func (w *world) hold(may func(version string) (bool, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.may = may
}

func (w *world) find() (update.Found, error) {
	return w.client.Look(w.t.Context(), func(string) bool { return false })
}

func (w *world) look() (*update.Offer, error) {
	f, err := w.find()
	return f.Offer, err
}

func (w *world) offered(version string) *update.Offer {
	w.t.Helper()
	o, err := w.look()
	if err != nil || o == nil || o.Version != version {
		w.t.Fatalf("offered %+v, %v; want %s", o, err, version)
	}
	return o
}

func (w *world) refused(what string, want update.Kind) {
	w.t.Helper()
	o, err := w.look()
	var r *update.Refusal
	if !errors.As(err, &r) || r.Kind != want {
		w.t.Errorf("%s: offered %+v, %v; want it refused as %s", what, o, err, want)
	}
}

// copyOf is the repository as it is now, to be served later.
func (w *world) copyOf() string {
	w.t.Helper()
	dir := w.t.TempDir()
	must(w.t, os.CopyFS(filepath.Join(dir, "then"), os.DirFS(w.repo.Dir)))
	return filepath.Join(dir, "then")
}

// serve serves a folder in the repository's place.
func (w *world) serve(dir string) {
	h := update.Handler(dir, nil)
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool { h.ServeHTTP(rw, r); return true })
}

func (w *world) fetch(o *update.Offer) error { return w.client.Fetch(w.t.Context(), o, w.blobs) }

func (w *world) installed(o *update.Offer, want []byte) {
	w.t.Helper()
	got, err := os.ReadFile(w.blobs.Path(o.Sum))
	if err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("on the disk: %d bytes, %v; want the %d that were published", len(got), err, len(want))
	}
}

// edit changes a file of the repository as JSON, and leaves its signatures.
func (w *world) edit(name string, change func(signed map[string]any)) {
	w.t.Helper()
	file := filepath.Join(w.repo.Dir, name)
	b, err := os.ReadFile(file)
	must(w.t, err)
	var doc map[string]any
	must(w.t, json.Unmarshal(b, &doc))
	change(doc["signed"].(map[string]any))
	b, err = json.Marshal(doc)
	must(w.t, err)
	must(w.t, os.WriteFile(file, b, 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
