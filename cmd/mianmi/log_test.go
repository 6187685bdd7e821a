package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// A value under a telling name never reaches the log, in either form, also
// inside groups; other values do.
func TestLogHidesSecrets(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := newLog(&out, "info", format)
		log.With("api_key", "hunter2").WithGroup("request").InfoContext(context.Background(), "came",
			"Authorization", "hunter2", "PIN", "hunter2", "user-token", "hunter2", "password", []byte("hunter2"),
			"pinned", "seen1", "terminal", "seen2")
		log.Debug("quiet")
		got := out.String()
		if strings.Contains(got, "hunter2") || strings.Count(got, hidden) != 5 {
			t.Errorf("%s: a secret is in %s", format, got)
		}
		if !strings.Contains(got, "seen1") || !strings.Contains(got, "seen2") || strings.Contains(got, "quiet") {
			t.Errorf("%s: want the rest, from info up: %s", format, got)
		}
	}
}

// An address is shown without what logs in.
func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"sqlite:data/m.db":                                     "sqlite:data/m.db",
		"postgres://u:hunter2@db.example:5432/m":               "postgres://db.example:5432/m",
		"postgres://db.example/m?user=u&password=hunter2":      "postgres://db.example/m",
		"postgres://u:hunter2@%zz/m":                           hidden,
		"postgresql://hunter2@db.example/m?sslpassword=hunter": "postgresql://db.example/m",
	} {
		if got := publicAddress(dsn); got != want {
			t.Errorf("publicAddress(%q) = %q, want %q", dsn, got, want)
		}
	}
}
