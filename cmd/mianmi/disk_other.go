//go:build !linux && !darwin

package main

// diskFree is not known on this system.
func diskFree(string) (free uint64, known bool) { return 0, false }
