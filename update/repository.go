package update

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi"
)

// Lives of signed metadata. The timestamp's is the longest time that a
// terminal can be kept from news without noticing; roots and targets are
// signed by hand, with keys that are fetched from a safe.
const (
	RootLife      = 2 * 365 * 24 * time.Hour
	TargetsLife   = 365 * 24 * time.Hour
	SnapshotLife  = 30 * 24 * time.Hour
	TimestampLife = 7 * 24 * time.Hour
)

var lives = map[string]time.Duration{metadata.ROOT: RootLife, metadata.TARGETS: TargetsLife, metadata.SNAPSHOT: SnapshotLife, metadata.TIMESTAMP: TimestampLife}

// Repository is the operator's side: a folder that terminals are served from.
// One process at a time may change it.
type Repository struct {
	Dir    string
	Keys   []string // folders in which keys are looked for; the first gets new ones
	Clock  mianmi.Clock
	Random io.Reader
}

// current is what the timestamp leads to now.
type current struct {
	root      *metadata.Metadata[metadata.RootType]
	targets   *metadata.Metadata[metadata.TargetsType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	timestamp *metadata.Metadata[metadata.TimestampType]
}

// Init makes an empty repository with a key for each role.
func (r *Repository) Init() error {
	if _, err := r.newestRoot(); err == nil {
		return mianmi.Conflicts("updates_exist", "there is a repository in "+r.Dir+" already")
	} else if mianmi.KindOf(err) != mianmi.NotFound {
		return err
	}
	if len(r.Keys) == 0 {
		return mianmi.InvalidField("update_keys", "want a folder for the keys")
	}
	for _, dir := range []string{r.Dir, filepath.Join(r.Dir, "targets")} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // public: it is served to every terminal
			return err
		}
	}
	now := r.Clock.Now()
	c := current{root: metadata.Root(expiry(now, metadata.ROOT)), targets: metadata.Targets(), snapshot: metadata.Snapshot(), timestamp: metadata.Timestamp()}
	for _, role := range Roles {
		key, err := makeKey(r.Keys[0], role, r.Random)
		if err != nil {
			return err
		}
		if err := c.root.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	// First what others point to, the root last: without it there is no repository.
	c.targets.Signed.Version, c.snapshot.Signed.Version, c.timestamp.Signed.Version = 0, 0, 0
	if err := r.signTargets(&c); err != nil {
		return err
	}
	return r.signRoot(c.root, c.root)
}

func expiry(now time.Time, role string) time.Time {
	return now.UTC().Add(lives[role]).Truncate(time.Second)
}

// Publish adds a program: its bytes first, the timestamp that makes it known
// last, so that whoever is cut off in between has published nothing.
func (r *Repository) Publish(p Program, body io.ReadSeeker) error {
	if err := p.check(); err != nil {
		return err
	}
	c, err := r.load()
	if err != nil {
		return err
	}
	target, err := describe(p, body)
	if err != nil {
		return err
	}
	if had, ok := c.targets.Signed.Targets[p.name()]; ok {
		if said, err := decodeProgram(had.Custom, had.Length); err == nil && said == p && had.Equal(*target) {
			return nil
		}
		return mianmi.Conflicts("version_taken", p.name()+" is published already with other bytes or words: a version is never used twice")
	}
	// Before anything is written: a key that is missing stops it.
	if _, err := r.signer(c.root, metadata.TARGETS); err != nil {
		return err
	}
	if err := r.store(p, target, body); err != nil {
		return err
	}
	c.targets.Signed.Targets[p.name()] = target
	return r.signTargets(c)
}

// Withdraw takes a program out of what is offered. Terminals that have it keep
// it: publish a newer one for them.
func (r *Repository) Withdraw(model, version string) error {
	c, err := r.load()
	if err != nil {
		return err
	}
	found := false
	for name := range c.targets.Signed.Targets {
		if strings.HasPrefix(name, model+"/"+version+"/") {
			delete(c.targets.Signed.Targets, name)
			found = true
		}
	}
	if !found {
		return mianmi.Missing("program: " + model + " " + version)
	}
	return r.signTargets(c)
}

// Refresh signs the timestamp anew, and whatever else is past half of its life
// and whose key is at hand, or was left unsigned by a rotation that was cut
// off. It returns the roles that it signed.
func (r *Repository) Refresh() ([]string, error) {
	c, err := r.load()
	if err != nil {
		return nil, err
	}
	now := r.Clock.Now()
	due := func(role string, expires time.Time) bool { return expires.Sub(now) < lives[role]/2 }
	at := func(role string) bool {
		_, err := r.signer(c.root, role)
		return err == nil
	}
	var signed []string
	if due(metadata.ROOT, c.root.Signed.Expires) && at(metadata.ROOT) {
		if c.root, err = r.nextRoot(c.root, nil); err != nil {
			return nil, err
		}
		signed = append(signed, metadata.ROOT)
	}
	lost := c.root.VerifyDelegate(metadata.TARGETS, c.targets) != nil
	switch {
	case lost || due(metadata.TARGETS, c.targets.Signed.Expires) && at(metadata.TARGETS):
		return append(signed, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP), r.signTargets(c)
	case due(metadata.SNAPSHOT, c.snapshot.Signed.Expires) || c.root.VerifyDelegate(metadata.SNAPSHOT, c.snapshot) != nil:
		return append(signed, metadata.SNAPSHOT, metadata.TIMESTAMP), r.signSnapshot(c)
	}
	return append(signed, metadata.TIMESTAMP), r.signTimestamp(c)
}

// Rotate gives a role another key and takes the former one away from it. The
// new root is signed by the former root key and the new one, so that terminals
// follow; what the role has signed is signed anew.
func (r *Repository) Rotate(role string) error {
	c, err := r.load()
	if err != nil {
		return err
	}
	if _, ok := lives[role]; !ok {
		return mianmi.InvalidField("role", "want one of "+strings.Join(Roles, ", "))
	}
	if _, err := r.signer(c.root, metadata.ROOT); err != nil {
		return err
	}
	key, err := makeKey(r.Keys[0], role, r.Random)
	if err != nil {
		return err
	}
	next, err := r.nextRoot(c.root, func(root *metadata.RootType) error {
		for _, id := range append([]string(nil), root.Roles[role].KeyIDs...) {
			if err := root.RevokeKey(id, role); err != nil {
				return err
			}
		}
		return root.AddKey(key, role)
	})
	if err != nil {
		return err
	}
	c.root = next
	switch role {
	case metadata.TARGETS:
		return r.signTargets(c)
	case metadata.SNAPSHOT:
		return r.signSnapshot(c)
	case metadata.TIMESTAMP:
		return r.signTimestamp(c)
	}
	return nil
}

// nextRoot writes the next root, signed by the keys of this one and its own.
func (r *Repository) nextRoot(now *metadata.Metadata[metadata.RootType], change func(*metadata.RootType) error) (*metadata.Metadata[metadata.RootType], error) {
	text, err := now.ToBytes(false)
	if err != nil {
		return nil, err
	}
	next, err := metadata.Root().FromBytes(text)
	if err != nil {
		return nil, err
	}
	next.Signed.Version++
	next.Signed.Expires = expiry(r.Clock.Now(), metadata.ROOT)
	if change != nil {
		if err := change(&next.Signed); err != nil {
			return nil, err
		}
	}
	return next, r.signRoot(next, now)
}

// signRoot signs by its own key and by that of the root before.
func (r *Repository) signRoot(next, before *metadata.Metadata[metadata.RootType]) error {
	next.ClearSignatures()
	own, err := r.signer(next, metadata.ROOT)
	if err != nil {
		return err
	}
	if _, err := next.Sign(own); err != nil {
		return err
	}
	former, err := r.signer(before, metadata.ROOT)
	if err != nil {
		return err
	}
	if isKey(former, next.Signed.Keys[next.Signatures[0].KeyID]) != nil {
		if _, err := next.Sign(former); err != nil {
			return err
		}
	}
	text, err := next.ToBytes(true)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.Dir, rootName(next.Signed.Version)), text, 0o644)
}

func rootName(version int64) string { return strconv.FormatInt(version, 10) + ".root.json" }

// signTargets writes the next targets, and all that leads to them.
func (r *Repository) signTargets(c *current) error {
	c.targets.Signed.Version++
	c.targets.Signed.Expires = expiry(r.Clock.Now(), metadata.TARGETS)
	if err := sign(r, c.root, metadata.TARGETS, c.targets); err != nil {
		return err
	}
	if err := write(r, fmt.Sprintf("%d.targets.json", c.targets.Signed.Version), c.targets); err != nil {
		return err
	}
	c.snapshot.Signed.Meta = map[string]*metadata.MetaFiles{"targets.json": metadata.MetaFile(c.targets.Signed.Version)}
	return r.signSnapshot(c)
}

func (r *Repository) signSnapshot(c *current) error {
	c.snapshot.Signed.Version++
	c.snapshot.Signed.Expires = expiry(r.Clock.Now(), metadata.SNAPSHOT)
	if err := sign(r, c.root, metadata.SNAPSHOT, c.snapshot); err != nil {
		return err
	}
	if err := write(r, fmt.Sprintf("%d.snapshot.json", c.snapshot.Signed.Version), c.snapshot); err != nil {
		return err
	}
	return r.signTimestamp(c)
}

func (r *Repository) signTimestamp(c *current) error {
	c.timestamp.Signed.Version++
	c.timestamp.Signed.Expires = expiry(r.Clock.Now(), metadata.TIMESTAMP)
	c.timestamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metadata.MetaFile(c.snapshot.Signed.Version)}
	if err := sign(r, c.root, metadata.TIMESTAMP, c.timestamp); err != nil {
		return err
	}
	return write(r, "timestamp.json", c.timestamp)
}

func sign[T metadata.Roles](r *Repository, root *metadata.Metadata[metadata.RootType], role string, m *metadata.Metadata[T]) error {
	s, err := r.signer(root, role)
	if err != nil {
		return err
	}
	m.ClearSignatures()
	_, err = m.Sign(s)
	return err
}

func write[T metadata.Roles](r *Repository, name string, m *metadata.Metadata[T]) error {
	text, err := m.ToBytes(true)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.Dir, name), text, 0o644)
}

// newestRoot reads the root with the greatest version.
func (r *Repository) newestRoot() (*metadata.Metadata[metadata.RootType], error) {
	names, err := filepath.Glob(filepath.Join(r.Dir, "*.root.json"))
	if err != nil {
		return nil, err
	}
	newest := int64(0)
	for _, name := range names {
		text, _, _ := strings.Cut(filepath.Base(name), ".")
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			newest = max(newest, v)
		}
	}
	if newest == 0 {
		return nil, &mianmi.Error{Kind: mianmi.NotFound, Code: "updates_missing", Field: "updates", Msg: "there is no repository in " + r.Dir + ": mianmi update init makes one"}
	}
	return metadata.Root().FromFile(filepath.Join(r.Dir, rootName(newest)))
}

// load reads what terminals are served now.
func (r *Repository) load() (*current, error) {
	c := &current{}
	var err error
	if c.root, err = r.newestRoot(); err != nil {
		return nil, err
	}
	if c.timestamp, err = metadata.Timestamp().FromFile(filepath.Join(r.Dir, "timestamp.json")); err != nil {
		return nil, fmt.Errorf("read the timestamp: %w", err)
	}
	meta := c.timestamp.Signed.Meta["snapshot.json"]
	if meta == nil {
		return nil, errors.New("the timestamp names no snapshot")
	}
	if c.snapshot, err = metadata.Snapshot().FromFile(filepath.Join(r.Dir, fmt.Sprintf("%d.snapshot.json", meta.Version))); err != nil {
		return nil, fmt.Errorf("read the snapshot: %w", err)
	}
	if meta = c.snapshot.Signed.Meta["targets.json"]; meta == nil {
		return nil, errors.New("the snapshot names no targets")
	}
	if c.targets, err = metadata.Targets().FromFile(filepath.Join(r.Dir, fmt.Sprintf("%d.targets.json", meta.Version))); err != nil {
		return nil, fmt.Errorf("read the targets: %w", err)
	}
	return c, nil
}
