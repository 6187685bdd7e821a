// Package support keeps what payers complain of, at every channel, with its
// history, so that people can answer (docs/adr/0016).
//
// Money is payment's, and how a channel is spoken to its adapter's. What people
// write leaves this package to those alone who may read it: it is in no log,
// entry or message.
package support

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/payment"
	"github.com/mianmi/mianmi/secret"
)

// forWords is the digest of what people wrote, in entries; it is in stored data.
const forWords secret.Purpose = "complaint_words"

// forNumber is the digest of the keys of payers, in numbers of complaints and
// steps: whoever sees the one does not guess the other.
const forNumber secret.Purpose = "complaint_number"

// Store is what this package keeps. Missing things are NotFound.
type Store interface {
	// RecordComplaint locks the complaint, lets fn say what becomes of it and
	// writes that; of one that is not there yet fn makes it.
	RecordComplaint(ctx context.Context, k Key, fn func(*Change) error) error
	// Complaint is one with its history.
	Complaint(ctx context.Context, id mianmi.ComplaintID) (Complaint, []Step, error)
	ComplaintByKey(ctx context.Context, k Key) (Complaint, error)
	// Complaints lists without history, newest first.
	Complaints(ctx context.Context, q Query) ([]Complaint, error)

	// WalletComplaints is a page of those that were made here about one merchant,
	// newest first, and how many there are.
	WalletComplaints(ctx context.Context, q WalletQuery) ([]Complaint, int64, error)
	// PutPicture keeps a picture, unless the merchant's would then have more bytes
	// than there is room for: the Conflict "too_many_pictures". Those whose time is
	// over are removed before.
	PutPicture(ctx context.Context, p Picture, room PictureRoom) error
	// UsePictures notes that pictures are used. NotFound: one is not there.
	UsePictures(ctx context.Context, m mianmi.MerchantID, ids ...string) error
	Picture(ctx context.Context, m mianmi.MerchantID, id string) ([]byte, error)

	// PutAnswer locks the complaint, lets fn decide and writes the answer if it says so.
	PutAnswer(ctx context.Context, a *Answer, fn func(*AnswerChange) error) error
	// Answers are those about a complaint, oldest first.
	Answers(ctx context.Context, id mianmi.ComplaintID) ([]Answer, error)
	// ClaimAnswers puts due ones of a channel's accounts off to lease, and returns them.
	ClaimAnswers(ctx context.Context, channel string, accounts []string, now, lease time.Time, most int) ([]Answer, error)
	// PutOffAnswer notes another try; EndAnswer writes how it ended, with what fn
	// says of it and of the complaint. Both do nothing when somebody else has
	// claimed it since. PutAnswer writes one that has an Until as claimed so long.
	PutOffAnswer(ctx context.Context, a *Answer, next time.Time) error
	EndAnswer(ctx context.Context, a *Answer, fn func(*Change) error) error

	// WantSync queues complaints to be read, no later than at a time.
	WantSync(ctx context.Context, due time.Time, keys ...Key) error
	// WantOpen queues those of an account that are not over and were not read
	// since; at most so many.
	WantOpen(ctx context.Context, p Place, since, due time.Time, most int) error
	// ClaimSyncs puts due ones of a channel's accounts off to lease, and returns them.
	ClaimSyncs(ctx context.Context, channel string, accounts []string, now, lease time.Time, most int) ([]Due, error)
	// PutOffSync notes another try; EndSync removes what was read. Both leave a
	// row alone that somebody has wanted since.
	PutOffSync(ctx context.Context, d Due, next time.Time) error
	EndSync(ctx context.Context, d Due) error

	// MakeSweeps makes the rows of a channel's accounts that have none yet.
	MakeSweeps(ctx context.Context, channel string, accounts []string, due time.Time) error
	// ClaimSweep puts one that is due off to lease; false: none is.
	ClaimSweep(ctx context.Context, channel string, accounts []string, now, lease time.Time) (Sweep, bool, error)
	// SaveSweep writes how far a sweep came, unless somebody else has claimed it since.
	SaveSweep(ctx context.Context, s Sweep, next time.Time) error
}

// Payments is what this package asks of payment.Service.
type Payments interface {
	Payment(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) (*payment.Payment, error)
	Refund(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID, r payment.RefundRequest) (*payment.Refund, error)
	Refunds(ctx context.Context, a mianmi.Actor, id mianmi.PaymentID) ([]payment.Refund, error)
}

// Channel is a payment system where payers complain.
type Channel interface {
	Name() string
	// Accounts are the accounts there that this server is connected to.
	Accounts() []string
	// Merchants are those here that use an account.
	Merchants(account string) []mianmi.MerchantID
	// List lists complaints without history, by the days of their making, both
	// included; all is how many there are.
	List(ctx context.Context, account string, w Window) (list []Seen, all int64, err error)
	// Read is one with its history.
	Read(ctx context.Context, account, number string) (Seen, error)
	// Answer says something to the payer. Nil: the channel took it; after an error
	// that is not clear.
	Answer(ctx context.Context, account, number string, o Order) error
	// Picture is one that a complaint or a step names.
	Picture(ctx context.Context, account, id string) ([]byte, error)
}

// Window is a page of a list.
type Window struct {
	From, To time.Time
	Offset   int
	Limit    int
}

// Parts are what a Service works with; Channels may be empty, all else is required.
type Parts struct {
	Store    Store
	Payments Payments
	Keys     *secret.Keys
	Clock    mianmi.Clock
	Random   io.Reader // safe for concurrent use
	Log      *slog.Logger
	Channels []Channel
}

// Service is all that can be done about complaints.
type Service struct {
	Parts
	made sync.Map // channels whose accounts have rows of sweeps
}

// New returns a Service, or an error when a part is missing.
func New(p Parts) (*Service, error) {
	if p.Store == nil || p.Payments == nil || p.Keys == nil || p.Clock == nil || p.Random == nil || p.Log == nil {
		return nil, errors.New("support: a required part is missing")
	}
	return &Service{Parts: p}, nil
}

// now is the store's precision: what is returned is what is read back.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

// channel finds a channel by its name.
func (s *Service) channel(name string) Channel {
	for _, c := range s.Channels {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// Change is a complaint that is locked.
type Change struct {
	Complaint *Complaint          // nil: there is none yet
	Known     map[string]struct{} // steps that it has, by their number
	Steps     []Step              // that are added
	Entries   []evidence.Entry
	Tell      bool // software of the merchant's is told of the steps
}
