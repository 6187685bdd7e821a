package help

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fillers are words of questions that say nothing of what is asked. A run of
// Chinese is cut at them, in articles and queries alike.
var fillers = strings.NewReplacer("为什么", " ", "怎么样", " ", "怎么办", " ", "怎么", " ", "怎样", " ", "如何", " ", "什么", " ", "请问", " ", "是不是", " ",
	"能不能", " ", "可不可以", " ", "可以", " ", "我的", " ", "我", " ", "的", " ", "了", " ", "吗", " ", "呢", " ", "吧", " ", "把", " ")

// idle are such words of English, as stem leaves them.
var idle = map[string]bool{}

func init() {
	for _, w := range strings.Fields("a an and are as at be been but by can could did do does for from had has have how i if in is it its me my of on or our should " +
		"so than that the their them then there they this to was we were what when where which who why will with would you your") {
		idle[stem(w)] = true
	}
}

// tokens cuts a text into what is compared: words of letters and digits, as
// stem leaves them, and of Chinese, which has no spaces, every pair of
// neighbours. A character that stands alone is a token of its own.
func tokens(s string) []string {
	s = fillers.Replace(strings.ToLower(norm.NFKC.String(s)))
	var out []string
	var word, han []rune
	flush := func() {
		if len(word) > 0 {
			if w := stem(string(word)); !idle[w] {
				out = append(out, w)
			}
		}
		if len(han) == 1 {
			out = append(out, string(han))
		}
		for i := 1; i < len(han); i++ {
			out = append(out, string(han[i-1:i+1]))
		}
		word, han = word[:0], han[:0]
	}
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Han, r):
			if len(word) > 0 {
				flush()
			}
			han = append(han, r)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if len(han) > 0 {
				flush()
			}
			word = append(word, r)
		case r == '\'' || r == '’': // don't, payer's
		default:
			flush()
		}
	}
	flush()
	return out
}

// stem takes the commonest endings off an English word, so that closes, closed
// and closing are one. It need not be right, only the same for both sides.
func stem(w string) string {
	cut := func(ending string, least int) bool {
		rest, ok := strings.CutSuffix(w, ending)
		if !ok || len(rest) < least {
			return false
		}
		w = rest
		return true
	}
	switch {
	case cut("ies", 2):
		return w + "y"
	case cut("ing", 3), cut("ed", 3):
		if n := len(w); w[n-1] == w[n-2] && w[n-1] != 's' && w[n-1] != 'l' { // stopped, setting
			w = w[:n-1]
		}
	case strings.HasSuffix(w, "ss"):
	case cut("es", 3), cut("s", 2):
	}
	if len(w) > 3 {
		w = strings.TrimSuffix(w, "e")
	}
	return w
}
