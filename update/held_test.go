package update_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/update"
)

// What the host gives later is held, not refused: an older version that may be
// had is taken meanwhile, pieces that are here stay, and once it may be had the
// rest comes. A host that does not know gives nothing, and is asked again.
func TestHeldVersionComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 1000)
	w.publish("1.3.0", 1000)
	body := w.publish("1.4.0", 600_000)
	free := map[string]bool{"1.1.0": true}
	w.hold(func(v string) (bool, error) { return free[v], nil })
	f, err := w.find()
	if err != nil || f.Offer == nil || f.Offer.Version != "1.1.0" || !slices.Equal(f.Held, []string{"1.4.0", "1.3.0"}) {
		t.Fatalf("%+v, %v", f, err)
	}
	free["1.1.0"] = false
	if f, err := w.find(); err != nil || f.Offer != nil || len(f.Held) != 3 {
		t.Fatalf("all held: %+v, %v", f, err)
	}

	free["1.4.0"] = true
	o := w.offered("1.4.0")
	pieces := 0
	w.hold(func(string) (bool, error) { pieces++; return pieces <= 1, nil })
	if err := w.fetch(o); !errors.Is(err, update.ErrHeld) {
		t.Fatalf("stopped in the middle: %v", err)
	}
	if w.blobs.Whole(o.Sum) {
		t.Fatal("it is whole")
	}
	w.hold(nil)
	w.answer(nil)
	o = w.offered("1.4.0")
	w.answer(nil)
	must(t, w.fetch(o))
	w.installed(o, body)
	if first := w.requests()[0]; !strings.HasSuffix(first, " bytes=262144-524287") {
		t.Errorf("it went on with %q", first)
	}

	w.hold(func(string) (bool, error) { return false, errors.New("no database") })
	f, err = w.find()
	var refused *update.Refusal
	if err == nil || errors.As(err, &refused) || f.Offer != nil {
		t.Errorf("a host that does not know: %+v, %v", f, err)
	}
}

// Held programs cannot be had by another spelling of their path, and metadata are
// served to everybody: what is asked about is what would be opened.
func TestHeldBySpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.publish("1.4.0", 1000)
	w.publish("1.5.0", 1000)
	files, err := filepath.Glob(filepath.Join(w.repo.Dir, "targets", "linux_countertop", "1.4.0", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	name := "linux_countertop/1.4.0/" + filepath.Base(files[0])
	var asked []string
	server := httptest.NewServer(http.StripPrefix("/terminal/v1/updates", update.Handler(w.repo.Dir, func(_ context.Context, family, version string) (bool, error) {
		asked = append(asked, family+" "+version)
		return version != "1.4.0", nil
	})))
	t.Cleanup(server.Close)
	get := func(method, path string) (int, []byte, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/terminal/v1/updates"+path, nil)
		must(t, err)
		r.Header.Set("Range", "bytes=0-99")
		res, err := server.Client().Do(r)
		must(t, err)
		defer res.Body.Close() //nolint:errcheck // read
		var b bytes.Buffer
		_, err = b.ReadFrom(res.Body)
		must(t, err)
		return res.StatusCode, b.Bytes(), res.Header
	}
	status, answer, header := get(http.MethodGet, "/targets/"+name)
	var problem struct {
		Status int
		Code   string
	}
	if err := json.Unmarshal(answer, &problem); err != nil || status != http.StatusTooEarly || problem.Status != status || problem.Code != update.CodeHeld ||
		header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s %v", status, answer, header)
	}
	base := filepath.Base(files[0])
	for _, path := range []string{
		"/targets/linux_countertop/1%2e4%2e0/" + base, "/targets//linux_countertop/1.4.0/" + base, "//targets/" + name, "/targets/" + name + "?version=1.5.0",
		"/targets/linux_countertop/1.4.0%2f" + base, "/targets/LINUX_COUNTERTOP/1.4.0/" + base, "/targets/linux_countertop/1.5.0/../1.4.0/" + base,
		"/targets/linux_countertop/1.5.0/%2e%2e/1.4.0/" + base, "/targets/linux_countertop/./1.4.0/" + base, "/targets/linux_countertop/1.4.0/" + strings.ToUpper(base),
		"/targets/" + name + "%00", "/targets/" + name + "/", "/TARGETS/" + name, "/targets/linux_countertop/1.4/" + base, "/targets/linux_countertop/01.4.0/" + base,
		"/targets/linux_countertop/1.5.0/" + base, "/targets/linux_countertop/../linux_countertop/1.4.0/" + base,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, got, _ := get(method, path)
			if status < 400 || len(got) > 20 && bytes.Contains(body, got[:20]) {
				t.Errorf("%s %s: %d, %d bytes", method, path, status, len(got))
			}
		}
	}
	asked = nil
	for _, path := range []string{"/timestamp.json", "/1.root.json", "/2.snapshot.json", "/2.targets.json"} {
		if status, _, _ := get(http.MethodGet, path); status != http.StatusPartialContent {
			t.Errorf("%s: %d", path, status)
		}
	}
	if len(asked) > 0 {
		t.Errorf("for metadata it was asked about %v", asked)
	}
}
