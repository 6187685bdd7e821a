package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/wechat"
)

type wechatCmd struct {
	Keys   wechatKeysCmd   `cmd:"" help:"Show the keys that answers and notifications are signed with." zh:"查看应答和通知的签名密钥。"`
	Rotate wechatRotateCmd `cmd:"" help:"Make a new one, which signs later. Running servers know of it within ten seconds." zh:"新建密钥，到时启用。运行中的服务 10 秒内得知。"`
	Revoke wechatRevokeCmd `cmd:"" help:"Revoke one that another has followed." zh:"吊销已有接替的密钥。"`
}

type wechatKeysCmd struct {
	Out string `placeholder:"DIR" help:"Folder for the public key and the certificate of each; by default nothing is written." zh:"存放各公钥和证书的目录；默认不写文件。"`
}

type wechatRotateCmd struct {
	SignsIn time.Duration `placeholder:"TIME" default:"72h" help:"When the new key begins to sign: long enough for software to get it. Software that names its key in Wechatpay-Serial is answered with that until it is revoked." zh:"新密钥多久后开始签名：要留出软件取得新密钥的时间。用 Wechatpay-Serial 指明密钥的软件，在该密钥吊销之前仍按它应答。"`
	Out     string        `placeholder:"DIR" help:"Folder for the public key and the certificate of each; by default nothing is written." zh:"存放各公钥和证书的目录；默认不写文件。"`
}

type wechatRevokeCmd struct {
	Key string `arg:"" placeholder:"ID" help:"Its number, PUB_KEY_ID_…." zh:"公钥 ID，PUB_KEY_ID_…。"`
}

// Run shows the keys.
func (c *wechatKeysCmd) Run(ctx context.Context, a *app) error {
	if err := folder(c.Out); err != nil {
		return err
	}
	return a.onWechat(ctx, func(s *wechat.Service) error { return a.tellPlatforms(ctx, s, c.Out) })
}

// Run makes a key, and shows all.
func (c *wechatRotateCmd) Run(ctx context.Context, a *app) error {
	if err := folder(c.Out); err != nil {
		return err
	}
	return a.onWechat(ctx, func(s *wechat.Service) error {
		if _, err := s.Rotate(ctx, commandLine, c.SignsIn); err != nil {
			return err
		}
		return a.tellPlatforms(ctx, s, c.Out)
	})
}

// Run revokes a key, and shows those that are left.
func (c *wechatRevokeCmd) Run(ctx context.Context, a *app) error {
	return a.onWechat(ctx, func(s *wechat.Service) error {
		if err := s.RevokePlatform(ctx, commandLine, c.Key); err != nil {
			return err
		}
		return a.tellPlatforms(ctx, s, "")
	})
}

// onWechat works on the database itself, without a server and without a
// session, as mianmi staff create does.
func (a *app) onWechat(ctx context.Context, do func(*wechat.Service) error) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	acc, err := a.access(ctx, db)
	if err != nil {
		return err
	}
	s, err := wechat.New(wechat.Parts{Store: db, Access: acc, Keys: acc.Keys, Guard: notice.NewGuard(nil), Clock: a.clock, Random: a.random}, wechat.Config{})
	if err != nil {
		return err
	}
	return do(s)
}

// tellPlatforms prints the keys, oldest first, and writes their public parts.
func (a *app) tellPlatforms(ctx context.Context, s *wechat.Service, dir string) error {
	keys, err := s.Platforms(ctx)
	if err != nil {
		return err
	}
	now, err := s.Platform(ctx)
	if err != nil {
		return err
	}
	var out strings.Builder
	line := func(zh, en, value string) {
		_, _ = fmt.Fprintf(&out, "%-28s %s\n", mianmi.Text{ZH: zh, EN: en}.In(a.lang), value)
	}
	for _, k := range keys {
		state := mianmi.Text{ZH: "旧，尚未吊销", EN: "former, not revoked"}
		switch at := k.SignsAt.Format(time.RFC3339); {
		case k.KeyID == now.KeyID:
			state = mianmi.Text{ZH: "正在签名", EN: "signs"}
		case k.SignsAt.After(now.SignsAt):
			state = mianmi.Text{ZH: "自 " + at + " 起签名", EN: "signs from " + at}
		}
		line("微信支付公钥 ID", "platform public key id", k.KeyID+"  "+state.In(a.lang))
		line("平台证书序列号", "platform certificate serial", k.Serial)
		if dir == "" {
			continue
		}
		public, cert := filepath.Join(dir, k.KeyID+".pem"), filepath.Join(dir, k.Serial+".pem")
		if err := errors.Join(writeNew(public, k.PublicPEM), writeNew(cert, k.CertPEM)); err != nil {
			return err
		}
		line("文件", "files", public+"  "+cert)
	}
	_, err = fmt.Fprint(a.stdout, out.String())
	return err
}
