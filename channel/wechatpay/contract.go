package wechatpay

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/mianmi/mianmi"
)

// Family is a kind of PIN-free contract that WeChat Pay has.
type Family uint8

const (
	PasswordExempt Family = 1 // 免密支付: small payments without a password
	Papay          Family = 2 // 委托代扣: charges by the merchant; direct accounts alone
	PayScore       Family = 3 // 支付分免确认: WeChat Pay's score stands for the payer
)

// ContractRef names a contract. WeChat Pay takes a code once: what was ended
// is signed again under another.
type ContractRef struct {
	Merchant mianmi.MerchantID
	Family   Family
	Service  string // the number of the service (of the plan with Papay), digits
	Code     string // our own number, 1 to 32 letters and digits
}

var (
	serviceForm  = regexp.MustCompile(`^[0-9]{1,32}$`)
	contractForm = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
)

func (r ContractRef) good() bool {
	return r.Family >= PasswordExempt && r.Family <= PayScore && serviceForm.MatchString(r.Service) && contractForm.MatchString(r.Code)
}

// ContractState is how a contract stands. The zero ContractState says nothing,
// and nobody pays without a PIN by it.
type ContractState uint8

const (
	ContractUnclear ContractState = 0
	ContractOpen    ContractState = 1 // WeChat Pay knows it; the payer has not signed
	ContractSigned  ContractState = 2
	ContractEnded   ContractState = 3
)

// Contract is what WeChat Pay said of a contract.
type Contract struct {
	State    ContractState
	ID       string // WeChat Pay's own number
	Payer    string // as WeChat Pay names them towards this merchant
	SignedAt time.Time
	EndedAt  time.Time
	EndedBy  string // USER_TERMINATE and the like; empty where it is not said
	Fault    string // for the log
}

// contractBody is a contract in the answers of all families.
type contractBody struct {
	account
	Service   digits `json:"service_id"`
	Plan      digits `json:"plan_id"`
	Code      string `json:"out_contract_code"`
	ID        string `json:"contract_id"`
	OpenID    string `json:"openid"`
	SubOpenID string `json:"sub_openid"`
	State     string `json:"contract_state"`
	SignedAt  string `json:"contract_signed_time"`
	End       struct {
		By string `json:"contract_termination_mode"`
		At string `json:"contract_terminated_time"`
	} `json:"contract_terminate_info"`

	ScoreCode   string `json:"authorization_code"`
	ScoreState  string `json:"authorization_state"`
	ScoreSigned string `json:"authorization_success_time"`
	ScoreEnded  string `json:"cancel_authorization_time"`
}

// digits is a number that some answers quote and others do not.
type digits string

// UnmarshalJSON is part of json.Unmarshaler.
func (d *digits) UnmarshalJSON(b []byte) error {
	text := string(bytes.Trim(b, `"`))
	if text == "null" {
		text = ""
	}
	if text != "" && !serviceForm.MatchString(text) {
		return errors.New("want digits")
	}
	*d = digits(text)
	return nil
}

var contractStates = map[string]ContractState{
	"UNSIGNED": ContractOpen, "SIGNED": ContractSigned, "TERMINATED": ContractEnded,
	"UNAVAILABLE": ContractOpen, "AVAILABLE": ContractSigned, "UNBINDUSER": ContractEnded,
}

// QueryContract asks how a contract stands.
func (ch *Channel) QueryContract(ctx context.Context, ref ContractRef) Contract {
	c, fault := ch.contractor(ref)
	if c == nil {
		return Contract{Fault: fault}
	}
	path := c.contractPath(ref, "")
	if ref.Family == PayScore {
		path += "?service_id=" + ref.Service
		if c.partner() {
			path += "&sub_mchid=" + url.QueryEscape(c.SubMchID)
		}
	}
	var got contractBody
	r := c.call(ctx, path, nil).decode(&got)
	if r.fault == noFault && !c.owns(&got, ref) {
		r.fault = elsewhere
	}
	if r.fault != noFault {
		return Contract{Fault: r.line("contract query")}
	}
	return got.contract()
}

// contractor finds the connection that a contract goes over.
func (ch *Channel) contractor(ref ContractRef) (*connection, string) {
	c := ch.merchants[ref.Merchant]
	switch {
	case c == nil:
		return nil, "no connection serves this merchant"
	case !ref.good():
		return nil, "not the name of a contract"
	case ref.Family == Papay && c.partner():
		return nil, "papay is for direct accounts"
	}
	return c, ""
}

func (c *connection) contractPath(ref ContractRef, end string) string {
	switch ref.Family {
	case PasswordExempt:
		return "/v3/password-exempt-contract/contracts/service-id/" + ref.Service + "/out-contract-code/" + ref.Code + end
	case Papay:
		return "/v3/papay/sign/contracts/plan-id/" + ref.Service + "/out-contract-code/" + ref.Code + end
	case PayScore:
	}
	return c.scorePath() + "/authorization-code/" + ref.Code + end
}

func (c *connection) scorePath() string {
	if c.partner() {
		return "/v3/payscore/partner/permissions"
	}
	return "/v3/payscore/permissions"
}

// owns reports whether an answer is about the contract that was asked about. A
// service provider's account is called mchid here.
func (c *connection) owns(got *contractBody, ref ContractRef) bool {
	code, service := got.Code, got.Service
	switch ref.Family {
	case Papay:
		service = got.Plan
	case PayScore:
		code = got.ScoreCode
	case PasswordExempt:
	}
	return code == ref.Code && string(service) == ref.Service && got.MchID == c.MchID && (got.SubMchID == "" || got.SubMchID == c.SubMchID)
}

func (got *contractBody) contract() Contract {
	k := Contract{ID: got.ID, Payer: got.OpenID, EndedBy: plain(got.End.By, codeForm)}
	state, signed, ended := got.State, got.SignedAt, got.End.At
	if got.ScoreState != "" {
		state, signed, ended = got.ScoreState, got.ScoreSigned, got.ScoreEnded
	}
	if got.SubOpenID != "" {
		k.Payer = got.SubOpenID
	}
	k.SignedAt, k.EndedAt = moment(signed), moment(ended)
	if k.State = contractStates[state]; k.State == ContractUnclear {
		k.Fault = "contract query: " + faultWords[unread]
	}
	// A contract that says how it was ended is not signed, whatever else it says.
	if k.State == ContractSigned && got.End.By != "" {
		k.State = ContractEnded
	}
	return k
}

func moment(text string) time.Time {
	at, _ := time.Parse(time.RFC3339, text)
	return at.UTC()
}

const remarkRunesMax = 80

// TerminateContract ends a contract, and believes what the contract itself then
// says: until it says "ended", ask again.
func (ch *Channel) TerminateContract(ctx context.Context, ref ContractRef, remark string) Contract {
	c, fault := ch.contractor(ref)
	if c == nil {
		return Contract{Fault: fault}
	}
	runes := []rune(remark)
	remark = string(runes[:min(len(runes), remarkRunesMax)])
	var body any = map[string]string{"contract_termination_remark": remark}
	if ref.Family == PayScore {
		score := map[string]string{"service_id": ref.Service, "reason": remark}
		if c.partner() {
			score["sub_mchid"] = c.SubMchID
		}
		body = score
	}
	r := c.call(ctx, c.contractPath(ref, "/terminate"), body)
	k := ch.QueryContract(ctx, ref)
	if k.State != ContractEnded && r.fault != noFault {
		k.Fault = r.line("contract terminate")
	}
	return k
}
