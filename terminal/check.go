package terminal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// Checked is a test that a terminal ran after a change, and what the host makes
// of it.
type Checked struct {
	ID       string // digest of what the terminal says of it
	Terminal mianmi.TerminalID
	Version  int64 // of the setting that ran
	Kind     string
	Method   string
	Payment  mianmi.PaymentID
	Claimed  bool   // passed, as the terminal says
	Detail   string // by its code, as the terminal says
	At       time.Time
	Received time.Time
	Verdict  string // CheckPending …
	Because  string // of the verdict, by a code of ours
}

// Verdicts on a check.
const (
	CheckPending = "pending" // the payment is not yet at its end
	CheckProved  = "proved"  // our own books say so
	CheckClaimed = "claimed" // the terminal says so; nobody else was there
	CheckFailed  = "failed"
)

// Kinds of check.
const (
	CheckTestPayment = "test_payment"
	CheckMethod      = "method"
	CheckTrouble     = "trouble" // what a person at the terminal says is wrong
)

// checkID names a check by what it is, so that a report that is repeated brings
// none anew.
func checkID(id mianmi.TerminalID, c protocol.Check) string {
	h := sha256.New()
	for _, s := range []string{string(id), c.Kind, c.Method, string(c.Payment), strconv.FormatBool(c.Passed), c.Detail, c.At.UTC().Format(time.RFC3339Nano)} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// checked takes the checks of a report.
func (w *work) checked(r *protocol.Report) {
	for _, c := range r.Checks {
		id := checkID(w.Terminal, c)
		if slices.Contains(w.Checked, id) {
			continue
		}
		w.Checked = append(w.Checked, id)
		k := Checked{ID: id, Terminal: w.Terminal, Version: w.State.Running.Version, Kind: plain(c.Kind, ""), Method: plain(c.Method, ""), Payment: c.Payment,
			Claimed: c.Passed, Detail: plain(c.Detail, ""), At: c.At, Received: w.now, Verdict: CheckClaimed}
		switch {
		case c.Kind == CheckTestPayment && c.Passed:
			k.Verdict = CheckPending
		case !c.Passed:
			k.Verdict, k.Because = CheckFailed, "terminal_says_so"
			w.alarm(AlarmCheck, k.Kind)
		}
		w.Left.Checks = append(w.Left.Checks, k)
		w.record("terminal.check.reported", checkNote{ID: k.ID, Version: k.Version, Kind: k.Kind, Method: k.Method, Payment: k.Payment,
			Claimed: k.Claimed, Verdict: k.Verdict, Detail: k.Detail})
	}
}

// TestPayment is what the host's books say of a payment that a terminal names
// as its test.
type TestPayment struct {
	Terminal  mianmi.TerminalID
	Amount    money.Amount
	CreatedAt time.Time
	Asked     bool // its decision asked for a PIN, or refused it for want of one
	Taken     bool // money was moved and is not back
	Open      bool // not yet at its end
}

// testMinor is the amount of a test payment: the smallest there is.
const testMinor = 1

// testTime is how long a test payment has to come to its end.
const testTime = 10 * time.Minute

// verdict is what the books make of a test payment; an empty verdict waits.
func (k *Checked) verdict(p *TestPayment, now time.Time) (verdict, because string) {
	late := now.Sub(k.Received) > testTime
	switch {
	case p == nil && late:
		return CheckFailed, "no_such_payment"
	case p == nil:
		return CheckPending, ""
	case p.Terminal != k.Terminal:
		return CheckFailed, "another_terminals"
	case p.Amount.Minor() != testMinor:
		return CheckFailed, "another_amount"
	case !p.Asked:
		return CheckFailed, "no_pin_was_asked"
	case p.Open || p.Taken:
		if late {
			return CheckFailed, "not_reversed"
		}
		return CheckPending, ""
	}
	return CheckProved, ""
}

// checksAtOnce bounds one turn of VerifyChecks.
const checksAtOnce = 100

// VerifyChecks looks test payments up that terminals named, in the host's own
// books, and records the verdict. It returns how many it has decided. Several
// nodes may do it at once.
func (s *Service) VerifyChecks(ctx context.Context) (int, error) {
	list, err := s.records.PendingChecks(ctx, checksAtOnce)
	if err != nil {
		return 0, err
	}
	done := 0
	for i := range list {
		k := &list[i]
		p, err := s.records.TestPayment(ctx, k.Payment)
		if err != nil {
			return done, err
		}
		verdict, because := k.verdict(p, s.now())
		if verdict == CheckPending {
			continue
		}
		if verdict == CheckProved && p.CreatedAt.Before(s.attestedAt(ctx, k)) {
			verdict, because = CheckFailed, "before_the_setting"
		}
		k.Verdict, k.Because = verdict, because
		if err := s.judged(ctx, k); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// attestedAt is when the setting that the check is about was proved first: a
// payment before that shows nothing of it. What cannot be read is the end of time.
func (s *Service) attestedAt(ctx context.Context, k *Checked) time.Time {
	v, err := s.records.Look(ctx, VisitAsk{Terminal: k.Terminal, Versions: []int64{k.Version}})
	if err != nil {
		return k.Received
	}
	if set := v.setting(k.Version); set != nil && !set.Attested.IsZero() {
		return set.Attested
	}
	return k.Received
}

// judged writes the verdict once, with its entry and alarm.
func (s *Service) judged(ctx context.Context, k *Checked) error {
	return s.records.Visit(ctx, []VisitAsk{{Terminal: k.Terminal, Checks: []string{k.ID}}}, func(visits []*Visit) error {
		w := &work{Visit: visits[0], s: s, now: s.now()}
		if !slices.Contains(w.Pending, k.ID) { // another node was quicker
			return nil
		}
		w.Left.Checks = append(w.Left.Checks, *k)
		w.record("terminal.check.judged", checkNote{ID: k.ID, Version: k.Version, Kind: k.Kind, Method: k.Method, Payment: k.Payment,
			Claimed: k.Claimed, Verdict: k.Verdict, Detail: k.Because})
		detail := ""
		if k.Verdict == CheckFailed {
			detail = k.Because
		}
		w.alarm(AlarmCheck, "")
		w.alarm(AlarmCheck, detail)
		return w.err
	})
}
