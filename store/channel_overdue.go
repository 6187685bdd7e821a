package store

import (
	"context"
	"time"
)

const (
	nextDueChannel = `SELECT coalesce(min(channel), '') FROM channel_call WHERE due_at IS NOT NULL AND channel > $1`
	// Tasks from payment.Undo on that are due never again.
	nextStalledChannel = `SELECT coalesce(min(channel), '') FROM channel_call WHERE due_at IS NULL AND task >= 3 AND channel > $1`
	countStalled       = `SELECT count(*) FROM (SELECT 1 AS one FROM channel_call WHERE channel = $1 AND due_at IS NULL AND task >= 3 LIMIT $2) AS stalled`
	countOverdue       = `SELECT count(*) FROM (SELECT 1 AS one FROM channel_call WHERE channel = $1 AND due_at <= $2 LIMIT $3) AS overdue`
)

// channelsMax bounds the channels that are looked at: an installation has a few.
const channelsMax = 16

// OverdueCalls counts for each channel the questions that were due at an instant
// and that nobody has claimed, limit of each at most: a server that is connected
// claims them within a second. Channels without any are left out.
func (db *DB) OverdueCalls(ctx context.Context, at time.Time, limit int) (map[string]int64, error) {
	overdue, channel := map[string]int64{}, ""
	for range channelsMax {
		if err := db.read.QueryRowContext(ctx, nextDueChannel, channel).Scan(&channel); err != nil {
			return nil, wrapDriver("find channels with questions", err)
		}
		if channel == "" {
			break
		}
		var n int64
		if err := db.read.QueryRowContext(ctx, countOverdue, channel, micros(at), limit).Scan(&n); err != nil {
			return nil, wrapDriver("count questions to a channel", err)
		}
		if n > 0 {
			overdue[channel] = n
		}
	}
	return overdue, nil
}

// StalledCalls counts for each channel the reversals, returns and refunds that it
// has not settled in a week and is not asked for any more, limit of each at most.
// Channels without any are left out.
func (db *DB) StalledCalls(ctx context.Context, limit int) (map[string]int64, error) {
	stalled, channel := map[string]int64{}, ""
	for range channelsMax {
		if err := db.read.QueryRowContext(ctx, nextStalledChannel, channel).Scan(&channel); err != nil {
			return nil, wrapDriver("find channels that are silent", err)
		}
		if channel == "" {
			break
		}
		var n int64
		if err := db.read.QueryRowContext(ctx, countStalled, channel, limit).Scan(&n); err != nil {
			return nil, wrapDriver("count what a channel has not settled", err)
		}
		stalled[channel] = n
	}
	return stalled, nil
}
