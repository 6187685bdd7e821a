package payer

import (
	"net/http"

	"github.com/boombuler/barcode/code128"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/web/site"
	"github.com/mianmi/mianmi/web/ui"
)

// statusView is the one sentence about PIN-free payment, with its colour.
type statusView struct {
	payer.Status
	Tone  ui.Tone
	Icon  string
	Where string // where it is in force already
}

func statusOf(v *site.Visit, st payer.Status) statusView {
	out := statusView{Status: st, Tone: ui.Plain, Icon: "tap"}
	switch st.State {
	case payer.Closed:
		out.Tone, out.Icon = ui.Safe, "shield"
		out.Where = v.T("已在所有商户和终端生效：每笔付款都由服务器逐笔核对。", "In force at every shop and terminal: the server checks each single payment.")
	case payer.CoolingOff:
		out.Tone, out.Icon = ui.Wait, "clock"
		out.Where = v.T("在那之前仍是关闭，随时可以取消。", "Until then it stays off, and you can call it off at any time.")
	case payer.Held:
		out.Tone, out.Icon = ui.Safe, "shield"
	case payer.Frozen:
		out.Tone, out.Icon = ui.Harm, "shield"
	case payer.Open:
		out.Where = v.T("限额以内的付款不再验证密码。", "Within the limits nobody asks for the password.")
	}
	return out
}

// homeView is the first page: the status, what waits, and the payment code.
type homeView struct {
	*site.Visit
	Status  statusView
	Waiting []stepUpView
	Code    *codeView
	Balance string
	Unread  int
}

func (h *phone) home(v *site.Visit) error {
	show, err := h.Payers.Show(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	waiting, err := h.stepUps(v)
	if err != nil {
		return err
	}
	page, err := h.Inbox.Notices(v.R.Context(), v.Actor, who(v), "", 1)
	if err != nil {
		return err
	}
	return v.Draw(http.StatusOK, homePage(homeView{Visit: v, Status: statusOf(v, show.Status), Waiting: waiting, Balance: show.Balance.String(), Unread: page.Unread}))
}

// stepUpView is a payment that waits for the password.
type stepUpView struct {
	ID             mianmi.PaymentID
	Shop, Where    string
	Amount, Reason string
	Left           int // seconds
}

func (h *phone) stepUps(v *site.Visit) ([]stepUpView, error) {
	list, err := h.Payments.StepUps(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return nil, err
	}
	out := make([]stepUpView, len(list))
	for i := range list {
		out[i] = h.stepUp(v, &list[i])
	}
	return out, nil
}

func (h *phone) stepUp(v *site.Visit, p *payment.Payment) stepUpView {
	at := h.place(v.R.Context(), p)
	s := stepUpView{ID: p.ID, Shop: at.name(v), Where: at.Address, Amount: p.Amount.String(), Left: max(0, int(p.ExpiresAt.Sub(v.Now()).Seconds()))}
	if len(p.Reasons) > 0 {
		s.Reason = h.reason(v, &p.Reasons[0], at)
	}
	return s
}

// waiting is the part of the first page that lists what waits for the password.
func (h *phone) waiting(v *site.Visit) error {
	list, err := h.stepUps(v)
	if err != nil {
		return err
	}
	return v.Draw(http.StatusOK, waitingPart(v, list))
}

// codeView is a payment code, as picture for a scanner.
type codeView struct {
	QR     ui.QR
	Bars   string // an SVG path on a grid of Width modules
	Width  int
	Digits string // in groups of four
	Left   int    // seconds
	Again  int    // seconds after which a script asks for the next one
}

// code issues a payment code. It is a POST: each is another one, and a browser
// that looks ahead must not use them up.
func (h *phone) code(v *site.Visit) error {
	c, err := h.Payers.IssueCode(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	view, err := newCodeView(c, int(c.ExpiresAt.Sub(v.Now()).Seconds()))
	if err != nil {
		return err
	}
	if v.HTMX() {
		return v.Draw(http.StatusOK, codePart(v, view))
	}
	show, err := h.Payers.Show(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	waiting, err := h.stepUps(v)
	if err != nil {
		return err
	}
	return v.Draw(http.StatusOK, homePage(homeView{Visit: v, Status: statusOf(v, show.Status), Waiting: waiting, Balance: show.Balance.String(), Code: view}))
}

func newCodeView(c payer.IssuedCode, left int) (*codeView, error) {
	qr, err := ui.NewQR(c.Digits)
	if err != nil {
		return nil, err
	}
	bars, err := code128.Encode(c.Digits)
	if err != nil {
		return nil, err
	}
	out := &codeView{QR: qr, Left: left, Again: max(5, left*2/3)}
	out.Bars, out.Width = ui.Bars(bars)
	for i := 0; i < len(c.Digits); i += 4 {
		out.Digits += c.Digits[i:min(i+4, len(c.Digits))] + " "
	}
	return out, nil
}

// meView is the page of settings.
type meView struct {
	*site.Visit
	Name, Phone string
	Status      statusView
	Balance     string
}

func (h *phone) me(v *site.Visit) error {
	show, err := h.Payers.Show(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	return v.Draw(http.StatusOK, mePage(meView{Visit: v, Name: show.Name, Phone: masked(show.Phone), Status: statusOf(v, show.Status), Balance: show.Balance.String()}))
}

// masked shows the ends of a phone number: somebody may look over the shoulder.
func masked(phone string) string {
	if len(phone) < 8 {
		return phone
	}
	return phone[:len(phone)-8] + "****" + phone[len(phone)-4:]
}
