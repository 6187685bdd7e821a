package wechatpaytest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // WeChat Pay pads with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"
)

// Phone is every payer's who complains.
const Phone = "13800000000"

type complaint struct {
	id, order, state, detail string
	steps                    []map[string]any
}

// Complain is a payer who complains of an order, with a picture.
func (s *Server) Complain(id, order, detail string, picture []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complaints[id] = &complaint{id: id, order: order, state: "PENDING", detail: detail}
	s.pictures["picture-"+id] = picture
}

// ComplainAt is where complaints are told of.
func (s *Server) ComplainAt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complainAt
}

// parts are the description and the file of an upload.
func parts(r *http.Request, body []byte) (meta, file []byte) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil
	}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range 2 {
		p, err := form.NextPart()
		if err != nil {
			return meta, file
		}
		text, _ := io.ReadAll(p)
		if p.FormName() == "meta" {
			meta = text
		} else {
			file = text
		}
	}
	return meta, file
}

func (s *Server) service(r *http.Request, body, picture []byte) answer {
	p := strings.TrimPrefix(r.URL.Path, "/v3/merchant-service")
	var q map[string]any
	if len(body) > 0 && json.Unmarshal(body, &q) != nil {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
	}
	switch {
	case p == "/complaint-notifications":
		return s.notices(r.Method, q)
	case p == "/images/upload":
		sum := sha256.Sum256(picture)
		if q["sha256"] != hex.EncodeToString(sum[:]) {
			return failed(http.StatusBadRequest, "PARAM_ERROR", "摘要不符")
		}
		id, _ := q["filename"].(string)
		s.pictures[id] = picture
		return answer{http.StatusOK, map[string]string{"media_id": id}}
	case strings.HasPrefix(p, "/images/"):
		if picture, is := s.pictures[path.Base(p)]; is {
			return answer{http.StatusOK, picture}
		}
	case p == "/complaints-v2":
		list := []any{}
		for _, c := range s.complaints {
			list = append(list, s.complaintOf(c, r.URL.Query().Get("complainted_mchid")))
		}
		return answer{http.StatusOK, map[string]any{"data": list, "limit": 50, "offset": 0, "total_count": len(list)}}
	case r.Method == http.MethodGet && strings.HasSuffix(p, "/negotiation-historys"):
		if c := s.complaints[path.Base(path.Dir(p))]; c != nil {
			return answer{http.StatusOK, map[string]any{"data": c.steps, "limit": 300, "offset": 0, "total_count": len(c.steps)}}
		}
	case r.Method == http.MethodGet:
		if c := s.complaints[path.Base(p)]; c != nil {
			return answer{http.StatusOK, s.complaintOf(c, "")}
		}
	default:
		if c := s.complaints[path.Base(path.Dir(p))]; c != nil {
			return s.answerTo(c, path.Base(p), q)
		}
	}
	return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "记录不存在")
}

func (s *Server) answerTo(c *complaint, what string, q map[string]any) answer {
	step := map[string]any{"log_id": hex.EncodeToString(nonce(8)), "operator": "商家", "operate_time": time.Now().Format(time.RFC3339)}
	switch {
	case c.state == "PROCESSED":
		return failed(http.StatusBadRequest, "INVALID_REQUEST", "投诉单已完结")
	case what == "response":
		c.state, step["operate_type"], step["operate_details"], step["image_list"] = "PROCESSING", "MERCHANT_RESPONSE", q["response_content"], q["response_images"]
	case what == "complete":
		c.state, step["operate_type"] = "PROCESSED", "MERCHANT_CONFIRM_COMPLETE"
	case q["action"] == "APPROVE":
		c.state, step["operate_type"] = "PROCESSING", "MERCHANT_APPROVE_REFUND"
	default:
		c.state, step["operate_type"], step["operate_details"] = "PROCESSING", "MERCHANT_REFUSE_RERUND", q["reject_reason"]
	}
	c.steps = append(c.steps, step)
	return answer{http.StatusNoContent, nil}
}

func (s *Server) notices(method string, q map[string]any) answer {
	switch {
	case method == http.MethodPost && s.complainAt != "":
		return failed(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "回调地址已存在")
	case method == http.MethodPost, method == http.MethodPut:
		s.complainAt, _ = q["url"].(string)
	case method == http.MethodDelete:
		s.complainAt = ""
		return answer{http.StatusNoContent, nil}
	case s.complainAt == "":
		return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "没有回调地址")
	}
	return answer{http.StatusOK, map[string]string{"mchid": MchID, "url": s.complainAt}}
}

func (s *Server) complaintOf(c *complaint, against string) map[string]any {
	phone, _ := rsa.EncryptOAEP(sha1.New(), rand.Reader, s.merchant, []byte(Phone), nil) //nolint:gosec // WeChat Pay pads with it
	m := map[string]any{"complaint_id": c.id, "complaint_time": "2026-03-01T12:00:00+08:00", "complaint_detail": c.detail, "complaint_state": c.state,
		"payer_phone": base64.StdEncoding.EncodeToString(phone), "problem_type": "REFUND", "problem_description": "重复扣费", "apply_refund_amount": 300,
		"complaint_order_info": []any{map[string]any{"transaction_id": "42", "out_trade_no": c.order, "amount": 1250}},
		"complaint_media_list": []any{map[string]any{"media_type": "USER_COMPLAINT_IMAGE", "media_url": []string{
			"https://api.mch.weixin.qq.com/v3/merchant-service/images/picture-" + c.id, "https://example.com/x.png"}}},
		"complaint_full_refunded": false, "incoming_user_response": true, "user_complaint_times": 2, "user_tag_list": []string{"TRUSTED"}}
	if against != "" {
		m["complainted_mchid"] = against
	}
	return m
}
