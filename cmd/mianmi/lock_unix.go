//go:build linux || darwin

package main

import (
	"errors"
	"os"
	"syscall"
)

// openAlone opens a file to write for this process alone; what one that was
// killed has left is taken over. It is os.ErrExist while another process has it.
func openAlone(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil { //nolint:gosec // a descriptor
		return nil, errors.Join(os.ErrExist, f.Close())
	}
	// Whoever had it may have removed it before the lock was ours.
	mine, err1 := f.Stat()
	now, err2 := os.Stat(name)
	if err1 != nil || err2 != nil || !os.SameFile(mine, now) {
		return nil, errors.Join(os.ErrExist, f.Close())
	}
	if err := errors.Join(f.Truncate(0), f.Chmod(0o600)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
