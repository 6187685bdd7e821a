package rules

import (
	"fmt"
	"strings"

	"github.com/mianmi/mianmi/evidence"
)

// subjectPrefix begins the subject of facts about a pack.
const subjectPrefix = "rule_pack:"

// Subject is what facts about a pack are found by in the evidence.
func Subject(pack string) string { return subjectPrefix + pack }

// ReadEntry returns the pack that an entry put in force or, withdrawn, took out
// of force, without its text; nil when the entry did neither. A type that is
// not known is an error: what another program recorded must not be passed over.
func ReadEntry(e evidence.Entry) (*Pack, error) {
	switch e.Type {
	case "rule.pack.proposed", "rule.pack.rejected", "rule.pack.taken_back", "rule.pack.lapsed":
		return nil, nil
	case "rule.pack.in_force", "rule.pack.withdrawn":
	default:
		return nil, fmt.Errorf("entry %s is of type %s, which this program does not know", e.ID, e.Type)
	}
	var n note
	if err := e.ReadBody(&n); err != nil {
		return nil, err
	}
	id, found := strings.CutPrefix(e.Subject, subjectPrefix)
	withdrawn := e.Type == "rule.pack.withdrawn"
	of := n.After
	if withdrawn {
		of = n.Before
	}
	if !found || of == nil {
		return nil, fmt.Errorf("entry %s of type %s does not say which version of which pack", e.ID, e.Type)
	}
	p := &Pack{Change: n.Change, ID: id, Version: of.Version, Digest: of.Digest, Source: n.Source, From: e.At, FromEpoch: e.Epoch}
	if withdrawn {
		p.Withdraws = true
	}
	return p, nil
}
