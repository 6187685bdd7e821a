//go:build !linux && !darwin

package main

import "os"

// openAlone makes a file for this process alone. Where files are not locked,
// what a process that was killed has left must be removed by hand.
func openAlone(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}
