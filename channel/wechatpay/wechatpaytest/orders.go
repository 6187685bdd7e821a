package wechatpaytest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

func bigSerial() *big.Int { return new(big.Int).SetBytes(append([]byte{0x5E}, nonce(15)...)) }

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// request is what orders and refunds are asked with, all of it.
type request struct {
	MchID       string `json:"mchid"`
	SpMchID     string `json:"sp_mchid"`
	SubMchID    string `json:"sub_mchid"`
	OutTradeNo  string `json:"out_trade_no"`
	OutRefundNo string `json:"out_refund_no"`
	Description string `json:"description"`
	NotifyURL   string `json:"notify_url"`
	Echo        string `json:"echo_message"`
	Payer       struct {
		AuthCode string `json:"auth_code"`
	} `json:"payer"`
	Amount struct {
		Total    int64  `json:"total"`
		Refund   int64  `json:"refund"`
		Currency string `json:"currency"`
	} `json:"amount"`
	Scene struct {
		Store *struct{} `json:"store_info"`
	} `json:"scene_info"`
}

var numberForm = regexp.MustCompile(`^[0-9A-Za-z_*-]{6,32}$`)

func (s *Server) route(r *http.Request, body, picture []byte) answer {
	var q request
	if len(body) > 0 && json.Unmarshal(body, &q) != nil {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
	}
	p := strings.TrimPrefix(r.URL.Path, "/v3")
	partner := strings.HasPrefix(p, "/pay/partner/")
	last := path.Base(p)
	s.calls[r.Method+" "+last]++
	switch {
	case r.Method == http.MethodGet && p == "/certificates":
		return answer{http.StatusOK, s.certificates()}
	case r.Method == http.MethodPost && p == "/security/echo":
		return answer{http.StatusOK, map[string]string{"echo_message": q.Echo}}
	case strings.HasPrefix(p, "/refund/domestic/refunds"):
		return s.refund(r.Method, last, &q)
	case strings.HasPrefix(p, "/password-exempt-contract/"), strings.HasPrefix(p, "/papay/"), strings.HasPrefix(p, "/payscore/"):
		return s.contracts(r, body)
	case strings.HasPrefix(p, "/merchant-service/"):
		return s.service(r, body, picture)
	case strings.HasPrefix(p, "/pay/"):
		return s.pays(r, last, partner, &q)
	}
	return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "无此接口")
}

func (s *Server) pays(r *http.Request, last string, partner bool, q *request) answer {
	if r.Method == http.MethodGet {
		v := r.URL.Query()
		q.MchID, q.SpMchID, q.SubMchID = v.Get("mchid"), v.Get("sp_mchid"), v.Get("sub_mchid")
	}
	if partner && (q.SpMchID != MchID || q.SubMchID != SubMchID) || !partner && q.MchID != MchID {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "商户号有误")
	}
	switch {
	case last == "codepay":
		return s.codepay(partner, q)
	case last == "native":
		return s.native(q)
	case last == "reverse", last == "close":
		return s.undo(last, path.Base(path.Dir(r.URL.Path)), partner)
	}
	o := s.orders[last]
	for _, other := range s.orders {
		if strings.Contains(r.URL.Path, "/id/") && other.Transaction == last {
			o = other
		}
	}
	if o == nil {
		return failed(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	}
	return answer{http.StatusOK, transactionOf(o, partner)}
}

// open makes an order, unless its number is used.
func (s *Server) open(q *request, state string) (*Order, answer) {
	switch {
	case !numberForm.MatchString(q.OutTradeNo) || q.Description == "" || q.Amount.Total < 1 || q.Amount.Currency != "CNY":
		return nil, failed(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
	case s.orders[q.OutTradeNo] != nil:
		return nil, failed(http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复")
	}
	o := &Order{Number: q.OutTradeNo, State: state, Total: q.Amount.Total, Currency: q.Amount.Currency, Code: q.Payer.AuthCode}
	s.orders[o.Number] = o
	return o, answer{}
}

func (s *Server) codepay(partner bool, q *request) answer {
	if q.Scene.Store == nil {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "缺少门店信息")
	}
	if q.Payer.AuthCode == CodeUsed {
		return failed(http.StatusBadRequest, "AUTH_CODE_INVALID", "付款码无效")
	}
	o, no := s.open(q, "USERPAYING")
	if o == nil {
		return no
	}
	switch q.Payer.AuthCode {
	case CodePassword:
		return answer{http.StatusOK, map[string]string{"trade_state": "USERPAYING"}}
	case CodePoor:
		o.State = "NOTPAY"
		return failed(http.StatusForbidden, "NOTENOUGH", "余额不足")
	case CodeFails:
		o.State = "PAYERROR"
	default:
		s.pay(o)
	}
	return answer{http.StatusOK, transactionOf(o, partner)}
}

func (s *Server) native(q *request) answer {
	if q.NotifyURL == "" {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "缺少通知地址")
	}
	if o := s.orders[q.OutTradeNo]; o == nil || o.State != "NOTPAY" || o.Code != "" {
		if _, no := s.open(q, "NOTPAY"); no.status != 0 {
			return no
		}
	}
	return answer{http.StatusOK, map[string]string{"code_url": "weixin://wxpay/bizpayurl?pr=" + hex.EncodeToString([]byte(q.OutTradeNo))}}
}

func (s *Server) undo(what, number string, partner bool) answer {
	o := s.orders[number]
	switch {
	case o == nil:
		return failed(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	case what == "close" && o.State == "SUCCESS":
		return failed(http.StatusBadRequest, "ORDERPAID", "订单已支付")
	case what == "close":
		if o.State == "NOTPAY" {
			o.State = "CLOSED"
		}
		return answer{http.StatusNoContent, nil}
	case o.State == "SUCCESS":
		o.State, o.Back = "REVOKED", o.Total
	case o.State != "REFUND":
		o.State = "REVOKED"
	}
	return answer{http.StatusOK, ownerOf(map[string]any{"out_trade_no": number}, partner)}
}

func ownerOf(m map[string]any, partner bool) map[string]any {
	if partner {
		m["sp_mchid"], m["sub_mchid"], m["sp_appid"] = MchID, SubMchID, AppID
	} else {
		m["mchid"], m["appid"] = MchID, AppID
	}
	return m
}

func transactionOf(o *Order, partner bool) map[string]any {
	m := ownerOf(map[string]any{"out_trade_no": o.Number, "trade_state": o.State, "trade_state_desc": "",
		"amount": map[string]any{"total": o.Total, "currency": o.Currency, "payer_total": o.Total}}, partner)
	if o.Charged > 0 {
		m["transaction_id"], m["success_time"] = o.Transaction, o.PaidAt.Format(time.RFC3339)
		if partner {
			m["payer"] = map[string]string{"sp_openid": OpenID}
		} else {
			m["payer"] = map[string]string{"openid": OpenID}
		}
	}
	return m
}

func (s *Server) refund(method, last string, q *request) answer {
	if method == http.MethodGet {
		got := s.refunds[last]
		if got == nil {
			return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在")
		}
		return answer{http.StatusOK, s.refundOf(got)}
	}
	o := s.orders[q.OutTradeNo]
	got := s.refunds[q.OutRefundNo]
	switch {
	case o == nil || o.Charged == 0:
		return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在")
	case got != nil && (got.amount != q.Amount.Refund || got.order != q.OutTradeNo):
		return failed(http.StatusBadRequest, "PARAM_ERROR", "退款单号重复")
	case got != nil:
		return answer{http.StatusOK, s.refundOf(got)}
	case q.Amount.Total != o.Total || q.Amount.Refund < 1 || o.Back+q.Amount.Refund > o.Total:
		return failed(http.StatusBadRequest, "INVALID_REQUEST", "退款金额有误")
	}
	o.State = "REFUND"
	o.Back += q.Amount.Refund
	got = &refund{number: q.OutRefundNo, order: o.Number, status: "PROCESSING", amount: q.Amount.Refund, total: o.Total}
	if s.prompt {
		got.status = "SUCCESS"
	}
	s.refunds[got.number] = got
	return answer{http.StatusOK, s.refundOf(got)}
}

// EndRefund sets how a refund stands, once it was asked for.
func (s *Server) EndRefund(number, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.refunds[number]; r != nil {
		r.status = status
	}
}

func (s *Server) refundOf(r *refund) map[string]any {
	m := map[string]any{"refund_id": "50" + r.number, "out_refund_no": r.number, "out_trade_no": r.order, "status": r.status,
		"transaction_id": s.orders[r.order].Transaction,
		"amount":         map[string]any{"total": r.total, "refund": r.amount, "currency": "CNY"}}
	if r.status == "SUCCESS" {
		m["success_time"] = s.now().Format(time.RFC3339)
	}
	return m
}

// seal encrypts for the merchant: AES-256-GCM under the APIv3 key.
func seal(plain []byte, with string) map[string]string {
	block, err := aes.NewCipher([]byte(APIv3Key))
	if err != nil {
		panic(err) // a constant
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	once := hex.EncodeToString(nonce(6))
	return map[string]string{"algorithm": "AEAD_AES_256_GCM", "nonce": once, "associated_data": with,
		"ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(once), plain, []byte(with)))}
}

func (s *Server) certificates() any {
	return map[string]any{"data": []any{map[string]any{
		"serial_no": s.CertificateSerial, "effective_time": s.now().Format(time.RFC3339), "expire_time": s.now().Add(time.Hour).Format(time.RFC3339),
		"encrypt_certificate": seal(s.certPEM, "certificate"),
	}}}
}

// Notification makes the body of a notification over what content holds.
func Notification(event string, content any) []byte {
	plain, _ := json.Marshal(content)
	body, _ := json.Marshal(map[string]any{"id": hex.EncodeToString(nonce(16)), "create_time": time.Now().Format(time.RFC3339),
		"event_type": event, "resource_type": "encrypt-resource", "summary": "", "resource": seal(plain, "transaction")})
	return body
}
