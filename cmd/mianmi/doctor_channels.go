package main

import (
	"context"
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/wechat"
)

const (
	// overdueAfter is far more than a claim's lease and a channel's slowest answer.
	overdueAfter = 10 * time.Minute
	// overdueMax bounds what is counted of one channel.
	overdueMax = 100_000
	// unsaidFor is how long an answer that did not get through is told of.
	unsaidFor = 7 * 24 * time.Hour
	// platformWarn is time enough for every merchant's software to get another
	// certificate.
	platformWarn = 60 * 24 * time.Hour
)

// examineChannels looks whether somebody asks the channels what is due, and how long
// the certificate of the front in WeChat Pay's form lasts.
func (a *app) examineChannels(ctx context.Context, db *store.DB) []finding {
	now := a.clock.Now()
	overdue, err := db.OverdueCalls(ctx, now.Add(-overdueAfter), overdueMax)
	findings := checkOverdue(overdue, err)
	stalled, err := db.StalledCalls(ctx, overdueMax)
	findings = append(findings, checkStalled(stalled, err)...)
	unsaid, behind, err := db.ComplaintTrouble(ctx, now.Add(-unsaidFor), now.Add(-overdueAfter), overdueMax)
	findings = append(findings, checkUnsaid(unsaid, behind, err)...)
	keys, err := db.PlatformKeys(ctx)
	if err != nil {
		return append(findings, but(fail, "wechat.certificate", "无法读取平台密钥", "the platform's keys cannot be read").then("检查数据库", "check the database"))
	}
	return append(findings, checkPlatform(keys, now)...)
}

// checkOverdue judges what nobody asks; nothing is found where nothing waits.
func checkOverdue(overdue map[string]int64, err error) []finding {
	if err != nil {
		return []finding{but(fail, "channels.asked", "无法读取待向支付渠道查询的付款", "what is to be asked at channels cannot be read").then("检查数据库", "check the database")}
	}
	var findings []finding
	for _, name := range slices.Sorted(maps.Keys(overdue)) {
		findings = append(findings, but(warn, "channels.asked."+name, "%s：有 %d 笔付款或退款早该查询，却没有服务器去查", "%s: %d payments or refunds are long due to be asked for, and no server asks", name, overdue[name]).
			then("在至少一个节点上以该渠道的连接运行 mianmi serve（微信支付：--wechatpay）；在此之前这些款项没有结论",
				"run mianmi serve with a connection to it on one node at least (WeChat Pay: --wechatpay); until then nobody knows how these ended"))
	}
	return findings
}

// checkStalled judges what a channel did not settle in a week.
func checkStalled(stalled map[string]int64, err error) []finding {
	if err != nil {
		return []finding{but(fail, "channels.settled", "无法读取支付渠道尚未明确的撤销与退款", "what channels have not settled cannot be read").then("检查数据库", "check the database")}
	}
	var findings []finding
	for _, name := range slices.Sorted(maps.Keys(stalled)) {
		findings = append(findings, but(fail, "channels.settled."+name, "%s：有 %d 笔撤销或退款一周没有明确答复，已不再自动查询", "%s: %d reversals or refunds had no clear answer for a week, and are asked for no more", name, stalled[name]).
			then("列表即主题 payment.not_given_back 与日志中的 payment.undo_stalled、return_stalled、refund_stalled；到支付渠道查明，再次撤销或以相同 refund_no 退款即重新查询",
				"the topic payment.not_given_back and the entries payment.undo_stalled, return_stalled and refund_stalled name them; look at the payment system, then reverse again, or refund with the same refund_no: that asks anew"))
	}
	return findings
}

// checkUnsaid judges answers to complaints that did not get through, and complaints
// that no case follows; nothing is found where nothing is wrong.
func checkUnsaid(failed, behind int64, err error) (findings []finding) {
	if err != nil {
		return []finding{but(fail, "complaints.answers", "无法读取对投诉的答复", "answers to complaints cannot be read").then("检查数据库", "check the database")}
	}
	if failed > 0 {
		findings = append(findings, but(warn, "complaints.answers", "近七天有 %d 条对投诉的答复未送达", "%d answers to complaints did not get through in seven days", failed).
			then("工单里写明了是哪一条：到渠道上核实，再重新答复", "the cases say which: look at the channel, and answer again"))
	}
	if behind > 0 {
		findings = append(findings, but(warn, "complaints.cases", "%d 件投诉有了新进展，十多分钟仍未进入工单", "%d complaints have news that has not reached their cases for ten minutes", behind).
			then("确认 mianmi serve 正在运行，并查看其日志中的 take complaints up", "see that mianmi serve runs, and what its log says of take complaints up"))
	}
	return findings
}

// checkPlatform judges the newest of the certificates that are not revoked.
func checkPlatform(keys []wechat.PlatformKey, now time.Time) []finding {
	if len(keys) == 0 {
		return nil
	}
	const check = "wechat.certificate"
	var ends time.Time
	for _, k := range keys {
		cert, err := x509.ParseCertificate(k.Cert)
		if err != nil {
			return []finding{but(fail, check, "平台证书 %s 无法读取", "the platform certificate %s cannot be read", k.Serial).then("用 mianmi wechat rotate 新建密钥", "make a new key with mianmi wechat rotate")}
		}
		if cert.NotAfter.After(ends) {
			ends = cert.NotAfter
		}
	}
	day := ends.Format(time.DateOnly)
	switch left := ends.Sub(now); {
	case left <= 0:
		return []finding{but(fail, check, "微信支付兼容接口的平台证书已于 %s 到期", "the platform certificate of the WeChat Pay front ended on %s", day).
			then("运行 mianmi wechat rotate，并把新证书交给各商户", "run mianmi wechat rotate and give merchants the new certificate")}
	case left < platformWarn:
		return []finding{but(warn, check, "微信支付兼容接口的平台证书将于 %s 到期", "the platform certificate of the WeChat Pay front ends on %s", day).
			then("运行 mianmi wechat rotate，并把新证书交给各商户", "run mianmi wechat rotate and give merchants the new certificate")}
	}
	return []finding{good(check, "微信支付兼容接口的平台证书有效至 %s", "the platform certificate of the WeChat Pay front holds until %s", day)}
}
