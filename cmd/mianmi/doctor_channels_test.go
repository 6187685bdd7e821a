package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/mianmi/mianmi/wechat"
)

// The doctor warns sixty days before the newest platform certificate ends, and
// of questions that nobody asks; it says nothing where there are none.
func TestDoctorJudgesChannels(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	until := func(left time.Duration) wechat.PlatformKey {
		form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(left)}
		der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return wechat.PlatformKey{Serial: "5E01", Cert: der}
	}
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		got  []finding
		want []status
	}{
		"no front":                    {checkPlatform(nil, now), nil},
		"long":                        {checkPlatform([]wechat.PlatformKey{until(61 * day)}, now), []status{ok}},
		"not long":                    {checkPlatform([]wechat.PlatformKey{until(59 * day)}, now), []status{warn}},
		"over":                        {checkPlatform([]wechat.PlatformKey{until(0)}, now), []status{fail}},
		"another one has followed":    {checkPlatform([]wechat.PlatformKey{until(day), until(1000 * day)}, now), []status{ok}},
		"one that is none":            {checkPlatform([]wechat.PlatformKey{{Serial: "5E02", Cert: []byte("?")}}, now), []status{fail}},
		"nothing is overdue":          {checkOverdue(nil, nil), nil},
		"two channels":                {checkOverdue(map[string]int64{"a": 1, "b": 2}, nil), []status{warn, warn}},
		"every answer got through":    {checkUnsaid(0, 0, nil), nil},
		"answers and cases behind":    {checkUnsaid(1, 2, nil), []status{warn, warn}},
		"answers that cannot be read": {checkUnsaid(0, 0, errors.New("away")), []status{fail}},
		"nothing has stalled":         {checkStalled(nil, nil), nil},
		"two that are silent":         {checkStalled(map[string]int64{"a": 1, "b": 2}, nil), []status{fail, fail}},
		"what stalled cannot be read": {checkStalled(nil, errors.New("away")), []status{fail}},
		"a database that cannot tell": {checkOverdue(nil, errors.New("away")), []status{fail}},
	} {
		if len(tt.got) != len(tt.want) {
			t.Errorf("%s: %+v, want %v", name, tt.got, tt.want)
			continue
		}
		for i, f := range tt.got {
			if f.status != tt.want[i] || f.found.ZH == "" || f.found.EN == "" || (f.status == ok) != (f.remedy.EN == "") {
				t.Errorf("%s: %+v, want status %d", name, f, tt.want[i])
			}
		}
	}
}
