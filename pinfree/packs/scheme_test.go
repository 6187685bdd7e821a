package packs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

// shipped returns a pack that is shipped, in one of its readings ("": the one
// that it takes).
func shipped(t *testing.T, id, reading string) pinfree.Pack {
	t.Helper()
	all, err := embeddedOnce()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.ID != id {
			continue
		}
		if reading != "" {
			if p, err = p.Take(reading); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	t.Fatalf("pack %s is not shipped", id)
	return pinfree.Pack{}
}

func compiled(t *testing.T, list ...pinfree.Pack) *pinfree.RuleSet {
	t.Helper()
	rs, err := pinfree.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// leave permits every tap, so that a pack that only restricts can be seen alone.
func leave() pinfree.Pack {
	return pinfree.Pack{ID: "leave", Version: 1, Edition: "1", Layer: "scheme", Title: mianmi.Text{ZH: "准许", EN: "leave"},
		Permits: true, Unlimited: true, When: pinfree.Condition{Methods: []string{"card_tap"}},
		Sources: []pinfree.Source{{Title: "t", URL: "https://example.org/", Read: "2026-01-01", Quality: "code"}}}
}

// tap is a tap that the pack alone decides.
func tap(rs *pinfree.RuleSet, minor int64, c money.Currency) pinfree.Input {
	in := pinfree.Input{Amount: money.Of(minor, c), Method: pinfree.CardTap, Rules: rs, Counts: make([]pinfree.Count, rs.Counters()),
		At: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), Can: pinfree.ByTerminalPIN}
	for _, k := range []pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		in.Layers = append(in.Layers, pinfree.Layer{Kind: k, State: pinfree.On, Limits: pinfree.NoLimits()})
	}
	return in
}

// TestReaderLimits proves the operator of each kernel at its limits: Entry
// Point fires at the limit, C-2 above it; both refuse above the transaction limit.
func TestReaderLimits(t *testing.T) {
	t.Parallel()
	known := pinfree.Figures{pinfree.ReaderCVMLimit: 5000, pinfree.ReaderTransactionLimit: 100_000, pinfree.ReaderDeviceLimit: 200_000}
	tests := []struct {
		name, pack, scheme string
		minor              int64
		cvm                pinfree.CVM
		figures            pinfree.Figures
		want               pinfree.Outcome
	}{
		{"Entry Point below its CVM limit", "emv-entry-point", "visa", 4999, 0, known, pinfree.PinFree},
		{"Entry Point at its CVM limit", "emv-entry-point", "visa", 5000, 0, known, pinfree.StepUp},
		{"Entry Point below its transaction limit", "emv-entry-point", "visa", 99_999, 0, known, pinfree.StepUp},
		{"Entry Point at its transaction limit", "emv-entry-point", "visa", 100_000, 0, known, pinfree.Refused},
		{"Entry Point refuses there whatever was verified", "emv-entry-point", "visa", 100_000, pinfree.CDCVM, known, pinfree.Refused},
		{"Entry Point, scheme not known", "emv-entry-point", "", 5000, 0, known, pinfree.StepUp},
		{"Entry Point has no say in kernel C-2", "emv-entry-point", "mastercard", 100_000, 0, known, pinfree.PinFree},
		{"Entry Point without limits set", "emv-entry-point", "visa", 1, 0, pinfree.Figures{}, pinfree.Refused},
		{"Entry Point that has no transaction limit", "emv-entry-point", "visa", 1 << 40, 0,
			pinfree.Figures{pinfree.ReaderCVMLimit: 5000, pinfree.ReaderTransactionLimit: pinfree.NoFigure}, pinfree.StepUp},
		{"C-2 at its CVM limit", "emv-kernel-c2", "mastercard", 5000, 0, known, pinfree.PinFree},
		{"C-2 above its CVM limit", "emv-kernel-c2", "mastercard", 5001, 0, known, pinfree.StepUp},
		{"C-2 at its transaction limit", "emv-kernel-c2", "mastercard", 100_000, 0, known, pinfree.StepUp},
		{"C-2 above its transaction limit", "emv-kernel-c2", "mastercard", 100_001, 0, known, pinfree.Refused},
		{"C-2 above it, verified on the device", "emv-kernel-c2", "mastercard", 200_000, pinfree.CDCVM, known, pinfree.Authenticated},
		{"C-2 above the limit of devices", "emv-kernel-c2", "mastercard", 200_001, pinfree.CDCVM, known, pinfree.Refused},
		{"C-2 without limits set", "emv-kernel-c2", "mastercard", 1, 0, pinfree.Figures{}, pinfree.Refused},
		{"C-2 has no say in other kernels", "emv-kernel-c2", "visa", 300_000, 0, known, pinfree.PinFree},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tap(compiled(t, shipped(t, tt.pack, ""), leave()), tt.minor, "EUR")
			in.Card.Scheme, in.CVM, in.Facts = tt.scheme, tt.cvm, &pinfree.Facts{Figures: tt.figures}
			d := pinfree.Decide(in)
			if d.Outcome != tt.want {
				t.Errorf("want %v, got %v: %+v", tt.want, d.Outcome, d.Reasons)
			}
			for _, w := range d.Reasons {
				if w.Limit != 0 && w.Currency != "EUR" {
					t.Errorf("a figure without its currency: %+v", w)
				}
			}
		})
	}
}

// TestQuickPass proves what a UnionPay terminal's parameters restrict, and that
// nothing of it is assumed when the terminal does not say it.
func TestQuickPass(t *testing.T) {
	t.Parallel()
	const limit = 30_000
	tests := []struct {
		name, reading string
		minor         int64
		change        func(*pinfree.Input)
		want          pinfree.Outcome
	}{
		{"at the limit", "", limit, nil, pinfree.PinFree},
		{"above the limit", "", limit + 1, nil, pinfree.StepUp},
		{"pre-authorisation", "", limit, func(in *pinfree.Input) { in.Facts.Type = "preauth" }, pinfree.PinFree},
		{"refund", "", 1000, func(in *pinfree.Input) { in.Facts.Type = "refund" }, pinfree.StepUp},
		{"type not said", "", 1000, func(in *pinfree.Input) { in.Facts.Type = "" }, pinfree.StepUp},
		{"service off", "", 1000, func(in *pinfree.Input) { in.Facts.QuickPass = pinfree.No }, pinfree.StepUp},
		{"service not said", "", 1000, func(in *pinfree.Input) { in.Facts.QuickPass = pinfree.NotKnown }, pinfree.StepUp},
		{"limit not said", "", 1, func(in *pinfree.Input) { in.Facts.Figures = pinfree.Figures{} }, pinfree.StepUp},
		{"nothing said", "", 1, func(in *pinfree.Input) { in.Facts = nil }, pinfree.StepUp},
		{"verified on the device", "", 200_000, func(in *pinfree.Input) { in.CVM = pinfree.CDCVM }, pinfree.Authenticated},
		{"foreign credit card that asks for a PIN", "", limit, func(in *pinfree.Input) {
			in.Card.Domestic, in.Card.Kind, in.Facts.AsksPIN = false, "credit", pinfree.Yes
		}, pinfree.PinFree},
		{"foreign debit card that does not ask", "", limit, func(in *pinfree.Input) { in.Card.Domestic, in.Facts.AsksPIN = false, pinfree.No }, pinfree.PinFree},
		{"foreign debit card that asks", "", 1, func(in *pinfree.Input) { in.Card.Domestic, in.Facts.AsksPIN = false, pinfree.Yes }, pinfree.StepUp},
		{"foreign debit card, not said", "", 1, func(in *pinfree.Input) { in.Card.Domestic = false }, pinfree.StepUp},
		{"foreign card of unknown kind that asks", "", 1, func(in *pinfree.Input) {
			in.Card.Domestic, in.Card.Kind, in.Facts.AsksPIN = false, "", pinfree.Yes
		}, pinfree.StepUp},
		{"pilot, listed", "pilot_list", 1, func(in *pinfree.Input) { in.Facts.Listed = pinfree.Yes }, pinfree.PinFree},
		{"pilot, not listed", "pilot_list", 1, func(in *pinfree.Input) { in.Facts.Listed = pinfree.No }, pinfree.StepUp},
		{"pilot, not said", "pilot_list", 1, nil, pinfree.StepUp},
		{"list of debit cards, not listed", "debit_list", 1, func(in *pinfree.Input) { in.Facts.Listed = pinfree.No }, pinfree.StepUp},
		{"list of debit cards, a credit card", "debit_list", 1, func(in *pinfree.Input) { in.Card.Kind = "credit" }, pinfree.PinFree},
		{"list of debit cards, kind not known", "debit_list", 1, func(in *pinfree.Input) { in.Card.Kind = "" }, pinfree.StepUp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tap(compiled(t, shipped(t, "cn-unionpay-terminal-qps", tt.reading), leave()), tt.minor, "CNY")
			in.Card = pinfree.Card{Scheme: "unionpay", Kind: "debit", Domestic: true}
			in.Facts = &pinfree.Facts{Type: "sale", QuickPass: pinfree.Yes, Figures: pinfree.Figures{pinfree.TerminalNoPINLimit: limit}}
			if tt.change != nil {
				tt.change(&in)
			}
			if d := pinfree.Decide(in); d.Outcome != tt.want {
				t.Errorf("want %v, got %v: %+v", tt.want, d.Outcome, d.Reasons)
			}
		})
	}
}

// TestStepUpAnswers proves the whole table: code and action for each scheme and
// each terminal.
func TestStepUpAnswers(t *testing.T) {
	t.Parallel()
	const pin, chip, none = "ask_online_pin_resubmit", "switch_to_contact", "decline"
	type line [3]string // code, ARC, action
	nothing, keypad, single, contact, noTap, all := pinfree.TerminalCan{}, pinfree.TerminalCan{OnlinePIN: true},
		pinfree.TerminalCan{OnlinePIN: true, SingleTap: true}, pinfree.TerminalCan{Contact: true},
		pinfree.TerminalCan{OnlinePIN: true, Contact: true}, pinfree.TerminalCan{OnlinePIN: true, SingleTap: true, Contact: true}
	want := map[string]map[pinfree.TerminalCan]line{
		"visa": {nothing: {"1A", "", none}, keypad: {"1A", "", none}, single: {"70", "", pin}, contact: {"1A", "", chip},
			noTap: {"1A", "", chip}, all: {"70", "", pin}},
		"mastercard": {nothing: {"65", "", none}, keypad: {"70", "", pin}, single: {"65", "", pin}, contact: {"65", "", chip},
			noTap: {"65", "", chip}, all: {"65", "", pin}},
		"amex": {nothing: {"1A", "12", none}, keypad: {"1A", "13", pin}, single: {"1A", "13", pin}, contact: {"1A", "12", chip},
			noTap: {"1A", "13", pin}, all: {"1A", "13", pin}},
	}
	rs := compiled(t, shipped(t, "iso8583-step-up", ""))
	for scheme, terminals := range want {
		for can, w := range terminals {
			a, ok := rs.StepUpAnswer(scheme, can)
			if diff := cmp.Diff(w, line{a.Code, a.ARC, a.Action}); diff != "" || !ok {
				t.Errorf("%s at %+v: %s", scheme, can, diff)
			}
		}
	}
	if a, ok := rs.StepUpAnswer("unionpay", all); ok {
		t.Errorf("an answer without a source: %+v", a)
	}
	in := tap(rs, 1, "EUR")
	if d := pinfree.Decide(in); d.Outcome != pinfree.StepUp || d.Reasons[0].Rule != "" {
		t.Errorf("a table of answers decides or explains a payment: %+v", d)
	}
}

// TestUnionPayCompensation proves both readings at their edges.
func TestUnionPayCompensation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, reading string
		claim         pinfree.Claim
		outcome       string
		covered       int64
	}{
		{"2019, at 72 hours", "full_2019", pinfree.Claim{HoursBefore: 72, Minor: 80_000}, "covered", 80_000},
		{"2019, later, confirmed", "full_2019", pinfree.Claim{HoursBefore: 100, Minor: 80_000, Confirmed: true}, "covered", 80_000},
		{"2019, later, not confirmed", "full_2019", pinfree.Claim{HoursBefore: 73, Minor: 80_000}, "not_covered", 0},
		{"2019, no cap", "full_2019", pinfree.Claim{HoursBefore: 1, Minor: 4_000_000, PaidThisYear: 9_000_000}, "covered", 4_000_000},
		{"2018, inside", "capped_2018", pinfree.Claim{HoursBefore: 71, Minor: 80_000}, "covered", 80_000},
		{"2018, later, confirmed", "capped_2018", pinfree.Claim{HoursBefore: 73, Minor: 80_000, Confirmed: true}, "not_covered", 0},
		{"2018, up to the cap", "capped_2018", pinfree.Claim{HoursBefore: 10, Minor: 100_000, PaidThisYear: 2_950_000}, "covered_partially", 50_000},
		{"2018, cap used up", "capped_2018", pinfree.Claim{HoursBefore: 10, Minor: 1, PaidThisYear: 3_000_000}, "not_covered", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := compiled(t, shipped(t, "cn-unionpay-compensation", tt.reading)).Compensations()
			if len(list) != 1 {
				t.Fatalf("%d promises in force", len(list))
			}
			if a := list[0].Award(tt.claim); a.Outcome() != tt.outcome || a.Covered != tt.covered {
				t.Errorf("%s %d: %s", a.Outcome(), a.Covered, a.Words().EN)
			}
		})
	}
}
