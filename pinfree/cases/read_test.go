package cases

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
)

// A file that is no array of named cases is refused as a whole, and the error
// says where.
func TestReadRefusesFiles(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"nothing", "", "not JSON"},
		{"an object", `{"id": "a"}`, "not an array"},
		{"no cases", `[]`, "0 cases"},
		{"half a file", `[{"id": "a"`, "ends too early"},
		{"a slip of the pen", "[\n{\"id\": \"a\",}\n]", "line 2 is not JSON"},
		{"more after the array", "[{\"id\": \"a\"}]\n\n[]", "line 3: there is more"},
		{"not a number", `[{"id": "a", "given": NaN}]`, "not JSON"},
		{"too long", `["` + strings.Repeat("a", sizeMax) + `"]`, "longer than"},
		{"a case that is a text", `["a"]`, "case 0: \"a\" is not an object"},
		{"a case without a name", `[{"id": "a"}, {"pack": "b"}]`, "case 1: id: is missing"},
		{"a case with an empty name", `[{"id": ""}]`, "case 0: id"},
		{"a case whose name breaks lines", `[{"id": "a\nb"}]`, "case 0: id"},
		{"a case whose name is a number", `[{"id": 7}]`, "case 0: id: 7 is not a text"},
		{"two cases of one name", `[{"id": "a"}, {"id": "b"}, {"id": "a"}]`, "case a: id: is that of cases 0 and 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all, err := Read(strings.NewReader(tt.text))
			if all != nil || !errors.Is(err, mianmi.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %d cases and %v", tt.want, len(all), err)
			}
		})
	}
}

// valid is a case to put a fault into: GIVEN, STEP and EXPECT are filled in.
const valid = `[{"id": "x", "pack": "p", "kind": "KIND", "given": {"currency": "EUR", "channels": ["contactless"] GIVEN},
 "steps": [{"amount_minor": 100}, {"amount_minor": 100 STEP}], "expect": ["pin_free", "pin_free"] TOP}]`

func fill(kind, given, step, top string) string {
	join := func(s string) string {
		if s != "" {
			return ", " + s
		}
		return ""
	}
	return strings.NewReplacer("KIND", kind, "GIVEN", join(given), "STEP", join(step), "TOP", join(top)).Replace(valid)
}

// What cannot be read in a case is named: case, key and value, with what would
// be right. Such a case fails, and the others are replayed all the same.
func TestReadNamesTheFault(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, given, step, top, want string }{
		{"an unknown key of a case", "", "", `"sorce": "x"`, "sorce: unknown key; the keys here are accept_also, derived"},
		{"an unknown key of given", `"per_tx_max": 5`, "", "", "given.per_tx_max: unknown key; the keys here are DF8123"},
		{"an unknown key of a step", "", `"chanel": "remote"`, "", "steps[1].chanel: unknown key; the keys here are amount_minor"},
		{"an unknown key of state", `"state": {"number": 1}`, "", "", "given.state.number: unknown key; the keys here are amount_minor, count, day"},
		{"an unknown key of terminal", `"terminal": {"pin": true}`, "", "", "given.terminal.pin: unknown key"},
		{"an unknown key of a card", "", `"card": {"bin": "6"}`, "", "steps[1].card.bin: unknown key; the keys here are currency, kind, listed"},
		{"a key twice", `"grade": "A", "grade": "B"`, "", "", "given.grade: is there twice"},
		{"an unknown word", `"per_tx_op": "eq"`, "", "", `given.per_tx_op: "eq" is not known; write one of le, lt`},
		{"a word in capitals", `"counter_mode": "Both"`, "", "", `given.counter_mode: "Both" is not known; write one of amount, count, both, none`},
		{"a word that is a number", `"over_action": 1`, "", "", "given.over_action: 1 is not known; write one of step_up, refuse"},
		{"an unknown word in a list", `"reset": ["calendar_day", "full_moon"]`, "", "", `given.reset[1]: "full_moon" is not known; write one of sca_non_remote`},
		{"a word in a list twice", `"reset": ["sca_any", "sca_any"]`, "", "", "given.reset: sca_any is there twice"},
		{"a list that is a word", `"reset": "sca_any"`, "", "", `given.reset: "sca_any" is not a list`},
		{"a number in a list of words", `"excluded": [5]`, "", "", "given.excluded[0]: 5 is not known"},
		{"a name that is none", `"excluded": ["Own Account"]`, "", "", `given.excluded[0]: "Own Account" is not known`},
		{"a fraction", `"per_tx_max_minor": 50.5`, "", "", "given.per_tx_max_minor: 50.5 is not a whole number from 0"},
		{"a fraction that is whole", `"state": {"count": 2.0}`, "", "", "given.state.count: 2.0 is not a whole number from 0"},
		{"an amount twice", "", `"amount_minor": 101`, "", "steps[1].amount_minor: is there twice"},
		{"an exponent", `"per_tx_max_minor": 5e3`, "", "", "given.per_tx_max_minor: 5e3 is not a whole number"},
		{"a negative limit", `"cum_count_max": -1`, "", "", "given.cum_count_max: -1 is not a whole number"},
		{"a number past 64 bits", `"per_tx_max_minor": 99999999999999999999`, "", "", "given.per_tx_max_minor: 99999999999999999999 is not a whole number"},
		{"a number in quotes", `"per_tx_max_minor": "5000"`, "", "", `given.per_tx_max_minor: "5000" is not a whole number`},
		{"null that is no limit", `"grade": null`, "", "", "given.grade: null is not known"},
		{"yes in place of true", `"merchant_enabled": "yes"`, "", "", `given.merchant_enabled: "yes" is neither true nor false`},
		{"a flag of the terminal", `"FF8054": 2`, "", "", "given.FF8054: 2 is not a whole number from 0 to 1"},
		{"an unknown consent", `"payer_enabled": "perhaps"`, "", "", `given.payer_enabled: "perhaps" is not known; write one of true, false, "default_not_confirmed"`},
		{"a currency in small letters", "", `"currency": "eur"`, "", `steps[1].currency: "eur" is not a currency`},
		{"a zone that is not", `"timezone": "Mars/Olympus"`, "", "", `given.timezone: "Mars/Olympus" is not a time zone`},
		{"days without a zone", `"cum_count_max": 1, "reset": ["calendar_day"]`, "", "", "given.timezone: is missing; reset calendar_day needs one"},
		{"a total that is never reset", `"cum_count_max": 1`, "", "", "given.reset: is missing"},
		{"a mode without its limit", `"counter_mode": "amount", "cum_count_max": 1, "reset": ["sca_any"]`, "", "", "given.cum_amount_max_minor: is missing"},
		{"a date that is not", `"effective_from": "2021-02-30"`, "", "", `given.effective_from: "2021-02-30" is not a date`},
		{"a date in words", `"effective_to": "March 2026"`, "", "", `given.effective_to: "March 2026" is not a date`},
		{"a time without its zone", "", `"at": "2022-01-05T08:00:00"`, "", `steps[1].at: "2022-01-05T08:00:00" is not a time`},
		{"qualifiers of one byte", "", `"ctq": "80"`, "", `steps[1].ctq: "80" is not card transaction qualifiers`},
		{"a word on going online without a floor", "", `"online_required": true`, "", "steps[1].online_required: needs reader_contactless_floor_limit"},
		{"an unknown event", "", `"event": "lightning"`, "", `steps[1].event: "lightning" is not known; write one of refund`},
		{"a key of payments in an event", "", `"event": "refund", "risk": "low"`, "", "steps[1].risk: unknown key"},
		{"a claim among payments", "", `"event": "stolen_use", "hours_before_loss_report": 1`, "", "steps[1].event: cases of kind compensation"},
		{"a bucket of no kind", "", `"bucket": 5`, "", "steps[1].bucket: 5 is not a text"},
		{"an answer of another kind", "", "", `"accept_also": ["covered"]`, `accept_also[0]: "covered" is not known; write one of pin_free, step_up`},
		{"an unknown action", "", "", `"expect_terminal_action": "dance"`, `expect_terminal_action: "dance" is not known; write one of ask_online_pin_resubmit`},
		{"a long code", "", "", `"expect_field39": "100"`, "expect_field39"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all, err := Read(strings.NewReader(fill("decision", tt.given, tt.step, tt.top)))
			if err != nil {
				t.Fatal(err)
			}
			c := all[0]
			if !errors.Is(c.Err, mianmi.Invalid) || !strings.Contains(c.Err.Error(), "case x: "+tt.want) {
				t.Fatalf("want %q, got %v", tt.want, c.Err)
			}
			r := c.Check(nil)
			if r.OK || r.Got != "error" || !strings.Contains(r.String(), tt.want) || strings.Contains(r.String(), "\n") {
				t.Errorf("want a line with %q, got %v", tt.want, r)
			}
			if inStep := strings.HasPrefix(tt.want, "steps[1]"); inStep != (r.Step == 1) {
				t.Errorf("the line says step %d", r.Step)
			}
			if again := c.Try(nil); again != r {
				t.Errorf("tried with a pack it is %v", again)
			}
		})
	}
}

// The case that the faults above are put into has none itself.
func TestReadTakesTheValidCase(t *testing.T) {
	t.Parallel()
	all, err := Read(strings.NewReader(fill("decision", "", "", "")))
	if err != nil || all[0].Err != nil {
		t.Fatal(err, all[0].Err)
	}
	if r := all[0].Check(nil); !r.OK || r.String() != "ok x" {
		t.Error(r)
	}
}

// Whole cases that lack something.
func TestReadNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"everything", `{"id": "x"}`, "case x: pack: is missing"},
		{"steps", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "expect": []}`, "steps: is missing"},
		{"no steps", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [], "expect": []}`, "steps: [] is not a list of 1 to"},
		{"an answer", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"event": "refund"}], "expect": []}`, "expect: has 0 answers for 1 steps"},
		{"an amount", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"channel": "remote", "currency": "EUR"}], "expect": ["pin_free"]}`, "steps[0].amount_minor: is missing"},
		{"an amount below zero", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": -100, "channel": "remote", "currency": "EUR"}], "expect": ["pin_free"]}`, "steps[0].amount_minor: -100 is not a whole number from 1"},
		{"an amount of nothing", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": 0, "channel": "remote", "currency": "EUR"}], "expect": ["pin_free"]}`, "steps[0].amount_minor: 0 is not a whole number from 1"},
		{"an amount in cents of a cent", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": 0.5, "channel": "remote", "currency": "EUR"}], "expect": ["pin_free"]}`, "steps[0].amount_minor: 0.5 is not a whole number from 1"},
		{"a channel", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": 1, "currency": "EUR"}], "expect": ["pin_free"]}`, "steps[0].channel: is missing; write one of contactless"},
		{"a currency", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": 1, "channel": "remote"}], "expect": ["pin_free"]}`, "steps[0].currency: is missing"},
		{"one currency", `{"id": "x", "pack": "p", "kind": "decision", "given": {}, "steps": [{"amount_minor": 1, "channel": "remote", "currency": "EUR"}, {"amount_minor": 1, "channel": "remote", "currency": "USD"}], "expect": ["pin_free", "pin_free"]}`, "given.currency: is missing, and the steps are in EUR and USD"},
		{"a window", `{"id": "x", "pack": "p", "kind": "compensation", "given": {}, "steps": [{"event": "stolen_use", "amount_minor": 1, "hours_before_loss_report": 1}], "expect": ["covered"]}`, "given.window_hours: is missing"},
		{"a claim's hours", `{"id": "x", "pack": "p", "kind": "compensation", "given": {"window_hours": 1}, "steps": [{"event": "stolen_use", "amount_minor": 1}], "expect": ["covered"]}`, "steps[0].hours_before_loss_report: is missing"},
		{"a part of an amount", `{"id": "x", "pack": "p", "kind": "compensation", "given": {"window_hours": 1}, "steps": [{"event": "stolen_use", "amount_minor": 1, "hours_before_loss_report": 1}], "expect": ["covered_partially:01"]}`, `expect[0]: "covered_partially:01" is not known; write one of covered, covered_partially:AMOUNT`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all, err := Read(strings.NewReader("[" + tt.text + "]"))
			if err != nil {
				t.Fatal(err)
			}
			if err := all[0].Err; !errors.Is(err, mianmi.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
		})
	}
}

// No bytes make the reader or the replay panic or run on, and whatever is read
// has a result for each case.
func FuzzRead(f *testing.F) {
	for _, name := range files {
		for _, raw := range rawCases(f, name) {
			text, err := json.Marshal([]any{raw})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	byID, answers := shipped(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Read(strings.NewReader(string(text)))
		if err != nil {
			if all != nil || !errors.Is(err, mianmi.Invalid) {
				t.Fatalf("%d cases with error %v", len(all), err)
			}
			return
		}
		for i := range all {
			for _, r := range []Result{all[i].Check(answers), all[i].Try(byID)} {
				if r.ID != all[i].ID || r.OK && all[i].Err != nil || strings.Contains(r.String(), "\n") {
					t.Fatalf("result %+v of case %q with fault %v", r, all[i].ID, all[i].Err)
				}
			}
		}
	})
}
