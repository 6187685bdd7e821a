package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/asof"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/pack"
)

// Promise implements liability.Payments.
func (b deskBooks) Promise(ctx context.Context, p *payment.Payment, in *payer.Instrument) (*pinfree.CompensationRule, error) {
	snap, err := b.db.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return payment.Promised(snap, snap.RulePacks().Rules(), p, in), nil
}

// Entries implements pack.Payments.
func (b deskBooks) Entries(ctx context.Context, _ mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error) {
	return b.db.PaymentEntries(ctx, id)
}

// Refunds implements pack.Payments.
func (b deskBooks) Refunds(ctx context.Context, _ mianmi.Actor, id mianmi.PaymentID) ([]payment.Refund, error) {
	return b.db.Refunds(ctx, id)
}

type casePackCmd struct {
	Case string `arg:"" placeholder:"CASE" help:"The case: cs…, or its number of eight letters and digits." zh:"工单：cs…，或八位编号。"`
	deskFlags
	filesFlags
	Out       string `short:"o" placeholder:"FILE" help:"File to write; by default mianmi-NUMBER.zip here." zh:"输出文件；默认为当前目录下的 mianmi-编号.zip。"`
	Confirmed bool   `help:"The fraud has been confirmed: the proposal of who bears what reckons with it." zh:"盗刷已查实：责任建议据此计算。"`
}

// Run makes the pack and says what it is.
func (c *casePackCmd) Run(ctx context.Context, a *app) error {
	return a.onDeskWith(ctx, &c.deskFlags, &c.filesFlags, func(ctx context.Context, w *deskWork) error {
		k, err := w.find(ctx, c.Case)
		if err != nil {
			return err
		}
		p, handed, err := w.pack(ctx, k.ID, c.Confirmed)
		if err != nil {
			return err
		}
		name := c.Out
		if name == "" {
			name = p.Name
		}
		if err := os.WriteFile(name, p.Zip, 0o600); err != nil { // it tells of people
			return err
		}
		if err := os.WriteFile(name+receiptEnding, handed, 0o600); err != nil {
			return err
		}
		return w.print(say("已写入 %s，%d 字节\nSHA-256 %s\n已写入 %s：导出的凭证（存证 %s），证明交出的就是这份文件\n",
			"wrote %s, %d bytes\nSHA-256 %s\nwrote %s, the receipt of the handing out (entry %s), which shows that this is the file\n",
			name, len(p.Zip), p.Digest, name+receiptEnding, p.Entry))
	})
}

// liability proposes who bears what, from what the log tells.
func (w *deskWork) liability() (*liability.Service, *asof.Service) {
	a := w.app
	past := a.asOf(w.db, plainPayments{w.db}, w.terminals, merchant.New(w.db, a.clock, a.random))
	return &liability.Service{Cases: w.desk, Payments: deskBooks{w.db}, Payers: w.payers, AsOf: past, Terminals: w.terminals, Clock: a.clock}, past
}

type caseLiabilityCmd struct {
	caseFlag
	Confirmed bool `help:"The fraud has been confirmed." zh:"盗刷已查实。"`
}

// Run tells what happened, and who is to bear what.
func (c *caseLiabilityCmd) Run(ctx context.Context, a *app) error {
	return a.onDesk(ctx, &c.deskFlags, func(ctx context.Context, w *deskWork) error {
		k, err := w.find(ctx, c.Case)
		if err != nil {
			return err
		}
		bears, _ := w.liability()
		line, err := bears.Of(ctx, w.actor, k.ID, c.Confirmed)
		if err != nil {
			return err
		}
		return w.tellLiability(ctx, &line)
	})
}

var eventWords = map[string]mianmi.Text{
	"reported":        {ZH: "付款人报告", EN: "reported"},
	"payment":         {ZH: "付款", EN: "payment"},
	"terminal_proved": {ZH: "终端证明其设置", EN: "the terminal proved its setting"},
	"payout_ordered":  {ZH: "提出赔付", EN: "compensation ordered"},
	"payout_approved": {ZH: "第二人复核通过赔付", EN: "compensation approved by a second person"},
	"payout_paid":     {ZH: "赔付完成", EN: "compensation paid"},
	"payout_refused":  {ZH: "赔付未执行", EN: "compensation refused"},
}

// tellLiability prints what happened, and who is to bear what.
func (w *deskWork) tellLiability(ctx context.Context, line *liability.Timeline) error {
	var out strings.Builder
	l := w.app.lang
	for _, e := range line.Events {
		what, own := eventWords[e.What]
		if !own { // an entry of the log
			leaf, err := w.db.Leaf(ctx, mianmi.EntryID(e.Ref))
			if err != nil {
				return err
			}
			entry, err := evidence.Decode(leaf.Bytes)
			if err != nil {
				return err
			}
			what, _ = receipt.Sentence(entry.Type, entry.Subject, entry.Actor)
		}
		fmt.Fprintf(&out, "%s  %s  %s\n", moment(e.At), what.In(l), e.Ref)
	}
	for i := range line.Findings {
		f := &line.Findings[i]
		out.WriteString(say("\n付款 %s，缺口 %s\n", "\npayment %s, missing %s\n", f.Payment, f.Open).In(l))
		for _, s := range f.Shares {
			fmt.Fprintf(&out, "  %s  %s  %s\n", s.Amount, s.Bearer.Words().In(l), s.Words.In(l))
		}
	}
	if len(line.Findings) == 0 {
		out.WriteString(say("工单没有关联付款。\n", "The case is linked to no payment.\n").In(l))
	}
	return w.print(mianmi.Text{ZH: out.String(), EN: out.String()})
}

// receiptEnding is put behind the name of a pack for the receipt of its handing out.
const receiptEnding = ".receipt.json"

// packPatience is how long somebody waits for entries to come into the log: the
// sequencer of a server takes them there within a second.
const packPatience = 15 * time.Second

// pack makes the pack, and the receipt of its handing out.
func (w *deskWork) pack(ctx context.Context, id mianmi.CaseID, confirmed bool) (p pack.Pack, handed []byte, err error) {
	log, err := w.app.openLog(ctx, w.db, w.keys)
	if err != nil {
		return p, nil, err
	}
	bears, past := w.liability()
	s := pack.Service{Cases: w.desk, Liability: bears, AsOf: past, Payments: deskBooks{w.db}, Terminals: w.terminals, Records: w.db, Log: log}
	if err := inLog(ctx, func() error { p, err = s.Make(ctx, w.actor, id, confirmed); return err }); err != nil {
		return p, nil, err
	}
	err = inLog(ctx, func() error {
		r, err := log.Receipt(ctx, p.Entry)
		if err == nil {
			handed, err = r.Text()
		}
		return err
	})
	return p, handed, err
}

// inLog does something as often as it has to wait for the log.
func inLog(ctx context.Context, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, packPatience)
	defer cancel()
	for {
		err := fn()
		if !errors.Is(err, evidence.ErrNotYet) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type packCmd struct {
	Verify packVerifyCmd `cmd:"" help:"Verify a proof pack offline, without database or server; exit status 1 when anything does not fit." zh:"离线核对证据包，不需要数据库或服务器；有任何不符时退出码为 1。"`
}

type packVerifyCmd struct {
	File    string `arg:"" placeholder:"FILE" help:"The pack, a ZIP file." zh:"证据包（ZIP 文件）。"`
	Receipt string `placeholder:"FILE" help:"Receipt of its handing out: shows that this very file was handed out." zh:"导出该证据包的凭证：证明当初交出的就是这份文件。"`
	trustFlags
}

// Run verifies and tells what was proved.
func (c *packVerifyCmd) Run(_ context.Context, a *app) error {
	trust, err := c.trust()
	if err != nil {
		return err
	}
	v, err := c.verify(trust)
	if f := (*pack.Fault)(nil); errors.As(err, &f) {
		if _, err := fmt.Fprintf(a.stdout, "%s\n  %s%s%s\n", say("✗ 证据包不成立", "✗ the proof pack does not hold").In(a.lang), f.File, say("：", ": ").In(a.lang), f.Words.In(a.lang)); err != nil {
			return err
		}
		return errFound
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, c.describe(v, a.lang))
	return err
}

func (c *packVerifyCmd) verify(trust evidence.Trust) (*pack.Verified, error) {
	info, err := os.Stat(c.File)
	if err != nil {
		return nil, err
	}
	if info.Size() > pack.SizeMax {
		return nil, mianmi.InvalidField("pack", fmt.Sprintf("has %d bytes; at most %d", info.Size(), int64(pack.SizeMax)))
	}
	content, err := os.ReadFile(c.File)
	if err != nil {
		return nil, err
	}
	v, err := pack.Verify(content, trust)
	if err != nil || c.Receipt == "" {
		return v, err
	}
	text, err := os.ReadFile(c.Receipt)
	if err != nil {
		return nil, err
	}
	return v, v.CheckReceipt(text, trust)
}

func (c *packVerifyCmd) describe(v *pack.Verified, l mianmi.Lang) string {
	var out strings.Builder
	line := func(zh, en string, figures ...any) { out.WriteString(say(zh, en, figures...).In(l) + "\n") }
	line("✓ 证据包成立", "✓ the proof pack holds")
	out.WriteString("\n")
	line("工单 %s（%s）", "case %s (%s)", v.Manifest.Number, v.Manifest.Case)
	line("文件 %d 个，凭证 %d 份，全部相符", "%d files and %d receipts, all of which fit", len(v.Manifest.Files), v.Receipts)
	line("日志 %s，检查点共 %d 条，见证联署 %d 份", "log %s, %d entries under the checkpoint, %d cosignatures", v.Manifest.Log, v.Manifest.LogSize, len(v.Cosigned))
	line("SHA-256 %s", "SHA-256 %s", v.Digest)
	for _, p := range v.Payments {
		line("付款 %s：%s，%s，%s", "payment %s: %s, %s, %s", p.ID, receipt.When(p.At).In(l), money.Of(p.Amount.Minor, money.Currency(p.Amount.Currency)), p.OutcomeWords().In(l))
	}
	out.WriteString("\n")
	if c.Receipt != "" {
		line("凭证证明：当初交出的就是这份文件。", "The receipt shows that this very file was handed out.")
	}
	if v.Believed {
		line("签名公钥与您给出的日志公钥相符，或由其依次交接而来。", "The signing key is one that you gave, or one that it handed over to.")
	} else {
		line("注意：没有给出日志公钥。这证明文件完整且彼此相符，但不证明由谁出具：请用 --key 给出对方公布的公钥再核对一次。",
			"Note: no key of the log was given. That proves that the file is whole and fits itself, but not who made it: give the published key with --key.")
	}
	line("摘要、留言和附件由出具方保存，其内容未经日志证明，只由文件清单的摘要固定。", "Summary, messages and attachments are the issuer's: the digests in the list fix them, the log does not prove what they say.")
	return out.String()
}
