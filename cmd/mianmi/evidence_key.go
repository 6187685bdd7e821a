package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/secret"
)

type (
	evidenceKeysCmd      struct{}
	evidenceNewKeyCmd    struct{}
	evidenceChangeKeyCmd struct{}
)

// Run lists the keys that the log has had.
func (evidenceKeysCmd) Run(ctx context.Context, a *app) (err error) {
	db, log, err := a.readLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	list, err := log.Keys(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, mianmi.Text{ZH: "透明日志尚未开始", EN: "the transparency log has not begun yet"}.In(a.lang))
		return err
	}
	for i, k := range list {
		text := mianmi.Text{ZH: "曾用  ", EN: "former"}
		if i == len(list)-1 {
			text = mianmi.Text{ZH: "现用  ", EN: "now   "}
		}
		if _, err := fmt.Fprintf(a.stdout, "%s  %s  %s\n", text.In(a.lang), k.At.Format(time.RFC3339), k.Public); err != nil {
			return err
		}
	}
	return nil
}

// Run puts a seed into the keys file. Nothing signs with it yet.
func (evidenceNewKeyCmd) Run(ctx context.Context, a *app) error {
	if _, err := secret.AddLogSeed(a.shared.keysFile(), a.random); err != nil {
		return err
	}
	text := mianmi.Text{
		ZH: "已在密钥文件 %s 中加入新密钥，尚未使用。请备份该文件，复制到每个节点并逐个重启，然后运行 mianmi evidence change-key。\n",
		EN: "The keys file %s has a new key, which nothing uses yet. Back the file up, copy it to every node, restart them one by one, then run mianmi evidence change-key.\n",
	}
	_, err := fmt.Fprintf(a.stdout, text.In(a.lang), a.shared.keysFile())
	return err
}

// Run lets the key in force hand over to the newest one of the keys file.
func (evidenceChangeKeyCmd) Run(ctx context.Context, a *app) (err error) {
	db, log, err := a.readLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	k, err := log.ChangeKey(ctx, mianmi.System("command-line"), a.random)
	if err != nil {
		return err
	}
	text := mianmi.Text{
		ZH: "从大小 %d 起，日志由新密钥签名：\n%s\n请公布新公钥；持有旧公钥的人凭凭证中的交接声明即可核对。\n",
		EN: "From size %d on the log is signed by the new key:\n%s\nPublish it; whoever has the old one can follow by the statement in each receipt.\n",
	}
	_, err = fmt.Fprintf(a.stdout, text.In(a.lang), k.Size, k.Public)
	return err
}
