package asof

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// facet is what an entry tells of its subject.
type facet uint8

const (
	nothing  facet = 0         // in force: a proposal, another name, a login
	thing    facet = 1 << iota // what the subject is: a merchant's facts, where a terminal stands, a key, a pack
	terms                      // its PIN-free policy
	stopping                   // an emergency stop on it
	belongs                    // an agreement or instrument of a payer
	staging                    // how far its policy has come among its terminals
)

// facets are the types that are known. One that is not is never passed over:
// it is read, and the package that wrote it says what it tells.
var facets = map[string]facet{
	"merchant.created":                   thing,
	"merchant.channel.connected":         nothing,
	"merchant.renamed":                   nothing,
	"merchant.facts.tightened":           thing,
	"merchant.facts.loosening_proposed":  nothing,
	"merchant.facts.loosened":            thing,
	"merchant.policy.tightened":          terms,
	"merchant.policy.loosening_proposed": nothing,
	"merchant.policy.loosened":           terms,
	"merchant.stop.placed":               stopping,
	"merchant.stop.lift_proposed":        nothing,
	"merchant.stop.lifted":               stopping,
	"merchant.approval.lapsed":           nothing,
	"merchant.approval.rejected":         nothing,
	"merchant.approval.withdrawn":        nothing,
	"terminals.tightened":                nothing, // what a payment made of its terminal stands in its own entry
	"terminals.loosening_proposed":       nothing,
	"terminals.loosened":                 nothing,
	"rollout.started":                    staging,
	"rollout.advanced":                   staging,
	"rollout.paused":                     staging,
	"rollout.resumed":                    staging,
	"rollout.stopped":                    staging,
	"rollout.finished":                   staging,
	"program.started":                    nothing, // which program a terminal gets, not what it allows
	"program.advanced":                   nothing,
	"program.paused":                     nothing,
	"program.resumed":                    nothing,
	"program.stopped":                    nothing,
	"program.finished":                   nothing,
	"store.created":                      thing,
	"store.changed":                      thing,
	"model.created":                      thing,
	"model.renamed":                      nothing,
	"terminal.created":                   thing,
	"terminal.moved":                     thing,
	"terminal.renamed":                   nothing,
	"terminal.enrolment.issued":          nothing,
	"terminal.key.issued":                nothing,
	"terminal.keys.revoked":              nothing,
	"terminal.key.replaced":              nothing,
	"terminal.setting.attested":          nothing,
	"terminal.setting.fell_back":         nothing,
	"terminal.setting.lost":              nothing,
	"terminal.setting.refused":           nothing,
	"terminal.setting.proposed":          nothing,
	"terminal.drift.began":               nothing,
	"terminal.drift.ended":               nothing,
	"terminal.posture.changed":           nothing,
	"terminal.report.refused":            nothing,
	"terminal.check.reported":            nothing,
	"terminal.check.judged":              nothing,
	"terminal.trouble.reported":          nothing,
	"terminal.off.in_force":              nothing,
	"terminal.off.late":                  nothing,
	"wechat.identity.made":               nothing,
	"wechat.identity.changed":            nothing,
	"wechat.platform_key.added":          nothing,
	"wechat.platform_key.revoked":        nothing,
	"wechat.serial.added":                nothing, // its API key has an entry of its own
	"case.opened":                        nothing, // what the desk does to settings has entries of its own
	"case.repeated":                      nothing,
	"case.moved":                         nothing,
	"case.assigned":                      nothing,
	"case.noted":                         nothing,
	"case.packed":                        nothing,
	"case.attached":                      nothing,
	"case.linked":                        nothing,
	"case.identity_checked":              nothing,
	"case.acted":                         nothing,
	"case.decided":                       nothing,
	"case.escalated":                     nothing,
	"case.complaint":                     nothing,
	"case.payout_ordered":                nothing,
	"case.payout_approved":               nothing,
	"case.payout_paid":                   nothing,
	"case.payout_refused":                nothing,
	"guarantee.funded":                   nothing,
	"risk.rule.added":                    nothing,
	"risk.rule.promoted":                 nothing,
	"risk.rule.withdrawal_proposed":      nothing,
	"risk.rule.kept":                     nothing,
	"risk.rule.withdrawn":                nothing,
	"alarm.opened":                       nothing,
	"alarm.reported":                     nothing,
	"alarm.escalated":                    nothing,
	"alarm.acknowledged":                 nothing,
	"alarm.resolved":                     nothing,
	"complaint.opened":                   nothing,
	"complaint.changed":                  nothing,
	"complaint.answer.ordered":           nothing,
	"complaint.answer.done":              nothing,
	"complaint.answer.failed":            nothing,
	"contract.opened":                    nothing, // a contract at a channel allows nothing: what its end closes has an entry of its own
	"contract.signed":                    nothing,
	"contract.revoked":                   nothing,
	"contract.ended":                     nothing,
	"contract.ended_unannounced":         nothing,
	"webhook.created":                    nothing,
	"webhook.changed":                    nothing,
	"webhook.paused":                     nothing,
	"webhook.resumed":                    nothing,
	"webhook.removed":                    nothing,
	"webhook.gone":                       nothing,
	"webhook.secret.rotated":             nothing,
	"webhook.replayed":                   nothing,
	"top_up.added":                       nothing,
	"api_key.created":                    thing,
	"api_key.revoked":                    thing,
	"staff.created":                      thing,
	"staff.deactivated":                  thing,
	"staff.reset":                        thing,
	"rule.pack.proposed":                 nothing,
	"rule.pack.rejected":                 nothing,
	"rule.pack.taken_back":               nothing,
	"rule.pack.lapsed":                   nothing,
	"rule.pack.in_force":                 thing,
	"rule.pack.withdrawn":                thing,
	"payer.created":                      thing,
	"payer.pin_free.closed":              thing,
	"payer.pin_free.reopened":            thing,
	"payer.limits.changed":               thing,
	"payer.settings.in_force":            thing,
	"payer.loss.reported":                thing,
	"payer.exported":                     nothing,
	"payer.erased":                       nothing,
	"payer.loss.lifted":                  thing,
	"payer.hold.placed":                  thing,
	"payer.hold.lifted":                  thing,
	"payer.allowance.granted":            thing,
	"payer.allowance.revoked":            thing,
	"payer.password.set":                 thing,
	"payer.password.changed":             thing,
	"payer.password.locked":              thing,
	"payer.password.unlocked":            thing,
	"payer.password.reset_issued":        thing,
	"payer.password.failed":              nothing, // these two have no number: nothing changed
	"payer.password.verified":            nothing,
	"payer.question.asked":               nothing,
	"payer.question.confirmed":           nothing,
	"payer.question.denied":              nothing,
	"payer.question.unanswered":          nothing,
	"payer.password.reset":               thing,
	"payer.agreement.opened":             thing | belongs,
	"payer.agreement.closed":             thing | belongs,
	"payer.instrument.added":             thing | belongs,
}

// family is who writes about one kind of subject.
type family uint8

const (
	ofPlaces family = iota // merchants, stores, models, terminals, channels, everything
	ofCallers
	ofPacks
	ofPayers
)

func familyOf(kind string) family {
	who, _, _ := strings.Cut(kind, ".")
	switch who {
	case "api_key", "staff":
		return ofCallers
	case "rule":
		return ofPacks
	case "payer":
		return ofPayers
	}
	return ofPlaces
}

// question is what is asked of a kind of subject.
type question struct {
	family family
	facet  facet
}

// skips are the types that stand between the answers to a question.
var skips = func() map[question][]string {
	out := map[question][]string{}
	for kind, tells := range facets {
		for _, want := range []facet{thing, terms, stopping, belongs, staging} {
			if q := (question{familyOf(kind), want}); tells&want == 0 {
				out[q] = append(out[q], kind)
			}
		}
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}()

const (
	// pageMax is one reading: what is asked for is mostly the first entry.
	pageMax = 50
	// entriesMax bounds what one question reads of one subject: a payer who
	// changes something every day for twenty years, or 16 stops at once that are
	// placed anew every hour of their 30 days.
	entriesMax = 12_000
)

// asked is a question about one subject.
type asked struct {
	subject string
	question
	since time.Time // zero: from the beginning
	first int       // entries that are likely to be enough; 0: a page
}

// each reads what the log tells of a subject, newest first, until fn has
// enough. Entries are read from their bytes, and must be those that were asked for.
func (s *Service) each(ctx context.Context, m moment, a asked, fn func(Source, evidence.Entry) (enough bool, err error)) error {
	q := Query{Subject: a.subject, Upto: m.number, Before: m.before, Since: a.since, Skip: skips[a.question], Limit: a.first}
	if q.Limit == 0 {
		q.Limit = pageMax
	}
	for read := 0; read <= entriesMax; {
		leaves, err := s.Log.EntriesOf(ctx, q)
		if err != nil {
			return err
		}
		for i := range leaves {
			src, e, err := open(&leaves[i], a.subject)
			if err != nil {
				return err
			}
			if enough, err := fn(src, e); enough || err != nil {
				return err
			}
			q.Upto, q.Below = src.Number, e.ID
		}
		if read += len(leaves); len(leaves) < q.Limit {
			return nil
		}
		q.Limit = pageMax
	}
	return &mianmi.Error{Kind: mianmi.Unavailable, Code: "history_too_long",
		Msg: fmt.Sprintf("more than %d entries would have to be read about %s", entriesMax, a.subject)}
}

// open reads a leaf. What the index says of it must stand in its bytes.
func open(l *evidence.Leaf, subject string) (Source, evidence.Entry, error) {
	e, err := evidence.Decode(l.Bytes)
	if err != nil {
		return Source{}, e, fmt.Errorf("entry %s: %w", l.ID, err)
	}
	if e.ID != l.ID || e.Subject != subject {
		return Source{}, e, fmt.Errorf("entry %s is filed under %s and speaks of %s (entry %s)", l.ID, subject, e.Subject, e.ID)
	}
	src := Source{Entry: e.ID, Index: l.Index, Type: e.Type, At: e.At, Actor: e.Actor, Number: e.Epoch}
	if strings.HasPrefix(e.Type, "payer.") {
		r, err := payer.ReadRecord(e)
		if err != nil {
			return Source{}, e, err
		}
		src.Number = r.Version
	}
	return src, e, nil
}

// newest is the newest entry that tells something; zero when there is none.
func newest[T any](ctx context.Context, s *Service, m moment, a asked, read func(evidence.Entry) (*T, error)) (Told[T], error) {
	var out Told[T]
	a.first = 1
	err := s.each(ctx, m, a, func(src Source, e evidence.Entry) (bool, error) {
		v, err := read(e)
		if v != nil {
			out = Told[T]{*v, src}
		}
		return v != nil, err
	})
	return out, err
}
