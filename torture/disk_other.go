//go:build !linux

package torture

import "errors"

// SmallDisk is a file system of a few megabytes that can be filled.
type SmallDisk struct{ Dir string }

// ErrNoMount says that this process may not mount a file system.
var ErrNoMount = errors.New("a small file system can be mounted on Linux alone")

// NewSmallDisk answers ErrNoMount.
func NewSmallDisk(string, int64) (*SmallDisk, error) { return nil, ErrNoMount }

// Close, Fill and Free are there for the compiler.
func (*SmallDisk) Close() error     { return ErrNoMount }
func (*SmallDisk) Fill(int64) error { return ErrNoMount }
func (*SmallDisk) Free() error      { return ErrNoMount }
