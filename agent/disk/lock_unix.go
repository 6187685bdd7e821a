//go:build unix

package disk

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lock holds a file for this process (flock(2)): the kernel lets go of it when
// the process ends in whatever way, or replaces itself.
func lock(path string) (io.Closer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits an int
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errInUse
	}
	return nil, errors.Join(err, file.Close())
}
