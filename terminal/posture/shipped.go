package posture

import "github.com/mianmi/mianmi"

// Shipped is the policy until operators set another one.
func Shipped() Terms {
	return Terms{
		LeaseSeconds:    15 * 60,
		ReportSeconds:   5 * 60, // two may be lost
		DeadlineSeconds: 30 * 60,
		Rules: []Rule{
			{ID: "captive_portal", Unsafe: `network.portal`,
				Says: mianmi.Text{ZH: "网络有登录门户，在代替主机应答", EN: "a login page of the network answers in the host's place"}},
			{ID: "tls", Unsafe: `!network.tls`,
				Says: mianmi.Text{ZH: "未能证实所连接的是真正的主机", EN: "it cannot be sure that it talks to the real host"}},
			{ID: "dns", Unsafe: `!network.dns`,
				Says: mianmi.Text{ZH: "主机域名被解析到别处", EN: "the host's name leads somewhere else"}},
			{ID: "open_wifi", Unsafe: `network.kind == "wifi_open"`,
				Says: mianmi.Text{ZH: "连接的是不加密的公共 Wi-Fi", EN: "it is on an open Wi-Fi"}},
			{ID: "network_unknown", Unsafe: `network.kind == ""`,
				Says: mianmi.Text{ZH: "不清楚所用的网络", EN: "what network it is on is not known"}},
			{ID: "app_old", Unsafe: appRule,
				Says: mianmi.Text{ZH: "终端程序版本过低，需要更新", EN: "its program is too old and needs an update"}},
			{ID: "clock", Unsafe: `clock_off_s > 300`,
				Says: mianmi.Text{ZH: "终端时钟偏差超过 5 分钟", EN: "its clock is off by more than five minutes"}},
		},
	}
}
