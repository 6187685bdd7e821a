package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

// written is what a running program has written so far.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// find waits for what the program writes.
func (w *written) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		w.mu.Lock()
		found := re.FindStringSubmatch(w.text.String())
		w.mu.Unlock()
		if found != nil {
			return found[len(found)-1]
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %v for %s; it wrote %q", patience, pattern, w.text.String())
		}
	}
}

// A server sends a test message to mianmi webhook receive, which verifies and
// prints it; the list and the metrics say so, and a receiver with another secret
// ends with a failure.
func TestWebhookIsReceived(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, stop := w.start(t, "--metrics=127.0.0.1:0", "--webhook-allow=127.0.0.0/8")
	hooks, operator := w.hooks(t), mianmi.Actor{Role: mianmi.RoleOperator, ID: "sf1"}
	v, key, err := hooks.Create(t.Context(), operator, notice.NewWebhook{URL: "http://127.0.0.1:1/", Topics: []string{"payment.*"}}) // not what happened at the start
	if err != nil {
		t.Fatal(err)
	}
	receive := func(key string, then func(out *written)) result {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var out, told written
		a, _, _ := w.app()
		a.stdout, a.stderr, a.environ = &out, &told, append(w.environ, "MIANMI_WEBHOOK_SECRET="+key)
		code := make(chan int, 1)
		go func() { code <- run(ctx, []string{"webhook", "receive", "--receive-at=127.0.0.1:0"}, a) }()
		url := "http://" + told.find(t, `address=(\S+)`) + "/"
		if _, err := hooks.Change(t.Context(), operator, v.ID, notice.Order{URL: &url}); err != nil {
			t.Fatal(err)
		}
		if _, err := hooks.SendTest(t.Context(), operator, v.ID); err != nil {
			t.Fatal(err)
		}
		then(&out)
		cancel()
		return result{<-code, out.text.String(), told.text.String()}
	}
	got := receive(key, func(out *written) { out.find(t, `"type":"webhook.test".*"sequence":1`) })
	if got.code != exitOK || !strings.Contains(got.stderr, `"messages":1`) {
		t.Errorf("%+v", got)
	}
	if list := w.run(t, "webhook", "list"); list.code != exitOK || !strings.Contains(list.stdout, string(v.ID)) || !strings.Contains(list.stdout, "active") {
		t.Errorf("%+v", list)
	}
	eventually(t, "the metrics say so", func() bool { // the sender counts what the receiver has printed
		status, body := get(t, "http://"+at["metrics"]+"/metrics")
		return status == http.StatusOK && strings.Contains(body, `mianmi_webhook_tries_total{result="delivered"} 1`) && strings.Contains(body, "mianmi_outbox_age_seconds 0")
	})
	forged := receive("whsec_"+strings.Repeat("A", 43)+"=", func(*written) {
		eventually(t, "the forged one is refused", func() bool {
			d, err := hooks.Records.Delivery(t.Context(), v.ID, 2)
			return err == nil && d.Attempts > 0 && d.Fault == notice.Rejected
		})
	})
	if forged.code != exitFailed || !strings.Contains(forged.stderr, "not signed") {
		t.Errorf("%+v", forged)
	}
	if code := stop(); code != exitOK {
		t.Errorf("status %d", code)
	}
}

// hooks is another process's service over the world's database and keys.
func (w world) hooks(t *testing.T) *notice.Service {
	t.Helper()
	data := filepath.Join(w.dir, "data")
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(data, "mianmi.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := secret.Load(filepath.Join(data, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := notice.New(notice.Parts{Records: db, Keys: keys, Clock: systemClock{}, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
		Guard: notice.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
