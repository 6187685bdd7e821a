package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// log writes one line for a call: who, what, how it went; never what was in
// it. Answers of the measured routes are at Debug, for they are many.
func (s *Server) log(c *call, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case c.status >= http.StatusInternalServerError && mianmi.KindOf(c.err) == mianmi.Internal:
		level = slog.LevelError
	case c.status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case c.route.measured:
		level = slog.LevelDebug
	}
	ctx := c.r.Context()
	if !s.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", c.id), slog.String("route", c.route.name), slog.Int("status", c.status),
		slog.Duration("took", took), slog.Int("bytes", c.bytes), slog.String("remote", s.Remote(c.r).String()),
	}
	if c.actor.Role != mianmi.NoRole {
		attrs = append(attrs, slog.String("actor", c.actor.String()), slog.String("via", c.actor.Via))
	}
	if c.err != nil {
		attrs = append(attrs, slog.String("error", c.err.Error()))
	}
	s.Log.LogAttrs(ctx, level, "request", attrs...)
}
