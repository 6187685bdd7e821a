package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Cells stand under each other on a terminal, whichever script they are in, and
// a long last cell goes on below itself.
func TestTextTable(t *testing.T) {
	t.Parallel()
	tt := textTable{indent: "  "}
	tt.add("规则包", "a", "short")
	tt.add("pack", "银联", strings.Repeat("word ", 20))
	tt.add("x", "", "付款码当日免密笔数，前十笔免密，第十一笔起验证密码；超过限额的付款一律要求验证，与当日笔数无关，也不论金额大小。")
	var page strings.Builder
	tt.write(&page)
	want := `  规则包  a     short
  pack    银联  word word word word word word word word word word word word word
                word word word word word word word
  x             付款码当日免密笔数，前十笔免密，第十一笔起验证密码；超过限额的付
                款一律要求验证，与当日笔数无关，也不论金额大小。
`
	if diff := cmp.Diff(want, page.String()); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

// For every text: no line is wider than asked unless it is one word, no mark
// begins a line, and nothing but spaces is lost.
func TestWrap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.TrimSpace(rapid.StringOf(rapid.RuneFrom([]rune("ab  限额，。（）“”3%"))).Draw(t, "text"))
		n := rapid.IntRange(8, 30).Draw(t, "columns")
		lines := wrap(text, n)
		for _, line := range lines {
			if columns(line) > n && len(breakable(line)) > 1 {
				t.Fatalf("%q is %d columns wide, of %d", line, columns(line), n)
			}
		}
		for _, line := range lines[1:] {
			if first, _ := utf8.DecodeRuneInString(line); strings.ContainsRune(noLineStart, first) && !strings.Contains(text, " ") {
				t.Fatalf("a line begins with a mark: %q", line)
			}
		}
		plain := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := plain(strings.Join(lines, "")); got != plain(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
