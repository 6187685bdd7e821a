package wechatpay

import (
	"context"
	"regexp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

var _ channel.Contracts = (*Channel)(nil)

// familyNames are the kinds of contract in configurations and in the API.
var familyNames = map[string]Family{"password_exempt": PasswordExempt, "papay": Papay, "payscore": PayScore}

// ContractService is part of channel.Contracts.
func (ch *Channel) ContractService(m mianmi.MerchantID, kind string) (string, bool) {
	c := ch.merchants[m]
	if c == nil || c.Contracts[familyNames[kind]] == "" {
		return "", false
	}
	return c.Contracts[familyNames[kind]], true
}

// SignContract is part of channel.Contracts.
func (ch *Channel) SignContract(ctx context.Context, o channel.ContractOrder) channel.ContractSession {
	d := o.Device
	return channel.ContractSession(ch.PreSign(ctx, SignOrder{ContractRef: refOf(o.ContractRef), Payer: o.Payer, Shown: o.Shown, OutUser: string(o.Member),
		Device: Device{Type: d.Type, OS: d.OS, ID: d.ID, IP: d.IP, Rooted: d.Rooted, WeixinInstalled: d.Installed, WeixinVersion: d.ClientVersion,
			SinceLogin: d.SinceLogin, ByQR: d.ByQR}}))
}

// AskContract is part of channel.Contracts.
func (ch *Channel) AskContract(ctx context.Context, r channel.ContractRef) channel.ContractAnswer {
	return ch.QueryContract(ctx, refOf(r)).answer()
}

// EndContract is part of channel.Contracts.
func (ch *Channel) EndContract(ctx context.Context, r channel.ContractRef, why string) channel.ContractAnswer {
	return ch.TerminateContract(ctx, refOf(r), why).answer()
}

var contractNoForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// refOf is our own contract in WeChat Pay's words.
func refOf(r channel.ContractRef) ContractRef {
	return ContractRef{Merchant: r.Merchant, Family: familyNames[r.Kind], Service: r.Service, Code: string(r.Contract)}
}

func (k Contract) answer() channel.ContractAnswer {
	return channel.ContractAnswer{Standing: channel.ContractStanding(k.State), Number: plain(k.ID, contractNoForm), Payer: k.Payer, SignedAt: k.SignedAt, EndedAt: k.EndedAt,
		EndedBy: k.EndedBy, Fault: k.Fault}
}
