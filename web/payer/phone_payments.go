package payer

import (
	"net/http"
	"strconv"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/web/site"
	"github.com/mianmi/mianmi/web/ui"
)

// pageSize is what one page of a list shows.
const pageSize = 20

func count(n int64) string { return strconv.FormatInt(n, 10) }

// minute is a minute of the day as a clock shows it.
func minute(m int) string {
	two := func(n int) string { return strconv.Itoa(100 + n)[1:] }
	return two(m/60) + ":" + two(m%60)
}

// paidView is a payment in a list.
type paidView struct {
	ID                     mianmi.PaymentID
	Shop, When, Amount, Is string
	PinFree                bool
}

type paymentsView struct {
	*site.Visit
	List []paidView
	Next string
}

func (h *phone) payments(v *site.Visit) error {
	list, err := h.Payments.Payments(v.R.Context(), v.Actor, who(v), mianmi.PaymentID(v.Query("before")), pageSize)
	if err != nil {
		return err
	}
	view := paymentsView{Visit: v}
	for i := range list {
		p := &list[i]
		view.List = append(view.List, paidView{ID: p.ID, Shop: h.place(v.R.Context(), p).name(v), When: when(v, p.CreatedAt), Amount: p.Amount.String(),
			Is: stateOf(p).In(v.Lang), PinFree: p.PinFree()})
	}
	if len(list) == pageSize {
		view.Next = string(list[len(list)-1].ID)
	}
	return v.Draw(http.StatusOK, paymentsPage(view))
}

// stateOf is how a payment stands, in a word.
func stateOf(p *payment.Payment) mianmi.Text {
	switch p.State {
	case payment.Approved:
		if p.PinFree() {
			return mianmi.Text{ZH: "免密支付", EN: "without a password"}
		}
		return mianmi.Text{ZH: "已支付", EN: "paid"}
	case payment.StepUpRequired:
		return mianmi.Text{ZH: "等您验证", EN: "waits for you"}
	case payment.Refused:
		return mianmi.Text{ZH: "已拒绝", EN: "refused"}
	case payment.Declined, payment.Expired:
		return mianmi.Text{ZH: "未完成", EN: "did not go through"}
	case payment.Reversed:
		return mianmi.Text{ZH: "已撤销", EN: "undone"}
	case payment.Refunded:
		return mianmi.Text{ZH: "已退款", EN: "refunded"}
	case payment.PartlyRefunded:
		return mianmi.Text{ZH: "部分退款", EN: "refunded in part"}
	case payment.Undoing:
		return mianmi.Text{ZH: "撤销中", EN: "being undone"}
	case payment.Verifying, payment.Unknown:
	}
	return mianmi.Text{ZH: "处理中", EN: "under way"}
}

// paymentView is one payment, with where it came from and why.
type paymentView struct {
	*site.Visit
	stepUpView
	Is, When, Method, Verified, Terminal, Store string
	Tone                                        ui.Tone
	Reasons                                     []string
	Waits                                       bool
	PinFree                                     bool
	Undo                                        string // until when shop or support can undo it
	Receipt                                     string
	Refunded                                    string
	Order                                       string
	Fault                                       string
}

func (h *phone) payment(v *site.Visit) error {
	p, err := h.Payments.Payment(v.R.Context(), v.Actor, mianmi.PaymentID(v.R.PathValue("payment")))
	if err != nil {
		return err
	}
	return h.drawPayment(v, http.StatusOK, p, "")
}

func (h *phone) drawPayment(v *site.Visit, status int, p *payment.Payment, fault string) error {
	at := h.place(v.R.Context(), p)
	view := paymentView{Visit: v, stepUpView: h.stepUp(v, p), Is: stateOf(p).In(v.Lang), When: when(v, p.CreatedAt), Method: methods[p.Method].In(v.Lang),
		Verified: verified[p.CVM].In(v.Lang), Terminal: at.Terminal, Store: at.Store, Waits: p.State == payment.StepUpRequired, PinFree: p.PinFree() && p.State == payment.Approved,
		Receipt: "/check/" + h.Receipts.Token(string(p.ID)), Order: p.OrderNo, Tone: ui.Plain, Fault: fault}
	for i := range p.Reasons {
		view.Reasons = append(view.Reasons, h.reason(v, &p.Reasons[i], at))
	}
	if view.Waits {
		view.Tone = ui.Wait
	}
	if until := h.Payments.UndoUntil(p); !until.IsZero() && view.PinFree {
		view.Undo = when(v, until)
	}
	if p.Refunded > 0 {
		view.Refunded = money.Of(p.Refunded, p.Amount.Currency()).String()
	}
	return v.Draw(status, paymentPage(view))
}

// confirm is the step-up: the payment password for this one payment.
func (h *phone) confirm(v *site.Visit) error {
	id := mianmi.PaymentID(v.R.PathValue("payment"))
	_, err := h.Payments.Confirm(v.R.Context(), v.Actor, id, v.R.PostFormValue("password"))
	if field, words, bad := v.Fault(err); bad {
		if t, ok := byField[field]; ok && mianmi.KindOf(err) == mianmi.Invalid {
			words = t.In(v.Lang)
		}
		p, err := h.Payments.Payment(v.R.Context(), v.Actor, id)
		if err != nil {
			return err
		}
		return h.drawPayment(v, http.StatusUnprocessableEntity, p, words)
	}
	if err != nil {
		return err
	}
	return v.See(Base + "payments/" + string(id))
}

func (h *phone) cancel(v *site.Visit) error {
	id := mianmi.PaymentID(v.R.PathValue("payment"))
	if _, err := h.Payments.Cancel(v.R.Context(), v.Actor, id); err != nil && mianmi.KindOf(err) != mianmi.Conflict {
		return err
	}
	return v.See(Base + "payments/" + string(id)) // how it stands now is shown there
}

var methods = map[pinfree.Method]mianmi.Text{
	pinfree.PaymentCode:  {ZH: "出示付款码", EN: "payment code"},
	pinfree.CardTap:      {ZH: "挥卡或手机闪付", EN: "card or phone held to the reader"},
	pinfree.CardInsert:   {ZH: "插卡", EN: "card inserted"},
	pinfree.CardSwipe:    {ZH: "刷卡", EN: "card swiped"},
	pinfree.DynamicQR:    {ZH: "扫终端二维码", EN: "QR code on the terminal"},
	pinfree.Cash:         {ZH: "现金", EN: "cash"},
	pinfree.MandateDebit: {ZH: "签约扣款", EN: "charged under an agreement"},
}

var verified = map[pinfree.CVM]mianmi.Text{
	pinfree.NoCVM:         {ZH: "没有验证", EN: "not asked for"},
	pinfree.OnlinePIN:     {ZH: "终端上输入密码", EN: "PIN at the terminal"},
	pinfree.OfflinePIN:    {ZH: "卡片核对密码", EN: "PIN checked by the card"},
	pinfree.CDCVM:         {ZH: "手机上解锁验证", EN: "unlocked on the phone"},
	pinfree.PhonePassword: {ZH: "手机上输入支付密码", EN: "password on the phone"},
}

type noticesView struct {
	*site.Visit
	List   []noticeView
	Next   string
	Newest string // when there is something unread
}

// noticeView is one thing that the payer is told.
type noticeView struct {
	Title, Words, Hint, When, Link string
	Unread, Security               bool
}

func (h *phone) notices(v *site.Visit) error {
	page, err := h.Inbox.Notices(v.R.Context(), v.Actor, who(v), v.Query("before"), pageSize)
	if err != nil {
		return err
	}
	view := noticesView{Visit: v}
	for i := range page.Notices {
		view.List = append(view.List, noticeOf(v, &page.Notices[i]))
	}
	if len(page.Notices) == pageSize {
		view.Next = page.Notices[pageSize-1].ID
	}
	if len(page.Notices) > 0 && page.Unread > 0 {
		view.Newest = page.Notices[0].ID
	}
	return v.Draw(http.StatusOK, noticesPage(view))
}

// seen notes up to where the payer has read.
func (h *phone) seen(v *site.Visit) error {
	if err := h.Inbox.See(v.R.Context(), v.Actor, who(v), v.Value("upto")); err != nil {
		return err
	}
	return v.See(Base + "notices")
}

func noticeOf(v *site.Visit, n *inbox.Notice) noticeView {
	out := noticeView{Title: n.Title.In(v.Lang), Words: n.Words.In(v.Lang), Hint: n.Hint.In(v.Lang), When: when(v, n.At), Unread: n.Unread, Security: n.Security}
	switch {
	case n.Payment != "":
		out.Link = Base + "payments/" + string(n.Payment)
	case n.Kind == inbox.Setting || n.Kind == inbox.Agreement:
		out.Link = Base + "pin-free"
	}
	return out
}
