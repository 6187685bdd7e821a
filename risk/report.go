package risk

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payer"
)

// Report is what a person says is wrong.
type Report struct {
	Kind string // not_me, no_pin_asked, wrong_amount, device, display, other
	// What it is about. A payer names a payment or nothing; all others name a payment,
	// a terminal or both.
	Payment  mianmi.PaymentID
	Terminal mianmi.TerminalID
	Note     string // at most 500 characters
}

// Reporting is a report as the store takes it: the alarm that it is if there is none
// of its rule and key, and the reporter's allowance.
type Reporting struct {
	Alarm Alarm
	Now   time.Time
	Every time.Duration // after each of these there may be one more
	Burst time.Duration // as many at once as fit into this
}

// ReportedCase is a case that is to be opened about a payer's own payment.
type ReportedCase struct {
	Kind    string // of the report: not_me is a fraud, all else a dispute
	Payment mianmi.PaymentID
	Alarm   mianmi.AlarmID
	Text    string // what the payer wrote, or else what the kind says
}

// CaseRef names a case.
type CaseRef struct {
	ID     mianmi.CaseID
	Number string
}

// Reported is what a report came to.
type Reported struct {
	Alarm Alarm
	Known bool       // there was one of this reporter, kind and subject: it was counted on
	Case  *CaseRef   // that is open about the payment now; nil: none
	Next  []NextStep // what the reporter can do now, the most urgent first
}

// NextStep is something that a reporter can do next.
type NextStep string

// The next steps.
const (
	NextCloseAll      NextStep = "close_pin_free" // the payer's own switch
	NextReportLoss    NextStep = "report_loss"
	NextCloseTerminal NextStep = "close_terminal"
	NextOpenCase      NextStep = "open_case"
)

// reportRule begins the rule of every alarm that a person reported; its kind follows.
const reportRule = "report_"

// reportKinds are what people report, with what the alarm says. Payers, staff and
// terminals use the same names (protocol.Trouble).
var reportKinds = map[string]struct {
	severity Severity
	says     Text
	dispute  bool // of a payment: its payer's report opens a case
}{
	"not_me":       {High, Text{ZH: "有人报告：这笔付款不是本人所为。", EN: "Somebody reports a payment that the payer did not make."}, true},
	"no_pin_asked": {High, Text{ZH: "有人报告：免密已关闭，付款却没有要求密码。", EN: "Somebody reports that no password was asked for though PIN-free is off."}, true},
	"wrong_amount": {Medium, Text{ZH: "有人报告：扣款金额不对。", EN: "Somebody reports a wrong amount."}, true},
	"device":       {High, Text{ZH: "有人报告：终端像是被动过手脚。", EN: "Somebody reports that a terminal looks tampered with."}, false},
	"display":      {High, Text{ZH: "有人报告：终端屏幕显示的与实际不符。", EN: "Somebody reports that a terminal's screen shows something else."}, false},
	"other":        {Medium, Text{ZH: "有人报告异常。", EN: "Somebody reports that something is wrong."}, false},
}

// Bounds of reports.
const (
	reportNoteMax = 500 // characters
	// Ten at once, and twenty in an hour: who sees more than that calls support.
	reportEvery = 3 * time.Minute
	reportBurst = 30 * time.Minute
)

// Report takes what a person says is wrong: an alarm with its entry. There is one of a
// reporter, kind and subject until it is resolved; what is reported again is counted,
// with an entry of its own. A payer's report about an own payment opens a case, or
// leads to the one that there is; when that cannot be done now, the report stands and
// Next says so. Above the allowance of a reporter the error is a Conflict with the
// code "too_many_reports" and RetryAfter.
func (s *Service) Report(ctx context.Context, actor mianmi.Actor, r Report) (Reported, error) {
	own := access.Target{Merchant: actor.Merchant, Store: actor.Store}
	if actor.Is(mianmi.RolePayer) {
		own.Payer = mianmi.PayerID(actor.ID)
	}
	if err := access.Allow(actor, access.AlarmReport, own); err != nil {
		return Reported{}, err
	}
	if err := r.check(); err != nil {
		return Reported{}, err
	}
	a, err := s.reportedBy(ctx, actor, &r)
	if err != nil {
		return Reported{}, err
	}
	var out Reported
	out.Alarm, err = s.Store.Report(ctx, Reporting{Alarm: a, Now: s.now(), Every: reportEvery, Burst: reportBurst}, func(a *Alarm, known bool) (evidence.Entry, error) {
		out.Known = known
		return s.report(actor, a, r.Note)
	})
	if err != nil {
		return Reported{}, err
	}
	s.openReported(ctx, actor, &r, &out)
	out.next(actor, &r)
	out.Alarm = out.Alarm.seenBy(actor)
	return out, nil
}

func (r *Report) check() error {
	if _, ok := reportKinds[r.Kind]; !ok {
		return mianmi.InvalidField("kind", "want not_me, no_pin_asked, wrong_amount, device, display or other")
	}
	switch {
	case !utf8.ValidString(r.Note) || utf8.RuneCountInString(r.Note) > reportNoteMax:
		return mianmi.InvalidField("note", "at most 500 characters")
	case payer.LooksLikeCard(r.Note):
		return mianmi.InvalidField("note", "holds what looks like a card number, which must never be sent")
	case strings.ContainsFunc(r.Note, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }):
		return mianmi.InvalidField("note", "holds control characters")
	}
	return nil
}

// reportedBy makes the alarm that a report is if there is none of its kind yet. What
// the reporter may not see looks as if there were no such thing.
func (s *Service) reportedBy(ctx context.Context, actor mianmi.Actor, r *Report) (Alarm, error) {
	place := Paid{Terminal: r.Terminal}
	switch {
	case r.Payment != "":
		found, err := s.Store.Paid(ctx, []mianmi.PaymentID{r.Payment})
		if err != nil {
			return Alarm{}, err
		}
		p, ok := found[r.Payment]
		if !ok || access.Allow(actor, access.AlarmReport, access.Target{Payer: p.Payer, Merchant: p.Merchant, Store: p.Store}) != nil {
			return Alarm{}, mianmi.InvalidField("payment", "there is no such payment")
		}
		if r.Terminal != "" && r.Terminal != p.Terminal {
			return Alarm{}, mianmi.InvalidField("terminal", "the payment was not made there")
		}
		place = p
	case actor.Is(mianmi.RolePayer):
		if r.Terminal != "" {
			return Alarm{}, mianmi.InvalidField("terminal", "name the payment that you made there")
		}
		place.Payer = mianmi.PayerID(actor.ID)
	case r.Terminal == "":
		return Alarm{}, mianmi.InvalidField("terminal", "name the terminal or the payment that it is about")
	default:
		found, err := s.Store.Sites(ctx, []mianmi.TerminalID{r.Terminal})
		if err != nil {
			return Alarm{}, err
		}
		site, ok := found[r.Terminal]
		if !ok || access.Allow(actor, access.AlarmReport, access.Target{Merchant: site.Merchant, Store: site.Store}) != nil {
			return Alarm{}, mianmi.InvalidField("terminal", "there is no such terminal")
		}
		place.Merchant, place.Store = site.Merchant, site.Store
	}
	subject := string(r.Payment)
	if subject == "" {
		subject = string(r.Terminal)
	}
	a, err := s.reportAlarm(r.Kind, actor.String(), subject)
	a.Payment, a.Payer, a.Terminal, a.Merchant, a.Store = r.Payment, place.Payer, place.Terminal, place.Merchant, place.Store
	if actor.Is(mianmi.RolePayer) { // who reports a shop need not fear that it is told
		a.Merchant, a.Store = "", ""
	}
	return a, err
}

// reportAlarm makes an alarm of what somebody reported, but for what it is about.
func (s *Service) reportAlarm(kind, reporter, subject string) (Alarm, error) {
	now, k := s.now(), reportKinds[kind]
	id, err := mianmi.NewID("am", now, s.Random)
	return Alarm{ID: mianmi.AlarmID(id), Rule: reportRule + kind, Key: strings.TrimSpace(reporter + " " + subject), Severity: k.severity, State: Open, Says: k.says,
		Reporter: reporter, Count: 1, FirstAt: now, LastAt: now, DueAt: now.Add(severities[k.severity.Weight()].within), Version: 1}, err
}

// report makes the entry of a report and puts it into its alarm: it is what shows it.
func (s *Service) report(actor mianmi.Actor, a *Alarm, note string) (evidence.Entry, error) {
	if a.Last != "" {
		a.Version++
		a.Count++
	}
	id, err := s.entryID(a)
	if err != nil {
		return evidence.Entry{}, err
	}
	if a.First == "" {
		a.First = id
	}
	a.Last, a.LastAt, a.Said = id, s.now(), note
	return s.entryAs(id, actor, TypeReported, a)
}

// openReported opens the case of a payer's report about an own payment.
func (s *Service) openReported(ctx context.Context, actor mianmi.Actor, r *Report, out *Reported) {
	k := reportKinds[r.Kind]
	if s.OpenReported == nil || !actor.Is(mianmi.RolePayer) || r.Payment == "" || !k.dispute {
		return
	}
	text := strings.TrimSpace(r.Note)
	if text == "" {
		text = k.says.ZH + " " + k.says.EN
	}
	c, err := s.OpenReported(ctx, actor, ReportedCase{Kind: r.Kind, Payment: r.Payment, Alarm: out.Alarm.ID, Text: text})
	if err != nil {
		s.Log.WarnContext(ctx, "risk: no case could be opened about a report", "alarm", out.Alarm.ID, "error", err)
		return
	}
	out.Case = &c
}

// next says what the reporter can do now.
func (out *Reported) next(actor mianmi.Actor, r *Report) {
	switch {
	case actor.Is(mianmi.RolePayer):
		out.Next = []NextStep{NextCloseAll, NextReportLoss}
		if out.Case == nil {
			out.Next = append(out.Next, NextOpenCase)
		}
	case out.Alarm.Terminal != "" && r.Kind != "wrong_amount":
		out.Next = []NextStep{NextCloseTerminal}
	}
}

// fillReports adds what people at terminals say is wrong. Each is in the log already:
// an alarm of it is opened here, and counted when it is said again.
func (s *Service) fillReports(step *Step, reports []Event) error {
	for i := range reports {
		e := &reports[i]
		kind := "other"
		if _, known := reportKinds[e.Reasons[0]]; known {
			kind = e.Reasons[0]
		}
		a, err := s.reportAlarm(kind, (mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(e.Terminal)}).String(), string(e.Payment))
		if err != nil {
			return err
		}
		a.Payment, a.Payer, a.Terminal, a.Merchant, a.Store = e.Payment, e.Payer, e.Terminal, e.Merchant, e.Store
		a.First, a.Last, a.FirstAt, a.LastAt = e.Entry, e.Entry, e.At, e.At
		entry, err := s.entry(guardian, TypeOpened, &a)
		if err != nil {
			return err
		}
		step.Alarms, step.Entries = append(step.Alarms, a), append(step.Entries, entry)
	}
	return nil
}

// ofShop reports whether a merchant's people or one of its terminals reported.
func ofShop(reporter string) bool {
	role, _, _ := strings.Cut(reporter, ":")
	return slices.ContainsFunc([]mianmi.Role{mianmi.RoleCashier, mianmi.RoleStoreManager, mianmi.RoleMerchantAdmin, mianmi.RoleTerminal},
		func(r mianmi.Role) bool { return r.String() == role })
}
