package main

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi/channel/wechatpay"
)

// examineWeChatPay checks each connection with WeChat Pay's own test of
// signatures.
func (a *app) examineWeChatPay(ctx context.Context, file string) []finding {
	const check = "wechatpay.config"
	ch, err := a.wechatPay(ctx, file)
	if err != nil {
		return []finding{but(fail, check, "微信支付连接配置有误：%v", "the connections to WeChat Pay are wrong: %v", err).
			then("按 docs/wechatpay.zh-CN.md 修改该字段", "correct this field as docs/wechatpay.md says")}
	}
	if ch == nil {
		return nil
	}
	names := ch.Names()
	findings := []finding{good(check, "微信支付连接配置完好，共 %d 个", "the connections to WeChat Pay can be read: %d", len(names))}
	for _, name := range names {
		p := ch.Probe(ctx, name)
		findings = append(findings, checkWeChatPay(p)...)
		if p.Echoed {
			findings = append(findings, checkComplaints(ctx, ch, name))
			key, fault := ch.ProbeV2(ctx, name)
			findings = append(findings, checkKeyV2("wechatpay."+name+".v2_key", key, fault)...)
		}
	}
	return findings
}

// Bounds of the distance between our clock and WeChat Pay's, which takes
// nothing that is five minutes off.
const (
	wechatClockWarn = time.Minute
	wechatClockFail = 5 * time.Minute
)

// checkWeChatPay judges what the check of one connection found.
func checkWeChatPay(p wechatpay.Probe) []finding {
	check := "wechatpay." + p.Name + "."
	if !p.Secure || p.Status == 0 {
		return []finding{checkWeChatReach(check+"reach", p)}
	}
	findings := []finding{good(check+"reach", "已连上 %s", "%s answers", p.Host)}
	if p.ApartSure {
		findings = append(findings, checkWeChatClock(check+"clock", p.Apart))
	}
	return append(findings, checkWeChatSignature(check+"signature", p))
}

func checkWeChatReach(check string, p wechatpay.Probe) finding {
	switch {
	case !p.Resolved:
		return but(fail, check, "域名 %s 无法解析", "the name %s cannot be resolved", p.Host).
			then("检查 DNS 与 base_url", "check DNS and base_url")
	case !p.Connected:
		return but(fail, check, "连不上 %s", "%s cannot be connected to", p.Host).
			then("检查防火墙、代理（proxy）与 base_url", "check the firewall, the proxy and base_url")
	case !p.Secure:
		return but(fail, check, "%s 的 TLS 证书不可信或与域名不符", "the TLS certificate of %s is not trusted, or not for this name", p.Host).
			then("不要绕过：可能有人在中间。检查 DNS、代理；自建服务请设置 ca_file", "do not work around it: somebody may stand between. Check DNS and proxy; for a server of your own set ca_file")
	}
	return but(fail, check, "%s 没有应答：%s", "%s does not answer: %s", p.Host, p.Fault).
		then("稍后再试；使用平台证书的连接请确认商户号仍有平台证书，2024 年 10 月后的商户号请改用 public_key",
			"try again later; where platform certificates are used, make sure that the account still has them, for accounts from October 2024 on have public_key alone")
}

func checkWeChatClock(check string, apart time.Duration) finding {
	switch far := apart.Abs(); {
	case far >= wechatClockFail:
		return but(fail, check, "本机时钟与微信支付相差 %v，所有请求都会被拒绝", "this machine's clock and WeChat Pay's are %v apart, and every request is refused", apart).
			then("启用 NTP 校时", "keep the clock by NTP")
	case far >= wechatClockWarn:
		return but(warn, check, "本机时钟与微信支付相差 %v，超过 5 分钟即无法收款", "this machine's clock and WeChat Pay's are %v apart; at five minutes nothing works", apart).
			then("启用 NTP 校时", "keep the clock by NTP")
	}
	return good(check, "本机时钟与微信支付相差 %v", "this machine's clock and WeChat Pay's are %v apart", apart)
}

func checkWeChatSignature(check string, p wechatpay.Probe) finding {
	switch {
	case p.Echoed:
		return good(check, "双方签名核对无误（security/echo）", "the signatures of both sides are good (security/echo)")
	case p.Genuine:
		return but(fail, check, "签名无误，但回显内容不符：可能有人重放旧应答", "the signature is good, but the echo is not what was said: somebody may repeat old answers").
			then("检查 base_url、代理与网络", "check base_url, the proxy and the network")
	case p.Accepted:
		return but(fail, check, "应答不是用已配置的密钥签名的：%s", "the answer is not signed with a key that is configured: %s", p.Fault).
			then("从商户平台重新下载微信支付公钥，核对 public_key 的 id 与文件；仍不符则可能有人在中间", "download WeChat Pay's public key again and compare id and file of public_key; if it still fails, somebody may stand between")
	case p.Status == http.StatusUnauthorized:
		return but(fail, check, "微信支付不接受我方签名：%s", "WeChat Pay does not take our signature: %s", p.Fault).
			then("核对商户号、serial 与 private_key 是否为同一份 API 证书，并检查时钟", "make sure that account number, serial and private_key are of the same API certificate, and check the clock")
	}
	return but(warn, check, "签名测试没有通过，原因不明：%s", "the test of signatures was not passed, and it is not known why: %s", p.Fault).
		then("稍后再试；凭请求编号可向微信支付查询", "try again later; WeChat Pay's support can look the request's number up")
}

// checkKeyV2 judges the key of the older interface, of a connection that has one.
// Its form was checked when the file was read.
func checkKeyV2(check string, key wechatpay.KeyV2, fault string) []finding {
	switch key {
	case wechatpay.KeyV2Absent:
	case wechatpay.KeyV2Right:
		return []finding{good(check, "v2_key 正确：以一个无人使用的付款码查询，微信支付的应答由它签名", "v2_key is right: asked for a payment code that nobody has, WeChat Pay signed its answer with it")}
	case wechatpay.KeyV2Wrong:
		return []finding{but(fail, check, "微信支付不接受 v2_key 的签名：%s；所有付款码付款都会改为二维码付款", "WeChat Pay does not take a signature by v2_key: %s; every code payment becomes a QR payment", fault).
			then("到商户平台核对 APIv2 密钥（不是 APIv3 密钥），或删去 v2_key", "compare it with the APIv2 key of the merchant platform (not the APIv3 key), or take v2_key out")}
	default:
		return []finding{but(warn, check, "v2_key 长度正确（32 个字符），但未能向微信支付核实：%s", "v2_key has the right length (32 characters), but could not be tried at WeChat Pay: %s", fault).
			then("用一位会员的付款码付一笔：没有 payer_unclear 即为正确；服务商与自建服务请确认已开通 authcodetoopenid", "pay once with a member's payment code: without payer_unclear it is right; make sure that the account may call authcodetoopenid")}
	}
	return nil
}

// checkComplaints says whether WeChat Pay tells this installation of complaints.
func checkComplaints(ctx context.Context, ch *wechatpay.Channel, name string) finding {
	check := "wechatpay." + name + ".complaints"
	l, err := ch.ListensToComplaints(ctx, name)
	switch {
	case err != nil:
		return but(warn, check, "查不到投诉通知地址：%v", "the address of complaint notifications cannot be read: %v", err).
			then("稍后再试；投诉仍会在 15 分钟内由列表发现", "try again later; lists find complaints within 15 minutes all the same")
	case l.Here:
		return good(check, "投诉通知发到本服务", "complaints are notified to this installation")
	case l.Wanted:
		return but(warn, check, "投诉通知尚未发到本服务", "complaints are not notified to this installation yet").
			then("启动 mianmi serve，它会登记地址", "start mianmi serve, which registers the address")
	case l.Other:
		return good(check, "投诉通知发到别处；本服务 15 分钟内由列表发现投诉", "complaints are notified elsewhere; here lists find them within 15 minutes")
	}
	return good(check, "没有投诉通知地址；本服务 15 分钟内由列表发现投诉（complaint_notifications: true 可登记）",
		"complaints are notified to nobody; lists find them within 15 minutes (complaint_notifications: true registers the address)")
}
