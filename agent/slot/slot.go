// Package slot decides which program of a terminal runs: the one that was
// installed with the machine, or one that came as an update and lies in a slot.
//
// The installed program decides at each start, and replaces itself by what is
// to run. Where programs come from, and replacing a process, is left to
// others.
package slot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/mianmi/mianmi/agent/disk"
	"github.com/mianmi/mianmi/update"
)

// Program is a program in a slot.
type Program struct {
	Version       string `json:"version"`
	Sum           string `json:"sum"` // SHA-256, under which it lies
	AttestSeconds int64  `json:"attest_seconds"`
}

// Trial is a new program's time until the host has accepted a report of it.
type Trial struct {
	Boots int  `json:"boots"`          // starts without that
	Late  bool `json:"late,omitempty"` // its time is over
}

// Failure is a version that ran, or was to run, and did not prove itself.
type Failure struct {
	Version string      `json:"version"`
	Kind    update.Kind `json:"kind"`
	Tries   int         `json:"tries"`
	At      time.Time   `json:"at"`
}

// Bounds of trials. Three starts: power may be lost once or twice for other
// reasons. One try a day, so that a line that was down costs a day; after
// three it is not the line.
const (
	BootsMax    = 3
	triesMax    = 3
	tryEvery    = 20 * time.Hour
	failuresMax = 8
)

// state is what is on the disk. The zero state runs the installed program.
type state struct {
	Installed        string    `json:"installed,omitempty"` // path of the program that was installed
	InstalledVersion string    `json:"installed_version,omitempty"`
	Present          *Program  `json:"present,omitempty"` // runs; nil: the installed program
	Next             *Program  `json:"next,omitempty"`    // runs after the next start
	Former           *Program  `json:"former,omitempty"`  // ran before Present; nil: the installed program
	Trial            *Trial    `json:"trial,omitempty"`   // of Present
	Failures         []Failure `json:"failures,omitempty"`
}

// fileSlots is the file's name in the terminal's folder.
const fileSlots = "slots"

// Slots are a terminal's programs. It is safe for concurrent use.
type Slots struct {
	folder *disk.Folder
	blobs  *disk.Blobs
	now    func() time.Time

	mu sync.Mutex
	s  state
}

// Open reads the slots. A file that is damaged counts as none: the installed
// program runs, and an update comes again.
func Open(folder *disk.Folder, blobs *disk.Blobs, now func() time.Time) (*Slots, error) {
	s := &Slots{folder: folder, blobs: blobs, now: now}
	b, err := folder.Load(fileSlots)
	if errors.Is(err, disk.ErrNone) || errors.Is(err, disk.ErrDamaged) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(b, &s.s) != nil {
		s.s = state{}
	}
	return s, nil
}

// change changes the state: on the disk first, and only then in memory. fn
// replaces what it changes and writes into nothing.
func (s *Slots) change(fn func(*state)) error {
	next := s.s
	fn(&next)
	b, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the slots: %w", err)
	}
	if err := s.folder.Save(fileSlots, b); err != nil {
		return err
	}
	s.s = next
	return nil
}

// Self is the program that asks.
type Self struct{ Path, Version string }

// Boot says at a program's start what is to run: a path, or "" for the one
// that asks. The installed program counts the start; one in a slot has been
// counted. Whatever goes wrong, something runs.
func (s *Slots) Boot(self Self) (run string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slotted := slotted(self.Path)
	if slotted && s.s.Present != nil && filepath.Base(self.Path) == s.s.Present.Sum {
		return "", nil
	}
	next := s.s
	if !slotted {
		next.Installed, next.InstalledVersion = self.Path, self.Version
	}
	next.promote()
	next.judge(s.now(), s.blobs.Whole)
	if err := s.change(func(st *state) { *st = next }); err != nil {
		return s.unchanged(slotted), err
	}
	if s.s.Present != nil {
		return s.blobs.Path(s.s.Present.Sum), nil
	}
	if slotted {
		return s.s.Installed, nil
	}
	return "", nil
}

// unchanged is what runs when nothing can be written: what has proved itself.
func (s *Slots) unchanged(slotted bool) string {
	if p := s.s.Present; p != nil && s.s.Trial == nil && s.blobs.Whole(p.Sum) {
		return s.blobs.Path(p.Sum)
	}
	if slotted {
		return s.s.Installed
	}
	return ""
}

// slotted reports whether a program lies in a slot: by its name, which no
// installed program has, for a folder has many paths.
func slotted(path string) bool {
	b, err := hex.DecodeString(filepath.Base(path))
	return err == nil && len(b) == sha256.Size
}

// promote makes the next program the present one. An installed program that is
// as new as a slot is preferred: whoever looks after the machine put it there.
func (st *state) promote() {
	if p := st.Present; p != nil && !update.Newer(p.Version, st.InstalledVersion) {
		st.Present, st.Former, st.Trial = nil, nil, nil
	}
	if st.Next == nil {
		return
	}
	if update.Newer(st.Next.Version, st.InstalledVersion) {
		if st.Trial == nil { // what has not proved itself is nothing to go back to
			st.Former = st.Present
		}
		st.Present, st.Trial = st.Next, &Trial{}
	}
	st.Next = nil
}

// judge counts the start of a program on trial, and goes back from one that
// has failed.
func (st *state) judge(now time.Time, whole func(sum string) bool) {
	for st.Present != nil { // at most twice: present, former
		switch t := st.Trial; {
		case t != nil && (t.Late || t.Boots >= BootsMax):
			st.fail(update.NotAttested, now)
		case !whole(st.Present.Sum):
			st.fail(update.Damaged, now)
		default:
			if t != nil {
				st.Trial = &Trial{Boots: t.Boots + 1}
			}
			return
		}
	}
}

// fail notes why, and goes back to what ran before.
func (st *state) fail(kind update.Kind, now time.Time) {
	f := Failure{Version: st.Present.Version, Kind: kind, Tries: 1, At: now}
	var list []Failure
	for _, old := range st.Failures {
		if old.Version == f.Version {
			f.Tries += old.Tries
			continue
		}
		list = append(list, old)
	}
	list = append(list, f)
	st.Failures = list[max(0, len(list)-failuresMax):]
	st.Present, st.Former, st.Trial = st.Former, nil, nil
}

// NotStarted notes that the present program could not be started; Boot then
// says what runs in its place.
func (s *Slots) NotStarted() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(func(st *state) {
		if st.Present != nil {
			st.fail(update.NotStarted, s.now())
		}
	})
}

// Late notes that the present program's trial is over; the next start goes
// back.
func (s *Slots) Late() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change(func(st *state) {
		if st.Trial != nil {
			st.Trial = &Trial{Boots: st.Trial.Boots, Late: true}
		}
	})
}

// Attested notes that the host has accepted a report of a program of that
// version, which runs now.
func (s *Slots) Attested(version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s.Trial == nil || s.s.Present == nil || !update.Same(version, s.s.Present.Version) {
		return nil
	}
	return s.change(func(st *state) { st.Trial, st.Failures = nil, nil })
}

// Ready makes a program that is whole on the disk the next one, and forgets
// programs that nothing leads to.
func (s *Slots) Ready(p Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change(func(st *state) { st.Next = &p }); err != nil {
		return err
	}
	var keep []string
	for _, one := range []*Program{s.s.Present, s.s.Next, s.s.Former} {
		if one != nil {
			keep = append(keep, one.Sum)
		}
	}
	return s.blobs.Keep(keep...)
}

// Forget drops the next program: it is offered no longer.
func (s *Slots) Forget() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s.Next == nil {
		return nil
	}
	return s.change(func(st *state) { st.Next = nil })
}

// Again lets versions that have failed be tried at once: a person wants it.
func (s *Slots) Again() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.s.Failures) == 0 {
		return nil
	}
	return s.change(func(st *state) { st.Failures = nil })
}

// Unwanted reports whether a version has failed too lately, or too often, to
// be tried.
func (s *Slots) Unwanted(version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.s.Failures {
		if update.Same(f.Version, version) && f.Kind != update.Damaged {
			return f.Tries >= triesMax || s.now().Sub(f.At) < tryEvery
		}
	}
	return false
}

// Standing is how the slots stand.
type Standing struct {
	Installed string   // path of the installed program
	Present   *Program // nil: the installed program runs
	Next      *Program
	Trial     bool
	Failure   *Failure // the last one, until a program has proved itself
}

// Standing returns how the slots stand.
func (s *Slots) Standing() Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Standing{Installed: s.s.Installed, Present: s.s.Present, Next: s.s.Next, Trial: s.s.Trial != nil}
	if n := len(s.s.Failures); n > 0 {
		f := s.s.Failures[n-1]
		out.Failure = &f
	}
	return out
}

// Blobs are the files of the slots, for whoever fetches programs.
func (s *Slots) Blobs() *disk.Blobs { return s.blobs }
