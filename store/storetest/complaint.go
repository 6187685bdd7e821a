package storetest

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/support"
)

// Complaints is the contract of stored complaints: workers beside each other, a
// channel that is away, hints that are lost, doubled and wrong.
func Complaints(t *testing.T, open func(*testing.T) Engine) {
	tests := map[string]func(*testing.T, *complaintWorld){
		"two that sync store each complaint and step once":      syncBeside,
		"a sweep finds what nobody told of, however long ago":   sweepFinds,
		"hints that are doubled, late and wrong change nothing": wrongHints,
		"an older answer does not undo a newer one":             olderAnswer,
		"what is open is read again, what is over is left":      openAgain,
		"whose a complaint is":                                  whoseComplaint,
		"words are bounded and in no entry":                     wordsStay,
		"who may see complaints":                                complaintRights,
		"an answer is said once, whoever orders and says it":    answeredOnce,
		"answers that are lost on either way are said once":     answersLost,
		"nothing is completed over what the payer wrote since":  completedOverNews,
		"an answer that never becomes clear is given up":        answerGivenUp,
		"a complaint made here, from its making to its end":     ownComplaint,
		"complaints made here are made and answered once":       ownBeside,
		"what cannot be complained of here, and who may":        ownRefused,
		"words of complaints made here are in no entry":         ownWordsStay,
		"an approval of a complaint made here refunds once":     ownApproved,
		"pictures of answers are kept within bounds":            ownPictures,
		"a merchant's page of complaints made here":             ownPages,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newComplaintWorld(t, open(t)))
		})
	}
}

// complaintWorld is two nodes on one database, and a channel where payers complain.
type complaintWorld struct {
	clock *Clock
	there *complaintsThere
	a, b  *support.Service
	node  *Node
	rows  *sql.DB
}

func newComplaintWorld(t *testing.T, e Engine) *complaintWorld {
	t.Helper()
	w := &complaintWorld{clock: NewClock(), rows: Inspect(t, e.DSN)}
	w.there = newComplaintsThere(w.clock.Now)
	keys := must(secret.New(rand.Reader))(t)
	for _, s := range []**support.Service{&w.a, &w.b} {
		w.node = must(NewNode(t.Context(), NodeConfig{DB: e.Open(t), Keys: keys, Clock: w.clock}))(t)
		t.Cleanup(w.node.Payments.Stop)
		*s = must(support.New(support.Parts{Store: w.node.DB, Payments: w.node.Payments, Keys: keys, Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
			Channels: []support.Channel{w.there}}))(t)
	}
	return w
}

// drain reads what is due until nothing is.
func drain(t *testing.T, s *support.Service) {
	t.Helper()
	for must(s.Sync(t.Context()))(t) > 0 {
	}
}

// sweep lists until a sweep has come to its end.
func sweep(t *testing.T, s *support.Service) {
	t.Helper()
	for must(s.Sweep(t.Context()))(t) {
	}
}

func (w *complaintWorld) all(t *testing.T) map[string]support.Complaint {
	t.Helper()
	out := map[string]support.Complaint{}
	q := support.Query{Limit: 50}
	for {
		page := must(w.a.Complaints(t.Context(), Support, q))(t)
		for _, c := range page {
			if _, twice := out[c.Number]; twice {
				t.Errorf("%v is listed twice", c)
			}
			out[c.Number] = c
		}
		if len(page) < q.Limit {
			return out
		}
		q.Before = page[len(page)-1].ID
	}
}

// entries are the entries about a complaint.
func (w *complaintWorld) entries(t *testing.T, id mianmi.ComplaintID) []evidence.Entry {
	t.Helper()
	return must(w.node.DB.Entries(t.Context(), payer.EntryQuery{Bucket: mianmi.BucketOf(string(id)), Subject: string(id), Limit: 200}))(t)
}

// Two nodes claim, read and store what is queued, while it is queued again and
// again: each complaint is made once, each step added once.
func syncBeside(t *testing.T, w *complaintWorld) {
	const many = 8
	for i := range many {
		w.there.complain(fmt.Sprintf("c%02d", i), w.clock.Now())
	}
	var all sync.WaitGroup
	for _, s := range []*support.Service{w.a, w.b} {
		all.Go(func() {
			for range 3 {
				for i := range many {
					if err := s.Hint(t.Context(), w.there.key(fmt.Sprintf("c%02d", i))); err != nil {
						t.Error(err)
					}
				}
				for n := 1; n > 0; {
					var err error
					if n, err = s.Sync(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	stored := w.all(t)
	if len(stored) != many {
		t.Errorf("%d are stored", len(stored))
	}
	for _, c := range stored {
		_, steps, err := w.a.Complaint(t.Context(), Support, c.ID)
		if err != nil || len(steps) != 1 || c.Version != 1 || c.State != support.Pending {
			t.Errorf("%v: version %d, %d steps, %v", c, c.Version, len(steps), err)
		}
		if e := w.entries(t, c.ID); len(e) != 1 || e[0].Type != support.TypeOpened {
			t.Errorf("%v is recorded as %v", c, typesOf(e))
		}
	}
}

// The sweep reads page after page and window after window: complaints of the
// last thirty days at the start, and all since when it was away for months.
func sweepFinds(t *testing.T, w *complaintWorld) {
	begun := w.clock.Now()
	for i := range 60 {
		w.there.complain(fmt.Sprintf("first%03d", i), begun.AddDate(0, 0, -i%20))
	}
	sweep(t, w.a)
	drain(t, w.b)
	if n := len(w.all(t)); n != 60 {
		t.Errorf("%d are known after the first sweep", n)
	}
	asked := w.there.listed()
	sweep(t, w.b)
	if w.there.listed() != asked {
		t.Error("a sweep began though the last one has just ended")
	}
	w.clock.Add(100 * 24 * time.Hour)
	for i := range 55 {
		w.there.complain(fmt.Sprintf("then%03d", i), begun.AddDate(0, 0, i+1))
	}
	w.there.fail(3)
	for try := range 3 {
		if _, err := w.a.Sweep(t.Context()); (err != nil) != (try == 2) {
			t.Errorf("a list that cannot be had, try %d: %v", try+1, err)
		}
		w.clock.Add(time.Hour)
	}
	for range 4 { // it is tried again, later each time
		w.clock.Add(time.Hour)
		_, _ = w.b.Sweep(t.Context())
	}
	sweep(t, w.b)
	drain(t, w.a)
	if n := len(w.all(t)); n != 115 {
		t.Errorf("%d are known after months", n)
	}
}

// A complaint that does not exist is asked for some times and then left; one
// that cannot be read is read later; of one that is read, a hint changes nothing.
func wrongHints(t *testing.T, w *complaintWorld) {
	ctx := t.Context()
	for _, number := range []string{"nobody", "", "../x", strings.Repeat("9", 100)} {
		if err := w.a.Hint(ctx, w.there.key(number)); err != nil {
			t.Error(err)
		}
	}
	for range 30 {
		_, _ = w.a.Sync(ctx) // the channel says that there is none
		w.clock.Add(time.Hour)
	}
	if n := w.there.asked("nobody"); n < 10 || n > 30 || w.there.asked("../x") != 0 {
		t.Errorf("asked for one that is not there %d times, for none that can be %d", n, w.there.asked("../x"))
	}
	w.there.complain("c", w.clock.Now())
	w.there.fail(1)
	for range 2 {
		_ = w.a.Hint(ctx, w.there.key("c"))
		_, _ = w.a.Sync(ctx)
		w.clock.Add(time.Minute)
	}
	first := w.all(t)["c"]
	for range 3 {
		_ = w.b.Hint(ctx, w.there.key("c"))
		drain(t, w.b)
	}
	if last := w.all(t)["c"]; first.Version != 1 || last.Version != 1 {
		t.Errorf("version %d, then %d", first.Version, last.Version)
	}
}

// A worker that reads, stands still until its lease is over, and stores what it
// read then: what another stored meanwhile stays.
func olderAnswer(t *testing.T, w *complaintWorld) {
	ctx := t.Context()
	w.there.complain("c", w.clock.Now())
	_ = w.a.Hint(ctx, w.there.key("c"))
	read, goOn := w.there.hold()
	done := make(chan error)
	go func() {
		_, err := w.a.Sync(ctx)
		done <- err
	}()
	<-read
	w.clock.Add(2 * time.Minute)
	w.there.change("c", func(s *support.Seen) {
		s.State, s.Flags = support.Processed, 0
		s.Steps = append(s.Steps, support.Step{Number: "s2", At: w.clock.Now(), By: support.ByMerchant, What: "MERCHANT_CONFIRM_COMPLETE"})
	})
	drain(t, w.b)
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c := w.all(t)["c"]
	_, steps, err := w.a.Complaint(ctx, Support, c.ID)
	if err != nil || c.State != support.Processed || c.Version != 1 || len(steps) != 2 {
		t.Errorf("%v, version %d, %d steps, %v", c, c.Version, len(steps), err)
	}
}

// A second message of a payer whose first is not answered shows in no list.
func openAgain(t *testing.T, w *complaintWorld) {
	w.there.complain("open", w.clock.Now())
	w.there.complain("over", w.clock.Now())
	w.there.change("over", func(s *support.Seen) { s.State = support.Processed })
	sweep(t, w.a)
	drain(t, w.a)
	for _, number := range []string{"open", "over"} {
		w.there.change(number, func(s *support.Seen) {
			s.Steps = append(s.Steps, support.Step{Number: "s2", At: w.clock.Now(), By: support.ByPayer, What: "USER_RESPONSE", Text: "在吗"})
		})
	}
	w.clock.Add(2 * time.Hour)
	sweep(t, w.b)
	drain(t, w.b)
	stored := w.all(t)
	_, open, err := w.a.Complaint(t.Context(), Support, stored["open"].ID)
	_, over, err2 := w.a.Complaint(t.Context(), Support, stored["over"].ID)
	if err != nil || err2 != nil || len(open) != 2 || len(over) != 1 {
		t.Errorf("%d steps of the open one, %d of the one that is over; %v %v", len(open), len(over), err, err2)
	}
}

// A complaint is its only merchant's, and of an account of several that one's
// whose payment it is about; payments of others are not linked.
func whoseComplaint(t *testing.T, w *complaintWorld) {
	w.there.merchants = []mianmi.MerchantID{"mc1"}
	w.there.complain("one", w.clock.Now())
	sweep(t, w.a)
	drain(t, w.a)
	w.there.merchants = []mianmi.MerchantID{"mc1", "mc2"}
	w.there.complain("two", w.clock.Now())
	_ = w.a.Hint(t.Context(), w.there.key("two"))
	drain(t, w.a)
	stored := w.all(t)
	if stored["one"].Merchant != "mc1" || stored["two"].Merchant != "" || stored["two"].Payments[0].Payment != "" {
		t.Errorf("%q and %q of %v", stored["one"].Merchant, stored["two"].Merchant, stored["two"].Payments)
	}
}

// What people write is cut to its bound, without control characters and card
// numbers, and no entry and nothing that is printed holds a word of it.
func wordsStay(t *testing.T, w *complaintWorld) {
	const mark = "只有这里"
	w.there.complain("c", w.clock.Now())
	w.there.change("c", func(s *support.Seen) {
		s.Text = mark + "\x00卡号 4111 1111 1111 1111，" + strings.Repeat("长", 5000)
		s.Steps[0].Text, s.Steps[0].Images = mark+"\x00", []string{"p1", "", strings.Repeat("x", 1000)}
		s.Steps = append(s.Steps, support.Step{Number: "no number", What: "X"})
	})
	sweep(t, w.a)
	drain(t, w.a)
	c, steps, err := w.a.Complaint(t.Context(), Support, w.all(t)["c"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(c.Text, "\x000123456789") || !strings.HasPrefix(c.Text, mark+"卡号 **** ") || len([]rune(c.Text)) > 2000 {
		t.Errorf("stored: %.60s", c.Text)
	}
	if d := cmp.Diff([]string{"p1"}, steps[0].Images); d != "" || len(steps) != 1 || steps[0].Text != mark {
		t.Errorf("%d steps, pictures (-want +got):\n%s", len(steps), d)
	}
	for _, e := range w.entries(t, c.ID) {
		if strings.Contains(string(e.Body), mark) {
			t.Errorf("the entry says %s", e.Body)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %v %+v", c, c, c, steps, steps); strings.Contains(text, mark) {
		t.Errorf("printed: %s", text)
	}
}

func complaintRights(t *testing.T, w *complaintWorld) {
	w.there.merchants = []mianmi.MerchantID{"mc1"}
	w.there.complain("c", w.clock.Now())
	sweep(t, w.a)
	drain(t, w.a)
	id := w.all(t)["c"].ID
	for _, tt := range []struct {
		actor mianmi.Actor
		sees  bool
	}{
		{mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf7", Merchant: "mc1"}, true},
		{mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: "mc2"}, false},
		{mianmi.Actor{Role: mianmi.RoleCashier, ID: "sf9", Merchant: "mc1", Store: "st1"}, false},
		{mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak1", Merchant: "mc1", Scopes: mianmi.ScopeRead}, true},
		{mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak2", Merchant: "mc2", Scopes: mianmi.ScopeRead}, false},
		{mianmi.Actor{Role: mianmi.RolePayer, ID: "py1"}, false},
		{mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf3"}, true},
		{Support, true},
	} {
		list, _ := w.a.Complaints(t.Context(), tt.actor, support.Query{})
		_, _, err := w.a.Complaint(t.Context(), tt.actor, id)
		picture, perr := w.a.Picture(t.Context(), tt.actor, id, "picture")
		if (err == nil) != tt.sees || (len(list) == 1) != tt.sees || (perr == nil) != tt.sees || (string(picture) == "picture") != tt.sees {
			t.Errorf("%v sees %d, %v, %v", tt.actor, len(list), err, perr)
		}
	}
	if _, err := w.a.Picture(t.Context(), Support, id, "another"); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("a picture that it does not name: %v", err)
	}
}
