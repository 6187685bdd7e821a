package wechatpaytest

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"time"
)

// contract is a PIN-free contract of any of the three families.
type contract struct {
	service, code, state, by, remark string
	score                            bool
}

// SignContract is the payer who signs; a contract that was ended stays so.
func (s *Server) SignContract(code string) { s.setContract(code, "UNSIGNED", "SIGNED", "") }

// EndContract is the payer who ends it.
func (s *Server) EndContract(code string) {
	s.setContract(code, "SIGNED", "TERMINATED", "USER_TERMINATE")
}

func (s *Server) setContract(code, from, to, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.signed[code]; k != nil && k.state == from {
		k.state, k.by = to, by
	}
}

// Remark is what was said at the end of a contract.
func (s *Server) Remark(code string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.signed[code]; k != nil {
		return k.remark
	}
	return ""
}

func (s *Server) contracts(r *http.Request, body []byte) answer {
	var q map[string]any
	if len(body) > 0 && json.Unmarshal(body, &q) != nil {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
	}
	text := func(name string) string { v, _ := q[name].(string); return v }
	p := r.URL.Path
	switch score := strings.Contains(p, "/payscore/"); {
	case strings.Contains(p, "pre-entrust-sign"), strings.HasSuffix(p, "/permissions"):
		return s.preSign(p, q, score)
	case strings.HasSuffix(p, "/terminate"):
		k := s.signed[path.Base(path.Dir(p))]
		if k == nil || k.state != "SIGNED" {
			return failed(http.StatusBadRequest, "INVALID_REQUEST", "协议状态不正确")
		}
		k.state, k.by, k.remark = "TERMINATED", "MERCHANT_API", text("contract_termination_remark")+text("reason")
		if score {
			return answer{http.StatusNoContent, nil}
		}
		return answer{http.StatusOK, contractOf(k, strings.Contains(p, "/papay/"))}
	}
	k := s.signed[path.Base(p)]
	if k == nil {
		return failed(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "协议不存在")
	}
	return answer{http.StatusOK, contractOf(k, strings.Contains(p, "/papay/"))}
}

func (s *Server) preSign(p string, q map[string]any, score bool) answer {
	text := func(name string) string { v, _ := q[name].(string); return v }
	k := &contract{code: text("out_contract_code") + text("authorization_code"), state: "UNSIGNED", score: score}
	number := q["service_id"]
	if strings.Contains(p, "/papay/") {
		number = q["plan_id"]
		if device, _ := q["device_info"].(map[string]any); device["device_type"] == "" || text("out_user_code") == "" || text("contract_notify_url") == "" {
			return failed(http.StatusBadRequest, "PARAM_ERROR", "缺少设备信息")
		}
	}
	raw, _ := json.Marshal(number)
	k.service = strings.Trim(string(raw), `"`)
	if quoted := raw[0] == '"'; quoted != score || k.code == "" {
		return failed(http.StatusBadRequest, "PARAM_ERROR", "服务ID有误")
	}
	if old := s.signed[k.code]; old != nil && old.state != "UNSIGNED" {
		return failed(http.StatusBadRequest, "INVALID_REQUEST", "协议号重复")
	}
	s.signed[k.code] = k
	switch {
	case score:
		return answer{http.StatusOK, map[string]string{"apply_permissions_token": "token-" + k.code}}
	case strings.Contains(p, "/papay/"):
		return answer{http.StatusOK, map[string]string{"pre_entrustweb_id": "pre-" + k.code, "redirect_url": "https://payapp.weixin.qq.com/" + k.code}}
	}
	return answer{http.StatusOK, map[string]any{"pre_entrustweb_id": "pre-" + k.code, "mchid": MchID, "service_id": json.Number(k.service), "out_contract_code": k.code,
		"sign_mp_appid": "wxbd687630cd02ce1d", "sign_mp_path": "pages/PwdExemptContract/index"}}
}

// ContractNote is what a notification about a contract holds.
func (s *Server) ContractNote(code string, papay bool) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return contractOf(s.signed[code], papay)
}

func contractOf(k *contract, papay bool) map[string]any {
	now := time.Now().Format(time.RFC3339)
	if k.score {
		m := map[string]any{"service_id": k.service, "mchid": MchID, "appid": AppID, "authorization_code": k.code, "openid": OpenID,
			"authorization_state": map[string]string{"UNSIGNED": "UNAVAILABLE", "SIGNED": "AVAILABLE", "TERMINATED": "UNBINDUSER"}[k.state]}
		if k.state == "TERMINATED" {
			m["cancel_authorization_time"] = now
		}
		return m
	}
	m := map[string]any{"mchid": MchID, "appid": AppID, "out_contract_code": k.code, "contract_id": "c-" + k.code, "openid": OpenID, "contract_state": k.state,
		"contract_signed_time": now}
	if papay {
		m["plan_id"] = json.Number(k.service)
	} else {
		m["service_id"] = json.Number(k.service)
	}
	if k.state == "TERMINATED" {
		m["contract_terminate_info"] = map[string]string{"contract_termination_mode": k.by, "contract_terminated_time": now}
	}
	return m
}
