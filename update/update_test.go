package update_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/update"
)

func isKind(err error, k update.Kind) bool {
	var r *update.Refusal
	return errors.As(err, &r) && r.Kind == k
}

// An operator publishes, a terminal takes the newest that fits, whole, and
// what was cut off goes on where it stopped.
func TestPublishAndFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if o, err := w.look(); o != nil || err != nil {
		t.Errorf("an empty repository: %+v, %v", o, err)
	}
	w.publish("1.9.0", 1000)
	w.publish("0.9.0", 1000)
	body := w.publish("1.10.0", 600_001)
	o := w.offered("1.10.0")
	cut := 0
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/targets/") || cut == 2 {
			return false
		}
		cut++ // the line breaks in the second piece
		if cut == 2 {
			h := rw.Header()
			h.Set("Content-Range", "bytes 262144-524287/600001")
			h.Set("Content-Length", "262144")
			rw.WriteHeader(http.StatusPartialContent)
			_, _ = rw.Write(body[262144:300000])
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if err := w.fetch(o); err == nil {
		t.Fatal("the line broke, and nobody noticed")
	}
	if _, err := os.Stat(w.blobs.Path(o.Sum)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it has its name: %v", err)
	}
	w.answer(nil)
	must(t, w.fetch(o))
	w.installed(o, body)
	path := "/targets/linux_countertop/1.10.0/" + o.Sum + ".linux-amd64 "
	if d := cmp.Diff([]string{path + "bytes=300000-562143", path + "bytes=562144-600000"}, w.requests()); d != "" {
		t.Errorf("asked for again:\n%s", d)
	}
	info, err := os.Stat(w.blobs.Path(o.Sum))
	if err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("%v, %v; want a program that nobody writes", info.Mode(), err)
	}
	w.client.Here.App = "1.10"
	if o, err := w.look(); o != nil || err != nil {
		t.Errorf("the newest runs: %+v, %v", o, err)
	}
	must(t, w.repo.Withdraw("linux_countertop", "1.10.0"))
	w.client.Here.App = "1.0.0"
	w.offered("1.9.0")
}

// What a terminal lacks keeps a program from it, and the next one that fits is
// a step on the way. A version that is not wanted is left out.
func TestMinimumVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.5.0", 100)
	for field, min := range map[string]update.Minimum{"app": {App: "1.5.0"}, "os": {OS: "6.2"}, "firmware": {Firmware: "2.1"}} {
		p, body := prog("2.0.0", 100)
		p.Minimum = min
		must(t, w.repo.Publish(p, bytes.NewReader(body)))
		o, err := w.look()
		if o == nil || o.Version != "1.5.0" || !isKind(err, update.Unmet) {
			t.Errorf("%s: %+v, %v", field, o, err)
		}
		must(t, w.repo.Withdraw(p.Model, p.Version))
	}
	p, body := prog("2.0.0", 100)
	p.Minimum = update.Minimum{App: "1.0", OS: "6.1.0", Firmware: "1.9"}
	must(t, w.repo.Publish(p, bytes.NewReader(body)))
	w.offered("2.0.0")
	f, err := w.client.Look(t.Context(), func(v string) bool { return v == "2.0.0" })
	if err != nil || f.Offer == nil || f.Offer.Version != "1.5.0" {
		t.Errorf("without 2.0.0: %+v, %v", f, err)
	}
}

// Every key can be replaced, and terminals follow over several at once; the
// former key signs nothing any more.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 100)
	w.offered("1.1.0")
	before := w.without()
	for _, role := range update.Roles {
		must(t, w.repo.Rotate(role))
	}
	must(t, w.repo.Rotate(metadata.ROOT))
	w.publish("1.2.0", 100)
	w.offered("1.2.0")
	// Cut off between the new root and what it makes invalid: refresh mends it.
	for role, n := range map[string]int{metadata.TARGETS: 3, metadata.SNAPSHOT: 2} {
		then := w.copyOf()
		must(t, w.repo.Rotate(role))
		roots, err := filepath.Glob(filepath.Join(w.repo.Dir, "*.root.json"))
		must(t, err)
		for _, root := range roots {
			b, err := os.ReadFile(root)
			must(t, err)
			must(t, os.WriteFile(filepath.Join(then, filepath.Base(root)), b, 0o600))
		}
		cut := *w.repo
		cut.Dir = then
		if signed, err := cut.Refresh(); err != nil || len(signed) != n {
			t.Errorf("%s: %v, %v", role, signed, err)
		}
	}
	w.offered("1.2.0")
	w.repo.Keys = []string{before}
	p, body := prog("1.3.0", 100)
	if err := w.repo.Publish(p, bytes.NewReader(body)); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("with the former keys: %v", err)
	}
	if _, err := w.repo.Refresh(); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("with the former keys: %v", err)
	}
	w.offered("1.2.0")
}

// Publishing is cut off after any number of files: terminals see the former
// state or the new one, and the next try goes through.
func TestPublishCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 100)
	then := w.copyOf()
	w.publish("1.2.0", 100)
	var files []string
	must(t, fs.WalkDir(os.DirFS(w.repo.Dir), ".", func(name string, d fs.DirEntry, err error) error {
		if _, old := os.Stat(filepath.Join(then, name)); !d.IsDir() && (old != nil || name == "timestamp.json") {
			files = append(files, name)
		}
		return err
	}))
	slices.SortFunc(files, func(a, b string) int { return order(a) - order(b) })
	if len(files) != 4 {
		t.Fatalf("written: %v", files)
	}
	for n := range files { // without the last ones
		dir := filepath.Join(t.TempDir(), "cut")
		must(t, os.CopyFS(dir, os.DirFS(then)))
		for _, name := range files[:n] {
			b, err := os.ReadFile(filepath.Join(w.repo.Dir, name))
			must(t, err)
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)) //nolint:gosec // served
			must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
		w.serve(dir)
		w.offered("1.1.0")
		again := *w.repo
		again.Dir = dir
		p, body := prog("1.2.0", 100)
		must(t, again.Publish(p, bytes.NewReader(body)))
		must(t, os.RemoveAll(w.dir)) // another terminal
		must(t, os.MkdirAll(w.dir, 0o700))
		w.offered("1.2.0")
		must(t, os.RemoveAll(w.dir))
		must(t, os.MkdirAll(w.dir, 0o700))
	}
}

// order is that in which publishing writes.
func order(name string) int {
	for i, part := range []string{"targets/", ".targets.json", ".snapshot.json", "timestamp.json"} {
		if strings.Contains(name, part) {
			return i
		}
	}
	return -1
}

// The operator's slips are refused before anything is written: a version with
// other bytes, names that no terminal has, keys that others can read, keys that
// are not there. Publishing the same again changes nothing.
func TestOperatorsSlips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 100)
	w.publish("1.1.0", 100)
	p, body := prog("1.1.0", 100)
	p.AttestSeconds = 30
	if err := w.repo.Publish(p, bytes.NewReader(body)); mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("a version twice: %v", err)
	}
	for field, change := range map[string]func(*update.Program){
		"model": func(p *update.Program) { p.Model = "../x" }, "version": func(p *update.Program) { p.Version = "v2-beta" },
		"platform": func(p *update.Program) { p.Platform = "linux" }, "attest_within": func(p *update.Program) { p.AttestSeconds = 0 },
		"minimum_os": func(p *update.Program) { p.Minimum.OS = "new" }, "size": func(p *update.Program) { p.Size = update.ProgramMax + 1 },
	} {
		p, body := prog("3.0.0", 100)
		change(&p)
		var e *mianmi.Error
		if err := w.repo.Publish(p, bytes.NewReader(body)); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := w.repo.Init(); mianmi.KindOf(err) != mianmi.Conflict {
		t.Errorf("init twice: %v", err)
	}
	keys, err := filepath.Glob(filepath.Join(w.repo.Keys[0], "*.pem"))
	must(t, err)
	for _, k := range keys {
		if info, err := os.Stat(k); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", k, info, err)
		}
	}
	all, stick := w.repo.Keys, w.without(metadata.ROOT, metadata.SNAPSHOT, metadata.TIMESTAMP)
	w.repo.Keys = []string{w.online()}
	p, body = prog("3.0.0", 100)
	if err := w.repo.Publish(p, bytes.NewReader(body)); mianmi.KindOf(err) != mianmi.NotFound || !strings.Contains(fmt.Sprint(err), "targets") {
		t.Errorf("without the targets key: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(w.repo.Dir, "targets", "linux_countertop")); len(entries) != 1 {
		t.Errorf("it left something: %v", entries)
	}
	w.repo.Keys = append(w.repo.Keys, stick)
	must(t, w.repo.Publish(p, bytes.NewReader(body)))
	w.offered("3.0.0")
	w.repo.Keys = all
	must(t, os.Chmod(keys[0], 0o644)) //nolint:gosec // the slip
	if _, err := w.repo.Refresh(); mianmi.KindOf(err) != mianmi.Invalid && !strings.HasPrefix(filepath.Base(keys[0]), "root") {
		t.Errorf("a key that others can read: %v", err)
	}
}

// Nothing but the repository's files leaves its folder.
func TestHandlerServesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 100)
	outside := filepath.Join(filepath.Dir(w.repo.Dir), "secret")
	must(t, os.WriteFile(outside, []byte("secret"), 0o600))
	must(t, os.WriteFile(filepath.Join(w.repo.Dir, "lock"), nil, 0o600))
	must(t, os.Symlink(outside, filepath.Join(w.repo.Dir, "9.root.json")))
	must(t, os.Mkdir(filepath.Join(w.repo.Dir, "8.root.json"), 0o750))
	h := update.Handler(w.repo.Dir, nil)
	get := func(method, path string) int {
		r := httptest.NewRequest(method, "http://host/", nil)
		r.URL.Path = path
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%s: it got out", path)
		}
		return rec.Code
	}
	for _, path := range []string{"/", "/lock", "/../secret", "/targets/../../secret", "/targets", "/targets/linux_countertop/1.1.0", "/9.root.json", "/8.root.json",
		"/root.json", "/01.root.json", "//timestamp.json", "/targets/linux_countertop/../../timestamp.json", "/targets/linux_countertop/1.1.0/../../../../secret", "/7.root.json"} {
		if code := get(http.MethodGet, path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code := get(http.MethodPut, "/timestamp.json"); code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", code)
	}
	if code := get(http.MethodGet, "/timestamp.json"); code != http.StatusOK {
		t.Errorf("the timestamp: %d", code)
	}
	if code := func() int {
		rec := httptest.NewRecorder()
		update.Handler(filepath.Join(w.repo.Dir, "nowhere"), nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/timestamp.json", nil))
		return rec.Code
	}(); code != http.StatusNotFound {
		t.Errorf("without a folder: %d", code)
	}
}

// Versions are compared by number; what is none is older than any.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b  string
		newer bool
		same  bool
	}{
		{"1.10.0", "1.9.9", true, false}, {"1.9.9", "1.10.0", false, false}, {"v1.2", "1.2.0", false, true}, {"1.2.0", "unreleased", true, false},
		{"unreleased", "0.0.1", false, false}, {"unreleased", "unreleased", false, true}, {"1.0.0", "", true, false}, {"", "1", false, false},
		{"v0.0.0-20260301120000-abcdef123456", "0.0.1", false, false}, {"1.2.3.4", "1.2.3", true, false},
		{"0.0.0", "unreleased", true, false},
	} {
		if n, s := update.Newer(tt.a, tt.b), update.Same(tt.a, tt.b); n != tt.newer || s != tt.same {
			t.Errorf("%q and %q: newer %v, same %v", tt.a, tt.b, n, s)
		}
	}
}

// Every kind has words in both languages.
func TestRefusalsHaveWords(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range []update.Kind{update.Unsigned, update.Expired, update.Frozen, update.RolledBack, update.WrongModel, update.WrongHash, update.TooLarge,
		update.Malformed, update.Unmet, update.NotAttested, update.NotStarted, update.Damaged} {
		w := k.Words()
		if w.ZH == "" || w.EN == "" || seen[w.EN] || w == update.Kind("other").Words() {
			t.Errorf("%s: %+v", k, w)
		}
		seen[w.EN] = true
	}
}
