package main

import (
	"context"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// signs are what is known of a channel, as a terminal is told.
var signs = map[channel.Sign]string{channel.NotKnown: protocol.ChannelUnknown, channel.Answers: protocol.ChannelAnswers, channel.Silent: protocol.ChannelSilent}

// channelsOf tells a terminal whether the channels answer that are recorded for
// its merchant. One that this server is not connected to is not known.
func channelsOf(db *store.DB, w *channel.Watch) func(context.Context, fleet.Peer) []protocol.ChannelState {
	return func(ctx context.Context, p fleet.Peer) []protocol.ChannelState {
		snap, err := db.Settings(ctx)
		if err != nil {
			return nil // the check itself is answered all the same
		}
		site, known := snap.Site(p.ID)
		if !known {
			return nil
		}
		names := site.Channels()
		var list []protocol.ChannelState
		for _, c := range w.Look(ctx, site.Merchant.ID, names[:min(len(names), protocol.ChannelsMax)]) {
			list = append(list, protocol.ChannelState{Channel: c.Channel, State: signs[c.Sign], AgeSeconds: int64(c.Age.Seconds()),
				TookMS: c.Took.Milliseconds(), Since: c.Since})
		}
		return list
	}
}
