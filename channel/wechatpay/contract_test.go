package wechatpay_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/channel/channeltest"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// The channel keeps the contract of all channels over a network, for a merchant
// and for a service provider's.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			channeltest.Run(t, func(t *testing.T) channeltest.World {
				s := wechatpaytest.Start(t, nil)
				s.Prompt()
				c := connection(t, s.URL)
				f.set(c)
				return channeltest.World{
					Remote: open(t, c), Merchant: shop,
					Code: func(*testing.T) string { return wechatpaytest.CodePaid },
					Poor: func(*testing.T) string { return wechatpaytest.CodePoor },
					Scan: func(t *testing.T, qr string) {
						number, err := hex.DecodeString(strings.TrimPrefix(qr, "weixin://wxpay/bizpayurl?pr="))
						if err != nil {
							t.Fatal(err)
						}
						s.Confirm(string(number))
					},
					Taken: func(_ *testing.T, r channel.Ref) int64 {
						o := s.Order(string(r.Payment))
						return o.Charged*o.Total - o.Back
					},
				}
			})
		})
	}
}
