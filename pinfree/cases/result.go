package cases

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/mianmi/mianmi/pinfree"
)

// Result is what became of one case.
type Result struct {
	ID   string
	OK   bool
	Step int    // the first step that is not as expected, from 0
	Want string // what the case expects there
	Got  string
	Why  string // the reason's stable name with its rule, or words
}

// String is the line that is printed of a case.
func (r Result) String() string {
	if r.OK {
		return "ok " + r.ID
	}
	return fmt.Sprintf("FAIL %s step %d: want %s, got %s (%s)", r.ID, r.Step, r.Want, r.Got, r.Why)
}

// fails is a result that no step made.
func (c *Case) fails(step int, got, why string) Result {
	r := Result{ID: c.ID, Step: step, Want: "an answer", Got: got, Why: why}
	if step < len(c.expect) {
		r.Want = c.expect[step]
	}
	return r
}

// claims says what a promise gives for a payment by a thief.
func (w *world) claims(s *step) answer {
	claim := s.Claim
	if !s.PaidGiven {
		claim.PaidThisYear = w.paid
	}
	rules := w.rules.Compensations()
	if len(rules) == 0 {
		return answer{"nothing", "no pack promises compensation"}
	}
	a := rules[0].Award(claim)
	word := a.Outcome()
	if word == coveredPartially {
		word += ":" + strconv.FormatInt(a.Covered, 10)
	}
	w.paid = claim.PaidThisYear + a.Covered
	return answer{word, a.Reason.String() + " " + rules[0].Pack + "/" + rules[0].ID}
}

// replay runs a case in a world and compares. Answers are the schemes' tables
// for the cases that ask for them.
func (c *Case) replay(w *world, answers *pinfree.RuleSet) Result {
	asked := false
	for i := range c.steps {
		s := &c.steps[i]
		a := w.step(i, s)
		if a.word != c.expect[i] && !(c.alternative(a.word) && (s.Event == "" || s.asks())) {
			return Result{ID: c.ID, Step: i, Want: c.expect[i], Got: a.word, Why: a.why}
		}
		if a.word != stepUp {
			continue
		}
		asked = true
		if r := c.field39(i, answers); !r.OK {
			return r
		}
	}
	if !asked && (c.code != "" || c.action != "") {
		return Result{ID: c.ID, Step: len(c.steps) - 1, Want: c.code + " " + c.action, Got: none, Why: "no step asks for authentication"}
	}
	return Result{ID: c.ID, OK: true}
}

func (c *Case) alternative(word string) bool { return slices.Contains(c.also, word) }

// field39 compares the answer of an issuer that asks for authentication, and
// what the terminal does about it.
func (c *Case) field39(step int, answers *pinfree.RuleSet) Result {
	if c.code == "" && c.action == "" {
		return Result{ID: c.ID, OK: true}
	}
	line, ok := answers.StepUpAnswer(c.given.Scheme, c.given.Terminal.Can)
	why := "no pack has an answer for scheme " + strconv.Quote(c.given.Scheme) + " and this terminal"
	if ok {
		why = "answer " + line.ID
	} else {
		line.Code, line.Action = none, "decline"
	}
	switch {
	case c.code != "" && c.code != line.Code:
		return Result{ID: c.ID, Step: step, Want: "field 39 " + c.code, Got: line.Code, Why: why}
	case c.action != "" && c.action != line.Action:
		return Result{ID: c.ID, Step: step, Want: c.action, Got: line.Action, Why: why}
	}
	return Result{ID: c.ID, OK: true}
}
