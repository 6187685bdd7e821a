//go:build linux || darwin

package main

import "syscall"

// diskFree is how many bytes this user may still write where the folder is.
func diskFree(dir string) (free uint64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bsize <= 0 {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
