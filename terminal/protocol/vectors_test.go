package protocol_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/terminal/protocol"
)

// With -update the vectors are made anew, by a key that is thrown away.
func TestUpdateVectors(t *testing.T) {
	if !*update {
		t.Log("the vectors stay as they are")
		return
	}
	key := newKey(t)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	id, err := protocol.KeyID(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{About: mianmi.Text{
		ZH: "终端厂商的测试向量：配置、签名报告、登记码、链路检查的应答，各注明是否有效。字节以 base64 表示。",
		EN: "Test vectors for makers of terminals: configs, signed reports, enrolment codes, answers to checks of the link, each with whether it is valid. Bytes are in base64.",
	}, Configs: configVectors(t), Key: der, KeyID: id, Reports: reportVectors(t, key), Codes: codeVectors(), Echoes: echoVectors(t)}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	same(t, filepath.Join("..", "..", "docs", "terminal", "vectors.json"), append(text, '\n'))
}

func configVectors(t *testing.T) (out []configVector) {
	t.Helper()
	base := protocol.Config{Form: protocol.Form, Terminal: "tm01jqz3n8v5w2x4y6k7m9p0rstv", Version: 12, Tightened: 11, TightenedAt: noon, PinFree: true,
		Methods: []string{"card_tap", "payment_code"}, Because: []protocol.Say{{Level: "merchant", ID: "mc01jqz3n8v5w2x4y6k7m9p0rstv", Version: 3, PinFree: true, Since: noon}},
		LeaseSeconds: 900, ReportSeconds: 300, Currency: "CNY", Merchant: "街角咖啡", Store: "人民路店", Name: "收银台 1"}
	add := func(name string, change func(*protocol.Config)) []byte {
		c := base
		change(&c)
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, configVector{name, b, protocol.HashOf(b).String(), true, c.Allows(noon)})
		return b
	}
	good := add("PIN-free on", func(*protocol.Config) {})
	add("PIN-free off", func(c *protocol.Config) { c.PinFree = false })
	add("a stop that lives", func(c *protocol.Config) { c.Stops = []protocol.Stop{{ID: "es1", Until: noon.Add(time.Second)}} })
	add("a stop that ends now", func(c *protocol.Config) { c.Stops = []protocol.Stop{{ID: "es1", Until: noon}} })
	bad := func(name string, b []byte) {
		out = append(out, configVector{name, b, protocol.HashOf(b).String(), false, false})
	}
	bad("cut short", good[:len(good)-1])
	bad("followed by more", append(append([]byte(nil), good...), '{', '}'))
	bad("a member of a later form", []byte(`{"form":1,"terminal":"tm1","version":1,"lease_seconds":1,"report_seconds":1,"pin_free":true,"methods":[],"because":[],"merchant_id":"","currency":"CNY","merchant":"","store":"","name":"","later":1}`))
	bad("a later form", []byte(`{"form":2,"terminal":"tm1","version":1,"lease_seconds":1,"report_seconds":1,"pin_free":true}`))
	bad("nothing", []byte(`{}`))
	return out
}

func reportVectors(t *testing.T, key *ecdsa.PrivateKey) (out []reportVector) {
	t.Helper()
	text, err := report().Sign(rand.Reader, key)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, valid bool, change func(*protocol.Signed)) {
		var s protocol.Signed
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, reportVector{name, b, valid})
	}
	add("as signed", true, func(*protocol.Signed) {})
	add("one bit of the report flipped", false, func(s *protocol.Signed) { s.Report[9] ^= 1 })
	add("one bit of the signature flipped", false, func(s *protocol.Signed) { s.Signature[len(s.Signature)-1] ^= 1 })
	add("the key's name of another", false, func(s *protocol.Signed) { s.Key = "00112233445566778899aabbccddeeff" })
	add("unsigned", false, func(s *protocol.Signed) { s.Signature = nil })
	return out
}

func codeVectors() []codeVector {
	ca := protocol.FingerprintOf([]byte("a certificate"))
	c := protocol.EnrolCode{Secret: "00000000000000000000", CA: ca}
	return []codeVector{
		{c.String(), c.Secret, ca[:], true},
		{" " + c.String() + " ", c.Secret, ca[:], true},
		{Code: c.String()[1:]}, {Code: c.String()[:40]}, {Code: ""},
	}
}

// told is an echo with all that it can say.
var told = protocol.Echo{Terminal: "tm01jqz3n8v5w2x4y6k7m9p0rstv", Nonce: "n1", Channels: []protocol.ChannelState{
	{Channel: "wechatpay", State: protocol.ChannelAnswers, AgeSeconds: 12, TookMS: 130},
	{Channel: "second", State: protocol.ChannelSilent, AgeSeconds: 40, Since: noon},
	{Channel: "third", State: protocol.ChannelUnknown},
}}

func echoVectors(t *testing.T) []echoVector {
	t.Helper()
	all, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	return []echoVector{
		{"of a host that says nothing of channels", []byte(`{"terminal":"tm1","nonce":"n1"}`), true, []string{}},
		{"channels", all, true, []string{"answers", "silent", "unknown"}},
		{"members and states of a later form", []byte(`{"terminal":"tm1","nonce":"n1","later":1,"channels":[{"channel":"wechatpay","state":"slow","age_seconds":1,"why":"x"}]}`), true, []string{"unknown"}},
		{"an age that cannot be", []byte(`{"terminal":"tm1","nonce":"n1","channels":[{"channel":"wechatpay","state":"answers","age_seconds":-1}]}`), true, []string{"unknown"}},
		{"silence without a beginning", []byte(`{"terminal":"tm1","nonce":"n1","channels":[{"channel":"wechatpay","state":"silent","age_seconds":1}]}`), true, []string{"unknown"}},
		{"a login page", []byte(`<html>`), false, []string{}},
	}
}
