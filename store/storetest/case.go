package storetest

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	cases "github.com/mianmi/mianmi/support/desk"
	"github.com/mianmi/mianmi/support/files"
)

// Cases is the contract of the support desk on two nodes of one database.
func Cases(t *testing.T, open func(*testing.T) Engine) {
	tests := map[string]func(*testing.T, *caseWorld){
		"who complains again is led to the case that there is": oneCase,
		"a case lives from report to end, step by step":        caseLife,
		"a merchant that reports a payment sees its own part":  caseOfMerchant,
		"a step that was not seen is not passed over":          caseVersions,
		"who sees what of a case":                              caseRights,
		"deadlines are told of once, whoever looks":            caseDeadlines,
		"support acts after its own check, and while it lasts": caseActs,
		"a lost phone is frozen before anybody is asked":       caseLoss,
		"words of people are in no entry":                      caseWords,
		"cases are found by who, what, when and number":        caseFound,
		"bad input is named, and nothing is written":           caseInput,
		"at most twenty cases of a payer in a day":             caseFlood,
		"what is attached is there once, on both nodes":        caseFiles,
		"who reads what is attached":                           caseFilesRights,
		"files of a case have a size in all":                   caseFilesSize,
		"an upload that was cut off leaves nothing":            caseFilesCut,
		"all that is kept on a person is handed out":           personExported,
		"words of what is long over are forgotten":             wordsForgotten,
		"a person is forgotten when nothing hangs on them":     personForgotten,
		"what a case gives is paid once, whoever asks":         casePaysOnce,
		"refunds and payouts never exceed a payment":           casePaysNoMore,
		"above an amount somebody else has to approve":         caseSecondPerson,
		"what the guarantee account lacks is not paid":         caseGuarantee,
		"a refund that was cut off is gone on with":            caseRefundCut,
		"a refund that cannot be leaves nothing behind":        caseRefundRefused,
		"what is paid has bounds":                              casePayLimits,
		"what passed after an OFF is given back by itself":     breachMadeGood,
		"each complaint has one case, whoever looks":           complaintsBeside,
		"what happens at the channel is in the case":           complaintFollowed,
		"a complaint joins the case about its payment":         complaintJoins,
		"a desk that is cut off takes nothing up twice":        complaintCut,
		"a case of nobody is whoever's complained":             caseNamed,
		"what is written for the payer is said once":           caseSays,
		"an answer that does not get through is no answer":     caseUnsaid,
		"a case and its complaint end together, whoever works": caseSaysBeside,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newCaseWorld(t, open(t)))
		})
	}
}

// caseWorld is two nodes on one database, a shop and two persons.
type caseWorld struct {
	clock  *Clock
	node   *Node
	a, b   *cases.Service
	shop   Shop
	p, q   Person
	agent  mianmi.Actor // a support agent with an account
	agent2 mianmi.Actor
	folder *files.Folder // of both
	orders int
	rows   *sql.DB
}

func newCaseWorld(t *testing.T, e Engine) *caseWorld {
	t.Helper()
	w := &caseWorld{clock: NewClock(), rows: Inspect(t, e.DSN)}
	keys := must(secret.New(rand.Reader))(t)
	w.folder = must(files.New(files.Parts{Dir: t.TempDir(), Keys: keys, Random: rand.Reader}))(t)
	for _, s := range []**cases.Service{&w.a, &w.b} {
		w.node = must(NewNode(t.Context(), NodeConfig{DB: e.Open(t), Keys: keys, Clock: w.clock}))(t)
		t.Cleanup(w.node.Payments.Stop)
		*s = must(cases.New(cases.Parts{Store: w.node.DB, Payers: w.node.Payers, Payments: w.node.Payments, Staff: w.node.DB, Keys: keys, Clock: w.clock,
			Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Files: w.folder, Refunds: w.node.Payments, Limits: cases.LimitsDefault}))(t)
	}
	w.shop = must(w.node.NewShop(t.Context(), merchant.Facts{}))(t)
	w.p, w.q = must(w.node.NewPerson(t.Context(), 1000_00))(t), must(w.node.NewPerson(t.Context(), 1000_00))(t)
	for i, agent := range []*mianmi.Actor{&w.agent, &w.agent2} {
		m := must(w.node.Access.CreateStaff(t.Context(), []mianmi.Actor{Operator, Operator2}[i], access.NewStaff{Login: fmt.Sprintf("agent%d", i), Name: "客服", Role: mianmi.RoleSupport}))(t)
		*agent = m.Staff.Actor()
	}
	return w
}

// admin is the shop's.
func (w *caseWorld) admin() mianmi.Actor {
	return mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf8", Merchant: w.shop.Merchant}
}

func (w *caseWorld) pay(t *testing.T, p Person) *payment.Payment {
	t.Helper()
	w.orders++
	paid := must(w.node.Payments.Authorize(t.Context(), w.shop.Manager, p.Tap(w.shop.Terminal, fmt.Sprintf("C%d", w.orders), 12_00)))(t)
	if paid.State != payment.Approved {
		t.Fatalf("paid: %v", paid.State)
	}
	return paid
}

func fraud(p *payment.Payment) cases.NewCase {
	return cases.NewCase{Kind: cases.Fraud, Text: "这笔不是我付的", Links: []cases.NewLink{{Kind: cases.ToPayment, Ref: string(p.ID)}}}
}

func (w *caseWorld) entries(t *testing.T, id mianmi.CaseID) []evidence.Entry {
	t.Helper()
	return must(w.node.DB.Entries(t.Context(), payer.EntryQuery{Bucket: mianmi.BucketOf(string(id)), Subject: string(id), Limit: 200}))(t)
}

// told lists the types of a case's entries, and checks that each bears the next
// version.
func (w *caseWorld) told(t *testing.T, id mianmi.CaseID) (out []string) {
	t.Helper()
	for i, e := range w.entries(t, id) {
		if r := must(cases.ReadRecord(e))(t); r.Version != int64(i)+1 {
			t.Errorf("entry %d of %s bears version %d", i, id, r.Version)
		}
		out = append(out, strings.TrimPrefix(e.Type, "case."))
	}
	return out
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%v, want the code %s", err, code)
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var e *mianmi.Error
	if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != field {
		t.Errorf("%v, want the field %s to be named", err, field)
	}
}

// Ten that report one payment at once, on two nodes, open one case; after its end
// it is opened again, and when that is long ago, another.
func oneCase(t *testing.T, w *caseWorld) {
	paid := w.pay(t, w.p)
	const many = 10
	got := make([]cases.Opened, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			var err error
			if got[i], err = []*cases.Service{w.a, w.b}[i%2].Open(t.Context(), w.p.Actor(), fraud(paid)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	fresh := 0
	for _, o := range got {
		if o.ID != got[0].ID {
			t.Fatalf("two cases: %s, %s", got[0].ID, o.ID)
		}
		if !o.Known {
			fresh++
		}
	}
	id := got[0].ID
	v := must(w.a.Case(t.Context(), Support, id))(t)
	if fresh != 1 || v.Repeats != many-1 || len(v.Notes) != many || len(v.Links) != 1 {
		t.Errorf("%d fresh, %d repeats, %d notes, %d links", fresh, v.Repeats, len(v.Notes), len(v.Links))
	}
	v = must(w.a.Decide(t.Context(), Support, id, cases.Decision{Verdict: cases.Rejected, Text: "是本人支付", Version: v.Version}))(t)
	must(w.a.Move(t.Context(), Support, id, cases.Move{To: cases.Closed, Version: v.Version}))(t)
	w.clock.Add(29 * 24 * time.Hour)
	again := must(w.b.Open(t.Context(), w.p.Actor(), fraud(paid)))(t)
	if again.ID != id || again.State != cases.InProgress || again.Reopened != 1 || again.Verdict != cases.NoVerdict || !again.DecideBy.After(w.clock.Now()) {
		t.Errorf("again: %+v", again.Case)
	}
	v = must(w.a.Decide(t.Context(), Support, id, cases.Decision{Verdict: cases.Rejected, Text: "是本人支付", Version: again.Version}))(t)
	must(w.a.Move(t.Context(), Support, id, cases.Move{To: cases.Closed, Version: v.Version}))(t)
	w.clock.Add(31 * 24 * time.Hour)
	if other := must(w.b.Open(t.Context(), w.p.Actor(), fraud(paid)))(t); other.ID == id || other.Known {
		t.Error("a case that ended long ago was taken up again")
	}
}

func caseLife(t *testing.T, w *caseWorld) {
	ctx, paid := t.Context(), w.pay(t, w.p)
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(paid)))(t)
	if o.Queue != cases.NoQueue || len(o.Number) != 8 || o.Merchant != w.shop.Merchant || o.Rail != "wallet" || o.State != cases.Open {
		t.Errorf("opened: %+v", o.Case)
	}
	v := must(w.a.Assign(ctx, w.agent, o.ID, cases.Assignment{Queue: cases.SupportDesk, Assignee: mianmi.StaffID(w.agent.ID), Version: o.Version}))(t)
	v = must(w.b.Move(ctx, w.agent, o.ID, cases.Move{To: cases.InProgress, Version: v.Version}))(t)
	v = must(w.b.Write(ctx, w.agent, o.ID, cases.NewNote{Key: "1", Audience: cases.ForPayer, Text: "我们正在查这笔付款"}))(t)
	if v.AnsweredAt.IsZero() {
		t.Error("the payer was answered, and nobody noted it")
	}
	v = must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.WaitingMerchant, Version: v.Version, Why: "请商户提供小票"}))(t)
	v = must(w.a.Write(ctx, w.admin(), o.ID, cases.NewNote{Key: "1m", Audience: cases.ForMerchant, Text: "小票编号 8812"}))(t)
	if v.State != cases.InProgress {
		t.Errorf("the merchant answered, and the case is %s", v.State)
	}
	v = must(w.a.Case(ctx, w.agent, o.ID))(t)
	v = must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.WaitingPayer, Version: v.Version}))(t)
	v = must(w.a.Write(ctx, w.p.Actor(), o.ID, cases.NewNote{Key: "p1", Audience: cases.ForPayer, Text: "那时我在家"}))(t)
	if v.State != cases.InProgress {
		t.Errorf("the payer answered, and the case is %s", v.State)
	}
	v = must(w.a.Decide(ctx, w.agent, o.ID, cases.Decision{Verdict: cases.Upheld, Award: paid.Amount, Text: "全额退还", Version: v.Version}))(t)
	must(w.a.Decide(ctx, w.agent, o.ID, cases.Decision{Verdict: cases.Upheld, Award: paid.Amount, Text: "全额退还", Version: v.Version - 1}))(t) // a repeat
	v = must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.Closed, Version: v.Version}))(t)
	must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.Closed, Version: v.Version - 1}))(t) // a repeat
	if v.State != cases.Closed || v.Verdict != cases.Upheld || v.Award != paid.Amount || v.ClosedAt.IsZero() {
		t.Errorf("in the end: %+v", v.Case)
	}
	want := []string{"opened", "assigned", "moved", "noted", "moved", "noted", "moved", "noted", "decided", "moved"}
	if got := w.told(t, o.ID); !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
	_, err := w.a.Write(ctx, w.agent, o.ID, cases.NewNote{Key: "late", Audience: cases.Inside, Text: "x"})
	wantCode(t, err, "case_over")
}

// Two that change one version: the second is told to read first.
func caseVersions(t *testing.T, w *caseWorld) {
	o := must(w.a.Open(t.Context(), w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	to := []cases.State{cases.InProgress, cases.WaitingPayer, cases.WaitingMerchant, cases.WaitingBank}
	faults := make([]error, len(to))
	var all sync.WaitGroup
	for i := range to {
		all.Go(func() {
			_, faults[i] = []*cases.Service{w.a, w.b}[i%2].Move(t.Context(), Support, o.ID, cases.Move{To: to[i], Version: o.Version})
		})
	}
	all.Wait()
	won := 0
	for _, err := range faults {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, "case_changed")
	}
	if v := must(w.a.Case(t.Context(), Support, o.ID))(t); won != 1 || v.Version != o.Version+1 {
		t.Errorf("%d won, version %d", won, v.Version)
	}
}

func caseRights(t *testing.T, w *caseWorld) {
	ctx := t.Context()
	o := must(w.a.Open(ctx, w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	must(w.a.Write(ctx, Support, o.ID, cases.NewNote{Key: "in", Audience: cases.Inside, Text: "疑似盗刷团伙"}))(t)
	must(w.a.Verify(ctx, w.agent, o.ID, cases.NewCheck{Method: "call_back", Asked: []string{"last_payment"}, Passed: true}))(t)
	elsewhere := mianmi.Actor{Role: mianmi.RoleMerchantAdmin, ID: "sf9", Merchant: "mc00000000000000000000000000"}
	for _, a := range []mianmi.Actor{w.q.Actor(), w.admin(), elsewhere, {Role: mianmi.RoleCashier, ID: "sf7", Merchant: w.shop.Merchant, Store: w.shop.Store}, w.shop.Manager} {
		if _, err := w.a.Case(ctx, a, o.ID); mianmi.KindOf(err) != mianmi.NotFound {
			t.Errorf("%s sees it: %v", a, err)
		}
	}
	v := must(w.a.Case(ctx, Support, o.ID))(t)
	v = must(w.a.Move(ctx, Support, o.ID, cases.Move{To: cases.WaitingMerchant, Version: v.Version}))(t)
	if len(v.Notes) != 2 || len(v.Checks) != 1 {
		t.Errorf("the desk sees %d notes, %d checks", len(v.Notes), len(v.Checks))
	}
	m := must(w.a.Case(ctx, w.admin(), o.ID))(t)
	if len(m.Notes) != 0 || len(m.Checks) != 0 || m.Payer != "" || m.OpenedBy != "" || m.Assignee != "" {
		t.Errorf("the merchant sees %+v", m)
	}
	if _, err := w.a.Case(ctx, elsewhere, o.ID); mianmi.KindOf(err) != mianmi.NotFound {
		t.Errorf("another merchant sees it: %v", err)
	}
	p := must(w.a.Case(ctx, w.p.Actor(), o.ID))(t)
	if len(p.Notes) != 1 || len(p.Checks) != 0 || p.Queue != cases.NoQueue {
		t.Errorf("the payer sees %+v", p)
	}
	for _, a := range []mianmi.Actor{w.p.Actor(), w.admin()} {
		if _, err := w.a.Decide(ctx, a, o.ID, cases.Decision{Verdict: cases.Upheld, Text: "好", Version: v.Version}); mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("%s decides: %v", a, err)
		}
		if _, err := w.a.Write(ctx, a, o.ID, cases.NewNote{Key: "n", Audience: cases.Inside, Text: "x"}); mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("%s writes inside: %v", a, err)
		}
		if _, err := w.a.Do(ctx, a, o.ID, cases.Do{Act: cases.CloseAll}); mianmi.KindOf(err) != mianmi.Denied {
			t.Errorf("%s acts: %v", a, err)
		}
	}
}

// Two nodes that look at once tell of a deadline once.
func caseDeadlines(t *testing.T, w *caseWorld) {
	o := must(w.a.Open(t.Context(), w.p.Actor(), fraud(w.pay(t, w.p))))(t)
	look := func() {
		var all sync.WaitGroup
		for _, s := range []*cases.Service{w.a, w.b} {
			all.Go(func() {
				if _, err := s.Escalate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	look()
	if got := w.told(t, o.ID); len(got) != 1 {
		t.Errorf("told before there was a deadline: %q", got)
	}
	w.clock.Add(25 * time.Minute)
	look()
	w.clock.Add(10 * time.Minute)
	look()
	look()
	var words []string
	for _, e := range w.entries(t, o.ID)[1:] {
		words = append(words, must(cases.ReadRecord(e))(t).Deadline)
	}
	if want := []string{"first_answer_due", "first_answer_late"}; !slices.Equal(words, want) {
		t.Errorf("told %q, want %q", words, want)
	}
	must(w.a.Write(t.Context(), Support, o.ID, cases.NewNote{Key: "1", Audience: cases.ForPayer, Text: "在查"}))(t)
	w.clock.Add(100 * time.Hour)
	look()
	all := w.entries(t, o.ID)
	if got := must(cases.ReadRecord(all[len(all)-1]))(t).Deadline; got != "decision_late" {
		t.Errorf("in the end %q", got)
	}
	if n := must(w.a.Escalate(t.Context()))(t); n != 0 {
		t.Errorf("%d cases are still due", n)
	}
}
