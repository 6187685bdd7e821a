package wechatpay

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

var _ channel.Namer = (*Channel)(nil)

// PayerOf says who shows a payment code, as WeChat Pay names them towards this
// merchant, before anything is charged: the same name that Answer.Payer has
// after. From then on only this account may charge the code. It is WeChat Pay's
// older interface (authcodetoopenid, XML, HMAC-SHA256), which answers without
// saying for which code, so it is as sure as the TLS connection is. It works
// where the connection has a v2_key; false is "not known".
func (ch *Channel) PayerOf(ctx context.Context, m mianmi.MerchantID, code string) (openID string, known bool, fault string) {
	c := ch.merchants[m]
	if c == nil || c.V2Key == "" || !ch.Takes(code) {
		return "", false, ""
	}
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return "", false, "authcodetoopenid: " + faultWords[notSent]
	}
	ask, why := c.whoShows(code)
	if why != noFault {
		return "", false, "authcodetoopenid: " + faultWords[why]
	}
	got, why := c.askV2(ctx, pathWhoShows, ask)
	if why != noFault {
		return "", false, "authcodetoopenid: " + faultWords[why]
	}
	if got["return_code"] != "SUCCESS" || got["result_code"] != "SUCCESS" {
		return "", false, "authcodetoopenid: refused " + plain(got["err_code"], codeForm)
	}
	openID = got["openid"]
	if sub := got["sub_openid"]; sub != "" {
		openID = sub
	}
	if got["mch_id"] != c.MchID || c.partner() && got["sub_mch_id"] != c.SubMchID || openID == "" {
		return "", false, "authcodetoopenid: " + faultWords[elsewhere]
	}
	return openID, true, ""
}

// KeyV2 is what WeChat Pay lets see of a connection's v2_key.
type KeyV2 uint8

const (
	KeyV2Absent KeyV2 = 0 // the connection has none
	KeyV2Right  KeyV2 = 1 // an answer was signed with it
	KeyV2Wrong  KeyV2 = 2 // WeChat Pay does not take our signature, or signs with another
	KeyV2Untold KeyV2 = 3 // nothing that came back tells
)

// codeOfNobody has the form of a payment code, and is nobody's: to ask for it
// makes no code of a payer's ours.
const codeOfNobody = "100000000000000000"

// ProbeV2 asks whose a code is that nobody has. WeChat Pay refuses, and what it
// signs of that shows that the v2_key is right; that a signature is wrong it says
// without one. The fault is one line without secrets.
func (ch *Channel) ProbeV2(ctx context.Context, name string) (KeyV2, string) {
	c := ch.connections[name]
	if c == nil || c.V2Key == "" {
		return KeyV2Absent, ""
	}
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	ask, why := c.whoShows(codeOfNobody)
	if why != noFault {
		return KeyV2Untold, faultWords[why]
	}
	got, why := c.askV2(ctx, pathWhoShows, ask)
	switch {
	case why == noFault:
		return KeyV2Right, ""
	case why == foreign, got["err_code"] == "SIGNERROR", strings.Contains(got["return_msg"], "签名"):
		return KeyV2Wrong, faultWords[why]
	}
	return KeyV2Untold, faultWords[why]
}

const pathWhoShows = "/tools/authcodetoopenid"

// whoShows is the question, not yet signed.
func (c *connection) whoShows(code string) (fieldsXML, fault) {
	nonce, err := utils.GenerateNonce()
	if err != nil {
		return nil, notSent
	}
	ask := fieldsXML{"appid": c.AppID, "mch_id": c.MchID, "auth_code": code, "nonce_str": nonce, "sign_type": "HMAC-SHA256"}
	if c.partner() {
		ask["sub_mch_id"] = c.SubMchID
		if c.SubAppID != "" {
			ask["sub_appid"] = c.SubAppID
		}
	}
	return ask, noFault
}

// askV2 sends signed XML and believes what is signed with the same key. What is
// not signed comes with a fault, and is worth no more than a hint.
func (c *connection) askV2(ctx context.Context, path string, ask fieldsXML) (fieldsXML, fault) {
	ask["sign"] = ask.sign(c.V2Key)
	body, err := xml.Marshal(ask)
	if err != nil {
		return nil, notSent
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, baseDefault+path, bytes.NewReader(body))
	if err != nil {
		return nil, notSent
	}
	r.Header.Set("Content-Type", "text/xml")
	answer, err := c.http.Do(r)
	if err != nil {
		var unsent *notSentError
		if errors.As(err, &unsent) {
			return nil, notSent
		}
		return nil, noAnswer
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, noAnswer
	}
	got := fieldsXML{}
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, refused
	case xml.Unmarshal(text, &got) != nil:
		return nil, unread
	case got["sign"] == "": // as its errors are
		return got, refused
	}
	if !hmac.Equal([]byte(got["sign"]), []byte(got.sign(c.V2Key))) {
		return nil, foreign
	}
	return got, noFault
}

// fieldsXML is a message of the older interface: one level of elements.
type fieldsXML map[string]string

// sign is the HMAC-SHA256 of the sorted fields, as the older interface has it.
func (m fieldsXML) sign(key string) string {
	var names []string
	for name, v := range m {
		if name != "sign" && v != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		text.WriteString(name + "=" + m[name] + "&")
	}
	text.WriteString("key=" + key)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text.String()))
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}

// MarshalXML is part of xml.Marshaler.
func (m fieldsXML) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	start := xml.StartElement{Name: xml.Name{Local: "xml"}}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for name, v := range m {
		if err := e.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// fieldsXMLMax bounds the elements of a message and the space between them; a
// real one has some thirty.
const fieldsXMLMax = 300

// UnmarshalXML is part of xml.Unmarshaler. An element that stands there twice
// makes the message unreadable: which one was signed would be a guess.
func (m *fieldsXML) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	for range fieldsXMLMax {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			var v string
			if err := d.DecodeElement(&v, &t); err != nil {
				return err
			}
			if _, twice := (*m)[t.Name.Local]; twice {
				return errors.New("an element stands there twice")
			}
			(*m)[t.Name.Local] = v
		}
	}
	return errors.New("too many elements")
}
