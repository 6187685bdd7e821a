package storetest

import (
	"fmt"
	"hash/fnv"
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
	seed  int
	all   []mianmi.PaymentID

	mu    sync.Mutex
	well  bool // the network is
	met   map[mianmi.PaymentID]int
	calls map[question]int
}

// question is a call about a payment.
type question struct {
	payment mianmi.PaymentID
	call    string
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
		s.r, s.seed, s.all = rand.New(rand.NewPCG(14, uint64(seed))), seed, nil
		s.mu.Lock()
		s.well, s.met, s.calls = false, map[mianmi.PaymentID]int{}, map[question]int{}
		s.mu.Unlock()
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

// trouble depends on the seed, on which payment of the run and which call about it
// it is, never on who was faster: calls about several payments run at once.
func (s *simulated) trouble(call string, p mianmi.PaymentID) channeltest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.well {
		return channeltest.NoFault
	}
	if _, ok := s.met[p]; !ok {
		s.met[p] = len(s.met)
	}
	k := question{p, call}
	s.calls[k]++
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, s.seed, s.met[p], call, s.calls[k])
	r := rand.New(rand.NewPCG(14, h.Sum64()))
	return []channeltest.Fault{0, 0, 0, channeltest.NotSent, channeltest.LostLate, channeltest.Proofless}[r.IntN(6)]
}

func (s *simulated) step(t *testing.T) {
	t.Helper()
	n := s.nodes[s.r.IntN(2)]
	var id mianmi.PaymentID
	if len(s.all) > 0 {
		id = s.all[s.r.IntN(len(s.all))]
	}
	switch k := s.r.IntN(10); {
	case k < 4 || id == "":
		kind := []string{channeltest.CodeRich, channeltest.CodeRich, channeltest.CodePoor, channeltest.CodeSlow}[s.r.IntN(4)]
		minor := int64(1_00 + s.r.IntN(50_00))
		if s.r.IntN(5) == 0 {
			minor += 2000_00 // above every limit: the channel's QR code
		}
		p := must(n.Payments.Authorize(t.Context(), s.till, s.scan(kind, minor)))(t)
		s.all = append(s.all, p.ID)
	case k == 4: // the payer pays, or gives up
		s.fake.Finish(id, s.r.IntN(3) > 0)
	case k == 5: // refused when it is not the time for it
		_, _ = n.Payments.Cancel(t.Context(), s.till, id)
	case k == 6:
		_, _ = n.Payments.Reverse(t.Context(), s.Manager, id)
	case k == 7:
		_, _ = n.Payments.Refund(t.Context(), s.Manager, id, payment.RefundRequest{RefundNo: order(), Amount: money.Of(int64(1+s.r.IntN(60_00)), "CNY")})
	default:
		s.clock.Add(time.Duration(1+s.r.IntN(30)) * time.Second)
		must(n.Payments.ExpireOverdue(t.Context()))(t)
		must(n.Payments.AskChannel(t.Context(), s.fake.Name()))(t)
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
	t.Logf("states %v", states)
	if states[payment.Approved] == 0 || states[payment.Declined] == 0 || len(states) < 4 {
		t.Errorf("seed %d: the run was too tame: %v", seed, states)
	}
	if n := number(t, s.rows, `SELECT count(*) FROM refund WHERE state = 1`); n != 0 {
		t.Errorf("seed %d: %d refunds are pending for ever", seed, n)
	}
}
