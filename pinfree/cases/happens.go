package cases

import (
	"slices"

	"github.com/mianmi/mianmi/pinfree"
)

// happens replays what is not a payment.
func (w *world) happens(s *step) answer {
	switch s.Event {
	case "sca_applied":
		w.authenticates(s)
	case "replenish":
		if s.Authenticated && !s.NotOnline {
			w.record(s, pinfree.ToppedUpAuthenticated)
		}
	case "payer_opt_out":
		w.consent = "closed"
	case "payer_opt_in":
		if s.Consented {
			w.consent = "given"
		}
	case "pre_debit_notice":
		w.notice = &s.NoticeHours
	case "auth_failed":
		w.failures++
	case "auth_succeeded":
		w.failures = 0
	case "auth_attempt", "auth_code_presented":
		return w.attempts(s)
	case "stolen_use":
		return w.claims(s)
	case "refund": // the payment was executed all the same
	}
	if s.Authenticated { // a mandate changes with authentication alone
		w.changesMandate(s.Event)
	}
	return answer{word: none, why: "an event"}
}

func (w *world) changesMandate(event string) {
	switch event {
	case "mandate_withdrawn":
		w.withdrawn = true
	case "mandate_registered":
		w.withdrawn, w.given.Mandate.Unregistered = false, false
	case "opt_out_this_debit":
		w.skipped = true
	}
}

// authenticates records an authentication that belongs to no payment of the case.
func (w *world) authenticates(s *step) {
	w.full = false
	switch {
	case slices.Contains(onSiteWords, s.Where):
		w.record(s, pinfree.ExecutedAuthenticated)
	case slices.Contains(remoteWords, s.Where):
		w.record(s, pinfree.ExecutedRemote)
	default:
		w.record(s, pinfree.SCAOutOfBand)
	}
}

// record moves the counters by an event without an amount.
func (w *world) record(s *step, k pinfree.EventKind) {
	w.stored = w.rules.Record(w.stored, pinfree.Event{Kind: k, Method: pinfree.ATM, Subject: w.subject(s),
		Currency: s.Currency, Decided: w.now, At: w.now})
}

// attempts asks whether a try to authenticate may be made.
func (w *world) attempts(s *step) answer {
	d := w.rules.Attempt(pinfree.Attempt{Failures: w.failures, CodeUsed: s.Code != "" && slices.Contains(w.codes, s.Code)})
	a := answer{word: outcomeWord(&d), why: whyOf(&d)}
	switch {
	case a.word != authenticated:
	case !s.Authenticated:
		w.failures++
	default:
		w.failures = 0
		w.codes = append(w.codes, s.Code)
	}
	return a
}
