package wechatv3

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// Bounds of texts, in characters.
const (
	shownMax   = 32
	outUserMax = 32
	remarkMax  = 256
)

// contractRoutes are those of PIN-free contracts.
func (s *Server) contractRoutes() []Route {
	const exempt, papay = "/v3/password-exempt-contract/contracts", "/v3/papay/sign/contracts"
	const code, plan = "/service-id/{service}/out-contract-code/{code}", "/plan-id/{service}/out-contract-code/{code}"
	return []Route{
		{"POST", exempt + "/normal/pre-entrust-sign/mini-program", "contract_presign", s.preSignExempt},
		{"POST", exempt + "/normal/pre-entrust-sign/pay-redirect-sign", "contract_presign_after_payment", s.preSignExempt},
		{"GET", exempt + code, "contract_query", s.queryContract(wechat.PasswordExempt)},
		{"POST", exempt + code + "/terminate", "contract_terminate", s.endContract(wechat.PasswordExempt)},
		{"POST", "/v3/papay/entrust-sign/contracts/pre-entrust-sign", "papay_presign", s.preSignPapay},
		{"GET", papay + plan, "papay_query", s.queryContract(wechat.Papay)},
		{"POST", papay + plan + "/terminate", "papay_terminate", s.endContract(wechat.Papay)},
		{"POST", "/v3/papay/pay/transactions/apply", "papay_apply", s.debit},
	}
}

// contractIn is the body of all calls that open a session to sign in. What it
// says of the payer's device is not read.
type contractIn struct {
	AppID          string          `json:"appid"`
	OpenID         string          `json:"openid"`
	Service        json.RawMessage `json:"service_id"`
	Plan           json.RawMessage `json:"plan_id"`
	Code           string          `json:"out_contract_code"`
	Shown          string          `json:"contract_display_account"`
	OutUser        string          `json:"out_user_code"`
	NotifyURL      string          `json:"notify_url"`
	ContractNotify string          `json:"contract_notify_url"`
}

var (
	serviceForm  = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
	contractForm = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
	openIDForm   = regexp.MustCompile(`^[0-9A-Za-z_-]{0,128}$`)
)

// contract checks what the families have in common.
func (in *contractIn) contract(c *wechat.Caller) (wechat.NewContract, error) {
	n := wechat.NewContract{Code: in.Code, OpenID: in.OpenID, Shown: in.Shown, OutUser: in.OutUser}
	if err := firstOf(merchant(c, in.AppID, c.Identity.MchID), contractCode(in.Code), plain("contract_display_account", in.Shown, shownMax),
		plain("out_user_code", in.OutUser, outUserMax)); err != nil {
		return n, err
	}
	switch {
	case in.Shown == "":
		return n, mianmi.InvalidField("contract_display_account", "is missing")
	case !openIDForm.MatchString(in.OpenID):
		return n, mianmi.InvalidField("openid", "is none of this appid")
	}
	return n, nil
}

func contractCode(code string) error {
	if !contractForm.MatchString(code) {
		return mianmi.InvalidField("out_contract_code", "1 to 32 letters and digits")
	}
	return nil
}

// serviceOf reads a number as it is written, for it is a name.
func serviceOf(field string, raw json.RawMessage) (string, error) {
	text := strings.Trim(string(raw), `"`)
	if !serviceForm.MatchString(text) {
		return "", mianmi.InvalidField(field, "a number above zero")
	}
	return text, nil
}

// preSigned is the answer to all of them; each family has fields of its own.
type preSigned struct {
	Session  string          `json:"pre_entrustweb_id"`
	MchID    string          `json:"mchid,omitempty"`
	Service  json.RawMessage `json:"service_id,omitempty"`
	Code     string          `json:"out_contract_code,omitempty"`
	AppID    string          `json:"sign_mp_appid,omitempty"`
	Path     string          `json:"sign_mp_path,omitempty"`
	User     string          `json:"mini_program_username,omitempty"`
	UserPath string          `json:"mini_program_path,omitempty"`
	URL      string          `json:"redirect_url"`
}

// preSignExempt opens a session for a contract of small payments. There are no
// mini programs here: the path is that of a page for the payer's phone.
func (s *Server) preSignExempt(ctx context.Context, c *call) (any, error) {
	var in contractIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n, err := in.contract(&c.caller)
	if err != nil {
		return nil, err
	}
	n.Family = wechat.PasswordExempt
	if n.Service, err = serviceOf("service_id", in.Service); err != nil {
		return nil, err
	}
	if n.NotifyURL, err = notifyURL(in.NotifyURL, true); err != nil {
		return nil, err
	}
	token, err := s.Service.PreSign(ctx, &c.caller, n)
	if err != nil {
		return nil, err
	}
	i := &c.caller.Identity
	return preSigned{Session: token, MchID: i.MchID, Service: json.RawMessage(n.Service), Code: n.Code, AppID: i.AppID,
		Path: strings.TrimPrefix(wechat.SignPath, "/") + token, URL: s.signURL(c, token)}, nil
}

// preSignPapay opens a session for a contract of charges by the merchant.
func (s *Server) preSignPapay(ctx context.Context, c *call) (any, error) {
	var in contractIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	n, err := in.contract(&c.caller)
	if err != nil {
		return nil, err
	}
	n.Family = wechat.Papay
	if n.Service, err = serviceOf("plan_id", in.Plan); err != nil {
		return nil, err
	}
	if n.OutUser == "" {
		return nil, mianmi.InvalidField("out_user_code", "is missing")
	}
	if n.NotifyURL, err = notifyURL(in.ContractNotify, true); err != nil {
		return nil, err
	}
	token, err := s.Service.PreSign(ctx, &c.caller, n)
	if err != nil {
		return nil, err
	}
	return preSigned{Session: token, User: c.caller.Identity.AppID, UserPath: strings.TrimPrefix(wechat.SignPath, "/") + token, URL: s.signURL(c, token)}, nil
}

// signURL is the address of a page, as a QR code shows it.
func (s *Server) signURL(c *call, token string) string { return s.address(c, wechat.SignPath+token) }

func contractName(c *call, f wechat.Family) (wechat.ContractName, error) {
	n := wechat.ContractName{Family: f, Service: c.r.PathValue("service"), Code: c.r.PathValue("code")}
	if !serviceForm.MatchString(n.Service) {
		return n, mianmi.InvalidField(map[wechat.Family]string{wechat.PasswordExempt: "service_id", wechat.Papay: "plan_id"}[f], "a number above zero")
	}
	return n, contractCode(n.Code)
}

func (s *Server) queryContract(f wechat.Family) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		n, err := contractName(c, f)
		if err != nil {
			return nil, err
		}
		v, err := s.Service.FindContract(ctx, &c.caller, n)
		if err != nil {
			return nil, notFoundAs("RESOURCE_NOT_EXISTS", err)
		}
		return v, nil
	}
}

// endContract ends a contract for good.
func (s *Server) endContract(f wechat.Family) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		n, err := contractName(c, f)
		if err != nil {
			return nil, err
		}
		var in struct {
			Remark string `json:"contract_termination_remark"`
		}
		if err := decode(c.body, &in); err != nil {
			return nil, err
		}
		if in.Remark == "" {
			return nil, mianmi.InvalidField("contract_termination_remark", "is missing")
		}
		if err := plain("contract_termination_remark", in.Remark, remarkMax); err != nil {
			return nil, err
		}
		return nil, notFoundAs("RESOURCE_NOT_EXISTS", s.Service.EndContract(ctx, &c.caller, n, in.Remark))
	}
}
