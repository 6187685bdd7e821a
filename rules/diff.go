package rules

import (
	"fmt"
	"strings"

	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
)

// Difference is one field in which packs differ.
type Difference struct {
	Pack   string
	Limit  string // whose field it is; empty: the pack's own
	Field  string // "amount.at_most"; empty: the whole pack or limit
	Before string // empty: it was not there; of a whole pack its version
	After  string // empty: it is gone
}

// differencesMax bounds what one report lists: more than anybody reads.
const differencesMax = 1000

// Differences lists what differs between packs, limit by limit.
func Differences(before, after []pinfree.Pack) []Difference {
	var out []Difference
	for _, d := range compare.Packs(before, after) {
		switch d.Kind {
		case compare.Added:
			out = append(out, Difference{Pack: d.ID, After: versionName(d.B)})
		case compare.Removed:
			out = append(out, Difference{Pack: d.ID, Before: versionName(d.A)})
		case compare.Changed, compare.Same:
			for _, c := range d.Changes {
				out = append(out, fieldOf(d.ID, c))
			}
		}
	}
	return out[:min(len(out), differencesMax)]
}

func versionName(v *compare.PackVersion) string { return fmt.Sprintf("version %d", v.Version) }

// fieldOf tells a limit's field from the pack's own.
func fieldOf(pack string, c compare.Change) Difference {
	out := Difference{Pack: pack, Field: c.Path, Before: c.A, After: c.B}
	if rest, ok := strings.CutPrefix(c.Path, "limits["); ok {
		id, field, _ := strings.Cut(rest, "]")
		out.Limit, out.Field = id, strings.TrimPrefix(field, ".")
	}
	return out
}
