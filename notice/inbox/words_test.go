package inbox

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/settings"
)

// untold are the entries about payers that are no news to them, with the reason.
var untold = map[string]string{
	"payer.created":           "the payer was there",
	"payer.password.failed":   "a typing error; the third one locks, and is told",
	"payer.password.verified": "the payment that it was for is told",
}

// Whatever is recorded about a payer is told, or left out for a reason.
func TestEveryEntryAboutAPayerIsTold(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../payer/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(payer\.[a-z_]+(\.[a-z_]+)*)"`).FindAllStringSubmatch(string(text), -1) {
			found++
			if _, ok := told[m[1]]; !ok && untold[m[1]] == "" {
				t.Errorf("%s writes %s, which no payer is told of", f, m[1])
			}
		}
	}
	if found < len(told) {
		t.Errorf("%d types found in the tree, %d are told", found, len(told))
	}
}

// Every state and every failure has its words, in both languages, with every mark
// filled in; and no text asks for a password.
func TestWordsAreWhole(t *testing.T) {
	t.Parallel()
	s := &Service{payments: nobody{}}
	for state := payment.StepUpRequired; state <= payment.PartlyRefunded+1; state++ {
		for failure := channel.NoFailure; failure <= channel.ChannelBusy; failure++ {
			p := &payment.Payment{ID: "pm", Amount: money.Of(18_00, "CNY"), State: state, Failure: failure, Outcome: pinfree.PinFree, Method: pinfree.PaymentCode}
			n := s.ofPayment(t.Context(), p)
			for _, text := range []string{n.Title.ZH, n.Title.EN, n.Words.ZH, n.Words.EN} {
				if text == "" || strings.ContainsAny(text, "{}") || strings.Contains(text, "  ") {
					t.Errorf("state %d, failure %s: %q", state, failure, text)
				}
			}
			if _, known := failures[failure]; !known && failure != channel.NoFailure {
				t.Errorf("failure %s has no words", failure)
			}
		}
	}
	for kind, w := range told {
		if w.kind == "" || w.title.ZH == "" || w.title.EN == "" || w.words.ZH == "" || w.words.EN == "" {
			t.Errorf("%s: %+v", kind, w)
		}
	}
}

// nobody knows no terminal.
type nobody struct{}

func (nobody) Payments(context.Context, mianmi.Actor, mianmi.PayerID, mianmi.PaymentID, int) ([]payment.Payment, error) {
	return nil, nil
}

func (nobody) Site(context.Context, mianmi.TerminalID) (settings.Site, bool) {
	return settings.Site{}, false
}
func (nobody) UndoUntil(*payment.Payment) time.Time { return time.Time{} }
