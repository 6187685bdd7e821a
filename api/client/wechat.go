package client

import (
	"context"
	"net/http"
	"time"

	"github.com/mianmi/mianmi"
)

// WechatCredentials are what a merchant is called in WeChat Pay's form.
type WechatCredentials struct {
	Merchant  mianmi.MerchantID `json:"merchant"`
	MchID     string            `json:"mchid"`
	AppID     string            `json:"appid"`
	Terminal  mianmi.TerminalID `json:"terminal"`
	Serials   []WechatSerial    `json:"serials"`
	Version   int64             `json:"version"`
	CreatedAt time.Time         `json:"created_at"`
	ChangedAt time.Time         `json:"changed_at"`

	PublicKeyID         string `json:"public_key_id"`
	PublicKey           string `json:"public_key"`           // PEM
	PlatformCertificate string `json:"platform_certificate"` // PEM

	PlatformKeys []WechatPlatformKey `json:"platform_keys"` // oldest first, with the one that signs later

	APIv3Key    string `json:"api_v3_key"`  // in the answer that made it alone
	PrivateKey  string `json:"private_key"` // PEM; likewise
	Certificate string `json:"certificate"` // PEM; of the serial that was made
}

// WechatPlatformKey is a key that the server signs with, or will.
type WechatPlatformKey struct {
	PublicKeyID string    `json:"public_key_id"`
	PublicKey   string    `json:"public_key"` // PEM
	Serial      string    `json:"serial"`
	Certificate string    `json:"platform_certificate"` // PEM
	SignsAt     time.Time `json:"signs_at"`
}

// WechatSerial names a key that a merchant signs with.
type WechatSerial struct {
	Serial    string       `json:"serial"`
	APIKey    mianmi.KeyID `json:"api_key"`
	CreatedAt time.Time    `json:"created_at"`
	RevokedAt *time.Time   `json:"revoked_at"`
}

func wechatPath(m mianmi.MerchantID) string {
	return "/v1/merchants/" + seg(m) + "/wechat-credentials"
}

// CreateWechatCredentials gives a merchant WeChat Pay credentials. publicKey is
// the merchant's own (PEM: a public key or a certificate request), or empty.
func (c *Client) CreateWechatCredentials(ctx context.Context, m mianmi.MerchantID, terminal mianmi.TerminalID, publicKey string) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodPost, wechatPath(m), map[string]string{"terminal": string(terminal), "public_key": publicKey})
}

// WechatCredentials shows them without secrets.
func (c *Client) WechatCredentials(ctx context.Context, m mianmi.MerchantID) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodGet, wechatPath(m), nil)
}

// ChangeWechatTerminal changes the terminal of requests that name none.
func (c *Client) ChangeWechatTerminal(ctx context.Context, m mianmi.MerchantID, terminal mianmi.TerminalID) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodPatch, wechatPath(m), map[string]string{"terminal": string(terminal)})
}

// NewWechatAPIKey replaces the APIv3 key.
func (c *Client) NewWechatAPIKey(ctx context.Context, m mianmi.MerchantID) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodPost, wechatPath(m)+"/api-v3-key", nil)
}

// AddWechatSerial adds a serial beside those that there are.
func (c *Client) AddWechatSerial(ctx context.Context, m mianmi.MerchantID, publicKey string) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodPost, wechatPath(m)+"/serials", map[string]string{"public_key": publicKey})
}

// RevokeWechatSerial ends a serial.
func (c *Client) RevokeWechatSerial(ctx context.Context, m mianmi.MerchantID, serial string) (WechatCredentials, error) {
	return call[WechatCredentials](ctx, c, http.MethodPost, wechatPath(m)+"/serials/"+seg(serial)+"/revoke", nil)
}
