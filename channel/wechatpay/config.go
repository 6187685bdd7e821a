package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"net/url"

	"github.com/mianmi/mianmi"
)

// Bounds of a configuration: an acquirer with thousands of merchants gives each
// node its own file.
const (
	connectionsMax  = 1000
	merchantsMax    = 10_000 // of one connection
	configBytesMax  = 1 << 20
	keyFileBytesMax = 16 << 10
)

// WeChat Pay's own addresses: the second answers when the first does not.
const (
	baseDefault   = "https://api.mch.weixin.qq.com"
	secondDefault = "https://api2.mch.weixin.qq.com"
)

// Connection is one account at WeChat Pay, and the merchants here that use it.
// ReadConfig makes it; it holds secrets and is never printed.
type Connection struct {
	Name      string // in the addresses of notifications, in findings and the log
	Merchants []mianmi.MerchantID
	// OwnRules leaves payers whom nobody here knows to WeChat Pay's own rules.
	OwnRules bool

	// The account that signs: a direct merchant's, or a service provider's.
	MchID, AppID string
	// SubMchID and SubAppID make it a service provider's connection for one of
	// its merchants; SubAppID may be empty.
	SubMchID, SubAppID string

	Serial     string // of the account's API certificate
	PrivateKey *rsa.PrivateKey
	APIv3Key   string
	// PublicKeyID and PublicKey verify what WeChat Pay says. Certificates are the
	// older way, and besides the key while an account moves from one to the other.
	PublicKeyID  string
	PublicKey    *rsa.PublicKey
	Certificates bool
	// NextKeyID and NextKey are believed too, while WeChat Pay replaces its public
	// key; there may be none.
	NextKeyID string
	NextKey   *rsa.PublicKey
	// V2Key, when there is one, lets a payer be known before the charge.
	V2Key string
	// Contracts are the numbers of the services (of the plan with Papay) by which
	// payers sign PIN-free contracts with the merchants.
	Contracts map[Family]string

	Base, Second *url.URL // Second may be nil
	Roots        *x509.CertPool
	Proxy        *url.URL
	Notify       *url.URL // where WeChat Pay reaches this installation
	ClientIP     string   // this server's address as it tells WeChat Pay; may be empty
	// ComplaintNotices has this installation told of complaints.
	ComplaintNotices bool
}

// partner reports whether a service provider speaks for a merchant.
func (c *Connection) partner() bool { return c.SubMchID != "" }

// String keeps secrets out of whatever prints a connection.
func (c *Connection) String() string { return "wechatpay connection " + c.Name }

// GoString is String.
func (c *Connection) GoString() string { return c.String() }
