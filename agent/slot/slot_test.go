package slot_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/agent/disk/disktest"
	"github.com/mianmi/mianmi/agent/slot"
	"github.com/mianmi/mianmi/update"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// machine is a terminal's disk, real or with a power cut.
type machine struct {
	t     *testing.T
	now   time.Time
	open  func() (*disk.Folder, *disk.Blobs)
	slots *slot.Slots
	blobs *disk.Blobs
}

// installed is the program that came with the machine.
var installed = slot.Self{Path: filepath.FromSlash("/opt/pos/mianmi"), Version: "1.0.0"}

func onDisk(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, now: noon, open: func() (*disk.Folder, *disk.Blobs) {
		f, lock, err := disk.Open(dir)
		must(t, err)
		must(t, lock.Close())
		b, err := disk.OpenBlobs(filepath.Join(dir, "programs"))
		must(t, err)
		return f, b
	}}
	m.restart()
	return m
}

// onPower is one on a disk whose power can be cut.
func onPower(t *testing.T, p *disktest.Power) *machine {
	t.Helper()
	m := &machine{t: t, now: noon, open: func() (*disk.Folder, *disk.Blobs) { return disk.New(p), disk.NewBlobs(p, "/slots") }}
	m.restart()
	return m
}

func (m *machine) restart() {
	m.t.Helper()
	var f *disk.Folder
	f, m.blobs = m.open()
	s, err := slot.Open(f, m.blobs, func() time.Time { return m.now })
	must(m.t, err)
	m.slots = s
}

// boot starts the machine and returns the version that runs in the end.
func (m *machine) boot() (string, error) {
	m.restart()
	self, run, err := installed, "", error(nil)
	for range 5 {
		if run, err = m.slots.Boot(self); run == "" {
			break
		}
		if run == installed.Path { // what was written after all says so
			self = installed
			m.restart()
			continue
		}
		if !m.blobs.Whole(filepath.Base(run)) {
			m.t.Errorf("%s is to run, and is not whole", run)
		}
		self = slot.Self{Path: run, Version: versions[filepath.Base(run)]}
		m.restart()
	}
	if run != "" {
		m.t.Errorf("the start never ends: %s", run)
	}
	return self.Version, err
}

func (m *machine) boots(want string) {
	m.t.Helper()
	if got, err := m.boot(); got != want || err != nil {
		m.t.Fatalf("%s runs, %v; want %s", got, err, want)
	}
}

var versions = map[string]string{sum("1.1.0"): "1.1.0", sum("1.2.0"): "1.2.0", sum("0.9.0"): "0.9.0"}

func sum(version string) string {
	s := sha256.Sum256([]byte("program " + version))
	return hex.EncodeToString(s[:])
}

// ready brings a program onto the disk.
func (m *machine) ready(version string) error {
	f, have, err := m.blobs.Append(sum(version))
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("program " + version)[have:])
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if whole, err := m.blobs.Finish(sum(version), int64(len("program "+version))); err != nil || !whole {
		return errors.Join(err, errors.New("not whole"))
	}
	return m.slots.Ready(slot.Program{Version: version, Sum: sum(version), AttestSeconds: 60})
}

// A program runs after the next start; attested, it stays; the one after it
// that does not prove itself in three starts gives way to it, and is tried
// again after a day, three times in all, or when a person wants it.
func TestUpdateAndRollBack(t *testing.T) {
	t.Parallel()
	m := onDisk(t)
	m.boots("1.0.0")
	must(t, m.ready("1.1.0"))
	m.boots("1.1.0")
	must(t, m.slots.Attested("1.0.0")) // an old report
	if !m.slots.Standing().Trial {
		t.Error("attested by a report of another version")
	}
	must(t, m.slots.Attested("v1.1"))
	for range 5 {
		m.boots("1.1.0")
	}
	for try := 1; try <= 3; try++ {
		must(t, m.ready("1.2.0"))
		for range slot.BootsMax {
			m.boots("1.2.0")
		}
		m.boots("1.1.0")
		want := &slot.Failure{Version: "1.2.0", Kind: update.NotAttested, Tries: try, At: m.now}
		if d := cmp.Diff(want, m.slots.Standing().Failure); d != "" {
			t.Error(d)
		}
		if !m.slots.Unwanted("1.2.0") || m.slots.Unwanted("1.3.0") {
			t.Error("it would be tried again at once")
		}
		m.now = m.now.Add(21 * time.Hour)
		if m.slots.Unwanted("1.2.0") != (try == 3) {
			t.Errorf("after try %d and a day: %v", try, m.slots.Unwanted("1.2.0"))
		}
	}
	must(t, m.slots.Again())
	if m.slots.Unwanted("1.2.0") {
		t.Error("a person wants it")
	}
	must(t, m.ready("1.2.0"))
	m.boots("1.2.0")
	must(t, m.slots.Late())
	m.boots("1.1.0")
	must(t, m.ready("1.2.0"))
	must(t, m.slots.Forget())
	m.boots("1.1.0")
}

// What cannot be started, or is no longer what was verified, gives way; when
// nothing else is left, the installed program runs. It also runs once it is as
// new as what is in the slots.
func TestWhatRunsInTheEnd(t *testing.T) {
	t.Parallel()
	m := onDisk(t)
	must(t, m.ready("1.1.0"))
	m.boots("1.1.0")
	must(t, m.slots.NotStarted())
	m.boots("1.0.0")
	if f := m.slots.Standing().Failure; f == nil || f.Kind != update.NotStarted {
		t.Errorf("%+v", f)
	}
	must(t, m.ready("1.1.0"))
	m.boots("1.1.0")
	must(t, m.slots.Attested("1.1.0"))
	must(t, m.ready("1.2.0"))
	m.boots("1.2.0")
	must(t, m.slots.Attested("1.2.0"))
	spoil(t, m.blobs.Path(sum("1.2.0")))
	m.boots("1.1.0")
	if f := m.slots.Standing().Failure; f == nil || f.Kind != update.Damaged || m.slots.Unwanted("1.2.0") {
		t.Errorf("%+v: it may come again at once", f)
	}
	spoil(t, m.blobs.Path(sum("1.1.0")))
	m.boots("1.0.0")
	must(t, m.ready("0.9.0"))
	m.boots("1.0.0") // older than what is installed
	must(t, m.blobs.Keep())
	must(t, m.ready("1.1.0"))
	m.boots("1.1.0")
	must(t, m.slots.Attested("1.1.0"))
	if run, err := m.slots.Boot(slot.Self{Path: "/opt/pos/mianmi", Version: "1.1.0"}); run != "" || err != nil {
		t.Errorf("the installed program is as new: %q, %v", run, err)
	}
}

func spoil(t *testing.T, name string) {
	t.Helper()
	must(t, os.Chmod(name, 0o600))
	must(t, os.WriteFile(name, []byte("spoilt"), 0o600))
}

// A slot is known by its name, whatever path leads to it: the program in it
// never takes itself for the installed one.
func TestSlotByAnyPath(t *testing.T) {
	t.Parallel()
	m := onDisk(t)
	must(t, m.ready("1.1.0"))
	run, err := m.slots.Boot(installed)
	must(t, err)
	self := slot.Self{Path: filepath.Join("/mnt/other", filepath.Base(run)), Version: "1.1.0"}
	if run, err := m.slots.Boot(self); run != "" || err != nil {
		t.Errorf("%q takes over, %v", run, err)
	}
	if at := m.slots.Standing().Installed; at != installed.Path {
		t.Errorf("installed is %q", at)
	}
}

// life is an update that proves itself and one that does not, with all that
// happens on the disk. It stops at the first error, as the machine does.
func life(m *machine) error {
	step := func(fn func() error) func() error { return fn }
	start := func() error { _, err := m.boot(); return err }
	for _, do := range []func() error{
		start,
		step(func() error { return m.ready("1.1.0") }), start,
		step(func() error { return m.slots.Attested("1.1.0") }),
		step(func() error { return m.ready("1.2.0") }), start, start,
		step(func() error { return m.slots.Late() }), start,
		step(func() error { return m.slots.Forget() }),
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// Power is lost before every single call of an update's life. Whatever is found
// on the disk then, something whole runs, and after three more starts without
// proof nothing runs that has not proved itself.
func TestPowerLossAtEveryStep(t *testing.T) {
	t.Parallel()
	for stop := 1; ; stop++ {
		p := disktest.New()
		p.StopAt = stop
		err := life(onPower(t, p))
		for how, found := range p.After() {
			m := onPower(t, found)
			seen := map[string]bool{}
			last := ""
			for range slot.BootsMax + 2 {
				v, err := m.boot()
				if err != nil {
					t.Fatalf("stopped before call %d (%s): %v", stop, how, err)
				}
				last = v
				seen[v] = true
			}
			if m.slots.Standing().Trial || m.slots.Standing().Next != nil || last == "1.2.0" {
				t.Errorf("stopped before call %d (%s): %s runs in the end, %v before", stop, how, last, seen)
			}
			if err := m.ready("1.2.0"); err != nil {
				t.Errorf("stopped before call %d (%s): updates have come to an end: %v", stop, how, err)
			}
			m.boots("1.2.0")
		}
		if err == nil {
			if stop < 40 {
				t.Fatalf("an update's life has %d calls: too few", stop)
			}
			return
		}
	}
}

// A disk on which nothing can be written any more still starts what has proved
// itself, and nothing new.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	p := disktest.New()
	m := onPower(t, p)
	must(t, m.ready("1.1.0"))
	m.boots("1.1.0")
	must(t, m.slots.Attested("1.1.0"))
	must(t, m.ready("1.2.0"))
	p.Calls, p.StopAt = 0, 1
	if v, err := m.boot(); v != "1.1.0" || err != nil { // the second start, of 1.1.0 itself, writes nothing
		t.Errorf("%s runs, %v", v, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
