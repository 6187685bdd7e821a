package wechatpay_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

// direct and partner are whole configurations.
const (
	direct = `connections:
  - name: shop
    merchants: [mc0000000000000000000000shop]
    mchid: "1900000109"
    appid: wxd678efh567hg6787
    serial: 5157F09EFDC096DE15EBE81A47057A7232F1B8E1
    private_key: {file: apiclient_key.pem}
    api_v3_key: {env: WX_KEY}
    public_key: {id: PUB_KEY_ID_0119000001092026030100000001, file: pub_key.pem}
    notify_url: https://pay.example.com
`
	partner = `connections:
  - name: shop
    merchants: [mc0000000000000000000000shop]
    mode: partner
    unknown_payers: own_rules
    sp_mchid: "1900000109"
    sp_appid: wxd678efh567hg6787
    sub_mchid: "1900000110"
    serial: 5157F09EFDC096DE15EBE81A47057A7232F1B8E1
    private_key: {env: WX_PRIVATE}
    api_v3_key: {file: v3}
    platform_certificates: true
    base_url: http://127.0.0.1:8080
    proxy: http://proxy.example.com:3128
    notify_url: https://pay.example.com/
    client_ip: 192.0.2.7
`
)

// folder writes a configuration with its keys.
func folder(t *testing.T, text string) wechatpay.Source {
	t.Helper()
	dir := t.TempDir()
	private, public := wechatpaytest.Merchant(t)
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	privatePEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})
	for name, content := range map[string][]byte{
		"wechatpay.yaml": []byte(text), "apiclient_key.pem": privatePEM, "v3": []byte(wechatpaytest.APIv3Key + "\n"),
		"pub_key.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}), "short": []byte("hunter2"), "long": make([]byte, 20<<10),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "open"), []byte(wechatpaytest.APIv3Key), 0o644); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	environ := map[string]string{"WX_KEY": wechatpaytest.APIv3Key, "WX_PRIVATE": string(privatePEM)}
	return wechatpay.Source{File: filepath.Join(dir, "wechatpay.yaml"), Environ: func(name string) (string, bool) {
		v, ok := environ[name]
		return v, ok
	}}
}

// Both forms are read whole, with what they leave out.
func TestReadConfig(t *testing.T) {
	t.Parallel()
	all, err := wechatpay.ReadConfig(folder(t, direct))
	if err != nil {
		t.Fatal(err)
	}
	c := all[0]
	if c.Base.String() != "https://api.mch.weixin.qq.com" || c.Second == nil || c.Second.String() != "https://api2.mch.weixin.qq.com" || c.OwnRules || c.SubMchID != "" ||
		c.APIv3Key != wechatpaytest.APIv3Key || c.PrivateKey == nil || c.PublicKey == nil || c.Certificates || len(c.Merchants) != 1 {
		t.Errorf("direct: %+v", *c)
	}
	if all, err = wechatpay.ReadConfig(folder(t, partner)); err != nil {
		t.Fatal(err)
	}
	if c = all[0]; c.SubMchID != "1900000110" || !c.OwnRules || c.Second != nil || !c.Certificates || c.PublicKey != nil || c.Proxy == nil ||
		c.Notify.String() != "https://pay.example.com" || c.ClientIP != "192.0.2.7" {
		t.Errorf("partner: %+v", *c)
	}
}

// Each fault is refused with the field that it is in, and no error shows a
// value, which may be a key in the wrong place.
func TestReadConfigRefuses(t *testing.T) {
	t.Parallel()
	change := func(old, new string) string {
		if !strings.Contains(direct, old) {
			t.Fatalf("nothing to change: %s", old)
		}
		return strings.Replace(direct, old, new, 1)
	}
	for _, tt := range []struct{ name, text, field string }{
		{"no YAML", "connections: [hunter2", "wechatpay"},
		{"an empty file", "", "wechatpay"},
		{"a list", "- hunter2", "wechatpay"},
		{"no connections", "connections: []", "connections"},
		{"connections that are none", "connections: hunter2", "connections"},
		{"an unknown key at the top", direct + "hunter2: x\n", "hunter2"},
		{"an unknown key", change("    appid", "    apid: x\n    appid"), "connections[shop].apid"},
		{"a kind of contract that there is not", change("    appid", "    contracts: {palm: \"1\"}\n    appid"), "connections[shop].contracts.palm"},
		{"a service that is no number", change("    appid", "    contracts: {payscore: hunter2}\n    appid"), "connections[shop].contracts.payscore"},
		{"papay of a service provider", partner + "    contracts: {papay: \"1\"}\n", "connections[shop].contracts.papay"},
		{"an unknown key below", change("{env: WX_KEY}", "{env: WX_KEY, hint: x}"), "connections[shop].api_v3_key.hint"},
		{"a key that stands there twice", change("    appid", "    mchid: \"1\"\n    appid"), "connections[0].mchid"},
		{"no name", change("name: shop", "mode: direct"), "connections[0].name"},
		{"a name with a slash", change("name: shop", "name: a/b"), "connections[0].name"},
		{"a mode that is none", change("    mchid", "    mode: both\n    mchid"), "connections[shop].mode"},
		{"no account", change("    mchid: \"1900000109\"\n", ""), "connections[shop].mchid"},
		{"a partner's key in direct mode", change("    appid", "    sub_mchid: \"1\"\n    appid"), "connections[shop].sub_mchid"},
		{"merchants that are none", change("[mc0000000000000000000000shop]", "[hunter2]"), "connections[shop].merchants"},
		{"no merchants", change("    merchants: [mc0000000000000000000000shop]\n", ""), "connections[shop].merchants"},
		{"a serial number that is none", change("5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "hunter2"), "connections[shop].serial"},
		{"a private key that is missing", change("    private_key: {file: apiclient_key.pem}\n", ""), "connections[shop].private_key"},
		{"a private key as it is", change("{file: apiclient_key.pem}", "hunter2"), "connections[shop].private_key"},
		{"a private key that is none", change("{file: apiclient_key.pem}", "{file: short}"), "connections[shop].private_key"},
		{"a private key that is public", change("{file: apiclient_key.pem}", "{file: pub_key.pem}"), "connections[shop].private_key"},
		{"a file that is not there", change("{file: apiclient_key.pem}", "{file: hunter2}"), "connections[shop].private_key.file"},
		{"a file that is a folder", change("{file: apiclient_key.pem}", "{file: .}"), "connections[shop].private_key.file"},
		{"a file that is too long", change("{file: apiclient_key.pem}", "{file: long}"), "connections[shop].private_key.file"},
		{"a key that others may read", change("{env: WX_KEY}", "{file: open}"), "connections[shop].api_v3_key.file"},
		{"a variable that is not set", change("{env: WX_KEY}", "{env: HUNTER2}"), "connections[shop].api_v3_key.env"},
		{"file and variable", change("{env: WX_KEY}", "{env: WX_KEY, file: v3}"), "connections[shop].api_v3_key"},
		{"a key of another length", change("{env: WX_KEY}", "{file: short}"), "connections[shop].api_v3_key"},
		{"an older key of another length", direct + "    v2_key: {file: short}\n", "connections[shop].v2_key"},
		{"nothing that verifies", change("    public_key: {id: PUB_KEY_ID_0119000001092026030100000001, file: pub_key.pem}\n", ""), "connections[shop].public_key"},
		{"a number of a key that is none", change("PUB_KEY_ID_0119000001092026030100000001", "hunter2"), "connections[shop].public_key.id"},
		{"a public key that is none", change("file: pub_key.pem", "file: short"), "connections[shop].public_key.file"},
		{"the next key is the present one", direct + "    next_public_key: {id: PUB_KEY_ID_0119000001092026030100000001, file: pub_key.pem}\n", "connections[shop].next_public_key.id"},
		{"a next key that is none", direct + "    next_public_key: {id: PUB_KEY_ID_0119000001092027030100000001, file: short}\n", "connections[shop].next_public_key.file"},
		{"certificates, perhaps", direct + "    platform_certificates: perhaps\n", "connections[shop].platform_certificates"},
		{"no address for notifications", change("    notify_url: https://pay.example.com\n", ""), "connections[shop].notify_url"},
		{"an address with a path", change("https://pay.example.com", "https://pay.example.com/x"), "connections[shop].notify_url"},
		{"an address without TLS", direct + "    base_url: http://api.example.com\n", "connections[shop].base_url"},
		{"an address with a password", direct + "    base_url: https://u:hunter2@api.example.com\n", "connections[shop].base_url"},
		{"a proxy with a password", direct + "    proxy: http://u:hunter2@proxy.example.com\n", "connections[shop].proxy"},
		{"authorities that are none", direct + "    ca_file: short\n", "connections[shop].ca_file"},
		{"an address that is a name", direct + "    client_ip: hunter2\n", "connections[shop].client_ip"},
		{"payers left to somebody", direct + "    unknown_payers: hunter2\n", "connections[shop].unknown_payers"},
		{"the same name twice", direct + strings.TrimPrefix(direct, "connections:\n"), "connections[shop].name"},
		{"a merchant of two connections", direct + strings.Replace(strings.TrimPrefix(direct, "connections:\n"), "name: shop", "name: two", 1), "connections[two].merchants"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := wechatpay.ReadConfig(folder(t, tt.text))
			var fault *mianmi.Error
			if !errors.As(err, &fault) || fault.Field != tt.field {
				t.Fatalf("%v, want the field %s", err, tt.field)
			}
			if strings.Contains(strings.ReplaceAll(err.Error(), tt.field, ""), "hunter2") {
				t.Errorf("a value is shown: %v", err)
			}
		})
	}
	if _, err := wechatpay.ReadConfig(wechatpay.Source{File: filepath.Join(t.TempDir(), "none")}); mianmi.KindOf(err) != mianmi.Invalid {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A connection prints no key, whatever prints it.
func TestConnectionHidesItsKeys(t *testing.T) {
	t.Parallel()
	c := connection(t, "http://127.0.0.1:1")
	for _, text := range []string{c.String(), c.GoString()} {
		if strings.Contains(text, wechatpaytest.APIv3Key) {
			t.Errorf("the key is shown: %s", text)
		}
	}
}
