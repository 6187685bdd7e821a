package liability

import (
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// What a payer's record said at the moment of a payment: what was closed, frozen or
// held then, and no more; a reopening counts from the end of its cooling-off though
// no entry says so, and an allowance while it lasts.
func TestShutAtAPayment(t *testing.T) {
	t.Parallel()
	open, frozen := payer.Settings{PinFree: true}, report.Add(-time.Hour)
	held := &payer.Hold{Since: report.Add(-2 * time.Hour), Until: report.Add(time.Hour)}
	for name, tt := range map[string]struct {
		after payer.Snapshot
		since time.Time // zero: not shut
	}{
		"open":                      {payer.Snapshot{Settings: open}, time.Time{}},
		"closed":                    {payer.Snapshot{Since: frozen}, frozen},
		"reopening, cooling off":    {payer.Snapshot{Since: frozen, Pending: &payer.Pending{Settings: open, At: report.Add(time.Second)}}, frozen},
		"reopening, and it is over": {payer.Snapshot{Since: frozen, Pending: &payer.Pending{Settings: open, At: report}}, time.Time{}},
		"one payment allowed":       {payer.Snapshot{Since: frozen, Allowance: &payer.Allowance{ExpiresAt: report.Add(time.Second)}}, time.Time{}},
		"an allowance that is over": {payer.Snapshot{Since: frozen, Allowance: &payer.Allowance{ExpiresAt: report}}, frozen},
		"reported lost":             {payer.Snapshot{Settings: open, FrozenAt: &frozen}, frozen},
		"held":                      {payer.Snapshot{Settings: open, Hold: held}, held.Since},
		"held, and one was allowed": {payer.Snapshot{Hold: held, Allowance: &payer.Allowance{ExpiresAt: report.Add(time.Hour)}}, held.Since},
		"a hold that has ended":     {payer.Snapshot{Settings: open, Hold: &payer.Hold{Since: frozen, Until: report}}, time.Time{}},
	} {
		one := told{Record: payer.Record{After: tt.after}}
		if since, off := one.shut(report); off == tt.since.IsZero() || !since.Equal(tt.since) {
			t.Errorf("%s: %v, %v", name, off, since)
		}
	}
}

// An OFF counts when it is older than the clocks of nodes may differ; an agreement
// that was closed and opened again is open.
func TestRecordBeforeAPayment(t *testing.T) {
	t.Parallel()
	entry := func(id mianmi.EntryID, before time.Duration, a *payer.RecordedAgreement) told {
		return told{evidence.Entry{ID: id, At: report.Add(-before)}, payer.Record{Agreement: a}}
	}
	closed, opened := &payer.RecordedAgreement{Merchant: "mc1"}, &payer.RecordedAgreement{Merchant: "mc1", Open: true}
	p := past{entry("en1", time.Hour, closed), entry("en2", 3*time.Second, nil), entry("en3", time.Second, opened)}
	if e := p.before(report); e == nil || e.ID != "en2" {
		t.Errorf("the newest before it: %v", e)
	}
	if e := p.before(report.Add(-2 * time.Hour)); e != nil {
		t.Errorf("before all: %v", e)
	}
	if e := p.ended("mc1", report); e == nil || e.ID != "en1" {
		t.Errorf("the agreement's end: %v", e)
	}
	if e := p.ended("mc1", report.Add(time.Hour)); e != nil {
		t.Errorf("opened again: %v", e)
	}
	if e := p.ended("mc2", report); e != nil {
		t.Errorf("another merchant's: %v", e)
	}
}
