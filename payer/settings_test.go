package payer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
)

// limit draws none or a small number, so that equal ones are common.
func limit(t *rapid.T, name string) *int64 {
	if rapid.Bool().Draw(t, name+" set") {
		return nil
	}
	n := rapid.Int64Range(0, 4).Draw(t, name)
	return &n
}

func drawSettings(t *rapid.T, name string) Settings {
	// Few hours, so that spans meet, nest and cross midnight.
	hour := rapid.SampledFrom([]int{0, 60, 600, 1380})
	s := Settings{PinFree: rapid.Bool().Draw(t, name+" on"), Currency: "CNY", PerPayment: limit(t, name+" payment"),
		DayAmount: limit(t, name+" amount"), DayCount: limit(t, name+" count"), QuietFrom: hour.Draw(t, name+" from")}
	s.QuietTo = rapid.SampledFrom([]int{0, 60, 600, 1380, 1440}).Draw(t, name+" to")
	return s
}

// passes says in the plainest words whether the settings let a payment pass.
func passes(s Settings, amount, day, count int64, minute int) bool {
	within := func(n *int64, x int64) bool { return n == nil || x <= *n }
	quiet := s.QuietFrom <= minute && minute < s.QuietTo
	if s.QuietFrom > s.QuietTo {
		quiet = minute >= s.QuietFrom || minute < s.QuietTo
	}
	return s.PinFree && within(s.PerPayment, amount) && within(s.DayAmount, day) && within(s.DayCount, count) && !quiet
}

// The strictest of two settings lets pass only what both let pass; and looser
// finds every payment that would newly pass.
func TestStrictestAndLooser(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSettings(t, "a"), drawSettings(t, "b")
		both := strictest(a, b)
		if looser(both, a) || looser(both, b) {
			t.Fatalf("strictest %+v is looser than %+v or %+v", both, a, b)
		}
		if looser(a, a) || !equal(a, a) {
			t.Fatalf("%+v is looser than itself", a)
		}
		amount, day, count := rapid.Int64Range(0, 5).Draw(t, "amount"), rapid.Int64Range(0, 5).Draw(t, "day"), rapid.Int64Range(0, 5).Draw(t, "number")
		minute := rapid.SampledFrom([]int{0, 59, 60, 599, 600, 1379, 1380, 1439}).Draw(t, "minute")
		if passes(both, amount, day, count, minute) && !(passes(a, amount, day, count, minute) && passes(b, amount, day, count, minute)) {
			t.Fatalf("strictest %+v lets pass what %+v and %+v do not", both, a, b)
		}
		if !looser(a, b) && passes(a, amount, day, count, minute) && !passes(b, amount, day, count, minute) {
			t.Fatalf("%+v is not found looser than %+v", a, b)
		}
	})
}

// When one of the two is the stricter, the strictest is that one, quiet hours
// and all.
func TestStrictestIsNoStricterThanNeeded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSettings(t, "a"), drawSettings(t, "b")
		if looser(a, b) {
			return
		}
		if both := strictest(a, b); !equal(both, a) {
			t.Fatalf("strictest of %+v and the looser %+v is %+v", a, b, both)
		}
	})
}

func TestAround(t *testing.T) {
	t.Parallel()
	type span = [2]int
	for _, tt := range []struct {
		name       string
		a, b, want span
	}{
		{"none and none", span{0, 0}, span{5, 5}, span{0, 0}},
		{"none and one", span{0, 0}, span{1320, 360}, span{1320, 360}},
		{"one in the other", span{1320, 360}, span{0, 60}, span{1320, 360}},
		{"overlap past midnight", span{1320, 60}, span{0, 360}, span{1320, 360}},
		{"apart: the shorter way round", span{60, 120}, span{1380, 1440}, span{1380, 120}},
		{"together the whole day", span{0, 720}, span{720, 0}, span{0, 1440}},
	} {
		got := around(Settings{QuietFrom: tt.a[0], QuietTo: tt.a[1]}.quiet(), Settings{QuietFrom: tt.b[0], QuietTo: tt.b[1]}.quiet())
		if length(got) == 0 && tt.want == (span{0, 0}) {
			continue
		}
		if d := cmp.Diff(tt.want, span{got.From, got.To}); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// The sentence of each state, today, on another day, in another year.
func TestStatusSentence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 3, 4, 30, 0, 0, time.UTC) // 12:30 in Shanghai
	since := now.Add(-26 * time.Minute)
	on := Settings{PinFree: true}
	for _, tt := range []struct {
		name  string
		p     Payer
		state State
		want  mianmi.Text
	}{
		{"closed today", Payer{Since: since}, Closed, mianmi.Text{ZH: "小额免密已关闭，12:04 起", EN: "PIN-free payment has been off since 12:04"}},
		{"closed on the UTC day, another day in Shanghai", Payer{Since: now.Add(-13 * time.Hour)}, Closed,
			mianmi.Text{ZH: "小额免密已关闭，7月2日 23:30 起", EN: "PIN-free payment has been off since 23:30 on 2 July"}},
		{"open since last year", Payer{Settings: on, Since: now.AddDate(-1, 0, 0)}, Open,
			mianmi.Text{ZH: "小额免密已开启，2025年7月3日 12:30 起", EN: "PIN-free payment has been on since 12:30 on 3 July 2025"}},
		{"cooling off", Payer{Since: since, Pending: &Pending{Settings: on, At: now.Add(24 * time.Hour)}}, CoolingOff,
			mianmi.Text{ZH: "小额免密目前关闭，将于 7月4日 12:30 重新开启", EN: "PIN-free payment is off and will be on again from 12:30 on 4 July"}},
		{"cooling-off over", Payer{Since: since, Pending: &Pending{Settings: on, At: now}}, Open,
			mianmi.Text{ZH: "小额免密已开启，12:30 起", EN: "PIN-free payment has been on since 12:30"}},
		{"frozen, whatever else", Payer{Settings: on, Frozen: since, Pending: &Pending{Settings: on, At: now}}, Frozen,
			mianmi.Text{ZH: "已挂失，全部小额免密已冻结，12:04 起", EN: "Reported lost: all PIN-free payment has been frozen since 12:04"}},
	} {
		st := tt.p.Status(now)
		if d := cmp.Diff(tt.want, st.Sentence); d != "" || st.State != tt.state {
			t.Errorf("%s: state %s, want %s; %s", tt.name, st.State, tt.state, d)
		}
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	day, minute := Day(time.Date(2026, 7, 2, 16, 0, 0, 0, time.UTC))
	if day != "2026-07-03" || minute != 0 {
		t.Errorf("midnight in Shanghai is %s, minute %d", day, minute)
	}
	if zone, err := time.LoadLocation(DayZone); err == nil { // where the machine has zones, they agree
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if d := cmp.Diff(at.In(zone).Format(time.DateTime), Local(at).Format(time.DateTime)); d != "" {
			t.Error(d)
		}
	}
}

// Documents have both languages and a version.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, d := range []Document{RiskText, ConsentText} {
		if d.Version == "" || d.Text.ZH == "" || d.Text.EN == "" {
			t.Errorf("incomplete: %+v", d)
		}
	}
}
