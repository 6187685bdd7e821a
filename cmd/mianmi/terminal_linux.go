package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime counts leases: CLOCK_BOOTTIME is set by nobody and runs on while the
// machine sleeps (clock_gettime(2)).
func uptime() func() time.Duration {
	began := time.Now()
	return func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			return time.Since(began) // monotonic, and stands still in sleep
		}
		return time.Duration(ts.Nano())
	}
}
