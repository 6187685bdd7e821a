package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// wechatFile writes the configuration of a connection to a server of the
// test's own, and its keys.
func (w world) wechatFile(t *testing.T, address string) string {
	t.Helper()
	private, public := wechatpaytest.Merchant(t)
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	config := `connections:
  - name: shop
    merchants: [mc0000000000000000000000shop]
    mchid: "` + wechatpaytest.MchID + `"
    appid: ` + wechatpaytest.AppID + `
    serial: ` + wechatpaytest.Serial + `
    private_key: {file: apiclient_key.pem}
    api_v3_key: {file: api_v3_key}
    public_key: {id: ` + wechatpaytest.PublicKeyID + `, file: pub_key.pem}
    base_url: ` + address + `
    notify_url: https://pay.example.com
`
	for name, text := range map[string]string{
		"wechatpay.yaml": config, "api_v3_key": wechatpaytest.APIv3Key,
		"apiclient_key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})),
		"pub_key.pem":       string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER})),
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(w.dir, "wechatpay.yaml")
}

// The doctor asks WeChat Pay itself, finds nothing where nothing is, and tells
// wrong keys and a wrong file apart.
func TestDoctorOfWeChatPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, "migrate")
	w.keys(t)
	file := w.wechatFile(t, wechatpaytest.Start(t, nil).URL)
	ofWeChat := func() map[string]string {
		statuses, _ := w.doctor(t, "--wechatpay", file)
		for check := range statuses {
			if !strings.HasPrefix(check, "wechatpay.") {
				delete(statuses, check)
			}
		}
		return statuses
	}
	good := map[string]string{"wechatpay.config": "ok", "wechatpay.shop.reach": "ok", "wechatpay.shop.clock": "ok", "wechatpay.shop.signature": "ok",
		"wechatpay.shop.complaints": "ok"}
	if d := cmp.Diff(good, ofWeChat()); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(string(text), "    notify_url", "    v2_key: {file: v2_key}\n    notify_url", 1)
	for key, want := range map[string]string{wechatpaytest.V2Key: "ok", strings.Repeat("x", 32): "fail"} {
		err := errors.Join(os.WriteFile(file, []byte(older), 0o600), os.WriteFile(filepath.Join(w.dir, "v2_key"), []byte(key), 0o600))
		if got := ofWeChat()["wechatpay.shop.v2_key"]; err != nil || got != want {
			t.Errorf("a v2_key is %q, want %q, %v", got, want, err)
		}
	}
	for _, tt := range []struct {
		old, new string
		want     map[string]string
	}{
		{wechatpaytest.Serial, "5E00", map[string]string{"wechatpay.config": "ok", "wechatpay.shop.reach": "ok", "wechatpay.shop.clock": "ok", "wechatpay.shop.signature": "fail"}},
		{"appid", "apid", map[string]string{"wechatpay.config": "fail"}},
	} {
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), tt.old, tt.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, ofWeChat()); d != "" {
			t.Errorf("with %s (-want +got):\n%s", tt.new, d)
		}
	}
}

// What the check of a connection found is judged by where it ends.
func TestDoctorJudgesWeChatPay(t *testing.T) {
	t.Parallel()
	last := func(p wechatpay.Probe) finding {
		all := checkWeChatPay(p)
		return all[len(all)-1]
	}
	reached := wechatpay.Probe{Name: "shop", Host: "h", Resolved: true, Connected: true, Secure: true, Status: 200}
	with := func(change func(*wechatpay.Probe)) wechatpay.Probe {
		p := reached
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name string
		got  finding
		want status
	}{
		{"no name", last(wechatpay.Probe{Name: "shop"}), fail},
		{"nobody there", last(wechatpay.Probe{Name: "shop", Resolved: true}), fail},
		{"a wrong certificate", last(wechatpay.Probe{Name: "shop", Resolved: true, Connected: true}), fail},
		{"no answer", last(with(func(p *wechatpay.Probe) { p.Status = 0 })), fail},
		{"our signature", last(with(func(p *wechatpay.Probe) { p.Status = 401 })), fail},
		{"their signature", last(with(func(p *wechatpay.Probe) { p.Accepted = true })), fail},
		{"an old echo", last(with(func(p *wechatpay.Probe) { p.Accepted, p.Genuine = true, true })), fail},
		{"who knows", last(with(func(p *wechatpay.Probe) { p.Status = 500 })), warn},
		{"all good", last(with(func(p *wechatpay.Probe) { p.Accepted, p.Genuine, p.Echoed = true, true, true })), ok},
		{"an older key", checkKeyV2("c", wechatpay.KeyV2Right, "")[0], ok},
		{"a wrong older key", checkKeyV2("c", wechatpay.KeyV2Wrong, "refused")[0], fail},
		{"an older key, untold", checkKeyV2("c", wechatpay.KeyV2Untold, "refused")[0], warn},
		{"clocks apart", checkWeChatClock("c", -wechatClockFail), fail},
		{"clocks that part", checkWeChatClock("c", wechatClockWarn), warn},
		{"clocks that agree", checkWeChatClock("c", time.Second), ok},
	} {
		if tt.got.status != tt.want {
			t.Errorf("%s: %+v, want status %d", tt.name, tt.got, tt.want)
		}
		for _, text := range []mianmi.Text{tt.got.found, tt.got.remedy} {
			if (text.ZH == "") != (text.EN == "") || strings.Contains(text.ZH+text.EN, "%!") {
				t.Errorf("%s: words in one language, or badly filled: %+v", tt.name, text)
			}
		}
	}
}
