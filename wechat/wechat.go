// Package wechat is what mianmi keeps to be WeChat Pay to merchants' software:
// a merchant's identity and keys there, the platform's own key, and what the
// form of WeChat Pay's orders and refunds has beyond that of payments.
//
// Payments are payment's, and the rights of a merchant's key are those of an
// API key of access: so one that is revoked takes no payment that begins later.
// HTTP is left to api/wechatv3, and queueing of notifications to notice.
package wechat

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/notice"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/settings"
)

// The purposes of this package's secrets; they are in stored data.
const (
	forKey        secret.Purpose = "wechat_key"        // sealed: a merchant's APIv3 key
	forPlatform   secret.Purpose = "wechat_platform"   // sealed: the platform's private key
	forNotify     secret.Purpose = "wechat_notify"     // sealed: an address of notifications, which may hold a token
	forOpenID     secret.Purpose = "wechat_openid"     // digest: a payer's name at one merchant
	forComplaints secret.Purpose = "wechat_complaints" // sealed: where a merchant's software is told of complaints
	forSession    secret.Purpose = "wechat_session"    // digest: the token of a page at which a contract is signed
)

// Store is what this package keeps. Missing things are NotFound.
type Store interface {
	ContractStore
	// InsertIdentity writes a merchant's identity with its first serial and the
	// queue of its notifications. A merchant that has one is the Conflict
	// "wechat_identity_exists"; numbers that are taken are the Conflict "exists".
	InsertIdentity(ctx context.Context, n NewIdentity) error
	// ChangeIdentity locks the identity, lets fn say what becomes of it and writes that.
	ChangeIdentity(ctx context.Context, m mianmi.MerchantID, fn func(*Identity) ([]evidence.Entry, error)) error
	WechatIdentity(ctx context.Context, m mianmi.MerchantID) (Identity, error)
	// InsertSerial adds a serial; above most live ones it is the Conflict "too_many_serials".
	InsertSerial(ctx context.Context, s Serial, e evidence.Entry, most int) error
	Serials(ctx context.Context, m mianmi.MerchantID) ([]Serial, error)
	// Signer reads a serial with its identity and its API key, as they are now.
	Signer(ctx context.Context, serial string) (Signer, error)

	// PlatformKeys returns the installation's keys that are not revoked, oldest
	// first; FirstPlatformKey writes one unless there was ever one.
	PlatformKeys(ctx context.Context) ([]PlatformKey, error)
	FirstPlatformKey(ctx context.Context, k PlatformKey) error
	// ChangePlatformKeys lets fn say what becomes of the keys that are not
	// revoked, and writes that; nobody else changes them meanwhile.
	ChangePlatformKeys(ctx context.Context, fn func(live []PlatformKey) (PlatformChange, error)) error

	// PutOrder writes an order unless its number has one, and returns the one that it has then.
	PutOrder(ctx context.Context, o Order) (Order, error)
	WechatOrder(ctx context.Context, m mianmi.MerchantID, no string) (Order, error)
	// EndWechatOrder notes how an order was ended; the first end stays.
	EndWechatOrder(ctx context.Context, m mianmi.MerchantID, no string, end payment.OrderEnd) error
	// PutRefund writes a refund's number unless the merchant has used it, and returns what it stands for then.
	PutRefund(ctx context.Context, r Refund) (Refund, error)
	WechatRefund(ctx context.Context, m mianmi.MerchantID, no string) (Refund, error)

	Settings(ctx context.Context) (*settings.Snapshot, error)
	// Enqueue lets a notification wait in a queue.
	Enqueue(ctx context.Context, id mianmi.WebhookID, f notice.Fact) (int64, error)
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Authorize(ctx context.Context, a mianmi.Actor, r payment.Request) (*payment.Payment, error)
	OpenQR(ctx context.Context, a mianmi.Actor, r payment.QRRequest) (payment.QR, string, error)
	Order(ctx context.Context, a mianmi.Actor, no string) (*payment.Payment, payment.OrderEnd, error)
	EndOrder(ctx context.Context, a mianmi.Actor, no string, how payment.OrderEnd) (*payment.Payment, payment.OrderEnd, error)
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Cancel(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Reverse(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Refund(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, r payment.RefundRequest) (*payment.Refund, error)
	Refunds(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) ([]payment.Refund, error)
}

// Parts are what a Service works with; Payments, Payers and Complaints may be nil where only
// identities are looked after, all else is required.
type Parts struct {
	Store      Store
	Access     *access.Service
	Payments   Payments
	Payers     Payers
	Complaints Complaints
	Keys       *secret.Keys
	Guard      *notice.Guard // of the addresses that notifications may go to
	Clock      mianmi.Clock
	Random     io.Reader // safe for concurrent use
}

// Config tunes a Service.
type Config struct {
	// Certificate: answers and notifications are signed in the name of the
	// platform certificate. The default is the public key, as WeChat Pay gives
	// merchants since October 2024.
	Certificate bool
	// QRPrefix leads the text of QR codes that a payer's phone opens, default "mianmi:".
	QRPrefix string
}

// Service is all that can be done in WeChat Pay's form.
type Service struct {
	Parts
	cfg Config

	mu     sync.Mutex
	keys   []*Platform // as they were read
	readAt time.Time
}

// New returns a Service, or an error when a part is missing.
func New(p Parts, c Config) (*Service, error) {
	if p.Store == nil || p.Access == nil || p.Keys == nil || p.Guard == nil || p.Clock == nil || p.Random == nil {
		return nil, errors.New("wechat: a required part is missing")
	}
	if c.QRPrefix == "" {
		c.QRPrefix = "mianmi:"
	}
	return &Service{Parts: p, cfg: c}, nil
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }
