// Package cases reads files of conformance cases and replays them through the
// decision: what a rule must answer to a sequence of payments, as regulators
// and schemes give examples in their own texts.
//
// The world of a case stands in its "given", in words that are not ours. The
// reader maps them onto the model that packs use, so that a case tries the same
// engine that decides payments. It knows no case, pack, currency or number by
// name, and reads nothing from what a case expects, notes or cites. What the
// format leaves unsaid of a country stands in a pack: conventions.yaml.
//
// What it leaves to others: finding the file, printing the results (cmd).
package cases

import (
	"bytes"
	_ "embed" // conventions.yaml
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/packs"
)

const (
	// sizeMax bounds a file: a hundred times that of the public cases.
	sizeMax = 16 << 20
	// casesMax and stepsMax bound the time that a file can take.
	casesMax = 10_000
	stepsMax = 2000
)

// The kinds of cases.
const (
	decision     = "decision"
	responseCode = "response_code"
	compensation = "compensation"
)

// Case is one case of a file.
type Case struct {
	ID   string
	Pack string // that the case is about
	// Err says what in the case cannot be read; such a case fails.
	Err error

	faultAt int // step of the first fault
	kind    string
	reading string // of the pack's text, where there are several
	given   given
	steps   []step
	expect  []string
	also    []string // further answers that are accepted at any step
	code    string   // expected in field 39
	action  string   // expected of the terminal
}

// Read reads a file: an array of cases. A file that is no such array, or in which
// a case has no name of its own, is an Invalid error; what else is wrong stands
// in Case.Err, so that one bad case does not hide the others.
func Read(r io.Reader) ([]Case, error) {
	text, err := io.ReadAll(io.LimitReader(r, sizeMax+1))
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	if len(text) > sizeMax {
		return nil, mianmi.InvalidField("cases", fmt.Sprintf("the file is longer than %d bytes", sizeMax))
	}
	var items []json.RawMessage
	if err := decode(text, &items); err != nil {
		return nil, err
	}
	if len(items) == 0 || len(items) > casesMax {
		return nil, mianmi.InvalidField("cases", fmt.Sprintf("%d cases; write 1 to %d", len(items), casesMax))
	}
	seen := make(map[string]int, len(items))
	out := make([]Case, 0, len(items))
	var bad []error
	for i, raw := range items {
		c, err := readCase(i, raw)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if before, twice := seen[c.ID]; twice {
			bad = append(bad, mianmi.InvalidField("case "+c.ID+": id", fmt.Sprintf("is that of cases %d and %d; give each its own", before, i)))
		}
		seen[c.ID] = i
		out = append(out, c)
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return out, nil
}

// decode reads one JSON value and nothing after it.
func decode(text []byte, into *[]json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(text))
	err := d.Decode(into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return mianmi.InvalidField("cases", fmt.Sprintf("line %d is not JSON: %v", lineOf(text, syntax.Offset), syntax))
	case errors.As(err, &kind):
		return mianmi.InvalidField("cases", "the file is not an array of cases; write [ {…}, … ]")
	case err != nil:
		return mianmi.InvalidField("cases", "the file is not JSON, or ends too early")
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		return mianmi.InvalidField("cases", fmt.Sprintf("line %d: there is more after the array", lineOf(text, int64(len(text)-len(rest)))))
	}
	return nil
}

func lineOf(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n"))
}

// idMax bounds a case's name, which stands in lines of output.
const idMax = 200

// readCase reads one case; the error says that it cannot be named.
func readCase(i int, raw json.RawMessage) (Case, error) {
	f := &faults{id: strconv.Itoa(i)}
	o := newObject("", raw, f)
	o.need("id")
	c := Case{ID: o.text("id")}
	if len(f.list) == 0 && (c.ID == "" || len(c.ID) > idMax || strings.ContainsFunc(c.ID, func(r rune) bool { return r <= ' ' || r == 0x7f })) {
		o.fault("id", "%q is not a name; write 1 to %d characters without spaces", c.ID, idMax)
	}
	if err := f.err(); err != nil {
		return Case{}, err
	}
	f.id = c.ID
	c.read(o)
	c.Err, c.faultAt = f.err(), f.step
	return c, nil
}

func (c *Case) read(o *object) {
	o.need("pack", "kind", "given", "steps", "expect")
	c.Pack, c.reading = o.text("pack"), o.text("reading")
	c.kind = o.wordOr("kind", decision, kinds)
	o.text("source")
	o.text("source_quality")
	o.text("note")
	o.flag("derived")
	if g := o.object("given"); g != nil {
		c.given = readGiven(g)
	}
	c.readSteps(o)
	c.expect = o.list("expect", func(s string) bool { return c.knows(s) }, "one of "+strings.Join(c.outcomes(), ", "))
	c.also = o.list("accept_also", func(s string) bool { return c.knows(s) }, "one of "+strings.Join(c.outcomes(), ", "))
	c.code = o.text("expect_field39")
	c.action = o.word("expect_terminal_action", pinfree.AnswerActions)
	if o.has("expect_field39") && len(c.code) != 2 {
		o.fault("expect_field39", "%q is not a response code of two characters", c.code)
	}
	if len(o.faults.list) == 0 && len(c.expect) != len(c.steps) {
		o.fault("expect", "has %d answers for %d steps; write one a step", len(c.expect), len(c.steps))
	}
	if c.kind == compensation && c.given.Compensation == nil {
		o.fault("given.window_hours", "is missing; a case of kind compensation needs it")
	}
	o.done()
}

func (c *Case) readSteps(o *object) {
	raw, ok := o.raw("steps")
	if !ok {
		return
	}
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil || len(items) == 0 || len(items) > stepsMax {
		o.fault("steps", "%s is not a list of 1 to %d steps", shown(raw), stepsMax)
		return
	}
	for i, item := range items {
		s := newObject("steps["+strconv.Itoa(i)+"]", item, o.faults)
		c.steps = append(c.steps, readStep(s, &c.given))
		if claim := c.steps[i].Event == "stolen_use"; claim != (c.kind == compensation) && len(o.faults.list) == 0 {
			s.fault("event", "cases of kind compensation have steps with event stolen_use, and only they")
		}
	}
	c.settleCurrency(o)
}

// settleCurrency takes the currency of the limits from the steps when given does
// not have it.
func (c *Case) settleCurrency(o *object) {
	if c.given.Currency != "" {
		return
	}
	for i := range c.steps {
		cur := c.steps[i].Currency
		if cur == "" || cur == c.given.Currency {
			continue
		}
		if c.given.Currency != "" {
			o.fault("given.currency", "is missing, and the steps are in %s and %s", c.given.Currency, cur)
			return
		}
		c.given.Currency = cur
	}
	if c.given.Compensation != nil && c.given.Currency == "" {
		c.given.Currency = money.Currency("XXX") // nothing says it, and nothing depends on it
	}
}

// outcomes are the answers that a case of its kind can expect.
func (c *Case) outcomes() []string {
	if c.kind == compensation {
		return []string{covered, coveredPartially + ":AMOUNT", notCovered}
	}
	return decisionWords
}

func (c *Case) knows(word string) bool {
	if c.kind != compensation {
		return slices.Contains(decisionWords, word)
	}
	part, ok := strings.CutPrefix(word, coveredPartially+":")
	if !ok {
		return word == covered || word == notCovered
	}
	n, err := strconv.ParseInt(part, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == part
}

//go:embed conventions.yaml
var conventionsText []byte

// conventions is the pack with what the format leaves unsaid of a country.
var conventions = sync.OnceValues(func() (pinfree.Pack, error) { return packs.Parse("conventions.yaml", conventionsText) })

// Check replays the case with the limits of its own given. Answers are the packs
// with the schemes' tables of step-up answers.
func (c *Case) Check(answers *pinfree.RuleSet) Result {
	if c.Err != nil {
		return c.unreadable()
	}
	own := c.given.packs()
	if c.kind == compensation {
		promise := *c.given.Compensation
		promise.ID, promise.Title, promise.Currency = "promise", same("compensation"), c.given.Currency
		own[0].Compensation = []pinfree.Compensation{promise}
	}
	taken, err := conventions()
	if err != nil {
		return c.fails(0, "error", oneLine(err))
	}
	rules, err := pinfree.Compile(append(own, taken))
	if err != nil {
		return c.fails(0, "error", oneLine(err))
	}
	w := newWorld(c.given, rules)
	w.begin(c.steps, c.given.From, c.given.To)
	return c.replay(w, answers)
}

// unreadable is the result of a case with faults; it names the first.
func (c *Case) unreadable() Result {
	first, _, _ := strings.Cut(c.Err.Error(), "\n")
	return c.fails(c.faultAt, "error", strings.TrimPrefix(first, "case "+c.ID+": "))
}

// oneLine is an error of several lines on one.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
