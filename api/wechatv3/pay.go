package wechatv3

import (
	"context"
	"net/http"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/wechat"
)

// orderIn is the body of codepay and native.
type orderIn struct {
	AppID       string   `json:"appid"`
	MchID       string   `json:"mchid"`
	Description string   `json:"description"`
	OutTradeNo  string   `json:"out_trade_no"`
	Attach      string   `json:"attach"`
	NotifyURL   string   `json:"notify_url"`
	TimeExpire  string   `json:"time_expire"`
	Amount      amountIn `json:"amount"`
	Scene       *sceneIn `json:"scene_info"`
	Payer       struct {
		AuthCode string `json:"auth_code"`
	} `json:"payer"`
}

// order checks what codepay and native have in common.
func (in *orderIn) order(c *wechat.Caller) (wechat.NewOrder, error) {
	n := wechat.NewOrder{No: in.OutTradeNo, Attach: in.Attach}
	if in.Scene != nil {
		n.Device = in.Scene.DeviceID
	}
	if err := firstOf(merchant(c, in.AppID, in.MchID), orderNo("out_trade_no", in.OutTradeNo), plain("description", in.Description, descriptionMax),
		plain("attach", in.Attach, attachMax), plain("scene_info.device_id", n.Device, deviceMax)); err != nil {
		return n, err
	}
	if in.Description == "" {
		return n, mianmi.InvalidField("description", "is missing")
	}
	var err error
	n.Amount, err = in.Amount.of("amount.total", in.Amount.Total)
	return n, err
}

// negativeTest is WeChat Pay's own header for scenarios of its test
// environment. None of them makes a payment less careful, so they are answered
// everywhere: the password is asked for, or an answer is lost.
const negativeTest = "Wechatpay-Negative-Test"

// The scenarios.
const (
	testUserPaying = "MICROPAY_USERPAYING"
	testTimeout    = "MICROPAY_TIMEOUT"
	testPayError   = "MICROPAY_PAYERROR"
)

// codepay charges a payer by a scanned code. Without a password it answers
// SUCCESS, else USERPAYING: the payer types it on the phone, and queries tell.
func (s *Server) codepay(ctx context.Context, c *call) (any, error) {
	var in orderIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n, err := in.order(&c.caller)
	if err != nil {
		return nil, err
	}
	if in.Scene == nil || in.Scene.StoreInfo == nil {
		return nil, mianmi.InvalidField("scene_info.store_info", "is missing")
	}
	if len(in.Payer.AuthCode) != 18 || strings.Trim(in.Payer.AuthCode, "0123456789") != "" {
		return nil, mianmi.InvalidField("payer.auth_code", "a payment code has 18 digits")
	}
	n.Code, n.Entry = in.Payer.AuthCode, pinfree.Scanned
	scenario := c.r.Header.Get(negativeTest)
	if scenario == testUserPaying || scenario == testPayError {
		n.Entry = pinfree.Typed // which always asks for the password
	}
	o, p, err := s.Service.PayCode(ctx, &c.caller, n)
	if err != nil {
		return nil, err
	}
	switch {
	case scenario == testTimeout:
		panic(http.ErrAbortHandler) // paid or not, the answer is lost
	case scenario == testPayError && p.State == payment.StepUpRequired:
		if p, err = s.Service.Payments.Cancel(ctx, c.caller.Actor, p.ID); err != nil {
			return nil, err
		}
	}
	if code, text := wechat.FailedBy(p); code != "" {
		if c.lang == mianmi.EN {
			text = ""
		}
		return nil, &refusal{code, text}
	}
	return s.Service.Transaction(&c.caller.Identity, &o, p, 0), nil
}

// native opens an order whose QR code a payer scans.
func (s *Server) native(ctx context.Context, c *call) (any, error) {
	var in orderIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n, err := in.order(&c.caller)
	if err != nil {
		return nil, err
	}
	if n.NotifyURL, err = notifyURL(in.NotifyURL, true); err != nil {
		return nil, err
	}
	if n.ExpiresAt, err = timeOf("time_expire", in.TimeExpire); err != nil {
		return nil, err
	}
	if f, ok := wechat.ParseFault(c.fault); ok {
		n.Fault = f
	}
	url, err := s.Service.Prepay(ctx, &c.caller, n)
	if err != nil {
		return nil, err
	}
	return struct {
		CodeURL string `json:"code_url"`
	}{url}, nil
}

// notifyURL checks an address of notifications, as WeChat Pay does: no query.
// Where it may lead is checked when the order is written, and again when it is
// connected to.
func notifyURL(text string, needed bool) (string, error) {
	switch {
	case text == "" && needed:
		return "", mianmi.InvalidField("notify_url", "is missing")
	case len(text) > notifyMax:
		return "", mianmi.InvalidField("notify_url", "is too long")
	case strings.Contains(text, "?"):
		return "", mianmi.InvalidField("notify_url", "must have no parameters")
	}
	return text, nil
}

func (s *Server) queryOrder(ctx context.Context, c *call) (any, error) {
	no := c.r.PathValue("out_trade_no")
	if err := firstOf(ofMerchant(c), orderNo("out_trade_no", no)); err != nil {
		return nil, err
	}
	return s.find(ctx, c, no)
}

func (s *Server) queryTransaction(ctx context.Context, c *call) (any, error) {
	if err := ofMerchant(c); err != nil {
		return nil, err
	}
	p, err := s.Service.Payments.Payment(ctx, c.caller.Actor, mianmi.PaymentID(c.r.PathValue("transaction_id")))
	if err != nil {
		return nil, err
	}
	return s.find(ctx, c, p.OrderNo)
}

func (s *Server) find(ctx context.Context, c *call, no string) (any, error) {
	o, p, end, err := s.Service.Find(ctx, &c.caller, no)
	if err != nil {
		return nil, err
	}
	return s.Service.Transaction(&c.caller.Identity, &o, p, end), nil
}

// endIn is the body of close and reverse.
type endIn struct {
	AppID string `json:"appid"`
	MchID string `json:"mchid"`
}

// closeOrder ends an order that nobody has paid.
func (s *Server) closeOrder(ctx context.Context, c *call) (any, error) {
	var in endIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	no := c.r.PathValue("out_trade_no")
	if err := firstOf(merchant(&c.caller, c.caller.Identity.AppID, in.MchID), orderNo("out_trade_no", no)); err != nil {
		return nil, err
	}
	return nil, s.Service.Close(ctx, &c.caller, no)
}

// reversed is the answer of reverse.
type reversed struct {
	AppID      string `json:"appid"`
	MchID      string `json:"mchid"`
	OutTradeNo string `json:"out_trade_no"`
}

// reverse undoes an order by payment code, whatever has become of it.
func (s *Server) reverse(ctx context.Context, c *call) (any, error) {
	var in endIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	no := c.r.PathValue("out_trade_no")
	if err := firstOf(merchant(&c.caller, in.AppID, in.MchID), orderNo("out_trade_no", no)); err != nil {
		return nil, err
	}
	if err := s.Service.Reverse(ctx, &c.caller, no); err != nil {
		return nil, err
	}
	return reversed{in.AppID, in.MchID, no}, nil
}
