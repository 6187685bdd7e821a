package main

import (
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

// newLog writes structured lines of the level and above.
func newLog(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: least, ReplaceAttr: hideSecrets}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// secretWords mark an attribute as one whose value no log may show. Whoever
// logs leaves secrets out; this is the second lock.
var secretWords = []string{"password", "passwd", "secret", "token", "pin", "pan", "cvv", "otp", "totp", "cookie",
	"authorization", "key", "dsn", "credential"}

// hidden stands where a value was.
const hidden = "[hidden]"

// hideSecrets hides the value of an attribute whose name has a secret word
// (api_key, PIN, user-token), but not of one that merely contains its letters
// (pinned, monkey).
func hideSecrets(_ []string, a slog.Attr) slog.Attr {
	words := strings.FieldsFunc(strings.ToLower(a.Key), func(r rune) bool { return strings.ContainsRune("_-. ", r) })
	if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) }) {
		return slog.String(a.Key, hidden)
	}
	return a
}

// publicAddress is a database's address without what logs in: no user, no
// password, no parameters.
func publicAddress(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") {
		return dsn
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return hidden
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
