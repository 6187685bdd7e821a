//go:build unix

package main

import "syscall"

// replaceProcess starts the program anew in the place of this one. Its files
// are closed and its lock is free by then (close on exec).
func replaceProcess(program string, args, environ []string) error {
	return syscall.Exec(program, args, environ) //nolint:gosec // the program itself
}
