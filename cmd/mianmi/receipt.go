package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/api/client"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/receipt"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
)

type receiptCmd struct {
	Get    receiptGetCmd    `cmd:"" help:"Fetch the receipt of an entry or a payment, from the database or over the API." zh:"取得一条存证或一笔付款的凭证，直接读数据库或通过 API。"`
	Verify receiptVerifyCmd `cmd:"" help:"Verify a receipt offline, without database or server; exit status 1 when anything does not fit." zh:"离线核对凭证，不需要数据库或服务器；有任何不符时退出码为 1。"`
}

type receiptGetCmd struct {
	ID        string `arg:"" placeholder:"ID" help:"Entry (en…) or payment (pm…)." zh:"存证编号（en…）或付款编号（pm…）。"`
	Out       string `placeholder:"FILE" default:"-" help:"File to write; - is standard output. With a name that ends with .pdf it is one page of paper, with the receipt attached." zh:"输出文件；- 表示标准输出。以 .pdf 结尾则输出一页可打印的凭证，内附凭证文件。"`
	PublicURL string `name:"public-url" placeholder:"URL" help:"Address at which people reach the server, for the QR code on paper." zh:"供人访问的服务器地址，用于纸面二维码。"`
	Server    string `placeholder:"URL" help:"Ask this server instead of the database." zh:"改为向这台服务器索取，而不读数据库。"`
	Bearer    string `placeholder:"TOKEN" help:"Session token or API key for server; better given in the environment." zh:"访问服务器用的会话令牌或接口密钥；宜通过环境变量给出。"`
}

// Run fetches and writes.
func (c *receiptGetCmd) Run(ctx context.Context, a *app) error {
	text, err := c.fetch(ctx, a)
	if err != nil {
		return err
	}
	if c.Out == "-" {
		_, err = a.stdout.Write(text)
		return err
	}
	return os.WriteFile(c.Out, text, 0o600) // it names people's identifiers
}

func (c *receiptGetCmd) fetch(ctx context.Context, a *app) ([]byte, error) {
	if c.Server != "" {
		api, err := client.New(c.Server, client.Options{Lang: a.lang})
		if err != nil {
			return nil, err
		}
		if c.paper() {
			return api.As(c.Bearer).ReceiptPDF(ctx, c.ID)
		}
		return api.As(c.Bearer).Receipt(ctx, c.ID)
	}
	db, log, err := a.readLog(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := secret.Load(a.shared.keysFile())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := receipt.Service{Log: log, Payments: books{db}, Keys: keys, PublicURL: c.PublicURL}
	r, err := s.Receipt(ctx, mianmi.System("command-line"), c.ID)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	if !c.paper() {
		return r.Text()
	}
	if c.PublicURL == "" {
		return nil, mianmi.InvalidField("public_url", "is what the QR code on paper leads to: name the address of the server")
	}
	return s.Paper(r, c.ID, "")
}

// paper reports whether a page is wanted.
func (c *receiptGetCmd) paper() bool { return strings.HasSuffix(c.Out, ".pdf") }

// books finds payments for whoever has the database itself.
type books struct{ db *store.DB }

// Entries implements receipt.Payments.
func (b books) Entries(ctx context.Context, _ mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error) {
	return b.db.PaymentEntries(ctx, id)
}

type receiptVerifyCmd struct {
	File string `arg:"" placeholder:"FILE" help:"Receipt; - is standard input." zh:"凭证文件；- 表示标准输入。"`
	trustFlags
}

// trustFlags are whom somebody believes who verifies.
type trustFlags struct {
	Key        []string `placeholder:"KEY,…" help:"Verifier key of the log that you trust, of today or a former one; without it the file's own is used, which does not prove who issued it." zh:"您信任的日志公钥（现用或曾用均可）；不给出则用文件自带的公钥，这不能证明由谁出具。"`
	WitnessKey []string `placeholder:"KEY,…" help:"Verifier keys of witnesses that you trust." zh:"您信任的见证人公钥。"`
	Witnesses  int      `placeholder:"N" default:"-1" help:"How many of those witnesses must have cosigned; -1 is all of them." zh:"其中至少须有几位见证人联署；-1 表示全部。"`
}

// Run verifies and says in words what was proved.
func (c *receiptVerifyCmd) Run(_ context.Context, a *app) error {
	trust, err := c.trust()
	if err != nil {
		return err
	}
	text, err := readReceipt(a, c.File)
	if err != nil {
		return err
	}
	r, p, err := verify(text, trust)
	if err != nil {
		bad := mianmi.Text{ZH: "✗ 凭证不成立", EN: "✗ the receipt does not hold"}
		if _, err := fmt.Fprintf(a.stdout, "%s\n  %s\n", bad.In(a.lang), receipt.Fault(err).In(a.lang)); err != nil {
			return err
		}
		return errFound
	}
	_, err = io.WriteString(a.stdout, describe(r, p, a.lang))
	return err
}

func (c *trustFlags) trust() (t evidence.Trust, err error) {
	for _, k := range c.Key {
		v, err := evidence.ParseKey(k)
		if err != nil {
			return t, err
		}
		t.Log = append(t.Log, v)
	}
	for _, k := range c.WitnessKey {
		w, err := evidence.ParseWitness(k)
		if err != nil {
			return t, err
		}
		t.Witnesses = append(t.Witnesses, w)
	}
	t.Quorum = c.Witnesses
	if c.Witnesses < 0 {
		t.Quorum = len(t.Witnesses)
	}
	if t.Quorum > len(t.Witnesses) {
		return t, mianmi.InvalidField("witnesses", "is more than the keys of witnesses that were given")
	}
	return t, nil
}

func readReceipt(a *app, file string) ([]byte, error) {
	from := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		from = f
	}
	return io.ReadAll(io.LimitReader(from, keptBytesMax))
}

func verify(text []byte, t evidence.Trust) (*evidence.Receipt, evidence.Proved, error) {
	r, err := evidence.ParseReceipt(text)
	if err != nil {
		return nil, evidence.Proved{}, err
	}
	p, err := r.Verify(t)
	return r, p, err
}

// describe says what was proved.
func describe(r *evidence.Receipt, p evidence.Proved, lang mianmi.Lang) string {
	var b strings.Builder
	told := receipt.Tell(p)
	good := mianmi.Text{ZH: "✓ 凭证成立", EN: "✓ the receipt holds"}
	fmt.Fprintf(&b, "%s\n\n%s\n%s\n\n", good.In(lang), receipt.When(told.At).In(lang), told.Sentence.In(lang))
	for _, list := range [][]receipt.Fact{told.Facts, receipt.Proof(r, p)} {
		for _, f := range list {
			fmt.Fprintf(&b, "  %s%s%s\n", f.Label.In(lang), mianmi.Text{ZH: "：", EN: ": "}.In(lang), f.Value.In(lang))
		}
		b.WriteByte('\n')
	}
	for _, t := range []mianmi.Text{receipt.Trusted(p), receipt.Proves, receipt.ProvesNot} {
		fmt.Fprintln(&b, t.In(lang))
	}
	return b.String()
}
