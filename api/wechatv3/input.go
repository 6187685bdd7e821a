package wechatv3

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/wechat"
)

// Bounds of texts, in characters, as WeChat Pay documents them.
const (
	descriptionMax = 127
	attachMax      = 128
	deviceMax      = 32
	reasonMax      = 80
	notifyMax      = 255
	echoMax        = 1024
)

// decode reads a body. What is not known is passed over, as at WeChat Pay: the
// form has grown over the years. Nothing of the body is quoted.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return &mianmi.Error{Kind: mianmi.Invalid, Msg: "the body is not JSON of this form"}
	}
	return nil
}

// amountIn is an amount in a request: minor units; no currency is CNY.
type amountIn struct {
	Total    int64  `json:"total"`
	Refund   int64  `json:"refund"`
	Currency string `json:"currency"`
}

func (a *amountIn) of(field string, minor int64) (money.Amount, error) {
	currency := a.Currency
	if currency == "" {
		currency = "CNY"
	}
	c := money.Currency(currency)
	if !c.Valid() {
		return money.Amount{}, mianmi.InvalidField("amount.currency", "three upper-case letters (ISO 4217)")
	}
	if minor < 1 || minor > amountMax {
		return money.Amount{}, mianmi.InvalidField(field, "a whole number of minor units above zero")
	}
	return money.Of(minor, c), nil
}

// amountMax is what one order may come to at most, as payment has it.
const amountMax = 1_000_000_000_000

// sceneIn is where an order is. What it says of stores is not read: a terminal
// belongs to its store in mianmi.
type sceneIn struct {
	DeviceID  string         `json:"device_id"`
	StoreInfo map[string]any `json:"store_info"`
}

// merchant refuses a body that is another merchant's.
func merchant(c *wechat.Caller, appid, mchid string) error {
	switch {
	case mchid == "":
		return mianmi.InvalidField("mchid", "is missing")
	case mchid != c.Identity.MchID:
		return &refusal{code: "MCH_NOT_EXISTS"}
	case appid == "":
		return mianmi.InvalidField("appid", "is missing")
	case appid != c.Identity.AppID:
		return &refusal{code: "APPID_MCHID_NOT_MATCH"}
	}
	return nil
}

// ofMerchant refuses a query that is another merchant's.
func ofMerchant(c *call) error {
	if c.r.URL.Query().Get("mchid") != c.caller.Identity.MchID {
		return &refusal{code: "MCH_NOT_EXISTS"}
	}
	return nil
}

// orderNo refuses what is no number of an order or a refund.
func orderNo(field, no string) error {
	ok := no != "" && len(no) <= 32
	for i := range len(no) {
		c := no[i]
		ok = ok && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '-' || c == '*')
	}
	if !ok {
		return mianmi.InvalidField(field, "1 to 32 characters of 0-9, A-Z, a-z, _, - and *")
	}
	return nil
}

// plain refuses text that is too long, cannot be shown, or holds what must
// never be sent.
func plain(field, text string, most int) error {
	switch {
	case utf8.RuneCountInString(text) > most:
		return mianmi.InvalidField(field, "is too long")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return mianmi.InvalidField(field, "holds control characters")
	case payer.LooksLikeCard(text):
		return mianmi.InvalidField(field, "holds what looks like a card number, which must never be sent")
	}
	return nil
}

// firstOf is the first error of a list.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
