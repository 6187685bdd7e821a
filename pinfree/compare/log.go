package compare

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// Log reads a payment log: one JSON object a line, in order of time. Its keys
// are those of docs/rules.md; one that is not known, or is there twice, is an
// error that names it and its line.
type Log struct {
	lines *bufio.Scanner
	line  int
	last  time.Time
}

// lineMax bounds a line; one with every key has some 2,000 bytes.
const lineMax = 64 << 10

// NewLog reads a log.
func NewLog(r io.Reader) *Log {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), lineMax)
	return &Log{lines: s}
}

// Next returns the next payment, and io.EOF at the end. Lines without text are
// passed over. Errors are Invalid; the Field says line and key.
func (l *Log) Next() (Payment, error) {
	for l.lines.Scan() {
		l.line++
		text := bytes.TrimSpace(l.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		p, err := readPayment(text)
		if err == nil && p.At.Before(l.last) {
			err = mianmi.InvalidField("at", "is before that of an earlier line; sort the log by time")
		}
		if err != nil {
			return Payment{}, l.fault(err)
		}
		l.last = p.At
		return p, nil
	}
	switch err := l.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		l.line++
		return Payment{}, l.fault(mianmi.InvalidField("", fmt.Sprintf("is longer than %d bytes", lineMax)))
	case err != nil:
		return Payment{}, fmt.Errorf("read the log after line %d: %w", l.line, err)
	}
	return Payment{}, io.EOF
}

func (l *Log) fault(err error) error {
	var e *mianmi.Error
	if !errors.As(err, &e) {
		return err
	}
	where := "line " + strconv.Itoa(l.line)
	if e.Field != "" {
		where += ": " + e.Field
	}
	return mianmi.InvalidField(where, e.Msg)
}

// LogKeys are the keys of a line, nested ones with a dot. Those of facts are
// the names that conditions have in CEL.
func LogKeys() []string {
	r := lineReader{values: map[string]value{}}
	r.payment()
	slices.Sort(r.asked)
	return slices.Compact(r.asked)
}

func readPayment(text []byte) (Payment, error) {
	values, err := flatten(text)
	if err != nil {
		return Payment{}, err
	}
	r := lineReader{values: values}
	p := r.payment()
	if unknown := slices.Sorted(maps.Keys(r.values)); r.err == nil && len(unknown) > 0 {
		r.fail(unknown[0], "no such key; the keys are %s", strings.Join(LogKeys(), ", "))
	}
	return p, r.err
}

// value is a JSON value that is no object.
type value struct {
	text   string
	quoted bool
	list   []string
	isList bool
}

// flatten reads an object: nested names are joined with dots.
func flatten(text []byte) (map[string]value, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	out := map[string]value{}
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return nil, mianmi.InvalidField("", "is not a JSON object")
	}
	if err := flattenInto(dec, "", out); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, mianmi.InvalidField("", "something follows the object; write one a line")
	}
	return out, nil
}

func flattenInto(dec *json.Decoder, at string, out map[string]value) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return notJSON(at)
		}
		path := name
		if at != "" {
			path = at + "." + name
		}
		if seen[name] {
			return mianmi.InvalidField(path, "is there twice")
		}
		seen[name] = true
		if err := flattenValue(dec, path, out); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return notJSON(at)
	}
	return nil
}

func notJSON(at string) error { return mianmi.InvalidField(at, "is not JSON") }

func flattenValue(dec *json.Decoder, path string, out map[string]value) error {
	tok, err := dec.Token()
	if err != nil {
		return notJSON(path)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			if strings.Count(path, ".") > 1 {
				return mianmi.InvalidField(path, "is nested too deep")
			}
			return flattenInto(dec, path, out)
		}
		v := value{isList: true}
		for dec.More() {
			tok, err := dec.Token()
			text, ok := tok.(string)
			if err != nil || !ok {
				return mianmi.InvalidField(path, "want a list of texts")
			}
			v.list = append(v.list, text)
		}
		if _, err := dec.Token(); err != nil {
			return notJSON(path)
		}
		out[path] = v
	case string:
		out[path] = value{text: tok, quoted: true}
	case nil: // not known, as if it were left out
		out[path] = value{}
	default:
		out[path] = value{text: fmt.Sprint(tok)}
	}
	return nil
}

// lineReader takes the values out one by one and keeps the first fault.
type lineReader struct {
	values map[string]value
	asked  []string
	err    error
}

func (r *lineReader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = mianmi.InvalidField(key, fmt.Sprintf(format, args...))
	}
}

func (r *lineReader) take(key string) (value, bool) {
	r.asked = append(r.asked, key)
	v, ok := r.values[key]
	delete(r.values, key)
	return v, ok && (v.text != "" || v.quoted || v.isList)
}

func (r *lineReader) text(key string) string {
	v, ok := r.take(key)
	if ok && !v.quoted {
		r.fail(key, "want a text in quotes")
	}
	return v.text
}

// word is a text of a closed list; left out it is empty.
func (r *lineReader) word(key string, list []string) string {
	s := r.text(key)
	if s != "" && !slices.Contains(list, s) {
		r.fail(key, "%q is not known; write one of %s", s, strings.Join(list, ", "))
	}
	return s
}

// name is a text as packs write names.
func (r *lineReader) name(key string) string {
	s := r.text(key)
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		r.fail(key, "%q is not a name; write a-z, 0-9, _ and -", s)
	}
	return s
}

func (r *lineReader) flag(key string) pinfree.Flag {
	v, ok := r.take(key)
	switch {
	case !ok:
		return pinfree.NotKnown
	case !v.quoted && v.text == "true":
		return pinfree.Yes
	case !v.quoted && v.text == "false":
		return pinfree.No
	}
	r.fail(key, "want true or false")
	return pinfree.NotKnown
}

func (r *lineReader) number(key string) int64 {
	v, ok := r.take(key)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || v.quoted || v.isList || n < 0 {
		r.fail(key, "want a whole number of 0 or more")
	}
	return n
}

func (r *lineReader) list(key string) []string {
	v, ok := r.take(key)
	if ok && !v.isList {
		r.fail(key, "want a list of texts")
	}
	return v.list
}

func (r *lineReader) time(key string) time.Time {
	s := r.text(key)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		r.fail(key, "%q is not a time; write it like 2026-01-31T12:00:00+08:00", s)
	}
	return t
}

func (r *lineReader) amount(key string) money.Amount {
	minor, currency := r.number(key+".minor"), money.Currency(r.text(key+".currency"))
	a := money.Of(minor, currency)
	if !a.Positive() {
		r.fail(key, "want minor units above 0 and a currency of three upper-case letters")
	}
	return a
}
