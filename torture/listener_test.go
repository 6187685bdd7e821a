package torture

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// What was not told, told in another order, or by a stranger is a breach; that
// a message comes again, or is refused and comes later, is none.
func TestToldIsJudged(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	journal := []*paid{{order: "a", id: "pma", minor: 3, refunded: 1, state: "partly_refunded"}, {order: "b", id: "pmb", minor: 2, state: "approved"}, {order: "refused"}}
	for _, tt := range []struct {
		name   string
		told   string // sequence, subject and version of each message
		by     string
		broken bool
	}{
		{"all", "1 pma 1,2 pmb 1,3 pma 2", secret, false},
		{"one again, subjects beside each other", "2 pmb 1,1 pma 1,3 pma 2,1 pma 1", secret, false},
		{"not the refund", "1 pma 1,2 pmb 1", secret, true},
		{"not the other payment", "1 pma 1,2 pma 2", secret, true},
		{"a gap", "1 pma 1,2 pmb 1,4 pma 2", secret, true},
		{"the refund before the payment", "2 pmb 1,3 pma 2,1 pma 1", secret, true},
		{"by a stranger", "1 pma 1,2 pmb 1,3 pma 2", "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &listener{refused: map[int64]bool{}}
			got, err := newReceiver(secret, l.take)
			if err != nil {
				t.Fatal(err)
			}
			l.got.Store(got)
			for m := range strings.SplitSeq(tt.told, ",") {
				var sequence, version int64
				var subject string
				if _, err := fmt.Sscan(m, &sequence, &subject, &version); err != nil {
					t.Fatal(err)
				}
				post(t, l, tt.by, fmt.Sprintf(`{"type":"payment.approved","sequence":%d,"subject":%q,"version":%d}`, sequence, subject, version))
			}
			s := &stage{verdict: &verdict{}, tally: &tally{}, paid: journal, listener: l}
			s.compareTold(got)
			if s.verdict.failed() != tt.broken {
				t.Errorf("breaches %+v, want some: %v", s.verdict.breaches, tt.broken)
			}
		})
	}
}

// Each seventeenth message is refused once, and taken when it comes again.
func TestListenerRefuses(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	l := &listener{refused: map[int64]bool{}}
	const body = `{"type":"payment.approved","sequence":17,"subject":"pma","version":1}`
	if status := post(t, l, secret, body); status != http.StatusServiceUnavailable {
		t.Errorf("before the webhook is made: %d", status)
	}
	got, err := newReceiver(secret, l.take)
	if err != nil {
		t.Fatal(err)
	}
	l.got.Store(got)
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusNoContent} {
		if status := post(t, l, secret, body); status != want {
			t.Errorf("answered %d, want %d", status, want)
		}
	}
	if !got.Has("pma", 1) || len(l.refused) != 0 {
		t.Errorf("%+v, %v", got.Report(), l.refused)
	}
}

func post(t *testing.T, l *listener, secret, body string) int {
	t.Helper()
	sign, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := sign.Sign("id", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header.Set(standardwebhooks.HeaderWebhookID, "id")
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	w := httptest.NewRecorder()
	l.ServeHTTP(w, req)
	return w.Code
}
