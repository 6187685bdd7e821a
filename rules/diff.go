package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
)

// Difference is one field in which packs differ.
type Difference struct {
	Pack   string
	Limit  string // whose field it is; empty: the pack's own
	Field  string // "amount.at_most"; empty: the whole pack or limit
	Before string // as JSON, a whole pack as "version N"; empty: it was not there
	After  string // the same; empty: it is gone
}

// differencesMax bounds what one report lists: more than anybody reads.
const differencesMax = 1000

// Differences lists what differs between packs, limit by limit, in order of
// packs and fields. Limits, counters and readings are told apart by their IDs,
// so that their order does not matter.
func Differences(before, after []pinfree.Pack) []Difference {
	was, now := byID(before), byID(after)
	var out []Difference
	for _, id := range sortedKeys(was, now) {
		d := differ{pack: id}
		a, b := decode(was[id]), decode(now[id])
		if a == nil || b == nil {
			d.add("", nameOf(a), nameOf(b))
		} else {
			d.value("", a, b)
		}
		out = append(out, d.found...)
	}
	if len(out) > differencesMax {
		out = out[:differencesMax]
	}
	return out
}

func byID(list []pinfree.Pack) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for i := range list {
		out[list[i].ID] = encode(list[i])
	}
	return out
}

func decode(raw json.RawMessage) (v any) {
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil { // it was encoded just now: cannot happen
		panic(fmt.Sprintf("decode a rule pack: %v", err))
	}
	return v
}

// differ walks two values at once.
type differ struct {
	pack  string
	found []Difference
}

func (d *differ) value(path string, a, b any) {
	x, okX := members(a, b)
	y, okY := members(b, a)
	if !okX || !okY {
		if before, after := show(a), show(b); before != after {
			d.add(path, before, after)
		}
		return
	}
	keys := slices.Collect(maps.Keys(x))
	keys = slices.AppendSeq(keys, maps.Keys(y))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		d.value(join(path, k), x[k], y[k])
	}
}

// members are the parts of an object or of a list of things with IDs. A list
// that is not there has none.
func members(v, other any) (map[string]any, bool) {
	if m, ok := v.(map[string]any); ok {
		return m, true
	}
	if m, ok := named(v); ok {
		return m, true
	}
	_, ok := named(other)
	return nil, ok && v == nil
}

func nameOf(pack any) string {
	m, ok := pack.(map[string]any)
	if !ok {
		return ""
	}
	return fmt.Sprintf("version %v", m["version"])
}

// named is a list whose elements have IDs, as a map of them: "[id]" → element.
func named(v any) (map[string]any, bool) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, false
	}
	out := map[string]any{}
	for i, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, false
		}
		id, ok := m["id"].(string)
		if !ok {
			id = strconv.Itoa(i)
		}
		out["["+id+"]"] = e
	}
	return out, true
}

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

func show(v any) string {
	if v == nil {
		return ""
	}
	return string(encode(v))
}

// add files a difference with its limit.
func (d *differ) add(path, before, after string) {
	out := Difference{Pack: d.pack, Field: path, Before: before, After: after}
	if rest, ok := strings.CutPrefix(path, "limits["); ok {
		id, field, _ := strings.Cut(rest, "]")
		out.Limit, out.Field = id, strings.TrimPrefix(field, ".")
	}
	d.found = append(d.found, out)
}
