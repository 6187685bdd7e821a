package api

import (
	"context"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/wechat"
)

func (s *Server) registerWechat() {
	manages := only(mianmi.RoleMerchantAdmin, mianmi.RoleOperator)
	const one = "/v1/merchants/{merchant}/wechat-credentials"
	add(s, route{method: "POST", path: one, name: "createWechatCredentials", tag: "wechat", status: 201, repeat: firstAnswer, may: manages,
		summary: "Give a merchant WeChat Pay credentials", about: "For software written for WeChat Pay's APIv3, which finds this server under /v3 (docs/wechatpay.md). The APIv3 key and, unless a public key was sent, the private key are shown this once."}, s.createWechat)
	add(s, route{method: "GET", path: one, name: "wechatCredentials", tag: "wechat", may: manages.and(mianmi.RoleAuditor),
		summary: "Show a merchant's WeChat Pay credentials", about: "Without secrets, with all serials."}, s.wechatCredentials)
	add(s, route{method: "PATCH", path: one, name: "changeWechatCredentials", tag: "wechat", may: manages,
		summary: "Change the default terminal of WeChat Pay requests"}, s.changeWechat)
	add(s, route{method: "POST", path: one + "/api-v3-key", name: "newWechatAPIKey", tag: "wechat", status: 201, repeat: firstAnswer, may: manages,
		summary: "Make a new APIv3 key", about: "Shown this once. The former one is of no use from then on: notifications that wait are encrypted with the new one."}, s.newWechatKey)
	add(s, route{method: "POST", path: one + "/serials", name: "addWechatSerial", tag: "wechat", status: 201, repeat: firstAnswer, may: manages,
		summary: "Add a serial", about: "Beside those that the merchant has, at most five live ones: so a key is changed without a gap."}, s.addWechatSerial)
	add(s, route{method: "POST", path: one + "/serials/{serial}/revoke", name: "revokeWechatSerial", tag: "wechat", may: manages,
		summary: "Revoke a serial", about: "No request that it signs is answered any more, and no payment that is decided later is taken with it."}, s.revokeWechatSerial)
}

// NewWechatCredentials are credentials to be made.
type NewWechatCredentials struct {
	Terminal  string `json:"terminal" doc:"Terminal of requests whose scene_info.device_id names none of the merchant's"`
	PublicKey string `json:"public_key,omitzero" maxLength:"16384" doc:"The merchant's own RSA key, PEM: PUBLIC KEY or CERTIFICATE REQUEST; left out: a pair is made here"`
}

// NewWechatSerial is a serial to be made.
type NewWechatSerial struct {
	PublicKey string `json:"public_key,omitzero" maxLength:"16384" doc:"The merchant's own RSA key, PEM: PUBLIC KEY or CERTIFICATE REQUEST; left out: a pair is made here"`
}

// WechatCredentials are what a merchant is called in WeChat Pay's form.
type WechatCredentials struct {
	Merchant  string         `json:"merchant"`
	MchID     string         `json:"mchid"`
	AppID     string         `json:"appid"`
	Terminal  string         `json:"terminal"`
	Serials   []WechatSerial `json:"serials,omitzero" doc:"Newest first; in the answer that made one, that one alone"`
	Version   int64          `json:"version"`
	CreatedAt time.Time      `json:"created_at"`
	ChangedAt time.Time      `json:"changed_at"`

	PublicKeyID string `json:"public_key_id" doc:"PUB_KEY_ID_…, of the platform's public key"`
	PublicKey   string `json:"public_key" doc:"The platform's public key, PEM"`
	Certificate string `json:"platform_certificate" doc:"The platform certificate, PEM"`

	PlatformKeys []WechatPlatformKey `json:"platform_keys" doc:"All that are in use, oldest first, with the one that signs later: tell software of it ahead"`

	APIv3Key    string `json:"api_v3_key,omitzero" doc:"In the answer that made it only"`
	PrivateKey  string `json:"private_key,omitzero" doc:"apiclient_key.pem; in the answer that made it only"`
	MerchantPEM string `json:"certificate,omitzero" doc:"apiclient_cert.pem, of the serial that was made"`
}

// WechatPlatformKey is a key that this server signs with, or will.
type WechatPlatformKey struct {
	PublicKeyID string    `json:"public_key_id" doc:"PUB_KEY_ID_…"`
	PublicKey   string    `json:"public_key" doc:"PEM"`
	Serial      string    `json:"serial" doc:"Of its certificate"`
	Certificate string    `json:"platform_certificate" doc:"PEM"`
	SignsAt     time.Time `json:"signs_at" doc:"From then on, unless a newer one does"`
}

// WechatSerial names a key that a merchant signs with.
type WechatSerial struct {
	Serial    string     `json:"serial"`
	APIKey    string     `json:"api_key" doc:"ak…, whose rights it has"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitzero"`
}

// WechatOutput is one merchant's credentials.
type WechatOutput struct{ Body WechatCredentials }

// WechatInput names whose.
type WechatInput struct {
	Merchant string `path:"merchant" doc:"mc…"`
}

func showSerial(v *wechat.Serial) WechatSerial {
	return WechatSerial{Serial: v.Serial, APIKey: string(v.Key), CreatedAt: v.CreatedAt.UTC(), RevokedAt: timeOrNone(v.RevokedAt)}
}

// wechatOutput shows credentials with what was made.
func (s *Server) wechatOutput(ctx context.Context, m wechat.Made, serials ...wechat.Serial) (*WechatOutput, error) {
	p, err := s.Wechat.Platform(ctx)
	if err != nil {
		return nil, err
	}
	out := WechatCredentials{Merchant: string(m.Merchant), MchID: m.MchID, AppID: m.AppID, Terminal: string(m.Terminal), Version: m.Version,
		CreatedAt: m.CreatedAt.UTC(), ChangedAt: m.ChangedAt.UTC(), PublicKeyID: p.KeyID, PublicKey: string(p.PublicPEM), Certificate: string(p.CertPEM),
		APIv3Key: m.APIKey, PrivateKey: string(m.Private), MerchantPEM: string(m.Cert)}
	keys, err := s.Wechat.Platforms(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		out.PlatformKeys = append(out.PlatformKeys, WechatPlatformKey{PublicKeyID: k.KeyID, PublicKey: string(k.PublicPEM), Serial: k.Serial,
			Certificate: string(k.CertPEM), SignsAt: k.SignsAt.UTC()})
	}
	for i := range serials {
		out.Serials = append(out.Serials, showSerial(&serials[i]))
	}
	return &WechatOutput{out}, nil
}

func (s *Server) createWechat(ctx context.Context, a mianmi.Actor, in *struct {
	WechatInput
	Body NewWechatCredentials
}) (*WechatOutput, error) {
	m, err := s.Wechat.Create(ctx, a, mianmi.MerchantID(in.Merchant), mianmi.TerminalID(in.Body.Terminal), []byte(in.Body.PublicKey))
	if err != nil {
		return nil, err
	}
	return s.wechatOutput(ctx, m, m.Serial)
}

func (s *Server) wechatCredentials(ctx context.Context, a mianmi.Actor, in *WechatInput) (*WechatOutput, error) {
	i, list, err := s.Wechat.Identity(ctx, a, mianmi.MerchantID(in.Merchant))
	if err != nil {
		return nil, err
	}
	return s.wechatOutput(ctx, wechat.Made{Identity: i}, list...)
}

func (s *Server) changeWechat(ctx context.Context, a mianmi.Actor, in *struct {
	WechatInput
	Body struct {
		Terminal string `json:"terminal"`
	}
}) (*WechatOutput, error) {
	i, err := s.Wechat.SetTerminal(ctx, a, mianmi.MerchantID(in.Merchant), mianmi.TerminalID(in.Body.Terminal))
	if err != nil {
		return nil, err
	}
	return s.wechatOutput(ctx, wechat.Made{Identity: i})
}

func (s *Server) newWechatKey(ctx context.Context, a mianmi.Actor, in *WechatInput) (*WechatOutput, error) {
	m, err := s.Wechat.NewAPIKey(ctx, a, mianmi.MerchantID(in.Merchant))
	if err != nil {
		return nil, err
	}
	return s.wechatOutput(ctx, m)
}

func (s *Server) addWechatSerial(ctx context.Context, a mianmi.Actor, in *struct {
	WechatInput
	Body NewWechatSerial
}) (*WechatOutput, error) {
	m, err := s.Wechat.AddSerial(ctx, a, mianmi.MerchantID(in.Merchant), []byte(in.Body.PublicKey))
	if err != nil {
		return nil, err
	}
	return s.wechatOutput(ctx, m, m.Serial)
}

func (s *Server) revokeWechatSerial(ctx context.Context, a mianmi.Actor, in *struct {
	WechatInput
	Serial string `path:"serial"`
}) (*WechatOutput, error) {
	id := mianmi.MerchantID(in.Merchant)
	if err := s.Wechat.RevokeSerial(ctx, a, id, in.Serial); err != nil {
		return nil, err
	}
	return s.wechatCredentials(ctx, a, &in.WechatInput)
}
