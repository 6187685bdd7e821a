package wechatv3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/mianmi/mianmi"
)

// problem is an error in WeChat Pay's form. It is not signed, as theirs are not:
// whoever reads one that says an order failed asks again.
type problem struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Detail  *detail `json:"detail,omitempty"`

	status int
}

type detail struct {
	Field string `json:"field,omitempty"`
	Issue string `json:"issue,omitempty"`
}

// refusal is an error that is a code of WeChat Pay's already.
type refusal struct {
	code, text string
}

// Error makes it an error.
func (r *refusal) Error() string { return r.code }

var (
	errElsewhere = &refusal{code: "NOT_FOUND"}
	errForged    = &refusal{code: "ORDER_CLOSED"}
)

// codes is the one table of WeChat Pay's codes: their status, and their words.
var codes = map[string]struct {
	status int
	text   mianmi.Text
}{
	"PARAM_ERROR":             {http.StatusBadRequest, mianmi.Text{ZH: "参数错误", EN: "a parameter is wrong"}},
	"INVALID_REQUEST":         {http.StatusBadRequest, mianmi.Text{ZH: "无效请求", EN: "the request cannot be done now"}},
	"APPID_MCHID_NOT_MATCH":   {http.StatusBadRequest, mianmi.Text{ZH: "appid 和 mchid 不匹配", EN: "appid does not belong to mchid"}},
	"MCH_NOT_EXISTS":          {http.StatusBadRequest, mianmi.Text{ZH: "商户号与签名的商户不符", EN: "mchid is not the one that signed"}},
	"ORDER_CLOSED":            {http.StatusBadRequest, mianmi.Text{ZH: "订单已关闭，请更换商户订单号", EN: "the order is closed; use a new number"}},
	"ORDER_REVERSED":          {http.StatusBadRequest, mianmi.Text{ZH: "订单已撤销，请更换商户订单号", EN: "the order was reversed; use a new number"}},
	"ORDER_PAID":              {http.StatusBadRequest, mianmi.Text{ZH: "订单已支付", EN: "the order was paid"}},
	"AUTH_CODE_INVALID":       {http.StatusBadRequest, mianmi.Text{ZH: "付款码无效或已过期，请刷新后重新扫码", EN: "the payment code is not valid any more; scan a new one"}},
	"SIGN_ERROR":              {http.StatusUnauthorized, mianmi.Text{ZH: "签名错误", EN: "the signature does not hold"}},
	"NO_AUTH":                 {http.StatusForbidden, mianmi.Text{ZH: "商户无权限", EN: "the merchant may not do this"}},
	"OUT_TRADE_NO_USED":       {http.StatusForbidden, mianmi.Text{ZH: "商户订单号重复，请更换", EN: "the order number was used for another order"}},
	"NOT_ENOUGH":              {http.StatusForbidden, mianmi.Text{ZH: "余额不足", EN: "not enough money"}},
	"RESOURCE_ALREADY_EXISTS": {http.StatusBadRequest, mianmi.Text{ZH: "资源已存在", EN: "it exists already"}},
	"RULE_LIMIT":              {http.StatusForbidden, mianmi.Text{ZH: "业务规则限制", EN: "a rule does not allow this payment"}},
	"TRADE_ERROR":             {http.StatusForbidden, mianmi.Text{ZH: "交易错误", EN: "the payment failed"}},
	"ORDER_NOT_EXIST":         {http.StatusNotFound, mianmi.Text{ZH: "订单不存在", EN: "there is no such order"}},
	"RESOURCE_NOT_EXISTS":     {http.StatusNotFound, mianmi.Text{ZH: "资源不存在", EN: "there is no such thing"}},
	"NOT_FOUND":               {http.StatusNotFound, mianmi.Text{ZH: "接口不存在或未提供", EN: "there is no such interface here"}},
	"FREQUENCY_LIMITED":       {http.StatusTooManyRequests, mianmi.Text{ZH: "频率超限，请稍后再试", EN: "too many requests; try later"}},
	"SYSTEM_ERROR":            {http.StatusInternalServerError, mianmi.Text{ZH: "系统错误，结果未知，请用原订单号查询或重试", EN: "system error, the outcome is not known: query, or repeat with the same number"}},
}

// byCode are the codes of mianmi's own errors that have one of WeChat Pay's.
var byCode = map[string]string{
	"order_conflict": "OUT_TRADE_NO_USED", "out_trade_no_used": "OUT_TRADE_NO_USED", "order_closed": "ORDER_CLOSED", "order_reversed": "ORDER_REVERSED",
	"order_paid": "ORDER_PAID", "code_invalid": "AUTH_CODE_INVALID", "code_expired": "AUTH_CODE_INVALID", "too_many_wrong_codes": "FREQUENCY_LIMITED",
	"complaint_url_exists": "RESOURCE_ALREADY_EXISTS",
}

// byKind is the one table from kinds of error to codes.
var byKind = [...]string{
	mianmi.Internal: "SYSTEM_ERROR", mianmi.Invalid: "PARAM_ERROR", mianmi.NotFound: "ORDER_NOT_EXIST", mianmi.Conflict: "INVALID_REQUEST",
	mianmi.Denied: "NO_AUTH", mianmi.Unauthenticated: "SIGN_ERROR", mianmi.Unavailable: "SYSTEM_ERROR",
}

// fields are WeChat Pay's names of inputs that mianmi calls otherwise.
var fields = map[string]string{"code": "payer.auth_code", "order_no": "out_trade_no", "amount.minor": "amount.total", "amount": "amount.total",
	"terminal": "scene_info.device_id", "refund_no": "out_refund_no", "expires_at": "time_expire"}

// problemOf puts an error into WeChat Pay's words. The text of an Internal
// error stays here.
func problemOf(lang mianmi.Lang, err error) problem {
	var known *refusal
	if errors.As(err, &known) {
		return inWords(lang, known.code, known.text)
	}
	e := &mianmi.Error{Kind: mianmi.KindOf(err)}
	if !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		e.Kind = mianmi.Unavailable
	}
	code := byKind[mianmi.Internal]
	if int(e.Kind) < len(byKind) {
		code = byKind[e.Kind]
	}
	if special, ok := byCode[e.Code]; ok {
		code = special
	}
	p := inWords(lang, code, "")
	if e.Kind == mianmi.Invalid || e.Kind == mianmi.Conflict || e.Kind == mianmi.Unauthenticated {
		p.Detail = &detail{Field: e.Field, Issue: e.Msg}
		if name, ok := fields[e.Field]; ok {
			p.Detail.Field = name
		}
	}
	return p
}

func inWords(lang mianmi.Lang, code, text string) problem {
	known := codes[code]
	if text == "" {
		text = known.text.In(lang)
	}
	return problem{Code: code, Message: text, status: known.status}
}

// fail answers a call with a problem.
func (s *Server) fail(c *call, w http.ResponseWriter, err error) {
	p := problemOf(c.lang, err)
	body, merr := json.Marshal(p)
	if merr != nil { // texts alone: cannot happen
		body = []byte(`{"code":"SYSTEM_ERROR","message":""}`)
	}
	c.status = p.status
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if p.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "60")
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // the caller has gone: nobody to tell
}

// notFoundAs gives NotFound another code.
func notFoundAs(code string, err error) error {
	if mianmi.KindOf(err) == mianmi.NotFound && err != nil {
		return &refusal{code: code}
	}
	return err
}

// timeOf reads a time in WeChat Pay's form.
func timeOf(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, mianmi.InvalidField(field, "want yyyy-MM-DDTHH:mm:ss+TIMEZONE (RFC 3339)")
	}
	return t, nil
}
