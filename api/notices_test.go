package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// An inbox tells of payments as they stand and of what was recorded, in order, in
// pages that neither repeat nor leave out, and counts what was not read.
func TestNotices(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, s, p := t.Context(), w.shop(`晨光"{{.}}{why}`), w.person("+8613800000001")
		agent := w.login(get[client.Enrolment](t)(w.operator.CreateStaff(ctx, client.NewStaff{Login: "agent.one", Name: "客服", Role: mianmi.RoleSupport.String()})))
		consent := get[client.Texts](t)(w.anyone.Texts(ctx)).Consent.Version
		paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "N1", 18_00)))
		w.clock.step(1e9)
		refused := get[client.Payment](t)(s.pos.Authorize(ctx, client.Authorization{Terminal: s.terminal.ID, OrderNo: "N2", Amount: paid.Amount, Method: "payment_code",
			Entry: "typed", Code: w.code(p)}))
		w.clock.step(1e9)
		get[client.Agreement](t)(p.app.OpenAgreement(ctx, client.Me, client.NewAgreement{Merchant: s.merchant.ID, ConsentVersion: consent, Password: pin}))
		w.clock.step(1e9)
		c := get[client.Case](t)(agent.OpenCase(ctx, client.NewCase{Kind: "loss", Payer: p.ID, Text: "手机被偷"}))
		get[client.CaseActed](t)(agent.ActForPayer(ctx, c.ID, client.CaseAct{Act: "report_loss"}))

		var all []client.Notice
		for before, n := "", 0; ; n++ {
			page := get[client.Notices](t)(w.operator.Notices(ctx, p.ID, before, 2))
			if page.Unread != 4 || n > 5 {
				t.Fatalf("page %d: %d unread", n, page.Unread)
			}
			all = append(all, page.Items...)
			if before = page.Next; before == "" {
				break
			}
		}
		var got []string
		for _, n := range all {
			got = append(got, n.Kind)
			if !n.Unread || n.Title.ZH == "" || n.Title.EN == "" || n.Text.ZH == "" || n.Text.EN == "" {
				t.Errorf("%+v", n)
			}
		}
		if want := "loss agreement waiting pin_free"; strings.Join(got, " ") != want {
			t.Fatalf("told of %v, want %s", got, want)
		}
		loss, agreed, waits, free := all[0], all[1], all[2], all[3]
		if !loss.Security || loss.Text.EN != "Support reported a loss. Everything PIN-free was frozen at once; payments need the password." || loss.Hint == nil {
			t.Errorf("the loss: %+v", loss)
		}
		if agreed.Text.ZH != "你开通了与"+s.merchant.Name+"的免密签约。" || agreed.Merchant != s.merchant.ID || agreed.Agreement == "" {
			t.Errorf("the agreement: %+v", agreed)
		}
		if waits.Payment != refused.ID || free.Payment != paid.ID || free.UndoUntil == nil || !free.UndoUntil.After(paid.CreatedAt) || free.Hint == nil {
			t.Errorf("the payments: %+v, %+v", waits, free)
		}
		if !strings.HasPrefix(free.Text.ZH, "7月3日 10:0") || !strings.Contains(free.Text.ZH, s.store.Name+"免密支付 ¥18.00。") {
			t.Errorf("a name is read as a template: %q", free.Text.ZH)
		}

		get[client.Payment](t)(s.pos.Reverse(ctx, paid.ID))
		must(t, p.login(w).SeeNotices(ctx, client.Me, waits.ID))
		must(t, p.app.SeeNotices(ctx, client.Me, free.ID)) // it never goes back
		page := get[client.Notices](t)(p.app.Notices(ctx, client.Me, "", 0))
		if k := page.Items; page.Unread != 2 || !k[0].Unread || !k[1].Unread || k[2].Unread || k[3].Kind != "returned" || k[3].ID != free.ID || k[3].UndoUntil != nil {
			t.Errorf("after reading: %d unread, %+v", page.Unread, page.Items)
		}
		other := w.person("+8613800000002")
		_, err := other.app.Notices(ctx, p.ID, "", 0)
		wantProblem(t, err, http.StatusForbidden, "not_allowed", "")
		wantProblem(t, other.app.SeeNotices(ctx, p.ID, free.ID), http.StatusNotFound, "not_found", "")
		for _, id := range []string{"x", "en1", "py" + free.ID[2:], free.ID + "00", strings.ToUpper(free.ID), "pm" + strings.Repeat("'", 28)} {
			wantProblem(t, p.app.SeeNotices(ctx, client.Me, id), http.StatusUnprocessableEntity, "invalid", "upto")
			_, err := p.app.Notices(ctx, client.Me, id, 0)
			wantProblem(t, err, http.StatusUnprocessableEntity, "invalid", "before")
		}
	})
}

// login starts another session of a person, whose former ones have ended.
func (p *person) login(w *world) *client.Client {
	w.t.Helper()
	p.app = w.anyone.As(get[client.Session](w.t)(w.anyone.LoginPayer(w.t.Context(), p.phone, pin)).Token)
	return p.app
}

// A stream tells of what is new as it happens; taken up again, of what came
// meanwhile; and a payer has no more of them than are allowed.
func TestNoticeEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	ctx, s, p := t.Context(), w.shop("晨光超市"), w.person("+8613800000001")
	app := p.app
	follow := func(after string) (<-chan client.NoticeEvent, <-chan error) {
		events, ended := make(chan client.NoticeEvent, 100), make(chan error, 1)
		go func() {
			ended <- app.NoticeEvents(ctx, client.Me, after, func(e client.NoticeEvent) error {
				events <- e
				return nil
			})
		}()
		return events, ended
	}
	events, ended := follow("")
	if e := <-events; e.Unread == nil || *e.Unread != 0 || e.ID != "" {
		t.Fatalf("the stream begins with %+v", e)
	}
	paid := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "E1", 18_00)))
	told := <-events
	if told.Notice == nil || told.Notice.Payment != paid.ID || told.Notice.Kind != "pin_free" || told.ID == "" {
		t.Fatalf("after a payment the stream tells %+v", told)
	}
	if e := <-events; e.Unread == nil || *e.Unread != 1 {
		t.Errorf("then %+v", e)
	}
	get[client.Payment](t)(s.pos.Reverse(ctx, paid.ID))
	if e := <-events; e.Notice == nil || e.Notice.ID != told.Notice.ID || e.Notice.Kind != "returned" {
		t.Errorf("after the reversal %+v", e)
	}

	// Long after, another stream of the same device: only what came since.
	w.clock.step(60e9)
	second := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "E2", 5_00)))
	for e := range events {
		if e.Notice != nil && e.Notice.Payment == second.ID {
			told = e
			break
		}
	}
	w.clock.step(60e9)
	third := get[client.Payment](t)(s.pos.Authorize(ctx, w.scan(s, p, "E3", 6_00)))
	again, _ := follow(told.ID)
	var got []mianmi.PaymentID
	for e := range again {
		if e.Notice == nil {
			break
		}
		got = append(got, e.Notice.Payment)
	}
	if len(got) != 2 || got[0] != second.ID || got[1] != third.ID {
		t.Errorf("taken up again: %v, want %s once more and %s", got, second.ID, third.ID)
	}
	for range 2 {
		more, _ := follow("")
		<-more
	}
	_, refused := follow("")
	wantProblem(t, <-refused, http.StatusTooManyRequests, "too_many_requests", "")
	wantProblem(t, app.NoticeEvents(ctx, client.Me, "yesterday", nil), http.StatusUnprocessableEntity, "invalid", "Last-Event-ID")
	w.server.Stop()
	must(t, <-ended)
}
