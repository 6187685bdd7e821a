package rules

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
)

// Records is what this package needs of the store. Missing things are NotFound.
type Records interface {
	// RuleSet is the packs in force at this moment, compiled.
	RuleSet(ctx context.Context) (*Set, error)
	// RuleChange reads a change with the texts of its packs.
	RuleChange(ctx context.Context, id mianmi.RuleChangeID) (Change, error)
	// RuleChanges lists changes, newest first, without texts.
	RuleChanges(ctx context.Context, q ChangeQuery) ([]Change, error)
	// RuleVersions lists every part of a change that was about the pack and came
	// into force, newest first, at most VersionsMax.
	RuleVersions(ctx context.Context, pack string) ([]Pack, error)
	// ChangeRules reads all that is held about the packs, lets decide say what
	// becomes of it, and writes that in the same transaction; no other change of
	// settings runs at the same time. decide may be called again.
	ChangeRules(ctx context.Context, decide func(Held) (Outcome, error)) error
}

// VersionsMax bounds the history of one pack: what an operator can read.
const VersionsMax = 200

// ChangeQuery asks for a page of changes.
type ChangeQuery struct {
	Waiting bool                // those that wait for a second person alone
	Now     time.Time           // set by the service: expired ones do not wait
	Before  mianmi.RuleChangeID // the last one of the page before; empty: from the newest
	Limit   int                 // 0: 50; at most 200
}

// Held is what is known about the packs, inside a change.
type Held struct {
	Epoch    int64    // of this change of the settings
	Live     []Pack   // in force, with their texts
	Waiting  []Change // undecided, with texts, expired ones among them
	Known    bool     // the database has held packs before
	Versions func(pack string) ([]Pack, error)
	// Rejected reports whether somebody has rejected a change with this part:
	// the pack, its version and its text, or that it goes.
	Rejected func(Pack) (bool, error)
	Makers   access.Makers
}

// Outcome is what is to be written.
type Outcome struct {
	Changes []Change // new or decided
	Packs   []Pack   // new, or with another From or Until
	Entries []evidence.Entry
}
