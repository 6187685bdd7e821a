// Package wechatpay is WeChat Pay as a channel: mianmi as the system of a
// merchant, or of a service provider for its merchants, through the official
// SDK (APIv3).
//
// It holds one rule above the SDK: only a signed 2xx is WeChat Pay's word. Error
// answers are signed by nobody, so they are hints for the till and end nothing;
// an answer must name the order and the amount that it was asked about; and what
// names nothing (the empty answer to a close, the bare QR code) proves nothing
// until the order itself was asked for.
//
// Whether a payer typed a password WeChat Pay never says: what it answers at
// once, and what it answers while the payer is busy, is all there is.
package wechatpay

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/channel"
)

// Name is the channel's name in payments and policies.
const Name = "wechatpay"

// Channel is WeChat Pay over the connections of a configuration.
type Channel struct {
	connections map[string]*connection
	merchants   map[mianmi.MerchantID]*connection
	codes       *seenCodes
}

var (
	_ channel.Remote  = (*Channel)(nil)
	_ channel.Checker = (*Channel)(nil)
)

// New makes the channel. It asks nothing yet.
func New(ctx context.Context, list []*Connection, clock mianmi.Clock) (*Channel, error) {
	ch := &Channel{connections: map[string]*connection{}, merchants: map[mianmi.MerchantID]*connection{}, codes: newSeenCodes()}
	for _, one := range list {
		c, err := newConnection(ctx, one, clock)
		if err != nil {
			return nil, err
		}
		ch.connections[one.Name] = c
		for _, m := range one.Merchants {
			ch.merchants[m] = c
		}
	}
	return ch, nil
}

// Name returns "wechatpay".
func (*Channel) Name() string { return Name }

// paymentCode is a payment code of WeChat Pay: 18 digits, the first two 10 to 15.
var paymentCode = regexp.MustCompile(`^1[0-5][0-9]{16}$`)

// Takes reports whether a payment code is one of WeChat Pay's.
func (*Channel) Takes(code string) bool { return paymentCode.MatchString(code) }

// Terms says how a merchant takes payments here.
func (ch *Channel) Terms(m mianmi.MerchantID) (channel.Terms, bool) {
	c := ch.merchants[m]
	if c == nil {
		return channel.Terms{}, false
	}
	return channel.Terms{OwnRules: c.OwnRules, Names: c.V2Key != ""}, true
}

// Merchants are all that take payments here, sorted.
func (ch *Channel) Merchants() []mianmi.MerchantID { return slices.Sorted(maps.Keys(ch.merchants)) }

// Pace is WeChat Pay's: an unclear answer is asked after at the earliest after
// five seconds; it revokes by itself what is unpaid after 45; nothing is
// reversed before the 15th second and after seven days.
func (*Channel) Pace() channel.Pace {
	const day = 24 * time.Hour
	return channel.Pace{
		Answer: callMax, First: 5 * time.Second, Every: 5 * time.Second,
		GiveUp: 45 * time.Second, UndoFrom: 15 * time.Second, UndoWithin: 7*day - time.Hour,
		Late: []time.Duration{time.Hour, day, 7 * day},
	}
}

// connection is a Connection at work.
type connection struct {
	*Connection
	client   *core.Client
	unsigned *core.Client // for what WeChat Pay signs never: certificates, which the APIv3 key decrypts, and pictures
	verifier *validator
	certs    *certificates // nil without platform certificates
	slots    chan struct{}
	clock    mianmi.Clock
	http     *http.Client
}

func newConnection(ctx context.Context, one *Connection, clock mianmi.Clock) (*connection, error) {
	c := &connection{Connection: one, slots: make(chan struct{}, callsMax), clock: clock, http: &http.Client{
		Transport:     newTransport(one),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	settings := core.DialSettings{HTTPClient: c.http, Validator: &validators.NullValidator{}, Signer: &signers.SHA256WithRSASigner{
		MchID: one.MchID, CertificateSerialNo: one.Serial, PrivateKey: one.PrivateKey,
	}}
	var err error
	if c.unsigned, err = core.NewClientWithDialSettings(ctx, &settings); err != nil {
		return nil, mianmi.InvalidField("connections["+one.Name+"]", "cannot be used")
	}
	if one.Certificates {
		c.certs = &certificates{client: c.unsigned, key: one.APIv3Key, clock: clock, turn: make(chan struct{}, 1)}
	}
	c.verifier = newValidator(newVerifier(one, c.certs), c.certs)
	settings.Validator = c.verifier
	if c.client, err = core.NewClientWithDialSettings(ctx, &settings); err != nil {
		return nil, mianmi.InvalidField("connections["+one.Name+"]", "cannot be used")
	}
	return c, nil
}
