package risk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mianmi/mianmi"
)

// Severity is how soon somebody must look.
type Severity string

// The severities, by rising weight.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical" // a promise may be broken, or somebody's money is going now
)

// severities is their order, with the time within which an alarm must be acknowledged.
var severities = []struct {
	Severity
	within time.Duration
}{{Low, 24 * time.Hour}, {Medium, 4 * time.Hour}, {High, time.Hour}, {Critical, 10 * time.Minute}}

// Weight is the place of a severity in their order, as it is stored; -1: it is none.
func (s Severity) Weight() int {
	for i := range severities {
		if severities[i].Severity == s {
			return i
		}
	}
	return -1
}

// SeverityOf is the severity with a weight, as it is stored; empty: there is none.
func SeverityOf(weight int) Severity {
	if weight < 0 || weight >= len(severities) {
		return ""
	}
	return severities[weight].Severity
}

// Text is a text in both languages, as rules write it.
type Text struct {
	ZH string `json:"zh" yaml:"zh"`
	EN string `json:"en" yaml:"en"`
}

// Rule says what is looked for, and what a finding of it means. It is data.
type Rule struct {
	ID       string   `json:"id" yaml:"id"` // "night_burst"
	Title    Text     `json:"title" yaml:"title"`
	Says     Text     `json:"says" yaml:"says"` // a sentence; {count} is the figure of the window of that name
	Severity Severity `json:"severity" yaml:"severity"`
	// Key is what windows are kept for and findings are about: parts of events
	// (payer, instrument, merchant, store, terminal, actor).
	Key   []string `json:"key" yaml:"key"`
	On    []Kind   `json:"on" yaml:"on"`                           // kinds of events at which the rule is asked
	Where string   `json:"where,omitempty" yaml:"where,omitempty"` // CEL: of those, which; empty: all
	// Windows are what has happened before, with this event in it, by their names.
	Windows map[string]Window `json:"windows,omitempty" yaml:"windows,omitempty"`
	When    string            `json:"when" yaml:"when"`                       // CEL over event and windows: true is a finding
	Quiet   string            `json:"quiet,omitempty" yaml:"quiet,omitempty"` // how long one finding of a key is not repeated: "6h"
	// Measures are what is done about a finding, and For how long it holds: "24h".
	Measures []Measure `json:"measures" yaml:"measures"`
	For      string    `json:"for,omitempty" yaml:"for,omitempty"`
}

// Window is something that is kept of past events of the same key.
type Window struct {
	On    []Kind `json:"on" yaml:"on"`
	Where string `json:"where,omitempty" yaml:"where,omitempty"`
	Span  string `json:"span" yaml:"span"` // "10m", "24h"
	// Measure is count, sum (of amounts), distinct or last: the event before this one.
	Measure string `json:"measure" yaml:"measure"`
	Of      string `json:"of,omitempty" yaml:"of,omitempty"` // the part of events whose values distinct counts
}

// The measures of windows.
const (
	count    = "count"
	sum      = "sum"
	distinct = "distinct"
	last     = "last"
)

// Bounds of a rule. Whoever begins to follow reads the log again for the longest
// span, so it is a week at most; below a minute a sixtieth would be less than a second.
const (
	spanMin, spanMax = time.Minute, 7 * 24 * time.Hour
	windowsMax       = 8
	keyPartsMax      = 3
	ruleIDMax        = 48
	titleMax         = 120     // bytes
	saysMax          = 600     // bytes
	ruleBytesMax     = 8 << 10 // an entry of the log holds one
)

// Parse reads the YAML of one rule. Anything it does not know is an error.
func Parse(text []byte) (Rule, error) {
	var r Rule
	if len(text) > ruleBytesMax {
		return r, mianmi.InvalidField("rule", "too long: at most 8 KiB")
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		return Rule{}, mianmi.InvalidField("rule", "is not the YAML of a rule: "+oneLine(err))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Rule{}, mianmi.InvalidField("rule", "write one rule a file")
	}
	_, err := Compile(r)
	return r, err
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// check says what is wrong, apart from the expressions.
func (r *Rule) check() error {
	switch {
	case r.ID == "" || len(r.ID) > ruleIDMax || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return r.fault("id", "want lower-case letters, digits and _, at most 48")
	case strings.HasPrefix(r.ID, reportRule):
		return r.fault("id", "those that begin with "+reportRule+" are of what people report")
	case !between(r.Title, titleMax):
		return r.fault("title", "want a text in Chinese and one in English, at most 120 bytes each")
	case !between(r.Says, saysMax):
		return r.fault("says", "want a text in Chinese and one in English, at most 600 bytes each")
	case r.Severity.Weight() < 0:
		return r.fault("severity", "want low, medium, high or critical")
	case len(r.Key) < 1 || len(r.Key) > keyPartsMax:
		return r.fault("key", "want one to three parts of events")
	case len(r.Windows) > windowsMax:
		return r.fault("windows", "at most 8")
	case r.When == "":
		return r.fault("when", "want a condition")
	}
	for i, k := range r.Key {
		if parts[k] == nil || slices.Contains(r.Key[:i], k) {
			return r.fault("key", "want each of "+partNames()+" once at most")
		}
	}
	if err := r.kinds("on", r.On); err != nil {
		return err
	}
	if _, err := r.quiet(); err != nil {
		return err
	}
	if _, err := r.checkMeasures(); err != nil {
		return err
	}
	for name, w := range r.Windows {
		if err := r.checkWindow(name, &w); err != nil {
			return err
		}
	}
	return r.checkSays()
}

func (r *Rule) checkWindow(name string, w *Window) error {
	at := "windows." + name
	if name == "" || len(name) > ruleIDMax || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return r.fault("windows", "names are lower-case letters and _")
	}
	if _, err := r.span(at+".span", w.Span); err != nil {
		return err
	}
	switch w.Measure {
	case count, sum, last:
		if w.Of != "" {
			return r.fault(at+".of", "only distinct has one")
		}
	case distinct:
		if parts[w.Of] == nil {
			return r.fault(at+".of", "want one of "+partNames())
		}
	default:
		return r.fault(at+".measure", "want count, sum, distinct or last")
	}
	return r.kinds(at+".on", w.On)
}

// checkSays makes sure that each figure in the sentences is one of a window.
func (r *Rule) checkSays() error {
	for _, name := range slices.Concat(placeholders(r.Says.ZH), placeholders(r.Says.EN)) {
		window, figure, _ := strings.Cut(name, ".")
		w, ok := r.Windows[window]
		if isLast := figure == "km" || figure == "minutes"; !ok || isLast != (w.Measure == last) || !isLast && figure != "" {
			return r.fault("says", "names {"+name+"}; write a window that counts, or .km or .minutes of one that remembers the last")
		}
	}
	return nil
}

func (r *Rule) kinds(field string, list []Kind) error {
	if len(list) == 0 || len(list) > len(kinds) {
		return r.fault(field, "want at least one kind of event")
	}
	for i, k := range list {
		if !kinds[k] || slices.Contains(list[:i], k) {
			return r.fault(field, fmt.Sprintf("%q is no kind of event, or stands there twice", k))
		}
	}
	return nil
}

func (r *Rule) span(field, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < spanMin || d > spanMax {
		return 0, r.fault(field, "want a time from 1m to 168h")
	}
	return d, nil
}

// quiet is how long a finding of a key is not repeated; an hour if nothing is said.
func (r *Rule) quiet() (time.Duration, error) {
	if r.Quiet == "" {
		return time.Hour, nil
	}
	return r.span("quiet", r.Quiet)
}

// fault names the rule and its field.
func (r *Rule) fault(field, msg string) error {
	if r.ID == "" {
		return mianmi.InvalidField(field, msg)
	}
	return mianmi.InvalidField(r.ID+"."+field, msg)
}

func between(t Text, most int) bool {
	return t.ZH != "" && t.EN != "" && len(t.ZH) <= most && len(t.EN) <= most
}

// placeholders are the figures that a sentence asks for.
func placeholders(text string) (out []string) {
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			return out
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return append(out, rest)
		}
		out, text = append(out, name), after
	}
}
