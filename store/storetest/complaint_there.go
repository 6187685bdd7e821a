package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/support"
)

// complaintsThere is a small channel where payers complain.
type complaintsThere struct {
	mu        sync.Mutex
	merchants []mianmi.MerchantID
	seen      map[string]*support.Seen
	reads     map[string]int
	lists     int
	failing   int
	deaf      int // answers that it never gets
	mute      int // answers that it takes, and does not say so
	now       func() time.Time
	read      chan struct{}
	goOn      chan struct{}
}

func newComplaintsThere(now func() time.Time) *complaintsThere {
	return &complaintsThere{now: now, seen: map[string]*support.Seen{}, reads: map[string]int{}, merchants: []mianmi.MerchantID{"mc1"}}
}

func (h *complaintsThere) key(number string) support.Key {
	return support.Key{Place: support.Place{Channel: "there", Account: "shop"}, Number: number}
}

func (h *complaintsThere) complain(number string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[number] = &support.Seen{Number: number, At: at, Said: support.Said{State: support.Pending, Problem: support.WantsRefund, Flags: support.Waiting,
		Title: "重复扣费", Text: "扣了两次", Asked: money.Of(300, "CNY"), Times: 1, Images: []string{"picture"}},
		Payments: []support.About{{Payment: "pm0", Transaction: "42", Amount: money.Of(1250, "CNY")}},
		Steps:    []support.Step{{Number: "s1", At: at, By: support.ByPayer, What: "USER_CREATE_COMPLAINT", Text: "扣了两次"}}}
}

func (h *complaintsThere) change(number string, fn func(*support.Seen)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.seen[number]
	next.Steps = slices.Clone(next.Steps)
	fn(&next)
	h.seen[number] = &next
}

// fail lets the next questions fail.
func (h *complaintsThere) fail(times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failing = times
}

// hold lets the next Read wait after it has its answer, until goOn is closed.
func (h *complaintsThere) hold() (read <-chan struct{}, goOn chan<- struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read, h.goOn = make(chan struct{}), make(chan struct{})
	return h.read, h.goOn
}

func (h *complaintsThere) asked(number string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reads[number]
}

func (h *complaintsThere) listed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lists
}

var errAway = &mianmi.Error{Kind: mianmi.Unavailable, Msg: "away"}

func (h *complaintsThere) fails() bool {
	h.failing--
	return h.failing >= 0
}

// Name is part of support.Channel, as all below are.
func (*complaintsThere) Name() string { return "there" }

func (*complaintsThere) Accounts() []string { return []string{"shop"} }

func (h *complaintsThere) Merchants(string) []mianmi.MerchantID { return h.merchants }

func (h *complaintsThere) List(_ context.Context, _ string, v support.Window) ([]support.Seen, int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists++
	if h.fails() {
		return nil, 0, errAway
	}
	var all []support.Seen
	for _, s := range h.seen {
		if day := 24 * time.Hour; !s.At.Truncate(day).Before(v.From.Truncate(day)) && !s.At.Truncate(day).After(v.To.Truncate(day)) {
			brief := *s
			brief.Steps = nil
			all = append(all, brief)
		}
	}
	slices.SortFunc(all, func(a, b support.Seen) int { return strings.Compare(a.Number, b.Number) })
	from := min(v.Offset, len(all))
	return all[from:min(from+v.Limit, len(all))], int64(len(all)), nil
}

func (h *complaintsThere) Read(_ context.Context, _, number string) (support.Seen, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads[number]++
	s := h.seen[number]
	if h.fails() || s == nil {
		return support.Seen{}, errAway
	}
	answer := *s
	if read, goOn := h.read, h.goOn; read != nil {
		h.read = nil
		h.mu.Unlock()
		close(read)
		<-goOn
		h.mu.Lock()
	}
	return answer, nil
}

var saidThere = map[support.Kind]string{support.Reply: "MERCHANT_RESPONSE", support.Complete: "MERCHANT_CONFIRM_COMPLETE", support.Approve: "MERCHANT_APPROVE_REFUND",
	support.Promise: "MERCHANT_APPROVE_REFUND", support.Refuse: "MERCHANT_REFUSE_RERUND"} // sic

func didThere(k support.Kind) support.Kind {
	if k == support.Promise {
		return support.Approve
	}
	return k
}

// Answer takes it, and loses the answer to that when it is told to.
func (h *complaintsThere) Answer(_ context.Context, _, number string, o support.Order) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := *h.seen[number]
	if h.deaf > 0 {
		h.deaf--
		return errAway
	}
	next.Steps = append(slices.Clone(next.Steps), support.Step{Number: fmt.Sprint("m", len(next.Steps)), At: h.now(), By: support.ByMerchant, What: saidThere[o.Kind], Text: o.Text, Did: didThere(o.Kind)})
	next.State, next.Flags = support.Processing, 0
	if o.Kind == support.Complete {
		next.State = support.Processed
	}
	h.seen[number] = &next
	if h.mute > 0 {
		h.mute--
		return errAway
	}
	return nil
}

// said counts what the merchant said about a complaint.
func (h *complaintsThere) said(number string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.seen[number].Steps {
		if t.By == support.ByMerchant {
			n++
		}
	}
	return n
}

func (*complaintsThere) Picture(_ context.Context, _, id string) ([]byte, error) {
	return []byte(id), nil
}
