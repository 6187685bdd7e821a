package wechatpay

import (
	"context"
	"encoding/json"
)

// SignOrder asks for a contract that a payer is to sign in WeChat.
type SignOrder struct {
	ContractRef
	Payer string // openid; may be empty with PasswordExempt and Papay
	Shown string // the payer's account as WeChat shows it when they sign
	// Device and OutUser are for Papay: where the payer signs, and our own name for
	// them, which says nothing about the person.
	Device  Device
	OutUser string
}

// Device is where a payer signs, in WeChat Pay's words. Types are
// DEVICE_TYPE_PHONE and the like; ByQR has the payer scan a code.
type Device struct {
	Type, OS, ID, IP string
	Rooted           bool
	WeixinInstalled  bool
	WeixinVersion    string
	SinceLogin       string // DAYS_SINCE_FIRST_LOGIN_…
	ByQR             bool
}

// SignAnswer leads the payer to where they sign. A session of PasswordExempt
// lives two hours. Of a payer who turns back WeChat Pay says nothing: ask.
type SignAnswer struct {
	Session string // the number of the session; empty: there is none
	AppID   string // of the mini program to open, with its path
	Path    string
	URL     string // Papay: to scan or to open
	Fault   string
}

const shownRunesMax = 32

// PreSign opens a session in which the payer signs.
func (ch *Channel) PreSign(ctx context.Context, o SignOrder) SignAnswer {
	c, fault := ch.contractor(o.ContractRef)
	if c == nil {
		return SignAnswer{Fault: fault}
	}
	shown := []rune(o.Shown)
	o.Shown = string(shown[:min(len(shown), shownRunesMax)])
	var got struct {
		account
		Service  digits `json:"service_id"`
		Code     string `json:"out_contract_code"`
		Session  string `json:"pre_entrustweb_id"`
		AppID    string `json:"sign_mp_appid"`
		Path     string `json:"sign_mp_path"`
		User     string `json:"mini_program_username"`
		UserPath string `json:"mini_program_path"`
		URL      string `json:"redirect_url"`
		Token    string `json:"apply_permissions_token"`
	}
	path, body := c.preSign(o)
	r := c.call(ctx, path, body).decode(&got)
	a := SignAnswer{Session: got.Session + got.Token, AppID: got.AppID + got.User, Path: got.Path + got.UserPath, URL: got.URL}
	switch {
	case r.fault != noFault:
	case a.Session == "":
		r.fault = unread
	case o.Family == PasswordExempt && (got.Code != o.Code || string(got.Service) != o.Service || got.MchID != c.MchID),
		!ch.codes.take(a.Session, "contract "+o.Code):
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return SignAnswer{Fault: r.line("pre-sign")}
	}
	return a
}

// preSign is what a family is asked with. Numbers of services are numbers for
// two of them and a text for the third.
func (c *connection) preSign(o SignOrder) (path string, body map[string]any) {
	switch o.Family {
	case PasswordExempt:
		body = map[string]any{"service_id": json.Number(o.Service), "out_contract_code": o.Code, "notify_url": c.notifyURL(contractKind), "contract_display_account": o.Shown}
		if c.partner() {
			put(body, "sp_appid", c.AppID, "sp_openid", o.Payer, "sub_mchid", c.SubMchID, "sub_appid", c.SubAppID)
			return "/v3/password-exempt-contract/contracts/service-provider/pre-entrust-sign/mini-program", body
		}
		put(body, "appid", c.AppID, "openid", o.Payer)
		return "/v3/password-exempt-contract/contracts/normal/pre-entrust-sign/mini-program", body
	case Papay:
		d := o.Device
		scene := "SIGN_SCENE_APP"
		if d.ByQR {
			scene = "SIGN_SCENE_QRCODE"
		}
		body = map[string]any{"sign_scene": scene, "plan_id": json.Number(o.Service), "out_contract_code": o.Code, "contract_display_account": o.Shown,
			"contract_notify_url": c.notifyURL(contractKind), "out_user_code": o.OutUser, "device_info": map[string]any{
				"device_type": d.Type, "device_os": d.OS, "device_id": d.ID, "device_ip": d.IP, "device_running_as_root": d.Rooted,
				"weixin_installed": d.WeixinInstalled, "weixin_version": d.WeixinVersion, "days_since_first_login": d.SinceLogin}}
		put(body, "appid", c.AppID, "openid", o.Payer)
		return "/v3/papay/entrust-sign/contracts/pre-entrust-sign", body
	case PayScore:
	}
	body = map[string]any{"service_id": o.Service, "authorization_code": o.Code, "notify_url": c.notifyURL(contractKind)}
	put(body, "appid", c.AppID, "sub_mchid", c.SubMchID, "sub_appid", c.SubAppID)
	return c.scorePath(), body
}

// put sets what is not empty.
func put(body map[string]any, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			body[pairs[i]] = pairs[i+1]
		}
	}
}
