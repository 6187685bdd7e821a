// Package update is how terminals get new programs: a repository after The
// Update Framework (theupdateframework.github.io), which an operator signs, a
// handler that serves it to terminals, and the client that takes nothing from
// it that is unsigned, old, another model's or not whole.
//
// Checking signatures, versions and expiry is go-tuf's. Where a program is
// kept and when it runs is left to agent.
package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Bounds of what either side takes: many times what there is.
const (
	rootMax      = 64 << 10
	timestampMax = 16 << 10
	snapshotMax  = 64 << 10
	targetsMax   = 2 << 20 // some thousand programs
	customMax    = 4 << 10
	rootsMax     = 64 // rotations that a terminal catches up with in one go
	// ProgramMax is the largest program: ten times ours.
	ProgramMax = 512 << 20
)

// Program is what the signed metadata say of one program.
type Program struct {
	Model    string  `json:"model"`    // family of terminals
	Version  string  `json:"version"`  // "1.4.0"
	Platform string  `json:"platform"` // "linux-arm64"
	Size     int64   `json:"size"`
	Minimum  Minimum `json:"minimum,omitzero"`
	// AttestSeconds is how long the program may run until a report of it has been
	// accepted; after that it has failed.
	AttestSeconds int64 `json:"attest_seconds"`
}

// Minimum is what a terminal must have before it takes a program; empty: any.
type Minimum struct {
	App      string `json:"app,omitempty"` // the program that runs now
	OS       string `json:"os,omitempty"`
	Firmware string `json:"firmware,omitempty"`
}

// Bounds of the time to attest: time for a slow link, and an end.
const (
	AttestDefault = 10 * time.Minute
	attestMin     = time.Second
	attestMax     = 24 * time.Hour
)

var (
	models    = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)
	platforms = regexp.MustCompile(`^[a-z0-9]{1,16}-[a-z0-9]{1,16}$`)
)

// name is the target that a program is: model, version, platform.
func (p Program) name() string { return path.Join(p.Model, p.Version, p.Platform) }

// check refuses what no terminal would take.
func (p Program) check() error {
	switch {
	case !models.MatchString(p.Model):
		return mianmi.InvalidField("model", "want the family of a model, such as linux_countertop")
	case !plain(p.Version):
		return mianmi.InvalidField("version", "want numbers with dots, such as 1.4.0")
	case !platforms.MatchString(p.Platform):
		return mianmi.InvalidField("platform", "want system and processor, such as linux-arm64")
	case p.Size < 1 || p.Size > ProgramMax:
		return mianmi.InvalidField("size", fmt.Sprintf("want 1 to %d bytes", ProgramMax))
	case p.AttestSeconds < int64(attestMin/time.Second) || p.AttestSeconds > int64(attestMax/time.Second):
		return mianmi.InvalidField("attest_within", "want 1s to 24h")
	}
	for field, v := range map[string]string{"minimum_app": p.Minimum.App, "minimum_os": p.Minimum.OS, "minimum_firmware": p.Minimum.Firmware} {
		if v != "" && !plain(v) {
			return mianmi.InvalidField(field, "want numbers with dots, such as 1.4.0")
		}
	}
	return nil
}

// decodeProgram reads the signed words about the target of that name.
func decodeProgram(custom *json.RawMessage, length int64) (Program, error) {
	var p Program
	if custom == nil || len(*custom) > customMax {
		return p, errors.New("the target says nothing about itself, or too much")
	}
	if err := json.Unmarshal(*custom, &p); err != nil {
		return p, fmt.Errorf("the target's own words: %w", err)
	}
	if p.Size != length {
		return p, errors.New("the target's sizes differ")
	}
	return p, p.check()
}

// Newer reports whether version a is newer than b. One that cannot be read is
// older than any.
func Newer(a, b string) bool {
	x, ok := protocol.ParseVersion(a)
	y, okB := protocol.ParseVersion(b)
	return ok && (!okB || x.Compare(y) > 0)
}

// Same reports whether two versions are one: v1.4 and 1.4.0 are.
func Same(a, b string) bool {
	x, okA := protocol.ParseVersion(a)
	y, okB := protocol.ParseVersion(b)
	return okA && okB && x == y || !okA && !okB && a == b
}

// newestFirst orders versions.
func newestFirst(a, b string) int {
	x, _ := protocol.ParseVersion(a)
	y, _ := protocol.ParseVersion(b)
	return y.Compare(x)
}

// plain reports whether a version is nothing but numbers.
func plain(version string) bool {
	_, ok := protocol.ParseRelease(version)
	return ok
}
