package payer

import (
	"context"
	"net/http"
	"slices"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/notice/inbox"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/web/site"
)

// pinFreeView is the page at the end of 我 → 服务 → 钱包 → 支付设置 → 免密支付.
type pinFreeView struct {
	*site.Visit
	Status     statusView
	Limits     []string
	Agreements []agreementView
	Used       []usedView
}

// agreementView is one agreement with a merchant.
type agreementView struct {
	ID          mianmi.AgreementID
	Shop, Limit string
	Open        bool
	Since       string
}

// usedView is a terminal at which the payer has paid PIN-free lately.
type usedView struct{ Shop, Terminal, Last string }

// lately is how many of the newest payments are looked through for places.
const lately = 100

func (h *phone) pinFree(v *site.Visit) error {
	show, err := h.Payers.Show(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	view := pinFreeView{Visit: v, Status: statusOf(v, show.Status), Limits: limitsOf(v, &show.Status.Settings)}
	list, err := h.Payers.Agreements(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	past, err := h.Payments.Payments(v.R.Context(), v.Actor, who(v), "", lately)
	if err != nil {
		return err
	}
	shops := map[mianmi.MerchantID]string{}
	seen := map[mianmi.TerminalID]bool{}
	for i := range past {
		p := &past[i]
		at := h.place(v.R.Context(), p)
		shops[p.Merchant] = at.Shop
		if p.PinFree() && !seen[p.Terminal] {
			seen[p.Terminal] = true
			view.Used = append(view.Used, usedView{Shop: at.name(v), Terminal: at.Terminal, Last: when(v, p.CreatedAt)})
		}
	}
	for i := range list {
		view.Agreements = append(view.Agreements, h.agreement(v, &list[i], shops))
	}
	return v.Draw(http.StatusOK, pinFreePage(view))
}

func (h *phone) agreement(v *site.Visit, a *payer.Agreement, shops map[mianmi.MerchantID]string) agreementView {
	out := agreementView{ID: a.ID, Open: a.Open, Shop: shops[a.Merchant], Since: when(v, a.OpenedAt)}
	if name := h.Names.MerchantName(v.R.Context(), a.Merchant); name != "" {
		out.Shop = name
	}
	if out.Shop == "" {
		out.Shop = v.T("未知商户", "a shop that is not known any more")
	}
	if a.PerPayment != nil {
		out.Limit = money.Of(*a.PerPayment, "CNY").String()
	}
	if !a.Open {
		out.Since = when(v, a.ClosedAt)
	}
	return out
}

// limitsOf are the payer's own limits, in words.
func limitsOf(v *site.Visit, s *payer.Settings) (out []string) {
	if s.PerPayment != nil {
		out = append(out, v.T("每笔不超过 ", "each payment at most ")+money.Of(*s.PerPayment, s.Currency).String())
	}
	if s.DayAmount != nil {
		out = append(out, v.T("每天不超过 ", "a day at most ")+money.Of(*s.DayAmount, s.Currency).String())
	}
	if s.DayCount != nil {
		out = append(out, v.T("每天不超过 ", "at most ")+count(*s.DayCount)+v.T(" 笔", " payments a day"))
	}
	if s.QuietFrom != s.QuietTo {
		out = append(out, minute(s.QuietFrom)+"–"+minute(s.QuietTo)+v.T(" 每笔都验证", ": every payment asks"))
	}
	return out
}

func (h *phone) closePinFree(v *site.Visit) error {
	if _, err := h.Payers.Close(v.R.Context(), v.Actor, who(v), payer.Basis{}); err != nil {
		return err
	}
	return v.See(Base + "pin-free/closed")
}

func (h *phone) closeAgreement(v *site.Visit) error {
	if _, err := h.Payers.CloseAgreement(v.R.Context(), v.Actor, who(v), mianmi.AgreementID(v.R.PathValue("agreement"))); err != nil {
		return err
	}
	return v.See(Base + "pin-free#agreements")
}

// closedView is what is shown after PIN-free payment was closed.
type closedView struct {
	*site.Visit
	Status  statusView
	Receipt string // path of the check of the receipt; empty: not known yet
	PDF     string
	Checks  []methodView
	At      string // where the other methods were tried
}

// methodView is what another way to pay would meet now.
type methodView struct{ Name, Says string }

func (h *phone) closed(v *site.Visit) error {
	show, err := h.Payers.Show(v.R.Context(), v.Actor, who(v))
	if err != nil {
		return err
	}
	if show.Status.State == payer.Open || show.Status.State == payer.Held {
		return v.See(Base + "pin-free")
	}
	view := closedView{Visit: v, Status: statusOf(v, show.Status)}
	page, err := h.Inbox.Notices(v.R.Context(), v.Actor, who(v), "", 20)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(page.Notices, func(n inbox.Notice) bool { return n.Kind == inbox.Setting && n.Payment == "" }); i >= 0 {
		view.Receipt = "/check/" + h.Receipts.Token(page.Notices[i].ID)
	}
	past, err := h.Payments.Payments(v.R.Context(), v.Actor, who(v), "", 1)
	if err != nil {
		return err
	}
	if len(past) > 0 {
		at := h.place(v.R.Context(), &past[0])
		view.At = at.name(v)
		view.Checks = h.tryMethods(v, &past[0])
	}
	return v.Draw(http.StatusOK, closedPage(view))
}

// triedAmount is a small payment, as one would make it next: 20.00.
const triedAmount = 20_00

// tryMethods says what other ways to pay would meet at a terminal where the payer
// has paid: nothing is charged, and nothing written.
func (h *phone) tryMethods(v *site.Visit, last *payment.Payment) (out []methodView) {
	for _, m := range []struct {
		method pinfree.Method
		entry  pinfree.Entry
		zh, en string
	}{
		{method: pinfree.PaymentCode, entry: pinfree.Scanned, zh: "出示付款码", en: "Showing the payment code"},
		{method: pinfree.DynamicQR, zh: "扫终端上的二维码", en: "Scanning the terminal's QR code"},
	} {
		d, err := h.Payments.DryRun(v.R.Context(), v.Actor, who(v), payment.Request{Terminal: last.Terminal, Amount: money.Of(triedAmount, last.Amount.Currency()), Method: m.method, Entry: m.entry})
		says := v.T("暂时无法检查", "could not be tried just now")
		switch {
		case err != nil:
		case d.Decision.Outcome == pinfree.Refused:
			says = v.T("这台终端不支持", "not taken at that terminal")
		case d.Decision.Outcome == pinfree.PinFree:
			says = v.T("可用，不验证密码", "works, without a password")
		default:
			says = v.T("可用，会请您验证", "works, and asks you to confirm")
		}
		out = append(out, methodView{v.T(m.zh, m.en), says})
	}
	return out
}

// reopenView is the page to switch PIN-free payment on again.
type reopenView struct {
	*site.Visit
	Risk  payer.Document
	Fault string
}

func (h *phone) reopenPage(v *site.Visit) error {
	return v.Draw(http.StatusOK, reopenPage(reopenView{Visit: v, Risk: h.Payers.Risk()}))
}

func (h *phone) reopen(v *site.Visit) error {
	in := payer.ReopenInput{Password: v.R.PostFormValue("password"), RiskVersion: v.Value("risk")}
	again := func(words string) error {
		return v.Draw(http.StatusUnprocessableEntity, reopenPage(reopenView{Visit: v, Risk: h.Payers.Risk(), Fault: words}))
	}
	if v.Value("agree") == "" {
		return again(v.T("请先阅读并同意风险提示。", "Read the risk text and agree to it first."))
	}
	_, err := h.Payers.Reopen(v.R.Context(), v.Actor, who(v), in)
	if field, words, bad := v.Fault(err); bad {
		if t, ok := byField[field]; ok && mianmi.KindOf(err) == mianmi.Invalid {
			words = t.In(v.Lang)
		}
		return again(words)
	}
	if err != nil {
		return err
	}
	return v.See(Base + "pin-free")
}

// reason is why a payment was decided as it was, as the payer reads it.
func (h *phone) reason(v *site.Visit, w *pinfree.Why, at place) string {
	name := ""
	switch w.Layer {
	case pinfree.LayerMerchant, pinfree.LayerAgreement:
		name = at.Shop
	case pinfree.LayerStore:
		name = at.Store
	case pinfree.LayerTerminal, pinfree.LayerPosture:
		name = at.Terminal
	}
	if w.Rule != "" {
		name = h.Names.RuleTitle(v.R.Context(), w).In(v.Lang)
	}
	return w.WordsIn(v.Lang, pinfree.ForPayer, name)
}

// Names are what things are called.
type Names interface {
	// MerchantName is empty for one that is not known.
	MerchantName(ctx context.Context, id mianmi.MerchantID) string
	RuleTitle(ctx context.Context, w *pinfree.Why) mianmi.Text
}
