package terminal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// opened is a report after its signature was checked: refused, or to be taken
// if its key still counts.
type opened struct {
	from    mianmi.TerminalID // whose connection it came over
	report  protocol.Report
	signed  []byte
	key     string
	refused string // Refused…; empty: it is the terminal's own word
}

// Report takes a signed report that came over the terminal's own connection. A
// report that is not the terminal's newest word is refused and recorded; the
// error is Denied or Conflict and its code says why ("report_older").
func (s *Service) Report(ctx context.Context, from mianmi.TerminalID, signed []byte) (protocol.Receipt, error) {
	// Its signature is checked here, while the transaction of others runs.
	o, err := s.open(ctx, from, signed)
	if err != nil {
		return protocol.Receipt{}, err
	}
	out, err := s.reports.ask(ctx, o)
	if err != nil {
		return protocol.Receipt{}, err
	}
	return s.answerMenu(ctx, from, out)
}

// heard is what became of a report in its transaction.
type heard struct {
	receipt protocol.Receipt
	asked   []protocol.Local // what the report brought from the menu
	place   Place
	locked  bool // the menu may not loosen
}

func (s *Service) report(ctx context.Context, jobs []*job[*opened, heard]) error {
	order, at := distinct(jobs, func(j *job[*opened, heard]) mianmi.TerminalID { return j.ask.from })
	asks := make([]VisitAsk, len(order))
	for i, id := range order {
		asks[i].Terminal = id
		for _, n := range at[id] {
			jobs[n].ask.wants(&asks[i])
		}
		// What overtook another on the way is put back in order.
		slices.SortStableFunc(at[id], func(a, b int) int {
			x, y := &jobs[a].ask.report, &jobs[b].ask.report
			return cmp.Or(cmp.Compare(x.Boot.Count, y.Boot.Count), cmp.Compare(x.Number, y.Number))
		})
	}
	return s.records.Visit(ctx, asks, func(visits []*Visit) error {
		now := s.now()
		for _, v := range visits {
			w := &work{Visit: v, s: s, now: now}
			for _, i := range at[v.Terminal] {
				o := *jobs[i].ask // this may run again
				jobs[i].out, jobs[i].err = w.hear(&o)
			}
			if w.err != nil {
				return w.err
			}
		}
		return nil
	})
}

// open reads one report and checks that it is the terminal's own. Whether its
// key counts is known in the transaction that takes it.
func (s *Service) open(ctx context.Context, from mianmi.TerminalID, text []byte) (*opened, error) {
	o := &opened{from: from, signed: text}
	signed, err := protocol.ParseSigned(text)
	if err != nil {
		o.refused = RefusedForm
		return o, nil
	}
	o.key = printableKey(signed.Key)
	v, err := s.verifier(ctx, from, o.key)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		o.refused = RefusedKey
		return o, nil
	}
	if o.report, err = v.Open(signed); err != nil {
		o.refused = RefusedSignature
		return o, nil
	}
	if o.report.Terminal != from {
		o.refused = RefusedForeign
	}
	return o, nil
}

// keyIDLen is the length of protocol.KeyID.
const keyIDLen = 32

// printableKey keeps what a stranger sends as a key's name out of the record
// unless it can be one.
func printableKey(id string) string {
	if len(id) != keyIDLen {
		return ""
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return id
}

// wants adds what the report speaks of.
func (o *opened) wants(a *VisitAsk) {
	if o.refused != "" {
		return
	}
	r := &o.report
	if r.Running != nil {
		a.Versions = append(a.Versions, r.Running.Version)
	}
	if r.Saved != nil {
		a.Versions = append(a.Versions, r.Saved.Version)
	}
	if r.Refused != nil {
		a.Versions = append(a.Versions, r.Refused.Version)
	}
	for _, l := range r.Proposals {
		a.Menu = append(a.Menu, l.ID)
	}
	for _, c := range r.Checks {
		a.Checks = append(a.Checks, checkID(a.Terminal, c))
	}
	for _, t := range r.Troubles {
		a.Checks = append(a.Checks, troubleID(a.Terminal, t))
	}
}

// hear takes one report, or refuses it.
func (w *work) hear(o *opened) (heard, error) {
	if !w.Known {
		return heard{}, mianmi.Missing("terminal")
	}
	w.order(o)
	if o.refused != "" {
		return heard{}, w.refuse(o)
	}
	w.take(&o.report, o.signed)
	return heard{w.receipt(), w.menu(&o.report), w.Place, w.Policy.Terms.MenuLocked}, nil
}

// order refuses what is not newer than all that was taken before, or by a key
// that does not count now.
func (w *work) order(o *opened) {
	st, r := &w.State, &o.report
	switch k := w.key(o.key); {
	case o.refused != "":
	case k == nil:
		o.refused = RefusedKey
	case !k.RevokedAt.IsZero() || !st.RevokedAt.IsZero():
		o.refused = RefusedRevoked
	case !w.now.Before(k.NotAfter):
		o.refused = RefusedExpired
	case r.Boot.Count == st.Boot && r.Boot.ID != st.BootID:
		o.refused = RefusedBoot
	case r.Boot.Count == st.Boot && r.Number == st.Number:
		o.refused = RefusedReplay
	case !r.Newer(st.Boot, st.Number):
		o.refused = RefusedOlder
	}
}

// refusalsEach is how often a terminal's refused reports go into the log, which
// keeps everything for ever; the store holds more of them.
const refusalsEach = 10 * time.Minute

// refuse records a report that is not taken, and says why.
func (w *work) refuse(o *opened) error {
	id, err := mianmi.NewID("tr", w.now, w.s.random)
	w.fail(err)
	w.Left.Refusals = append(w.Left.Refusals, Refusal{ID: id, Terminal: w.Terminal, At: w.now, Reason: o.refused, Key: o.key,
		Boot: o.report.Boot.Count, Number: o.report.Number, Digest: sha256.Sum256(o.signed)})
	if w.now.Sub(w.State.RefusalAt) >= refusalsEach {
		w.State.RefusalAt = w.now
		w.record("terminal.report.refused", refusedNote{Reason: o.refused, Key: o.key, Boot: o.report.Boot.Count, Number: o.report.Number,
			Digest: protocol.HashOf(o.signed).String()})
	}
	msg := "this report is not taken: " + o.refused
	if o.refused == RefusedReplay || o.refused == RefusedOlder {
		return mianmi.Conflicts("report_"+o.refused, msg)
	}
	w.alarm(AlarmReport, o.refused)
	if o.refused == RefusedForm {
		return &mianmi.Error{Kind: mianmi.Invalid, Field: "report", Code: "report_" + o.refused, Msg: msg}
	}
	return mianmi.Forbidden("report_"+o.refused, msg)
}
