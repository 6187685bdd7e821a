package payment

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/pinfree"
)

func drawPayment(t *rapid.T) *Payment {
	text := func(name string) string {
		return rapid.StringMatching(`|[a-z]{2}[0-9a-z]{26}|"\\|付款 <&> \x07`).Draw(t, name)
	}
	p := &Payment{ID: mianmi.PaymentID(rapid.StringMatching(`pm[0-9a-z]{28}`).Draw(t, "id")), Payer: mianmi.PayerID(text("payer")),
		Merchant: mianmi.MerchantID(text("merchant")), Store: mianmi.StoreID(text("store")), Terminal: mianmi.TerminalID(text("terminal")),
		Amount: money.Of(rapid.Int64().Draw(t, "amount"), "CNY"), Instrument: mianmi.InstrumentID(text("instrument")), Channel: text("channel"),
		Method:  pinfree.Method(rapid.IntRange(1, 6).Draw(t, "method")),
		Entry:   pinfree.Entry(rapid.IntRange(0, 2).Draw(t, "entry")),
		CVM:     pinfree.CVM(rapid.IntRange(0, 4).Draw(t, "cvm")),
		State:   rapid.SampledFrom([]State{StepUpRequired, Approved, Declined, Refused}).Draw(t, "state"),
		Failure: channel.Failure(rapid.IntRange(0, 4).Draw(t, "failure")),
		StepUp:  pinfree.StepUpMethods(rapid.IntRange(0, 7).Draw(t, "step-up")),
		Rules:   text("rules"), Epoch: rapid.Int64().Draw(t, "epoch"), PayerVersion: rapid.Int64().Draw(t, "version"), Actor: text("actor"),
		CreatedAt: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC()}
	if p.Method != pinfree.Cash {
		p.Outcome = pinfree.Outcome(rapid.IntRange(0, 3).Draw(t, "outcome"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "reasons") {
		p.Reasons = append(p.Reasons, pinfree.Why{Reason: pinfree.PayerClosed, Layer: pinfree.LayerPayer, ID: text("of"), Version: 3, Rule: text("rule"),
			Limit: 1000, Actual: rapid.Int64().Draw(t, "actual"), Currency: "CNY"})
	}
	return p
}

// What is written is read back, is found by the payment's identifier alone, and
// is the JSON that the form says, member by member and in its order.
func TestDecidedIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPayment(t)
		record := appendDecided([]byte("before"), p)[len("before"):]
		got, err := ReadDecided(record)
		if err != nil {
			t.Fatalf("%s: %v", record, err)
		}
		want := Decided{Payment: p.ID, At: p.CreatedAt, Merchant: p.Merchant, Store: p.Store, Terminal: p.Terminal, Payer: p.Payer,
			Instrument: p.Instrument, Amount: p.Amount, Method: p.Method, Entry: p.Entry, CVM: p.CVM, Channel: p.Channel, Outcome: p.Outcome,
			Reasons: p.Reasons, State: p.State, Failure: p.Failure, StepUp: p.StepUp, Rules: p.Rules, Epoch: p.Epoch,
			PayerVersion: p.PayerVersion, Actor: p.Actor}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(money.Amount{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-written +read):\n%s", record, diff)
		}
		if !IsDecided(p.ID)(record) || IsDecided(p.ID[:len(p.ID)-1])(record) {
			t.Fatalf("%s is not found by its payment", record)
		}
		var form decidedForm
		if err := json.Unmarshal(record, &form); err != nil {
			t.Fatal(err)
		}
		var again strings.Builder
		e := json.NewEncoder(&again)
		e.SetEscapeHTML(false)
		if err := e.Encode(form); err != nil {
			t.Fatal(err)
		}
		if p.Merchant != "" && p.Store != "" && p.Terminal != "" && p.Channel != "" && p.Actor != "" && again.String() != string(record)+"\n" {
			t.Fatalf("by hand   %s\nby its form %s", record, again.String())
		}
	})
}

// What this package did not write is refused, not half understood.
func TestDecidedIsStrict(t *testing.T) {
	t.Parallel()
	const good = `{"payment":"pm1","v":1,"at":"2026-03-01T12:04:31Z","merchant":"mc1","store":"st1","terminal":"tm1","amount":100,"currency":"CNY",` +
		`"method":"cash","cvm":"none","channel":"cash","state":"approved","epoch":1,"actor":"cashier:sf1"}`
	if _, err := ReadDecided([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a version to come":          {`"v":1`, `"v":2`},
		"a member more":              {`"v":1`, `"v":1,"name":"x"`},
		"a method that is not known": {`"method":"cash"`, `"method":"shell"`},
		"no outcome of a decision":   {`"method":"cash"`, `"method":"card_tap"`},
		"a state that is not known":  {`"approved"`, `"taken"`},
		"something after it":         {`"cashier:sf1"}`, `"cashier:sf1"} {}`},
		"a text in place of it":      {good, `"pm1"`},
		"reasons of another form":    {`"epoch":1`, `"reasons":[{"x":1}],"epoch":1`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if d, err := ReadDecided([]byte(bad)); mianmi.KindOf(err) != mianmi.Invalid {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func BenchmarkAppendDecided(b *testing.B) {
	p := &Payment{ID: "pm06eaf42n420tkftyt5nmk54h98bd", Payer: "py06eaf42n420tkftyt5nmk54h98", Merchant: "mc06eaf42n420tkftyt5nmk54h98",
		Store: "st06eaf42n420tkftyt5nmk54h98", Terminal: "tm06eaf42n420tkftyt5nmk54h98", Amount: money.Of(1234, "CNY"), Method: pinfree.PaymentCode,
		Entry: pinfree.Scanned, Channel: "wallet", Outcome: pinfree.PinFree, State: Approved, Rules: "4f1d6c0a9b2e7788", Epoch: 512, PayerVersion: 3,
		Reasons: []pinfree.Why{{Reason: pinfree.WithinLimits, Layer: pinfree.LayerRegulation, Rule: "cn-pboc-barcode-2018/day", Limit: 50000, Actual: 1234,
			Currency: "CNY"}}, Actor: "api_client:ak06eaf42n420tkftyt5nmk54h98", CreatedAt: time.UnixMicro(1772337871123456).UTC()}
	var buf []byte
	for b.Loop() {
		buf = appendDecided(buf[:0], p)
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}
