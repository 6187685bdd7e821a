package api

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// limiter bounds how often each remote address may do something, with memory
// that does not grow: addresses share a fixed number of cells by a keyed hash.
// Two addresses in one cell share their allowance, which errs on the careful
// side and is rare: 100 addresses among 65,536 cells collide with chance 0.07.
type limiter struct {
	every time.Duration // one more is allowed after each
	burst time.Duration // how far ahead of that an address may be
	seed  maphash.Seed

	mu    sync.Mutex
	cells [limiterCells]int64 // when the cell is level again, Unix nanoseconds
}

const limiterCells = 1 << 16

func newLimiter(n int, per time.Duration) *limiter {
	return &limiter{every: per / time.Duration(n), burst: per, seed: maphash.MakeSeed()}
}

// take counts one try. It returns 0, or how long to wait (the generic cell
// rate algorithm, ITU-T I.371).
func (l *limiter) take(from netip.Addr, now time.Time) time.Duration {
	i := maphash.Comparable(l.seed, network(from)) % limiterCells
	l.mu.Lock()
	defer l.mu.Unlock()
	level := max(l.cells[i], now.UnixNano())
	ahead := time.Duration(level-now.UnixNano()) + l.every
	if ahead > l.burst {
		return ahead - l.burst
	}
	l.cells[i] = level + int64(l.every)
	return 0
}

// network is whom an address belongs to: with IPv6 a customer gets a /64.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// forwardedMax bounds how many hops of X-Forwarded-For are looked at.
const forwardedMax = 16

// Remote is who is calling: the connection's address or, behind a trusted
// proxy, the last address in X-Forwarded-For that is no trusted proxy's.
func (s *Server) Remote(r *http.Request) netip.Addr {
	var at netip.Addr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		at = ap.Addr().Unmap()
	}
	if !s.trusted(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-forwardedMax); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return at
		}
		if at = hop.Unmap(); !s.trusted(at) {
			return at
		}
	}
	return at
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
