package update_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi/update"
)

// What is past its time is not taken: a targets file as expired, a timestamp
// as frozen; and it is taken again once it is signed anew.
func TestExpiredIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 1000)
	w.offered("1.1.0")
	w.now = w.now.Add(update.TimestampLife + time.Hour)
	w.refused("a timestamp past its time", update.Frozen)
	w.later(update.TargetsLife, w.online()) // a year in which nobody takes the targets key from the safe
	w.refused("targets past their time", update.Expired)
	signed, err := w.repo.Refresh()
	if err != nil || strings.Join(signed, " ") != "root targets snapshot timestamp" {
		t.Fatalf("signed %v, %v", signed, err)
	}
	w.offered("1.1.0")
	w.later(update.RootLife-update.TargetsLife+time.Hour, w.without(metadata.ROOT))
	w.later(update.TargetsLife, w.without(metadata.ROOT))
	w.refused("a root past its time", update.Expired)
	if _, err := w.repo.Refresh(); err != nil {
		t.Fatal(err)
	}
	w.offered("1.1.0")
}

// later is after a time, and a refresh with the keys that were at hand.
func (w *world) later(d time.Duration, keys string) {
	w.t.Helper()
	w.now = w.now.Add(d)
	all := w.repo.Keys
	defer func() { w.repo.Keys = all }()
	w.repo.Keys = []string{keys}
	_, err := w.repo.Refresh()
	must(w.t, err)
}

// online is a folder with the two keys of a machine on the net.
func (w *world) online() string { return w.without(metadata.ROOT, metadata.TARGETS) }

func (w *world) without(roles ...string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "some")
	must(w.t, os.CopyFS(dir, os.DirFS(w.repo.Keys[0])))
	must(w.t, os.Chmod(dir, 0o700)) //nolint:gosec // a folder
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(w.t, err)
	for _, f := range files {
		must(w.t, os.Chmod(f, 0o600))
		for _, r := range roles {
			if strings.HasPrefix(filepath.Base(f), r+".") {
				must(w.t, os.Remove(f))
			}
		}
	}
	return dir
}

// Whoever serves what was true before is found out: by the version as long as
// it has not expired (rollback), and by the expiry when the terminal has seen
// nothing newer (freeze).
func TestRollbackAndFreezeAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("1.1.0", 1000)
	w.offered("1.1.0")
	then := w.copyOf()
	w.publish("1.2.0", 1000)
	w.offered("1.2.0")
	w.serve(then)
	w.refused("the repository of yesterday", update.RolledBack)

	w = newWorld(t) // another terminal, which is kept from 1.2.0
	w.publish("1.1.0", 1000)
	w.offered("1.1.0")
	then = w.copyOf()
	w.publish("1.2.0", 1000)
	w.serve(then)
	w.offered("1.1.0")
	w.now = w.now.Add(update.TimestampLife + time.Second)
	w.refused("a repository that stands still", update.Frozen)
	// Half of it from then, half from now: neither is taken.
	w.now = w.now.Add(-time.Hour)
	w.answer(nil)
	w.offered("1.2.0")
	h := update.Handler(then, nil)
	w.publish("1.3.0", 1000)
	old, err := os.ReadFile(filepath.Join(then, "2.targets.json"))
	must(t, err)
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, ".targets.json"):
			_, _ = rw.Write(old)
			return true
		case strings.HasSuffix(r.URL.Path, ".root.json"):
			h.ServeHTTP(rw, r)
			return true
		}
		return false
	})
	w.refused("new snapshot, old targets", update.RolledBack)
}

// What is not signed by the keys that the trusted root names is refused: a bit
// changed in any role, a repository of somebody else, a root that names other
// keys and is not signed by the former ones.
func TestUnsignedIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"2.targets.json":  func(s map[string]any) { s["expires"] = "2036-01-01T00:00:00Z" },
		"2.snapshot.json": func(s map[string]any) { s["expires"] = "2036-01-01T00:00:00Z" },
		"timestamp.json":  func(s map[string]any) { s["expires"] = "2036-01-01T00:00:00Z" },
	} {
		w := newWorld(t)
		w.publish("1.1.0", 1000)
		w.edit(name, change)
		w.refused(name+" changed", update.Unsigned)
	}
	w, thief := newWorld(t), newWorld(t)
	w.publish("1.1.0", 1000)
	w.offered("1.1.0")
	thief.publish("6.6.6", 1000)
	must(t, thief.repo.Rotate(metadata.ROOT)) // 2.root.json
	w.serve(thief.repo.Dir)
	w.refused("another's root", update.Unsigned)
	must(t, os.Remove(filepath.Join(thief.repo.Dir, "2.root.json")))
	w.refused("another's repository under our root", update.Unsigned)
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool { _, _ = rw.Write([]byte("{}")); return true })
	w.refused("no metadata at all", update.Malformed)
}

// What comes is bounded, and bytes that are not the signed ones are thrown away.
func TestWrongBytesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.publish("1.1.0", 700_000)
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/timestamp") {
			_, _ = rw.Write(bytes.Repeat([]byte(" "), 1<<20))
			return true
		}
		return false
	})
	w.refused("a timestamp of a megabyte", update.TooLarge)
	w.answer(nil)
	o := w.offered("1.1.0")
	wrong := bytes.Clone(body)
	wrong[600_000] ^= 1
	for what, bad := range map[string][]byte{"one bit changed": wrong, "cut short": body[:600_000], "another program": []byte("short")} {
		w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(bad))
			return true
		})
		err := w.fetch(o)
		for range 3 {
			if isKind(err, update.WrongHash) {
				break
			}
			err = w.fetch(o) // the cut one is asked for once more
		}
		if !isKind(err, update.WrongHash) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(w.blobs.Path(o.Sum)); err == nil {
			t.Errorf("%s: it lies there as if it were whole", what)
		}
		must(t, w.blobs.Drop(o.Sum))
	}
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool { // without end, and no pieces
		for range 100 {
			_, _ = rw.Write(body)
		}
		return true
	})
	if err := w.fetch(o); err == nil {
		t.Error("a program without end was taken")
	}
	w.answer(nil)
	must(t, w.fetch(o))
	w.installed(o, body)
}

// A program is taken by terminals of its model and platform alone: another
// one's name is not looked at, and words that do not fit the name are refused,
// even when they are signed.
func TestWrongModelIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for model, platform := range map[string]string{"android_smart": "linux-amd64", "linux_countertop": "linux-arm64"} {
		p, body := prog("9.0.0", 100)
		p.Model, p.Platform = model, platform
		must(t, w.repo.Publish(p, bytes.NewReader(body)))
	}
	if o, err := w.look(); o != nil || err != nil {
		t.Errorf("offered %+v, %v: it is others'", o, err)
	}
	// Signed by a careless operator: the words are another model's.
	p, _ := prog("2.0.0", 100)
	p.Model = "android_smart"
	w.signTarget("linux_countertop/2.0.0/linux-amd64", p)
	w.refused("another model's program under our name", update.WrongModel)
	// An older one that fits is offered beside the refusal.
	w.publish("1.5.0", 100)
	o, err := w.look()
	if o == nil || o.Version != "1.5.0" || !isKind(err, update.WrongModel) {
		t.Errorf("%+v, %v", o, err)
	}
}

// signTarget puts words under a name and signs them with the operator's keys.
func (w *world) signTarget(name string, words update.Program) {
	w.t.Helper()
	standing, err := w.repo.Standing()
	must(w.t, err)
	text, err := json.Marshal(words)
	must(w.t, err)
	version := standing.Roles[1].Version
	w.edit(fmt.Sprintf("%d.targets.json", version), func(s map[string]any) {
		s["targets"].(map[string]any)[name] = map[string]any{"length": words.Size, "custom": json.RawMessage(text),
			"hashes": map[string]string{"sha256": strings.Repeat("ab", 32)}}
	})
	must(w.t, w.repo.Withdraw("android_smart", "9.0.0")) // signs targets anew
}
