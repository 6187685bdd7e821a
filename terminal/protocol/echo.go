package protocol

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
)

// Echo is a host's sign of life.
type Echo struct {
	Terminal mianmi.TerminalID `json:"terminal"`
	Nonce    string            `json:"nonce"` // as it was sent, 64 bytes of it at most
	// Channels are the payment systems outside that the terminal's merchant can be
	// paid through, when the terminal asked for them. They are for people: nothing
	// is decided by them.
	Channels []ChannelState `json:"channels,omitempty"`
}

// ChannelsMax is how many channels an echo tells of; EchoMax bounds its bytes.
const (
	ChannelsMax = 16
	EchoMax     = 4 << 10
)

// ChannelState says whether a payment system outside answers this host.
type ChannelState struct {
	Channel    string    `json:"channel"`
	State      string    `json:"state"`             // "answers", "silent", "unknown"; what a terminal does not know counts as "unknown"
	AgeSeconds int64     `json:"age_seconds"`       // since the host asked it; 0 when unknown
	TookMS     int64     `json:"took_ms,omitempty"` // of "answers": how long the answer took
	Since      time.Time `json:"since,omitzero"`    // of "silent": since when, by the host's clock
}

// States of a channel.
const (
	ChannelAnswers = "answers"
	ChannelSilent  = "silent"
	ChannelUnknown = "unknown"
)

// ParseEcho reads an echo. It is no order, so members of a later form are let
// through, and a state of a later form, or silence without a beginning, is
// "unknown".
func ParseEcho(b []byte) (Echo, error) {
	var e Echo
	if err := json.Unmarshal(b, &e); err != nil {
		return Echo{}, fmt.Errorf("read an echo: %w", err)
	}
	e.Channels = e.Channels[:min(len(e.Channels), ChannelsMax)]
	for i, c := range e.Channels {
		told := c.State == ChannelAnswers || c.State == ChannelSilent && !c.Since.IsZero()
		if !told || c.AgeSeconds < 0 {
			e.Channels[i] = ChannelState{Channel: c.Channel, State: ChannelUnknown}
		}
	}
	return e, nil
}
