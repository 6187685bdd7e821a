package wechatpay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mianmi/mianmi/channel/wechatpay"
	"github.com/mianmi/mianmi/channel/wechatpay/wechatpaytest"
)

const v2Key = "abcdefabcdefabcdefabcdefabcdef01"

// signV2 is the signature of the older interface, written from its document:
// the fields in order, the key last, HMAC-SHA256 in capitals.
func signV2(key string, fields [][2]string) string {
	fields = slices.Clone(fields)
	slices.SortFunc(fields, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var parts []string
	for _, f := range fields {
		parts = append(parts, f[0]+"="+f[1])
	}
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, strings.Join(parts, "&")+"&key="+key)
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}

func xmlOf(fields [][2]string) string {
	text := "<xml>\n"
	for _, f := range fields {
		text += "<" + f[0] + "><![CDATA[" + f[1] + "]]></" + f[0] + ">\n"
	}
	return text + "</xml>"
}

// signed is a message with its signature.
func signed(fields [][2]string, key string) string {
	return xmlOf(append(slices.Clone(fields), [2]string{"sign", signV2(key, fields)}))
}

// Who shows a code is known where the connection has the key for it, and only
// from an answer that is signed with that key and about this account.
func TestPayerOf(t *testing.T) {
	t.Parallel()
	whole := [][2]string{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}, {"mch_id", wechatpaytest.MchID}, {"openid", wechatpaytest.OpenID}, {"nonce_str", "x"}}
	change := func(name, v string) [][2]string {
		out := slices.Clone(whole)
		for i := range out {
			if out[i][0] == name {
				out[i][1] = v
			}
		}
		return out
	}
	for _, tt := range []struct {
		name, answer string
		set          func(*wechatpay.Connection)
		code         string
		want, fault  string
	}{
		{name: "known", answer: signed(whole, v2Key), want: wechatpaytest.OpenID},
		{name: "known to a service provider's merchant", set: func(c *wechatpay.Connection) { c.SubMchID, c.SubAppID = wechatpaytest.SubMchID, "wx1" },
			answer: signed(append(slices.Clone(whole), [2]string{"sub_mch_id", wechatpaytest.SubMchID}, [2]string{"sub_openid", "oSub"}), v2Key), want: "oSub"},
		{name: "without the key", set: func(c *wechatpay.Connection) { c.V2Key = "" }},
		{name: "a code of somebody else", code: "280000000000000000"},
		{name: "signed with another key", answer: signed(whole, strings.ToUpper(v2Key)), fault: "not from WeChat Pay"},
		{name: "not signed", answer: xmlOf(whole), fault: "refused"},
		{name: "of another account", answer: signed(change("mch_id", "1"), v2Key), fault: "ALARM"},
		{name: "nobody", answer: signed(change("openid", ""), v2Key), fault: "not from WeChat Pay"},
		{name: "refused", answer: signed(append(change("result_code", "FAIL"), [2]string{"err_code", "AUTHCODEEXPIRE"}), v2Key), fault: "refused AUTHCODEEXPIRE"},
		{name: "an element twice", answer: strings.Replace(signed(whole, v2Key), "</xml>", "<openid>o2</openid></xml>", 1), fault: "cannot be read"},
		{name: "elements in elements without end", answer: "<xml>" + strings.Repeat("<a>", 1000), fault: "cannot be read"},
		{name: "no XML", answer: "{}", fault: "cannot be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, asked := answering(t, tt.answer)
			c.V2Key = v2Key
			if tt.set != nil {
				tt.set(c)
			}
			code := tt.code
			if code == "" {
				code = wechatpaytest.CodePaid
			}
			got, known, fault := open(t, c).PayerOf(t.Context(), shop, code)
			if got != tt.want || known != (tt.want != "") || !strings.Contains(fault, tt.fault) || tt.fault == "" && fault != "" {
				t.Errorf("%q %v %q, want %q and %q", got, known, fault, tt.want, tt.fault)
			}
			noSecret(t, fault)
			if tt.answer == "" {
				if *asked != "" {
					t.Errorf("asked: %s", *asked)
				}
				return
			}
			checkAsked(t, *asked)
		})
	}
}

// answering is a connection to a server with one answer, and what that was asked.
func answering(t *testing.T, answer string) (c *wechatpay.Connection, asked *string) {
	t.Helper()
	asked = new("")
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = r.URL.Path + string(body)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(at.Close)
	return connection(t, at.URL), asked
}

// Whether a v2_key is right is seen from a refusal that is signed with it; what
// nobody signed shows at most that it is wrong.
func TestKeyOfOlderInterface(t *testing.T) {
	t.Parallel()
	refusal := [][2]string{{"return_code", "SUCCESS"}, {"result_code", "FAIL"}, {"err_code", "AUTH_CODE_INVALID"}}
	for _, tt := range []struct {
		name, answer string
		want         wechatpay.KeyV2
	}{
		{"signed", signed(refusal, v2Key), wechatpay.KeyV2Right},
		{"signed with another", signed(refusal, strings.ToUpper(v2Key)), wechatpay.KeyV2Wrong},
		{"refused for its signature", "<xml><return_code>FAIL</return_code><return_msg>签名错误</return_msg></xml>", wechatpay.KeyV2Wrong},
		{"refused by code", "<xml><return_code>FAIL</return_code><err_code>SIGNERROR</err_code></xml>", wechatpay.KeyV2Wrong},
		{"not signed", xmlOf(refusal), wechatpay.KeyV2Untold},
		{"no XML", "{}", wechatpay.KeyV2Untold},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, asked := answering(t, tt.answer)
			if got, _ := open(t, c).ProbeV2(t.Context(), c.Name); got != wechatpay.KeyV2Absent || *asked != "" {
				t.Errorf("without a key: %v, asked %s", got, *asked)
			}
			c.V2Key = v2Key
			got, fault := open(t, c).ProbeV2(t.Context(), c.Name)
			if got != tt.want || (fault == "") != (got == wechatpay.KeyV2Right) {
				t.Errorf("%v, %q, want %v", got, fault, tt.want)
			}
			noSecret(t, fault)
			checkAsked(t, *asked)
		})
	}
}

// checkAsked checks the signature of a request of the older interface.
func checkAsked(t *testing.T, asked string) {
	t.Helper()
	body, ok := strings.CutPrefix(asked, "/tools/authcodetoopenid")
	if !ok {
		t.Fatalf("asked %s", asked)
	}
	var fields [][2]string
	sign := ""
	d := xml.NewDecoder(strings.NewReader(body))
	for token, err := d.Token(); err == nil; token, err = d.Token() {
		start, is := token.(xml.StartElement)
		if !is || start.Name.Local == "xml" {
			continue
		}
		var v string
		if err := d.DecodeElement(&v, &start); err != nil {
			t.Fatal(err)
		}
		if start.Name.Local == "sign" {
			sign = v
			continue
		}
		fields = append(fields, [2]string{start.Name.Local, v})
	}
	if sign == "" || sign != signV2(v2Key, fields) {
		t.Errorf("badly signed: %s", body)
	}
}

// The older interface's messages are read to their end or refused, whatever
// they are.
func FuzzOlderXML(f *testing.F) {
	f.Add("<xml><a>1</a></xml>")
	f.Add("<xml><!DOCTYPE x [<!ENTITY a \"b\">]><a>&a;</a></xml>")
	var answer atomic.Value
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, _ := answer.Load().(string)
		_, _ = io.WriteString(w, text)
	}))
	f.Cleanup(at.Close)
	c := connection(f, at.URL)
	c.V2Key = v2Key
	ch := open(f, c)
	f.Fuzz(func(t *testing.T, text string) {
		answer.Store(text)
		if got, known, _ := ch.PayerOf(t.Context(), shop, wechatpaytest.CodePaid); known || got != "" {
			t.Errorf("known from an answer that nobody signed: %q", got)
		}
	})
}
