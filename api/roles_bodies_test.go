package api_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bodies are requests that reach the service; operations without one have none.
// What is named in braces is the world's.
var bodies = map[string]string{
	"authorize":               `{"terminal":"{terminal}","order_no":"{n}","amount":{"minor":100,"currency":"CNY"},"method":"cash"}`,
	"authorizeBatch":          `{"payments":[{"terminal":"{terminal}","order_no":"{n}","amount":{"minor":100,"currency":"CNY"},"method":"cash"}]}`,
	"dryRun":                  `{"payer":"{payer}","terminal":"{terminal}","amount":{"minor":100,"currency":"CNY"},"method":"payment_code","entry":"scanned"}`,
	"confirmPIN":              `{"key_id":"pk0","enc":"AA==","ciphertext":"AA=="}`,
	"confirmPayment":          `{"password":"` + pin + `"}`,
	"refundPayment":           `{"refund_no":"{n}","amount":{"minor":1,"currency":"CNY"}}`,
	"openQROrder":             `{"terminal":"{terminal}","order_no":"{n}","amount":{"minor":100,"currency":"CNY"}}`,
	"confirmQROrder":          `{"password":"` + pin + `"}`,
	"changeStaffPassword":     `{"password":"wrong","new_password":"quite-a-long-phrase","code":"000000"}`,
	"createPayer":             `{"phone":"+861380000{n4}","name":"张三"}`,
	"addInstrument":           `{"scheme":"unionpay","kind":"debit","last4":"1234"}`,
	"findPayer":               `{"phone":"+8613800000001"}`,
	"topUp":                   `{"key":"{n}","amount":{"minor":100,"currency":"CNY"}}`,
	"reopenPinFree":           `{"password":"` + pin + `","risk_version":"risk-2026-01"}`,
	"setLimits":               `{"day_count":5}`,
	"grantAllowance":          `{"max":{"minor":100,"currency":"CNY"},"password":"` + pin + `"}`,
	"openAgreement":           `{"merchant":"{merchant}","consent_version":"consent-2026-01","password":"` + pin + `"}`,
	"openContract":            `{"channel":"wechatpay","kind":"password_exempt"}`,
	"holdPayer":               `{"until":"2030-01-01T00:00:00Z","because":"case"}`,
	"liftHold":                `{"basis":{"method":"video_call","ref":"N-1"}}`,
	"reportAlarm":             `{"kind":"other","payment":"{payment}"}`,
	"answerQuestion":          `{"answer":"no"}`,
	"backtestRiskRule":        `{"yaml":"id: x","days":1}`,
	"liftLoss":                `{"basis":{"method":"video_call","ref":"N-1"}}`,
	"unlockPassword":          `{"basis":{"method":"video_call","ref":"N-1"}}`,
	"resetPassword":           `{"basis":{"method":"video_call","ref":"N-1"}}`,
	"setPassword":             `{"password":"` + pin + `"}`,
	"changePassword":          `{"password":"` + pin + `","new_password":"` + pin + `"}`,
	"createMerchant":          `{"name":"甲","currency":"CNY","facts":{"country":"CN"}}`,
	"renameMerchant":          `{"name":"乙"}`,
	"setMerchantFacts":        `{"country":"CN","mcc":5411,"no_pin":true,"upgraded":true}`,
	"createStore":             `{"name":"二店"}`,
	"changeStore":             `{"name":"一店"}`,
	"createModel":             `{"name":"N1","methods":["card_tap"]}`,
	"renameModel":             `{"name":"N2"}`,
	"createTerminal":          `{"name":"收银台 2","model":"{model}"}`,
	"renameTerminal":          `{"name":"收银台 3"}`,
	"moveTerminal":            `{"store":"{store}"}`,
	"placeStop":               `{"scope":"terminal:{terminal}","reason":"试","seconds":60}`,
	"createStaff":             `{"login":"c{n}","name":"李四","role":"cashier","merchant":"{merchant}","store":"{store}"}`,
	"createAPIKey":            `{"name":"k","merchant":"{merchant}","scopes":["read"]}`,
	"openCase":                `{"kind":"help","payer":"{payer}","text":"请问"}`,
	"moveCase":                `{"to":"closed","version":1}`,
	"assignCase":              `{"queue":"risk","version":1}`,
	"noteCase":                `{"key":"{n}","audience":"payer","text":"您好"}`,
	"attachFile":              "a note",
	"linkCase":                `{"kind":"payment","ref":"{payment}"}`,
	"checkIdentity":           `{"method":"call_back","asked":["name"],"passed":true}`,
	"actForPayer":             `{"act":"close_pin_free"}`,
	"orderPayout":             `{"key":"{n}","payment":"{payment}","amount":{"minor":100,"currency":"CNY"},"from":"merchant","basis":"breach"}`,
	"fundGuarantee":           `{"reference":"bank-{n}","amount":{"minor":100,"currency":"CNY"}}`,
	"decideCase":              `{"verdict":"answered","text":"已答复","version":1}`,
	"answerComplaint":         `{"key":"{n}","kind":"reply","text":"您好"}`,
	"complain":                `{"key":"{n}","payment":"{payment}","problem":"other","text":"没有找零"}`,
	"writeToComplaint":        `{"key":"{n}","kind":"reply","text":"在吗"}`,
	"createWebhook":           `{"url":"https://example.com/","merchant":"{merchant}"}`,
	"changeWebhook":           `{"parallel":4}`,
	"rotateWebhookSecret":     `{"overlap_seconds":0}`,
	"replayWebhook":           `{"from_sequence":1}`,
	"createWechatCredentials": `{"terminal":"{terminal}"}`,
	"changeWechatCredentials": `{"terminal":"{terminal}"}`,
	"addWechatSerial":         `{}`,
	"setPolicyOfChannel":      `{"pin_free":false}`,
	"setPolicyOfModel":        `{"pin_free":false}`,
	"setPolicyOfMerchant":     `{"pin_free":{open}}`,
	"setPolicyOfStore":        `{"pin_free":{open}}`,
	"setPolicyOfTerminal":     `{"pin_free":{open}}`,
	"setPolicyOfEverything":   `{"pin_free":false}`,
	"dryRunRules":             `{"withdraw":["none"]}`,
	"proposeRules":            `{"withdraw":["none"]}`,
	"startProgramRollout":     `{"family":"qr_box","version":"{n4}","rollout":{"stages":[{"permille":1000}]}}`,
}

var queries = map[string]string{"attachFile": "?name=a.txt&audience=payer", "approvals": "?merchant={merchant}", "stops": "?scope=terminal:{terminal}", "apiKeys": "?merchant={merchant}", "webhooks": "?merchant={merchant}", "contracts": "?merchant={merchant}",
	"staff": "?merchant={merchant}", "terminalAlarms": "?terminal={terminal}", "terminalInForce": "?at=2026-07-03T02:00:00Z", "switchOffs": "?store={store}", "rollouts": "?store={store}"}

// wantDocument checks that the document says what the table says.
func wantDocument(t *testing.T, op operation, want []string) {
	t.Helper()
	got := slices.Clone(op.Roles)
	for _, scope := range op.Scopes {
		got = append(got, "+"+scope)
	}
	if len(op.Security) == 0 {
		got = append(got, "anybody")
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: who may call it (-table +document):\n%s", op.ID, diff)
	}
}
