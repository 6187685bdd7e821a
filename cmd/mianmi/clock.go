package main

import (
	"crypto/rand"
	"time"
)

// systemClock is the machine's clock, in UTC and whole microseconds: what a
// record keeps is what its writer saw. Nobody else asks the machine.
type systemClock struct{}

// Now returns the present time.
func (systemClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// systemRandom is the operating system's randomness.
var systemRandom = rand.Reader
