package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/pinfree"
)

// explained is what a test reads of the JSON.
type explained struct {
	Outcome string
	By      []string
	Reasons []struct {
		Reason, Rule  string
		Limit, Actual int64
		Sources       []struct{ URL string }
		Words         map[string]struct{ ZH, EN string }
	}
	Packs    []explainedPack
	Counters []struct {
		Counter       string
		Number, Minor int64
	}
}

type explainedPack struct {
	Pack, Applies string
	Covers        bool
	Limits        []struct {
		Rule, Meant string
		Stops       bool
	}
}

// The flags tell the payment that is decided: each changes the decision as the
// rule says, and the binding reason has words for everybody in both languages.
func TestRulesExplain(t *testing.T) {
	t.Parallel()
	code := []string{"--amount=18", "--method=payment_code", "--entry=scanned"}
	tap := []string{"--amount=50.00", "--method=card_tap", "--scheme=unionpay", "--kind=debit", "--domestic", "--no-pin-merchant", "--upgraded-merchant"}
	euro := []string{"--amount=50.00", "--currency=EUR", "--method=card_tap", "--country=DE", "--mcc=5411", "--scheme=visa"}
	tests := []struct {
		name    string
		base    []string
		more    []string
		outcome string
		reason  string
	}{
		{"a small code passes", code, nil, "pin_free", "within_limits"},
		{"a code without its entry asks", code[:2], nil, "step_up", "code_typed"},
		{"ten codes today are enough", code, []string{"--used=cn-wechat-paycode-2025/day=10:90.00"}, "step_up", "rule_count_limit"},
		{"so are ten in every counter", code, []string{"--used=10:90.00"}, "step_up", "rule_count_limit"},
		{"one counter goes before all", code, []string{"--used=cn-wechat-paycode-2025/day=2:3.00", "--used=10:90.00"}, "pin_free", "within_limits"},
		{"a counter that nobody knows asks", code, []string{"--used=unknown"}, "step_up", "layer_unknown"},
		{"an upgraded merchant's tap", tap, []string{"--amount=1000.00"}, "pin_free", "within_limits"},
		{"one cent more", tap, []string{"--amount=1000.01"}, "step_up", "rule_per_payment_limit"},
		{"before the pack's dates", tap, []string{"--at=2018-05-31T23:59"}, "step_up", "no_rule_covers"},
		{"at a time that is none, which no dated pack covers", tap, []string{"--at=0001-01-01T00:00:00Z"}, "step_up", "no_rule_covers"},
		{"on its first day", tap, []string{"--at=2018-06-01T00:00"}, "pin_free", "within_limits"},
		{"the same in another zone", tap, []string{"--at=2018-05-31T16:00:00Z"}, "pin_free", "within_limits"},
		{"an EU tap", euro, nil, "pin_free", "within_limits"},
		{"an EU tap, the sixth", euro, []string{"--used=eu-rts-art11/taps=5:20.00"}, "step_up", "rule_count_limit"},
		{"an EU tap in China", euro, []string{"--country=CN"}, "step_up", "no_rule_covers"},
		{"only some packs", code, []string{"--packs=eu-rts-art11"}, "step_up", "no_rule_covers"},
		{"the payer closed it", code, []string{"--payer=off"}, "step_up", "payer_closed"},
		{"the payer lost the phone", code, []string{"--payer=frozen"}, "step_up", "payer_frozen"},
		{"the payer reopens", code, []string{"--payer=cooling_off"}, "step_up", "payer_cooling_off"},
		{"nobody knows", code, []string{"--payer=unknown"}, "step_up", "layer_unknown"},
		{"the payer's own limit", code, []string{"--own-each=17.99"}, "step_up", "own_per_payment_limit"},
		{"the payer's own day", code, []string{"--own-day=100", "--own-used=1:82.01"}, "step_up", "own_day_amount_limit"},
		{"the payer's own number", code, []string{"--own-number=2", "--own-used=2:3.00"}, "step_up", "own_day_count_limit"},
		{"the payer sleeps", code, []string{"--quiet=22:00-07:00", "--at=2026-01-31T23:00"}, "step_up", "quiet_hours"},
		{"the payer is awake", code, []string{"--quiet=22:00-07:00", "--at=2026-01-31T21:00"}, "pin_free", "within_limits"},
		{"the shop closed it", code, []string{"--closed=merchant,risk"}, "step_up", "merchant_closed"},
		{"nobody can ask", code, []string{"--payer=off", "--can=none"}, "refused", "no_step_up_possible"},
		{"already verified", code, []string{"--cvm=phone_password"}, "authenticated", "already_verified"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"rules", "explain", "--json"}, without(tt.base, tt.more)...)
			r := newWorld(t).run(t, append(args, tt.more...)...)
			var got explained
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitOK {
				t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
			}
			if got.Outcome != tt.outcome || got.Reasons[0].Reason != tt.reason {
				t.Errorf("%s because of %s, want %s because of %s", got.Outcome, got.Reasons[0].Reason, tt.outcome, tt.reason)
			}
			if first := got.Reasons[0]; (first.Rule != "") != (len(first.Sources) > 0) {
				t.Errorf("rule %q is written in %v", first.Rule, first.Sources)
			}
			if (len(got.By) > 0) != (tt.outcome == "step_up") {
				t.Errorf("ways to step up: %v", got.By)
			}
			for _, who := range []string{"payer", "cashier", "support"} {
				if w := got.Reasons[0].Words[who]; w.ZH == "" || w.EN == "" {
					t.Errorf("no words for the %s: %+v", who, got.Reasons[0].Words)
				}
			}
		})
	}
}

// without leaves out the flags that more gives again.
func without(base, more []string) []string {
	return slices.DeleteFunc(slices.Clone(base), func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		return slices.ContainsFunc(more, func(m string) bool { return strings.HasPrefix(m, name+"=") })
	})
}

// Facts that the flags can tell reach the packs: an operator's own pack asks
// for each of them.
func TestRulesExplainFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ cel, flag string }{
		{"type == 'sale'", "--type=sale"},
		{"offline", "--offline=yes"},
		{"risk == 'low'", "--risk=low"},
		{"factors == 2", "--factors=2"},
		{"certificate", "--certificate=yes"},
		{"payer.consent == 'given'", "--consent=given"},
		{"!payer.contactless", "--contactless=no"},
		{"card.issuer == 'icbc'", "--issuer=icbc"},
		{"card.kind == 'debit'", "--kind=debit"},
		{"card.activated", "--activated=yes"},
		{"card.listed", "--listed=yes"},
		{"card.asks_pin", "--asks-pin=yes"},
		{"merchant.risk == 'high'", "--merchant-risk=high"},
		{"merchant.mcc == 5411", "--mcc=5411"},
		{"terminal.quick_pass", "--quick-pass=yes"},
		{"terminal.unattended", "--unattended"},
		{"terminal.purpose == 'vending'", "--purpose=vending"},
		{"mandate.registered", "--mandate-registered=yes"},
		{"mandate.begun", "--mandate-begun=yes"},
		{"mandate.withdrawn", "--mandate-withdrawn=yes"},
		{"mandate.skipped", "--mandate-skipped=yes"},
		{"mandate.notice_hours == 24", "--mandate-notice=24"},
		{"mandate.category == 'card_bill'", "--mandate-category=card_bill"},
	} {
		t.Run(tt.cel, func(t *testing.T) {
			t.Parallel()
			name := strings.TrimPrefix(tt.flag, "--")
			file := w.file(t, name+".yaml", strings.NewReplacer("CEL", tt.cel).Replace(factPack))
			args := []string{"rules", "explain", "--json", "--amount=18", "--method=payment_code", "--entry=scanned", "--pack", file,
				"--figure=agreed_day_limit=18.00"}
			for want, args := range map[string][]string{"yes": append(slices.Clone(args), tt.flag), "": args} {
				r := w.run(t, args...)
				var got explained
				if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
					t.Fatalf("status %d, %v: %s", r.code, err, r.stderr)
				}
				i := slices.IndexFunc(got.Packs, func(p explainedPack) bool { return p.Pack == "fact" })
				if got.Packs[i].Applies == "yes" != (want == "yes") || got.Packs[i].Limits[0].Stops {
					t.Errorf("%v: %+v", args, got.Packs[i])
				}
			}
		})
	}
}

const factPack = `
id: fact
version: 1
edition: "1"
layer: issuer
jurisdiction: CN
title: {zh: 试, en: Trial}
zone: Asia/Shanghai
permits: true
sources: [{title: t, url: "https://example.org/", read: "2026-01-01", quality: unverified}]
when: {methods: [payment_code], currencies: [CNY], cel: "CEL"}
limits:
  - {id: figure, title: {zh: 一, en: One}, amount: {at_most_of: agreed_day_limit}, above: step_up}
`

// The page tells in both languages what binds and which packs do not apply and
// why, on 80 columns.
func TestRulesExplainPage(t *testing.T) {
	t.Parallel()
	for lang, words := range map[string][]string{
		"en": {"decision: step-up", "currencies: wants EUR, has CNY", "¥1200.00 <= ¥1000.00", "付款人", "payer", "source   UnionPay International"},
		"zh": {"判定：升级验证", "currencies：要求 EUR，实为 CNY", "¥1200.00 <= ¥1000.00", "付款人", "payer", "来源     UnionPay International"},
	} {
		r := newWorld(t).run(t, "rules", "explain", "--amount=1200", "--method=card_tap", "--scheme=unionpay", "--no-pin-merchant",
			"--upgraded-merchant", "--lang", lang)
		if line, bad := tooWide(r.stdout); bad || r.code != exitOK {
			t.Errorf("%s: status %d, %s, too wide: %q", lang, r.code, r.stderr, line)
		}
		for _, want := range words {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: %q is not told:\n%s", lang, want, r.stdout)
			}
		}
	}
}

// Bad input names its flag.
func TestRulesExplainNamesTheFlag(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--amount=1,5", "--amount=0", "--amount=-1", "--currency=yuan", "--method=cash", "--method=", "--entry=read", "--cvm=smile",
		"--type=gift", "--at=noon", "--offline=maybe", "--risk=some", "--scheme=Visa", "--kind=Debit Card", "--issuer=工行",
		"--activated=1", "--listed=1", "--asks-pin=1", "--country=China", "--mcc=54", "--purpose=A", "--merchant-risk=x", "--quick-pass=x",
		"--closed=payer", "--closed=nobody", "--payer=asleep", "--consent=yes", "--contactless=x", "--own-each=x", "--own-day=x", "--own-number=x",
		"--own-used=3", "--quiet=22-7", "--factors=-1", "--certificate=x", "--mandate-registered=x", "--mandate-begun=x", "--mandate-withdrawn=x",
		"--mandate-skipped=x", "--mandate-notice=-1", "--mandate-category=X", "--used=3", "--used=x:1", "--figure=height=3", "--figure=agreed_day_limit", "--can=shout"} {
		name, _, _ := strings.Cut(flag, "=")
		base := without([]string{"--amount=18", "--method=payment_code"}, []string{flag})
		r := newWorld(t).run(t, append(append([]string{"rules", "explain"}, base...), flag)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, name) {
			t.Errorf("%s: status %d, %s", flag, r.code, r.stderr)
		}
	}
	for _, flag := range []string{"--packs=nope", "--pack=nope.yaml", "--packs-dir=nowhere", "--used=nope=1:1", "--used=eu-rts-art11/taps=1:1.001"} {
		name, _, _ := strings.Cut(flag, "=")
		r := newWorld(t).run(t, "rules", "explain", "--amount=18", "--method=payment_code", flag)
		if r.code != exitFailed || !strings.Contains(r.stderr, name) {
			t.Errorf("%s: status %d, %s", flag, r.code, r.stderr)
		}
	}
}

// The words in the help are those that are read: every method and verification.
func TestRulesExplainHelpNamesAllWords(t *testing.T) {
	t.Parallel()
	help := newWorld(t).run(t, "rules", "explain", "--help", "--lang=en").stdout
	plain := strings.Join(strings.Fields(help), " ")
	for _, list := range [][]string{methodNames(), cvmNames(), pinfree.TransactionTypes, pinfree.Consents, pinfree.Risks} {
		for _, word := range list {
			if !strings.Contains(plain, word) {
				t.Errorf("help does not name %s", word)
			}
		}
	}
}
