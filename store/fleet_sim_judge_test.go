package store_test

import (
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/store/storetest"
	"github.com/mianmi/mianmi/terminal"
)

// simPayment is a payment and when it was under way.
type simPayment struct {
	at              *simTerminal
	began, ended    int64
	passed, refused bool
}

// judge says whether a payment may have passed.
func (s *fleetSim) judge(n int, p *simPayment) {
	off, doubt := s.offOver(p), p.at.doubt(s, p)
	switch {
	case p.refused:
	case !p.passed && off != nil:
		s.stopped++
	case !p.passed && doubt != "":
		s.doubted++
	case p.passed && off != nil:
		s.fail("round %d: a payment at %s passed from tick %d to %d though %s was off from %d (lifted %d, until %v)", n, p.at.ID, p.began, p.ended,
			off.scope, off.acked, off.lifted, off.until)
	case p.passed && doubt != "":
		s.fail("round %d: a payment at %s passed from tick %d to %d though %s", n, p.at.ID, p.began, p.ended, doubt)
	case p.passed:
		s.passed++
	}
}

// offOver is an OFF that held from before the payment until after it; nil: none.
func (s *fleetSim) offOver(p *simPayment) *simOff {
	now := s.clock.Now()
	for _, off := range s.offs {
		if off.acked != 0 && off.acked < p.began && (off.lifted == 0 || off.lifted > p.ended) && (off.until.IsZero() || now.Before(off.until)) &&
			p.at.in(s, off.scope) {
			return off
		}
	}
	return nil
}

// count compares the live count of every OFF that is watched with the truth, at
// both nodes. Nothing else happens meanwhile.
func (s *fleetSim) count(n int) {
	if _, err := patiently(func() (bool, error) { return s.nodes[n%2].Terminals.WatchOffs(s.t.Context()) }); err != nil {
		s.fail("watch: %v", err)
	}
	for _, node := range s.nodes {
		list, err := node.Terminals.Offs(s.t.Context(), storetest.Operator, terminal.OffQuery{})
		s.must(err)
		for _, o := range list {
			scope := must(merchant.ParseScope(o.Scope))(s.t)
			var want terminal.Coverage
			for _, d := range s.all {
				switch {
				case !d.in(s, scope):
					continue
				case d.host:
					want.HostAlone++
				case d.proof.version >= o.Epoch && d.proof.version >= d.proof.floor:
					want.InForce++
				}
				want.Total++
			}
			if s.counted++; o.Coverage != want {
				s.fail("round %d: OFF %d of %s counts %+v, and %+v is true", n, o.Epoch, o.Scope, o.Coverage, want)
			}
			if o.Outcome == "" && want.Outstanding() == 0 {
				s.fail("round %d: OFF %d of %s is watched, and in force everywhere", n, o.Epoch, o.Scope)
			}
		}
	}
}
