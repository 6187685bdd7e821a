package wechatpaytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strings"
)

// payerOf answers authcodetoopenid, of the older interface: who shows a payment
// code. CodeUsed is nobody's.
func (s *Server) payerOf(body []byte) string {
	s.calls["POST authcodetoopenid"]++
	asked := map[string]string{}
	d := xml.NewDecoder(bytes.NewReader(body))
	for t, err := d.Token(); err == nil; t, err = d.Token() {
		if start, is := t.(xml.StartElement); is && start.Name.Local != "xml" {
			var v string
			if d.DecodeElement(&v, &start) != nil {
				break
			}
			asked[start.Name.Local] = v
		}
	}
	sign := asked["sign"]
	delete(asked, "sign")
	if sign != signOlder(asked) || asked["mch_id"] != MchID || asked["appid"] != AppID {
		return "<xml><return_code>FAIL</return_code><return_msg>签名错误</return_msg></xml>"
	}
	got := map[string]string{"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": AppID, "mch_id": MchID, "openid": OpenID,
		"nonce_str": hex.EncodeToString(nonce(8))}
	if asked["auth_code"] == CodeUsed {
		delete(got, "openid")
		got["result_code"], got["err_code"] = "FAIL", "AUTH_CODE_INVALID"
	}
	got["sign"] = signOlder(got)
	var text strings.Builder
	for name, v := range got {
		text.WriteString("<" + name + ">" + v + "</" + name + ">")
	}
	return "<xml>" + text.String() + "</xml>"
}

// signOlder signs fields that are not empty, as the older interface does.
func signOlder(fields map[string]string) string {
	var parts []string
	for name, v := range fields {
		parts = append(parts, name+"="+v)
	}
	slices.Sort(parts)
	mac := hmac.New(sha256.New, []byte(V2Key))
	mac.Write([]byte(strings.Join(parts, "&") + "&key=" + V2Key))
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}
