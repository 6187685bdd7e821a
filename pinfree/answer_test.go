package pinfree

import (
	"errors"
	"slices"
	"testing"

	"github.com/mianmi/mianmi"
)

// answerPack is a table for one scheme: PIN again, else the chip, else nothing.
func answerPack() Pack {
	tr, title := true, mianmi.Text{ZH: "试", EN: "try"}
	return Pack{
		ID: "p", Version: 1, Edition: "1", Layer: "scheme", Title: title,
		Sources: []Source{{Title: "t", URL: "https://example.org/", Read: "2026-01-01", Quality: "vendor"}},
		Answers: []Answer{
			{ID: "pin", Title: title, Scheme: "visa", When: TerminalWhen{OnlinePIN: &tr, SingleTap: &tr}, Code: "70", Action: askOnlinePIN},
			{ID: "chip", Title: title, Scheme: "visa", When: TerminalWhen{Contact: &tr}, Code: "1A", ARC: "12", Action: switchToContact},
			{ID: "none", Title: title, Scheme: "visa", Code: "1A", Action: "decline"},
		},
	}
}

// TestStepUpAnswer proves that the first line that fits the terminal is taken,
// and that what no line says is not guessed.
func TestStepUpAnswer(t *testing.T) {
	t.Parallel()
	rs := compiled(t, answerPack())
	tests := []struct {
		name   string
		rules  *RuleSet
		scheme string
		can    TerminalCan
		want   string
		ok     bool
	}{
		{"all that can be done", rs, "visa", TerminalCan{true, true, true}, "pin", true},
		{"a PIN, but not with the same tap", rs, "visa", TerminalCan{true, false, true}, "chip", true},
		{"the chip alone", rs, "visa", TerminalCan{false, false, true}, "chip", true},
		{"the same tap without a keypad", rs, "visa", TerminalCan{false, true, false}, "none", true},
		{"a terminal that can do nothing", rs, "visa", TerminalCan{}, "none", true},
		{"a scheme without a table", rs, "jcb", TerminalCan{true, true, true}, "", false},
		{"a scheme that is not known", rs, "", TerminalCan{true, true, true}, "", false},
		{"no packs", nil, "visa", TerminalCan{true, true, true}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := tt.rules.StepUpAnswer(tt.scheme, tt.can); got.ID != tt.want || ok != tt.ok {
				t.Errorf("got line %q, %v", got.ID, ok)
			}
		})
	}
}

// TestAnswerFaults proves that each mistake in a table of answers is found and
// its place named.
func TestAnswerFaults(t *testing.T) {
	t.Parallel()
	fa := false
	tests := []struct {
		name   string
		change func([]Answer) []Answer
		field  string
	}{
		{"a line without a name", func(a []Answer) []Answer { a[0].ID = ""; return a }, "pack p: answers[0].id"},
		{"two lines of one name", func(a []Answer) []Answer { a[1].ID = "pin"; return a }, "pack p: answers[1].id"},
		{"a title in one language", func(a []Answer) []Answer { a[1].Title.ZH = ""; return a }, "pack p: answers[1].title"},
		{"a scheme with a capital", func(a []Answer) []Answer { a[0].Scheme = "Visa"; return a }, "pack p: answers[0].scheme"},
		{"a code of three digits", func(a []Answer) []Answer { a[0].Code = "070"; return a }, "pack p: answers[0].code"},
		{"a code in small letters", func(a []Answer) []Answer { a[2].Code = "1a"; return a }, "pack p: answers[2].code"},
		{"no code", func(a []Answer) []Answer { a[0].Code = ""; return a }, "pack p: answers[0].code"},
		{"an ARC of one digit", func(a []Answer) []Answer { a[1].ARC = "1"; return a }, "pack p: answers[1].arc"},
		{"an action that is none", func(a []Answer) []Answer { a[2].Action = "retry"; return a }, "pack p: answers[2].action"},
		{"a PIN where there is no keypad", func(a []Answer) []Answer { a[0].When.OnlinePIN = &fa; return a }, "pack p: answers[0].when.online_pin"},
		{"a PIN at any terminal", func(a []Answer) []Answer { a[0].When.OnlinePIN = nil; return a }, "pack p: answers[0].when.online_pin"},
		{"the chip where there is no reader", func(a []Answer) []Answer { a[1].When.Contact = nil; return a }, "pack p: answers[1].when.contact"},
		{"a line behind one that always fits", func(a []Answer) []Answer { a[0], a[2] = a[2], a[0]; return a }, "pack p: answers[1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := answerPack()
			p.Answers = tt.change(p.Answers)
			rs, err := Compile([]Pack{p})
			if got := fields(err); !slices.Contains(got, tt.field) || rs != nil || !errors.Is(err, mianmi.Invalid) {
				t.Errorf("want a fault at %q, got %q", tt.field, got)
			}
		})
	}
}
