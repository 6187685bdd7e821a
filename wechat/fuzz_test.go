package wechat

import (
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/notice"
)

// Whatever stands in the header, it is read whole or refused, and no error
// quotes it: a signature in a log could be sent again.
func FuzzAuthorization(f *testing.F) {
	good := SignatureType + ` mchid="1900000001",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1554208460",serial_no="1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",signature="uOVRnA4qG/AA=="`
	for _, text := range []string{good, "", "Bearer x", SignatureType, strings.Replace(good, ",", ",,", 1), strings.Replace(good, `"1554208460"`, `"-1"`, 1),
		strings.Replace(good, "mchid", "nonce_str", 1), good + `,x="y"`, strings.ToLower(good)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseAuthorization(text)
		if err != nil {
			if len(text) > 40 && strings.Contains(err.Error(), text) {
				t.Errorf("the error quotes the header: %v", err)
			}
			return
		}
		if h.mchid == "" || h.nonce == "" || h.serial == "" || len(h.signature) == 0 || h.timestamp < 0 || len(text) > authorizationMax {
			t.Errorf("%q was read as %+v", text, h)
		}
	})
}

// The schedule is WeChat Pay's: sixteen tries in 24 hours and 4 minutes.
func TestWaits(t *testing.T) {
	t.Parallel()
	c, sum, tries := Courier{}, time.Duration(0), 1
	for {
		d, again := c.Wait(&notice.Delivery{}, tries)
		if !again {
			break
		}
		sum, tries = sum+d, tries+1
	}
	if tries != 16 || sum != 24*time.Hour+4*time.Minute {
		t.Errorf("%d tries in %v, want 16 in 24h4m", tries, sum)
	}
	if _, again := c.Wait(&notice.Delivery{}, 0); again {
		t.Error("what did not fail is tried again")
	}
}
