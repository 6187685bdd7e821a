package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

// Every refused input is Invalid, names its field in the API's terms, and
// leaves nothing.
func badPayerInput(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	create := func(n payer.NewPayer) error { _, err := w.payers.Create(ctx, w.client, n); return err }
	limits := func(l payer.Limits) error {
		_, err := w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: l})
		return err
	}
	allow := func(a payer.AllowanceInput) error {
		a.Password = password
		_, err := w.payers.GrantAllowance(ctx, who, id, a)
		return err
	}
	instrument := func(n payer.NewInstrument) error {
		_, err := w.payers.AddInstrument(ctx, w.client, id, n)
		return err
	}
	closing := func(b payer.Basis) error { _, err := w.payers.Close(ctx, w.support, id, b); return err }
	before, history := w.all(t, who), w.history(t, who)
	const free = "+8613977777777"
	for _, tt := range []struct {
		field string
		err   error
	}{
		{"phone", create(payer.NewPayer{Phone: "13977777777", Name: "a"})},
		{"phone", create(payer.NewPayer{Phone: "+86139777777", Name: "a"})},
		{"phone", create(payer.NewPayer{Phone: "+8613977777777 ", Name: "a"})},
		{"phone", create(payer.NewPayer{Phone: "+01234567890", Name: "a"})},
		{"name", create(payer.NewPayer{Phone: free})},
		{"name", create(payer.NewPayer{Phone: free, Name: "a\x00b"})},
		{"name", create(payer.NewPayer{Phone: free, Name: " a"})},
		{"name", create(payer.NewPayer{Phone: free, Name: "\xff"})},
		{"name", create(payer.NewPayer{Phone: free, Name: string(bytes.Repeat([]byte("a"), 65))})},
		{"name", create(payer.NewPayer{Phone: free, Name: "card 4111 1111 1111 1111"})},
		{"lang", create(payer.NewPayer{Phone: free, Name: "a", Lang: 9})},
		{"currency", create(payer.NewPayer{Phone: free, Name: "a", Currency: "yuan"})},
		{"password", create(payer.NewPayer{Phone: free, Name: "a", Password: "123456"})},
		{"password", create(payer.NewPayer{Phone: "+8613977274951", Name: "a", Password: "274951"})},
		{"password", create(payer.NewPayer{Phone: free, Name: "a", PinFree: true, RiskVersion: payer.RiskText.Version})},
		{"risk_version", create(payer.NewPayer{Phone: free, Name: "a", PinFree: true, Password: password})},
		{"per_payment", limits(payer.Limits{PerPayment: ptr(-1)})},
		{"day_amount", limits(payer.Limits{DayAmount: ptr(1 << 60)})},
		{"day_count", limits(payer.Limits{DayCount: ptr(100_001)})},
		{"quiet_from", limits(payer.Limits{QuietFrom: 1440, QuietTo: 1})},
		{"quiet_to", limits(payer.Limits{QuietTo: 1441})},
		{"max", allow(payer.AllowanceInput{})},
		{"max", allow(payer.AllowanceInput{Max: money.Of(100_001, "CNY")})},
		{"max.currency", allow(payer.AllowanceInput{Max: money.Of(1, "EUR")})},
		{"merchant", allow(payer.AllowanceInput{Max: money.Of(1, "CNY"), Merchant: "a b"})},
		{"life", allow(payer.AllowanceInput{Max: money.Of(1, "CNY"), Life: -1})},
		{"scheme", instrument(payer.NewInstrument{Scheme: "4111111111111111"})},
		{"kind", instrument(payer.NewInstrument{Scheme: "visa", Kind: "gold"})},
		{"issuer", instrument(payer.NewInstrument{Scheme: "visa", Issuer: "4111111111111111"})},
		{"last4", instrument(payer.NewInstrument{Scheme: "visa", Last4: "4111111111111111"})},
		{"basis.method", closing(payer.Basis{Method: "hearsay", Ref: "1"})},
		{"basis.ref", closing(payer.Basis{Method: payer.ByVideo, Ref: "Zhang San, +8613800000000"})},
		{"basis.ref", closing(payer.Basis{Method: payer.ByVideo, Ref: "4111-1111-1111-1111"})},
		{"payer", func() error { _, err := w.payers.Close(ctx, w.support, "py1'; --", payer.Basis{}); return err }()},
	} {
		wantKind(t, tt.err, mianmi.Invalid, tt.field)
	}
	samePayer(t, "after bad input", w.all(t, who), before)
	if d := cmp.Diff(history, w.history(t, who)); d != "" {
		t.Errorf("bad input is in the record: %s", d)
	}
	must(w.payers.Create(ctx, w.client, payer.NewPayer{Phone: free, Name: "a"}))(t) // no refused creation took the number
}

func payerRights(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who, other := w.payer(t, true), w.payer(t, true)
	id := idOf(who)
	auditor := mianmi.Actor{Role: mianmi.RoleAuditor, ID: "sf9"}
	shopClient := mianmi.Actor{Role: mianmi.RoleAPIClient, ID: "ak2", Merchant: w.merchant.ID, Scopes: mianmi.ScopePay | mianmi.ScopePayers}
	before := w.all(t, who)
	for _, a := range []mianmi.Actor{other, auditor, w.cashier, w.admin, shopClient} {
		_, err := w.payers.Close(ctx, a, id, payer.Basis{})
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.payers.ReportLoss(ctx, a, id, payer.Basis{})
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.payers.IssueCode(ctx, a, id)
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	// Nobody loosens for a payer, not even with the password.
	for _, a := range []mianmi.Actor{other, w.support, w.operator, w.client, mianmi.System("x")} {
		_, err := w.payers.Reopen(ctx, a, id, risked())
		wantKind(t, err, mianmi.Denied, "not_allowed")
		_, err = w.payers.ChangePassword(ctx, a, id, password, "903817")
		wantKind(t, err, mianmi.Denied, "not_allowed")
	}
	_, err := w.payers.Show(ctx, mianmi.Actor{}, id)
	wantKind(t, err, mianmi.Unauthenticated, "")
	_, err = w.payers.Show(ctx, other, id)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	samePayer(t, "after refusals", w.all(t, who), before)
	if v := must(w.payers.Show(ctx, auditor, id))(t); v.Phone[:4] != "****" {
		t.Error("the auditor sees the phone number")
	}
}

// Whatever happens to a payer is in the record with the version that it made,
// and the record holds neither phone, name, password nor code.
func changesAreRecorded(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	a := must(w.payers.OpenAgreement(ctx, who, id, payer.AgreementInput{Merchant: w.merchant.ID, Password: password, ConsentVersion: payer.ConsentText.Version}))(t)
	must(w.payers.CloseAgreement(ctx, who, id, a.ID))(t)
	must(w.payers.AddInstrument(ctx, w.client, id, payer.NewInstrument{Scheme: "unionpay", Last4: "9876"}))(t)
	must(w.payers.GrantAllowance(ctx, who, id, payer.AllowanceInput{Max: money.Of(1, "CNY"), Password: password}))(t)
	must(w.payers.RevokeAllowance(ctx, who, id))(t)
	must(w.payers.Hold(ctx, w.risk, id, payer.HoldOrder{Until: w.clock.Now().Add(time.Hour), Because: payer.HoldCase}))(t)
	must(w.payers.LiftHold(ctx, w.support, id, payer.HoldLifting{Basis: checked}))(t)
	must(w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{DayCount: ptr(2)}}))(t)
	must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	must(w.payers.Reopen(ctx, who, id, risked()))(t)
	for range 5 {
		wantKind(t, w.payers.Verify(ctx, id, "000001"), mianmi.Unauthenticated, "")
	}
	must(w.payers.Unlock(ctx, w.support, id, checked))(t)
	must(w.payers.ReportLoss(ctx, who, id, payer.Basis{}))(t)
	code := must(w.payers.ResetPassword(ctx, w.support, id, checked))(t).Code
	phone := must(w.db.Person(ctx, id))(t).Phone
	must(w.payers.RedeemReset(ctx, payer.RedeemInput{Phone: phone, Code: code, NewPassword: "903817"}))(t)
	must(w.payers.LiftLoss(ctx, w.support, id, checked))(t)
	must(w.payers.ChangePassword(ctx, who, id, "903817", password))(t)

	var want []recorded
	for i, kind := range []string{"created", "agreement.opened", "agreement.closed", "instrument.added", "allowance.granted", "allowance.revoked", "hold.placed", "hold.lifted",
		"limits.changed", "pin_free.closed", "pin_free.reopened", "password.locked", "password.unlocked", "loss.reported",
		"password.reset_issued", "password.reset", "loss.lifted", "password.changed"} {
		want = append(want, recorded{"payer." + kind, int64(i + 1)})
	}
	if d := cmp.Diff(want, w.history(t, who)); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
	for _, e := range must(w.payers.History(ctx, who, id, payer.EntryQuery{}))(t) {
		for _, private := range []string{phone, phone[3:], "张三", password, "903817", "000001", code, "$argon2"} {
			if bytes.Contains(e.Body, []byte(private)) {
				t.Errorf("%s holds %q: %s", e.Type, private, e.Body)
			}
		}
		if e.Subject != string(id) || e.Actor == "" {
			t.Errorf("%s has subject %q and actor %q", e.Type, e.Subject, e.Actor)
		}
	}
}

// Two nodes change one payer at once: each change sees the one before it, so
// versions have no gap and no repeat, and an acknowledged closing stays.
func concurrentPayerChanges(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{NoCoolingOff: true}), t.Context()
	second := w.node(t)
	who := w.payer(t, true)
	id := idOf(who)
	const callers = 24
	errs := make([]error, callers)
	together(callers, func(i int) {
		s := []payerNode{w.payerNode, second}[i%2].payers
		switch i % 4 {
		case 0:
			_, errs[i] = s.Close(ctx, who, id, payer.Basis{})
		case 1:
			_, errs[i] = s.Reopen(ctx, who, id, risked())
		case 2:
			_, errs[i] = s.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{DayCount: ptr(int64(i))}, Password: password,
				RiskVersion: payer.RiskText.Version})
		default:
			_, errs[i] = s.OpenAgreement(ctx, who, id, payer.AgreementInput{Merchant: w.merchant.ID, PerPayment: ptr(int64(i)), Password: password,
				ConsentVersion: payer.ConsentText.Version})
		}
	})
	for _, err := range errs {
		if err == nil {
			continue
		}
		// Five reserved tries at once are a lock, though all were right.
		wantKind(t, err, mianmi.Denied, "password_locked")
	}
	seen := map[int64]int{}
	history := w.history(t, who)
	for _, e := range history {
		seen[e.Version]++
	}
	for v := int64(1); v <= int64(len(history)); v++ {
		if seen[v] != 1 {
			t.Errorf("version %d is in the record %d times", v, seen[v])
		}
	}
	if v := w.status(t, who); v.Version != int64(len(history)) {
		t.Errorf("version %d with %d entries", v.Version, len(history))
	}
	closed := must(w.payers.Close(ctx, who, id, payer.Basis{}))(t)
	if v := must(second.payers.Show(ctx, who, id))(t).Status; v.State != payer.Closed || v.Version != closed.Version {
		t.Errorf("the other node sees %+v after %+v", v, closed)
	}
}
