package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
)

// Types of entries that say that the log went back, because its database was
// put back from an older copy (docs/adr/0011).
const (
	SetBackType  = "log.set_back" // a server noticed it
	RestoredType = "log.restored" // somebody did it, and said that so much may be lost
)

// Point is a size of the log with the root over it.
type Point struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
}

// SetBack is the body of such an entry: from which checkpoint the log went back
// to which, and what is lost.
type SetBack struct {
	Known Point `json:"known"` // the newest checkpoint that is known of what was there; size 0: none
	Left  Point `json:"left"`  // the newest checkpoint of the copy
	// Lost is how many entries are gone for certain. With AtLeast nobody knows
	// whether others followed.
	Lost    int64 `json:"lost"`
	AtLeast bool  `json:"at_least,omitempty"`
	Forked  bool  `json:"forked,omitempty"` // the copy is no beginning of what was known
	// Repeated is how many switches were closed again because an entry that is
	// lost had closed them.
	Repeated     int64 `json:"repeated,omitempty"`
	KeptSwitches bool  `json:"kept_switches,omitempty"` // nobody knew which were closed, and all were left as the copy has them
}

// None reports whether nothing went back.
func (b SetBack) None() bool { return b.Lost == 0 && !b.AtLeast && !b.Forked }

// SubjectOf is the subject of entries about the log of the name.
func SubjectOf(name string) string { return "log:" + name }

// NewSetBack makes an entry of one of the types above.
func (l *Log) NewSetBack(kind string, actor mianmi.Actor, random io.Reader, b SetBack) (Entry, error) {
	now := l.clock.Now().UTC()
	id, err := mianmi.NewID("en", now, random)
	if err != nil {
		return Entry{}, err
	}
	body, err := json.Marshal(b)
	return Entry{ID: mianmi.EntryID(id), At: now, Type: kind, Subject: SubjectOf(l.key.name), Actor: actor.String(), Body: body}, err
}

// Standing is how a log stands to a checkpoint that was known before. The zero
// Standing is the worst.
type Standing uint8

const (
	Forked Standing = iota // it has other entries in the places that the checkpoint covers
	Behind                 // it ends before the checkpoint
	Grown                  // it has all that the checkpoint covers
)

// Stands compares the log, with the entries in more behind its end, with a
// checkpoint that was known before.
func (l *Log) Stands(ctx context.Context, known Checkpoint, more ...[]byte) (Standing, error) {
	c, err := l.store.Checkpoint(ctx)
	switch {
	case err != nil || known.Origin != l.key.name:
		return Forked, err
	case known.Size == 0:
		return Grown, nil
	case known.Size > c.Size+int64(len(more)):
		return Behind, nil
	}
	var hashes []tlog.Hash
	read := withMore(l.hashes(ctx), tlog.StoredHashCount(c.Size), &hashes)
	for i := c.Size; i < known.Size; i++ {
		next, err := tlog.StoredHashes(i, more[i-c.Size], read)
		if err != nil {
			return Forked, fmt.Errorf("hash entry %d: %w", i, err)
		}
		hashes = append(hashes, next...)
	}
	root, err := tlog.TreeHash(known.Size, read)
	if err != nil {
		return Forked, fmt.Errorf("root of %d entries: %w", known.Size, err)
	}
	if root != known.Root {
		return Forked, nil
	}
	return Grown, nil
}

// First is the hash of the log's first entry, by which logs of one name are
// told apart; false while it has none.
func (l *Log) First(ctx context.Context) (tlog.Hash, bool, error) {
	c, err := l.store.Checkpoint(ctx)
	if err != nil || c.Size == 0 {
		return tlog.Hash{}, false, err
	}
	list, err := l.store.Hashes(ctx, []int64{0})
	if err != nil {
		return tlog.Hash{}, false, err
	}
	return list[0], true, nil
}

// Head is the newest checkpoint; of size 0 before the first one.
func (l *Log) Head(ctx context.Context) (Checkpoint, error) {
	c, err := l.store.Checkpoint(ctx)
	if err != nil || c.Size == 0 {
		return Checkpoint{Origin: l.key.name}, err
	}
	root, err := tlog.TreeHash(c.Size, l.hashes(ctx))
	return Checkpoint{Origin: l.key.name, Size: c.Size, Root: root}, err
}

// Common is how many entries two logs have in common from their beginning.
func Common(ctx context.Context, a, b *Log) (int64, error) {
	ca, err := a.store.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	cb, err := b.store.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	var fault error
	// The first size at which they differ: from there on they do at every size.
	n := sort.Search(int(min(ca.Size, cb.Size)), func(n int) bool {
		x, err1 := tlog.TreeHash(int64(n)+1, a.hashes(ctx))
		y, err2 := tlog.TreeHash(int64(n)+1, b.hashes(ctx))
		fault = errors.Join(fault, err1, err2)
		return x != y
	})
	return int64(n), fault
}
