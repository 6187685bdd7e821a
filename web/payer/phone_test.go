package payer_test

import (
	"crypto/rand"
	"testing"

	webpayer "github.com/mianmi/mianmi/web/payer"
	"github.com/mianmi/mianmi/web/site/sitetest"
)

// The wallet is a payer's alone: no page and no form of it does anything for
// somebody else's session, nor for a form of another.
func TestPhoneIsThePayersAlone(t *testing.T) {
	t.Parallel()
	s, err := webpayer.Phone(webpayer.PhoneParts{Site: sitetest.Parts(t, &sitetest.Desk{}, &sitetest.Gate{}, rand.Reader)})
	if err != nil {
		t.Fatal(err)
	}
	sitetest.EachRole(t, s, "phone", webpayer.Base+"login")
}
