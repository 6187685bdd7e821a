package storetest

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/privacy"
	"github.com/mianmi/mianmi/risk"
	"github.com/mianmi/mianmi/support"
	cases "github.com/mianmi/mianmi/support/desk"
)

// What is looked for in every table.
const (
	privateName  = "司马清"
	privatePhone = "13912345678"
	privateWords = "小票背面写着八八一二"
)

// persons is a case's world with somebody in it who is to be erased.
type persons struct {
	*caseWorld
	who Person
	s   *privacy.Service
	log *evidence.Log
}

func newPersons(t *testing.T, w *caseWorld) *persons {
	t.Helper()
	ctx := t.Context()
	key := must(evidence.NewKey("log.example", bytes.Repeat([]byte{7}, 32)))(t)
	p := &persons{caseWorld: w, log: evidence.NewLog(w.node.DB, key, w.clock)}
	v := must(w.node.Payers.Create(ctx, Backend, payer.NewPayer{Phone: "+86" + privatePhone, Name: privateName, Password: PaymentPassword, PinFree: true, RiskVersion: payer.RiskText.Version}))(t)
	p.who.ID = v.Status.Payer
	in := must(w.node.Payers.AddInstrument(ctx, Backend, p.who.ID, payer.NewInstrument{Scheme: "unionpay", Kind: "debit", Domestic: true, Last4: "8642"}))(t)
	p.who.Card = in.ID
	must(w.node.Payments.TopUp(ctx, Operator, payment.TopUpRequest{Payer: p.who.ID, Key: "first", Amount: money.Of(25_00, "CNY")}))(t)
	p.s = must(privacy.New(privacy.Parts{Store: w.node.DB, Files: w.folder, Keys: w.node.Keys, Clock: w.clock, Random: rand.Reader, Keep: 30 * 24 * time.Hour}))(t)
	return p
}

// refused asks for an erasure, which is refused, and changes nothing.
func (p *persons) refused(t *testing.T, code string) {
	t.Helper()
	before := p.found(t, privatePhone)
	_, err := p.s.Erase(t.Context(), Operator, p.who.ID, "DSR-2026-7")
	wantKind(t, err, mianmi.Conflict, code)
	if after := p.found(t, privatePhone); !slices.Equal(before, after) || len(after) == 0 {
		t.Errorf("%s: the phone number was in %v, and is in %v", code, before, after)
	}
	if code == "kept_by_law" && !strings.Contains(fmt.Sprint(err), p.clock.Now().UTC().Add(30*24*time.Hour).Format(time.DateOnly)) {
		t.Errorf("it does not say until when: %v", err)
	}
}

// found lists the tables and columns that hold a text.
func (p *persons) found(t *testing.T, text string) (out []string) {
	t.Helper()
	query := `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`
	if p.node.DB.Engine() == "sqlite" {
		query = `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1`
	}
	rows := must(p.rows.QueryContext(t.Context(), query))(t)
	defer rows.Close() //nolint:errcheck // a test's
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil || len(tables) < 60 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		out = append(out, p.columns(t, table, text)...)
	}
	return out
}

func (p *persons) columns(t *testing.T, table, text string) (out []string) {
	t.Helper()
	rows := must(p.rows.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`))(t)
	defer rows.Close() //nolint:errcheck // a test's
	names := must(rows.Columns())(t)
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			if at := table + "." + names[i]; strings.Contains(fmt.Sprint(v), text) && !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// export reads what is handed out, by the name of the file.
func (p *persons) export(t *testing.T, a mianmi.Actor) map[string]string {
	t.Helper()
	e := must(p.s.Export(t.Context(), a, p.who.ID))(t)
	z := must(zip.NewReader(bytes.NewReader(e.Zip), int64(len(e.Zip))))(t)
	out := map[string]string{}
	for _, f := range z.File {
		r := must(f.Open())(t)
		out[f.Name] = string(must(io.ReadAll(r))(t))
		if strings.HasSuffix(f.Name, ".json") && !json.Valid([]byte(out[f.Name])) {
			t.Errorf("%s is no JSON", f.Name)
		}
	}
	return out
}

// personExported: staff are handed all, the person what is the person's, a stranger
// nothing; and each handing out is recorded.
func personExported(t *testing.T, w *caseWorld) {
	p, ctx := newPersons(t, w), t.Context()
	paid := w.pay(t, p.who)
	o := must(w.a.Open(ctx, p.who.Actor(), fraud(paid)))(t)
	must(w.a.Attach(ctx, p.who.Actor(), o.ID, cases.NewFile{Name: "a.txt", Audience: cases.ForPayer, Content: []byte(privateWords)}))(t)
	must(w.a.Write(ctx, w.agent, o.ID, cases.NewNote{Key: "n", Audience: cases.Inside, Text: "别让他知道"}))(t)

	all, own := p.export(t, Operator), p.export(t, p.who.Actor())
	for name, holds := range map[string]string{"person.json": privateName, "payments.json": string(paid.ID), "top_ups.json": "2500", "case_notes.json": "不是我付的",
		"instruments.json": "8642", "log.json": "payer.created", "account.json": `"balance": 1300`, "agreements.json": "[]"} {
		if !strings.Contains(all[name], holds) || !strings.Contains(own[name], holds) {
			t.Errorf("%s does not hold %s: %s", name, holds, own[name])
		}
	}
	files := 0
	for name, content := range own {
		if strings.HasPrefix(name, "files/") && strings.HasSuffix(name, "-a.txt") && content == privateWords {
			files++
		}
		if strings.Contains(content, "别让他知道") || strings.Contains(content, "$argon2") {
			t.Errorf("the person is handed %s", name)
		}
	}
	if _, alarms := own["alarms.json"]; files != 1 || alarms || !strings.Contains(all["case_notes.json"], "别让他知道") || all["alarms.json"] == "" {
		t.Errorf("%d files for the person, alarms %v; staff have %s", files, alarms, all["case_notes.json"])
	}
	for _, a := range []mianmi.Actor{Support, w.q.Actor(), w.admin(), Backend} {
		_, err := p.s.Export(ctx, a, p.who.ID)
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = p.s.Erase(ctx, a, p.who.ID, "DSR-2026-7")
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	_, err := p.s.Erase(ctx, p.who.Actor(), p.who.ID, "DSR-2026-7")
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = p.s.Export(ctx, Operator, "py0")
	wantKind(t, err, mianmi.NotFound, "")
	for _, basis := range []string{"", "a b", strings.Repeat("x", 65), "tel-139-1234-5678", "4111111111111111"} {
		_, err := p.s.Erase(ctx, Operator, p.who.ID, basis)
		wantKind(t, err, mianmi.Invalid, "basis")
	}
	exported := 0
	for _, e := range must(w.node.DB.Entries(ctx, payer.EntryQuery{Bucket: p.who.ID.Bucket(), Subject: string(p.who.ID), Limit: 200}))(t) {
		if e.Type == privacy.TypeExported {
			exported++
		}
	}
	if exported != 2 {
		t.Errorf("%d exports are recorded", exported)
	}
}

// personForgotten: each thing that hangs on a person keeps it from being erased, with
// a code of its own; then nothing of it is in any table, and the log is as it was.
func personForgotten(t *testing.T, w *caseWorld) {
	p, ctx := newPersons(t, w), t.Context()
	p.busy(t)
	for range 2 { // what was sequenced verifies
		for must(p.log.Sequence(ctx))(t).Entries > 0 {
		}
	}
	before := must(w.node.DB.Leaves(ctx, 0, 1000))(t)
	for text, least := range map[string]int{privateName: 2, privatePhone: 1, privateWords: 4, "8642": 1} {
		if at := p.found(t, text); len(at) < least {
			t.Fatalf("%q is in %v: the test looks for nothing", text, at)
		}
	}
	if w.kept(t) != 1 {
		t.Fatalf("%d files", w.kept(t))
	}
	w.clock.Add(31 * 24 * time.Hour)
	id := must(p.s.Erase(ctx, Operator, p.who.ID, "DSR-2026-7"))(t)
	_, err := p.s.Erase(ctx, Operator, p.who.ID, "DSR-2026-7")
	wantKind(t, err, mianmi.NotFound, "")
	for _, text := range []string{privateName, privatePhone, privateWords, `"8642"`, "别让他知道"} {
		if at := p.found(t, text); len(at) > 0 {
			t.Errorf("%q is still in %v", text, at)
		}
	}
	w.sweep(t)
	if w.kept(t) != 0 {
		t.Errorf("%d files are left", w.kept(t))
	}
	for must(p.log.Sequence(ctx))(t).Entries > 0 {
	}
	after := must(w.node.DB.Leaves(ctx, 0, 1000))(t)
	if len(after) != len(before)+1 || after[len(before)].ID != id || !bytes.Contains(after[len(before)].Bytes, []byte("DSR-2026-7")) {
		t.Fatalf("%d entries, then %d", len(before), len(after))
	}
	for i := range before {
		if !bytes.Equal(before[i].Bytes, after[i].Bytes) {
			t.Errorf("entry %s changed", before[i].ID)
		}
	}
	(&desk{a: w.node}).verified(t, p.log, after)
	if left := p.export(t, Operator); left["person.json"] != "[]" || !strings.Contains(left["payments.json"], "approved") && !strings.Contains(left["payments.json"], "amount") {
		t.Errorf("what is left: %s", left["person.json"])
	}
}

// busy gives the person one thing after the other that hangs on them, and ends it.
func (p *persons) busy(t *testing.T) {
	t.Helper()
	ctx, w, pays := t.Context(), p.caseWorld, p.node.Payments
	paid := w.pay(t, p.who)
	must(w.node.Payers.OpenAgreement(ctx, p.who.Actor(), p.who.ID, payer.AgreementInput{Merchant: w.shop.Merchant, ConsentVersion: payer.ConsentText.Version, Password: PaymentPassword}))(t)
	p.refused(t, "pin_free_on")
	must(w.node.Payers.Close(ctx, p.who.Actor(), p.who.ID, noBasis))(t)
	p.refused(t, "balance_left")
	confirm := func(minor int64) mianmi.PaymentID {
		w.orders++
		q := must(pays.Authorize(ctx, w.shop.Manager, p.who.Tap(w.shop.Terminal, fmt.Sprintf("C%d", w.orders), minor)))(t)
		must(pays.Confirm(ctx, p.who.Actor(), q.ID, PaymentPassword))(t)
		return q.ID
	}
	confirm(13_00)
	p.refused(t, "agreements_open")
	list := must(w.node.DB.Agreements(ctx, p.who.ID))(t)
	must(w.node.Payers.CloseAgreement(ctx, p.who.Actor(), p.who.ID, list[0].ID))(t)
	w.orders++
	q := must(pays.Authorize(ctx, w.shop.Manager, p.who.Tap(w.shop.Terminal, fmt.Sprintf("C%d", w.orders), 1_00)))(t)
	p.refused(t, "payments_open")
	w.clock.Add(2 * time.Minute)
	must(pays.ExpireOverdue(ctx))(t)
	if q = must(w.node.DB.Payment(ctx, q.ID))(t); q.State != payment.Expired {
		t.Fatalf("the step-up is %v", q.State)
	}
	must(pays.Refund(ctx, w.shop.Manager, paid.ID, payment.RefundRequest{RefundNo: "r", Amount: money.Of(1_00, "CNY"), Reason: "退给" + privateName}))(t)
	confirm(1_00)

	o := must(w.a.Open(ctx, p.who.Actor(), cases.NewCase{Kind: cases.Fraud, Text: privateWords, Links: []cases.NewLink{{Kind: cases.ToPayment, Ref: string(paid.ID)}}}))(t)
	must(w.a.Attach(ctx, p.who.Actor(), o.ID, cases.NewFile{Name: privateWords + ".txt", Audience: cases.ForPayer, Content: []byte(privateWords)}))(t)
	k := must(w.a.Write(ctx, w.agent, o.ID, cases.NewNote{Key: "n", Audience: cases.Inside, Text: "别让他知道"}))(t)
	p.refused(t, "cases_open")
	k = must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.InProgress, Version: k.Version}))(t)
	k = must(w.a.Decide(ctx, w.agent, o.ID, cases.Decision{Verdict: cases.Rejected, Text: privateName, Version: k.Version}))(t)
	must(w.a.Move(ctx, w.agent, o.ID, cases.Move{To: cases.Closed, Version: k.Version}))(t)
	w.a.Limits.Alone = 0
	gift := must(w.a.Order(ctx, w.agent, o.ID, cases.NewPayout{Key: "g", Source: cases.FromGuarantee, Amount: money.Of(1_00, "CNY"), Basis: cases.OnGoodwill}))(t)
	p.refused(t, "payouts_open")
	must(w.a.Refuse(ctx, w.agent2, gift.ID))(t)

	cs := must(support.New(support.Parts{Store: w.node.DB, Payments: pays, Keys: w.node.Keys, Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}))(t)
	c := must(cs.Complain(ctx, p.who.Actor(), p.who.ID, support.NewComplaint{Key: "k", Payment: paid.ID, Problem: support.OtherProblem, Text: privateWords}))(t)
	p.refused(t, "complaints_open")
	_, _, err := cs.Write(ctx, p.who.Actor(), p.who.ID, c.ID, support.Message{Key: "w", What: support.Withdraws})
	if err != nil {
		t.Fatal(err)
	}
	p.alarmed(t)
	p.refused(t, "kept_by_law")
}

// alarmed is an alarm about the person, and its end.
func (p *persons) alarmed(t *testing.T) {
	t.Helper()
	ctx, now := t.Context(), p.clock.Now()
	if _, held, err := p.node.DB.Follow(ctx, "me", time.Minute); err != nil || !held {
		t.Fatal(held, err)
	}
	id := must(mianmi.NewID("al", now, rand.Reader))(t)
	e := evidence.Entry{ID: mianmi.EntryID(must(mianmi.NewID("en", now, rand.Reader))(t)), At: now, Type: "alarm.opened", Subject: id, Actor: mianmi.System("risk").String(), Body: []byte("{}")}
	err := p.node.DB.Found(ctx, risk.Step{Holder: "me", Next: 1, Entries: []evidence.Entry{e}, Alarms: []risk.Alarm{{ID: mianmi.AlarmID(id), Rule: "r", Key: "k",
		Severity: risk.High, State: risk.Open, Payer: p.who.ID, Count: 1, First: e.ID, Last: e.ID, FirstAt: now, LastAt: now, Version: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p.refused(t, "alarms_open")
	must(p.node.DB.ChangeAlarm(ctx, mianmi.AlarmID(id), func(a *risk.Alarm) (*evidence.Entry, error) {
		a.State, a.ResolvedAt, a.ResolvedBy, a.Note = risk.Resolved, now, Operator.String(), privateWords
		a.Version++
		return &evidence.Entry{ID: mianmi.EntryID(must(mianmi.NewID("en", now, rand.Reader))(t)), At: now, Type: risk.TypeResolved, Subject: id, Actor: Operator.String(), Body: []byte("{}")}, nil
	}))(t)
}
