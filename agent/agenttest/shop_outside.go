package agenttest

import (
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
)

// CodeOutside is a code of another payment system: its payment is verifying until
// Outside says what has become of it.
const CodeOutside = "130001234567890123"

// outsideSays is what a cashier reads of a payment at another payment system.
var outsideSays = map[string]mianmi.Text{
	"verifying": {ZH: "请顾客在手机上输入密码确认，等待结果。", EN: "Ask the customer to confirm on the phone, and wait."},
	"unknown":   {ZH: "支付渠道尚无答复，正在查询，请勿重复收款。", EN: "The payment system has not answered and is being asked; do not take the payment again."},
	"undoing":   {ZH: "正在撤销，等待支付渠道确认；已付的款会退回。", EN: "Being undone, waiting for the payment system; what was paid goes back."},
}

// Outside has the other payment system say what has become of the order; a QR code
// is one that it wants to be shown.
func (h *Host) Outside(no, state, qr string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.shop.byOrder[no]
	h.outside(p, state)
	if qr != "" {
		p.StepUp = &client.StepUp{Methods: []string{"dynamic_qr"}, ExpiresAt: time.Now().Add(h.shop.stepUp).UTC(), QR: qr}
	}
	h.tell()
}

func (h *Host) outside(p *client.Payment, state string) {
	p.State, p.StepUp, p.StateAt, p.Sentence = state, nil, time.Now().UTC(), outsideSays[state]
	p.Channel = &client.Channel{Name: "wechatpay", Inferred: true}
}
