package payment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
)

func wantCode(t *testing.T, err error, kind mianmi.Kind, code string) {
	t.Helper()
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Errorf("error = %v, want %v %q", err, kind, code)
	}
}

func wantApproved(t *testing.T, o outcome) {
	t.Helper()
	if o.err != nil {
		t.Error(o.err)
	} else if o.p.State != payment.Approved {
		t.Errorf("%s is %v: %v", o.p.OrderNo, o.p.State, o.p.Reasons)
	}
}

// stall makes every Begin wait until release.
func (c *counter) stall() (release func()) {
	open := make(chan struct{})
	c.m.onBegin = func([]payment.Ask) error {
		<-open
		return nil
	}
	return func() { close(open) }
}

// Whoever comes while a commit runs shares the next one, up to the maximum; a
// lone caller waits for nobody.
func TestLaneBatchesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t, payment.Config{Lanes: 1, BatchMax: 5})
		began := time.Now()
		wantApproved(t, <-c.go1(t.Context(), c.tap(0, "alone")))
		if d := time.Since(began); d != 0 {
			t.Errorf("a lone caller waited %v", d)
		}
		release := c.stall()
		first := c.go1(t.Context(), c.tap(0, "first"))
		synctest.Wait()
		var rest []<-chan outcome
		for i := range 7 {
			rest = append(rest, c.go1(t.Context(), c.tap(i, fmt.Sprintf("o%d", i))))
		}
		synctest.Wait()
		release()
		wantApproved(t, <-first)
		for _, ch := range rest {
			wantApproved(t, <-ch)
		}
		if d := cmp.Diff([]int{1, 1, 5, 2}, c.m.sizes()); d != "" {
			t.Error(d)
		}
		c.s.Stop()
	})
}

// A full queue refuses before anything is begun, and says when to come again.
func TestLaneOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t, payment.Config{Lanes: 1, QueueMax: 3})
		release := c.stall()
		var waiting []<-chan outcome
		for i := range 4 { // one in the ledger, three in the queue
			waiting = append(waiting, c.go1(t.Context(), c.tap(0, fmt.Sprintf("o%d", i))))
			synctest.Wait()
		}
		_, err := c.s.Authorize(t.Context(), cashier, c.tap(0, "late"))
		wantCode(t, err, mianmi.Unavailable, "overloaded")
		var e *mianmi.Error
		if errors.As(err, &e); e.RetryAfter <= 0 {
			t.Error("no time to come again")
		}
		many, err := c.s.AuthorizeMany(t.Context(), cashier, []payment.Request{c.tap(0, "late2"), c.tap(0, "late3")})
		if err != nil || len(many) != 2 {
			t.Fatal(many, err)
		}
		wantCode(t, many[1].Err, mianmi.Unavailable, "overloaded")
		release()
		for _, ch := range waiting {
			wantApproved(t, <-ch)
		}
		c.s.Stop()
		if paid := c.m.paid(); len(paid) != 4 {
			t.Errorf("%d payments", len(paid))
		}
	})
}

// A deadline in the queue begins nothing; one during the commit leaves an
// outcome that a repeat finds.
func TestLaneDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t, payment.Config{Lanes: 1})
		release := c.stall()
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		begun := c.go1(short, c.tap(0, "begun"))
		synctest.Wait()
		queued := c.go1(short, c.tap(0, "queued"))
		wantCode(t, (<-begun).err, mianmi.Unavailable, "outcome_unknown")
		wantCode(t, (<-queued).err, mianmi.Unavailable, "deadline")
		if d := time.Since(began); d != 50*time.Millisecond {
			t.Errorf("callers waited %v past a deadline of 50 ms", d)
		}
		release()
		again := <-c.go1(t.Context(), c.tap(0, "begun"))
		wantApproved(t, again)
		c.s.Stop()
		paid := c.m.paid()
		if len(paid) != 1 || paid["begun"] == nil || c.balance(0) != 999_00 {
			t.Errorf("paid %v, balance %d", paid, c.balance(0))
		}
		if len(c.m.batches) != 2 {
			t.Errorf("batches of %v: the caller who had gone was begun", c.m.sizes())
		}
	})
}

// Stop finishes what has begun and what waits, and refuses what comes after.
func TestLaneStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t, payment.Config{Lanes: 2, BatchMax: 2})
		release := c.stall()
		var all []<-chan outcome
		for i := range cardsMax {
			all = append(all, c.go1(t.Context(), c.tap(i, fmt.Sprintf("o%d", i))))
		}
		synctest.Wait()
		stopped := make(chan struct{})
		go func() {
			c.s.Stop()
			close(stopped)
		}()
		synctest.Wait()
		_, err := c.s.Authorize(t.Context(), cashier, c.tap(0, "late"))
		wantCode(t, err, mianmi.Unavailable, "stopping")
		select {
		case <-stopped:
			t.Error("stopped with payments under way")
		default:
		}
		release()
		for _, ch := range all {
			wantApproved(t, <-ch)
		}
		<-stopped
		c.s.Stop() // again is nothing
	})
}

// One payment that breaks its transaction fails alone.
func TestLanePoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t, payment.Config{Lanes: 1})
		poison := c.cards[3]
		c.m.onCommit = func(asks []payment.Ask, commit func()) error {
			if slices.ContainsFunc(asks, func(a payment.Ask) bool { return a.Instrument == poison }) {
				return errors.New("the database refuses a row")
			}
			commit()
			return nil
		}
		var reqs []payment.Request
		for i := range cardsMax {
			reqs = append(reqs, c.tap(i, fmt.Sprintf("o%d", i)))
		}
		reqs = append(reqs, c.tap(3, "o3"), c.tap(4, "o4")) // repeats
		got, err := c.s.AuthorizeMany(t.Context(), cashier, reqs)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if reqs[i].Instrument == poison {
				if r.Err == nil || mianmi.KindOf(r.Err) != mianmi.Internal {
					t.Errorf("the poison: %v", r.Err)
				}
				continue
			}
			wantApproved(t, outcome{r.Payment, r.Err})
		}
		c.s.Stop()
		if n := len(c.m.paid()); n != cardsMax-1 || c.balance(3) != 1000_00 || c.balance(4) != 999_00 {
			t.Errorf("%d paid, balances %d and %d", n, c.balance(3), c.balance(4))
		}
	})
}

// A batch that lost runs again; one whose answer was lost is found; a database
// that is away is not asked again and again.
func TestLaneTriesAgain(t *testing.T) {
	t.Parallel()
	lost := &mianmi.Error{Kind: mianmi.Conflict, Code: "lost", Msg: "another transaction came between"}
	away := &mianmi.Error{Kind: mianmi.Unavailable, Msg: "the database does not answer in time"}
	tests := []struct {
		name     string
		begin    []error // of each try; nil and after the last: works
		commit   []error
		happens  bool // a commit that answers with an error has happened
		want     string
		wantKind mianmi.Kind
		tries    int
		paid     int
	}{
		{"three losses, then it works", nil, []error{lost, lost, lost}, false, "", 0, 4, 1},
		{"losses at the lock", []error{lost, lost}, nil, false, "", 0, 3, 1},
		{"it loses every time", nil, []error{lost, lost, lost, lost, lost}, false, "lost", mianmi.Unavailable, 4, 0},
		{"a lost answer of a commit that happened", nil, []error{away}, true, "", 0, 2, 1},
		{"a lost answer of a commit that did not happen", nil, []error{away}, false, "", 0, 2, 1},
		{"lost answers without end", nil, []error{away, away, away, away}, true, "outcome_unknown", mianmi.Unavailable, 4, 1},
		{"a lost answer, then nobody", []error{nil, away, away, away}, []error{away}, true, "outcome_unknown", mianmi.Unavailable, 4, 1},
		{"nobody there", []error{away, away}, nil, false, "", mianmi.Unavailable, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t, payment.Config{Lanes: 1})
				next := func(list *[]error) (err error) {
					if len(*list) > 0 {
						err, *list = (*list)[0], (*list)[1:]
					}
					return err
				}
				begin, ends := slices.Clone(tt.begin), slices.Clone(tt.commit)
				c.m.onBegin = func([]payment.Ask) error { return next(&begin) }
				c.m.onCommit = func(_ []payment.Ask, commit func()) error {
					err := next(&ends)
					if err == nil || tt.happens {
						commit()
					}
					return err
				}
				got := <-c.go1(t.Context(), c.tap(0, "o1"))
				if tt.wantKind == 0 && tt.want == "" {
					wantApproved(t, got)
				} else {
					wantCode(t, got.err, tt.wantKind, tt.want)
				}
				c.s.Stop()
				if n := len(c.m.batches); n != tt.tries || len(c.m.paid()) != tt.paid || c.balance(0) != 1000_00-int64(tt.paid)*1_00 {
					t.Errorf("%d tries, %d paid, balance %d", n, len(c.m.paid()), c.balance(0))
				}
			})
		})
	}
}

// On a distributed database a transaction keeps to one bucket; all callers are
// served in their order, and the queue is as bounded as elsewhere.
func TestLaneOneBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const queueMax, batchMax = 6, 4
		c := newCounter(t, payment.Config{Lanes: 1, OneBucket: true, QueueMax: queueMax, BatchMax: batchMax})
		release := make(chan struct{})
		c.m.onBegin = func([]payment.Ask) error {
			<-release
			return nil
		}
		refused := 0
		var all []<-chan outcome
		for i := range 100 {
			ch := c.go1(t.Context(), c.tap(i%cardsMax, fmt.Sprintf("o%03d", i)))
			synctest.Wait()
			select {
			case o := <-ch:
				wantCode(t, o.err, mianmi.Unavailable, "overloaded")
				refused++
			default:
				all = append(all, ch)
			}
			// The queue, one batch under way, and as many held back.
			if n := len(all) - len(c.m.paid()); n > queueMax+2*batchMax {
				t.Fatalf("%d callers wait", n)
			}
			if i%10 == 9 {
				release <- struct{}{} // one batch goes through, and its place is taken by one bucket
				synctest.Wait()
			}
		}
		if refused == 0 {
			t.Error("nobody was refused")
		}
		close(release)
		for _, ch := range all {
			wantApproved(t, <-ch)
		}
		c.s.Stop()
		for _, b := range c.m.batches {
			if slices.ContainsFunc(b, func(a payment.Ask) bool { return a.Bucket != b[0].Bucket }) || len(b) > batchMax {
				t.Errorf("a batch of %d mixes buckets", len(b))
			}
		}
	})
}
