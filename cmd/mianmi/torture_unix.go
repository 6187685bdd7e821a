//go:build unix

package main

import (
	"fmt"
	"os/signal"
	"syscall"
)

// boundFiles keeps every file of this process below a size, in the place of a
// file system that is full: writing beyond it is an error.
func boundFiles(bytes int64) error {
	signal.Ignore(syscall.SIGXFSZ) // else it would end the process
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return fmt.Errorf("read the bound on files: %w", err)
	}
	l.Cur = uint64(bytes) //nolint:gosec // positive
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return fmt.Errorf("bound the size of files: %w", err)
	}
	return nil
}
