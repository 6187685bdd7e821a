package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/store/pgtest"
)

// metric reads one figure of a running server.
func metric(t *testing.T, address, name string) float64 {
	t.Helper()
	status, body := get(t, "http://"+address+"/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if status != http.StatusOK || m == nil {
		return -1
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// settled waits until nothing waits for the log and returns its size.
func settled(t *testing.T, metrics string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if metric(t, metrics, "mianmi_log_waiting") == 0 {
			return metric(t, metrics, "mianmi_log_entries")
		}
		select { // a round comes five times a second
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	t.Fatalf("%v entries wait for the log", metric(t, metrics, "mianmi_log_waiting"))
	return 0
}

// Two nodes on one database make one log. When one goes, the other takes every
// turn; a node that was told another name, or has other keys, does not start.
func TestNodesSequence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "MIANMI_DB="+pgtest.Open(t), "MIANMI_METRICS=127.0.0.1:0", "MIANMI_LOG_NAME=log.example/a")
	w.run(t, "migrate")
	create := func(login string) {
		t.Helper()
		if got := w.run(t, "staff", "create", login); got.code != exitOK {
			t.Fatal(got.stderr)
		}
	}
	create("first")
	one, stopOne := w.start(t)
	two, stopTwo := w.start(t)
	have := settled(t, two["metrics"])
	for i := range 3 {
		create(fmt.Sprint("more", i))
	}
	if n := settled(t, one["metrics"]); n != have+3 {
		t.Errorf("%v entries, want %v", n, have+3)
	}
	if code := stopOne(); code != exitOK {
		t.Errorf("status %d", code)
	}
	create("last")
	if n := settled(t, two["metrics"]); n != have+4 || metric(t, two["metrics"], "mianmi_log_delay_seconds_count") < 1 {
		t.Errorf("%v entries with one node, want %v", n, have+4)
	}
	if statuses, code := w.doctor(t); statuses["log.key"] != "ok" || statuses["log.sequenced"] != "ok" {
		t.Errorf("status %d, findings %v", code, statuses)
	}
	if code := stopTwo(); code != exitOK {
		t.Errorf("status %d", code)
	}
	other := w
	other.environ = append([]string{"MIANMI_LOG_NAME=log.example/b"}, w.environ...)
	if got := other.run(t, "serve", "--listen=127.0.0.1:0"); got.code != exitFailed || !strings.Contains(got.stderr, "log.example/a") {
		t.Errorf("another name: %+v", got)
	}
	if statuses, _ := other.doctor(t); statuses["log.key"] != "fail" {
		t.Errorf("another name: findings %v", statuses)
	}
}
