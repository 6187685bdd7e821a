package wechatpay

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
	"github.com/mianmi/mianmi/money"
)

// account names who takes the money, in requests and in answers alike.
type account struct {
	AppID    string `json:"appid,omitempty"`
	MchID    string `json:"mchid,omitempty"`
	SpAppID  string `json:"sp_appid,omitempty"`
	SpMchID  string `json:"sp_mchid,omitempty"`
	SubAppID string `json:"sub_appid,omitempty"`
	SubMchID string `json:"sub_mchid,omitempty"`
}

func (c *connection) account() account {
	if c.partner() {
		return account{SpAppID: c.AppID, SpMchID: c.MchID, SubAppID: c.SubAppID, SubMchID: c.SubMchID}
	}
	return account{AppID: c.AppID, MchID: c.MchID}
}

// is reports whether an answer names the account that was asked for.
func (a account) is(want account) bool {
	return a.MchID == want.MchID && a.SpMchID == want.SpMchID && a.SubMchID == want.SubMchID
}

// path is that of an interface for orders, in the merchant's or in the service
// provider's form.
func (c *connection) path(rest string) string {
	if c.partner() {
		return "/v3/pay/partner/transactions/" + rest
	}
	return "/v3/pay/transactions/" + rest
}

// byNumber is the path of an order by our number.
func (c *connection) byNumber(p mianmi.PaymentID, rest string) string {
	return c.path("out-trade-no/" + url.PathEscape(string(p)) + rest)
}

// asked is the query that says whose order is meant.
func (c *connection) asked() string {
	if c.partner() {
		return "?sp_mchid=" + url.QueryEscape(c.MchID) + "&sub_mchid=" + url.QueryEscape(c.SubMchID)
	}
	return "?mchid=" + url.QueryEscape(c.MchID)
}

type amountBody struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency,omitempty"`
}

// codeOrder is a charge by payment code.
type codeOrder struct {
	account
	Description string     `json:"description"`
	OutTradeNo  string     `json:"out_trade_no"`
	Attach      string     `json:"attach,omitempty"`
	Payer       codePayer  `json:"payer"`
	Amount      amountBody `json:"amount"`
	Scene       codeScene  `json:"scene_info"`
}

type codePayer struct {
	AuthCode string `json:"auth_code"`
}

type codeScene struct {
	DeviceID string    `json:"device_id,omitempty"`
	Store    codeStore `json:"store_info"`
}

type codeStore struct {
	OutID string `json:"out_id,omitempty"`
}

// qrOrder is an order that the payer confirms from a QR code (Native).
type qrOrder struct {
	account
	Description string     `json:"description"`
	OutTradeNo  string     `json:"out_trade_no"`
	TimeExpire  string     `json:"time_expire,omitempty"`
	Attach      string     `json:"attach,omitempty"`
	NotifyURL   string     `json:"notify_url"`
	Amount      amountBody `json:"amount"`
	Scene       *qrScene   `json:"scene_info,omitempty"`
}

// qrScene needs the caller's address, so it is sent where the configuration
// names one.
type qrScene struct {
	ClientIP string `json:"payer_client_ip"`
	DeviceID string `json:"device_id,omitempty"`
}

const (
	descriptionRunesMax = 127
	attachBytesMax      = 128
)

// description is what the payer reads; WeChat Pay wants one.
func description(about string) string {
	runes := []rune(strings.TrimSpace(about))
	if len(runes) == 0 {
		return "mianmi"
	}
	return string(runes[:min(len(runes), descriptionRunesMax)])
}

// attach is where the order came from, for the merchant's own books at WeChat
// Pay: store and terminal, nobody's person.
func attach(o channel.Order) string {
	text := strings.Trim(string(o.Store)+"/"+string(o.Terminal), "/")
	if len(text) > attachBytesMax {
		return ""
	}
	return text
}

// Charge takes an order by a payment code.
func (ch *Channel) Charge(ctx context.Context, o channel.Order, code string) channel.Answer {
	c, answer, ok := ch.prepare(o)
	if !ok {
		return answer
	}
	r := c.call(ctx, c.path("codepay"), codeOrder{
		account: c.account(), Description: description(o.About), OutTradeNo: string(o.Payment), Attach: attach(o),
		Payer: codePayer{code}, Amount: amountBody{o.Amount.Minor(), string(o.Amount.Currency())},
		Scene: codeScene{DeviceID: string(o.Terminal), Store: codeStore{OutID: string(o.Store)}},
	})
	return c.judge("codepay", r, o.Ref, &o.Amount)
}

// Prepay opens an order for a QR code. The answer names no order, so a code
// that was already given for another payment is not shown.
func (ch *Channel) Prepay(ctx context.Context, o channel.Order) channel.Answer {
	c, answer, ok := ch.prepare(o)
	if !ok {
		return answer
	}
	return ch.open(ctx, c, o)
}

// prepare finds the connection, and refuses what no connection can take.
func (ch *Channel) prepare(o channel.Order) (*connection, channel.Answer, bool) {
	c := ch.merchants[o.Merchant]
	switch {
	case c == nil:
		return nil, channel.Answer{Fault: "no connection serves this merchant"}, false
	case o.Amount.Currency() != "CNY":
		// An order's amount never changes: nobody can have asked before.
		return nil, channel.Answer{Standing: channel.Unpaid, Failure: channel.CurrencyMismatch}, false
	}
	return c, channel.Answer{}, true
}

func (ch *Channel) open(ctx context.Context, c *connection, o channel.Order) channel.Answer {
	body := qrOrder{
		account: c.account(), Description: description(o.About), OutTradeNo: string(o.Payment), Attach: attach(o),
		NotifyURL: c.notifyURL(transactionKind), Amount: amountBody{o.Amount.Minor(), string(o.Amount.Currency())},
	}
	if !o.ExpiresAt.IsZero() {
		body.TimeExpire = o.ExpiresAt.In(beijing).Format(time.RFC3339)
	}
	if c.ClientIP != "" {
		body.Scene = &qrScene{ClientIP: c.ClientIP, DeviceID: string(o.Terminal)}
	}
	var got struct {
		CodeURL string `json:"code_url"`
	}
	r := c.call(ctx, c.path("native"), body).decode(&got)
	if r.fault == noFault && !ch.codes.take(got.CodeURL, string(o.Payment)) {
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return channel.Answer{Failure: r.hint(), Fault: r.line("native")}
	}
	return channel.Answer{Standing: channel.Waiting, QR: got.CodeURL}
}

// beijing is the zone that WeChat Pay writes its times in.
var beijing = time.FixedZone("CST", 8*60*60)

// Query asks what became of an order.
func (ch *Channel) Query(ctx context.Context, ref channel.Ref) channel.Answer {
	c := ch.merchants[ref.Merchant]
	if c == nil {
		return channel.Answer{Fault: "no connection serves this merchant"}
	}
	answer, _, _ := c.query(ctx, ref)
	return answer
}

// query asks by our number, and by WeChat Pay's own where ours is refused,
// which happens while a payment is under way. It returns WeChat Pay's own word
// for the order's state too.
func (c *connection) query(ctx context.Context, ref channel.Ref) (channel.Answer, reply, string) {
	r := c.call(ctx, c.byNumber(ref.Payment, "")+c.asked(), nil)
	if r.fault == refused && ref.Transaction != "" {
		r = c.call(ctx, c.path("id/"+url.PathEscape(ref.Transaction))+c.asked(), nil)
	}
	var t transaction
	_ = r.decode(&t) // judge says what is wrong with it
	a := c.judge("query", r, ref, nil)
	if a.Standing == channel.Unclear {
		a.Failure = channel.NoFailure // a question that is refused says nothing about the payment
	}
	return a, r, t.TradeState
}

// transaction is an order in WeChat Pay's answers and notifications.
type transaction struct {
	account
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	SuccessTime   string `json:"success_time"`
	Payer         struct {
		OpenID    string `json:"openid"`
		SpOpenID  string `json:"sp_openid"`
		SubOpenID string `json:"sub_openid"`
	} `json:"payer"`
	Amount struct {
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

func (t *transaction) payer() string {
	for _, id := range []string{t.Payer.OpenID, t.Payer.SubOpenID, t.Payer.SpOpenID} {
		if id != "" {
			return id
		}
	}
	return ""
}

// amount is what the order is over; merchants of the mainland have one currency.
func (t *transaction) amount() money.Amount {
	currency := money.Currency(t.Amount.Currency)
	if currency == "" {
		currency = "CNY"
	}
	return money.Of(t.Amount.Total, currency)
}
