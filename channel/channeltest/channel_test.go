package channeltest_test

import (
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
)

var codes atomic.Int64

func world(c *channeltest.Channel) channeltest.World {
	code := func(kind string) func(*testing.T) string {
		return func(*testing.T) string { return channeltest.Code(kind, codes.Add(1)) }
	}
	return channeltest.World{Remote: c, Merchant: "mc1", Code: code(channeltest.CodeRich), Poor: code(channeltest.CodePoor),
		Scan: func(_ *testing.T, qr string) { c.Scan(qr) },
		Taken: func(t *testing.T, r channel.Ref) int64 {
			t.Helper()
			minor, charges := c.Taken(r.Payment)
			if charges > 1 {
				t.Errorf("the order was charged %d times", charges)
			}
			return minor
		}}
}

// The channel that the core is tested on keeps the contract itself.
func TestContract(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(*testing.T) channeltest.World { return world(&channeltest.Channel{}) })
}

// It keeps it when refunds take their time, too.
func TestContractSlack(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(*testing.T) channeltest.World { return world(&channeltest.Channel{Slack: true}) })
}
