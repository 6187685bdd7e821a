package pinfree

import (
	"testing"
)

// FuzzExpression proves that no text of a condition brings the compiler or a
// decision down, and that three-valued logic is sound: what is true or false
// with facts left out is the same when they are known.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"offline", "!offline && risk == 'low'", "card.issuer in ['icbc']", "factors < 1.5", "'a' == 'ab'",
		"mandate.notice_hours >= 24 || mandate.category == card.issuer", "[card.issuer, risk] == ['icbc', 'low']", "1 in [factors, 2]",
		"(offline ? 'a' : risk) != card.issuer", "card.issuer < 'x' ? offline : !offline", "null == null", "{card.issuer: 1} == {'icbc': factors}"} {
		f.Add(s, int64(1), "icbc", uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, factors int64, issuer string, flag uint8) {
		var flaws faults
		m := flaws.compileCondition("when", &Condition{CEL: text})
		if flaws.err() != nil {
			return
		}
		known := &Facts{Factors: factors, Issuer: issuer, Offline: Flag(flag % 3), Risk: "low", Mandate: Mandate{NoticeHours: factors}}
		ask := func(more *Facts) tri {
			f := &facts{method: CardTap, currency: &yuan, card: &Card{}, place: &Place{}, more: more}
			if m.expression != nil && m.expression.eval(f) != m.expression.interpret(f) {
				t.Fatalf("%q: asked directly %d, CEL says %d", text, m.expression.eval(f), m.expression.interpret(f))
			}
			return m.match(f)
		}
		one := ask(known)
		if again := ask(known); again != one {
			t.Fatalf("%q: %d and then %d", text, one, again)
		}
		less := &Facts{Mandate: Mandate{NoticeHours: factors}}
		if without := ask(less); without != perhaps && without != one {
			t.Fatalf("%q: %d without the facts, %d with them", text, without, one)
		}
	})
}
