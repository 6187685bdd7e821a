package pdf

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Lines break where one reads on easily, and none begins with a closing mark.
func TestWrap(t *testing.T) {
	t.Parallel()
	width := func(s string) (w float64) {
		for _, r := range s {
			if w++; wide(r) {
				w++
			}
		}
		return w
	}
	for text, want := range map[string]string{
		"":            "",
		"a few words": "a few|words",
		"最接近的限额为一笔，上限十笔。":      "最接近的|限额为一|笔，上限|十笔。",
		"免密设置只由主机执行。":          "免密设置|只由主机|执行。",
		"abcdefghijklm":        "abcdefgh|ijklm",
		"终端 tm12 未证明":          "终端|tm12 未|证明",
		"one\n\ntwo":           "one||two",
		"共计 ¥18.00":            "共计|¥18.00",
		"由商户（某店）承担":            "由商户|（某店）|承担",
		"ends with a space   ": "ends|with a|space",
	} {
		if got := strings.Join(wrap(text, 8, width), "|"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Nothing is lost but spaces, and no line is too wide.
func TestWrapLosesNothing(t *testing.T) {
	t.Parallel()
	width := func(s string) float64 { return float64(len([]rune(s))) }
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab c，。（终端\n¥")), 0, 60, -1).Draw(t, "text")
		most := rapid.IntRange(1, 12).Draw(t, "most")
		lines := wrap(text, float64(most), width)
		bare := strings.NewReplacer(" ", "", "\n", "")
		if bare.Replace(strings.Join(lines, "")) != bare.Replace(text) {
			t.Fatalf("%q became %q", text, lines)
		}
		for _, l := range lines {
			if width(l) > float64(most) {
				t.Fatalf("%q is wider than %d", l, most)
			}
		}
	})
}
