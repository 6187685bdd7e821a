package terminal

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// reportAsk is a report as it came, over the connection of a terminal.
type reportAsk struct {
	from mianmi.TerminalID
	text []byte
}

// opened is a report after its signature was checked: refused, or to be taken.
type opened struct {
	report  protocol.Report
	signed  []byte
	key     string
	refused string // Refused…; empty: it is the terminal's own word
}

// Report takes a signed report that came over the terminal's own connection. A
// report that is not the terminal's newest word is refused and recorded; the
// error is Denied or Conflict and its code says why ("report_older").
func (s *Service) Report(ctx context.Context, from mianmi.TerminalID, signed []byte) (protocol.Receipt, error) {
	out, err := s.reports.ask(ctx, reportAsk{from, signed})
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

func (s *Service) report(ctx context.Context, jobs []*job[reportAsk, heard]) error {
	order, at := distinct(jobs, func(j *job[reportAsk, heard]) mianmi.TerminalID { return j.ask.from })
	keys, err := s.records.KeysOf(ctx, order)
	if err != nil {
		return err
	}
	reports := openAll(jobs, keys, s.now())
	asks := make([]VisitAsk, len(order))
	for i, id := range order {
		asks[i].Terminal = id
		for _, n := range at[id] {
			reports[n].wants(&asks[i])
		}
		// What overtook another on the way is put back in order.
		slices.SortStableFunc(at[id], func(a, b int) int {
			x, y := &reports[a].report, &reports[b].report
			return cmp.Or(cmp.Compare(x.Boot.Count, y.Boot.Count), cmp.Compare(x.Number, y.Number))
		})
	}
	return s.records.Visit(ctx, asks, func(visits []*Visit) error {
		now := s.now()
		for _, v := range visits {
			w := &work{Visit: v, s: s, now: now}
			for _, i := range at[v.Terminal] {
				jobs[i].out, jobs[i].err = w.hear(&reports[i])
			}
			if w.err != nil {
				return w.err
			}
		}
		return nil
	})
}

// openAll checks the signatures of a batch, which takes longer than all else.
func openAll[R any](jobs []*job[reportAsk, R], keys []Key, now time.Time) []opened {
	out := make([]opened, len(jobs))
	var wait sync.WaitGroup
	for i, j := range jobs {
		wait.Go(func() { out[i] = open(j.ask, keys, now) })
	}
	wait.Wait()
	return out
}

// open reads one report and checks that it is the terminal's own.
func open(ask reportAsk, keys []Key, now time.Time) opened {
	o := opened{signed: ask.text}
	signed, err := protocol.ParseSigned(ask.text)
	if err != nil {
		o.refused = RefusedForm
		return o
	}
	o.key = printableKey(signed.Key)
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == signed.Key && k.Terminal == ask.from })
	switch {
	case i < 0:
		o.refused = RefusedKey
		return o
	case !keys[i].RevokedAt.IsZero():
		o.refused = RefusedRevoked
		return o
	case !now.Before(keys[i].NotAfter):
		o.refused = RefusedExpired
		return o
	}
	public, err := publicKey(keys[i].Public)
	if err != nil {
		o.refused = RefusedKey
		return o
	}
	if o.report, err = signed.Open(public); err != nil {
		o.refused = RefusedSignature
		return o
	}
	if o.report.Terminal != ask.from {
		o.refused = RefusedForeign
	}
	return o
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

func publicKey(der []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("read a terminal's key: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a terminal's key is a %T", key)
	}
	return public, nil
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
// that was taken back meanwhile.
func (w *work) order(o *opened) {
	st, r := &w.State, &o.report
	switch k := w.key(o.key); {
	case o.refused != "":
	case k == nil:
		o.refused = RefusedKey
	case !k.RevokedAt.IsZero() || !st.RevokedAt.IsZero():
		o.refused = RefusedRevoked
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
