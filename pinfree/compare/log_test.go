package compare_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/pinfree/compare"
)

const wholeLine = `{"id": "p1", "at": "2026-03-01T12:00:00+08:00", "amount": {"minor": 1800, "currency": "CNY"}, "method": "card_tap",
 "entry": "scanned", "cvm": "cdcvm", "type": "sale", "offline": false, "risk": "low", "factors": 2, "certificate": true,
 "payer": {"id": "anna", "consent": "given", "contactless": true}, "funding": "card", "account": "acct",
 "card": {"instrument": "tok", "scheme": "unionpay", "kind": "debit", "domestic": true, "issuer": "icbc", "activated": true, "listed": false, "asks_pin": false},
 "merchant": {"mcc": "5411", "no_pin": true, "upgraded": true, "risk": "elevated"},
 "terminal": {"country": "CN", "unattended": true, "purpose": "vending", "quick_pass": true},
 "mandate": {"registered": true, "begun": true, "withdrawn": false, "skipped": false, "notice_hours": 24, "category": "streaming"},
 "figures": {"issuer_payment_limit": 20000, "payer_payment_limit": "none"}, "can": ["phone_password"], "closed": ["store"],
 "result": "approved", "reversed_at": "2026-03-01T05:00:00Z"}`

const smallLine = `{"at":"2026-03-01T04:00:00Z","payer":{"id":"anna"},"amount":{"minor":1,"currency":"CNY"},"method":"card_tap","result":"stopped"}`

func read(text string) ([]compare.Payment, error) {
	log := compare.NewLog(strings.NewReader(text))
	var out []compare.Payment
	for {
		p, err := log.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err
		}
		out = append(out, p)
	}
}

// Every key of a line comes to where the decision looks for it.
func TestLogReadsEveryKey(t *testing.T) {
	t.Parallel()
	got, err := read(strings.ReplaceAll(wholeLine, "\n", " ") + "\n\n" + smallLine)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	at := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	want := compare.Payment{ID: "p1", At: at, Payer: "anna", Amount: money.Of(1800, "CNY"), Method: pinfree.CardTap, Entry: pinfree.Scanned, CVM: pinfree.CDCVM,
		Card:    pinfree.Card{Scheme: "unionpay", Kind: "debit", Domestic: true, Instrument: "tok"},
		Place:   pinfree.Place{MCC: 5411, Country: "CN", Unattended: true, Purpose: "vending", NoPINMerchant: true, UpgradedMerchant: true},
		Subject: pinfree.Subject{Instrument: "tok", Funding: "card", Account: "acct"},
		Layers:  []pinfree.Layer{{Kind: pinfree.LayerStore, State: pinfree.Off}}, Can: pinfree.ByPhonePassword,
		Result: compare.Executed, ReversedAt: at.Add(time.Hour),
		Facts: &pinfree.Facts{Type: "sale", Offline: pinfree.No, Risk: "low", Factors: 2, Certificate: pinfree.Yes, Consent: "given",
			Contactless: pinfree.Yes, MerchantRisk: "elevated", Issuer: "icbc", Activated: pinfree.Yes, Listed: pinfree.No, AsksPIN: pinfree.No,
			QuickPass: pinfree.Yes, Mandate: pinfree.Mandate{Registered: pinfree.Yes, Begun: pinfree.Yes, Withdrawn: pinfree.No,
				Skipped: pinfree.No, NoticeHours: 24, Category: "streaming"}}}
	want.Facts.Figures[pinfree.IssuerPaymentLimit], want.Facts.Figures[pinfree.PayerPaymentLimit] = 20000, pinfree.NoFigure
	got[0].At, got[0].ReversedAt = got[0].At.UTC(), got[0].ReversedAt.UTC()
	if diff := cmp.Diff(want, got[0], cmpopts.EquateComparable(money.Amount{})); diff != "" {
		t.Errorf("payment (-want +got):\n%s", diff)
	}
	if small := got[1]; small.Result != compare.Stopped || *small.Facts != (pinfree.Facts{}) || small.Can == 0 || small.Layers != nil {
		t.Errorf("what is left out is not unknown: %+v", small)
	}
	for _, key := range compare.LogKeys() {
		name := key[strings.LastIndex(key, ".")+1:]
		if !strings.Contains(wholeLine, `"`+name+`"`) && !strings.HasPrefix(key, "figures.") && key != "event" {
			t.Errorf("%s is a key that this test does not read", key)
		}
	}
}

// Whatever a condition may ask in CEL, a log can tell, under the same name.
func TestLogHasEveryVariable(t *testing.T) {
	t.Parallel()
	keys := compare.LogKeys()
	for _, v := range pinfree.Variables() {
		name := v.Name
		if name == "currency" {
			name = "amount.currency"
		}
		if !slices.Contains(keys, name) {
			t.Errorf("%s is no key of a log", name)
		}
	}
}

// Authentications apart from payments need their payer and time alone.
func TestLogEvents(t *testing.T) {
	t.Parallel()
	got, err := read(`{"event":"sca_out_of_band","at":"2026-03-01T04:00:00Z","payer":{"id":"anna"},"card":{"instrument":"tok"}}
{"event":"top_up_with_authentication","at":"2026-03-01T04:00:00Z","payer":{"id":"anna"}}`)
	if err != nil || len(got) != 2 || got[0].Event != pinfree.SCAOutOfBand || got[0].Subject.Instrument != "tok" || got[1].Event != pinfree.ToppedUpAuthenticated {
		t.Errorf("%+v, %v", got, err)
	}
}

// A line that is not understood wholly is not understood at all; the error says
// which line and key.
func TestLogNamesLineAndKey(t *testing.T) {
	t.Parallel()
	edit := func(a, b string) string { return strings.Replace(strings.ReplaceAll(wholeLine, "\n", " "), a, b, 1) }
	tests := []struct{ name, line, key string }{
		{"no object", `[1]`, "line 2"},
		{"no JSON", `{"at": }`, "line 2: at"},
		{"half an object", `{"at": "2026-03-01T04:00:00Z"`, "line 2"},
		{"two objects", smallLine + smallLine, "line 2"},
		{"an unknown key", edit(`"risk"`, `"risc"`), "line 2: risc"},
		{"an unknown key inside", edit(`"issuer"`, `"bank"`), "line 2: card.bank"},
		{"a key of payments with an event", edit(`"id": "p1"`, `"event": "sca_out_of_band"`), "line 2: amount.currency"},
		{"a key twice", edit(`"offline": false`, `"offline": false, "offline": true`), "line 2: offline"},
		{"a key twice inside", edit(`"domestic": true`, `"domestic": true, "domestic": false`), "line 2: card.domestic"},
		{"nested too deep", edit(`"consent": "given"`, `"consent": {"a": {"b": 1}}`), "line 2: payer.consent.a"},
		{"no time", edit(`"at": "2026-03-01T12:00:00+08:00", `, ``), "line 2: at"},
		{"a time without zone", edit(`12:00:00+08:00`, `12:00:00`), "line 2: at"},
		{"no payer", edit(`"id": "anna", `, ``), "line 2: payer.id"},
		{"no amount", edit(`"minor": 1800, `, ``), "line 2: amount"},
		{"an amount of nothing", edit(`1800`, `0`), "line 2: amount"},
		{"a decimal amount", edit(`1800`, `18.00`), "line 2: amount.minor"},
		{"an amount in quotes", edit(`1800`, `"1800"`), "line 2: amount.minor"},
		{"no currency", edit(`, "currency": "CNY"`, ``), "line 2: amount"},
		{"no method", edit(`"method": "card_tap",`, ``), "line 2: method"},
		{"cash", edit(`card_tap`, `cash`), "line 2: method"},
		{"a method that is not there", edit(`card_tap`, `cheque`), "line 2: method"},
		{"a word of another kind", edit(`"given"`, `"yes"`), "line 2: payer.consent"},
		{"a flag in words", edit(`"contactless": true`, `"contactless": "yes"`), "line 2: payer.contactless"},
		{"a negative number", edit(`"factors": 2`, `"factors": -2`), "line 2: factors"},
		{"a code without quotes", edit(`"5411"`, `5411`), "line 2: merchant.mcc"},
		{"a short code", edit(`"5411"`, `"541"`), "line 2: merchant.mcc"},
		{"a country in words", edit(`"country": "CN"`, `"country": "China"`), "line 2: terminal.country"},
		{"a name with capitals", edit(`"unionpay"`, `"UnionPay"`), "line 2: card.scheme"},
		{"a figure that is not there", edit(`issuer_payment_limit`, `height`), "line 2: figures.height"},
		{"a figure in words", edit(`"none"`, `"much"`), "line 2: figures.payer_payment_limit"},
		{"a layer that packs are", edit(`["store"]`, `["regulation"]`), "line 2: closed"},
		{"a list of numbers", edit(`["store"]`, `[1]`), "line 2: closed"},
		{"a way to step up that is not there", edit(`["phone_password"]`, `["shout"]`), "line 2: can"},
		{"a way to step up without a list", edit(`["phone_password"]`, `"phone_password"`), "line 2: can"},
		{"no result", edit(`"result": "approved", `, ``), "line 2: result"},
		{"a result of another kind", edit(`"approved"`, `"ok"`), "line 2: result"},
		{"undone before it was done", edit(`05:00:00Z`, `03:00:00Z`), "line 2: reversed_at"},
		{"undone without having been done", edit(`"approved"`, `"declined"`), "line 2: reversed_at"},
		{"out of order", edit(`12:00:00+08:00`, `11:59:59+08:00`), "line 2: at"},
		{"a line without end", `{"id": "` + strings.Repeat("x", 70_000) + `"}`, "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(smallLine + "\n" + tt.line + "\n" + smallLine)
			var e *mianmi.Error
			if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != tt.key || len(got) != 1 {
				t.Errorf("%d payments, then %v; want %q", len(got), err, tt.key)
			}
		})
	}
}

// No line brings the reader down, and one that is read names its payment wholly.
func FuzzLog(f *testing.F) {
	f.Add(strings.ReplaceAll(wholeLine, "\n", " "))
	f.Add(smallLine + "\n" + smallLine)
	f.Add(`{"event":"sca_out_of_band","at":"2026-03-01T04:00:00Z","payer":{"id":"a"}}`)
	f.Add(`{"at":{"a":{"b":1}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(text)
		if err != nil && mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("an error of another kind: %v", err)
		}
		for _, p := range got {
			if p.At.IsZero() || p.Payer == "" || p.Event == 0 && (!p.Amount.Positive() || p.Method == pinfree.MethodUnknown || p.Result == compare.ResultUnknown) {
				t.Errorf("half a payment was read: %+v", p)
			}
		}
	})
}
