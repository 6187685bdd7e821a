package pinfree_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

func drawBound(t *rapid.T, name string) pinfree.Bound {
	return pinfree.Bound{Op: pinfree.Op(rapid.IntRange(0, 3).Draw(t, name+" op")), N: rapid.Int64Range(0, 400_000).Draw(t, name)}
}

func drawLayer(t *rapid.T, kind pinfree.LayerKind) pinfree.Layer {
	l := pinfree.Layer{
		Kind: kind, ID: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "id"), Version: rapid.Int64Range(0, 3).Draw(t, "version"),
		State:   rapid.SampledFrom([]pinfree.State{pinfree.On, pinfree.On, pinfree.On, pinfree.Off, pinfree.Unknown, 9}).Draw(t, "state"),
		Because: rapid.SampledFrom([]pinfree.Reason{0, 0, pinfree.PayerFrozen, pinfree.OneOffAllowance, pinfree.IncompleteInput}).Draw(t, "because"),
		Refuse:  rapid.IntRange(0, 9).Draw(t, "refuse") == 0,
		Limits:  pinfree.NoLimits(),
	}
	if rapid.Bool().Draw(t, "limited") {
		l.Limits = pinfree.Limits{
			Currency:   rapid.SampledFrom([]money.Currency{"CNY", "CNY", "EUR", ""}).Draw(t, "currency"),
			PerPayment: drawBound(t, "per payment"), DayAmount: drawBound(t, "day amount"), DayCount: drawBound(t, "day count"),
			Quiet: pinfree.Quiet{From: rapid.IntRange(0, 1439).Draw(t, "from"), To: rapid.IntRange(0, 1439).Draw(t, "to")},
		}
	}
	return l
}

func drawCount(t *rapid.T) pinfree.Count {
	return pinfree.Count{Number: rapid.Int64Range(-1, 12).Draw(t, "number"), Minor: rapid.Int64Range(-1, 120_000).Draw(t, "minor")}
}

func drawFlag(t *rapid.T, name string) pinfree.Flag {
	return rapid.SampledFrom([]pinfree.Flag{pinfree.NotKnown, pinfree.No, pinfree.Yes}).Draw(t, name)
}

func drawWord(t *rapid.T, name string, words []string) string {
	return rapid.SampledFrom(append([]string{""}, words...)).Draw(t, name)
}

func drawFacts(t *rapid.T) *pinfree.Facts {
	f := &pinfree.Facts{
		Type: drawWord(t, "type", pinfree.TransactionTypes), Offline: drawFlag(t, "offline"), Consent: drawWord(t, "consent", pinfree.Consents),
		Contactless: drawFlag(t, "contactless"), Risk: drawWord(t, "risk", pinfree.Risks), MerchantRisk: drawWord(t, "merchant risk", pinfree.Risks),
		Factors: rapid.Int64Range(0, 3).Draw(t, "factors"), Certificate: drawFlag(t, "certificate"),
		Issuer:    drawWord(t, "issuer", []string{"icbc", "cmb", "vivid", "hlb", "citi"}),
		Activated: drawFlag(t, "activated"), Listed: drawFlag(t, "listed"), AsksPIN: drawFlag(t, "asks PIN"), QuickPass: drawFlag(t, "quick pass"),
		Mandate: pinfree.Mandate{Registered: drawFlag(t, "registered"), Begun: drawFlag(t, "begun"), Withdrawn: drawFlag(t, "withdrawn"),
			Skipped: drawFlag(t, "skipped"), NoticeHours: rapid.Int64Range(0, 48).Draw(t, "notice"),
			Category: drawWord(t, "category", []string{"insurance_premium", "streaming"})},
	}
	for i := range f.Figures {
		f.Figures[i] = rapid.SampledFrom([]int64{0, 100, 5000, 100_000, pinfree.NoFigure}).Draw(t, "figure")
	}
	return f
}

// drawInput draws a complete payment, most often one that could pass.
func drawInput(t *rapid.T, rs *pinfree.RuleSet) pinfree.Input {
	in := pinfree.Input{
		Amount: money.Of(rapid.Int64Range(1, 400_000).Draw(t, "amount"), rapid.SampledFrom([]money.Currency{"CNY", "CNY", "CNY", "EUR"}).Draw(t, "currency")),
		Method: rapid.SampledFrom([]pinfree.Method{pinfree.PaymentCode, pinfree.CardTap, pinfree.CardInsert, pinfree.CardSwipe,
			pinfree.DynamicQR, pinfree.StaticQR, pinfree.Remote, pinfree.MandateDebit, pinfree.DeviceWallet, pinfree.ATM}).Draw(t, "method"),
		Entry: rapid.SampledFrom([]pinfree.Entry{pinfree.Scanned, pinfree.Scanned, pinfree.Typed, pinfree.EntryUnknown}).Draw(t, "entry"),
		CVM:   rapid.SampledFrom([]pinfree.CVM{pinfree.NoCVM, pinfree.NoCVM, pinfree.OnlinePIN, pinfree.PhonePassword, 42}).Draw(t, "cvm"),
		Card:  pinfree.Card{Scheme: rapid.SampledFrom([]string{"unionpay", "visa", ""}).Draw(t, "scheme"), Instrument: "ci1"},
		Place: pinfree.Place{MCC: 5411, Country: rapid.SampledFrom([]string{"CN", "DE", ""}).Draw(t, "country"),
			NoPINMerchant: rapid.Bool().Draw(t, "no-PIN merchant"), UpgradedMerchant: rapid.Bool().Draw(t, "upgraded")},
		At: noon, Minute: rapid.IntRange(-1, 1440).Draw(t, "minute"), Rules: rs, Own: drawCount(t),
		Can: pinfree.StepUpMethods(rapid.IntRange(0, 7).Draw(t, "can")),
	}
	if rapid.IntRange(0, 3).Draw(t, "facts") > 0 {
		in.Facts = drawFacts(t)
	}
	for range rs.Counters() {
		in.Counts = append(in.Counts, drawCount(t))
	}
	for _, k := range []pinfree.LayerKind{pinfree.LayerPayer, pinfree.LayerMerchant, pinfree.LayerTerminal} {
		in.Layers = append(in.Layers, drawLayer(t, k))
	}
	for range rapid.IntRange(0, 4).Draw(t, "more layers") {
		in.Layers = append(in.Layers, drawLayer(t, pinfree.LayerKind(rapid.IntRange(0, 15).Draw(t, "kind"))))
	}
	return in
}

// careful orders outcomes by what they let happen without a question: PIN-free
// and authenticated both go through.
func careful(d pinfree.Decision) pinfree.Outcome { return min(d.Outcome, pinfree.PinFree) }

func TestAddingALayerNeverAllowsMore(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		before := pinfree.Decide(in)
		in.Layers = append(in.Layers, drawLayer(t, pinfree.LayerKind(rapid.IntRange(0, 15).Draw(t, "added kind"))))
		if after := pinfree.Decide(in); careful(after) > careful(before) {
			t.Fatalf("%s became %s", before.Outcome, after.Outcome)
		}
	})
}

func TestOrderOfLayersDoesNotMatter(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		before := pinfree.Decide(in)
		in.Layers = rapid.Permutation(in.Layers).Draw(t, "order")
		after := pinfree.Decide(in)
		if in := before.Reasons[0]; in.Reason == pinfree.OneOffAllowance { // several payer layers: any of them is named
			before.Reasons[0].ID, before.Reasons[0].Version = after.Reasons[0].ID, after.Reasons[0].Version
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("another order, another answer (-before +after):\n%s", diff)
		}
	})
}

func TestMoreMoneyIsNeverLessCareful(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		before := pinfree.Decide(in)
		more := rapid.OneOf(rapid.Int64Range(0, 500_000), rapid.Int64Range(0, 1<<62)).Draw(t, "more")
		in.Amount = money.Of(in.Amount.Minor()+more, in.Amount.Currency())
		if after := pinfree.Decide(in); careful(after) > careful(before) {
			t.Fatalf("%d more: %s became %s", more, before.Outcome, after.Outcome)
		}
	})
}

// TestWhatIsNotKnownNeverAllowsMore proves that forgetting facts, all or one,
// makes no decision less careful.
func TestWhatIsNotKnownNeverAllowsMore(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	forget := []func(*pinfree.Input){
		func(in *pinfree.Input) { in.Facts = nil },
		func(in *pinfree.Input) { in.Facts.Offline = pinfree.NotKnown },
		func(in *pinfree.Input) { in.Facts.Consent = "" },
		func(in *pinfree.Input) { in.Facts.Risk, in.Facts.MerchantRisk = "", "" },
		func(in *pinfree.Input) { in.Facts.Factors = 0 },
		func(in *pinfree.Input) { in.Facts.Mandate = pinfree.Mandate{} },
		func(in *pinfree.Input) { in.Facts.Figures = pinfree.Figures{} },
		func(in *pinfree.Input) { in.Facts.Issuer = "" },
		func(in *pinfree.Input) { in.Card.Scheme, in.Card.Kind = "", "" },
		func(in *pinfree.Input) { in.Place.Country, in.Place.MCC = "", 0 },
	}
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		in.Facts = drawFacts(t)
		before := pinfree.Decide(in)
		forget[rapid.IntRange(0, len(forget)-1).Draw(t, "forget")](&in)
		if after := pinfree.Decide(in); careful(after) > careful(before) {
			t.Fatalf("%s became %s", before.Outcome, after.Outcome)
		}
	})
}

func TestMoreUseIsNeverLessCareful(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		for i := range in.Counts {
			in.Counts[i] = pinfree.Count{Number: max(in.Counts[i].Number, 0), Minor: max(in.Counts[i].Minor, 0)}
		}
		before := pinfree.Decide(in)
		i := rapid.IntRange(0, len(in.Counts)-1).Draw(t, "counter")
		in.Counts[i].Number += rapid.Int64Range(0, 1<<62).Draw(t, "more payments")
		in.Counts[i].Minor += rapid.Int64Range(0, 1<<62).Draw(t, "more money")
		if after := pinfree.Decide(in); careful(after) > careful(before) {
			t.Fatalf("%s became %s", before.Outcome, after.Outcome)
		}
	})
}

func TestAStricterLimitNeverApprovesMore(t *testing.T) {
	t.Parallel()
	rs := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, rs)
		before := pinfree.Decide(in)
		i := rapid.IntRange(0, len(in.Layers)-1).Draw(t, "layer")
		m := &in.Layers[i].Limits
		b := []*pinfree.Bound{&m.PerPayment, &m.DayAmount, &m.DayCount}[rapid.IntRange(0, 2).Draw(t, "bound")]
		*b = pinfree.StrictestBound(*b, drawBound(t, "stricter"))
		if after := pinfree.Decide(in); careful(after) > careful(before) {
			t.Fatalf("%s became %s", before.Outcome, after.Outcome)
		}
	})
}

// TestAddingAPackNeverAllowsMore proves it for sets that already cover the
// payment; the first pack that covers a payment is what allows it at all.
func TestAddingAPackNeverAllowsMore(t *testing.T) {
	t.Parallel()
	all := embedded(t)
	var sets []*pinfree.RuleSet
	for _, p := range all.Packs() {
		sets = append(sets, embedded(t, p.ID))
	}
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, all)
		whole := pinfree.Decide(in)
		counts := in.Counts
		for _, one := range sets {
			in.Rules, in.Counts = one, counts[:one.Counters()]
			counts = counts[one.Counters():]
			alone := pinfree.Decide(in)
			for _, w := range alone.Reasons {
				if w.Reason == pinfree.NoRuleCovers {
					alone.Outcome = pinfree.Authenticated
				}
			}
			if careful(whole) > careful(alone) {
				t.Fatalf("%s alone says %s, all packs %s", one.Packs()[0].ID, alone.Outcome, whole.Outcome)
			}
		}
	})
}

func TestTheZeroValueRefuses(t *testing.T) {
	t.Parallel()
	if d := pinfree.Decide(pinfree.Input{}); d.Outcome != pinfree.Refused || d.Reasons[0].Reason != pinfree.IncompleteInput {
		t.Errorf("zero input: %+v", d)
	}
	if d := (pinfree.Decision{}); d.Outcome != pinfree.Refused {
		t.Errorf("zero decision: %s", d.Outcome)
	}
	rs := embedded(t)
	for i := range 3 {
		in := codePayment(rs)
		in.Layers[i] = pinfree.Layer{Kind: in.Layers[i].Kind}
		if d := pinfree.Decide(in); d.Outcome != pinfree.StepUp {
			t.Errorf("zero layer %s: %s", in.Layers[i].Kind, d.Outcome)
		}
	}
}
