package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap may grow to five times what lives while that is small: a third of
// the CPU of a payment went into collecting what died. Where much lives, as of
// ten thousand terminals' connections, as much again would be held for nothing:
// then it grows by headroomMost, and by a half at least, for collecting takes as
// long as much lives.
const (
	gcPercentMost  = 400
	gcPercentLeast = 50
	headroomMost   = 256 << 20
)

// gcPercent is how far the heap may grow, in percent of what lives.
func gcPercent(live uint64) int {
	return int(min(gcPercentMost, max(gcPercentLeast, headroomMost*100/max(live, 1)))) //nolint:gosec // at most 400
}

// boundHeap sets the collector's percentage, and again after each collection.
func boundHeap() {
	now := gcPercentMost
	debug.SetGCPercent(now)
	// What the collector's percentage counts from.
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	var after func(struct{})
	next := func() { runtime.AddCleanup(new([32]byte), after, struct{}{}) } // large enough to lie alone
	after = func(struct{}) {
		metrics.Read(live)
		var sum uint64
		for i := range live {
			sum += live[i].Value.Uint64()
		}
		// Setting it stops the world for a moment: not for every small change.
		if want := gcPercent(sum); want < now*9/10 || want > now*11/10 {
			now = want
			debug.SetGCPercent(now)
		}
		next()
	}
	next()
}
