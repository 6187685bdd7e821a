package pinfree

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

var (
	shanghaiNoon = time.Date(2026, 1, 5, 4, 0, 0, 0, time.UTC)
	sameCounters = cmp.AllowUnexported(Counters{}, entry{})
)

// yuan is a currency that has an address.
var yuan = money.Currency("CNY")

func number(n int64) *int64 { return &n }

// counterPack is a pack with one counter of each kind that matters here.
func counterPack(resets []string, bucket, counts string) Pack {
	return Pack{
		ID: "p", Version: 1, Edition: "1", Layer: "scheme", Title: mianmi.Text{ZH: "试", EN: "try"}, Zone: "Asia/Shanghai", Permits: true,
		Sources:  []Source{{Title: "t", URL: "https://example.org/", Read: "2026-01-01", Quality: "primary"}},
		When:     Condition{Methods: []string{"payment_code", "card_tap"}, Currencies: []string{"CNY"}},
		Counters: []Counter{{ID: "c", Bucket: bucket, Counts: counts, Resets: resets}},
		Limits: []Limit{{ID: "l", Title: mianmi.Text{ZH: "限", EN: "limit"}, Counter: "c",
			Number: &Range{Scope: "including_current", AtMost: number(5)}, Above: "step_up"}},
	}
}

func compiled(t testing.TB, p ...Pack) *RuleSet {
	t.Helper()
	rs, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// happening is one event after the last, and the value of the counter then.
type happening struct {
	kind   EventKind
	after  time.Duration // since the event before
	ago    time.Duration // how long before it the payment was decided
	change func(*Event)
	want   Count
}

// TestCounterLife proves what counts, what resets and what is given back.
func TestCounterLife(t *testing.T) {
	t.Parallel()
	typeless := func(e *Event) { e.Currency = "" }
	euros := func(e *Event) { e.Currency = "EUR" }
	otherCard := func(e *Event) { e.Subject.Instrument = "ci2" }
	noCard := func(e *Event) { e.Subject.Instrument = "" }
	day, hour, unauth, all := "calendar_day", time.Hour, "executed_unauthenticated", "executed_all"
	tests := []struct {
		name   string
		resets []string
		bucket string
		counts string
		events []happening
	}{
		{"a calendar day ends at local midnight", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedPinFree, after: 11 * hour, want: Count{2, 200}},
			{kind: ExecutedPinFree, after: hour, want: Count{1, 100}}, // 00:00 in Shanghai
		}},
		{"a payment decided yesterday counts for yesterday", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, after: 12*hour + time.Second, ago: 2 * time.Second, want: Count{}},
		}},
		{"authenticated payments count only where all do", []string{day}, "payer", all, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, want: Count{2, 200}},
			{kind: ReversedAuthenticated, want: Count{1, 100}},
			{kind: ReversedPinFree, want: Count{}},
		}},
		{"authenticated payments do not count elsewhere, and do not reset a day", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, want: Count{1, 100}},
			{kind: ReversedAuthenticated, want: Count{1, 100}},
		}},
		{"SCA at the point of sale resets and days do not", []string{"sca_non_remote"}, "instrument", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedPinFree, after: 48 * hour, want: Count{2, 200}},
			{kind: ExecutedRemote, want: Count{2, 200}},
			{kind: SCAOutOfBand, want: Count{2, 200}},
			{kind: ExecutedAuthenticated, want: Count{}},
		}},
		{"any SCA resets", []string{"sca_any"}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedRemote, want: Count{}},
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: SCAOutOfBand, want: Count{}},
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, want: Count{}},
		}},
		{"SCA out of band resets only where it may", []string{"sca_out_of_band"}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, want: Count{1, 100}},
			{kind: SCAOutOfBand, want: Count{}},
		}},
		{"SCA with one card leaves another card's counter", []string{"sca_non_remote"}, "instrument", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, change: otherCard, want: Count{1, 100}},
			{kind: ExecutedPinFree, change: otherCard, want: Count{1, 100}},
			{kind: ExecutedPinFree, change: noCard, want: Count{1, 100}},
		}},
		{"a reversal gives back inside the window", []string{"sca_non_remote"}, "instrument", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedPinFree, after: hour, want: Count{2, 200}},
			{kind: ReversedPinFree, want: Count{1, 100}},
			{kind: ReversedPinFree, ago: hour, want: Count{}},
			{kind: ReversedPinFree, want: Count{}},
		}},
		{"a reversal of a payment before the reset gives nothing back", []string{"sca_non_remote"}, "instrument", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedAuthenticated, after: hour, want: Count{}},
			{kind: ExecutedPinFree, after: hour, want: Count{1, 100}},
			{kind: ReversedPinFree, after: hour, ago: 3 * hour, want: Count{1, 100}},
		}},
		{"a reversal of yesterday's payment gives nothing back today", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, want: Count{1, 100}},
			{kind: ExecutedPinFree, after: 13 * hour, want: Count{1, 100}},
			{kind: ReversedPinFree, ago: 13 * hour, want: Count{1, 100}},
		}},
		{"payments of other currencies do not count, unnamed ones do", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, change: euros, want: Count{}},
			{kind: ExecutedPinFree, change: typeless, want: Count{1, 100}},
		}},
		{"a clock that runs behind does not empty the day", []string{day}, "payer", unauth, []happening{
			{kind: ExecutedPinFree, after: 12*hour + time.Second, want: Count{1, 100}},
			{kind: ExecutedPinFree, after: -2 * time.Second, want: Count{2, 200}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs, stored, now := compiled(t, counterPack(tt.resets, tt.bucket, tt.counts)), Counters{}, shanghaiNoon
			for i, e := range tt.events {
				now = now.Add(e.after)
				ev := Event{Kind: e.kind, Method: CardTap, Subject: Subject{Instrument: "ci1"}, Minor: 100, Currency: "CNY",
					Decided: now.Add(-e.ago), At: now}
				if e.change != nil {
					e.change(&ev)
				}
				stored = rs.Record(stored, ev)
				if got := rs.Roll(nil, stored, Subject{Instrument: "ci1"}, now)[0]; got != e.want {
					t.Errorf("event %d: want %v, got %v (%s)", i, e.want, got, stored)
				}
				again, err := ParseCounters(stored.String())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(stored, again, sameCounters, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("the text does not give the counters back:\n%s", diff)
				}
			}
		})
	}
}

// TestOwnDay proves that the payer's own day is counted whatever the packs.
func TestOwnDay(t *testing.T) {
	t.Parallel()
	for name, rs := range map[string]*RuleSet{"no packs": nil, "a pack": compiled(t, counterPack([]string{"sca_any"}, "payer", "executed_all"))} {
		stored := Counters{}
		ev := Event{Kind: ExecutedPinFree, Method: CardTap, Minor: 250, Currency: "EUR", At: shanghaiNoon}
		stored = rs.Record(rs.Record(stored, ev), ev)
		ev.Kind = ExecutedAuthenticated
		stored = rs.Record(stored, ev)
		if got := rs.Own(stored, shanghaiNoon); got != (Count{2, 500}) {
			t.Errorf("%s: own use of the day is %v", name, got)
		}
		ev.Kind = ReversedPinFree
		stored = rs.Record(stored, ev)
		if got := rs.Own(stored, shanghaiNoon.Add(12*time.Hour-time.Millisecond)); got != (Count{1, 250}) {
			t.Errorf("%s: own use at the end of the day is %v", name, got)
		}
		if got := rs.Own(stored, shanghaiNoon.Add(12*time.Hour)); got != (Count{}) {
			t.Errorf("%s: own use of the next day is %v", name, got)
		}
		if got := rs.LocalMinute(shanghaiNoon); got != 720 {
			t.Errorf("%s: minute of the day is %d", name, got)
		}
	}
}

// TestUnknownCard proves that a card without a token is never counted as new.
func TestUnknownCard(t *testing.T) {
	t.Parallel()
	rs := compiled(t, counterPack([]string{"sca_any"}, "instrument", "executed_all"))
	if got := rs.Roll(nil, Counters{}, Subject{}, shanghaiNoon)[0]; got != unknownCount {
		t.Errorf("a card without a token has count %v", got)
	}
}

// TestDroppedCounters proves that a payer with more cards than fit never gets a
// fresh start from it: the oldest becomes unknown until an SCA.
func TestDroppedCounters(t *testing.T) {
	t.Parallel()
	rs, stored := compiled(t, counterPack([]string{"sca_non_remote"}, "instrument", "executed_unauthenticated")), Counters{}
	card := func(i int) Subject { return Subject{Instrument: "ci" + strings.Repeat("x", i)} }
	do := func(k EventKind, i int) {
		stored = rs.Record(stored, Event{Kind: k, Method: CardTap, Subject: card(i), Minor: 1, Currency: "CNY", At: shanghaiNoon})
		again, err := ParseCounters(stored.String())
		if err != nil {
			t.Fatal(err)
		}
		stored = again
	}
	count := func(i int) Count { return rs.Roll(nil, stored, card(i), shanghaiNoon)[0] }
	for i := range maxEntries { // with "own" one more than fit
		do(ExecutedPinFree, i)
	}
	if len(stored.entries) != maxEntries {
		t.Errorf("%d entries are kept", len(stored.entries))
	}
	if got := rs.Own(stored, shanghaiNoon).Number; got != maxEntries {
		t.Errorf("the own day counts %d", got)
	}
	if got := count(0); got != unknownCount {
		t.Errorf("the dropped card has count %v", got)
	}
	if got := count(maxEntries - 1); got != (Count{1, 1}) {
		t.Errorf("the newest card has count %v", got)
	}
	do(ExecutedPinFree, 0)
	if got := count(0); got != unknownCount {
		t.Errorf("counting an unknown counter makes it %v", got)
	}
	do(ExecutedAuthenticated, 0)
	if got := count(0); got != (Count{}) {
		t.Errorf("after SCA the card has count %v", got)
	}
	do(ExecutedPinFree, 0)
	do(ReversedPinFree, 0)
	if got := count(0); got != (Count{}) {
		t.Errorf("after a reversal the card has count %v", got)
	}
}

// TestPackGone proves that counters of packs that are gone leave the text.
func TestPackGone(t *testing.T) {
	t.Parallel()
	rs := compiled(t, counterPack([]string{"sca_any"}, "payer", "executed_all"))
	ev := Event{Kind: ExecutedPinFree, Method: CardTap, Minor: 1, Currency: "CNY", At: shanghaiNoon}
	stored := rs.Record(Counters{}, ev)
	if got := compiled(t).Record(stored, ev).String(); strings.Contains(got, "p/c") || !strings.HasPrefix(got, "own=2,2,") {
		t.Errorf("counters are %q", got)
	}
}

func TestRollDoesNotAllocate(t *testing.T) {
	rs := compiled(t, counterPack([]string{"calendar_day"}, "payer", "executed_all"))
	stored := rs.Record(Counters{}, Event{Kind: ExecutedPinFree, Method: CardTap, Minor: 1, Currency: "CNY", At: shanghaiNoon})
	dst := make([]Count, 0, 1)
	if n := testing.AllocsPerRun(100, func() { dst = rs.Roll(dst, stored, Subject{}, shanghaiNoon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseCountersRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		" ", "own", "own=1,2", "own=1,2,3,4", "own=-1,2,3", "own=01,2,3", "own=1,2,9223372036854775808", "own=1,2,3 own=1,2,3",
		"own=1,2,3 ", " own=1,2,3", "own@=1,2,3", "own@%41=1,2,3", "own@%4=1,2,3", "own@%c3=1,2,3", "o n=1,2,3", "!0", "!x", "!1 own=1,2,3",
		"=1,2,3", "own=,2,3", strings.Repeat("a=1,2,3 ", 70), "own=1,2,3\n",
	} {
		if c, err := ParseCounters(s); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("%q gives %v, %v", s, c, err)
		}
	}
}

func FuzzParseCounters(f *testing.F) {
	for _, s := range []string{"", "own=3,5400,1767585600000", "own=1,2,3 a/b@ci%2F1=4,12000,99 !5", "!7", "own@%41=1,2,3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCounters(s)
		if err != nil {
			return
		}
		if got := c.String(); got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// TestRecordKeepsTheText proves that whatever happens, in whatever order, the
// text can be read again and no figure is negative.
func TestRecordKeepsTheText(t *testing.T) {
	t.Parallel()
	rs := compiled(t, counterPack([]string{"calendar_day", "sca_non_remote"}, "funding", "executed_all"))
	rapid.Check(t, func(t *rapid.T) {
		stored := Counters{}
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			at := time.UnixMilli(rapid.Int64Range(-1e15, 1e15).Draw(t, "at"))
			stored = rs.Record(stored, Event{
				Kind: EventKind(rapid.IntRange(0, 8).Draw(t, "kind")), Method: Method(rapid.IntRange(0, 8).Draw(t, "method")),
				Subject: Subject{Funding: rapid.String().Draw(t, "funding")}, Minor: rapid.Int64().Draw(t, "minor"), Currency: "CNY",
				Decided: at.Add(-time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "ago"))), At: at,
			})
			again, err := ParseCounters(stored.String())
			if err != nil {
				t.Fatalf("%q: %v", stored, err)
			}
			if diff := cmp.Diff(stored, again, sameCounters, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the text does not give the counters back:\n%s", diff)
			}
		}
	})
}

// What may have been counted is not given back: a counter is too high rather
// than too low.
func TestAReversalThatIsUnsureGivesNothingBack(t *testing.T) {
	t.Parallel()
	p := counterPack([]string{"calendar_day"}, "payer", "executed_unauthenticated")
	p.Counters[0].When = &Condition{Methods: []string{"card_tap"}, CEL: "payer.consent == 'given'"}
	rs := compiled(t, p)
	at := time.Date(2026, 7, 3, 2, 0, 0, 0, time.UTC)
	ev := Event{Kind: ExecutedPinFree, Method: CardTap, Minor: 100, Currency: "CNY", Decided: at, At: at}
	stored := rs.Record(Counters{}, ev)
	ev.Kind = ReversedPinFree
	for _, tt := range []struct {
		facts *Facts
		want  int64
	}{{nil, 1}, {&Facts{}, 1}, {&Facts{Consent: "closed"}, 1}, {&Facts{Consent: "given"}, 0}} {
		ev.Facts = tt.facts
		if got := rs.Roll(nil, rs.Record(stored, ev), Subject{}, at)[0].Number; got != tt.want {
			t.Errorf("facts %+v: %d payments counted, want %d", tt.facts, got, tt.want)
		}
	}
}
