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
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/money"
	"github.com/mianmi/mianmi/payer"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/pinfree"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/support/liability"
	"github.com/mianmi/mianmi/support/pack"
	"github.com/mianmi/mianmi/terminal"
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
	asStaff
	filesFlags
	Out       string `short:"o" placeholder:"FILE" help:"File to write; by default mianmi-NUMBER.zip here." zh:"输出文件；默认为当前目录下的 mianmi-编号.zip。"`
	Confirmed bool   `help:"The fraud has been confirmed: the proposal of who bears what reckons with it." zh:"盗刷已查实：责任建议据此计算。"`
}

// Run makes the pack and says what it is.
func (c *casePackCmd) Run(ctx context.Context, a *app) error {
	return a.onDeskWith(ctx, &c.asStaff, &c.filesFlags, func(ctx context.Context, w *deskWork) error {
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

// receiptEnding is put behind the name of a pack for the receipt of its handing out.
const receiptEnding = ".receipt.json"

// packPatience is how long somebody waits for entries to come into the log: the
// sequencer of a server takes them there within a second.
const packPatience = 15 * time.Second

// pack makes the pack, and the receipt of its handing out.
func (w *deskWork) pack(ctx context.Context, id mianmi.CaseID, confirmed bool) (p pack.Pack, handed []byte, err error) {
	a, books := w.app, deskBooks{w.db}
	log, err := a.openLog(ctx, w.db, w.keys)
	if err != nil {
		return p, nil, err
	}
	terminals, merchants := terminal.New(w.db, a.clock, a.random), merchant.New(w.db, a.clock, a.random)
	past := a.asOf(w.db, plainPayments{w.db}, terminals, merchants)
	s := pack.Service{Cases: w.desk, AsOf: past, Payments: books, Terminals: terminals, Records: w.db, Log: log,
		Liability: &liability.Service{Cases: w.desk, Payments: books, Payers: w.payers, AsOf: past, Terminals: terminals, Clock: a.clock}}
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
	if mianmi.KindOf(err) == mianmi.Invalid {
		if _, err := fmt.Fprintf(a.stdout, "%s\n  %s\n", say("✗ 证据包不成立", "✗ the proof pack does not hold").In(a.lang), err); err != nil {
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
	r, err := evidence.ParseReceipt(text)
	if err != nil {
		return nil, err
	}
	return v, v.CheckReceipt(r, trust)
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
		line("付款 %s：%s，%s，%s", "payment %s: %s, %s, %s", p.ID, receipt.When(p.At).In(l), money.Of(p.Amount.Minor, money.Currency(p.Amount.Currency)), p.Outcome)
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
