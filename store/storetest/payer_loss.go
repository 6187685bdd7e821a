package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
)

func lossAndLift(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	must(w.payers.GrantAllowance(ctx, who, id, payer.AllowanceInput{Max: money.Of(100, "CNY"), Password: password}))(t)
	stolen := must(w.access.StartSession(ctx, who))(t)
	lost := must(w.node(t).payers.ReportLoss(ctx, w.support, id, checked))(t)
	if lost.State != payer.Frozen || lost.Settings.PinFree || lost.Allowance != nil || lost.Pending != nil {
		t.Errorf("frozen: %+v", lost)
	}
	_, err := w.access.Authenticate(ctx, stolen.Token)
	wantKind(t, err, mianmi.Unauthenticated, "")
	same(t, "reported twice", must(w.payers.ReportLoss(ctx, who, id, payer.Basis{}))(t), lost)
	if err := w.payers.Verify(ctx, id, password); err != nil {
		t.Errorf("a payment with the password: %v", err)
	}
	_, err = w.payers.Reopen(ctx, who, id, risked())
	wantKind(t, err, mianmi.Conflict, "frozen")
	_, err = w.payers.GrantAllowance(ctx, who, id, payer.AllowanceInput{Max: money.Of(100, "CNY"), Password: password})
	wantKind(t, err, mianmi.Conflict, "frozen")
	_, err = w.payers.OpenAgreement(ctx, who, id, payer.AgreementInput{Merchant: w.merchant.ID, Password: password, ConsentVersion: payer.ConsentText.Version})
	wantKind(t, err, mianmi.Conflict, "frozen")

	_, err = w.payers.LiftLoss(ctx, who, id, checked)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	_, err = w.payers.LiftLoss(ctx, w.support, id, payer.Basis{})
	wantKind(t, err, mianmi.Invalid, "basis.method")
	_, err = w.payers.LiftLoss(ctx, w.support, id, payer.Basis{Method: payer.OnRiskCase, Ref: "R1"})
	wantKind(t, err, mianmi.Invalid, "basis.method")
	_, err = w.payers.LiftLoss(ctx, w.support, id, checked)
	wantKind(t, err, mianmi.Conflict, "password_unchanged")

	reset := must(w.payers.ResetPassword(ctx, w.support, id, checked))(t)
	phone := must(w.db.Person(ctx, id))(t).Phone
	redeem := payer.RedeemInput{Phone: phone, Code: reset.Code, NewPassword: "903817"}
	for name, bad := range map[string]payer.RedeemInput{
		"a wrong code":     {Phone: phone, Code: "000000000000", NewPassword: "903817"},
		"no code":          {Phone: phone, NewPassword: "903817"},
		"an unknown phone": {Phone: "+8613999999999", Code: reset.Code, NewPassword: "903817"},
	} {
		if _, err := w.payers.RedeemReset(ctx, bad); !errors.Is(err, mianmi.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(w.payers.RedeemReset(ctx, redeem))(t)
	_, err = w.payers.RedeemReset(ctx, redeem)
	wantKind(t, err, mianmi.Unauthenticated, "reset_failed")
	wantKind(t, w.payers.Verify(ctx, id, password), mianmi.Unauthenticated, "password_wrong")

	lifted := must(w.payers.LiftLoss(ctx, w.support, id, checked))(t)
	if lifted.State != payer.Closed || lifted.Settings.PinFree || lifted.Pending != nil {
		t.Errorf("lifted: %+v, want PIN-free off until the payer reopens", lifted)
	}
	v := must(w.payers.Reopen(ctx, who, id, payer.ReopenInput{Password: "903817", RiskVersion: payer.RiskText.Version}))(t)
	if v.State != payer.CoolingOff {
		t.Errorf("reopened: %+v", v)
	}
	late := must(w.payers.ResetPassword(ctx, w.support, id, checked))(t)
	w.clock.Add(15 * time.Minute)
	_, err = w.payers.RedeemReset(ctx, payer.RedeemInput{Phone: phone, Code: late.Code, NewPassword: "903817"})
	wantKind(t, err, mianmi.Unauthenticated, "reset_failed")
}

func allowanceDies(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who := w.payer(t, false)
	id := idOf(who)
	grant := payer.AllowanceInput{Max: money.Of(3000, "CNY"), Merchant: w.merchant.ID, Password: password}
	for name, tighten := range map[string]func() (payer.Status, error){
		"revoked":      func() (payer.Status, error) { return w.payers.RevokeAllowance(ctx, who, id) },
		"closed again": func() (payer.Status, error) { return w.payers.Close(ctx, who, id, payer.Basis{}) },
		"a lower limit": func() (payer.Status, error) {
			return w.payers.SetLimits(ctx, who, id, payer.LimitsInput{Limits: payer.Limits{DayCount: ptr(2)}})
		},
		"its time ended": func() (payer.Status, error) { w.clock.Add(15 * time.Minute); return w.status(t, who), nil },
		"agreement closed": func() (payer.Status, error) {
			a := must(w.payers.OpenAgreement(ctx, who, id, payer.AgreementInput{Merchant: w.merchant.ID, Password: password,
				ConsentVersion: payer.ConsentText.Version}))(t)
			_, err := w.payers.CloseAgreement(ctx, who, id, a.ID)
			return w.status(t, who), err
		},
	} {
		given := must(w.payers.GrantAllowance(ctx, who, id, grant))(t)
		if a := given.Allowance; a == nil || a.Max != grant.Max || a.Merchant != grant.Merchant || !a.ExpiresAt.Equal(w.clock.Now().Add(15*time.Minute)) {
			t.Fatalf("%s: granted %+v", name, given.Allowance)
		}
		if given.State != payer.Closed {
			t.Errorf("%s: an allowance opened the switch: %+v", name, given)
		}
		if v := must(tighten())(t); v.Allowance != nil {
			t.Errorf("%s: the allowance lives: %+v", name, v.Allowance)
		}
	}
}

func agreements(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{}), t.Context()
	who, other := w.payer(t, true), w.payer(t, true)
	id := idOf(who)
	in := payer.AgreementInput{Merchant: w.merchant.ID, PerPayment: ptr(3000), ConsentVersion: payer.ConsentText.Version, Password: password}
	change := func(f func(*payer.AgreementInput)) payer.AgreementInput {
		c := in
		f(&c)
		return c
	}
	for _, tt := range []struct {
		in   payer.AgreementInput
		kind mianmi.Kind
		what string
	}{
		{change(func(i *payer.AgreementInput) { i.ConsentVersion = "consent-old" }), mianmi.Conflict, "text_changed"},
		{change(func(i *payer.AgreementInput) { i.ConsentVersion = "" }), mianmi.Invalid, "consent_version"},
		{change(func(i *payer.AgreementInput) { i.Password = "111112" }), mianmi.Unauthenticated, "password_wrong"},
		{change(func(i *payer.AgreementInput) { i.PerPayment = ptr(0) }), mianmi.Invalid, "per_payment"},
		{change(func(i *payer.AgreementInput) { i.Merchant = "mc0" }), mianmi.NotFound, ""},
	} {
		_, err := w.payers.OpenAgreement(ctx, who, id, tt.in)
		wantKind(t, err, tt.kind, tt.what)
	}
	if list := must(w.payers.Agreements(ctx, who, id))(t); len(list) != 0 {
		t.Errorf("refused agreements are listed: %+v", list)
	}
	opened := must(w.payers.OpenAgreement(ctx, who, id, in))(t)
	same(t, "opened twice", must(w.payers.OpenAgreement(ctx, who, id, in))(t), opened)
	same(t, "listed", must(w.payers.Agreements(ctx, who, id))(t), []payer.Agreement{opened})

	_, err := w.payers.CloseAgreement(ctx, other, idOf(other), opened.ID)
	wantKind(t, err, mianmi.NotFound, "")
	_, err = w.payers.CloseAgreement(ctx, other, id, opened.ID)
	wantKind(t, err, mianmi.Denied, "not_allowed")
	w.clock.Add(time.Minute)
	closed := must(w.payers.CloseAgreement(ctx, w.support, id, opened.ID))(t)
	want := opened
	want.Open, want.ClosedAt, want.Version = false, w.clock.Now(), 2
	same(t, "closed", closed, want)
	w.clock.Add(time.Minute)
	same(t, "closed twice", must(w.payers.CloseAgreement(ctx, who, id, opened.ID))(t), want)
	if v := w.status(t, who); v.State != payer.Open {
		t.Errorf("closing an agreement closed the switch: %+v", v)
	}
	again := must(w.payers.OpenAgreement(ctx, who, id, in))(t)
	if again.ID != opened.ID || !again.Open || again.Version != 3 || !again.ClosedAt.IsZero() || !again.OpenedAt.Equal(w.clock.Now()) {
		t.Errorf("opened again: %+v", again)
	}
}

func paymentCodes(t *testing.T, nodes Nodes) {
	w, ctx := newPayerWorld(t, nodes, payer.Config{CodesMax: 3}), t.Context()
	who := w.payer(t, true)
	id := idOf(who)
	second := w.node(t)
	const callers = 12
	codes, errs := make([]payer.IssuedCode, callers), make([]error, callers)
	together(callers, func(i int) {
		node := []payerNode{w.payerNode, second}[i%2]
		codes[i], errs[i] = node.payers.IssueCode(ctx, who, id)
	})
	seen := map[string]bool{}
	for i, err := range errs {
		if err != nil {
			wantKind(t, err, mianmi.Conflict, "too_many_codes")
			var e *mianmi.Error
			if errors.As(err, &e) && e.RetryAfter != time.Minute {
				t.Errorf("try again after %v, want a minute", e.RetryAfter)
			}
			continue
		}
		b, err := payer.ParseCode(codes[i].Digits)
		if err != nil || b != id.Bucket() || !codes[i].ExpiresAt.Equal(w.clock.Now().Add(time.Minute)) {
			t.Errorf("code of %d digits until %v has bucket %d, %v", len(codes[i].Digits), codes[i].ExpiresAt, b, err)
		}
		seen[codes[i].Digits] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different codes live, want 3", len(seen))
	}
	w.clock.Add(time.Minute)
	for range 3 {
		must(w.payers.IssueCode(ctx, who, id))(t)
	}
	must(w.payers.ReportLoss(ctx, who, id, payer.Basis{}))(t)
	for range 3 { // the live ones are gone, so there is room at once
		must(w.payers.IssueCode(ctx, who, id))(t)
	}
}
