package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/mianmi/mianmi"
)

// teller prints the story and keeps which steps were not as expected.
type teller struct {
	out    io.Writer
	lang   mianmi.Lang
	number int
	failed []int
}

// t is a text in both languages.
func t(zh, en string) mianmi.Text { return mianmi.Text{ZH: zh, EN: en} }

// tf is t with the same arguments for both.
func tf(zh, en string, args ...any) mianmi.Text {
	return mianmi.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

func (tl *teller) say(text mianmi.Text) { _, _ = fmt.Fprintln(tl.out, text.In(tl.lang)) }

func (tl *teller) chapter(text mianmi.Text) {
	_, _ = fmt.Fprintf(tl.out, "\n── %s\n", text.In(tl.lang))
}

// outcome is what came of a step: what it shows, and what was not as expected.
type outcome struct {
	saw    mianmi.Text
	quotes []mianmi.Text // the server's own words
	wrong  []mianmi.Text
}

// must notes a condition that does not hold.
func (o *outcome) must(ok bool, what mianmi.Text) {
	if !ok {
		o.wrong = append(o.wrong, what)
	}
}

// step prints one step of the story as a numbered line with what was expected
// and what came back.
func (tl *teller) step(what, want mianmi.Text, o *outcome, err error) {
	tl.number++
	if err != nil {
		o = &outcome{saw: tf("出错：%v", "error: %v", err), wrong: []mianmi.Text{t("没有得到应答", "there was no such answer")}}
	}
	mark := "✓"
	if len(o.wrong) > 0 {
		mark = "✗"
		tl.failed = append(tl.failed, tl.number)
	}
	labels := t("预期|结果|说明|不符", "expected|came back|reason|not so").In(tl.lang)
	l := strings.Split(labels, "|")
	var b strings.Builder
	fmt.Fprintf(&b, "%2d. %s %s\n", tl.number, mark, what.In(tl.lang))
	line := func(label string, text mianmi.Text) {
		fmt.Fprintf(&b, "      %s  %s\n", pad(label, 9), text.In(tl.lang))
	}
	line(l[0], want)
	line(l[1], o.saw)
	for _, q := range o.quotes {
		line(l[2], q)
	}
	for _, w := range o.wrong {
		line(l[3], w)
	}
	_, _ = io.WriteString(tl.out, b.String())
}

// pad fills a label up to n columns; a Chinese character takes two.
func pad(s string, n int) string {
	for _, r := range s {
		n--
		if r >= 0x2e80 {
			n--
		}
	}
	return s + strings.Repeat(" ", max(n, 0))
}
