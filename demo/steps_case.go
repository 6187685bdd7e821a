package demo

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/support/pack"
)

// Five: that was not me.

// lookBack is how far before a report payments are looked for.
const lookBack = 72 * time.Hour

// dispute finds the payment that the finder of the phone made, as support does, and
// opens a case about it. Lin's first payment has to stand in for it.
func (s *story) dispute(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		now := s.Clock.Now()
		found, err := s.operator.FindPayments(ctx, client.Find{Payer: s.lin.ID, Since: now.Add(-lookBack), Until: now.Add(time.Minute), Min: price, Max: price, Outcome: "pin_free"})
		if err != nil {
			return err
		}
		there := false
		for i := range found.Items {
			there = there || found.Items[i].ID == s.stolen.ID
		}
		o.must(there, t("应找到那笔付款", "the payment should be found"))
		if s.theft, err = s.operator.OpenCase(ctx, client.NewCase{Kind: "fraud", Payer: s.lin.ID, Text: "来电：手机丢失期间的这笔付款不是本人所付",
			Links: []client.CaseLink{{Kind: "payment", Ref: string(s.stolen.ID)}}}); err != nil {
			return err
		}
		o.saw = tf("72 小时内找到 %d 笔免密付款；工单 %s", "PIN-free payments in 72 hours: %d; case %s", len(found.Items), s.theft.Number)
		bears, err := s.liability(ctx)
		if err != nil {
			return err
		}
		for _, f := range bears.Findings {
			for _, share := range f.Shares {
				o.quotes = append(o.quotes, mianmi.Text{ZH: share.Amount.String() + "：" + share.Words.ZH, EN: share.Amount.String() + ": " + share.Words.EN})
			}
		}
		o.must(len(bears.Findings) == 1, t("应对这笔付款给出责任建议", "there should be a proposal for this payment"))
		return nil
	}()
	s.step(t("林晓雨：“手机丢了以后有人用它买了咖啡。”客服按时间、金额找到那笔付款并立案", "Lin Xiaoyu: somebody bought coffee with my phone. Support finds the payment by time and amount, and opens a case"),
		t("找到付款，系统依据记录建议由谁承担", "found, and a proposal of who bears it from what was recorded"), o, err)
	return err
}

// liability asks for the proposal, which waits for the log.
func (s *story) liability(ctx context.Context) (out client.Liability, err error) {
	err = s.inLog(ctx, func() error { out, err = s.operator.Liability(ctx, s.theft.ID, false); return err })
	return out, err
}

// inLog does something again while its entries are on their way into the log.
func (s *story) inLog(ctx context.Context, fn func() error) error {
	for range receiptTries {
		err := fn()
		if client.Code(err) != "receipt_not_ready" {
			return err
		}
		if err := s.until(ctx, s.Clock.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
	}
	return fn()
}

// moneyBack decides the case and pays from the guarantee account.
func (s *story) moneyBack(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		c, err := s.operator.MoveCase(ctx, s.theft.ID, client.CaseMove{To: "in_progress", Version: s.theft.Version})
		if err != nil {
			return err
		}
		c, err = s.operator.DecideCase(ctx, c.ID, client.CaseDecision{Verdict: "upheld", Award: new(yuan(price)), Text: "手机丢失期间的付款，全额赔付", Version: c.Version})
		if err != nil {
			return err
		}
		if _, err := s.operator.FundGuarantee(ctx, s.run+"-G1", yuan(1000_00)); err != nil {
			return err
		}
		ask := client.NewPayout{Key: "p1", Payment: s.stolen.ID, Amount: yuan(price), From: "guarantee", Basis: "fault"}
		p, err := s.operator.OrderPayout(ctx, c.ID, ask)
		if err != nil {
			return err
		}
		s.balance += price
		again, err := s.operator.OrderPayout(ctx, c.ID, ask)
		if err != nil {
			return err
		}
		o.must(p.State == "paid" && again.ID == p.ID, t("应已赔付，且只赔一次", "should be paid, and once"))
		ask.Key = "p2"
		_, err = s.operator.OrderPayout(ctx, c.ID, ask)
		o.must(problem(err).Status == 409, tf("再赔一次应被拒绝，实为 %v", "a second time should be refused, it is %v", err))
		me, err := s.lin.phone.Payer(ctx, client.Me)
		if err != nil {
			return err
		}
		o.saw = t("余额 "+me.Balance.String(), "balance "+me.Balance.String())
		o.must(me.Balance.Minor() == s.balance, t("¥18.00 应已到账", "¥18.00 should be on the balance"))
		return nil
	}()
	s.step(t("客服查实后作出决定，从赔付准备金账户付出 ¥18.00（请求发了两次，又换编号试了一次）", "Support decides and pays ¥18.00 from the guarantee account: sent twice, and once more under another key"),
		t("只赔一次，当场到账", "paid once, at once"), o, err)
	return err
}

// proofPack makes the pack of the case and verifies it as a bank would.
func (s *story) proofPack(ctx context.Context) error {
	o := &outcome{}
	err := func() error {
		var made client.CasePack
		err := s.inLog(ctx, func() (err error) { made, err = s.operator.PackCase(ctx, s.theft.ID, false); return err })
		if err != nil {
			return err
		}
		trust, err := s.logTrust(ctx)
		if err != nil {
			return err
		}
		v, err := pack.Verify(made.Zip, trust)
		if err != nil {
			return err
		}
		o.saw = tf("%d KiB，文件 %d 个，凭证 %d 份，全部相符", "%d KiB, %d files, %d receipts, all of which fit", len(made.Zip)>>10, len(v.Manifest.Files), v.Receipts)
		o.must(v.Believed && len(v.Payments) == 1 && v.Payments[0].ID == string(s.stolen.ID), t("应证明这笔付款", "should prove this payment"))
		_, err = pack.Verify(made.Zip[:len(made.Zip)-1], evidence.Trust{})
		o.must(err != nil, t("少一个字节应被识破", "one byte less should be found out"))
		return nil
	}()
	s.step(t("银行索要材料：导出证据包，不连服务器，用日志公钥核对", "The bank asks for proof: the pack of the case is made, and verified with the log's public key, offline"),
		t("一个文件，逐项有凭证", "one file, with a receipt for each fact"), o, err)
	return err
}
