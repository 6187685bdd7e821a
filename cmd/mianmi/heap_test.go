package main

import "testing"

// A small heap grows to five times what lives, a large one by a fixed amount,
// a very large one by a half.
func TestGCPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 64 << 20: 400, 128 << 20: 200, 256 << 20: 100, 400 << 20: 64, 8 << 30: 50} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB live: %d percent, want %d", live>>20, got, want)
		}
	}
}
