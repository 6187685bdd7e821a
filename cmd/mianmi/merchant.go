package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

type merchantCmd struct {
	WechatCredentials wechatCredentialsCmd `cmd:"" help:"WeChat Pay credentials of a merchant, for software written for WeChat Pay's APIv3: make them, show them, add or revoke a serial, replace the APIv3 key. Works on the database itself." zh:"商户的微信支付兼容凭据，供按微信支付 APIv3 编写的软件使用：开通、查看、增加或吊销证书序列号、更换 APIv3 密钥。直接操作数据库。"`
}

type wechatCredentialsCmd struct {
	Merchant  string `arg:"" placeholder:"ID" help:"The merchant." zh:"商户。"`
	Terminal  string `placeholder:"ID" help:"Terminal of requests whose device_id names none of the merchant's; needed to make credentials, changes it later." zh:"device_id 未指明本商户终端时使用的终端；开通时必填，以后用于修改。"`
	PublicKey string `placeholder:"FILE" help:"The merchant's own RSA key (PEM: public key or certificate request) for a new serial; by default a pair is made." zh:"新序列号使用商户自己的 RSA 公钥（PEM：公钥或证书请求）；默认生成一对密钥。"`
	AddSerial bool   `help:"Add a serial beside those that there are." zh:"在现有序列号之外再增加一个。"`
	NewKey    bool   `help:"Replace the APIv3 key at once." zh:"立即更换 APIv3 密钥。"`
	Revoke    string `placeholder:"SERIAL" help:"Revoke this serial." zh:"吊销这个序列号。"`
	Out       string `placeholder:"DIR" help:"Folder for apiclient_key.pem, apiclient_cert.pem, pub_key.pem and wechatpay_cert.pem; by default they are printed." zh:"存放 apiclient_key.pem、apiclient_cert.pem、pub_key.pem 和 wechatpay_cert.pem 的目录；默认直接打印。"`
}

// Run works without a server and without a session, as mianmi staff create does.
func (c *wechatCredentialsCmd) Run(ctx context.Context, a *app) error {
	if err := folder(c.Out); err != nil {
		return err
	}
	return a.onWechat(ctx, func(s *wechat.Service) error {
		made, err := c.change(ctx, s)
		if err != nil {
			return err
		}
		return c.tell(ctx, a, s, made)
	})
}

// change does what the flags ask for, one thing at a time.
func (c *wechatCredentialsCmd) change(ctx context.Context, s *wechat.Service) (made wechat.Made, err error) {
	actor, m := mianmi.System("command-line"), mianmi.MerchantID(c.Merchant)
	var public []byte
	if c.PublicKey != "" {
		if public, err = os.ReadFile(c.PublicKey); err != nil {
			return made, fmt.Errorf("--public-key: %w", err)
		}
	}
	_, _, err = s.Identity(ctx, actor, m)
	switch {
	case errors.Is(err, mianmi.NotFound) && (c.AddSerial || c.NewKey || c.Revoke != "" || c.Terminal == ""):
		return made, fmt.Errorf("merchant %s has no WeChat Pay credentials: make them with --terminal", m)
	case errors.Is(err, mianmi.NotFound):
		return s.Create(ctx, actor, m, mianmi.TerminalID(c.Terminal), public)
	case err != nil:
		return made, err
	case c.AddSerial:
		return s.AddSerial(ctx, actor, m, public)
	case c.NewKey:
		return s.NewAPIKey(ctx, actor, m)
	case c.Revoke != "":
		return made, s.RevokeSerial(ctx, actor, m, c.Revoke)
	case c.Terminal != "":
		made.Identity, err = s.SetTerminal(ctx, actor, m, mianmi.TerminalID(c.Terminal))
	}
	return made, err
}

// tell prints what is there now, with what is shown once.
func (c *wechatCredentialsCmd) tell(ctx context.Context, a *app, s *wechat.Service, made wechat.Made) error {
	i, list, err := s.Identity(ctx, mianmi.System("command-line"), mianmi.MerchantID(c.Merchant))
	if err != nil {
		return err
	}
	p, err := s.Platform(ctx)
	if err != nil {
		return err
	}
	var out strings.Builder
	line := func(zh, en, value string) {
		_, _ = fmt.Fprintf(&out, "%-28s %s\n", mianmi.Text{ZH: zh, EN: en}.In(a.lang), value)
	}
	line("商户号 mchid", "mchid", i.MchID)
	line("appid", "appid", i.AppID)
	line("默认终端", "default terminal", string(i.Terminal))
	line("微信支付公钥 ID", "platform public key id", p.KeyID)
	line("平台证书序列号", "platform certificate serial", p.Serial)
	for _, one := range list {
		if one.RevokedAt.IsZero() {
			mark := ""
			if c.AddSerial && one.Serial == made.Serial.Serial {
				mark = mianmi.Text{ZH: "  新", EN: "  new"}.In(a.lang)
			}
			line("商户证书序列号", "merchant serial", one.Serial+mark)
		} else {
			line("已吊销的序列号", "revoked serial", one.Serial+"  "+one.RevokedAt.Format(time.RFC3339))
		}
	}
	if made.APIKey != "" {
		line("APIv3 密钥", "APIv3 key", made.APIKey)
	}
	files := []struct {
		name string
		text []byte
	}{{"apiclient_key.pem", made.Private}, {"apiclient_cert.pem", made.Cert}, {"pub_key.pem", p.PublicPEM}, {"wechatpay_cert.pem", p.CertPEM}}
	for _, f := range files {
		if len(f.text) == 0 {
			continue
		}
		if c.Out == "" {
			_, _ = fmt.Fprintf(&out, "\n%s\n%s", f.name, f.text)
			continue
		}
		at := filepath.Join(c.Out, f.name)
		if err := writeNew(at, f.text); err != nil {
			// What is shown once must not be lost with it.
			_, _ = fmt.Fprintf(&out, "\n%s\n%s", f.name, f.text)
			_, _ = fmt.Fprintf(a.stderr, "mianmi merchant wechat-credentials: %v\n", err)
			continue
		}
		line("文件", "file", at)
	}
	if made.APIKey != "" || len(made.Private) > 0 {
		out.WriteString(mianmi.Text{ZH: "\nAPIv3 密钥和私钥只显示这一次，请妥善保存。\n", EN: "\nThe APIv3 key and the private key are shown this once: keep them safe.\n"}.In(a.lang))
	}
	_, err = fmt.Fprint(a.stdout, out.String())
	return err
}

// folder makes the folder that --out names, for its owner alone, before anything is
// changed: what is shown once has to have a place. Empty: there is none to make.
func folder(name string) error {
	if name == "" {
		return nil
	}
	if err := os.MkdirAll(name, 0o700); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// writeNew writes a file that nobody else may read, and never over another;
// one that holds the same already is as good.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrExist) {
		if have, rerr := os.ReadFile(name); rerr == nil && string(have) == string(text) { //nolint:gosec // as above
			return nil
		}
		return fmt.Errorf("%s is there already and was left as it is", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
