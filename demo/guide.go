package demo

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mianmi/mianmi"
)

// EnvFile is the name of the file with the world's addresses and tokens, for
// a shell to read.
const EnvFile = "env.sh"

// WriteEnv writes the file and returns its path. The tokens open this example
// world alone.
func (d *Demo) WriteEnv() (string, error) {
	coffee := &d.world.Merchants[0]
	store := &coffee.Stores[0]
	var b strings.Builder
	b.WriteString("# Addresses and tokens of the example world. They open nothing else.\n")
	for _, v := range [][2]string{
		{"MIANMI_URL", d.URL},
		{"PAYER_ID", string(d.guest.ID)}, {"PAYER_TOKEN", d.guest.token}, {"PAYER_PHONE", d.guest.Phone}, {"PAYER_PASSWORD", password},
		{"MERCHANT_ID", string(coffee.ID)}, {"STORE_ID", string(store.ID)}, {"TERMINAL_ID", string(store.Terminals[0].ID)},
		{"TILL_ID", string(coffee.Spare.ID)}, {"TERMINALS_URL", d.Host},
		{"POS_KEY", coffee.POS}, {"OFFICE_KEY", coffee.Office}, {"WALLET_KEY", d.world.WalletKey},
		{"OPERATOR_TOKEN", d.session}, {"RISK_VERSION", d.texts.Risk.Version},
	} {
		fmt.Fprintf(&b, "export %s='%s'\n", v[0], v[1])
	}
	path := filepath.Join(d.Dir, EnvFile)
	return path, replaceFile(path, []byte(b.String()))
}

// Guide says what can be opened and tried.
func (d *Demo) Guide(env string) {
	say := func(zh, en string) { d.say(mianmi.Text{ZH: zh, EN: en}) }
	say("\n服务保持运行，可以自己试一试（在另一个终端，当前目录下）：\n", "\nThe server stays up. Try it yourself, from this folder in another terminal:\n")
	name := d.guest.name.In(d.Lang)
	asPayer := `-H "Authorization: Bearer $PAYER_TOKEN"`
	asPOS := `-H "Authorization: Bearer $POS_KEY" -H 'Content-Type: application/json'`
	commands := []struct {
		zh, en string
		text   string
	}{
		{"读入地址和令牌（仅用于本演示）", "addresses and tokens (of this demo alone)", ". " + env},
		{name + "的免密状态", name + ": PIN-free or not", `curl -s -w '\n' $MIANMI_URL/v1/payers/me ` + asPayer},
		{"一步关闭免密", "close it, in one step", `curl -s -w '\n' -X POST $MIANMI_URL/v1/payers/me/pin-free/close ` + asPayer},
		{"出示付款码，收银台收 ¥18.00：看 state 和 reasons", "a payment code, and ¥18.00 at the till: look at state and reasons",
			"CODE=$(curl -s -X POST $MIANMI_URL/v1/payers/me/codes " + asPayer + ` | sed 's/.*"code":"\([0-9]*\)".*/\1/')` + "\n" +
				`curl -s -w '\n' $MIANMI_URL/v1/payments ` + asPOS + ` -d '{"terminal":"'$TERMINAL_ID'","order_no":"curl'$((N=N+1))'-at-'$(date +%s)'","amount":{"minor":1800,"currency":"CNY"},"method":"payment_code","code":"'$CODE'","entry":"scanned"}'`},
		{"等待密码的付款", "payments that wait for the password", `curl -s -w '\n' $MIANMI_URL/v1/payers/me/step-ups ` + asPayer},
		{"最近的付款，每笔都说明原因", "latest payments, each with its reasons", `curl -s -w '\n' "$MIANMI_URL/v1/payers/me/payments?limit=3" ` + asPayer},
	}
	for _, c := range commands {
		say("  # "+c.zh, "  # "+c.en)
		for line := range strings.SplitSeq(c.text, "\n") {
			_, _ = fmt.Fprintln(d.out, "  "+line)
		}
	}
	say("\n"+name+"的手机（在浏览器中打开；手机号 "+d.guest.Phone+"，支付密码 "+password+"）：\n  "+d.URL+"/my/",
		"\n"+name+"'s phone, for a browser (phone number "+d.guest.Phone+", password "+password+"):\n  "+d.URL+"/my/")
	if len(d.tills) > 0 {
		say("\n终端的屏幕（在浏览器中打开；操作员密码 "+operatorPassword+"）：", "\nThe terminals' screens, for a browser (operator password "+operatorPassword+"):")
		for i := range d.tills {
			_, _ = fmt.Fprintf(d.out, "  %s  %s\n", d.tills[i].Screen(), d.tills[i].at.Name)
		}
	}
	say("\n扮演微信支付的 mianmi："+d.WeChat.URL, "\nThe mianmi that plays WeChat Pay is at "+d.WeChat.URL)
	say("\n接口文档："+d.URL+"/openapi.json\n停止：Ctrl-C", "\nThe API is described at "+d.URL+"/openapi.json\nStop it with Ctrl-C.")
}
