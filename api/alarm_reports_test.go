package api_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// One button: a payer reports a payment, a case is open and the answer leads to the
// switch that closes everything; a cashier reports the terminal; staff see who did.
func TestReportWithOneButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx, s, p, q := t.Context(), w.shop("晨光超市"), w.person("+8613800000001"), w.person("+8613800000002")
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "A1", 18_00)))
	report := client.AlarmReport{Kind: "not_me", Payment: paid.ID, Note: "我没有去过这家店"}
	first := get[client.AlarmReported](t)(p.app.ReportAlarm(ctx, report))
	if first.Known || first.Count != 1 || first.State != "open" || first.Case == nil || len(first.Next) != 2 || first.Next[0].Do != "close_pin_free" || first.Next[0].Says.ZH == "" {
		t.Fatalf("reported: %+v", first)
	}
	c := get[client.Case](t)(p.app.Case(ctx, first.Case.ID))
	if c.Kind != "fraud" || c.Number != first.Case.Number || c.Queue != "" && c.Queue != "risk" {
		t.Errorf("the case: %+v", c)
	}
	again := get[client.AlarmReported](t)(p.app.ReportAlarm(ctx, report))
	if !again.Known || again.Alarm != first.Alarm || again.Case == nil || again.Case.ID != first.Case.ID || again.Entry == first.Entry {
		t.Errorf("again: %+v", again)
	}
	if step := first.Next[0]; step.Method != http.MethodPost || step.Path != "/v1/payers/"+string(p.ID)+"/pin-free/close" {
		t.Errorf("the next step: %+v", step)
	}
	_, err := q.app.ReportAlarm(ctx, report)
	wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "payment")
	_, err = p.app.ReportAlarm(ctx, client.AlarmReport{Kind: "device", Terminal: s.terminal.ID})
	wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "terminal")

	shown := get[client.AlarmReported](t)(s.admin.ReportAlarm(ctx, client.AlarmReport{Kind: "device", Terminal: s.terminal.ID}))
	if len(shown.Next) != 1 || shown.Next[0].Path != "/v1/terminals/"+string(s.terminal.ID)+"/pin-free/close" {
		t.Errorf("the shop's: %+v", shown)
	}
	if list := get[client.List[client.Alarm]](t)(s.admin.Alarms(ctx, client.AlarmQuery{})); len(list.Items) != 1 || list.Items[0].Rule != "report_device" {
		t.Errorf("the shop sees %+v", list.Items)
	}
	seen := get[client.Alarm](t)(w.operator.Alarm(ctx, first.Alarm))
	if seen.Reporter != "payer:"+string(p.ID) || seen.Said != report.Note || seen.Count != 2 || seen.Rule != "report_not_me" {
		t.Errorf("staff see %+v", seen)
	}
	var told *client.Problem
	for range 20 {
		if _, err = q.app.ReportAlarm(ctx, client.AlarmReport{Kind: "other"}); err != nil {
			break
		}
	}
	wantProblem(t, err, http.StatusTooManyRequests, "too_many_reports", "")
	if !errors.As(err, &told) || told.RetryAfter <= 0 || told.RetryAfter > 3*time.Minute || told.Title == "" {
		t.Errorf("refused: %+v", told)
	}
	if _, err := q.app.ReportAlarm(ctx, client.AlarmReport{Kind: "other", Payment: mianmi.PaymentID("pm0")}); err == nil {
		t.Error("a payment that is none")
	}
}
