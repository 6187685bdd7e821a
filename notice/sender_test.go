package notice

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever is due, a chain holds the messages of one subject from the first
// that waits, without leaving one out: nothing is sent before its time.
func TestChain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		subjects := []string{"a", "b", "c"}
		var waiting, due []Delivery
		prev := map[string]int64{}
		for n := range rapid.IntRange(0, 20).Draw(t, "waiting") {
			d := Delivery{Number: int64(n + 1), Fact: Fact{Subject: rapid.SampledFrom(subjects).Draw(t, "subject")}}
			d.Prev = prev[d.Subject]
			prev[d.Subject] = d.Number
			waiting = append(waiting, d)
			if rapid.IntRange(0, 3).Draw(t, "due") > 0 {
				due = append(due, d)
			}
		}
		busy := map[string]bool{rapid.SampledFrom(append(subjects, "")).Draw(t, "busy"): true}
		chains, behind := chain(due, busy)
		seen := len(behind)
		for _, c := range chains {
			var all []int64 // of the subject, as far as the chain goes
			for _, d := range waiting {
				if d.Subject == c[0].Subject && d.Number <= c[len(c)-1].Number {
					all = append(all, d.Number)
				}
			}
			var got []int64
			for _, d := range c {
				got = append(got, d.Number)
			}
			if d := cmp.Diff(all, got); d != "" || busy[c[0].Subject] {
				t.Fatalf("chain of %s: %s", c[0].Subject, d)
			}
			seen += len(c)
		}
		for _, d := range due {
			if busy[d.Subject] {
				seen++
			}
		}
		if seen != len(due) {
			t.Fatalf("%d of %d due messages are chained, behind or under way", seen, len(due))
		}
	})
}

// A failing webhook is tried with one message: the one that was tried least.
func TestProbe(t *testing.T) {
	t.Parallel()
	got := probe([][]Delivery{{{Number: 1, Attempts: 4}}, {{Number: 2, Attempts: 1}, {Number: 5}}, {{Number: 3, Attempts: 1}}})
	if len(got) != 1 || len(got[0]) != 1 || got[0][0].Number != 2 {
		t.Errorf("probe = %+v, want message 2 alone", got)
	}
	if probe(nil) != nil {
		t.Error("nothing was tried with something")
	}
}

// Waits grow to a day for a message and to five minutes for a webhook, within
// three days, and differ by at most a fifth from the plan.
func TestBackoff(t *testing.T) {
	t.Parallel()
	c := Schedule{}.withDefaults()
	var sum time.Duration
	for i, want := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute} {
		if got := c.message(i + 1); got != want {
			t.Errorf("wait %d is %v, want %v", i+1, got, want)
		}
	}
	tries := 0
	for sum < c.Life {
		tries++
		sum += c.message(tries)
	}
	if tries < 10 || c.message(0) != 5*time.Second || c.message(1000) != 24*time.Hour {
		t.Errorf("%d tries in %v", tries, c.Life)
	}
	for failures, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 7: 5 * time.Minute, 1 << 30: 5 * time.Minute} {
		if got := c.webhook(failures); got != want {
			t.Errorf("after %d failures it rests %v, want %v", failures, got, want)
		}
	}
	for _, b := range [][]byte{{0, 0}, {255, 255}, {128, 0}, {}} {
		if got := jitter(time.Hour, bytes.NewReader(b)); got < 48*time.Minute || got > 72*time.Minute {
			t.Errorf("an hour became %v", got)
		}
	}
}

// Topics are read by name, by group and all at once, and written back; a
// merchant gets none of the platform's.
func TestTopics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		names    []string
		platform bool
		want     []string // nil: refused
	}{
		{[]string{"payment.approved"}, false, []string{"payment.approved"}},
		{[]string{"stop.*", "policy.tightened"}, false, []string{"policy.tightened", "stop.lifted", "stop.placed"}},
		{[]string{"*"}, true, []string{"*"}},
		{[]string{"payer.*"}, false, nil},
		{[]string{"payment"}, false, nil},
		{[]string{"pay*"}, false, nil},
		{[]string{""}, false, nil},
		{nil, true, nil},
		{make([]string, 100), true, nil},
	} {
		set, err := ParseTopics(tt.names, tt.platform)
		if (err == nil) != (tt.want != nil) {
			t.Errorf("%q: %v", tt.names, err)
			continue
		}
		if d := cmp.Diff(tt.want, set.Names()); tt.want != nil && d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.names, d)
		}
	}
	own, err := ParseTopics([]string{"*"}, false)
	if err != nil || own.Has(PayerClosed) || !own.Has(StopPlaced) || !own.Has(Test) {
		t.Errorf("a merchant's topics are %v, %v", own.Names(), err)
	}
	for topic := range topics {
		if topic == 0 || topic > 62 {
			t.Errorf("topic %d is no bit of a set", topic)
		}
	}
	for kind, topic := range entryTopics {
		if topic.String() == "" {
			t.Errorf("entries of type %s tell of a topic without a name", kind)
		}
	}
	if len(TopicNames()) != len(topics)-1 {
		t.Errorf("%d names of %d topics", len(TopicNames()), len(topics))
	}
}
