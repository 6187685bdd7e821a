package demo

// dice are the chances of the example world: the same on every machine, so
// that everybody sees the same history (SplitMix64, Steele et al., 2014).
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns 0 to n-1.
func (d *dice) below(n int) int {
	return int(d.next() % uint64(n)) //nolint:gosec // n is small and above zero
}

// one reports true once in n.
func (d *dice) one(n int) bool { return d.below(n) == 0 }
