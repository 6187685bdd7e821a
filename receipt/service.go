package receipt

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/access"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/terminal"
)

// Log is what this package asks of evidence.Log.
type Log interface {
	Receipt(ctx context.Context, id mianmi.EntryID) (*evidence.Receipt, error)
	RecordReceipt(ctx context.Context, id mianmi.EntryID, find func(record []byte) bool) (*evidence.Receipt, error)
}

// Payments says who may see a payment and where its record is.
type Payments interface {
	Entries(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (payment.Entries, error)
}

// Merchants says who may see merchants and stores.
type Merchants interface {
	Merchant(ctx context.Context, a mianmi.Actor, id mianmi.MerchantID) (merchant.Merchant, error)
	Store(ctx context.Context, a mianmi.Actor, id mianmi.StoreID) (merchant.Store, error)
}

// Terminals says who may see terminals.
type Terminals interface {
	Terminal(ctx context.Context, a mianmi.Actor, id mianmi.TerminalID) (terminal.Terminal, error)
}

// Service hands out receipts to those who may have them. All parts are required.
type Service struct {
	Log       Log
	Payments  Payments
	Merchants Merchants
	Terminals Terminals
	Keys      *secret.Keys
	// PublicURL is where people reach this server ("https://pay.example.com"), for
	// QR codes; empty: where the request came in.
	PublicURL string
}

// ownPeople may have every receipt: they see the things themselves.
var ownPeople = []mianmi.Role{mianmi.RoleSupport, mianmi.RoleRisk, mianmi.RoleOperator, mianmi.RoleAuditor, mianmi.RoleSystem}

// Receipt returns the receipt of an entry ("en…") or of the decision of a
// payment ("pm…"). Somebody who may see what it is about may have it; but a
// payment's record names its payer, whom merchants are not told: theirs is
// NotFound. ErrNotYet of evidence says to ask again in a second.
func (s *Service) Receipt(ctx context.Context, actor mianmi.Actor, id string) (*evidence.Receipt, error) {
	if actor.Role == mianmi.NoRole {
		return nil, &mianmi.Error{Kind: mianmi.Unauthenticated, Msg: "say who you are"}
	}
	r, subject, err := s.find(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if !actor.Is(ownPeople...) && s.sees(ctx, actor, subject) != nil {
		return nil, mianmi.Missing("receipt")
	}
	return r, nil
}

// find returns the receipt and what it is about. Entries of batches are found by
// their payments alone: an entry's own receipt would prove no record.
func (s *Service) find(ctx context.Context, actor mianmi.Actor, id string) (*evidence.Receipt, string, error) {
	switch {
	case len(id) > idBytesMax:
	case strings.HasPrefix(id, "pm"):
		where, err := s.Payments.Entries(ctx, actor, mianmi.PaymentID(id))
		if err != nil {
			return nil, "", err
		}
		r, err := s.Log.RecordReceipt(ctx, where.Decided, payment.IsDecided(mianmi.PaymentID(id)))
		if err != nil {
			return nil, "", err
		}
		d, err := payment.ReadDecided([]byte(r.Record))
		return r, string(d.Payer), err
	case strings.HasPrefix(id, "en"):
		r, err := s.Log.Receipt(ctx, mianmi.EntryID(id))
		if err != nil {
			return nil, "", err
		}
		e, err := evidence.Decode([]byte(r.Entry))
		return r, e.Subject, err
	}
	return nil, "", mianmi.Missing("receipt")
}

// idBytesMax bounds an identifier that somebody asks for.
const idBytesMax = 40

// sees reports whether the actor may see a subject, as the package that it
// belongs to has it. What nobody here knows is for our own people alone.
func (s *Service) sees(ctx context.Context, actor mianmi.Actor, subject string) error {
	switch {
	case strings.HasPrefix(subject, "py"):
		return access.Allow(actor, access.PayerShow, access.Target{Payer: mianmi.PayerID(subject)})
	case strings.HasPrefix(subject, "pm"): // what became of a payment: as for its decision
		_, _, err := s.find(ctx, actor, subject)
		if err == nil && !actor.Is(mianmi.RolePayer) {
			err = mianmi.Missing("receipt")
		}
		return err
	case strings.HasPrefix(subject, "mc"):
		_, err := s.Merchants.Merchant(ctx, actor, mianmi.MerchantID(subject))
		return err
	case strings.HasPrefix(subject, "st"):
		_, err := s.Merchants.Store(ctx, actor, mianmi.StoreID(subject))
		return err
	case strings.HasPrefix(subject, "tm"):
		_, err := s.Terminals.Terminal(ctx, actor, mianmi.TerminalID(subject))
		return err
	}
	return mianmi.Missing("receipt")
}

var tokens = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Token is a text that stands for a receipt in a link: the identifier and a
// keyed digest of it. Whoever has the link may have the receipt, as whoever has
// the paper may read it; nobody can make one for another identifier.
func (s *Service) Token(id string) string {
	return id + "." + tokens.EncodeToString(s.Keys.Digest(secret.ForReceiptLink, id))
}

// ByToken returns the receipt that a link is for. A text that is no such token
// is NotFound.
func (s *Service) ByToken(ctx context.Context, token string) (*evidence.Receipt, error) {
	id, _, found := strings.Cut(token, ".")
	if !found || len(id) > idBytesMax || subtle.ConstantTimeCompare([]byte(s.Token(id)), []byte(token)) != 1 {
		return nil, mianmi.Missing("receipt")
	}
	r, _, err := s.find(ctx, mianmi.System("receipt link"), id)
	return r, err
}

// Paper draws a receipt that the caller may have. host is where the request
// came in, for when no public address is set.
func (s *Service) Paper(r *evidence.Receipt, id, host string) ([]byte, error) {
	p, err := r.Verify(evidence.Trust{})
	if err != nil {
		return nil, err
	}
	return Paper(r, p, strings.TrimSuffix(cmp.Or(s.PublicURL, host), "/")+CheckPath(s.Token(id), r))
}

// CheckPath is the address of a receipt's check on its server. What follows #
// never reaches the server: it binds the link, on paper too, to the content
// of the receipt (the first half of its leaf hash).
func CheckPath(token string, r *evidence.Receipt) string {
	leaf := tlog.RecordHash([]byte(r.Entry))
	if r.Record != "" {
		leaf = tlog.RecordHash([]byte(r.Record))
	}
	return "/check/" + token + "#" + hex.EncodeToString(leaf[:16])
}
