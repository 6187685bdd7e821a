package main

import (
	"strings"

	"golang.org/x/text/width"
)

// pageColumns is how wide a page of text is: what a terminal shows at the least.
const pageColumns = 80

// columns is how many columns of a terminal a text takes: two for a Chinese
// character or a full-width mark, one for the rest.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// pad fills a text with spaces up to n columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-columns(s)))
}

// textTable lays rows out in columns. The last cell of a row is broken into
// lines that keep to the page; the others are never broken. A row of one cell
// is a note on the row above it.
type textTable struct {
	indent string
	rows   [][]string
}

func (t *textTable) add(cells ...string) { t.rows = append(t.rows, cells) }

// write appends the table to the page.
func (t *textTable) write(page *strings.Builder) {
	var wide []int
	for _, row := range t.rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], columns(cell))
		}
	}
	for _, row := range t.rows {
		line := t.indent
		if len(row) == 1 {
			line += "    "
		}
		for i, cell := range row[:len(row)-1] {
			line += pad(cell, wide[i]) + "  "
		}
		writeWrapped(page, line, strings.Repeat(" ", columns(line)), row[len(row)-1])
	}
}

// writeWrapped appends text behind first, and what does not fit on the page on
// further lines behind rest.
func writeWrapped(page *strings.Builder, first, rest, text string) {
	room := max(pageColumns-columns(first), 20)
	for i, line := range wrap(text, room) {
		if i > 0 {
			first = rest
		}
		page.WriteString(strings.TrimRight(first+line, " ") + "\n")
	}
}

// wrap breaks a text into lines of at most n columns: at spaces, and between
// Chinese characters, but not before a mark that may not begin a line. A word
// that is longer than a line (an address) stands whole.
func wrap(text string, n int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range breakable(text) {
		bare := strings.TrimRight(word, " ")
		if used > 0 && used+columns(bare) > n {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		line += word
		used += columns(word)
	}
	return append(lines, strings.TrimRight(line, " "))
}

// noLineStart are marks that belong to the character before them.
const noLineStart = "，。；：、？！）」』】》”’·…%"

// noLineEnd are marks that belong to the character behind them.
const noLineEnd = "（「『【《“‘"

// breakable cuts a text into pieces between which a line may end.
func breakable(text string) []string {
	var out []string
	piece := ""
	var before rune
	for _, r := range text {
		wideHere := columnsOf(r) == 2 || columnsOf(before) == 2
		may := before == ' ' && r != ' ' || wideHere && r != ' ' && before != 0 && before != ' '
		if may && !strings.ContainsRune(noLineStart, r) && !strings.ContainsRune(noLineEnd, before) {
			out = append(out, piece)
			piece = ""
		}
		piece += string(r)
		before = r
	}
	return append(out, piece)
}
