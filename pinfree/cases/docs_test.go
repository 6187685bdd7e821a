package cases

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The page that describes the format names every key that the reader takes, and
// every word that a key can have.
func TestDocsNameEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/rule-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	top := newObject("", []byte(`{"given": {"state": {}, "terminal": {}}}`), f)
	(&Case{}).read(top)
	given := newObject("", []byte(`{"state": {}, "terminal": {}}`), f)
	g := readGiven(given)
	payment, event := newObject("", []byte(`{}`), f), newObject("", []byte(`{"event": "refund"}`), f)
	readStep(payment, &g)
	readStep(event, &g)
	words := slices.Concat(top.asked, given.asked, payment.asked, event.asked, events, channelNames, resetWords, bucketWords,
		counterModes, countedWords, operators, cvmOperators, scopes, outcomesOfPay, riskWords, regions, issuerWords, regimes,
		activations, afterWindows, decisionWords, outOfBandWords, remoteWords, onSiteWords, []string{"count", "day", "pin_capable",
			"unattended", "online_pin", "single_tap", "contact", "kind", "listed", "default_not_confirmed", "mandatorily_disabled_never_used"})
	for _, w := range words {
		if !strings.Contains(string(text), "`"+w+"`") && !strings.Contains(string(text), `"`+w+`"`) {
			t.Errorf("%s is not in docs/rule-cases.md", w)
		}
	}
}
