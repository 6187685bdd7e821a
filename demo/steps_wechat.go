package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mianmi/mianmi/api/client"
)

// Three and eight: a shop that takes WeChat Pay.

// bookPrice is what a book of the story costs.
const bookPrice = 36_00

// wechatStory is what that chapter stands on: the bookshop here, and a payer
// of the peer, whom nobody here knows.
type wechatStory struct {
	pos, office *client.Client
	peer        *Peer
	there       *client.Client // the peer's till, which reads its payments
	su          *person        // with her phone at the peer
	list        []client.Payment
}

func (d *Demo) newWeChatStory() *wechatStory {
	shop := d.world.Bookshop
	return &wechatStory{pos: d.api.As(shop.POS), office: d.api.As(shop.Office), peer: d.WeChat, there: d.WeChat.api.As(d.WeChat.world.Merchants[0].POS)}
}

// charge lets the bookshop scan Su's payment code.
func (s *story) charge(ctx context.Context) (client.Payment, error) {
	code, err := s.wx.su.phone.IssueCode(ctx, client.Me)
	if err != nil {
		return client.Payment{}, err
	}
	s.orders++
	p, err := s.wx.pos.Authorize(ctx, client.Authorization{Terminal: s.world.Bookshop.Stores[0].Terminals[0].ID, OrderNo: fmt.Sprintf("%s-W%02d", s.run, s.orders),
		Amount: yuan(bookPrice), Method: "payment_code", Code: code.Code, Entry: "scanned"})
	s.wx.list = append(s.wx.list, p)
	return p, err
}

// atPeer is a payment as the peer has it, under our number.
func (s *story) atPeer(ctx context.Context, p *client.Payment) (client.Payment, error) {
	return s.wx.there.PaymentByOrder(ctx, s.wx.peer.world.Merchants[0].ID, string(p.ID))
}

// settles waits for the state of a payment here, and says how it is on both sides.
func (s *story) settles(ctx context.Context, p *client.Payment, state string) (*outcome, error) {
	ok, err := eventually(ctx, func(ctx context.Context) (_ bool, err error) {
		*p, err = s.wx.pos.Payment(ctx, p.ID)
		return p.State == state, err
	})
	if err != nil {
		return nil, err
	}
	o := shown(p)
	o.must(ok, t("应为"+words(state).ZH, "should be "+words(state).EN))
	there, err := s.atPeer(ctx, p)
	o.quotes = append(o.quotes, t("微信支付一侧："+words(there.State).ZH, "at WeChat Pay: "+words(there.State).EN))
	o.must(there.State == state, t("两边应一致", "both should say the same"))
	return o, err
}

// wxJoin makes the payer at the peer.
func (s *story) wxJoin(ctx context.Context) error {
	o := &outcome{}
	p, err := s.wx.peer.register(ctx, &payerCast{name: t("苏晴", "Su Qing"), weekly: 500_00})
	if err == nil {
		s.wx.su = &person{Payer: p}
		err = s.wx.su.logIn(ctx, s.wx.peer.api)
	}
	if err == nil {
		var me client.Payer
		me, err = s.wx.su.phone.Payer(ctx, client.Me)
		o.saw = me.Status.Sentence
		o.must(me.Status.State == "open", t("应为已开启", "should be open"))
	}
	s.step(t("第二个 mianmi 扮演微信支付，小满书店是它的商户；苏晴在那里开钱包，这边没有人认识她", "A second mianmi plays WeChat Pay, and the bookshop Xiaoman is its merchant; Su Qing has her wallet there, and nobody here knows her"),
		t("她在那边的免密已开启", "PIN-free is open for her there"), o, err)
	return err
}

func (s *story) wxFree(ctx context.Context) error {
	p, err := s.charge(ctx)
	o := shown(&p)
	o.must(p.State == "approved" && p.Outcome == "pin_free" && p.Channel != nil && p.Channel.Name == "wechatpay" && p.Channel.Inferred,
		t("应经微信支付免密通过，且注明未验证密码只是推断", "should pass through WeChat Pay, with no password seen as no more than inferred"))
	if err == nil {
		var there client.Payment
		there, err = s.atPeer(ctx, &p)
		o.must(there.State == "approved" && there.Outcome == "pin_free", t("那边也应免密通过", "should have passed there too"))
	}
	s.step(t("书店扫苏晴的付款码，收 ¥36.00", "The bookshop scans Su Qing's payment code for ¥36.00"), t("免密通过", "taken without a password"), o, err)
	return err
}

// wxReverse asks for a reversal, which WeChat Pay takes from the fifteenth
// second on; what came of it is told at the end.
func (s *story) wxReverse(ctx context.Context) error {
	p, err := s.wx.pos.Reverse(ctx, s.wx.list[0].ID)
	o := shown(&p)
	o.must(p.State == "undoing", t("应为正在撤销", "should be being undone"))
	s.step(t("收错了，书店撤销这一笔（微信支付要等 15 秒后才受理）", "That was a mistake: the bookshop reverses it (WeChat Pay takes a reversal after 15 seconds)"), words("undoing"), o, err)
	return err
}

func (s *story) wxOff(ctx context.Context) error {
	r, err := s.wx.office.CloseScope(ctx, client.OfMerchant(s.world.Bookshop.ID))
	o := policy(&r)
	o.must(!r.Policy.Terms.PinFree, t("应立即关闭", "should be off at once"))
	s.step(t("书店在这边关闭免密。微信支付没有办法让商户要求“这笔必须输密码”", "The bookshop closes PIN-free here. WeChat Pay lets no merchant demand a password"), t("立即生效", "in force at once"), o, err)
	return err
}

// wxQR is the same code again: it is not charged.
func (s *story) wxQR(ctx context.Context) error {
	p, err := s.charge(ctx)
	o := shown(&p)
	o.must(p.State == "step_up_required" && p.StepUp != nil && p.StepUp.QR != "", t("应改出二维码", "should be a QR code"))
	o.must(slices.ContainsFunc(p.Reasons, func(r client.Reason) bool { return r.Name == "merchant_closed" }), t("原因应为商户已关闭", "should be because of the merchant"))
	if err == nil {
		_, charged := s.atPeer(ctx, &p) // an order for a QR code is no payment yet
		o.must(problem(charged).Code == "not_found", t("付款码不应被扣款", "the code should not be charged"))
	}
	s.step(t("苏晴再出示付款码，收 ¥36.00", "Su Qing shows a payment code for ¥36.00 again"), t("不扣付款码，终端改出二维码", "the code is not charged; the terminal shows a QR code"), o, err)
	return err
}

func (s *story) wxScan(ctx context.Context) error {
	o := &outcome{}
	p := &s.wx.list[1]
	_, err := s.wx.su.phone.PayQR(ctx, strings.TrimPrefix(p.StepUp.QR, "mianmi:"), password)
	if err == nil {
		o, err = s.settles(ctx, p, "approved")
	}
	s.step(t("她扫终端上的码，在手机上输入密码", "She scans it with her phone and types the password"), t("付款成功，由通知告知", "approved; a notification tells"), o, err)
	return err
}

// wxAsks: the shop opens again, and now the payer has closed.
func (s *story) wxAsks(ctx context.Context) error {
	err := openPinFree(ctx, s.wx.office, s.approver, client.OfMerchant(s.world.Bookshop.ID))
	if err == nil {
		_, err = s.wx.su.phone.ClosePinFree(ctx, client.Me, nil)
	}
	var p client.Payment
	if err == nil {
		p, err = s.charge(ctx)
	}
	o := shown(&p)
	o.must(p.State == "verifying", t("应等待付款人", "should wait for the payer"))
	s.step(t("书店经两人复核重新开启；这次是苏晴在自己的钱包里关闭了免密，再付 ¥36.00", "Two persons open the bookshop again; now Su Qing has closed PIN-free in her own wallet, and pays ¥36.00"),
		t("微信支付答 USERPAYING：她的手机在要密码", "WeChat Pay says USERPAYING: her phone asks for the password"), o, err)
	return err
}

func (s *story) wxConfirm(ctx context.Context) error {
	there, err := s.atPeer(ctx, &s.wx.list[2])
	if err == nil {
		there, err = s.wx.su.phone.Confirm(ctx, there.ID, password)
	}
	o := shown(&there)
	o.must(there.State == "approved", t("应付款成功", "should be approved"))
	s.step(t("她输入密码。付款码支付没有通知，这边每 5 秒查询一次，结果留到最后看", "She types it. Nobody notifies of payment codes: this side asks every 5 seconds, and the end of the story tells"),
		t("微信支付一侧付款成功", "approved at WeChat Pay"), o, err)
	return err
}

func (s *story) wxPaid(ctx context.Context) error {
	o, err := s.settles(ctx, &s.wx.list[2], "approved")
	s.step(t("苏晴输入密码的那一笔怎样了？", "What became of the payment for which Su Qing typed the password?"), t("两边都已付款", "approved on both sides"), o, err)
	return err
}

func (s *story) wxReversed(ctx context.Context) error {
	o, err := s.settles(ctx, &s.wx.list[0], "reversed")
	s.step(t("撤销的那一笔怎样了？", "What became of the reversal?"), t("两边都已撤销", "reversed on both sides"), o, err)
	return err
}

// wxBooks compares what both sides say was paid, and the payer's balance.
func (s *story) wxBooks(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		var here, there int64
		for i := range s.wx.list {
			p := &s.wx.list[i]
			twin, err := s.atPeer(ctx, p)
			if err != nil {
				return err
			}
			here, there = here+paidOf(p), there+paidOf(&twin)
		}
		me, err := s.wx.su.phone.Payer(ctx, client.Me)
		if err != nil {
			return err
		}
		ours, err := s.Books(ctx)
		if err != nil {
			return err
		}
		theirs, err := s.wx.peer.Books(ctx)
		if err != nil {
			return err
		}
		o.saw = tf("书店收 %s，微信支付一侧付 %s，苏晴余额 %s；两边差错 %d 与 %d", "the bookshop has %s, WeChat Pay's side paid %s, Su Qing has %s; %d and %d faults",
			yuan(here), yuan(there), me.Balance, ours.Faults, theirs.Faults)
		o.must(here == there && here == 2*bookPrice && me.Balance.Minor() == 500_00-here && ours.Faults+theirs.Faults == 0, t("两边应一致", "both should agree"))
		return nil
	}()
	s.step(t("两个 mianmi 各自对账，再互相对", "Each checks its books, and one against the other"), t("一分不差", "they agree"), o, err)
	return err
}

// paidOf is what a payment has brought.
func paidOf(p *client.Payment) int64 {
	if p.State == "approved" {
		return p.Amount.Minor()
	}
	return 0
}
