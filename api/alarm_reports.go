package api

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/risk"
)

func (s *Server) registerReports() {
	add(s, route{method: "POST", path: "/v1/alarms", name: "reportAlarm", tag: "risk", may: only(ownPeople...).and(mianmi.RolePayer).and(shopPeople...), bodyMax: 8 << 10,
		repeat: firstAnswer, summary: "Report that something is wrong",
		about: "For the one button on the phone and on the console; a terminal reports in its own signed reports. A payer names an own payment or nothing; all others a payment or terminal that they may see. " +
			"There is one alarm of a reporter, kind and subject until it is resolved; what is reported again is counted (known). A payer's not_me opens a case of fraud about the payment, no_pin_asked and " +
			"wrong_amount a dispute, or lead to the one that is open. Ten at once and twenty in an hour may be reported; more is refused (too_many_reports) with Retry-After."}, s.reportAlarm)
}

// ReportBody is what a person says is wrong.
type ReportBody struct {
	Kind     string `json:"kind" enum:"not_me,no_pin_asked,wrong_amount,device,display,other" doc:"not_me: the payer did not make the payment; no_pin_asked: no password was asked for though PIN-free is off; device: the terminal looks tampered with; display: its screen shows something else"`
	Payment  string `json:"payment,omitzero" doc:"pm…"`
	Terminal string `json:"terminal,omitzero" doc:"tm…; of a payer: only with a payment that was made there"`
	Note     string `json:"note,omitzero" doc:"At most 500 characters, no card number; it stays here, the evidence holds its digest"`
}

// Reported is what a report came to.
type Reported struct {
	Alarm string        `json:"alarm" doc:"am…"`
	Says  Text          `json:"says"`
	State string        `json:"state" enum:"open,acknowledged"`
	Known bool          `json:"known" doc:"It was reported before, and counted"`
	Count int64         `json:"count"`
	Entry string        `json:"entry" doc:"Of the evidence, that shows this report"`
	Case  *ReportedCase `json:"case,omitzero" doc:"Open about the payment now"`
	Next  []NextStep    `json:"next" doc:"What the reporter can do now, the most urgent first"`
}

// ReportedCase names a case.
type ReportedCase struct {
	ID     string `json:"id" doc:"cs…"`
	Number string `json:"number" doc:"To read out on the phone"`
}

// NextStep is a request that the reporter can make next.
type NextStep struct {
	Do     string `json:"do" enum:"close_pin_free,report_loss,close_terminal,open_case"`
	Says   Text   `json:"says"`
	Method string `json:"method"`
	Path   string `json:"path"`
}

// nextSteps say what each next step is and where it is done.
var nextSteps = map[risk.NextStep]struct {
	says mianmi.Text
	path func(*risk.Alarm) string
}{
	risk.NextCloseAll: {mianmi.Text{ZH: "立即关闭全部免密支付", EN: "Close everything PIN-free now"},
		func(a *risk.Alarm) string { return "/v1/payers/" + string(a.Payer) + "/pin-free/close" }},
	risk.NextReportLoss: {mianmi.Text{ZH: "手机或卡不在身边：立即挂失", EN: "The phone or card is gone: report the loss now"},
		func(a *risk.Alarm) string { return "/v1/payers/" + string(a.Payer) + "/loss/report" }},
	risk.NextCloseTerminal: {mianmi.Text{ZH: "立即关闭这台终端的免密支付", EN: "Close PIN-free payment at this terminal now"},
		func(a *risk.Alarm) string { return "/v1/terminals/" + string(a.Terminal) + "/pin-free/close" }},
	risk.NextOpenCase: {mianmi.Text{ZH: "登记工单，请客服处理", EN: "Open a case for support to look at"},
		func(*risk.Alarm) string { return "/v1/cases" }},
}

func (s *Server) reportAlarm(ctx context.Context, a mianmi.Actor, in *struct{ Body ReportBody }) (*struct{ Body Reported }, error) {
	r, err := s.Risk.Report(ctx, a, risk.Report{Kind: in.Body.Kind, Payment: mianmi.PaymentID(in.Body.Payment), Terminal: mianmi.TerminalID(in.Body.Terminal), Note: in.Body.Note})
	if err != nil {
		return nil, err
	}
	out := Reported{Alarm: string(r.Alarm.ID), Says: Text{ZH: r.Alarm.Says.ZH, EN: r.Alarm.Says.EN}, State: r.Alarm.State.String(), Known: r.Known, Count: r.Alarm.Count,
		Entry: string(r.Alarm.Last), Next: []NextStep{}}
	if r.Case != nil {
		out.Case = &ReportedCase{ID: string(r.Case.ID), Number: r.Case.Number}
	}
	for _, n := range r.Next {
		step := nextSteps[n]
		out.Next = append(out.Next, NextStep{Do: string(n), Says: textOf(step.says), Method: "POST", Path: step.path(&r.Alarm)})
	}
	return &struct{ Body Reported }{out}, nil
}
