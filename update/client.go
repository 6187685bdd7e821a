package update

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/mianmi/mianmi"
)

// Keeper keeps small files: replaced as a whole, and never believed when they
// are damaged.
type Keeper interface {
	Load(name string) ([]byte, error)
	Save(name string, content []byte) error
}

// Names under which trusted metadata are kept.
const (
	keptRoot      = "tuf-root"
	keptTimestamp = "tuf-timestamp"
	keptSnapshot  = "tuf-snapshot"
	keptTargets   = "tuf-targets"
)

// Client is a terminal's side. The zero time of its Clock trusts nothing.
type Client struct {
	HTTP  *http.Client // the terminal's mutual TLS
	Base  string       // address of the repository
	Keep  Keeper
	Clock mianmi.Clock
	// Root is the first root to trust; empty: the first one that the host has,
	// taken once, over a connection that the enrolment has pinned.
	Root []byte

	Model    string
	Platform string
	Here     Minimum // what the terminal has
}

// ErrNone says that the host has no repository, or none that is begun.
var ErrNone = errors.New("the host has no updates")

// metadataTime bounds one request for metadata on a slow link.
const metadataTime = 30 * time.Second

// Offer is a program that a terminal may take.
type Offer struct {
	Program
	Sum string // SHA-256, in hexadecimal
}

// Found is what there is for a terminal. The zero Found is nothing.
type Found struct {
	Offer *Offer // nil: nothing newer than what runs
	// Held are newer versions that the host gives this terminal later, the newest
	// first.
	Held []string
}

// Look brings the trusted metadata up to date and returns the newest program
// that this terminal may have now. skip says which versions are not wanted. A
// *Refusal comes with an older offer when there is one.
func (c *Client) Look(ctx context.Context, skip func(version string) bool) (Found, error) {
	var f Found
	t, err := c.refresh(ctx)
	if err != nil {
		return f, err
	}
	list := t.Targets[metadata.TARGETS].Signed.Targets
	for {
		var refused error
		f.Offer, refused = c.choose(list, func(v string) bool { return skip(v) || slices.Contains(f.Held, v) })
		if f.Offer == nil || len(f.Held) == heldMax {
			f.Offer = nil
			return f, refused
		}
		held, err := c.held(ctx, f.Offer)
		if err != nil {
			return Found{Held: f.Held}, err
		}
		if !held {
			return f, refused
		}
		f.Held = append(f.Held, f.Offer.Version)
	}
}

// refresh is the client workflow of TUF, section 5.3 to 5.6.
func (c *Client) refresh(ctx context.Context) (*trustedmetadata.TrustedMetadata, error) {
	t, err := c.roots(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.timestamp(ctx, t); err != nil {
		return nil, err
	}
	snapshot := fmt.Sprintf("%d.snapshot.json", versionOf(t.Timestamp.Signed.Meta, "snapshot.json"))
	if err := c.step(ctx, step{role: metadata.SNAPSHOT, kept: keptSnapshot, name: snapshot, most: snapshotMax,
		old: func(b []byte) error { _, err := t.UpdateSnapshot(b, true); return err },
		add: func(b []byte) error { _, err := t.UpdateSnapshot(b, false); return err }}); err != nil {
		return nil, err
	}
	targets := fmt.Sprintf("%d.targets.json", versionOf(t.Snapshot.Signed.Meta, "targets.json"))
	take := func(b []byte) error { _, err := t.UpdateTargets(b); return err }
	if err := c.step(ctx, step{role: metadata.TARGETS, kept: keptTargets, name: targets, most: targetsMax, old: take, add: take}); err != nil {
		return nil, err
	}
	return t, nil
}

func versionOf(meta map[string]*metadata.MetaFiles, name string) int64 {
	if m := meta[name]; m != nil {
		return m.Version
	}
	return 0
}

// roots begins with the trusted root and follows each newer one.
func (c *Client) roots(ctx context.Context) (*trustedmetadata.TrustedMetadata, error) {
	t, err := c.firstRoot(ctx)
	if err != nil {
		return nil, err
	}
	t.RefTime = c.Clock.Now().UTC()
	for range rootsMax {
		b, err := c.get(ctx, rootName(t.Root.Signed.Version+1), rootMax)
		if errors.Is(err, errNotFound) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if _, err := t.UpdateRoot(b); err != nil {
			return nil, refuse(metadata.ROOT, err)
		}
		if err := c.Keep.Save(keptRoot, b); err != nil {
			return nil, err
		}
	}
	return nil, &Refusal{Kind: Malformed, Err: errors.New("the roots have no end")}
}

// firstRoot is the kept root, the one that the terminal came with, or, when
// there has never been any, the host's first.
func (c *Client) firstRoot(ctx context.Context) (*trustedmetadata.TrustedMetadata, error) {
	if b, err := c.Keep.Load(keptRoot); err == nil {
		if t, err := trustedmetadata.New(b); err == nil {
			return t, nil
		}
	}
	b := c.Root
	if len(b) == 0 {
		var err error
		if b, err = c.get(ctx, rootName(1), rootMax); err != nil {
			if errors.Is(err, errNotFound) {
				return nil, ErrNone
			}
			return nil, err
		}
	}
	t, err := trustedmetadata.New(b)
	if err != nil {
		return nil, refuse(metadata.ROOT, err)
	}
	return t, c.Keep.Save(keptRoot, b)
}

// timestamp takes the host's timestamp, unless it is older than the kept one.
func (c *Client) timestamp(ctx context.Context, t *trustedmetadata.TrustedMetadata) error {
	if b, err := c.Keep.Load(keptTimestamp); err == nil {
		// One past its time still says what must not be gone back behind; one that
		// is no longer signed, after a rotation, says nothing.
		_, _ = t.UpdateTimestamp(b)
	}
	b, err := c.get(ctx, "timestamp.json", timestampMax)
	if errors.Is(err, errNotFound) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	_, err = t.UpdateTimestamp(b)
	var equal *metadata.ErrEqualVersionNumber
	if errors.As(err, &equal) {
		return nil
	}
	if err != nil {
		role := metadata.TIMESTAMP
		if t.Root.Signed.IsExpired(t.RefTime) {
			role = metadata.ROOT
		}
		return refuse(role, err)
	}
	return c.Keep.Save(keptTimestamp, b)
}

// step is one role whose metadata are kept, and fetched when they are not those
// that are wanted.
type step struct {
	role, kept, name string
	most             int64
	old, add         func([]byte) error
}

func (c *Client) step(ctx context.Context, s step) error {
	if b, err := c.Keep.Load(s.kept); err == nil && s.old(b) == nil {
		return nil
	}
	b, err := c.get(ctx, s.name, s.most)
	if errors.Is(err, errNotFound) {
		return &Refusal{Kind: Malformed, Err: fmt.Errorf("%s is missing", s.name)}
	}
	if err != nil {
		return err
	}
	if err := s.add(b); err != nil {
		return refuse(s.role, err)
	}
	return c.Keep.Save(s.kept, b)
}

var errNotFound = errors.New("not found")

// get fetches one file of metadata.
func (c *Client) get(ctx context.Context, name string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+"/"+name, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, errNotFound
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: the host answers %s", name, res.Status)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, &Refusal{Kind: TooLarge, Err: fmt.Errorf("%s has more than %d bytes", name, most)}
	}
	return b, nil
}

// choose takes the newest program that fits. What was signed for this model and
// cannot be taken is told.
func (c *Client) choose(targets map[string]*metadata.TargetFiles, skip func(string) bool) (*Offer, error) {
	type candidate struct {
		version string
		t       *metadata.TargetFiles
	}
	var list []candidate
	for name, t := range targets {
		f := strings.Split(name, "/")
		if len(f) != 3 || f[0] != c.Model || f[2] != c.Platform || !Newer(f[1], c.Here.App) || skip(f[1]) {
			continue
		}
		list = append(list, candidate{f[1], t})
	}
	slices.SortFunc(list, func(a, b candidate) int { return newestFirst(a.version, b.version) })
	var told error
	for _, one := range list {
		offer, err := c.fit(one.version, one.t)
		if err == nil {
			return offer, told
		}
		if told == nil {
			told = err
		}
	}
	return nil, told
}

func (c *Client) fit(version string, t *metadata.TargetFiles) (*Offer, error) {
	no := func(k Kind, err error) (*Offer, error) { return nil, &Refusal{Kind: k, Version: version, Err: err} }
	if t.Length > ProgramMax {
		return no(TooLarge, fmt.Errorf("it has %d bytes, at most %d", t.Length, ProgramMax))
	}
	sum := t.Hashes["sha256"]
	p, err := decodeProgram(t.Custom, t.Length)
	if err != nil || len(sum) != 32 {
		return no(Malformed, errors.Join(err, errors.New("or its SHA-256 is missing")))
	}
	if p.Model != c.Model || p.Version != version || p.Platform != c.Platform {
		return no(WrongModel, fmt.Errorf("it says of itself that it is %s", p.name()))
	}
	for _, need := range [][2]string{{p.Minimum.App, c.Here.App}, {p.Minimum.OS, c.Here.OS}, {p.Minimum.Firmware, c.Here.Firmware}} {
		if need[0] != "" && !Same(need[0], need[1]) && !Newer(need[1], need[0]) {
			return no(Unmet, fmt.Errorf("it needs %s, here is %q", need[0], need[1]))
		}
	}
	return &Offer{Program: p, Sum: hex.EncodeToString(sum)}, nil
}
