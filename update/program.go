package update

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi"
)

// describe is the target of a program: length, SHA-256 and its own words.
func describe(p Program, body io.ReadSeeker) (*metadata.TargetFiles, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(body, ProgramMax+1))
	if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	if n != p.Size {
		return nil, mianmi.InvalidField("file", fmt.Sprintf("has %d bytes and not %d", n, p.Size))
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	custom := json.RawMessage(text)
	return &metadata.TargetFiles{Length: n, Hashes: metadata.Hashes{"sha256": h.Sum(nil)}, Custom: &custom, Path: p.name()}, nil
}

// fileName is where a target's bytes are, as TUF's consistent snapshots have it.
func fileName(p Program, sum []byte) string {
	return filepath.Join("targets", p.Model, p.Version, hex.EncodeToString(sum)+"."+p.Platform)
}

// store copies the bytes to their place.
func (r *Repository) store(p Program, t *metadata.TargetFiles, body io.ReadSeeker) (err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	name := filepath.Join(r.Dir, fileName(p, t.Hashes["sha256"]))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // public: it is served to every terminal
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name()) // best effort: nobody asks for it
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(temp, h), io.LimitReader(body, p.Size))
	if err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	if !slices.Equal(h.Sum(nil), t.Hashes["sha256"]) {
		return errors.New("the program has changed while it was read")
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Standing is how a repository stands.
type Standing struct {
	Roles    []RoleStanding
	Programs []Program // newest first, by model
}

// RoleStanding is one role's newest metadata.
type RoleStanding struct {
	Role    string
	Version int64
	Expires time.Time
	Key     string // the start of its key's identifier
	KeyHere bool   // the key is in one of the key folders
}

// Due reports whether snapshot or timestamp are past half of their lives and
// the keys of both are here.
func (s *Standing) Due(now time.Time) bool {
	due := false
	for _, r := range s.Roles {
		if r.Role != metadata.SNAPSHOT && r.Role != metadata.TIMESTAMP {
			continue
		}
		if !r.KeyHere {
			return false
		}
		due = due || r.Expires.Sub(now) < lives[r.Role]/2
	}
	return due
}

// Standing reads how the repository stands.
func (r *Repository) Standing() (Standing, error) {
	c, err := r.load()
	if err != nil {
		return Standing{}, err
	}
	var s Standing
	add := func(role string, version int64, expires time.Time) {
		one := RoleStanding{Role: role, Version: version, Expires: expires}
		if ids := c.root.Signed.Roles[role].KeyIDs; len(ids) > 0 {
			one.Key = ids[0][:8]
		}
		_, err := r.signer(c.root, role)
		one.KeyHere = err == nil
		s.Roles = append(s.Roles, one)
	}
	add(metadata.ROOT, c.root.Signed.Version, c.root.Signed.Expires)
	add(metadata.TARGETS, c.targets.Signed.Version, c.targets.Signed.Expires)
	add(metadata.SNAPSHOT, c.snapshot.Signed.Version, c.snapshot.Signed.Expires)
	add(metadata.TIMESTAMP, c.timestamp.Signed.Version, c.timestamp.Signed.Expires)
	for name, t := range c.targets.Signed.Targets {
		p, err := decodeProgram(t.Custom, t.Length)
		if err != nil {
			return s, fmt.Errorf("target %s: %w", name, err)
		}
		s.Programs = append(s.Programs, p)
	}
	slices.SortFunc(s.Programs, func(a, b Program) int {
		if d := cmp.Compare(a.Model, b.Model); d != 0 {
			return d
		}
		return cmp.Or(newestFirst(a.Version, b.Version), cmp.Compare(a.Platform, b.Platform))
	})
	return s, nil
}
