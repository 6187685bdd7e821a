package wechatv3

import (
	"context"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

// certificateOut is a platform certificate, encrypted under the merchant's APIv3 key.
type certificateOut struct {
	SerialNo           string                   `json:"serial_no"`
	EffectiveTime      string                   `json:"effective_time"`
	ExpireTime         string                   `json:"expire_time"`
	EncryptCertificate wechat.EncryptedResource `json:"encrypt_certificate"`
}

// certificates is for software that verifies by the platform certificate. Where
// the public key signs there is none to be had, as at WeChat Pay.
func (s *Server) certificates(ctx context.Context, c *call) (any, error) {
	if !s.Service.Normal().Certificate && c.fault != "other-key" {
		return nil, &refusal{code: "RESOURCE_NOT_EXISTS", text: "无可用的平台证书，请使用微信支付公钥"}
	}
	keys, err := s.Service.Platforms(ctx)
	if err != nil {
		return nil, err
	}
	var out struct {
		Data []certificateOut `json:"data"`
	}
	for _, p := range keys { // the next one too, so that it is known before it signs
		sealed, err := s.Service.Encrypt(&c.caller.Identity, p.CertPEM, "certificate")
		if err != nil {
			return nil, err
		}
		out.Data = append(out.Data, certificateOut{SerialNo: p.Serial, EffectiveTime: wechat.Stamp(p.NotBefore), ExpireTime: wechat.Stamp(p.NotAfter), EncryptCertificate: sealed})
	}
	return out, nil
}

// echoIn is a check of keys and network.
type echoIn struct {
	NotifyURL string `json:"notify_url"`
	Message   string `json:"echo_message"`
	Encrypted string `json:"encrypted_echo_message"`
}

type echoOut struct {
	Message   string `json:"echo_message"`
	Encrypted string `json:"encrypted_echo_message,omitempty"`
}

// echo says again what it was told, in the answer and, when there is an
// address, in a notification.
func (s *Server) echo(ctx context.Context, c *call) (any, error) {
	var in echoIn
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	if in.Message == "" {
		return nil, mianmi.InvalidField("echo_message", "is missing")
	}
	if err := plain("echo_message", in.Message, echoMax); err != nil {
		return nil, err
	}
	url, err := notifyURL(in.NotifyURL, false)
	if err != nil {
		return nil, err
	}
	out := echoOut{Message: in.Message}
	if in.Encrypted != "" {
		if out.Encrypted, err = s.Service.Reseal(ctx, in.Encrypted, c.caller.Public); err != nil {
			return nil, err
		}
	}
	if url != "" {
		if err := s.Service.SendEcho(ctx, &c.caller, url, wechat.Echo{Message: out.Message, Encrypted: out.Encrypted}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
