package demo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

// A world is read back as it was saved; a folder without one has none.
func TestWorldIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if w, err := Load(dir); w != nil || err != nil {
		t.Errorf("an empty folder: %v %v", w, err)
	}
	want := &World{Database: "sqlite:m.db", Whole: true, WalletKey: "mk_1", Payments: 3,
		Merchants: []Merchant{{ID: "mc1", Name: "店", Stores: []Store{{ID: "st1", Terminals: []Terminal{{ID: "tm1", Keypad: true}}}}}},
		Payers:    []Payer{{ID: "py1", Phone: "+8612000000000", Cards: []mianmi.InstrumentID{"ci1"}}}}
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A step that was not as expected, or had no answer, is marked, counted and
// says what is wrong, in the language of the story.
func TestTellerMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	for lang, words := range map[mianmi.Lang][3]string{
		mianmi.EN: {" 1. ✓ a step", "not so     should be off", "came back  error: no answer"},
		mianmi.ZH: {" 1. ✓ 一步", "不符       应已关闭", "结果       出错：no answer"},
	} {
		var out strings.Builder
		tl := &teller{out: &out, lang: lang}
		what, want := t2("一步", "a step"), t2("已关闭", "off")
		tl.step(what, want, &outcome{saw: want}, nil)
		bad := &outcome{saw: t2("开着", "on")}
		bad.must(true, t2("不会出现", "never shown"))
		bad.must(false, t2("应已关闭", "should be off"))
		tl.step(what, want, bad, nil)
		tl.step(what, want, &outcome{}, errors.New("no answer"))
		for _, w := range words {
			if !strings.Contains(out.String(), w) {
				t.Errorf("no %q in:\n%s", w, out.String())
			}
		}
		if d := cmp.Diff([]int{2, 3}, tl.failed); d != "" || strings.Contains(out.String(), "never shown") {
			t.Errorf("failed steps: %s\n%s", d, out.String())
		}
	}
}

func t2(zh, en string) mianmi.Text { return mianmi.Text{ZH: zh, EN: en} }

// The history begins at a midnight of Shanghai and ends before now, so that
// no payment of it lies in the future.
func TestHistoryLiesInThePast(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{
		time.Date(2026, 7, 3, 15, 59, 59, 0, time.UTC), // before midnight in Shanghai
		time.Date(2026, 7, 3, 16, 0, 0, 0, time.UTC),   // at it
		time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC),
	} {
		first := firstDay(now)
		if h, m, s := first.In(shanghai).Clock(); h+m+s != 0 {
			t.Errorf("%v: begins at %v", now, first)
		}
		last := first.AddDate(0, 0, 7*weeks-1).Add(time.Duration(hours[len(hours)-1]) * time.Minute)
		if age := now.Sub(last); age <= 0 || age > 28*time.Hour {
			t.Errorf("%v: ends %v before", now, age)
		}
	}
}

// The example world is the same everywhere.
func TestDiceAreFixed(t *testing.T) {
	t.Parallel()
	d := dice(0)
	// The first values of SplitMix64 from zero, as its authors publish them.
	for _, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := d.next(); got != want {
			t.Errorf("%#x, want %#x", got, want)
		}
	}
}
