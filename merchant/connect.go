package merchant

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
)

// Connections is what Connect needs of the store.
type Connections interface {
	// Connect gives decide those of the merchants that there are and of whom it is
	// not recorded yet that they can be paid through the channel, and records it
	// with the entries in the same transaction. decide may be called again.
	Connect(ctx context.Context, channel string, of []mianmi.MerchantID, decide func(fresh []mianmi.MerchantID) (Connected, error)) error
}

// Connected is what becomes of a connection: when it was recorded, and how it is told.
type Connected struct {
	At      time.Time
	Entries []evidence.Entry
}

// ConnectMax is how many merchants one Connect takes: one short transaction.
const ConnectMax = 500

// connector is who records that a server is connected to a channel.
var connector = mianmi.System("channels")

// connectedNote is the body of a merchant's connection.
type connectedNote struct {
	Channel string `json:"channel"`
}

// Connect records that the merchants can be paid through a channel over a
// network. Their terminals then run what its policy says as well, whichever
// server they ask. It stays for ever: nothing that a server is not connected to
// today shows that no other server is.
func (s *Service) Connect(ctx context.Context, channel string, of []mianmi.MerchantID) error {
	if err := OfChannel(channel).Validate(); err != nil {
		return err
	}
	if len(of) > ConnectMax {
		return mianmi.InvalidField("merchants", "too many at once")
	}
	return s.records.Connect(ctx, channel, of, func(fresh []mianmi.MerchantID) (c Connected, err error) {
		c.At = s.clock.Now()
		for _, m := range fresh {
			e, err := s.entry(connector, c.At, note{Type: "merchant.channel.connected", Subject: string(m), Body: connectedNote{Channel: channel}})
			if err != nil {
				return c, err
			}
			c.Entries = append(c.Entries, e)
		}
		return c, nil
	})
}
