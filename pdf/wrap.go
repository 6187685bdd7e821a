package pdf

import (
	"strings"
	"unicode"
)

// wrap breaks a text into lines that are no wider than width, by a function that
// measures. A line ends at a space, or beside a Chinese character; none begins with
// a mark that closes, or ends with one that opens. A word that is too long for a
// line is cut. Nothing but the space at a break is left out.
func wrap(text string, width float64, measure func(string) float64) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		out = append(out, wrapLine([]rune(strings.TrimRight(line, " ")), width, measure)...)
	}
	return out
}

func wrapLine(line []rune, width float64, measure func(string) float64) (out []string) {
	for len(line) > 0 {
		fits := len(line)
		if measure(string(line)) > width {
			for fits = 1; fits < len(line) && measure(string(line[:fits+1])) <= width; fits++ {
			}
		}
		end := fits
		if fits < len(line) {
			for end > 0 && !breaks(line, end) {
				end--
			}
			if end == 0 {
				end = fits
			}
		}
		out = append(out, strings.TrimRight(string(line[:end]), " "))
		for line = line[end:]; len(line) > 0 && line[0] == ' '; line = line[1:] {
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

const (
	closing = "，。、；：？！）】》”’…,.;:?!)]}%"
	opening = "（【《“‘([{¥$€"
)

// breaks reports whether a line may end before the character at i.
func breaks(line []rune, i int) bool {
	before, after := line[i-1], line[i]
	switch {
	case strings.ContainsRune(closing, after), strings.ContainsRune(opening, before):
		return false
	case before == ' ' || after == ' ':
		return true
	}
	return wide(before) || wide(after)
}

func wide(r rune) bool {
	return unicode.Is(unicode.Han, r) || r >= 0x3000 && r < 0x3040 || r >= 0xFF00 && r < 0xFFF0
}
