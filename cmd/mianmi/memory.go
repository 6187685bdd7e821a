package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi/evidence"
)

// seenFile is where a node remembers the newest checkpoint of each log that it
// has served. It lies beside the keys, not in the database: a database that is
// put back from an older copy brings its own memory back with it.
func (s *shared) seenFile() string { return filepath.Join(s.Data, "checkpoint.json") }

// seenLog is the newest checkpoint of one log. Logs of one name are told apart
// by their first entry.
type seenLog struct {
	Origin   string    `json:"origin"`
	First    tlog.Hash `json:"first"`
	Size     int64     `json:"size"`
	Root     tlog.Hash `json:"root"`
	SetBacks int       `json:"set_backs"` // entries of the log that say that it went back
	Epoch    int64     `json:"epoch"`     // of the settings
	At       time.Time `json:"at"`
}

func (s *seenLog) checkpoint() evidence.Checkpoint {
	return evidence.Checkpoint{Origin: s.Origin, Size: s.Size, Root: s.Root}
}

func (s *seenLog) point() evidence.Point { return evidence.Point{Size: s.Size, Root: s.Root} }

// seenMax bounds the logs that are remembered: a node serves one, and a few
// others on a machine where things are tried out.
const seenMax = 16

// memory is the file of what a node has seen.
type memory struct{ file string }

func (m memory) load() ([]seenLog, error) {
	text, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []seenLog
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("what this node remembers of the log cannot be read, so nobody knows whether the database went back "+
			"(docs/backup.md): %s: %w", m.file, err)
	}
	return list, nil
}

// of is what was seen of a log; nil for one that was never seen.
func of(list []seenLog, first tlog.Hash) *seenLog {
	if i := slices.IndexFunc(list, func(s seenLog) bool { return s.First == first }); i >= 0 {
		return &list[i]
	}
	return nil
}

// same reports whether both say the same of a log, or both nothing.
func same(a, b *seenLog) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.checkpoint() == b.checkpoint() && a.SetBacks == b.SetBacks && a.At.Equal(b.At)
}

// largest is the longest log of the name that was seen; nil: there is none.
func largest(list []seenLog, origin string) *seenLog {
	var most *seenLog
	for i := range list {
		if list[i].Origin == origin && (most == nil || list[i].Size > most.Size) {
			most = &list[i]
		}
	}
	return most
}

// keep replaces what is remembered of a log.
func (m memory) keep(s seenLog) error {
	list, err := m.load()
	if err != nil {
		return err
	}
	list = append(slices.DeleteFunc(list, func(o seenLog) bool { return o.First == s.First }), s)
	list = list[max(0, len(list)-seenMax):]
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("remember the checkpoint: %w", err)
	}
	return writeWhole(m.file, append(text, '\n'))
}

// writeWhole writes a file so that it is there as before or as new, whatever
// happens in between.
func writeWhole(file string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// tidy removes what writers have left who were killed; those of nodes that
// write now are younger.
func (m memory) tidy(now time.Time) {
	left, _ := filepath.Glob(m.file + ".*.tmp") // the pattern is good
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > time.Minute {
			_ = os.Remove(name) // another node may have been faster
		}
	}
}
