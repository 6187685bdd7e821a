package storetest

import (
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
)

// simulated is a run of payments, reversals, refunds and calls-off against a
// channel that loses calls and answers, and pays late.
type simulated struct {
	*counter
	r     *rand.Rand
	nodes []*Node
	mu    sync.Mutex
	well  bool // the network is
	all   []mianmi.PaymentID
}

// outsideAgrees: whatever was lost, in the end every payment is final, was charged
// at most once, and the channel keeps of it what our books hold. MIANMI_TEST_FULL
// runs it longer.
func outsideAgrees(t *testing.T, d *desk) {
	seeds, steps := 1, 60
	if os.Getenv("MIANMI_TEST_FULL") != "" {
		seeds, steps = 20, 300
	}
	s := &simulated{counter: newCounter(t, d)}
	s.nodes = []*Node{s.n, s.serve(t, s.fake)}
	s.fake.Slack = true
	s.fake.Trouble = s.trouble
	for seed := range seeds {
		s.r, s.well, s.all = rand.New(rand.NewPCG(14, uint64(seed))), false, nil
		for range steps {
			s.step(t)
		}
		s.mu.Lock()
		s.well = true
		s.mu.Unlock()
		for range 40 {
			s.clock.Add(time.Minute * 10)
			s.ask(t, s.n)
		}
		for range 8 {
			s.clock.Add(24 * time.Hour)
			s.ask(t, s.n)
		}
		s.agree(t, seed)
	}
}

// trouble is under the channel's lock, and asked by several at once.
func (s *simulated) trouble(string, mianmi.PaymentID) channeltest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.well {
		return channeltest.NoFault
	}
	return []channeltest.Fault{0, 0, 0, channeltest.NotSent, channeltest.LostLate, channeltest.Proofless}[s.r.IntN(6)]
}

// draw is a number below n; the source is shared with trouble.
func (s *simulated) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

func (s *simulated) step(t *testing.T) {
	t.Helper()
	n := s.nodes[s.draw(2)]
	var id mianmi.PaymentID
	if len(s.all) > 0 {
		id = s.all[s.draw(len(s.all))]
	}
	switch k := s.draw(10); {
	case k < 4 || id == "":
		kind := []string{channeltest.CodeRich, channeltest.CodeRich, channeltest.CodePoor, channeltest.CodeSlow}[s.draw(4)]
		minor := int64(1_00 + s.draw(50_00))
		if s.draw(5) == 0 {
			minor += 2000_00 // above every limit: the channel's QR code
		}
		p := must(n.Payments.Authorize(t.Context(), s.till, s.scan(kind, minor)))(t)
		s.all = append(s.all, p.ID)
	case k == 4: // the payer pays, or gives up
		s.fake.Finish(id, s.draw(3) > 0)
	case k == 5: // refused when it is not the time for it
		_, _ = n.Payments.Cancel(t.Context(), s.till, id)
	case k == 6:
		_, _ = n.Payments.Reverse(t.Context(), s.Manager, id)
	case k == 7:
		_, _ = n.Payments.Refund(t.Context(), s.Manager, id, payment.RefundRequest{RefundNo: order(), Amount: money.Of(int64(1+s.draw(60_00)), "CNY")})
	default:
		s.clock.Add(time.Duration(1+s.draw(30)) * time.Second)
		must(n.Payments.ExpireOverdue(t.Context()))(t)
		must(n.Payments.AskChannels(t.Context()))(t)
	}
}

func (s *simulated) agree(t *testing.T, seed int) {
	t.Helper()
	states := map[payment.State]int{}
	for _, id := range s.all {
		p := must(s.n.Payments.Payment(t.Context(), Operator, id))(t)
		states[p.State]++
		kept, charges := s.fake.Taken(id)
		ours := number(t, s.rows, `SELECT coalesce(sum(CASE kind WHEN 1 THEN amount ELSE -amount END), 0) FROM journal WHERE ref = $1`, string(id))
		if !p.State.Final() || kept != ours || charges > 1 {
			t.Errorf("seed %d: payment %s is %v, the channel keeps %d (charged %d times), our books %d", seed, id, p.State, kept, charges, ours)
		}
	}
	if states[payment.Approved] == 0 || states[payment.Declined] == 0 || len(states) < 4 {
		t.Errorf("seed %d: the run was too tame: %v", seed, states)
	}
	if n := number(t, s.rows, `SELECT count(*) FROM refund WHERE state = 1`); n != 0 {
		t.Errorf("seed %d: %d refunds are pending for ever", seed, n)
	}
}
