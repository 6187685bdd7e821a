//go:build !linux

package main

import "time"

// uptime counts leases by Go's monotonic clock.
func uptime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
