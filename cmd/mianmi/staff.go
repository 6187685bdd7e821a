package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
)

type staffCmd struct {
	Create staffCreateCmd `cmd:"" help:"Create a member of staff on the database itself, the first two operators above all (accounts made here count as independent persons); prints the password and the one-time-password secret once." zh:"直接在数据库中创建员工账户（首先是前两位运营人员；此处创建的账户互相独立，可互相复核）；密码和动态口令密钥只显示这一次。"`
}

// staffCreateCmd works without a server and without a session: whoever has the
// database and the keys is trusted anyway. That is how the first operator
// comes to be, and the second, who approves what the first one proposes; there
// is no default login and no web page to take over first.
type staffCreateCmd struct {
	Login    string `arg:"" placeholder:"LOGIN" help:"Login name: 3 to 64 of a-z, 0-9, '.', '_', '-', '@'." zh:"登录名：3 至 64 个字符，可用 a-z、0-9、'.'、'_'、'-'、'@'。"`
	Role     string `placeholder:"ROLE" default:"operator" help:"Role: operator, support, risk, auditor, merchant_admin, store_manager or cashier." zh:"角色：operator（运营）、support（客服）、risk（风控）、auditor（审计）、merchant_admin（商户管理员）、store_manager（店长）或 cashier（收银员）。"`
	Name     string `placeholder:"NAME" help:"Name that others read; the login when empty." zh:"显示姓名；默认同登录名。"`
	Merchant string `placeholder:"ID" help:"Merchant of a merchant admin, store manager or cashier." zh:"所属商户（商户管理员、店长、收银员必填）。"`
	Store    string `placeholder:"ID" help:"Store of a store manager or cashier." zh:"所属门店（店长、收银员必填）。"`
}

// Run creates the member.
func (c *staffCreateCmd) Run(ctx context.Context, a *app) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := a.access(ctx, db)
	if err != nil {
		return err
	}
	role := mianmi.ParseRole(c.Role)
	if role == mianmi.NoRole {
		return mianmi.InvalidField("role", "there is no such role")
	}
	if c.Name == "" {
		c.Name = c.Login
	}
	e, err := s.CreateStaff(ctx, mianmi.System("command-line"), access.NewStaff{Login: c.Login, Name: c.Name, Role: role,
		Merchant: mianmi.MerchantID(c.Merchant), Store: mianmi.StoreID(c.Store)})
	if err != nil {
		return err
	}
	text := mianmi.Text{
		ZH: "账户：  %s（%s，%s）\n密码：  %s\n动态口令密钥：  %s\n动态口令链接：  %s\n以上只显示这一次，请立即交给本人并录入动态口令应用。\n",
		EN: "login      %s (%s, %s)\npassword   %s\none-time-password secret  %s\none-time-password URL     %s\nThis is shown once: hand it to the person, who adds the secret to an authenticator app.\n",
	}
	_, err = fmt.Fprintf(a.stdout, text.In(a.lang), e.Staff.Login, e.Staff.Role, e.Staff.ID, e.Password, e.TOTP, e.TOTPURL)
	return err
}
