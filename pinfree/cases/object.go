package cases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
)

const (
	// amountMax bounds amounts and limits, far from overflow when they are added.
	amountMax = 1 << 62
	// textMax bounds one text in bytes: notes are sentences, not books.
	textMax = 4000
	// faultsMax bounds what is listed of one case.
	faultsMax = 20
)

// faults collects what is wrong with one case.
type faults struct {
	id   string // of the case, or its place in the file
	step int    // of the first fault inside a step; 0 when it is elsewhere
	list []error
}

func (f *faults) add(path, format string, args ...any) {
	if len(f.list) == 0 {
		f.step = stepOf(path)
	}
	where := "case " + f.id
	if path != "" {
		where += ": " + path
	}
	if len(f.list) < faultsMax {
		f.list = append(f.list, mianmi.InvalidField(where, fmt.Sprintf(format, args...)))
	}
}

func (f *faults) err() error { return errors.Join(f.list...) }

// stepOf finds the index in "steps[3].card"; 0 when there is none.
func stepOf(path string) int {
	rest, ok := strings.CutPrefix(path, "steps[")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, "]")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// object reads a JSON object key by key. Each method that asks for a key makes
// it known; what has not been asked for when done is called is an error. A key
// that is not there gives the zero value.
type object struct {
	path   string // "given", "steps[3].card"; empty: the case itself
	keys   map[string]json.RawMessage
	asked  []string
	faults *faults
}

// newObject splits an object into its keys; a key that is there twice is an error.
func newObject(path string, raw json.RawMessage, f *faults) *object {
	o := &object{path: path, keys: map[string]json.RawMessage{}, faults: f}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		f.add(path, "%s is not an object; write { … }", shown(raw))
		return o
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			f.add(path, "is not JSON")
			return o
		}
		if _, twice := o.keys[key]; twice {
			f.add(o.at(key), "is there twice")
		}
		o.keys[key] = value
	}
	return o
}

func (o *object) at(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// raw returns what stands at the key and makes the key known.
func (o *object) raw(key string) (json.RawMessage, bool) {
	if !slices.Contains(o.asked, key) {
		o.asked = append(o.asked, key)
	}
	v, ok := o.keys[key]
	return v, ok
}

func (o *object) has(key string) bool { _, ok := o.keys[key]; return ok }

func (o *object) fault(key, format string, args ...any) { o.faults.add(o.at(key), format, args...) }

// done refuses the keys that nobody asked for.
func (o *object) done() {
	var unknown []string
	for key := range o.keys {
		if !slices.Contains(o.asked, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	slices.Sort(o.asked)
	for _, key := range unknown {
		o.fault(key, "unknown key; the keys here are %s", strings.Join(o.asked, ", "))
	}
}

// need says of keys that they must be there.
func (o *object) need(keys ...string) {
	for _, key := range keys {
		if !o.has(key) {
			o.fault(key, "is missing")
		}
	}
}

// text reads any text.
func (o *object) text(key string) string {
	raw, ok := o.raw(key)
	if !ok {
		return ""
	}
	s, ok := asText(raw)
	if !ok || len(s) > textMax || !utf8.ValidString(s) {
		o.fault(key, "%s is not a text of at most %d bytes", shown(raw), textMax)
		return ""
	}
	return s
}

func asText(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// name reads a word of an open kind (a purpose, a category): a-z, 0-9, _ and -.
func (o *object) name(key string) string {
	s := o.text(key)
	if s == "" {
		if raw, ok := o.keys[key]; ok {
			o.fault(key, "%s is not a name; write a-z, 0-9, _ and -", shown(raw))
		}
		return ""
	}
	if !isName(s) {
		o.fault(key, "%q is not a name; write a-z, 0-9, _ and -", s)
		return ""
	}
	return s
}

func isName(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// word reads a word of a closed list.
func (o *object) word(key string, allowed []string) string {
	raw, ok := o.raw(key)
	if !ok {
		return ""
	}
	s, ok := asText(raw)
	if !ok || !slices.Contains(allowed, s) {
		o.fault(key, "%s is not known; write one of %s", shown(raw), strings.Join(allowed, ", "))
		return ""
	}
	return s
}

// wordOr is word with a value for when the key is not there.
func (o *object) wordOr(key, otherwise string, allowed []string) string {
	if s := o.word(key, allowed); s != "" {
		return s
	}
	return otherwise
}

// list reads the texts of an array, none of them twice.
func (o *object) list(key string, check func(s string) bool, want string) []string {
	raw, ok := o.raw(key)
	if !ok {
		return nil
	}
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil || len(items) > stepsMax {
		o.fault(key, "%s is not a list; write [ … ] of %s", shown(raw), want)
		return nil
	}
	out := make([]string, 0, len(items))
	for i, item := range items {
		s, ok := asText(item)
		switch {
		case !ok || !check(s):
			o.fault(key+"["+strconv.Itoa(i)+"]", "%s is not known; write %s", shown(item), want)
		default:
			out = append(out, s)
		}
	}
	return out
}

// words reads a list of words of a closed kind, each at most once.
func (o *object) words(key string, allowed []string) []string {
	out := o.list(key, func(s string) bool { return slices.Contains(allowed, s) }, "one of "+strings.Join(allowed, ", "))
	for i, s := range out {
		if slices.Contains(out[:i], s) {
			o.fault(key, "%s is there twice", s)
		}
	}
	return out
}

// flag reads true or false; nil when the key is not there.
func (o *object) flag(key string) *bool {
	raw, ok := o.raw(key)
	if !ok {
		return nil
	}
	v := string(raw) == "true"
	if !v && string(raw) != "false" {
		o.fault(key, "%s is neither true nor false", shown(raw))
		return nil
	}
	return &v
}

// is reads a flag that is false when it is not there, isNot one that is true.
func (o *object) is(key string) bool { v := o.flag(key); return v != nil && *v }

func (o *object) isNot(key string) bool { v := o.flag(key); return v != nil && !*v }

// number reads a whole number; nil when the key is not there.
func (o *object) number(key string, least, most int64) *int64 {
	raw, ok := o.raw(key)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < least || n > most || strconv.FormatInt(n, 10) != string(raw) {
		o.fault(key, "%s is not a whole number from %d to %d in plain digits", shown(raw), least, most)
		return nil
	}
	return &n
}

// limit reads a limit in minor units or payments; null says that there is none.
func (o *object) limit(key string) *int64 {
	if raw, ok := o.raw(key); ok && string(raw) == "null" {
		return nil
	}
	return o.number(key, 0, amountMax)
}

// bit reads a terminal's parameter that is 0 or 1; -1 when it is not there.
func (o *object) bit(key string) int64 {
	if n := o.number(key, 0, 1); n != nil {
		return *n
	}
	return -1
}

// currency reads an ISO 4217 code.
func (o *object) currency(key string) money.Currency {
	raw, ok := o.raw(key)
	if !ok {
		return ""
	}
	s, ok := asText(raw)
	if !ok || !money.Currency(s).Valid() {
		o.fault(key, "%s is not a currency; write three upper-case letters (ISO 4217)", shown(raw))
		return ""
	}
	return money.Currency(s)
}

// instant reads a time with its offset from UTC.
func (o *object) instant(key string) time.Time {
	raw, ok := o.raw(key)
	if !ok {
		return time.Time{}
	}
	s, _ := asText(raw)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2999 {
		o.fault(key, "%s is not a time; write it like 2018-04-02T10:00:00+08:00", shown(raw))
		return time.Time{}
	}
	return t
}

// object reads an object inside this one; nil when the key is not there. The
// caller calls done on it.
func (o *object) object(key string) *object {
	raw, ok := o.raw(key)
	if !ok {
		return nil
	}
	return newObject(o.at(key), raw, o.faults)
}

// shown is a value as an error quotes it: short, on one line.
func shown(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		b.Reset()
		b.Write(raw)
	}
	const most = 80
	if b.Len() <= most {
		return b.String()
	}
	return strings.ToValidUTF8(b.String()[:most], "") + "…"
}
