package torture

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// Promise is something that a run checks.
type Promise int

// The promises, in the order in which they are told.
const (
	Once     Promise = iota // what was acknowledged is there, once, as it was answered
	Orders                  // no order number is charged twice
	Balances                // every balance is the sum of what was acknowledged
	Books                   // balances, payments and journal agree
	Off                     // no PIN-free payment after an acknowledged off
	Linear                  // switches and payments have one order
	Stands                  // an acknowledged change stands
	Log                     // the transparency log verifies
	Receipts                // every acknowledged change and payment is in the log
	Told                    // everything is told, at least once and in order
	Answers                 // errors are clear and come in time
	Recovers                // the service comes back by itself
	promises
)

var promiseTexts = [promises]mianmi.Text{
	Once:     {ZH: "已确认的付款都在，且只有一笔，与当时的应答一致", EN: "acknowledged payments are there, once, as they were answered"},
	Orders:   {ZH: "同一订单号至多扣款一次", EN: "no order number is charged twice"},
	Balances: {ZH: "余额等于所有已确认收支之和", EN: "every balance is the sum of what was acknowledged"},
	Books:    {ZH: "余额、付款与分录相互一致", EN: "balances, payments and journal agree"},
	Off:      {ZH: "关闭一经确认，此后没有免密付款", EN: "no PIN-free payment after an acknowledged off"},
	Linear:   {ZH: "开关与付款可排成唯一的先后次序（线性一致）", EN: "switches and payments have one order (linearizable)"},
	Stands:   {ZH: "已确认的开关状态没有被改回", EN: "acknowledged switches stand as they were set"},
	Log:      {ZH: "存证日志完整、可验证", EN: "the transparency log verifies"},
	Receipts: {ZH: "每次已确认的变更和付款都已存证", EN: "acknowledged changes and payments are in the log"},
	Told:     {ZH: "每件事都已通知，至少一次，同一对象的先后不乱", EN: "everything is told, at least once and in order for each subject"},
	Answers:  {ZH: "出错时应答明确，且不超时", EN: "errors are clear and come in time"},
	Recovers: {ZH: "故障过后服务自行恢复", EN: "the service comes back by itself"},
}

// Text says the promise.
func (p Promise) Text() mianmi.Text { return promiseTexts[p] }

// Breach is a promise that was broken.
type Breach struct {
	Promise Promise
	Round   int
	What    string
}

// breachesMax bounds what is told: the first ones say why.
const breachesMax = 50

// verdict counts what was checked and keeps what was broken.
type verdict struct {
	mu       sync.Mutex
	round    int
	checked  [promises]int64
	breaches []Breach
	more     int
}

func (v *verdict) ok(p Promise, n int) {
	v.mu.Lock()
	v.checked[p] += int64(n)
	v.mu.Unlock()
}

// broken notes a breach and lets the run end.
func (v *verdict) broken(p Promise, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.checked[p]++
	if len(v.breaches) >= breachesMax {
		v.more++
		return
	}
	v.breaches = append(v.breaches, Breach{p, v.round, fmt.Sprintf(format, args...)})
}

// check is broken unless good.
func (v *verdict) check(p Promise, good bool, format string, args ...any) {
	if good {
		v.ok(p, 1)
		return
	}
	v.broken(p, format, args...)
}

func (v *verdict) failed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.breaches) > 0
}

// tally counts what was done; it judges nothing.
type tally struct {
	cutOff                                             atomic.Int64 // connections that ended without an answer
	payments, pinFree, stepUps, refunds, repeats, offs atomic.Int64
	slowest                                            atomic.Int64 // answer of a node that ran, in nanoseconds
	messages, again                                    int64        // that the listener got; repeats

	mu       sync.Mutex
	problems map[string]int64 // by code
}

// count notes an answer; p is nil for one that is no problem.
func (s *stage) count(p *client.Problem, took time.Duration, well bool) {
	s.verdict.ok(Answers, 1)
	if well {
		for old := s.tally.slowest.Load(); int64(took) > old && !s.tally.slowest.CompareAndSwap(old, int64(took)); old = s.tally.slowest.Load() {
		}
	}
	if p == nil {
		return
	}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if s.tally.problems == nil {
		s.tally.problems = map[string]int64{}
	}
	s.tally.problems[fmt.Sprintf("%d %s", p.Status, p.Code)]++
}
